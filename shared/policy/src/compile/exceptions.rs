//! Exceptions, sorted by the guest that they are for.

use std::collections::{BTreeSet, HashMap};

use model::ObjectId;

use super::Compiler;
use super::rules::RuleNames;
use crate::file;
use crate::policy::{Exception, LastDay};

impl Compiler<'_> {
    pub(super) fn exceptions(
        &mut self,
        exceptions: &[file::Exception],
        names: &RuleNames,
    ) -> HashMap<ObjectId, Vec<Exception>> {
        let mut by_guest = HashMap::<ObjectId, Vec<Exception>>::new();
        for exception in exceptions {
            if let Some((guest, exception)) = self.exception(exception, names) {
                by_guest.entry(guest).or_default().push(exception);
            }
        }
        by_guest
    }

    fn exception(&mut self, exception: &file::Exception, names: &RuleNames) -> Option<(ObjectId, Exception)> {
        let file::Exception { guest, from, until, ticket, approved_by } = exception;
        let guest = self.object_id(guest);
        self.not_empty("from", from, "name the rules that are suspended");
        let rules: BTreeSet<_> = from.items.iter().filter_map(|rule| self.known_rule(rule, names)).collect();
        let until = self.day(until).map(LastDay);
        let exception =
            Exception { rules, until: until?, ticket: ticket.clone(), approved_by: approved_by.clone() };
        Some((guest?, exception))
    }
}
