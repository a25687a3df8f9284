//! An incident's life: what may happen to it, and when people are told.
#![expect(clippy::unwrap_used, reason = "here a panic is how a test fails")]

use std::collections::BTreeMap;

use guestlist_model::{
    Action, CannotClaim, CannotDecide, CannotUndo, ChannelName, Correlation, DeliveryStatus, Finding,
    GuestKind, Incident, IncidentKey, Mode, ObjectId, Plan, Routes, Severity, Sighting, Snapshot, State,
    Step, Subject, TenantId, Wake,
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

fn routes() -> Routes {
    Routes(vec![
        (ChannelName("slack".to_owned()), Severity::Low),
        (ChannelName("pager".to_owned()), Severity::Critical),
    ])
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
        plan: Plan { steps: vec![Step::Disable { user: GUEST }] },
        by_hand: Vec::new(),
        names: BTreeMap::new(),
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
    let snapshot = Snapshot { enabled: Some(enabled), ..Snapshot::default() };
    Sighting { subject, finding, snapshot, told_with: None, correlation: Correlation::from_u128(1) }
}

fn opened(mode: Mode) -> Incident {
    let rule = "blocked-domain".parse().unwrap();
    let key = IncidentKey { tenant: TenantId::from_u128(1), guest: GUEST, rule, object: None };
    Incident::open(key, None, met(finding(mode), true), &routes(), start())
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
    incident.done(Vec::new(), &routes(), after(2));
    let told: Vec<_> = incident.deliveries_due(after(2)).collect();
    assert_eq!(told.len(), 1, "the outcome replaces what was not told yet");
    assert_eq!(incident.deliveries[0].status, DeliveryStatus::Superseded);
}

#[test]
fn what_is_grave_enough_goes_to_more_channels_and_who_heard_of_it_hears_the_end() {
    let mut critical = finding(Mode::Observe);
    critical.severity = Severity::Critical;
    let key = opened(Mode::Observe).key;
    let mut incident = Incident::open(key, None, met(critical, true), &routes(), start());
    assert_eq!(due(&incident, start()), 2);
    for delivery in &mut incident.deliveries {
        delivery.status = DeliveryStatus::Sent { at: start() };
    }
    incident.see(met(finding(Mode::Observe), true), &routes(), after(60));
    incident.resolve("gone".to_owned(), &routes(), after(61));
    assert_eq!(due(&incident, after(61)), 2, "the pager, too");
}

#[test]
fn the_same_again_is_counted_and_not_told() {
    let mut incident = opened(Mode::Observe);
    let before = incident.deliveries.clone();
    for n in 1..5 {
        incident.see(met(finding(Mode::Observe), true), &routes(), after(n));
    }
    assert_eq!((incident.seen, &incident.deliveries), (5, &before));
}

#[test]
fn a_message_that_can_be_edited_in_its_place_tells_how_often_now_and_then() {
    let mut incident = opened(Mode::Observe);
    let slack = ChannelName("slack".to_owned());
    incident.posted.insert(slack.clone(), "C1:1.1".to_owned());
    let mut edits = Vec::new();
    for n in 1..=30 {
        for delivery in &mut incident.deliveries {
            delivery.status = DeliveryStatus::Sent { at: start() };
        }
        incident.see(met(finding(Mode::Observe), true), &routes(), after(n));
        if due(&incident, after(n)) > 0 {
            edits.push(incident.seen);
        }
    }
    assert_eq!(edits, [2, 5, 10, 20]);
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
    incident.done(Vec::new(), &routes(), after(2));
    incident.see(met(finding(Mode::Enforce), true), &routes(), after(30));
    assert!(matches!(incident.state, State::Done { .. }));
    incident.see(met(finding(Mode::Enforce), true), &routes(), after(300));
    assert_eq!((&incident.state, incident.wake), (&State::Open, Wake::Due { at: after(300) }));
}

#[test]
fn what_is_done_and_stays_done_wakes_nobody() {
    let mut incident = opened(Mode::Enforce);
    incident.claim(after(1), SignedDuration::from_mins(2)).unwrap();
    incident.done(Vec::new(), &routes(), after(2));
    incident.see(met(finding(Mode::Enforce), false), &routes(), after(900));
    assert!(matches!(incident.state, State::Done { .. }));
    assert_eq!(incident.wake, Wake::None);
}

#[test]
fn a_closed_incident_stays_as_it_is() {
    let mut incident = opened(Mode::Enforce);
    incident.resolve("gone".to_owned(), &routes(), after(5));
    let closed = incident.state.clone();
    incident.resolve("gone again".to_owned(), &routes(), after(6));
    incident.see(met(finding(Mode::Enforce), true), &routes(), after(7));
    assert_eq!((&incident.state, incident.wake), (&closed, Wake::None));
    let next = Incident::open(
        incident.key.clone(),
        Some(&incident),
        met(finding(Mode::Enforce), true),
        &routes(),
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
    incident.done(Vec::new(), &routes(), after(3));
    assert_eq!(incident.may_undo(after(4)), Ok(()));
    incident.undone("carol".to_owned(), "expected".to_owned(), &routes(), after(5));
    assert_eq!(incident.may_undo(after(6)), Err(CannotUndo::NothingToUndo { state: "undone" }));
}

#[test]
fn one_incident_speaks_for_another() {
    let mut quiet = met(finding(Mode::Observe), true);
    quiet.told_with = Some("graver".parse().unwrap());
    let key = opened(Mode::Observe).key;
    let incident = Incident::open(key, None, quiet, &routes(), start());
    assert!(incident.deliveries.is_empty());
    assert_eq!(incident.due_at(), None);
}

fn asked() -> Incident {
    opened(Mode::Ask)
}

#[test]
fn what_must_be_approved_is_told_at_once_and_wakes_nobody() {
    let incident = asked();
    assert_eq!(incident.wake, Wake::None);
    assert!(matches!(incident.state, State::Waiting { .. }));
    assert_eq!(due(&incident, start()), 1);
    assert_eq!(incident.due_at(), Some(start()), "the message; then the end of the waiting");
}

#[test]
fn an_approval_is_for_the_plan_that_was_seen_and_serves_once() {
    let mut incident = asked();
    let other = Plan { steps: vec![Step::Disable { user: ObjectId::from_u128(8) }] };
    let (by, reason) = ("carol".to_owned(), "yes".to_owned());
    let error = incident.approve(other.hash(), by.clone(), reason.clone(), after(1)).unwrap_err();
    assert!(matches!(error, CannotDecide::AnotherPlan { .. }), "{error}");
    let plan = incident.question();
    incident.approve(plan, by.clone(), reason.clone(), after(2)).unwrap();
    assert_eq!(incident.wake, Wake::Due { at: after(2) });
    assert!(incident.may_act_on(&finding(Mode::Ask)));
    let mut more = finding(Mode::Ask);
    more.plan.steps.push(Step::RemoveMember { user: GUEST, group: ObjectId::from_u128(9) });
    assert!(!incident.may_act_on(&more), "nobody approved of that step");
    let again = incident.approve(plan, by, reason, after(3)).unwrap_err();
    assert_eq!(again, CannotDecide::NotWaiting { state: "open" });
    incident.claim(after(4), SignedDuration::from_mins(2)).unwrap();
    incident.done(Vec::new(), &routes(), after(5));
    incident.see(met(finding(Mode::Ask), true), &routes(), after(600));
    assert!(matches!(incident.state, State::Waiting { .. }), "put back, and asked for again");
    assert_eq!(incident.approval.map(|approval| (approval.by, approval.spent)), Some(("carol".into(), true)));
}

#[test]
fn waiting_ends_after_seven_days_and_says_so() {
    let mut incident = asked();
    let week = 7 * 24 * 3_600;
    assert!(!incident.expire(&routes(), after(week - 1)));
    let plan = incident.question();
    let late = incident.clone().approve(plan, "carol".into(), "yes".into(), after(week)).unwrap_err();
    assert!(matches!(late, CannotDecide::TooLate { .. }), "{late}");
    assert!(incident.expire(&routes(), after(week)));
    assert_eq!(incident.state, State::Expired { at: after(week) });
    assert_eq!(due(&incident, after(week)), 1);
}

#[test]
fn what_the_breaker_holds_waits_although_its_mode_enforces() {
    let mut incident = opened(Mode::Enforce);
    incident.claim(after(1), SignedDuration::from_mins(2)).unwrap();
    incident.ask(Some("the circuit breaker is open".to_owned()), &routes(), after(2));
    incident.see(met(finding(Mode::Enforce), true), &routes(), after(300));
    assert!(matches!(incident.state, State::Waiting { .. }));
    incident.see(met(finding(Mode::Observe), true), &routes(), after(400));
    assert_eq!((&incident.state, incident.wake), (&State::Open, Wake::None));
}

#[test]
fn what_was_left_stays_in_the_plan_of_the_incident_that_left_it() {
    let (a, b) = (ObjectId::from_u128(21), ObjectId::from_u128(22));
    let leave = |group| Step::RemoveMember { user: GUEST, group };
    let mut all = finding(Mode::Enforce);
    all.plan.steps.extend([leave(a), leave(b)]);
    let mut incident = opened(Mode::Enforce);
    incident.see(met(all, true), &routes(), after(1));
    incident.claim(after(2), SignedDuration::from_mins(2)).unwrap();
    incident.done(Vec::new(), &routes(), after(3));
    incident.see(met(finding(Mode::Enforce), false), &routes(), after(600));
    assert_eq!(incident.plan().steps, [Step::Disable { user: GUEST }, leave(a), leave(b)]);
    assert!(matches!(incident.state, State::Done { .. }));
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
    Partly,
    Asked,
    Approved { of_this_plan: bool },
    Rejected,
    Expired,
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
        1 => Just(Happens::Partly),
        1 => Just(Happens::Asked),
        2 => any::<bool>().prop_map(|of_this_plan| Happens::Approved { of_this_plan }),
        1 => Just(Happens::Rejected),
        1 => Just(Happens::Expired),
    ]
}

fn happen(incident: &mut Incident, what: &Happens, now: Timestamp) {
    let (routes, text) = (routes(), || "x".to_owned());
    let claimed = matches!(incident.state, State::Claimed { .. });
    match what {
        Happens::Seen { mode, enabled, unknown, refused } => {
            let refused = refused.then(|| "protected".to_owned());
            let finding = Finding { unknown: *unknown, refused, ..finding(*mode) };
            incident.see(met(finding, *enabled), &routes, now);
        }
        Happens::WakeSent if matches!(incident.wake, Wake::Due { .. }) => incident.wake_sent(now),
        Happens::Claimed => drop(incident.claim(now, SignedDuration::from_mins(2))),
        // A worker does these to what it has claimed.
        Happens::Released if claimed => incident.release(now, now),
        Happens::Sent if claimed => incident.sent(now, now, &routes, now),
        Happens::Done if claimed => incident.done(Vec::new(), &routes, now),
        Happens::Failed if claimed => incident.failed(text(), &routes, now),
        Happens::Refused if claimed => incident.refused(text(), &routes, now),
        Happens::Resolved => incident.resolve(text(), &routes, now),
        Happens::UndoSent if incident.may_undo(now).is_ok() => {
            incident.undo_sent(text(), text(), now, &routes, now);
        }
        Happens::Undone if matches!(incident.state, State::Undoing { .. }) => {
            incident.undone(text(), text(), &routes, now);
        }
        Happens::Partly if claimed => incident.partly(text(), Vec::new(), &routes, now),
        Happens::Asked if claimed => incident.ask(Some(text()), &routes, now),
        Happens::Approved { of_this_plan } => {
            let plan = if *of_this_plan { incident.question() } else { Plan::default().hash() };
            drop(incident.approve(plan, text(), text(), now));
        }
        Happens::Rejected => drop(incident.reject(text(), text(), &routes, now)),
        Happens::Expired => drop(incident.expire(&routes, now)),
        Happens::Partly
        | Happens::Asked
        | Happens::WakeSent
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
            let acts = incident.may_act_on(&incident.finding);
            let met_now = matches!(what, Happens::Seen { .. });
            prop_assert!(!met_now || !awake || acts, "woken for what must not be acted on");
            let reopened = was_closed && !incident.state.is_closed();
            prop_assert!(!reopened || matches!(incident.state, State::Undoing { .. }), "a closed incident came to life");
            let due = incident.deliveries_due(Timestamp::MAX).count();
            prop_assert!(due <= 1, "{due} messages are due in one channel");
            let waits = matches!(incident.state, State::Waiting { .. });
            prop_assert!(!waits || incident.due_at().is_some(), "nobody would end the waiting");
            let busy = awake || matches!(incident.state, State::Claimed { .. } | State::Sent { .. } | State::Undoing { .. });
            prop_assert!(!busy || incident.due_at().is_some(), "nobody would ever look at it again");
        }
    }
}
