//! `guestlist check --all`: every guest of the tenant, page by page, and what each rule comes to.

use model::{Finding, ObjectId, Snapshot, Subject};
use policy::Verdict;
use serde::Serialize;

use super::counts::{ByRule, RuleCounts, Touched, count};
use super::read::{Checker, Looked};
use super::{Ending, words, would};
use crate::args::Output;
use crate::exit::Exit;
use crate::out;

#[derive(Serialize, Default)]
struct Counts {
    users: u64,
    guests: u64,
    /// Guests without a finding.
    admitted: u64,
    /// Whose admission ends so soon that people are told.
    ending: u64,
    by_rule: ByRule,
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

/// A guest whose admission ends soon.
#[derive(Serialize)]
struct Leaving {
    guest: ObjectId,
    address: Option<String>,
    #[serde(flatten)]
    end: Ending,
}

#[derive(Serialize)]
struct Tenant {
    counts: Counts,
    ending: Vec<Leaving>,
    found: Vec<Found>,
}

pub(super) async fn all(checker: &Checker, output: Output) -> anyhow::Result<Exit> {
    // A rule that finds nothing is told, too.
    let rules = checker.policy.rules().into_iter().map(|rule| (rule.id, RuleCounts::default()));
    let mut counts = Counts { by_rule: rules.collect(), ..Counts::default() };
    let (mut found, mut ending, mut next) = (Vec::new(), Vec::new(), None);
    loop {
        let page = checker.reader.users_page(next).await?;
        for looked in checker.look_at(page.items).await? {
            counts.add(&looked);
            let (Verdict { subject, ends, findings, .. }, snapshot) = (looked.today, looked.snapshot);
            let Some(subject) = subject else { continue };
            let address = subject.addresses.first().cloned();
            let soon = ends.filter(|ends| ends.soon).map(Ending::from);
            if let Some(end) = soon {
                counts.ending = counts.ending.saturating_add(1);
                ending.push(Leaving { guest: subject.id, address, end });
            }
            found.extend(findings.into_iter().map(|finding| Found::new(&subject, finding, &snapshot)));
        }
        next = page.next;
        if next.is_none() {
            break;
        }
        out::message(&format!("{} users read so far", counts.users));
    }
    out::show(output, &Tenant { counts, ending, found }, print)?;
    Ok(Exit::Well)
}

impl Counts {
    fn add(&mut self, looked: &Looked) {
        self.users = self.users.saturating_add(1);
        if looked.today.subject.is_some() {
            self.guests = self.guests.saturating_add(1);
            self.admitted = self.admitted.saturating_add(u64::from(looked.today.findings.is_empty()));
            count(looked, &mut self.by_rule);
        }
    }
}

impl Found {
    fn new(subject: &Subject, finding: Finding, snapshot: &Snapshot) -> Self {
        let address = subject.addresses.first().cloned();
        Self { guest: subject.id, address, would: would(&finding, snapshot), finding }
    }
}

fn print(tenant: &Tenant) -> anyhow::Result<()> {
    let Tenant { counts, ending, found } = tenant;
    if !found.is_empty() {
        print_found(found)?;
        out::line("")?;
    }
    if !ending.is_empty() {
        print_ending(ending)?;
        out::line("")?;
    }
    print_counts(&counts.by_rule)?;
    out::line("")?;
    print_touched(&counts.by_rule)?;
    out::line("")?;
    let Counts { users, guests, admitted, ending: _, by_rule: _ } = counts;
    out::line(&format!("{users} users, {guests} of them guests; {admitted} without an objection"))
}

fn print_ending(ending: &[Leaving]) -> anyhow::Result<()> {
    out::line("Admitted, and not for long:")?;
    let row = |Leaving { guest, address, end: Ending { rule, at, why, soon: _ } }: &Leaving| {
        let address = address.clone().unwrap_or_else(|| "-".to_owned());
        vec![guest.to_string(), address, rule.to_string(), words::seconds(*at), why.clone()]
    };
    let rows: Vec<Vec<String>> = ending.iter().map(row).collect();
    out::table(&["GUEST", "ADDRESS", "SCENARIO", "ENDS AT", "WHY"], &rows)
}

fn print_found(found: &[Found]) -> anyhow::Result<()> {
    let with_groups = found.iter().any(|one| one.finding.object.is_some());
    let row = |Found { guest, address, would, finding }: &Found| {
        let address = address.clone().unwrap_or_else(|| "-".to_owned());
        let (rule, severity) = (finding.rule.to_string(), finding.severity.to_string());
        let mut cells = vec![guest.to_string(), address, rule, severity, would.clone()];
        if with_groups {
            cells.insert(3, words::place(finding).unwrap_or_else(|| "-".to_owned()));
        }
        cells
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let mut headings = vec!["GUEST", "ADDRESS", "RULE", "SEVERITY", "WHAT"];
    if with_groups {
        headings.insert(3, "GROUP");
    }
    out::table(&headings, &rows)
}

fn print_counts(by_rule: &ByRule) -> anyhow::Result<()> {
    let row = |(rule, counts): (&model::RuleId, &RuleCounts)| {
        let RuleCounts { found, would_act, would_ask, protected, unknown, by_hand, .. } = counts;
        let numbers = [found, would_act, would_ask, protected, unknown, by_hand];
        std::iter::once(rule.to_string()).chain(numbers.into_iter().map(u64::to_string)).collect()
    };
    let rows: Vec<Vec<String>> = by_rule.iter().map(row).collect();
    let headings = ["RULE", "FOUND", "WOULD ACT", "WOULD ASK", "PROTECTED", "UNKNOWN", "BY HAND"];
    out::table(&headings, &rows)
}

/// The second figures are shown only where they say something else.
fn print_touched(by_rule: &ByRule) -> anyhow::Result<()> {
    let differ = by_rule.values().any(|counts| counts.if_enforced != counts.if_enforced_for_existing);
    out::line("What one rule alone would touch, switched to `enforce` (file and GUESTLIST_AT_MOST, too):")?;
    let cells = |touched: &Touched| {
        let Touched { guests, accounts, memberships, ownerships } = touched;
        [guests, accounts, memberships, ownerships].map(u64::to_string)
    };
    let row = |(rule, counts): (&model::RuleId, &RuleCounts)| {
        let mut row = vec![rule.to_string()];
        row.extend(cells(&counts.if_enforced));
        if differ {
            row.push("|".to_owned());
            row.extend(cells(&counts.if_enforced_for_existing));
        }
        row
    };
    let rows: Vec<Vec<String>> = by_rule.iter().map(row).collect();
    let figures = ["GUESTS", "DISABLED", "MEMBERSHIPS", "OWNERSHIPS"];
    let mut headings = vec!["RULE"];
    headings.extend(figures);
    if differ {
        headings.push("|");
        headings.extend(figures);
    }
    out::table(&headings, &rows)?;
    if differ {
        out::line("Right of the bar: without `existing`, for those too who were there before.")?;
    }
    Ok(())
}
