//! The words for each state that an incident can be in. They never claim more than a read has shown.
//! Never here: who the guest is, and the markup of a product.

use model::{Incident, Mode, Plan, State, Step, Suspension};

use crate::incident::Known;
use crate::message::{Kind, first_letter_up, moment};
use crate::plain::{clean, quoted};
use crate::section::times;

/// What a state makes of an alert.
pub(crate) struct Telling {
    pub(crate) kind: Kind,
    /// The guest stands where the `*` is.
    pub(crate) headline: String,
    /// Whether `done` tells what would be done instead of what was.
    pub(crate) hypothetical: bool,
    pub(crate) done: String,
    /// What a person must do.
    pub(crate) must: Option<String>,
    /// Whether there is something of ours to reverse.
    pub(crate) undoable: bool,
}

impl Telling {
    fn new(kind: Kind, headline: impl Into<String>, done: String) -> Self {
        let headline = headline.into();
        Self { kind, headline, hypothetical: false, done, must: None, undoable: false }
    }

    fn hypothetical(self) -> Self {
        Self { hypothetical: true, ..self }
    }

    fn must(self, must: String) -> Self {
        Self { must: Some(must), ..self }
    }

    fn undoable(self, undoable: bool) -> Self {
        Self { undoable, ..self }
    }
}

pub(crate) fn tell(incident: &Incident, known: &Known, suspension: Option<&Suspension>) -> Telling {
    let verbs = Verbs::of(&incident.plan());
    let base = &verbs.base;
    match &incident.state {
        State::Open => open(incident, &verbs),
        State::Claimed { lease: _ } => {
            let done = format!("A worker is at it: {base} the account.");
            Telling::new(Kind::Acting, format!("about to {base} *"), done)
        }
        State::Sent { since, look_again_at: _ } => {
            let done = asked(base, &moment(*since));
            Telling::new(Kind::Acting, format!("asked Entra to {base} *"), done).undoable(true)
        }
        State::Done { at } => done(known, &verbs.past, &moment(*at)),
        State::Refused { why } => refused(incident, base, why),
        State::Failed { why } => failed(incident, known, base, why),
        State::Undoing { since, look_again_at: _, by, reason } => {
            let asked = asked(&verbs.reverse, &moment(*since));
            let done = format!("{} asked for an undo ({}). {asked}", quoted(by, 100), because(reason));
            Telling::new(Kind::Undoing, format!("asked Entra to {} * again", verbs.reverse), done)
        }
        State::Undone { at, by, reason } => {
            let done = format!(
                "{} undid it ({}). Asked Entra to {} the account, and read it back at {}. {}",
                quoted(by, 100),
                because(reason),
                verbs.reverse,
                moment(*at),
                suspended(incident, suspension),
            );
            Telling::new(Kind::Undone, "undone for *", done)
        }
        State::Resolved { at, why } => resolved(incident, known, &verbs.past, &moment(*at), why),
    }
}

fn asked(verb: &str, since: &str) -> String {
    format!(
        "Asked Entra to {verb} the account at {since}; a read does not show it yet. It is looked at again for {} \
         minutes.",
        Incident::LOOKS_FOR.as_mins(),
    )
}

fn done(known: &Known, past: &str, at: &str) -> Telling {
    if known.already_so {
        let done = format!("Nothing was sent: the account was already {past} when it was read at {at}.");
        return Telling::new(Kind::Done, format!("* was already {past}"), done);
    }
    let done = format!("{} the account, and read it back at {at}.", first_letter_up(past));
    Telling::new(Kind::Done, format!("{past} *"), done).undoable(true)
}

fn refused(incident: &Incident, base: &str, why: &str) -> Telling {
    let guest = incident.key.guest;
    let done = format!("Nothing was done: {}.", sentence(why));
    Telling::new(Kind::Refused, "a person must decide about *", done)
        .must(format!("Decide, and {base} the account {guest} by hand if it must be."))
}

/// It may have been the plan or its undo that failed: `why` says which.
fn failed(incident: &Incident, known: &Known, base: &str, why: &str) -> Telling {
    let guest = incident.key.guest;
    let done = format!("{}.", first_letter_up(&sentence(why)));
    Telling::new(Kind::Failed, "failed, and a person must look at *", done)
        .must(format!("Look at the account {guest} in the Entra admin center: the rule asks to {base} it."))
        .undoable(known.in_force.unwrap_or(incident.subject.enabled == Some(false)))
}

