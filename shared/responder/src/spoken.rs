//! Who tells people of a finding, where a guest breaks several rules that ask for the same.

use std::collections::BTreeSet;

use model::{Finding, Mode, ObjectId, RuleId};

/// A finding, and who tells people of it.
#[derive(Debug)]
pub(crate) struct Spoken {
    pub(crate) finding: Finding,
    /// The rule that speaks for this one, too.
    pub(crate) told_with: Option<RuleId>,
    /// The rules that this one speaks for.
    pub(crate) speaks_for: BTreeSet<RuleId>,
}

/// A guest may break several rules that ask for the same (about the same group, where it is about one), or that cannot be
/// checked for the same lack. Each is an incident of its own; people are told once, by the gravest, which names the others.
pub(crate) fn spoken_for(findings: Vec<Finding>) -> Vec<Spoken> {
    let asks = |finding: &Finding| -> Option<(Option<ObjectId>, Mode, bool, String)> {
        let Finding { object, mode, unknown, plan, .. } = finding;
        (!plan.is_empty()).then(|| (*object, *mode, *unknown, plan.to_string()))
    };
    let mut spoken: Vec<Spoken> = Vec::new();
    let mut gravest_first = findings;
    gravest_first.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in gravest_first {
        let asked = asks(&finding);
        let same = |other: &&mut Spoken| {
            other.told_with.is_none() && asked.is_some() && asks(&other.finding) == asked
        };
        let told_with = spoken.iter_mut().find(same).map(|speaker| {
            let breaks = if finding.unknown { "it may also break" } else { "it also breaks" };
            let also = format!("{breaks} `{}`: {}", finding.rule, finding.reasons.join("; "));
            speaker.finding.reasons.push(also);
            speaker.speaks_for.insert(finding.rule.clone());
            speaker.finding.rule.clone()
        });
        spoken.push(Spoken { finding, told_with, speaks_for: BTreeSet::new() });
    }
    spoken
}
