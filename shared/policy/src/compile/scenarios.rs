//! Scenarios: whom they admit, to which groups, and for how long.

use std::collections::BTreeSet;

use model::GuestKind;

use super::people::Asks;
use super::{Compiler, partners};
use crate::domain::shortened;
use crate::file::{self, Admits, At, Entries, SpanText};
use crate::policy::{LastDay, Scenario};
use crate::span::Span;

/// Before an end people are told, where the scenario does not say when.
const NOTICE: Span = Span::days(14);

impl Compiler<'_> {
    pub(super) fn scenarios(
        &mut self,
        scenarios: &[file::Scenario],
        partners: &Entries<At<file::Partner>>,
    ) -> Vec<Scenario> {
        let sorted = partners::sorted(partners);
        let names: Vec<&str> = sorted.iter().map(|(name, _)| name.value.as_str()).collect();
        let end: BTreeSet<usize> = sorted
            .iter()
            .enumerate()
            .filter_map(|(index, (_, partner))| partner.value.until.is_some().then_some(index))
            .collect();
        scenarios.iter().filter_map(|scenario| self.scenario(scenario, &names, &end)).collect()
    }

    fn scenario(
        &mut self,
        scenario: &file::Scenario,
        names: &[&str],
        ending: &BTreeSet<usize>,
    ) -> Option<Scenario> {
        let file::Scenario { id, owner, admits, joins, stay, until, notice } = scenario;
        let id = self.rule_id(id);
        self.whom(admits);
        let Admits { partners, kind, inviters, sponsors } = &admits.value;
        let partners = partners.as_ref().map(|partners| self.named_partners(partners, names));
        let kinds = match kind {
            Some(kind) => self.kinds(kind),
            None => BTreeSet::from([GuestKind::Guest]),
        };
        let inviters = inviters.as_ref().map(|inviters| self.inviter(inviters, Asks::Admits));
        let sponsors = sponsors.as_ref().and_then(|sponsors| self.sponsors(sponsors, 1));
        let joins = joins.as_ref().map(|joins| self.scenario_joins(joins));
        let ends =
            stay.is_some() || until.is_some() || partners.iter().flatten().any(|one| ending.contains(one));
        let until = until.as_ref().and_then(|until| self.day(until)).map(LastDay);
        let stay = stay.as_ref().and_then(|stay| self.span(stay));
        let notice = notice.as_ref().and_then(|notice| self.notice(notice, stay, ends));
        let notice = notice.unwrap_or_else(|| stay.map_or(NOTICE, |stay| stay.half().min(NOTICE)));
        Some(Scenario {
            id: id?,
            owner: owner.clone(),
            partners,
            kinds,
            inviters,
            sponsors,
            joins,
            until,
            stay,
            notice,
        })
    }

    /// That everybody is admitted has to be written, too.
    fn whom(&mut self, admits: &At<Admits>) {
        let whom = "whom (`partners`, `kind`, `inviters`)";
        if admits.value.is_empty() {
            let hint = format!("write {whom}");
            self.problem(admits.place, "`admits` is empty and would admit everybody", Some(hint));
        }
        let Admits { partners, kind, inviters, sponsors } = &admits.value;
        if let (None, None, None, Some(sponsors)) = (partners, kind, inviters, sponsors) {
            let hint = format!("write beside it {whom}");
            let message = "`sponsors` alone would admit nearly everybody: Microsoft Entra makes a sponsor of whoever invites";
            self.problem(sponsors.place, message, Some(hint));
        }
    }

    fn notice(&mut self, text: &SpanText, stay: Option<Span>, ends: bool) -> Option<Span> {
        let notice = self.span(text)?;
        let place = text.0.place;
        if !ends {
            let hint = "write `stay` or `until` beside it, or remove it".to_owned();
            self.problem(place, "`notice` says nothing where nothing ends", Some(hint));
        }
        if let Some(stay) = stay.filter(|stay| notice >= *stay) {
            let message = format!("`notice` of {notice} begins before a stay of {stay} does");
            self.problem(place, message, Some("write less than the stay".to_owned()));
        }
        Some(notice)
    }

    pub(super) fn span(&mut self, SpanText(text): &SpanText) -> Option<Span> {
        let span = Span::parse(&text.value);
        if span.is_none() {
            let message = format!("`{}` is not a length of time", shortened(&text.value));
            let hint = "write days or hours as in `14d` or `12h`, at most `3650d`".to_owned();
            self.problem(text.place, message, Some(hint));
        }
        span
    }
}
