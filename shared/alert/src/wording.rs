//! The words for each state that an incident can be in. They never claim more than a read has shown.
//! Never here: the words for a step (`steps.rs`), what waits for a decision (`decision.rs`), and the markup of a product.

use model::{Incident, Mode, State, Step, Stop, Suspension};

use crate::decision;
use crate::known::Known;
use crate::message::{Kind, Progress, first_letter_up, moment};
use crate::plain::{clean, quoted};
use crate::section::times;
use crate::steps::{Steps, Tense, said};

/// What a state makes of an alert.
pub(crate) struct Telling {
    pub(crate) kind: Kind,
    /// The guest stands where the first `*` is, before anything that others wrote.
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
    pub(crate) fn new(kind: Kind, headline: impl Into<String>, done: String) -> Self {
        let headline = headline.into();
        Self { kind, headline, hypothetical: false, done, must: None, undoable: false }
    }

    pub(crate) fn hypothetical(self) -> Self {
        Self { hypothetical: true, ..self }
    }

    pub(crate) fn must(self, must: String) -> Self {
        Self { must: Some(must), ..self }
    }

    pub(crate) fn undoable(self, undoable: bool) -> Self {
        Self { undoable, ..self }
    }
}

/// What the words are about.
pub(crate) struct Topic<'a> {
    pub(crate) incident: &'a Incident,
    pub(crate) known: &'a Known<'a>,
    pub(crate) suspension: Option<&'a Suspension>,
    pub(crate) stop: Option<&'a Stop>,
}

impl<'a> Topic<'a> {
    pub(crate) fn steps(&self, steps: Vec<Step>) -> Steps<'a> {
        Steps { steps, names: &self.incident.finding.names }
    }

    pub(crate) fn plan(&self) -> Steps<'a> {
        self.steps(self.incident.plan().steps.clone())
    }

    /// What puts back what the plan does.
    fn reverse(&self) -> Steps<'a> {
        self.steps(self.incident.plan().steps.iter().map(|step| step.undo()).collect())
    }

    /// The steps of the plan that came so far.
    fn that_are(&self, progress: Progress) -> Steps<'a> {
        let steps = self.incident.plan().steps.iter().copied();
        self.steps(steps.filter(|step| self.known.progress(*step).0 == progress).collect())
    }

    /// ` in "the group"`, where the finding is about one: for headlines that do not name it otherwise.
    pub(crate) fn place(&self) -> String {
        let names = self.plan();
        let group = |id| names.name(id).map_or_else(|| format!("the group {id}"), |name| quoted(&name, 60));
        self.incident.finding.object.map_or_else(String::new, |id| format!(" in {}", group(id)))
    }

    pub(crate) fn something_in_force(&self) -> bool {
        self.known.in_force().is_some_and(|steps| !steps.is_empty())
    }

    /// `nothing was done`, or that nothing was added to what is in force.
    pub(crate) fn nothing_done(&self) -> &'static str {
        if self.something_in_force() { "nothing more was done" } else { "nothing was done" }
    }

    pub(crate) fn suspended(&self) -> String {
        let finding = &self.incident.finding;
        // Where an account came back, the rule is suspended in all of its groups.
        let in_group = self.suspension.is_none_or(|suspension| suspension.object.is_some());
        let place = if finding.object.is_some() && in_group { " in this group" } else { "" };
        let until = self.suspension.map_or_else(
            || "for now; the details tell until when".to_owned(),
            |suspension| format!("until {}", moment(suspension.until)),
        );
        format!("The rule `{}` is suspended for this guest{place} {until}.", finding.rule)
    }
}

