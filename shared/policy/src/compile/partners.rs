//! Partners: outside organisations by name, found by their domains.

use super::Compiler;
use crate::domain::{Pattern, Purpose};
use crate::file::{self, At, Entries};
use crate::policy::{LastDay, Partner, Partners};

impl Compiler<'_> {
    /// In the order of the names, so that the order of the file decides nothing. An index here is a partner's place in
    /// [`sorted`].
    pub(super) fn partners(&mut self, entries: &Entries<At<file::Partner>>) -> Partners {
        let mut partners = Partners::default();
        for (index, (name, partner)) in sorted(entries).into_iter().enumerate() {
            self.name("partner", name);
            let file::Partner { domains, owner, until } = &partner.value;
            self.not_empty("domains", domains, "name the organisation's domains");
            for domain in &domains.items {
                match Pattern::parse(&domain.value, Purpose::Admit) {
                    Ok(pattern) => partners.by_domain.entry(pattern).push(index),
                    Err(error) => self.bad_pattern(domain, &error),
                }
            }
            let until = until.as_ref().and_then(|until| self.day(until)).map(LastDay);
            partners.all.push(Partner { name: name.value.clone(), owner: owner.clone(), until });
        }
        partners
    }
}

pub(super) fn sorted(entries: &Entries<At<file::Partner>>) -> Vec<&(At<String>, At<file::Partner>)> {
    let mut sorted: Vec<_> = entries.0.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.value.cmp(&b.value));
    sorted
}
