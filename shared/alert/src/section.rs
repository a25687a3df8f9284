//! A message in sections, lines and pieces: the one order that every chat shows it in. A channel turns the pieces into
//! its markup.
//! Never here: that markup.

use model::{IncidentId, Mode, RolledUp};

use crate::message::{
    About, ApprovalReport, Decide, Group, IncidentReport, Kind, Message, NoticeReport, RollUpReport, Who,
    moment,
};

/// Who wrote a piece decides how it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// We did.
    Words(String),
    /// We did, and values that others wrote stand in it between backticks.
    Prose(String),
    /// Somebody else did, or it is to be copied: shown as it is.
    Value(String),
    /// We made it, to be followed: an address of ours in which no sign needs an escape.
    Link(String),
}

pub(crate) type Line = Vec<Piece>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// More lines of one kind than this say nothing more to a reader.
const MOST_LINES: usize = 10;

/// What the message says, and at its end what must never be cut: the commands, and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sections {
    pub(crate) body: Vec<Section>,
    pub(crate) commands: Vec<Line>,
    pub(crate) footer: Line,
}

pub(crate) fn sections(message: &Message) -> Sections {
    match &message.about {
        About::Incident(report) => of_incident(report, message),
        About::Notice(report) => of_notice(report, message),
        About::RollUp(report) => of_roll_up(report),
    }
}

impl Message {
    /// All of it for a terminal: every line in full, nothing that a terminal would take for a command.
    #[must_use]
    pub fn plain_text(&self) -> String {
        let Sections { body, commands, footer } = sections(self);
        let mut text = self.headline.clone();
        for Section { title, lines } in &body {
            text.push_str(&format!("\n\n{title}"));
            for line in lines {
                text.push_str(&format!("\n  {}", unmarked(line)));
            }
        }
        text.push('\n');
        for line in commands.iter().chain([&footer]) {
            text.push_str(&format!("\n{}", unmarked(line)));
        }
        text
    }
}

pub(crate) fn unmarked(line: &[Piece]) -> String {
    let texts = line.iter().map(|piece| match piece {
        Piece::Words(text) | Piece::Prose(text) | Piece::Value(text) | Piece::Link(text) => text.as_str(),
    });
    texts.collect()
}

fn words(text: impl Into<String>) -> Piece {
    Piece::Words(text.into())
}

fn value(text: impl ToString) -> Piece {
    Piece::Value(text.to_string())
}

/// `label: value, value`
fn labelled(label: &str, values: impl IntoIterator<Item = String>) -> Line {
    let mut line = vec![words(format!("{label}: "))];
    let mut values = values.into_iter();
    for (n, text) in values.by_ref().take(MOST_LINES).enumerate() {
        if n > 0 {
            line.push(words(", "));
        }
        line.push(value(text));
    }
    let more = values.count();
    if more > 0 {
        line.push(words(format!(" and {more} more")));
    }
    line
}

fn bullets(lead: &str, texts: &[String]) -> Vec<Line> {
    let mut lines: Vec<Line> =
        texts.iter().take(MOST_LINES).map(|text| vec![words(lead), Piece::Prose(text.clone())]).collect();
    let more = texts.len().saturating_sub(MOST_LINES);
    if more > 0 {
        lines.push(vec![words(format!("• and {more} more"))]);
    }
    lines
}

fn of_incident(report: &IncidentReport, message: &Message) -> Sections {
    let mut body = vec![
        Section { title: "Who", lines: who(&report.who) },
        Section { title: "What happened", lines: what_happened(report, message) },
    ];
    let mut done = vec![vec![Piece::Prose(report.done.clone())]];
    if report.steps.len() > 1 {
        let steps: Vec<String> = report.steps.iter().map(|step| step.text.clone()).collect();
        done.extend(bullets("• ", &steps));
    }
    done.extend(report.approval.iter().map(approved));
    done.extend(bullets("• held back: ", &report.held_back));
    if !report.requests.is_empty() {
        done.push(labelled("Graph request-id", report.requests.iter().cloned()));
    }
    let title = if report.hypothetical { "What would be done" } else { "What was done" };
    body.push(Section { title, lines: done });
    let mut must: Vec<Line> = report.must.iter().map(|must| vec![Piece::Prose(must.clone())]).collect();
    must.extend(bullets("• ", &report.by_hand));
    if !must.is_empty() {
        let would = report.must.is_none() && report.hypothetical && report.mode == Mode::Observe;
        let title = if would { "What a person would have to do" } else { "What a person must do" };
        body.push(Section { title, lines: must });
    }
    if !report.left_over.is_empty() {
        body.push(Section { title: "What is left over", lines: bullets("• ", &report.left_over) });
    }
    let decide = report.decide.iter().flat_map(|Decide { approve, reject, until: _ }| {
        [vec![words("Approve: "), value(approve)], vec![words("Reject: "), value(reject)]]
    });
    let undo = report.undo.iter().map(|command| vec![words("Undo: "), value(command)]);
    let show = vec![words("Details: "), value(&report.show)];
    let page = report.page.iter().map(|page| vec![words("Page: "), Piece::Link(page.clone())]);
    let footer = vec![words(format!(
        "incident {} · {} · mode {} · tenant {} · opened {} · seen {}",
        report.incident,
        report.state,
        report.mode,
        report.tenant,
        moment(report.opened_at),
        times(u64::from(report.seen)),
    ))];
    Sections { body, commands: decide.chain(undo).chain([show]).chain(page).collect(), footer }
}

