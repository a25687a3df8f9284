//! Exceptions of the policy and suspensions of the ledger (an undo writes one) hold a finding back, both in the same
//! way.

use jiff::Timestamp;
use model::{Finding, Identity, Suspension};

use crate::conditions::Case;
use crate::kind::Kind;
use crate::policy::{Exception, Policy};
use crate::verdict::Held;

/// Findings that stand, and those that are held.
pub(super) fn split(
    policy: &Policy,
    findings: Vec<Finding>,
    case: &Case<'_>,
    now: Timestamp,
) -> (Vec<Finding>, Vec<Held>) {
    let mut standing = Vec::new();
    let mut suspended = Vec::new();
    let identity = identity(case);
    for finding in findings {
        match longest(policy, &finding, (case, identity.as_ref()), now) {
            Some(Hold { until, by, reason }) => suspended.push(Held { finding, until, by, reason }),
            None => standing.push(finding),
        }
    }
    (standing, suspended)
}

struct Hold {
    until: Timestamp,
    by: String,
    reason: String,
}

/// Where several hold a finding, the one that ends last. One that names no group holds the rule's findings about every
/// group.
fn longest(
    policy: &Policy,
    finding: &Finding,
    (case, identity): (&Case<'_>, Option<&Identity>),
    now: Timestamp,
) -> Option<Hold> {
    let facts = case.facts;
    let Finding { rule, object, .. } = finding;
    let exceptions = policy.exceptions.get(&facts.id).into_iter().flatten();
    let exceptions = exceptions
        .filter(|exception| exception.rules.contains(rule))
        .filter(|exception| exception.group.is_none() || exception.group == *object)
        .map(hold);
    let suspensions = facts.suspensions.iter();
    let holds = |held: &&Suspension| held.covers(facts.id, rule, *object) && held.is_for(identity);
    let suspensions = suspensions.filter(holds).map(|held| Hold {
        until: held.until,
        by: held.by.clone(),
        reason: held.reason.clone(),
    });
    exceptions.chain(suspensions).filter(|hold| hold.until > now).max_by_key(|hold| hold.until)
}

/// Who the account is. `None` where a part of that could not be read: a suspension holds then.
fn identity(case: &Case<'_>) -> Option<Identity> {
    let Kind::Outsider(kind) = &case.kind else { return None };
    let read = case.facts.identities.is_some() && case.facts.verified_domains.is_some();
    read.then(|| Identity { kind: *kind, addresses: case.addresses.identity_texts() })
}

fn hold(exception: &Exception) -> Hold {
    let Exception { group: _, rules: _, until, ticket, approved_by } = exception;
    Hold {
        until: until.end(),
        by: approved_by.clone().unwrap_or_else(|| "the policy".to_owned()),
        reason: match ticket {
            Some(ticket) => format!("exception until {until} ({ticket})"),
            None => format!("exception until {until}"),
        },
    }
}
