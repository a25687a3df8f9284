//! What waits for somebody's decision.

use guestlist_model::{CannotDecide, Incident, Mode, ObjectId, Plan, State, Step, Wake};
use jiff::SignedDuration;

use crate::given::{GUEST, after, all_done, due, finding, met, opened, request, routes, start};

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
    let error = incident.approve(other.hash(), by.clone(), reason.clone(), request(), after(1)).unwrap_err();
    assert!(matches!(error, CannotDecide::AnotherPlan { .. }), "{error}");
    let plan = incident.question();
    incident.approve(plan, by.clone(), reason.clone(), request(), after(2)).unwrap();
    assert_eq!(incident.wake, Wake::Due { at: after(2) });
    assert!(incident.may_act_on(&finding(Mode::Ask)));
    let mut more = finding(Mode::Ask);
    more.plan.steps.push(Step::RemoveMember { user: GUEST, group: ObjectId::from_u128(9) });
    assert!(!incident.may_act_on(&more), "nobody approved of that step");
    let again = incident.approve(plan, by, reason, request(), after(3)).unwrap_err();
    assert_eq!(again, CannotDecide::NotWaiting { state: "open" });
    incident.claim(after(4), SignedDuration::from_mins(2)).unwrap();
    all_done(&mut incident, after(5));
    incident.see(met(finding(Mode::Ask), true), &routes(), after(1_000));
    assert!(matches!(incident.state, State::Waiting { .. }), "put back, and asked for again");
    assert_eq!(incident.approval.map(|approval| (approval.by, approval.spent)), Some(("carol".into(), true)));
}

#[test]
fn the_same_question_after_something_may_have_been_written_is_told_again() {
    let mut incident = asked();
    let (plan, before) = (incident.question(), incident.deliveries.len());
    incident.ask(None, &routes(), after(1));
    assert_eq!(incident.deliveries.len(), before, "nobody has answered");
    incident.approve(plan, "carol".into(), "yes".into(), request(), after(2)).unwrap();
    incident.claim(after(3), SignedDuration::from_mins(2)).unwrap();
    // The answer to a write is lost, and the next look finds that it has to ask.
    incident.release(after(4), after(4));
    incident.ask(None, &routes(), after(5));
    assert_eq!(incident.question(), plan);
    assert_eq!(incident.deliveries.len(), before + 1);

    let mut freed = asked();
    freed.see(met(finding(Mode::Enforce), true), &routes(), after(1));
    freed.claim(after(2), SignedDuration::from_mins(2)).unwrap();
    freed.release(after(3), after(3));
    freed.ask(None, &routes(), after(4));
    assert!(due(&freed, after(4)) == 1 && freed.deliveries.len() > before, "{:?}", freed.deliveries);
}

#[test]
fn waiting_ends_after_seven_days_and_says_so() {
    let mut incident = asked();
    let week = 7 * 24 * 3_600;
    assert!(!incident.expire(&routes(), after(week - 1)));
    let plan = incident.question();
    let late =
        incident.clone().approve(plan, "carol".into(), "yes".into(), request(), after(week)).unwrap_err();
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

fn held() -> Incident {
    let mut incident = opened(Mode::Enforce);
    incident.claim(after(1), SignedDuration::from_mins(2)).unwrap();
    incident.ask(Some("the circuit breaker is open".to_owned()), &routes(), after(2));
    incident
}

#[test]
fn a_failed_undo_releases_nothing_that_the_breaker_held() {
    let mut incident = held();
    incident.undo_sent("carol".into(), "x".into(), after(10), &routes(), after(3));
    incident.failed("the undo failed: 403".into(), &routes(), after(4));
    incident.see(met(finding(Mode::Enforce), true), &routes(), after(800_000));
    assert!(matches!(incident.state, State::Waiting { .. }), "{:?} {:?}", incident.state, incident.wake);
}

#[test]
fn an_undone_one_releases_nothing_that_the_breaker_held() {
    let mut incident = held();
    incident.undo_sent("carol".into(), "x".into(), after(10), &routes(), after(3));
    incident.undone("carol".into(), "x".into(), &routes(), after(4));
    let next = Incident::open(
        incident.key.clone(),
        Some(&incident),
        met(finding(Mode::Enforce), true),
        &routes(),
        after(800_000),
    );
    assert!(matches!(next.state, State::Waiting { .. }), "{:?} {:?}", next.state, next.wake);
}

/// Since when it fails decides how soon it is tried again: what was not tried in between did not fail.
#[test]
fn what_waited_or_was_refused_in_between_has_not_failed_all_the_time() {
    let failing = || {
        let mut incident = opened(Mode::Enforce);
        incident.claim(after(1), SignedDuration::from_mins(5)).unwrap();
        incident.failed("403".to_owned(), &routes(), after(2));
        assert_eq!(incident.failing_since, Some(after(2)));
        incident
    };
    let (mut waiting, mut refused, mut tried) = (failing(), failing(), failing());
    waiting.ask(None, &routes(), after(3));
    refused.refused("a person must do it".to_owned(), &routes(), after(3));
    tried.see(met(finding(Mode::Enforce), true), &routes(), after(3));
    assert_eq!((waiting.failing_since, refused.failing_since), (None, None));
    assert_eq!(tried.failing_since, Some(after(2)), "it is tried again because it failed");
}
