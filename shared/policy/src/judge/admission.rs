//! Does a scenario admit the account, and does one that does cover its groups? When does the last one end?

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::{ObjectId, RuleId};

use super::admits::{self, Admits, End, Unsure};
use super::origins::Origins;
use crate::conditions::{Answer, Case, kind_is_unknown};
use crate::kind::Kind;
use crate::memberships::Seen;
use crate::policy::{Otherwise, Policy, Scenario};
use crate::reference::{Names, Nobody, Refers};
use crate::verdict::Ends;

/// What all scenarios together say.
#[derive(Debug)]
pub(super) struct Admission<'a> {
    /// In the order of the file.
    answers: Vec<(&'a Scenario, Admits)>,
    /// When time alone may change an answer, or what is told about it. Past or not.
    pub(super) moments: BTreeSet<Timestamp>,
    /// What speaks against admission.
    reasons: Vec<String>,
}

/// An answer that reading who invited the account may settle, or not.
pub(super) struct Asked {
    pub(super) answer: Answer,
    pub(super) awaits_inviter: bool,
}

impl Asked {
    fn settled(answer: Answer) -> Self {
        Self { answer, awaits_inviter: false }
    }
}

const NOT_ADMITTED: &str = "no scenario admits the account";
const MAYBE_ADMITTED: &str = "whether a scenario admits the account could not be checked";

impl<'a> Admission<'a> {
    pub(super) fn of(policy: &'a Policy, case: &Case<'_>) -> Self {
        let origins = Origins::of(policy, case);
        let answer = |scenario| (scenario, admits::admits(scenario, case, &origins));
        let answers: Vec<(&Scenario, Admits)> = policy.scenarios.iter().map(answer).collect();
        let mut reasons = origins.reasons();
        for (_, answer) in &answers {
            if let Admits::No(Some(why)) = answer {
                reasons.push(why.clone());
            }
        }
        let concerned = policy.scenarios.iter().filter(|scenario| admits::is_concerned(scenario, case));
        let moments = concerned.flat_map(|scenario| admits::moments(scenario, case)).chain(origins.moments());
        Self { moments: moments.collect(), answers, reasons }
    }

