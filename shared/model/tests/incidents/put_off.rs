//! What a clock that was eight days ahead has put off is due at once, and what waits for long on purpose goes on waiting.

use guestlist_model::{Incident, Mode, State, Wake};
use jiff::SignedDuration;

use crate::given::{after, opened, request, routes, start};

const EIGHT_DAYS: i64 = 8 * 24 * 60 * 60;

fn brought_near(mut incident: Incident, now: i64) -> (Incident, bool) {
    let any = incident.bring_near(after(now));
    (incident, any)
}

#[test]
fn a_lease_a_look_a_wake_and_a_message_that_are_too_far_off_are_due_now() {
    let mut claimed = opened(Mode::Enforce);
    claimed.claim(after(EIGHT_DAYS), SignedDuration::from_mins(5)).unwrap();
    let (near, any) = brought_near(claimed.clone(), 1);
    assert!(any && near.clone().claim(after(1), SignedDuration::from_mins(5)).is_ok(), "{:?}", near.state);
    let (_, any) = brought_near(claimed, EIGHT_DAYS + 1);
    assert!(!any, "it is held, and by somebody whose clock is right");

    let mut sent = opened(Mode::Enforce);
    sent.sent(after(EIGHT_DAYS), after(EIGHT_DAYS + 60), &routes(), after(EIGHT_DAYS));
    let (near, _) = brought_near(sent, 1);
    assert_eq!(near.state, State::Sent { since: after(1), look_again_at: after(1) });
    assert_eq!(near.due_at(), Some(after(1)), "and the message");

    let mut woken = opened(Mode::Enforce);
    woken.wake = Wake::Sent { at: after(EIGHT_DAYS) };
    woken.failing_since = Some(after(EIGHT_DAYS));
    let (near, _) = brought_near(woken, 1);
    assert_eq!((near.wake, near.failing_since), (Wake::Due { at: after(1) }, Some(after(1))));
}

#[test]
fn a_question_and_an_approval_last_seven_days_from_now() {
    let mut asked = opened(Mode::Ask);
    asked.state = State::Waiting { since: after(EIGHT_DAYS), until: after(EIGHT_DAYS * 2) };
    let (near, _) = brought_near(asked, 1);
    let until = after(1).checked_add(Incident::ASKS_FOR).unwrap();
    assert_eq!(near.state, State::Waiting { since: after(1), until });

    let mut approved = opened(Mode::Ask);
    let question = approved.question();
    approved.approve(question, "carol".into(), "yes".into(), request(), start()).unwrap();
    approved.approval.as_mut().unwrap().at = after(EIGHT_DAYS);
    let (near, any) = brought_near(approved, 1);
    assert!(any && near.approval.unwrap().at == after(1));
}

#[test]
fn whatever_is_as_near_as_it_may_be_stays_as_it_is() {
    for mode in [Mode::Observe, Mode::Ask, Mode::Enforce] {
        let incident = opened(mode);
        let (same, any) = brought_near(incident.clone(), 0);
        assert!(!any && same == incident);
    }
}
