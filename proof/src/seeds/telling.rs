//! Holds what people were told against the state: nothing was claimed that was not so, nobody innocent was spoken of, every
//! write of ours was told, and whatever asks for a person was told in its last form.
//!
//! A message is read as people read it: its words, and the incident that its last line names.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use model::{Delivery, DeliveryStatus, Incident, Outcome, State};
use serde_json::Value;
use uuid::Uuid;

use super::oracle::step;
use super::reading::Taken;
use super::witness::{Change, Witness};
use super::world::World;

/// What one rule had done is done once more for another, by somebody who had read before.
const JUST_BEFORE: SignedDuration = SignedDuration::from_secs(90);

/// The rules that hang on who invited somebody.
const INVITERS: [&str; 2] = ["guests-do-not-invite", "otherwise.guest"];

/// By the incidents that they are about.
type Messages = BTreeMap<String, Vec<Told>>;

/// What the chat took: a message about an incident, or a line of a roll-up.
struct Told {
    at: Timestamp,
    /// All of its words.
    text: String,
    /// The state that its last line names. A line of a roll-up names none.
    state: Option<String>,
}

impl Told {
    /// It came after the change, or told of the same a moment before, done for another rule.
    fn tells_of(&self, change: &Change) -> bool {
        let acted = matches!(self.state.as_deref(), Some("done" | "partly" | "sent"));
        self.at >= change.at || (acted && change.at.duration_since(self.at) < JUST_BEFORE)
    }

    /// It says that nothing was done, now or before.
    fn denies(&self) -> bool {
        let denials =
            ["othing was done", "othing had to be changed", "already disabled", "Waits for approval"];
        // Where the chat took nothing of the rounds before, this tells of them.
        let asks_again = self.text.contains("Waits for approval to") && self.text.contains(" again: ");
        let rounds = asks_again || self.text.contains("somebody has put it back");
        // Of several steps one may have been so already.
        let some_was_done = self.text.contains("and read it back");
        !rounds && !some_was_done && denials.iter().any(|denial| self.text.contains(denial))
    }
}

pub(super) fn judge(world: &World, witness: &mut Witness, all: &[Incident], outcomes: &[Outcome]) {
    let (told, missed) = (by_incident(world.chat.told(), all), by_incident(world.chat.missed(), all));
    let none = Vec::new();
    let mut complaints = Vec::new();
    for incident in all {
        let mine = told.get(&incident.id.to_string()).unwrap_or(&none);
        complaints.extend(innocent(witness, incident, mine));
        complaints.extend(claimed(witness, incident, mine));
        complaints.extend(not_in_its_last_form(world, incident, mine));
    }
    // Whose deletion it was is told by the moments of two clocks: not where ours was wrong by more than it may be.
    let told_apart =
        |change: &&Change| change.taken != Taken::Account || witness.skewed <= Incident::CLOCKS_DIFFER;
    complaints.extend(
        witness
            .changes
            .iter()
            .filter(told_apart)
            .filter_map(|change| untold(change, all, outcomes, (&told, &missed))),
    );
    complaints.into_iter().for_each(|complaint| witness.complain(complaint));
}

fn by_incident(messages: Vec<(Timestamp, String)>, all: &[Incident]) -> Messages {
    let mut told = Messages::new();
    for (at, body) in messages {
        let mut text = String::new();
        words(&serde_json::from_str(&body).unwrap_or(Value::Null), &mut text);
        for incident in all {
            let id = incident.id.to_string();
            let footer = format!("incident {id} · ");
            if let Some((_, rest)) = text.split_once(&footer) {
                let state = rest.split(" · ").next().map(str::to_owned);
                told.entry(id).or_default().push(Told { at, text: text.clone(), state });
            } else if let Some(line) = text.lines().find(|line| line.contains(&id)) {
                told.entry(id).or_default().push(Told { at, text: line.to_owned(), state: None });
            }
        }
    }
    told
}

