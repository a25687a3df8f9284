//! The words for what waits for somebody to approve or reject it, and for how that ended.
//! Never here: who may decide.

use jiff::Timestamp;
use model::{Approval, Incident, State, Stop};

use crate::message::{ApprovalReport, Decide, Kind, first_letter_up, moment};
use crate::plain::{clean, quoted};
use crate::steps::Tense;
use crate::wording::{Telling, Topic, because, sentence};

pub(crate) fn waiting(topic: &Topic<'_>, until: Timestamp) -> Telling {
    let plan = topic.plan();
    let why = match &topic.incident.waits_because {
        Some(why) => sentence(why),
        None => format!("the mode is `{}`", topic.incident.finding.mode),
    };
    let done = format!(
        "Would {}. {}: it waits for somebody to approve or reject it, because {why}. If nobody has by {}, nothing \
         is done.",
        plan.sentence(Tense::Base),
        first_letter_up(topic.nothing_done()),
        moment(until),
    );
    let must =
        format!("Look at it, and approve or reject it before {}.{}", moment(until), while_stopped(topic));
    // In a roll-up the headline is all that people read.
    let again = if topic.known.was_put_back() { " again" } else { "" };
    let headline = format!("waits for approval to {}{again}", plan.headline(Tense::Base));
    Telling::new(Kind::Waiting, headline, done).hypothetical().must(must).undoable(topic.something_in_force())
}

/// What an approval comes to while all writes are held.
fn while_stopped(topic: &Topic<'_>) -> String {
    topic.stop.map_or_else(String::new, |Stop { since, by, reason: _, ended: _ }| {
        format!(
            " Writes are stopped since {} by {}: what is approved is carried out after `guestlist resume`.",
            moment(*since),
            quoted(by, 100),
        )
    })
}

pub(crate) fn rejected(topic: &Topic<'_>, at: &str, by: &str, reason: &str) -> Telling {
    let done = format!(
        "{} rejected it at {at} ({}); {}. {}",
        quoted(by, 100),
        because(reason),
        topic.nothing_done(),
        topic.suspended(),
    );
    Telling::new(Kind::Rejected, format!("rejected: will not {}", topic.plan().headline(Tense::Base)), done)
        .undoable(topic.something_in_force())
}

pub(crate) fn expired(topic: &Topic<'_>, at: &str) -> Telling {
    let days = Incident::ASKS_FOR.as_hours() / 24;
    let done = format!("Nobody decided within {days} days, which ended at {at}; {}.", topic.nothing_done());
    let must = format!(
        "The rule asks to {}: do it by hand if it must be. When the finding is met again, it waits for approval again.",
        topic.plan().sentence(Tense::Base),
    );
    Telling::new(Kind::Expired, format!("nobody decided about *{}", topic.place()), done)
        .must(must)
        .undoable(topic.something_in_force())
}

/// The commands that decide, while it waits.
pub(crate) fn decide(incident: &Incident) -> Option<Decide> {
    let State::Waiting { since: _, until } = &incident.state else { return None };
    Some(Decide {
        approve: format!("guestlist approve {} --plan {} --reason …", incident.id, incident.question()),
        reject: format!("guestlist reject {} --reason …", incident.id),
        until: *until,
    })
}

/// Who approved of what is told here. An approval that was used up before is none of what waits now.
pub(crate) fn approval(incident: &Incident) -> Option<ApprovalReport> {
    let Approval { by, reason, at, plan: _, identity: _, spent, request: _ } = incident.approval.as_ref()?;
    let counts = match &incident.state {
        State::Waiting { .. } | State::Rejected { .. } | State::Expired { .. } => false,
        State::Open => !*spent,
        State::Claimed { .. }
        | State::Sent { .. }
        | State::Done { .. }
        | State::Partly { .. }
        | State::Refused { .. }
        | State::Failed { .. }
        | State::Undoing { .. }
        | State::Undone { .. }
        | State::Resolved { .. } => true,
    };
    counts.then(|| ApprovalReport { by: clean(by, 100), reason: clean(reason, 500), at: *at })
}
