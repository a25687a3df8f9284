//! A finding is met again, is carried out, and ends.

use std::collections::BTreeMap;

use guestlist_model::{
    CannotClaim, CannotUndo, ChannelName, DeliveryStatus, Finding, Incident, Mode, ObjectId, PendingUndo,
    Severity, State, Step, Wake,
};
use jiff::SignedDuration;

use crate::given::{GUEST, after, all_done, due, finding, met, opened, request, routes, start};

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
    all_done(&mut incident, after(2));
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
    all_done(&mut incident, after(2));
    for seconds in [30, 600] {
        incident.see(met(finding(Mode::Enforce), true), &routes(), after(seconds));
        assert!(matches!(incident.state, State::Done { .. }), "{seconds}");
    }
    incident.see(met(finding(Mode::Enforce), true), &routes(), after(902));
    assert_eq!((&incident.state, incident.wake), (&State::Open, Wake::Due { at: after(902) }));
}

#[test]
fn what_is_done_and_stays_done_wakes_nobody() {
    let mut incident = opened(Mode::Enforce);
    incident.claim(after(1), SignedDuration::from_mins(2)).unwrap();
    all_done(&mut incident, after(2));
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
    all_done(&mut incident, after(3));
    assert_eq!(incident.may_undo(after(4)), Ok(()));
    incident.undo = Some(giving_back(&incident));
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

/// Whoever speaks for it says nothing of an undo that is not his.
#[test]
fn an_undo_is_told_by_the_incident_that_is_undone() {
    let mut quiet = met(finding(Mode::Enforce), true);
    quiet.told_with = Some("graver".parse().unwrap());
    let mut incident = Incident::open(opened(Mode::Enforce).key, None, quiet.clone(), &routes(), start());
    incident.claim(after(1), SignedDuration::from_mins(2)).unwrap();
    all_done(&mut incident, after(2));
    assert_eq!(due(&incident, after(2)), 1, "whoever did it tells of it");
    let mut failing = incident.clone();
    for one in [&mut incident, &mut failing] {
        one.undo = Some(giving_back(one));
        one.undo_sent("carol".into(), "x".into(), after(10), &routes(), after(3));
        one.see(quiet.clone(), &routes(), after(4));
    }
    incident.undone("carol".into(), "x".into(), &routes(), after(5));
    failing.failed("the undo failed: 403".into(), &routes(), after(5));
    assert_eq!((due(&incident, after(5)), due(&failing, after(5))), (1, 1));
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
    all_done(&mut incident, after(3));
    incident.see(met(finding(Mode::Enforce), false), &routes(), after(600));
    assert_eq!(incident.plan().steps, [Step::Disable { user: GUEST }, leave(a), leave(b)]);
    assert!(matches!(incident.state, State::Done { .. }));
}

/// An undo of all that the plan asked for.
fn giving_back(incident: &Incident) -> PendingUndo {
    PendingUndo {
        deleted_at: None,
        steps: incident.plan().steps.iter().map(|step| step.undo()).collect(),
        identity: None,
        force: false,
        group_missing_since: None,
        groups: BTreeMap::new(),
    }
}

#[test]
fn what_an_undo_left_out_can_be_undone_later() {
    let mut both = finding(Mode::Enforce);
    let leave = Step::RemoveMember { user: GUEST, group: ObjectId::from_u128(21) };
    both.plan.steps.push(leave);
    let mut incident = opened(Mode::Enforce);
    incident.see(met(both, true), &routes(), after(1));
    incident.claim(after(2), SignedDuration::from_mins(2)).unwrap();
    all_done(&mut incident, after(3));
    let mut undo = giving_back(&incident);
    undo.steps.retain(|step| step.group().is_none());
    incident.undo = Some(undo);
    incident.undone("carol".to_owned(), "expected".to_owned(), &routes(), after(5));
    assert_eq!(incident.may_undo(after(6)), Ok(()));
    assert!(incident.has_achieved(leave) && !incident.has_achieved(Step::Disable { user: GUEST }));
}

#[test]
fn what_was_left_to_a_person_is_neither_told_nor_asked_for_at_each_look() {
    for mode in [Mode::Ask, Mode::Enforce] {
        let last = Step::RemoveOwner { user: GUEST, group: ObjectId::from_u128(21) };
        let mut both = finding(mode);
        both.plan.steps.push(last);
        let mut incident = opened(Mode::Enforce);
        let acts = Finding { mode: Mode::Enforce, ..both.clone() };
        incident.see(met(acts, true), &routes(), after(1));
        incident.claim(after(2), SignedDuration::from_mins(2)).unwrap();
        incident.achieve(Step::Disable { user: GUEST }, false, after(3));
        incident.partly("the last owner".to_owned(), Vec::new(), &routes(), after(3));
        incident.see(met(both.clone(), false), &routes(), after(900));
        let expected = if mode == Mode::Ask { "partly" } else { "open" };
        assert_eq!((incident.state.word(), due(&incident, after(900))), (expected, 1), "told once");
        incident.partly("the last owner".to_owned(), Vec::new(), &routes(), after(900));
        assert_eq!(due(&incident, after(900)), 1, "and not again");
        both.plan.steps.push(Step::RemoveMember { user: GUEST, group: ObjectId::from_u128(22) });
        incident.see(met(both.clone(), false), &routes(), after(901));
        assert_ne!(incident.state.word(), "partly", "that step was not asked for before");
    }
}

#[test]
fn a_claim_that_was_held_back_or_refused_forgets_neither_an_approval_nor_what_holds_it() {
    let mut incident = opened(Mode::Enforce);
    incident.claim(after(1), SignedDuration::from_mins(2)).unwrap();
    incident.ask(Some("the circuit breaker is open".to_owned()), &routes(), after(2));
    incident.see(met(finding(Mode::Observe), true), &routes(), after(3));
    incident.see(met(finding(Mode::Enforce), true), &routes(), after(4));
    assert_eq!(incident.state.word(), "waiting", "a mode that rises again releases nothing");
    incident.resolve("gone".to_owned(), &routes(), after(5));
    let key = incident.key.clone();
    let mut next =
        Incident::open(key, Some(&incident), met(finding(Mode::Enforce), true), &routes(), after(6));
    assert_eq!(next.state.word(), "waiting", "and neither does a finding that was gone for a moment");
    let question = next.question();
    next.approve(question, "carol".to_owned(), "yes".to_owned(), request(), after(7)).unwrap();
    next.claim(after(8), SignedDuration::from_mins(2)).unwrap();
    next.held_back(&routes(), after(9));
    next.see(met(finding(Mode::Enforce), true), &routes(), after(10));
    assert_eq!(next.wake, Wake::Due { at: after(10) }, "carol has approved of it");
}
