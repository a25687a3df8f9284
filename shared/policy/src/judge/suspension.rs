//! Exceptions of the policy and suspensions of the ledger (an undo writes one) hold a finding back, both in the same
//! way.

use jiff::Timestamp;
use model::Finding;

use crate::facts::Facts;
use crate::policy::{Exception, Policy};
use crate::verdict::Held;

/// Findings that stand, and those that are held.
pub(super) fn split(
    policy: &Policy,
    findings: Vec<Finding>,
    facts: &Facts,
    now: Timestamp,
) -> (Vec<Finding>, Vec<Held>) {
    let mut standing = Vec::new();
    let mut suspended = Vec::new();
    for finding in findings {
        match longest(policy, &finding, facts, now) {
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
fn longest(policy: &Policy, finding: &Finding, facts: &Facts, now: Timestamp) -> Option<Hold> {
    let Finding { rule, object, .. } = finding;
    let exceptions = policy.exceptions.get(&facts.id).into_iter().flatten();
    let exceptions = exceptions
        .filter(|exception| exception.rules.contains(rule))
        .filter(|exception| exception.group.is_none() || exception.group == *object)
        .map(hold);
    let suspensions = facts.suspensions.iter();
    let suspensions = suspensions.filter(|held| held.covers(facts.id, rule, *object)).map(|held| Hold {
        until: held.until,
        by: held.by.clone(),
        reason: held.reason.clone(),
    });
    exceptions.chain(suspensions).filter(|hold| hold.until > now).max_by_key(|hold| hold.until)
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
