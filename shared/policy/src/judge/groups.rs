//! Rules about memberships: one finding for each group. What could not be read of one group says nothing about another.

use std::collections::BTreeSet;

use model::Finding;

use super::Found;
use super::admission::{Admission, Asked};
use super::finding::{About, Maker};
use crate::conditions::{Answer, JoinsCondition};
use crate::domain::shortened;
use crate::group::{Memberships, Relation};
use crate::memberships::Seen;
use crate::policy::{Guardrail, Head, Otherwise};

pub(super) fn guardrail(maker: &Maker<'_>, rule: &Guardrail, joins: &JoinsCondition, found: &mut Found) {
    let guest = rule.answer(maker.case);
    if guest == Answer::No {
        return;
    }
    found.looked_at_groups = true;
    if let Some(finding) = unreadable(maker, &rule.head, &guest) {
        found.add(Some(finding), rule.awaits_inviter(maker.case));
        return;
    }
    for of_one_group in maker.case.groups() {
        let (answer, relations) = joins.holds(of_one_group, &maker.case.facts.named_groups);
        if answer != Answer::No {
            let about = about(of_one_group, &relations);
            let finding = maker.make(&rule.head, guest.clone().and(answer), about);
            found.add(finding, rule.awaits_inviter(maker.case));
        }
    }
}

pub(super) fn uncovered(
    maker: &Maker<'_>,
    otherwise: &Otherwise,
    admission: &Admission<'_>,
    found: &mut Found,
) {
    if !maker.case.could_be().iter().any(|kind| otherwise.kinds.contains(kind)) {
        return;
    }
    found.looked_at_groups = true;
    if let Some(finding) = unreadable(maker, &otherwise.head, &Answer::Yes(Vec::new())) {
        found.add(Some(finding), false);
        return;
    }
    for of_one_group in maker.case.groups() {
        let Asked { answer, awaits_inviter } = admission.uncovered(maker.policy, maker.case, of_one_group);
        if answer != Answer::No {
            let relations = of_one_group.iter().map(Seen::relation).collect();
            let finding = maker.make(&otherwise.head, answer, about(of_one_group, &relations));
            found.add(finding, awaits_inviter);
        }
    }
}

/// Where no group could be read, the rule is unknown once, and not for each group.
fn unreadable(maker: &Maker<'_>, head: &Head, guest: &Answer) -> Option<Finding> {
    let Memberships::Unreadable { why } = &maker.case.facts.memberships else {
        return None;
    };
    let unread = format!("the groups of the account could not be read ({})", shortened(why));
    maker.about_the_guest(head, guest.clone().and(Answer::Unknown(vec![unread])))
}

fn about<'a>(of_one_group: &'a [Seen<'a>], relations: &BTreeSet<Relation>) -> Option<About<'a>> {
    let group = of_one_group.first()?.group();
    let is_new =
        |relation: Relation| of_one_group.iter().any(|seen| seen.relation() == relation && seen.is_new());
    let relations = relations.iter().map(|relation| (*relation, is_new(*relation))).collect();
    Some(About { group, of_this_group: of_one_group, relations })
}
