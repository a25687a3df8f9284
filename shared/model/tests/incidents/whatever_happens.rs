//! All that may happen, in any order.

use guestlist_model::{Finding, Incident, Mode, Plan, State, Wake};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::given::{all_done, finding, met, opened, request, routes, start};

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
        Happens::Done if claimed => all_done(incident, now),
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
            drop(incident.approve(plan, text(), text(), request(), now));
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
            let was_tried = incident.was_begun() && !matches!(incident.wake, Wake::None);
            now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
            happen(&mut incident, &what, now);
            let awake = !matches!(incident.wake, Wake::None);
            prop_assert!(!awake || incident.state == State::Open, "awake while {}", incident.state.word());
            let acts = incident.may_act_on(&incident.finding);
            let met_now = matches!(what, Happens::Seen { .. });
            // Whoever has tried it finds out what came of it, and judges before he writes.
            prop_assert!(!met_now || !awake || acts || was_tried, "woken for what must not be acted on");
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