pub(crate) fn tell(topic: &Topic<'_>) -> Telling {
    match &topic.incident.state {
        State::Open => open(topic),
        State::Waiting { since: _, until } => decision::waiting(topic, *until),
        State::Claimed { lease: _ } => {
            let done = format!("A worker is at it: {}.", topic.plan().sentence(Tense::Base));
            Telling::new(Kind::Acting, format!("about to {}", topic.plan().headline(Tense::Base)), done)
                .undoable(topic.something_in_force())
        }
        State::Sent { since, look_again_at: _ } => {
            let plan = topic.plan();
            let done = asked(&plan, &moment(*since));
            Telling::new(Kind::Acting, format!("asked Entra to {}", plan.headline(Tense::Base)), done)
                .undoable(true)
        }
        State::Done { at } => done(topic, &moment(*at)),
        State::Partly { at, why } => partly(topic, &moment(*at), why),
        State::Refused { why } => refused(topic, why),
        State::Failed { why } => failed(topic, why),
        State::Undoing { since, look_again_at: _, by, reason } => undoing(topic, &moment(*since), by, reason),
        State::Undone { at, by, reason } => undone(topic, &moment(*at), by, reason),
        State::Rejected { at, by, reason } => decision::rejected(topic, &moment(*at), by, reason),
        State::Expired { at } => decision::expired(topic, &moment(*at)),
        State::Resolved { at, why } => resolved(topic, &moment(*at), why),
    }
}

fn asked(steps: &Steps<'_>, since: &str) -> String {
    let it = if steps.steps.len() > 1 { "all of it" } else { "it" };
    format!(
        "Asked Entra to {} at {since}; a read does not show {it} yet. It is looked at again for {} minutes.",
        steps.sentence(Tense::Base),
        Incident::LOOKS_FOR.as_mins(),
    )
}

fn done(topic: &Topic<'_>, at: &str) -> Telling {
    let (ours, already) = (topic.that_are(Progress::Done), topic.that_are(Progress::AlreadySo));
    if !ours.steps.is_empty() {
        let rest = match already.steps.len() {
            0 => String::new(),
            1 => " One more thing that the rule asks for was so already.".to_owned(),
            more => format!(" {more} more things that the rule asks for were so already."),
        };
        let done = format!("{}{rest}", read_back(topic, &ours, at));
        return Telling::new(Kind::Done, ours.headline(Tense::Past), done).undoable(true);
    }
    let (headline, what) = match already.steps.as_slice() {
        [one] => (already.headline_of_state(*one), already.state_of(*one)),
        _ => ("nothing was left to do about *".to_owned(), "all that the rule asks for was so".to_owned()),
    };
    let done = format!("Nothing had to be changed: {what} already when it was read at {at}.");
    Telling::new(Kind::Done, headline, done)
}

/// Where Graph's answer got lost, a read shows what was asked for, and not whose doing it is.
fn read_back(topic: &Topic<'_>, ours: &Steps<'_>, at: &str) -> String {
    let unanswered = topic.steps(topic.known.unanswered(&ours.steps));
    let whose = match unanswered.steps.len() {
        0 => String::new(),
        _ => format!(
            " Graph's answer to the request to {} got lost: whoever did the same at that time may have been faster.",
            unanswered.sentence(Tense::Base)
        ),
    };
    format!("{}, and read it back at {at}.{whose}", first_letter_up(&ours.sentence(Tense::Past)))
}

fn partly(topic: &Topic<'_>, at: &str, why: &str) -> Telling {
    let ours = topic.that_are(Progress::Done);
    let (headline, done) = if ours.steps.is_empty() {
        let nothing = first_letter_up(topic.nothing_done());
        (format!("a person must act about *{}", topic.place()), format!("{nothing} by us. "))
    } else {
        let headline = format!("{}; the rest is for a person", ours.headline(Tense::Past));
        (headline, format!("{} ", read_back(topic, &ours, at)))
    };
    let must = "Do the rest, or decide that it need not be done.".to_owned();
    let rest = match beside_by_hand(topic, why) {
        None => "The rest is for a person.".to_owned(),
        Some(why) => format!("The rest is for a person: {why}."),
    };
    Telling::new(Kind::Partly, headline, format!("{done}{rest}"))
        .must(must)
        .undoable(topic.known.in_force().map_or(!ours.steps.is_empty(), |steps| !steps.is_empty()))
}

