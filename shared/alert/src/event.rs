//! The body of the signed webhook: `{type, timestamp, data}`, with a schema of its own version, for programs to rely
//! on. Fields are added without a new version; none is renamed, removed or given another meaning.
//! Never here: headers and signatures.

use jiff::Timestamp;
use model::{GuestKind, Mode, NoticeKind, Severity, Step};
use serde::Serialize;

use crate::message::{
    About, ApprovalReport, Group, IncidentReport, Message, NoticeReport, Progress, RollUpReport, StepReport,
    Who,
};
use crate::plain::clean;

/// Version of `data`.
const SCHEMA: u32 = 1;
/// Bytes. Receivers may rely on less than the 20 kB that Standard Webhooks names as usual.
const MOST_BYTES: usize = 20_000;

#[derive(Serialize)]
struct Event {
    /// `guest.done` and its like: see [`crate::Kind::word`].
    r#type: &'static str,
    /// When it came to be so; the moment of the attempt is in the headers.
    timestamp: Timestamp,
    data: Data,
}

#[derive(Serialize)]
struct Data {
    schema: u32,
    /// The same as `webhook-id`.
    id: String,
    severity: Severity,
    headline: String,
    /// Whether texts or lists were shortened to fit; what was cut ends in `… [cut]`.
    truncated: bool,
    #[serde(flatten)]
    about: Body,
}

/// Exactly one of the three.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Body {
    Incident(Box<IncidentData>),
    Notice(NoticeData),
    RollUp(RollUpData),
}

#[derive(Serialize)]
struct IncidentData {
    id: String,
    tenant: String,
    correlation: String,
    state: &'static str,
    opened_at: Timestamp,
    seen: u32,
    guest: Guest,
    rule: Rule,
    mode: Mode,
    held_back: Vec<String>,
    /// Words of the policy file.
    actions: Vec<String>,
    /// Whether `what_was_done` tells what would be done instead.
    hypothetical: bool,
    what_was_done: String,
    what_a_person_must_do: Option<String>,
    /// What only a person can do of what the rule asks for.
    by_hand: Vec<String>,
    plan: PlanData,
    approval: Option<ApprovalData>,
    /// Until when it waits for somebody to decide.
    waits_until: Option<Timestamp>,
    left_over: Vec<String>,
    graph_request_ids: Vec<String>,
    commands: Commands,
    /// Where people can look at it, where there are such pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<String>,
}

/// The writes that the rule asks for.
#[derive(Serialize)]
struct PlanData {
    /// Names the plan: an approval is for it and for no other.
    hash: String,
    steps: Vec<StepData>,
}

#[derive(Serialize)]
struct StepData {
    step: &'static str,
    group: Option<GroupData>,
    progress: Progress,
    text: String,
}

#[derive(Serialize)]
struct GroupData {
    id: String,
    name: Option<String>,
}

#[derive(Serialize)]
struct ApprovalData {
    by: String,
    reason: String,
    at: Timestamp,
}

#[derive(Serialize)]
struct Guest {
    id: String,
    kind: GuestKind,
    name: Option<String>,
    addresses: Vec<String>,
    organisation: Option<String>,
    sponsors: Vec<SponsorData>,
    created_at: Option<Timestamp>,
    account_enabled: Option<bool>,
}

#[derive(Serialize)]
struct SponsorData {
    id: String,
    name: Option<String>,
}

#[derive(Serialize)]
struct Rule {
    id: String,
    /// The group, where the finding is about a membership.
    object: Option<String>,
    group: Option<GroupData>,
    /// What the guest is in that group, as far as the plan tells: `member`, `owner`.
    relations: Vec<&'static str>,
    why: Option<String>,
    reasons: Vec<String>,
    /// The rule could not be checked, so that it may or may not be broken.
    unknown: bool,
}

#[derive(Serialize)]
struct Commands {
    approve: Option<String>,
    reject: Option<String>,
    undo: Option<String>,
    show: String,
}

#[derive(Serialize)]
struct NoticeData {
    key: String,
    kind: NoticeKind,
    text: String,
    count: u64,
    first_at: Timestamp,
    last_at: Timestamp,
    what_to_do: Option<&'static str>,
    command: Option<&'static str>,
}

#[derive(Serialize)]
struct RollUpData {
    due: Timestamp,
    count: usize,
    alerts: Vec<RolledUpData>,
}

#[derive(Serialize)]
struct RolledUpData {
    /// An incident's id or a notice's key.
    about: String,
    headline: String,
    severity: Severity,
}

/// How much of a text and of a list is kept, and whether that left anything out.
struct Shortened {
    characters: usize,
    items: usize,
    truncated: bool,
}

impl Shortened {
    fn text(&mut self, text: &str) -> String {
        let shown = clean(text, self.characters);
        self.truncated |= shown != text;
        shown
    }

    fn maybe(&mut self, text: Option<&String>) -> Option<String> {
        text.map(|text| self.text(text))
    }

    fn list<T, U>(&mut self, list: &[T], mut each: impl FnMut(&mut Self, &T) -> U) -> Vec<U> {
        self.truncated |= list.len() > self.items;
        list.iter().take(self.items).map(|item| each(self, item)).collect()
    }

    fn texts(&mut self, texts: &[String]) -> Vec<String> {
        self.list(texts, |this, text| this.text(text))
    }
}

/// The body as it is signed and sent, shortened until it fits.
pub(crate) fn body(message: &Message) -> Result<String, serde_json::Error> {
    let mut shortest = String::new();
    for (characters, items) in [(4_000, 200), (1_000, 100), (400, 20), (150, 10), (60, 5)] {
        shortest = serde_json::to_string(&event(message, characters, items))?;
        if shortest.len() <= MOST_BYTES {
            break;
        }
    }
    Ok(shortest)
}

