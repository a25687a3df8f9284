//! Accounts that are never acted on. What would have been done becomes a task for a person, who is told why and how.

use std::collections::BTreeSet;

use model::{Action, Finding, Mode, ObjectId};

use crate::domain::shortened;
use crate::facts::{Facts, Standing};
use crate::group::{Membership, Memberships, Relation};
use crate::policy::Policy;

/// Refuses the findings that would write. Returns whether the standing has to be read before anything may be done.
///
/// A finding that is held back anyway is refused, too, where the protection is plain: people are to read what would
/// really happen. It does not ask for the standing, which costs a request.
pub(super) fn refuse(policy: &Policy, findings: &mut [Finding], facts: &Facts) -> bool {
    let writes = |finding: &Finding| !finding.unknown && !finding.plan.is_empty();
    if let Some(why) = protected(policy, facts) {
        let asks = |finding: &Finding| writes(finding) || (!finding.unknown && !finding.by_hand.is_empty());
        for finding in findings.iter_mut().filter(|finding| asks(finding)) {
            finding.refused = Some(why.clone());
        }
        return false;
    }
    let standing = unchecked_standing(&facts.standing);
    let mut any = false;
    for finding in findings.iter_mut().filter(|finding| writes(finding) && finding.mode > Mode::Observe) {
        let names = policy.protected_groups.unknown_names(&facts.named_groups);
        let names = names.into_iter().map(|why| format!("`protect.groups`: {why}"));
        let why: Vec<String> =
            standing.clone().into_iter().chain(names).chain(half(finding, facts)).collect();
        if !why.is_empty() {
            finding.refused = Some(why.join("; "));
        }
        any = true;
    }
    any && facts.standing == Standing::Unread
}

/// Half of what a rule asks for is not done: what was not read has to be read first.
fn half(finding: &Finding, facts: &Facts) -> Option<String> {
    let unread = facts.memberships == Memberships::Unread && finding.actions.contains(&Action::LeaveGroups);
    unread.then(|| "the groups of the account have not been read".to_owned())
}

fn unchecked_standing(standing: &Standing) -> Option<String> {
    match standing {
        Standing::Known { directory_roles: _, role_assignable_groups: _, groups: _ } => None,
        Standing::Unread => Some("directory roles have not been read".to_owned()),
        Standing::Unreadable { why } => Some(format!(
            "directory roles could not be read ({}): a person must look whether the account holds one, and disable it",
            shortened(why)
        )),
    }
}

/// What protects the account, and what a person must do instead
/// (<https://learn.microsoft.com/entra/identity/role-based-access-control/privileged-roles-permissions#who-can-perform-sensitive-actions>,
/// <https://learn.microsoft.com/entra/identity/role-based-access-control/admin-units-restricted-management>).
pub(super) fn protected(policy: &Policy, facts: &Facts) -> Option<String> {
    let mut why = Vec::new();
    if policy.protected.contains(&facts.id) {
        why.push("the policy protects this account (`protect.users`): a person must decide".to_owned());
    }
    why.extend(protected_group(policy, facts));
    if let Standing::Known { directory_roles, role_assignable_groups, groups: _ } = &facts.standing {
        if !directory_roles.is_empty() {
            let roles: Vec<String> =
                directory_roles.iter().map(|role| format!("`{}`", shortened(role))).collect();
            why.push(format!(
                "the account holds the directory role {}: a Privileged Authentication Administrator must take it away \
                 or disable the account",
                roles.join(", ")
            ));
        }
        if !role_assignable_groups.is_empty() {
            let groups: Vec<String> = role_assignable_groups.iter().map(|id| format!("`{id}`")).collect();
            why.push(format!(
                "the account is a member or an owner of the role-assignable group {}: a Privileged Authentication \
                 Administrator must take it out or disable the account",
                groups.join(", ")
            ));
        }
    }
    if facts.management_restricted {
        why.push(
            "the account is in a restricted management administrative unit: somebody with a role in that unit must \
             disable it"
                .to_owned(),
        );
    }
    if facts.on_premises_synced {
        why.push(
            "the account is synchronised from an on-premises directory: it must be disabled there".to_owned(),
        );
    }
    (!why.is_empty()).then(|| why.join("; "))
}

/// Direct memberships protect, too, so that nothing is read where they say enough.
fn protected_group(policy: &Policy, facts: &Facts) -> Option<String> {
    if policy.protected_groups.is_empty() {
        return None;
    }
    let direct: &[Membership] = match &facts.memberships {
        Memberships::Known(memberships) => memberships,
        Memberships::Unread | Memberships::Unreadable { why: _ } => &[],
    };
    let direct = || direct.iter().filter(|membership| membership.relation == Relation::Member);
    let mut groups: BTreeSet<ObjectId> = direct().map(|membership| membership.group.id).collect();
    if let Standing::Known { directory_roles: _, role_assignable_groups: _, groups: all } = &facts.standing {
        groups.extend(all);
    }
    let protecting = policy.protected_groups.any_of(&groups, &facts.named_groups);
    let told: Vec<String> = protecting
        .iter()
        .map(|id| {
            let name = policy.protected_groups.ids.get(id).and_then(Option::as_deref);
            let read = direct().filter(|membership| membership.group.id == *id);
            let name = name.or_else(|| read.filter_map(|membership| membership.group.name.as_deref()).min());
            name.map_or_else(|| format!("`{id}`"), |name| format!("`{}` ({id})", shortened(name)))
        })
        .collect();
    (!told.is_empty()).then(|| {
        format!(
            "the account is a member of the group {}, which the policy protects (`protect.groups`): a person must \
             decide, and do it by hand",
            told.join(", ")
        )
    })
}