    /// The first scenario that admits.
    pub(super) fn by(&self) -> Option<&'a RuleId> {
        self.admitting().next()
    }

    fn admitting(&self) -> impl Iterator<Item = &'a RuleId> {
        let admitting = self.answers.iter().filter(|(_, admits)| matches!(admits, Admits::Yes(_)));
        admitting.map(|(scenario, _)| &scenario.id)
    }

    fn unsure(&self) -> impl Iterator<Item = &Unsure> {
        self.answers.iter().filter_map(|(_, admits)| match admits {
            Admits::Unknown(unsure) => Some(unsure),
            Admits::Yes(_) | Admits::No(_) => None,
        })
    }

    /// Whether reading who invited the account may make a scenario admit it.
    pub(super) fn awaits_inviter(&self) -> bool {
        self.unsure().any(|unsure| unsure.awaits_inviter)
    }

    /// When the last scenario that admits ends, with the moment from which on people are to be told.
    pub(super) fn ends(&self, now: Timestamp) -> Option<(Ends, Timestamp)> {
        let mut last: Option<(&Scenario, &End)> = None;
        for (scenario, admits) in &self.answers {
            let Admits::Yes(end) = admits else { continue };
            let end = end.as_ref()?;
            if last.is_none_or(|(_, latest)| latest.at < end.at) {
                last = Some((scenario, end));
            }
        }
        let (Scenario { id, notice, .. }, End { at, why, own }) = last?;
        let notice_at = notice.before(*at);
        let (rule, why, soon) = (id.clone(), why.clone(), notice_at <= now);
        Some((Ends { rule, at: *at, why, own: *own, soon }, notice_at))
    }

    pub(super) fn otherwise(&self, otherwise: &Otherwise, case: &Case<'_>) -> Asked {
        let concerned = case.could_be().iter().any(|kind| otherwise.kinds.contains(kind));
        if !concerned || self.by().is_some() {
            return Asked::settled(Answer::No);
        }
        if let Kind::Unknown { could_be: _, why } = &case.kind {
            return Asked::settled(Answer::Unknown(vec![kind_is_unknown(why)]));
        }
        let addresses = self.reasons.iter().cloned();
        let unknown: BTreeSet<String> = self.unsure().flat_map(|unsure| unsure.why.iter().cloned()).collect();
        if unknown.is_empty() {
            let reasons = [NOT_ADMITTED.to_owned()].into_iter().chain(addresses).collect();
            return Asked::settled(Answer::Yes(reasons));
        }
        let reasons = [MAYBE_ADMITTED.to_owned()].into_iter().chain(addresses).chain(unknown).collect();
        Asked { answer: Answer::Unknown(reasons), awaits_inviter: self.awaits_inviter() }
    }

    /// Whether the account is in one group that no scenario that admits it covers. A dynamic group is covered unless a
    /// guardrail names it: who is in it is the rule's decision and not the guest's.
    pub(super) fn uncovered(&self, policy: &Policy, case: &Case<'_>, of_one_group: &[Seen<'_>]) -> Asked {
        let Some(group) = of_one_group.first().map(Seen::group) else {
            return Asked::settled(Answer::No);
        };
        let names = &case.facts.named_groups;
        let (mut unknown, mut awaits_inviter) = (BTreeSet::new(), false);
        for (scenario, admits) in &self.answers {
            match (admits, scenario.covers(group.id, names)) {
                (Admits::No(_), _) | (_, Refers::No) => {}
                (Admits::Yes(_), Refers::Yes) => return Asked::settled(Answer::No),
                (Admits::Yes(_), Refers::Unknown(reasons)) => unknown.extend(reasons),
                (Admits::Unknown(unsure), refers) => {
                    unknown.extend(unsure.why.iter().cloned());
                    awaits_inviter |= unsure.awaits_inviter;
                    if let Refers::Unknown(reasons) = refers {
                        unknown.extend(reasons);
                    }
                }
            }
        }
        let dynamic = dynamic(of_one_group);
        if dynamic != Some(false) {
            match (policy.guardrails_name(group.id, names), dynamic) {
                (Refers::Yes, _) => {}
                (Refers::No, Some(_)) => return Asked::settled(Answer::No),
                (Refers::No, None) => {
                    unknown.insert("whether the group is dynamic could not be read".to_owned());
                }
                (Refers::Unknown(reasons), _) => unknown.extend(reasons),
            }
        }
        if let Kind::Unknown { could_be: _, why } = &case.kind {
            unknown.insert(kind_is_unknown(why));
        }
        let mut reasons = self.told(of_one_group, unknown.is_empty());
        if unknown.is_empty() {
            return Asked::settled(Answer::Yes(reasons));
        }
        reasons.extend(unknown);
        Asked { answer: Answer::Unknown(reasons), awaits_inviter }
    }

    fn told(&self, of_one_group: &[Seen<'_>], certain: bool) -> Vec<String> {
        let mut reasons: Vec<String> = of_one_group.iter().map(Seen::told).collect();
        reasons.dedup();
        let admitting: Vec<String> = self.admitting().map(|id| format!("`{id}`")).collect();
        match (admitting.is_empty(), certain) {
            (false, true) => reasons.push(format!(
                "no scenario that admits the account covers this group (admitted by {})",
                admitting.join(", ")
            )),
            (true, true) => {
                reasons.push(NOT_ADMITTED.to_owned());
                reasons.extend(self.reasons.iter().cloned());
            }
            (_, false) => {
                reasons.push("whether a scenario covers this membership could not be checked".to_owned());
            }
        }
        reasons
    }
}

/// Where two readings of one group differ, the one that covers counts.
fn dynamic(of_one_group: &[Seen<'_>]) -> Option<bool> {
    let mut all = of_one_group.iter().map(|seen| seen.group().dynamic);
    if all.clone().any(|dynamic| dynamic == Some(true)) {
        return Some(true);
    }
    all.all(|dynamic| dynamic == Some(false)).then_some(false)
}

impl Scenario {
    fn covers(&self, group: ObjectId, names: &Names) -> Refers {
        match &self.joins {
            None => Refers::Yes,
            Some(groups) => groups.refer_to(group, names, Nobody::IsUnknown),
        }
    }
}
