//! `guestlist check`: what would this policy do today? The same judgement as in `serve`, and nothing is written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use graph::{Client, Reader, User};
use host::{Environment, Needs, Settings, Store, clock};
use jiff::Timestamp;
use model::{Finding, Mode, ObjectId, Subject, Suspension};
use policy::{Policy, Standing, Verdict};
use serde::Serialize;
use wire::Wire;

use super::policy_path;
use crate::args::{Check, Output};
use crate::exit::Exit;
use crate::out;

/// What the policy says of one user.
#[derive(Serialize)]
struct Judged {
    subject: Option<Subject>,
    admitted_by: Option<String>,
    findings: Vec<Finding>,
    /// Rules that an exception or a suspension holds back.
    suspended: Vec<String>,
}

#[derive(Serialize, Default)]
struct Counts {
    users: u64,
    guests: u64,
    admitted: u64,
    by_rule: BTreeMap<String, RuleCounts>,
}

#[derive(Serialize, Default)]
struct RuleCounts {
    found: u64,
    /// With the modes as they are.
    would_act: u64,
    /// If every mode were `enforce`.
    would_act_if_enforced: u64,
    protected: u64,
    unknown: u64,
}

/// One finding about one guest.
#[derive(Serialize)]
struct Found {
    guest: ObjectId,
    address: Option<String>,
    /// In words: what would be done, or why nothing would.
    would: String,
    finding: Finding,
}

#[derive(Serialize)]
struct Tenant {
    counts: Counts,
    found: Vec<Found>,
}

struct Checker {
    reader: Reader,
    policy: Arc<Policy>,
    ceiling: Mode,
    domains: Vec<String>,
    store: Option<Store>,
    now: Timestamp,
}

pub(crate) async fn run(environment: &Environment, check: &Check, output: Output) -> anyhow::Result<Exit> {
    // A policy of the command line's own stands in for the setting.
    let needs = Needs { read: true, policy: check.policy.is_none(), ..Needs::default() };
    let settings = Settings::read(environment, needs)?;
    let path = policy_path(environment, check.policy.as_deref())?;
    let policy = Arc::new(host::load_policy(&path)?);
    let Some(reader) = &settings.reader else { anyhow::bail!("the app that reads is not set") };
    let client = Client::new(
        Wire::network()?,
        settings.endpoints.clone(),
        reader.app.clone(),
        clock(),
        Duration::from_secs(120),
    );
    let reader = Reader::new(client);
    let domains = reader.organization().await?.verified_domains;
    let there = Store::path(&settings.data).exists();
    let store = if there { Some(Store::open(&settings.data, settings.tenant)?) } else { None };
    let (ceiling, now) = (settings.ceiling, Timestamp::now());
    let checker = Checker { reader, policy, ceiling, domains, store, now };
    match check.guest {
        Some(guest) => checker.one(guest, output).await,
        None => checker.all(output).await,
    }
}

impl Checker {
    async fn judge(&self, user: User, ceiling: Mode) -> anyhow::Result<Verdict> {
        let id = user.id;
        let suspensions: Vec<Suspension> = match &self.store {
            Some(store) => store.ledger.suspensions(id).await?,
            None => Vec::new(),
        };
        let mut facts = responder::facts_of(user, &self.domains, suspensions);
        // What would be refused shows only where an act is thinkable.
        if policy::judge(&self.policy, &facts, Mode::Enforce, self.now).wants_standing {
            facts.standing = match self.reader.standing(id).await {
                Ok(standing) => responder::standing_of(standing),
                Err(error) => Standing::Unreadable { why: error.to_string() },
            };
        }
        Ok(policy::judge(&self.policy, &facts, ceiling, self.now))
    }

    async fn one(&self, guest: ObjectId, output: Output) -> anyhow::Result<Exit> {
        let user = match self.reader.user(guest).await {
            Ok(user) => user,
            Err(graph::GraphError::NotFound { code: _, trace: _ }) => {
                out::message(&format!("there is no user `{guest}` in the tenant"));
                return Ok(Exit::Refused);
            }
            Err(error) => return Err(error.into()),
        };
        let judged = judged(self.judge(user, self.ceiling).await?);
        out::show(output, &judged, |judged| print_one(judged, guest))?;
        Ok(Exit::Well)
    }

    async fn all(&self, output: Output) -> anyhow::Result<Exit> {
        let (mut counts, mut next) = (Counts::default(), None);
        let mut found = Vec::new();
        loop {
            let page = self.reader.users_page(next).await?;
            for user in page.items {
                counts.users = counts.users.saturating_add(1);
                let verdict = self.judge(user, self.ceiling).await?;
                let Some(subject) = verdict.subject.clone() else { continue };
                counts.add(&verdict, &subject);
                found.extend(verdict.findings.into_iter().map(|finding| Found::new(&subject, finding)));
            }
            next = page.next;
            if next.is_none() {
                break;
            }
            out::message(&format!("{} users read so far", counts.users));
        }
        out::show(output, &Tenant { counts, found }, print_all)?;
        Ok(Exit::Well)
    }
}

