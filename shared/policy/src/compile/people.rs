//! Whoever invited a guest, as guardrails and scenarios speak of it.

use std::collections::BTreeSet;

use super::lists::Lists;
use super::rules::is_name;
use super::{Compiler, Id};
use crate::conditions::{DomainSource, InviterMatcher};
use crate::domain::{DomainMap, Pattern, Purpose, shortened};
use crate::file::{At, Inviter, Text, Words};
use crate::inviter::InviterKind;
use crate::nearest;

/// Microsoft Entra keeps no more (<https://learn.microsoft.com/entra/external-id/b2b-sponsors>).
const MOST_SPONSORS: u64 = 5;

/// Whether an inviter is to be forbidden, or to admit.
#[derive(Clone, Copy)]
pub(super) enum Asks<'a> {
    Forbids(&'a Lists),
    Admits,
}

impl Asks<'_> {
    fn nothing(self) -> &'static str {
        match self {
            Self::Forbids(_) => "`inviter` is empty and would match everybody",
            Self::Admits => "`inviters` is empty and would admit whoever anybody invited",
        }
    }
}

impl Compiler<'_> {
    pub(super) fn inviter(&mut self, inviter: &At<Inviter>, asks: Asks<'_>) -> InviterMatcher {
        let At { value, place } = inviter;
        if value.is_empty() {
            let hint = "write a condition (`kind`, `domain`, `ids`, `group`)".to_owned();
            self.problem(*place, asks.nothing(), Some(hint));
        }
        let Inviter { kind, domain, ids, group } = value;
        let kinds: BTreeSet<InviterKind> = kind.as_ref().map_or_else(BTreeSet::new, |kinds| {
            self.not_empty("kind", kinds, "name a kind, or remove the key");
            self.words(kinds).into_iter().collect()
        });
        if let Some(domain) = domain.as_ref().filter(|_| kinds == BTreeSet::from([InviterKind::App])) {
            let hint = "remove `domain`, or name the apps under `ids`".to_owned();
            self.problem(domain.place, "an app has no address, and `domain` asks for one", Some(hint));
        }
        let domains = domain.as_ref().map(|words| match asks {
            Asks::Forbids(lists) => self.domain_sources(words, lists),
            Asks::Admits => self.admitting_domains(words),
        });
        let ids = ids.as_ref().map_or_else(BTreeSet::new, |ids| {
            self.not_empty("ids", ids, "name users or apps, or remove the key");
            ids.items.iter().filter_map(|id| self.object_id(id, Id::Inviter)).collect()
        });
        let group = group.as_ref().map(|group| self.group_refs("group", group));
        InviterMatcher { kinds, ids, domains: domains.unwrap_or_default(), group }
    }

    /// Lists are made to forbid, and may have entries that are too wide to admit.
    fn admitting_domains(&mut self, words: &Words<Text>) -> Vec<DomainSource> {
        self.not_empty("domain", words, "name domains, or remove the key");
        let (mut patterns, mut texts) = (DomainMap::default(), Vec::new());
        for word in &words.items {
            if is_name(&word.value) {
                let message = format!("`{}` is no domain, and a list admits nobody", shortened(&word.value));
                self.problem(word.place, message, Some("write the domains, as in `contoso.com`".to_owned()));
                continue;
            }
            match Pattern::parse(&word.value, Purpose::Admit) {
                Ok(pattern) => {
                    texts.push(pattern.to_string());
                    *patterns.entry(pattern) = ();
                }
                Err(error) => self.bad_pattern(word, &error),
            }
        }
        vec![DomainSource::Written { patterns, texts }]
    }

    pub(super) fn sponsors(&mut self, sponsors: &At<u64>, least: u64) -> Option<usize> {
        let At { value, place } = sponsors;
        if *value < least {
            let hint = "write `sponsors: 1`, or remove it".to_owned();
            self.problem(*place, "`sponsors: 0` says nothing", Some(hint));
        } else if *value > MOST_SPONSORS {
            let message = format!("nobody has {value} sponsors");
            let hint = format!("write at most {MOST_SPONSORS}, which is what Microsoft Entra keeps");
            self.problem(*place, message, Some(hint));
        } else {
            return usize::try_from(*value).ok();
        }
        None
    }

    /// Partners by their names, as places among all that are sorted.
    pub(super) fn named_partners(&mut self, words: &Words<Text>, names: &[&str]) -> BTreeSet<usize> {
        self.not_empty("partners", words, "name partners, or remove the key");
        let mut indices = BTreeSet::new();
        for word in &words.items {
            match names.iter().position(|name| *name == word.value) {
                Some(index) => {
                    indices.insert(index);
                }
                None => {
                    let message = format!("partner `{}` does not exist", shortened(&word.value));
                    let hint = nearest::hint(&word.value, names.iter().copied());
                    self.problem(word.place, message, hint.or(Some("add it under `partners`".to_owned())));
                }
            }
        }
        indices
    }
}
