//! Exceptions, sorted by the guest that they are for.

use std::collections::{BTreeSet, HashMap};

use model::ObjectId;

use super::rules::RuleNames;
use super::{Compiler, Id};
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
        let file::Exception { guest, group, from, until, ticket, approved_by } = exception;
        let guest = self.object_id(guest, Id::User);
        let in_group = group.as_ref().map(|group| self.object_id(group, Id::Group));
        self.not_empty("from", from, "name the rules that are suspended");
        let mut rules = BTreeSet::new();
        for text in &from.items {
            let Some(rule) = self.known_rule(text, names) else { continue };
            if group.is_some() && !names.is_about_groups(&rule) {
                let message = format!("rule `{rule}` is not about groups, and `group` is written here");
                let hint = "remove `group`, or give this rule an exception of its own".to_owned();
                self.problem(text.place, message, Some(hint));
            }
            rules.insert(rule);
        }
        let until = self.day(until).map(LastDay);
        let group = match in_group {
            Some(group) => Some(group?),
            None => None,
        };
        let (ticket, approved_by) = (ticket.clone(), approved_by.clone());
        Some((guest?, Exception { group, rules, until: until?, ticket, approved_by }))
    }
}