fn who(who: &Who) -> Vec<Line> {
    let Who { id, kind, name, addresses, organisation, sponsors, created_at, enabled } = who;
    let account = match enabled {
        Some(true) => " · account enabled",
        Some(false) => " · account disabled",
        None => "",
    };
    let name = name.as_ref().map_or_else(|| words("no display name"), value);
    let mut lines = vec![vec![name, words(format!(" · {kind}{account}"))]];
    if addresses.is_empty() {
        lines.push(vec![words("Address: none on record")]);
    } else {
        lines.push(labelled("Address", addresses.iter().cloned()));
    }
    if let Some(organisation) = organisation {
        lines.push(labelled("Organisation", [organisation.clone()]));
    }
    if sponsors.is_empty() {
        lines.push(vec![words("Sponsor: none on record")]);
    } else {
        let names =
            sponsors.iter().map(|sponsor| sponsor.name.clone().unwrap_or_else(|| sponsor.id.to_string()));
        lines.push(labelled("Sponsor", names));
    }
    let mut ids = labelled("Object id", [id.to_string()]);
    ids.extend(created_at.map(|at| words(format!(" · created {}", moment(at)))));
    lines.push(ids);
    lines
}

fn what_happened(report: &IncidentReport, message: &Message) -> Vec<Line> {
    let breaks = match (report.unknown, message.kind == Kind::Resolved) {
        (true, _) => "May break the rule ",
        (false, true) => "Broke the rule ",
        (false, false) => "Breaks the rule ",
    };
    let tail = if report.unknown {
        format!(" ({} severity): it could not be checked", message.severity)
    } else {
        format!(" ({} severity)", message.severity)
    };
    let mut lines = vec![vec![words(breaks), value(&report.rule), words(tail)]];
    lines.extend(report.why.iter().map(|why| vec![words("Why the rule: "), Piece::Prose(why.clone())]));
    lines.extend(report.group.iter().map(|group| of_group(group, &report.relations)));
    lines.extend(bullets("• ", &report.reasons));
    lines
}

/// `Group: Finance EU (id) · member`
fn of_group(group: &Group, relations: &[&'static str]) -> Line {
    let Group { id, name } = group;
    let mut line = match name {
        Some(name) => {
            let mut line = labelled("Group", [name.clone()]);
            line.extend([words(" ("), value(id), words(")")]);
            line
        }
        None => labelled("Group", [id.to_string()]),
    };
    if !relations.is_empty() {
        line.push(words(format!(" · {}", relations.join(" and "))));
    }
    line
}

fn approved(approval: &ApprovalReport) -> Line {
    let ApprovalReport { by, reason, at } = approval;
    let mut line = vec![words("Approved by "), value(by), words(format!(" at {}", moment(*at)))];
    if !reason.trim().is_empty() {
        line.extend([words(": "), value(reason)]);
    }
    line
}

fn of_notice(report: &NoticeReport, message: &Message) -> Sections {
    let mut body =
        vec![Section { title: "What happened", lines: vec![vec![Piece::Prose(report.text.clone())]] }];
    if let Some(must) = report.must {
        body.push(Section { title: "What to do", lines: vec![vec![Piece::Prose(must.to_owned())]] });
    }
    let commands = report.command.iter().map(|command| vec![words("Look: "), value(command)]).collect();
    let mut footer = format!("notice · {} severity · ", message.severity);
    if report.count > 1 {
        let (first, last) = (moment(report.first_at), moment(report.last_at));
        footer.push_str(&format!("{} from {first} to {last}", times(report.count)));
    } else {
        footer.push_str(&moment(report.last_at));
    }
    Sections { body, commands, footer: vec![words(footer)] }
}

fn of_roll_up(report: &RollUpReport) -> Sections {
    let mut lines: Vec<Line> = report.lines.iter().map(rolled_up).collect();
    if report.follow > 0 {
        lines.push(vec![words(format!("• {} more follow", report.follow))]);
    }
    Sections {
        body: vec![Section { title: "What happened", lines }],
        commands: vec![vec![words("All of them: "), value("guestlist incidents")]],
        footer: vec![words(format!("roll-up of {}", moment(report.due)))],
    }
}

fn rolled_up(line: &RolledUp) -> Line {
    let RolledUp { about, headline, severity } = line;
    let mut pieces = vec![words(format!("• {severity} · ")), value(headline)];
    if about.parse::<IncidentId>().is_ok() {
        pieces.extend([words(" · "), value(about)]);
    }
    pieces
}

pub(crate) fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}
