//! Accounts that are never acted on. What would have been done becomes a task for a person, who is told why and how.

use model::{Finding, Mode};

use crate::domain::shortened;
use crate::facts::{Facts, Standing};
use crate::policy::Policy;

/// Refuses the findings that would write. Returns whether the standing has to be read before anything may be done.
///
/// A finding that is held back anyway is refused, too, where the protection is plain: people are to read what would
/// really happen. It does not ask for the standing, which costs a request.
pub(super) fn refuse(policy: &Policy, findings: &mut [Finding], facts: &Facts) -> bool {
    let writes = |finding: &Finding| !finding.unknown && !finding.plan(facts.id).is_empty();
    if let Some(why) = protected(policy, facts) {
        for finding in findings.iter_mut().filter(|finding| writes(finding)) {
            finding.refused = Some(why.clone());
        }
        return false;
    }
    let Some(why) = unchecked(&facts.standing) else {
        return false;
    };
    let mut any = false;
    for finding in findings.iter_mut().filter(|finding| writes(finding) && finding.mode > Mode::Observe) {
        finding.refused = Some(why.clone());
        any = true;
    }
    any && facts.standing == Standing::Unread
}

fn unchecked(standing: &Standing) -> Option<String> {
    match standing {
        Standing::Known { directory_roles: _, role_assignable_groups: _ } => None,
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
    if let Standing::Known { directory_roles, role_assignable_groups } = &facts.standing {
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