/// What is said about it, without the envelope.
pub(crate) fn data(message: &Message) -> Result<serde_json::Value, serde_json::Error> {
    let event: serde_json::Value = serde_json::from_str(&body(message)?)?;
    Ok(event.get("data").cloned().unwrap_or_default())
}

fn event(message: &Message, characters: usize, items: usize) -> Event {
    let mut short = Shortened { characters, items, truncated: false };
    let about = match &message.about {
        About::Incident(report) => Body::Incident(Box::new(incident(report, &mut short))),
        About::Notice(report) => Body::Notice(notice(report, &mut short)),
        About::RollUp(report) => Body::RollUp(roll_up(report, &mut short)),
    };
    let headline = short.text(&message.headline);
    Event {
        r#type: message.kind.word(),
        timestamp: message.at,
        data: Data {
            schema: SCHEMA,
            id: message.id.clone(),
            severity: message.severity,
            headline,
            truncated: short.truncated,
            about,
        },
    }
}

fn incident(report: &IncidentReport, short: &mut Shortened) -> IncidentData {
    IncidentData {
        id: report.incident.to_string(),
        tenant: report.tenant.to_string(),
        correlation: report.correlation.to_string(),
        state: report.state,
        opened_at: report.opened_at,
        seen: report.seen,
        guest: guest(&report.who, short),
        rule: rule(report, short),
        mode: report.mode,
        held_back: short.texts(&report.held_back),
        actions: report.actions.clone(),
        hypothetical: report.hypothetical,
        what_was_done: short.text(&report.done),
        what_a_person_must_do: short.maybe(report.must.as_ref()),
        by_hand: short.texts(&report.by_hand),
        plan: plan(report, short),
        approval: report.approval.as_ref().map(|given| approval(given, short)),
        waits_until: report.decide.as_ref().map(|decide| decide.until),
        left_over: short.texts(&report.left_over),
        graph_request_ids: short.texts(&report.requests),
        commands: Commands {
            approve: report.decide.as_ref().map(|decide| decide.approve.clone()),
            reject: report.decide.as_ref().map(|decide| decide.reject.clone()),
            undo: report.undo.clone(),
            show: report.show.clone(),
        },
        page: report.page.clone(),
    }
}

fn rule(report: &IncidentReport, short: &mut Shortened) -> Rule {
    Rule {
        id: report.rule.to_string(),
        object: report.group.as_ref().map(|group| group.id.to_string()),
        group: report.group.as_ref().map(|named| group(named, short)),
        relations: report.relations.clone(),
        why: short.maybe(report.why.as_ref()),
        reasons: short.texts(&report.reasons),
        unknown: report.unknown,
    }
}

fn plan(report: &IncidentReport, short: &mut Shortened) -> PlanData {
    PlanData {
        hash: report.plan.to_string(),
        steps: short.list(&report.steps, |short, one| step(one, short)),
    }
}

fn approval(given: &ApprovalReport, short: &mut Shortened) -> ApprovalData {
    let ApprovalReport { by, reason, at } = given;
    ApprovalData { by: short.text(by), reason: short.text(reason), at: *at }
}

fn group(named: &Group, short: &mut Shortened) -> GroupData {
    GroupData { id: named.id.to_string(), name: short.maybe(named.name.as_ref()) }
}

fn step(report: &StepReport, short: &mut Shortened) -> StepData {
    let StepReport { step, group: named, progress, text } = report;
    StepData {
        step: word(*step),
        group: named.as_ref().map(|named| group(named, short)),
        progress: *progress,
        text: short.text(text),
    }
}

fn word(step: Step) -> &'static str {
    match step {
        Step::Disable { user: _ } => "disable",
        Step::Enable { user: _ } => "enable",
        Step::RemoveMember { .. } => "remove-member",
        Step::AddMember { .. } => "add-member",
        Step::RemoveOwner { .. } => "remove-owner",
        Step::AddOwner { .. } => "add-owner",
        Step::Delete { user: _ } => "delete",
        Step::Restore { user: _ } => "restore",
    }
}

fn guest(who: &Who, short: &mut Shortened) -> Guest {
    let Who { id, kind, name, addresses, organisation, sponsors, created_at, enabled } = who;
    Guest {
        id: id.to_string(),
        kind: *kind,
        name: short.maybe(name.as_ref()),
        addresses: short.texts(addresses),
        organisation: short.maybe(organisation.as_ref()),
        sponsors: short.list(sponsors, |short, sponsor| SponsorData {
            id: sponsor.id.to_string(),
            name: short.maybe(sponsor.name.as_ref()),
        }),
        created_at: *created_at,
        account_enabled: *enabled,
    }
}

fn notice(report: &NoticeReport, short: &mut Shortened) -> NoticeData {
    let NoticeReport { key, notice, text, count, first_at, last_at, must, command } = report;
    NoticeData {
        key: key.clone(),
        kind: *notice,
        text: short.text(text),
        count: *count,
        first_at: *first_at,
        last_at: *last_at,
        what_to_do: *must,
        command: *command,
    }
}

fn roll_up(report: &RollUpReport, short: &mut Shortened) -> RollUpData {
    let RollUpReport { due, lines, follow: _ } = report;
    RollUpData {
        due: *due,
        count: lines.len(),
        alerts: short.list(lines, |short, line| RolledUpData {
            about: line.about.clone(),
            headline: short.text(&line.headline),
            severity: line.severity,
        }),
    }
}
