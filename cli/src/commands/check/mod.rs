//! `guestlist check`: what would this policy do today? The same judgement as in `serve`, and nothing is written.

mod counts;
mod inviters;
mod read;
mod tenant;

use host::Environment;
use jiff::Timestamp;
use model::{Finding, ObjectId, Plan, RuleId, Snapshot, Subject};
use policy::Verdict;
use serde::Serialize;

use self::counts::{ByRule, count};
use self::read::{Checker, Looked};
use super::words;
use crate::args::{Check, Output};
use crate::exit::Exit;
use crate::out;

/// What the policy says of one user.
#[derive(Serialize)]
struct Judged {
    subject: Option<Subject>,
    admitted_by: Option<String>,
    ends: Option<Ending>,
    findings: Vec<Finding>,
    /// What is so already.
    #[serde(skip)]
    snapshot: Snapshot,
    /// Rules that an exception or a suspension holds back.
    suspended: Vec<String>,
    by_rule: ByRule,
}

/// When an account that is admitted will not be any more.
#[derive(Serialize)]
struct Ending {
    rule: RuleId,
    at: Timestamp,
    why: String,
    /// People are told of it by now.
    soon: bool,
}

impl From<policy::Ends> for Ending {
    fn from(policy::Ends { rule, at, why, own: _, soon }: policy::Ends) -> Self {
        Self { rule, at, why, soon }
    }
}

pub(super) async fn run(environment: &Environment, check: &Check, output: Output) -> anyhow::Result<Exit> {
    let checker = Checker::new(environment, check.policy.as_deref()).await?;
    match check.guest {
        Some(guest) => one(&checker, guest, output).await,
        None => tenant::all(&checker, output).await,
    }
}

async fn one(checker: &Checker, guest: ObjectId, output: Output) -> anyhow::Result<Exit> {
    let user = match checker.reader.user(guest).await {
        Ok(user) => user,
        Err(graph::GraphError::NotFound { code: _, trace: _ }) => {
            out::message(&format!("there is no user `{guest}` in the tenant"));
            return Ok(Exit::Refused);
        }
        Err(error) => return Err(error.into()),
    };
    let Some(looked) = checker.look_at(vec![user]).await?.pop() else {
        anyhow::bail!("the user was not judged")
    };
    let mut by_rule = ByRule::new();
    count(&looked, &mut by_rule);
    let judged = judged(looked, by_rule);
    out::show(output, &judged, |judged| print_one(judged, guest))?;
    Ok(Exit::Well)
}

fn judged(looked: Looked, by_rule: ByRule) -> Judged {
    let Verdict { subject, admitted_by, ends, findings, suspended, .. } = looked.today;
    let held = |policy::Held { finding, until, by, reason: _ }: &policy::Held| {
        format!("{}{} until {} by {by}", finding.rule, in_group(finding), words::seconds(*until))
    };
    Judged {
        subject,
        admitted_by: admitted_by.map(|rule| rule.to_string()),
        ends: ends.map(Ending::from),
        findings,
        snapshot: looked.snapshot,
        suspended: suspended.iter().map(held).collect(),
        by_rule,
    }
}

/// Whether a plan would change anything.
fn is_open(plan: &Plan, snapshot: &Snapshot) -> bool {
    plan.steps.iter().any(|step| snapshot.shows(*step) != Some(true))
}

/// ` in `Finance EU` (77aa…)`
fn in_group(finding: &Finding) -> String {
    let place = finding.object.map(|id| format!(" in {}", words::group(id, &finding.names)));
    place.unwrap_or_default()
}

/// In words: what would be done about a finding, or why nothing would.
fn would(finding: &Finding, snapshot: &Snapshot) -> String {
    if finding.unknown {
        return "could not be checked: it would be told, and nothing done".to_owned();
    }
    if let Some(why) = &finding.refused {
        return format!("would be told, and nothing done: {why}");
    }
    let plan = words::plan(&finding.plan, &finding.names);
    if finding.plan.is_empty() {
        "would be told, as the rule says".to_owned()
    } else if !is_open(&finding.plan, snapshot) {
        format!("is so already, and nothing would be done: {plan}")
    } else if finding.acts() {
        format!("would {plan}")
    } else if finding.asks() {
        format!("would ask somebody, and if approved: {plan}")
    } else {
        format!("would be told only ({}), and if enforced: {plan}", finding.mode)
    }
}

fn print_one(judged: &Judged, guest: ObjectId) -> anyhow::Result<()> {
    let Some(subject) = &judged.subject else {
        return out::line(&format!("{guest} is an internal member: nothing to judge"));
    };
    out::line(&words::who(subject))?;
    if let Some(scenario) = &judged.admitted_by {
        out::line(&format!("admitted by `{scenario}`"))?;
    }
    if let Some(Ending { rule, at, why, soon: _ }) = &judged.ends {
        out::line(&format!("no scenario admits it from {} on: `{rule}`: {why}", words::seconds(*at)))?;
    }
    for held in &judged.suspended {
        out::line(&format!("suspended: {held}"))?;
    }
    for finding in &judged.findings {
        print_finding(finding, &judged.snapshot)?;
    }
    if judged.findings.is_empty() {
        out::painted(&[("nothing to object to", out::Colour::Green)])?;
    }
    Ok(())
}

fn print_finding(finding: &Finding, snapshot: &Snapshot) -> anyhow::Result<()> {
    let (rule, severity, place) = (&finding.rule, finding.severity, in_group(finding));
    out::line(&format!("breaks `{rule}` ({severity}){place}: {}", finding.reasons.join("; ")))?;
    out::line(&format!("  {}", would(finding, snapshot)))?;
    if finding.refused.is_none() {
        for by_hand in &finding.by_hand {
            out::line(&format!("  by hand: {by_hand}"))?;
        }
    }
    for held in &finding.held_back {
        out::line(&format!("  held back: {held}"))?;
    }
    Ok(())
}