/// Every text of a message, a line each.
fn words(value: &Value, text: &mut String) {
    match value {
        Value::String(one) => {
            text.push_str(one);
            text.push('\n');
        }
        Value::Array(all) => all.iter().for_each(|one| words(one, text)),
        Value::Object(all) => all.values().for_each(|one| words(one, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Who was spoken of had broken that rule at some time.
fn innocent(witness: &Witness, incident: &Incident, told: &[Told]) -> Option<String> {
    let guest = whose(incident);
    let object = incident.key.object.and_then(|object| object.to_string().parse().ok());
    let broken = witness.was_broken(guest, incident.key.rule.as_str(), object);
    // For as long as nobody knew who had invited him, that was told.
    let unknown = witness.lags.audit_was_late && INVITERS.contains(&incident.key.rule.as_str());
    (!told.is_empty() && !broken && !unknown).then(|| {
        format!(
            "{guest} never broke `{}` in {object:?}, and people were told of {}",
            incident.key.rule, incident.id
        )
    })
}

/// What a message says we did and read back had happened.
fn claimed(witness: &Witness, incident: &Incident, told: &[Told]) -> Option<String> {
    let guest = whose(incident);
    let happened = |at: Timestamp| {
        let before = |change: &&Change| change.guest == guest && change.at <= at;
        witness.changes.iter().filter(before).any(|change| !change.given)
    };
    let says_so = |one: &&Told| {
        let done = one.state.as_deref().is_some_and(|state| state == "done");
        // Where Graph did not answer, people are told that it may have been somebody else.
        done && one.text.contains("and read it back at")
            && !one.text.contains("got lost: whoever did the same")
    };
    let wrong = told.iter().filter(says_so).find(|one| !happened(one.at))?;
    Some(format!(
        "{}: people were told that {} was carried out, and nothing was written",
        wrong.at, incident.id
    ))
}

/// What asks for a person was told, and nothing else of it since.
fn not_in_its_last_form(world: &World, incident: &Incident, told: &[Told]) -> Option<String> {
    let asks = match incident.state {
        State::Waiting { .. } | State::Refused { .. } | State::Failed { .. } | State::Partly { .. } => true,
        State::Open
        | State::Claimed { .. }
        | State::Sent { .. }
        | State::Done { .. }
        | State::Undoing { .. }
        | State::Undone { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Resolved { .. } => false,
    };
    // Another rule's message speaks for it, or the chat took nothing for a week.
    let elsewhere = incident.told_with.is_some()
        || world.chat.was_down()
        || incident.deliveries.iter().any(|one| matches!(one.status, DeliveryStatus::Failed { .. }));
    if !asks || elsewhere {
        return None;
    }
    let word = incident.state.word();
    match told.last() {
        None => Some(format!("nobody was told that {} is {word}", incident.id)),
        // A roll-up shows its headline, and no state.
        Some(Told { state: None, .. }) => None,
        Some(Told { state: Some(state), .. }) if state == word => None,
        Some(Told { state: Some(state), at, .. }) => {
            Some(format!("{} is {word}, and people were told last, at {at}, that it is {state}", incident.id))
        }
    }
}

/// Some incident that has it among its outcomes was told after it, itself or by the rule that speaks for it.
fn untold(
    change: &Change,
    all: &[Incident],
    outcomes: &[Outcome],
    (told, missed): (&Messages, &Messages),
) -> Option<String> {
    let step = step(change);
    let accounts = |incident: &&Incident| {
        let mine = |one: &&Outcome| one.incident == incident.id && one.step == step && one.result.was_sent();
        outcomes.iter().filter(mine).count() > 0
    };
    let speaks = |incident: &Incident| {
        let of_guest = |other: &&Incident| other.key.guest == incident.key.guest;
        let for_it = |other: &&Incident| {
            other.id == incident.id
                || incident.told_with.as_ref() == Some(&other.key.rule)
                || other.speaks_for.contains(&incident.key.rule)
        };
        let speakers: Vec<&Incident> = all.iter().filter(of_guest).filter(for_it).collect();
        let any = |messages: &Messages, fits: &dyn Fn(&Told) -> bool| {
            let of_one = |other: &&Incident| messages.get(&other.id.to_string());
            speakers.iter().filter_map(of_one).flatten().any(fits)
        };
        let says_so = |one: &Told| one.tells_of(change) && (change.given || !one.denies());
        // What the chat did not take may have been overtaken by what came after it.
        any(told, &says_so) || (any(told, &|one| one.tells_of(change)) && any(missed, &says_so))
    };
    // The chat took nothing for a week.
    let given_up = |incident: &Incident| {
        incident.deliveries.iter().any(|one| matches!(one.status, DeliveryStatus::Failed { .. }))
    };
    let was_told =
        |one: &Delivery| matches!(one.status, DeliveryStatus::Sent { .. } | DeliveryStatus::RolledUp { .. });
    let ended_in_silence =
        |incident: &Incident| incident.state.is_closed() && !incident.deliveries.iter().any(was_told);
    let mut mine = all.iter().filter(accounts).peekable();
    mine.peek()?;
    let fine =
        mine.clone().any(|incident| speaks(incident) || given_up(incident) || ended_in_silence(incident));
    (!fine).then(|| {
        let names: Vec<String> = mine.map(|one| format!("{} ({})", one.id, one.state.word())).collect();
        format!("{}: `{step}` was done, and nobody was told of it by {names:?}", change.at)
    })
}

fn whose(incident: &Incident) -> Uuid {
    incident.key.guest.to_string().parse().unwrap_or_default()
}