fn resolved(incident: &Incident, known: &Known, past: &str, at: &str, why: &str) -> Telling {
    // What is left over is kept only while something of ours is in force.
    let still_there = incident.subject.enabled.is_some();
    let in_force = still_there && known.in_force.unwrap_or(!incident.left_over.is_empty());
    let stays =
        if in_force { format!(" What was done about it ({past}) was not reversed.") } else { String::new() };
    let done = format!("The finding is gone since {at}: {}.{stays}", sentence(why));
    Telling::new(Kind::Resolved, "resolved for *", done).undoable(in_force)
}

/// Recorded and not acted on, for one of several reasons. The first that holds is the one that people are told.
fn open(incident: &Incident, verbs: &Verbs) -> Telling {
    let finding = &incident.finding;
    let Verbs { base, past, reverse: _ } = verbs;
    if finding.unknown {
        let done = format!(
            "Would {base} the account if the rule is broken. What decides that could not be read, so nothing was \
             done."
        );
        let must = "Look at the guest, and mend what could not be read: it is judged again then.".to_owned();
        return Telling::new(Kind::Unknown, "could not check *", done).must(must).hypothetical();
    }
    if incident.plan().is_empty() {
        let done = "The rule asks to tell people, and nothing else: nothing was done.".to_owned();
        return Telling::new(Kind::Finding, "found *", done);
    }
    if finding.acts(incident.key.guest) {
        let tried = match incident.attempts {
            0 => String::new(),
            count => format!(" It was tried {} and is tried again.", times(u64::from(count))),
        };
        let done = format!("Will {base} the account; it is not done yet.{tried}");
        return Telling::new(Kind::Finding, format!("about to {base} *"), done).hypothetical();
    }
    if incident.subject.enabled == Some(false) {
        let done = format!(
            "Would {base} the account, but it is {past} already (mode {}: nothing was done).",
            finding.mode
        );
        return Telling::new(Kind::Finding, format!("* is already {past}"), done).hypothetical();
    }
    let (headline, done) = match finding.mode {
        Mode::Observe => {
            (format!("would {base} *"), format!("Would {base} the account (mode observe: nothing was done)."))
        }
        Mode::Ask => (
            format!("would {base} *, if approved"),
            format!("Would {base} the account once somebody approves (mode ask: nothing was done)."),
        ),
        Mode::Enforce => (
            format!("did not {base} *"),
            format!("Would {base} the account, but that was held back: nothing was done."),
        ),
    };
    Telling::new(Kind::Finding, headline, done).hypothetical()
}

fn sentence(why: &str) -> String {
    clean(why, 1_000).trim_end_matches('.').to_owned()
}

fn because(reason: &str) -> String {
    if reason.trim().is_empty() {
        "no reason given".to_owned()
    } else {
        format!("reason: {}", quoted(reason, 500))
    }
}

fn suspended(incident: &Incident, suspension: Option<&Suspension>) -> String {
    let until = suspension.map_or_else(
        || "for now; the details tell until when".to_owned(),
        |suspension| format!("until {}", moment(suspension.until)),
    );
    format!("The rule `{}` is suspended for this guest {until}.", incident.finding.rule)
}

/// The words for what a plan does.
struct Verbs {
    base: String,
    past: String,
    reverse: String,
}

impl Verbs {
    fn of(plan: &Plan) -> Self {
        let joined = |word: fn(&Step) -> &'static str| {
            let words: Vec<&str> = plan.steps.iter().map(word).collect();
            if words.is_empty() { "look at".to_owned() } else { words.join(" and ") }
        };
        Self {
            base: joined(|step| match step {
                Step::Disable { user: _ } => "disable",
                Step::Enable { user: _ } => "enable",
            }),
            past: joined(|step| match step {
                Step::Disable { user: _ } => "disabled",
                Step::Enable { user: _ } => "enabled",
            }),
            reverse: joined(|step| match step {
                Step::Disable { user: _ } => "enable",
                Step::Enable { user: _ } => "disable",
            }),
        }
    }
}