fn refused(topic: &Topic<'_>, why: &str) -> Telling {
    let nothing = first_letter_up(topic.nothing_done());
    let done = match beside_by_hand(topic, why) {
        None => format!("{nothing}: only a person can do what the rule asks for."),
        Some(why) => format!("{nothing}: {why}."),
    };
    let telling = Telling::new(Kind::Refused, format!("a person must decide about *{}", topic.place()), done)
        .undoable(topic.something_in_force());
    if topic.plan().steps.is_empty() && !topic.incident.finding.by_hand.is_empty() {
        // What he must do stands there, group by group.
        return telling;
    }
    telling.must(format!("Decide, and {} by hand if it must be.", topic.plan().sentence(Tense::Base)))
}

/// The reason without what is told anyway under what a person must do.
fn beside_by_hand(topic: &Topic<'_>, why: &str) -> Option<String> {
    let told = &topic.incident.finding.by_hand;
    let rest = told.iter().fold(why.to_owned(), |why, told| why.replace(told.as_str(), ""));
    let rest: Vec<&str> = rest.split("; ").map(str::trim).filter(|part| !part.is_empty()).collect();
    (!rest.is_empty()).then(|| sentence(&rest.join("; ")))
}

/// It may have been the plan or its undo that failed: `why` says which.
fn failed(topic: &Topic<'_>, why: &str) -> Telling {
    let done = said(&sentence(why));
    let must = format!(
        "Look at it in the Entra admin center: the rule asks to {}.",
        topic.plan().sentence(Tense::Base)
    );
    let in_force = topic.known.in_force().map(|steps| !steps.is_empty());
    Telling::new(Kind::Failed, format!("failed, and a person must look at *{}", topic.place()), done)
        .must(must)
        .undoable(in_force.unwrap_or(topic.incident.subject.enabled == Some(false)))
}

fn undoing(topic: &Topic<'_>, since: &str, by: &str, reason: &str) -> Telling {
    let pending = topic.incident.undo.as_ref().map(|undo| topic.steps(undo.steps.clone()));
    let steps = pending.unwrap_or_else(|| topic.reverse());
    let (headline, how) = if topic.known.was_turned_away(&steps.steps) {
        let how = format!(
            "Entra has not yet taken the request to {}: it is sent again until it does.",
            steps.sentence(Tense::Base)
        );
        (format!("about to {} again", steps.headline(Tense::Base)), how)
    } else {
        (format!("asked Entra to {} again", steps.headline(Tense::Base)), asked(&steps, since))
    };
    let done = format!("{} asked for an undo ({}). {how}", quoted(by, 100), because(reason));
    Telling::new(Kind::Undoing, headline, done)
}

fn undone(topic: &Topic<'_>, at: &str, by: &str, reason: &str) -> Telling {
    let who = format!("{} undid it ({}).", quoted(by, 100), because(reason));
    let reversed = topic.steps(topic.known.reversed());
    let asked_for = topic.steps(topic.known.asked_for());
    let what = if !reversed.steps.is_empty() {
        format!("Asked Entra to {}, and read it back at {at}.", reversed.sentence(Tense::Base))
    } else if !asked_for.steps.is_empty() {
        // Nobody may have heard of it before.
        let was = asked_for.sentence(Tense::Base);
        format!(
            "Entra had been asked to {was}. At {at} that did not show, and there was nothing to put back."
        )
    } else if topic.known.has_outcomes() {
        format!("Nothing had to be changed: all was as before when it was read at {at}.")
    } else if let [one] = topic.incident.plan().steps.as_slice() {
        let reverse = topic.steps(vec![one.undo()]);
        format!("Asked Entra to {}, and read it back at {at}.", reverse.sentence(Tense::Base))
    } else {
        format!("What was done was put back, and read back at {at}.")
    };
    let done = format!("{who} {what} {}", topic.suspended());
    Telling::new(Kind::Undone, format!("undone for *{}", topic.place()), done)
}

fn resolved(topic: &Topic<'_>, at: &str, why: &str) -> Telling {
    let Topic { incident, known, suspension: _, stop: _ } = topic;
    // What is left over is kept only while something of ours is in force.
    let still_there = incident.subject.enabled.is_some();
    let without_outcomes =
        || if incident.left_over.is_empty() { Vec::new() } else { incident.plan().steps.clone() };
    let in_force = if still_there { known.in_force().unwrap_or_else(without_outcomes) } else { Vec::new() };
    let undoable = !in_force.is_empty();
    let stays = if undoable {
        let past = topic.steps(in_force).sentence(Tense::Past);
        format!(" What was done about it ({past}) was not reversed.")
    } else {
        String::new()
    };
    let done = format!("The finding is gone since {at}: {}.{stays}", sentence(why));
    Telling::new(Kind::Resolved, format!("resolved for *{}", topic.place()), done).undoable(undoable)
}

