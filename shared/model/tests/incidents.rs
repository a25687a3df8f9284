//! An incident's life: what may happen to it, and when people are told.
#![expect(clippy::unwrap_used, reason = "here a panic is how a test fails")]

use guestlist_model::{
    Action, CannotClaim, CannotUndo, ChannelName, Correlation, DeliveryStatus, Finding, GuestKind, Incident,
    IncidentKey, Mode, ObjectId, Severity, Sighting, State, Subject, TenantId, Wake,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const GUEST: ObjectId = ObjectId::from_u128(7);

fn start() -> Timestamp {
    "2026-11-20T09:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    start().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn channels() -> Vec<ChannelName> {
    vec![ChannelName("slack".to_owned())]
}

fn finding(mode: Mode) -> Finding {
    Finding {
        rule: "blocked-domain".parse().unwrap(),
        object: None,
        severity: Severity::High,
        why: None,
        reasons: vec!["mail".to_owned()],
        mode,
        held_back: Vec::new(),
        actions: vec![Action::Disable],
        unknown: false,
        refused: None,
    }
}

fn met(finding: Finding, enabled: bool) -> Sighting {
    let subject = Subject {
        id: GUEST,
        kind: GuestKind::Guest,
        name: None,
        addresses: vec!["mallory@evil.example".to_owned()],
        organisation: None,
        sponsors: Vec::new(),
        created_at: None,
        enabled: Some(enabled),
    };
    Sighting { subject, finding, told_with: None, correlation: Correlation::from_u128(1) }
}

fn opened(mode: Mode) -> Incident {
    let rule = "blocked-domain".parse().unwrap();
    let key = IncidentKey { tenant: TenantId::from_u128(1), guest: GUEST, rule, object: None };
    Incident::open(key, None, met(finding(mode), true), &channels(), start())
}

fn due(incident: &Incident, at: Timestamp) -> usize {
    incident.deliveries_due(at).count()
}

#[test]
fn what_is_only_observed_is_told_at_once_and_wakes_nobody() {
    let incident = opened(Mode::Observe);
    assert_eq!((incident.wake, &incident.state), (Wake::None, &State::Open));
    assert_eq!(due(&incident, start()), 1);
}

#[test]
fn what_is_enforced_is_told_by_its_outcome_or_after_a_minute() {
    let mut incident = opened(Mode::Enforce);
    assert_eq!(incident.wake, Wake::Due { at: start() });
    assert_eq!((due(&incident, after(59)), due(&incident, after(60))), (0, 1));
    incident.claim(after(1), SignedDuration::from_mins(2)).unwrap();
    incident.done(Vec::new(), &channels(), after(2));
    let told: Vec<_> = incident.deliveries_due(after(2)).collect();
    assert_eq!(told.len(), 1, "the outcome replaces what was not told yet");
    assert_eq!(incident.deliveries[0].status, DeliveryStatus::Superseded);
}

#[test]
fn the_same_again_is_counted_and_not_told() {
    let mut incident = opened(Mode::Observe);
    let before = incident.deliveries.clone();
    for n in 1..5 {
        incident.see(met(finding(Mode::Observe), true), &channels(), after(n));
    }
    assert_eq!((incident.seen, &incident.deliveries), (5, &before));
}

#[test]
fn a_lease_keeps_others_away_until_it_ends() {
    let mut incident = opened(Mode::Enforce);
    incident.claim(after(1), SignedDuration::from_mins(2)).unwrap();
    let held = incident.claim(after(60), SignedDuration::from_mins(2)).unwrap_err();
    assert_eq!(held, CannotClaim::Held { until: after(121) });
    incident.claim(after(121), SignedDuration::from_mins(2)).unwrap();
}

#[test]
fn nothing_is_claimed_that_waits_for_nobody() {
    let error = opened(Mode::Observe).claim(after(1), SignedDuration::from_mins(2)).unwrap_err();
    assert_eq!(error.to_string(), "nothing is to be done: it is open");
}

#[test]
fn an_account_that_looks_enabled_right_after_our_write_is_a_stale_read() {
    let mut incident = opened(Mode::Enforce);
    incident.claim(after(1), SignedDuration::from_mins(2)).unwrap();
    incident.done(Vec::new(), &channels(), after(2));
    incident.see(met(finding(Mode::Enforce), true), &channels(), after(30));
    assert!(matches!(incident.state, State::Done { .. }));
    incident.see(met(finding(Mode::Enforce), true), &channels(), after(300));
    assert_eq!((&incident.state, incident.wake), (&State::Open, Wake::Due { at: after(300) }));
}

#[test]
fn what_is_done_and_stays_done_wakes_nobody() {
    let mut incident = opened(Mode::Enforce);
    incident.claim(after(1), SignedDuration::from_mins(2)).unwrap();
    incident.done(Vec::new(), &channels(), after(2));
    incident.see(met(finding(Mode::Enforce), false), &channels(), after(900));
    assert!(matches!(incident.state, State::Done { .. }));
    assert_eq!(incident.wake, Wake::None);
}

#[test]
fn a_closed_incident_stays_as_it_is() {
    let mut incident = opened(Mode::Enforce);
    incident.resolve("gone".to_owned(), &channels(), after(5));
    let closed = incident.state.clone();
    incident.resolve("gone again".to_owned(), &channels(), after(6));
    incident.see(met(finding(Mode::Enforce), true), &channels(), after(7));
    assert_eq!((&incident.state, incident.wake), (&closed, Wake::None));
    let next = Incident::open(
        incident.key.clone(),
        Some(&incident),
        met(finding(Mode::Enforce), true),
        &channels(),
        after(8),
    );
    assert_eq!(next.id.generation, 2);
    assert_eq!(next.id.slot, incident.id.slot);
}

#[test]
fn an_undo_waits_for_the_worker_and_needs_something_to_reverse() {
    let mut incident = opened(Mode::Enforce);
    assert_eq!(incident.may_undo(after(1)), Err(CannotUndo::NothingToUndo { state: "open" }));
    incident.claim(after(1), SignedDuration::from_mins(2)).unwrap();
    assert_eq!(incident.may_undo(after(2)), Err(CannotUndo::Held { until: after(121) }));
    incident.done(Vec::new(), &channels(), after(3));
    assert_eq!(incident.may_undo(after(4)), Ok(()));
    incident.undone("carol".to_owned(), "expected".to_owned(), &channels(), after(5));
    assert_eq!(incident.may_undo(after(6)), Err(CannotUndo::NothingToUndo { state: "undone" }));
}

#[test]
fn one_incident_speaks_for_another() {
    let mut quiet = met(finding(Mode::Observe), true);
    quiet.told_with = Some("graver".parse().unwrap());
    let key = opened(Mode::Observe).key;
    let incident = Incident::open(key, None, quiet, &channels(), start());
    assert!(incident.deliveries.is_empty());
    assert_eq!(incident.due_at(), None);
}

/// Something that may happen to an incident.
#[derive(Debug, Clone)]
enum Happens {
    Seen { mode: Mode, enabled: bool, unknown: bool, refused: bool },
    WakeSent,
    Claimed,
    Released,
    Sent,
    Done,
    Failed,
    Refused,
    Resolved,
    UndoSent,
    Undone,
}

fn happening() -> impl Strategy<Value = Happens> {
    let mode = prop_oneof![Just(Mode::Observe), Just(Mode::Ask), Just(Mode::Enforce)];
    prop_oneof![
        4 => (mode, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(mode, enabled, unknown, refused)| {
            Happens::Seen { mode, enabled, unknown, refused }
        }),
        1 => Just(Happens::WakeSent),
        3 => Just(Happens::Claimed),
        1 => Just(Happens::Released),
        1 => Just(Happens::Sent),
        1 => Just(Happens::Done),
        1 => Just(Happens::Failed),
        1 => Just(Happens::Refused),
        1 => Just(Happens::Resolved),
        1 => Just(Happens::UndoSent),
        1 => Just(Happens::Undone),
    ]
}

fn happen(incident: &mut Incident, what: &Happens, now: Timestamp) {
    let (channels, text) = (channels(), || "x".to_owned());
    let claimed = matches!(incident.state, State::Claimed { .. });
    match what {
        Happens::Seen { mode, enabled, unknown, refused } => {
            let refused = refused.then(|| "protected".to_owned());
            let finding = Finding { unknown: *unknown, refused, ..finding(*mode) };
            incident.see(met(finding, *enabled), &channels, now);
        }
        Happens::WakeSent if matches!(incident.wake, Wake::Due { .. }) => incident.wake_sent(now),
        Happens::Claimed => drop(incident.claim(now, SignedDuration::from_mins(2))),
        // A worker does these to what it has claimed.
        Happens::Released if claimed => incident.release(now, now),
        Happens::Sent if claimed => incident.sent(now, now, &channels, now),
        Happens::Done if claimed => incident.done(Vec::new(), &channels, now),
        Happens::Failed if claimed => incident.failed(text(), &channels, now),
        Happens::Refused if claimed => incident.refused(text(), &channels, now),
        Happens::Resolved => incident.resolve(text(), &channels, now),
        Happens::UndoSent if incident.may_undo(now).is_ok() => {
            incident.undo_sent(text(), text(), now, &channels, now);
        }
        Happens::Undone if matches!(incident.state, State::Undoing { .. }) => {
            incident.undone(text(), text(), &channels, now);
        }
        Happens::WakeSent
        | Happens::Released
        | Happens::Sent
        | Happens::Done
        | Happens::Failed
        | Happens::Refused
        | Happens::UndoSent
        | Happens::Undone => {}
    }
}

proptest! {
    /// Whatever happens in whatever order, these hold after each step.
    #[test]
    fn whatever_happens_an_incident_stays_in_order(story in proptest::collection::vec((happening(), 1_i64..400), 1..40)) {
        let mut incident = opened(Mode::Enforce);
        let mut now = start();
        for (what, seconds) in story {
            let was_closed = incident.state.is_closed();
            now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
            happen(&mut incident, &what, now);
            let awake = !matches!(incident.wake, Wake::None);
            prop_assert!(!awake || incident.state == State::Open, "awake while {}", incident.state.word());
            let acts = incident.finding.acts(GUEST);
            let met_now = matches!(what, Happens::Seen { .. });
            prop_assert!(!met_now || !awake || acts, "woken for what must not be acted on");
            let reopened = was_closed && !incident.state.is_closed();
            prop_assert!(!reopened || matches!(incident.state, State::Undoing { .. }), "a closed incident came to life");
            let due = incident.deliveries_due(Timestamp::MAX).count();
            prop_assert!(due <= 1, "{due} messages are due in one channel");
            let busy = awake || matches!(incident.state, State::Claimed { .. } | State::Sent { .. } | State::Undoing { .. });
            prop_assert!(!busy || incident.due_at().is_some(), "nobody would ever look at it again");
        }
    }
}