impl Counts {
    fn add(&mut self, verdict: &Verdict, subject: &Subject) {
        let one_more = |count: &mut u64, yes: bool| *count = count.saturating_add(u64::from(yes));
        one_more(&mut self.guests, true);
        one_more(&mut self.admitted, verdict.findings.is_empty());
        for finding in &verdict.findings {
            let rule = self.by_rule.entry(finding.rule.to_string()).or_default();
            let enforced = Finding { mode: Mode::Enforce, ..finding.clone() };
            one_more(&mut rule.found, true);
            one_more(&mut rule.would_act, finding.acts(subject.id));
            one_more(&mut rule.would_act_if_enforced, enforced.acts(subject.id));
            one_more(&mut rule.protected, finding.refused.is_some());
            one_more(&mut rule.unknown, finding.unknown);
        }
    }
}

fn judged(verdict: Verdict) -> Judged {
    Judged {
        subject: verdict.subject,
        admitted_by: verdict.admitted_by.map(|rule| rule.to_string()),
        findings: verdict.findings,
        suspended: verdict
            .suspended
            .iter()
            .map(|held| format!("{} until {} by {}", held.finding.rule, held.until, held.by))
            .collect(),
    }
}

impl Found {
    fn new(subject: &Subject, finding: Finding) -> Self {
        let address = subject.addresses.first().cloned();
        Self { guest: subject.id, address, would: would(subject.id, &finding), finding }
    }
}

fn would(guest: ObjectId, finding: &Finding) -> String {
    if finding.unknown {
        return "could not be checked: it would be told, and nothing done".to_owned();
    }
    if let Some(why) = &finding.refused {
        return format!("would be told, and nothing done: {why}");
    }
    let plan = finding.plan(guest);
    if plan.is_empty() {
        "would be told, as the rule says".to_owned()
    } else if finding.acts(guest) {
        format!("would {plan}")
    } else {
        format!("would be told only ({}), and if enforced: {plan}", finding.mode)
    }
}

fn print_one(judged: &Judged, guest: ObjectId) -> anyhow::Result<()> {
    let Some(subject) = &judged.subject else {
        return out::line(&format!("{guest} is an internal member: nothing to judge"));
    };
    let name = subject.name.as_deref().unwrap_or("(no name)");
    out::line(&format!("{name} ({}), {}", subject.kind, subject.addresses.join(", ")))?;
    if let Some(scenario) = &judged.admitted_by {
        out::line(&format!("admitted by `{scenario}`"))?;
    }
    for held in &judged.suspended {
        out::line(&format!("suspended: {held}"))?;
    }
    for finding in &judged.findings {
        out::line(&format!(
            "breaks `{}` ({}): {}",
            finding.rule,
            finding.severity,
            finding.reasons.join("; ")
        ))?;
        out::line(&format!("  {}", would(subject.id, finding)))?;
        for held in &finding.held_back {
            out::line(&format!("  held back: {held}"))?;
        }
    }
    if judged.findings.is_empty() {
        out::painted(&[("nothing to object to", out::Colour::Green)])?;
    }
    Ok(())
}

fn print_all(tenant: &Tenant) -> anyhow::Result<()> {
    let Tenant { counts: Counts { users, guests, admitted, by_rule }, found } = tenant;
    let row = |Found { guest, address, would, finding }: &Found| {
        let address = address.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            guest.to_string(),
            address,
            finding.rule.to_string(),
            finding.severity.to_string(),
            would.clone(),
        ]
    };
    if !found.is_empty() {
        let rows: Vec<Vec<String>> = found.iter().map(row).collect();
        out::table(&["GUEST", "ADDRESS", "RULE", "SEVERITY", "WHAT"], &rows)?;
        out::line("")?;
    }
    let rules: Vec<Vec<String>> = by_rule
        .iter()
        .map(|(rule, counts)| {
            let RuleCounts { found, would_act, would_act_if_enforced, protected, unknown } = counts;
            let numbers = [found, would_act, would_act_if_enforced, protected, unknown];
            std::iter::once(rule.clone()).chain(numbers.into_iter().map(u64::to_string)).collect()
        })
        .collect();
    if !rules.is_empty() {
        out::table(&["RULE", "FOUND", "WOULD ACT", "IF ENFORCED", "PROTECTED", "UNKNOWN"], &rules)?;
    }
    out::line(&format!("{users} users, {guests} of them guests; {admitted} without an objection"))
}