/// Recorded and not acted on, for one of several reasons. The first that holds is the one that people are told.
fn open(topic: &Topic<'_>) -> Telling {
    let Topic { incident, known: _, suspension: _, stop: _ } = topic;
    let finding = &incident.finding;
    let (plan, in_force) = (topic.plan(), topic.something_in_force());
    let base = plan.sentence(Tense::Base);
    if finding.unknown {
        return unknown(topic, &base);
    }
    if plan.steps.is_empty() {
        return nothing_for_us(topic);
    }
    if incident.may_act_on(finding) {
        let tried = match incident.attempts {
            0 => String::new(),
            count => format!(" It was tried {} and is tried again.", times(u64::from(count))),
        };
        let done = format!("Will {base}; it is not done yet.{tried}");
        let headline = format!("about to {}", plan.headline(Tense::Base));
        return Telling::new(Kind::Finding, headline, done).hypothetical().undoable(in_force);
    }
    if let ([Step::Disable { user: _ }], Some(false)) = (plan.steps.as_slice(), incident.subject.enabled) {
        let done =
            format!("Would {base}, but it is disabled already (mode {}: nothing was done).", finding.mode);
        return Telling::new(Kind::Finding, "* is already disabled", done).hypothetical().undoable(in_force);
    }
    let would = plan.headline(Tense::Base);
    let (headline, done) = match finding.mode {
        Mode::Observe => {
            (format!("would {would}"), format!("Would {base} (mode observe: {}).", topic.nothing_done()))
        }
        Mode::Ask => (
            format!("would {would}, if approved"),
            format!("Would {base} once somebody approves (mode ask: {}).", topic.nothing_done()),
        ),
        Mode::Enforce => (
            format!("did not {would}"),
            format!("Would {base}, but that was held back: {}.", topic.nothing_done()),
        ),
    };
    Telling::new(Kind::Finding, headline, done).hypothetical().undoable(in_force)
}

fn unknown(topic: &Topic<'_>, base: &str) -> Telling {
    let wants = if topic.incident.plan().is_empty() {
        String::new()
    } else {
        format!("Would {base} if the rule is broken. ")
    };
    let done = format!("{wants}What decides that could not be read, so {}.", topic.nothing_done());
    let must = "Look at the guest, and mend what could not be read: it is judged again then.".to_owned();
    Telling::new(Kind::Unknown, format!("could not check *{}", topic.place()), done).must(must).hypothetical()
}

/// The rule asks for nothing, or for nothing that we can do.
fn nothing_for_us(topic: &Topic<'_>) -> Telling {
    let (finding, place) = (&topic.incident.finding, topic.place());
    if finding.by_hand.is_empty() {
        let done = format!("The rule asks to tell people, and nothing else: {}.", topic.nothing_done());
        return Telling::new(Kind::Finding, format!("found *{place}"), done);
    }
    match finding.mode {
        Mode::Observe => {
            let done = format!(
                "Only a person can do what the rule asks for (mode observe: {}).",
                topic.nothing_done()
            );
            Telling::new(Kind::Finding, format!("found *{place}"), done).hypothetical()
        }
        Mode::Ask | Mode::Enforce => {
            let done = format!(
                "{}: only a person can do what the rule asks for.",
                first_letter_up(topic.nothing_done())
            );
            Telling::new(Kind::Refused, format!("a person must decide about *{place}"), done)
        }
    }
}

pub(crate) fn sentence(why: &str) -> String {
    clean(why, 1_000).trim_end_matches('.').to_owned()
}

pub(crate) fn because(reason: &str) -> String {
    if reason.trim().is_empty() {
        "no reason given".to_owned()
    } else {
        format!("reason: {}", quoted(reason, 500))
    }
}
