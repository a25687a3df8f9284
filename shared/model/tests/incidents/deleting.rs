//! An account that was deleted: what a read shows of it, and what its incident becomes.

use guestlist_model::{
    Action, Finding, Incident, Mode, ObjectId, Plan, Sighting, Snapshot, State, Step, Wake,
};
use jiff::SignedDuration;

use crate::given::{GUEST, after, all_done, finding, met, opened, routes, start};

const DELETE: Step = Step::Delete { user: GUEST };

fn deletes(mode: Mode) -> Finding {
    Finding { actions: vec![Action::Delete], plan: Plan { steps: vec![DELETE] }, ..finding(mode) }
}

fn seen(there: Option<bool>) -> Sighting {
    let snapshot = Snapshot { there, ..Snapshot::default() };
    Sighting { snapshot, ..met(deletes(Mode::Enforce), true) }
}

fn deleted() -> Incident {
    let mut incident = Incident::open(opened(Mode::Enforce).key, None, seen(Some(true)), &routes(), start());
    incident.claim(start(), SignedDuration::from_mins(5)).unwrap();
    all_done(&mut incident, after(1));
    incident
}

#[test]
fn only_who_was_found_among_the_deleted_users_is_deleted() {
    let shows = |there| {
        let snapshot = Snapshot { there, ..Snapshot::default() };
        (snapshot.shows(DELETE), snapshot.shows(DELETE.undo()), snapshot.before(DELETE))
    };
    assert_eq!(shows(Some(true)), (Some(false), Some(true), Some(true)));
    assert_eq!(shows(Some(false)), (Some(true), Some(false), Some(false)));
    // Graph does not know him (yet): that shows neither.
    assert_eq!(shows(None), (None, None, None));
    let gone = Snapshot { there: Some(false), ..Snapshot::default() };
    assert_eq!(gone.shows(Step::Disable { user: GUEST }), None);
    assert_eq!(gone.shows(Step::RemoveMember { user: GUEST, group: ObjectId::from_u128(9) }), None);
}

#[test]
fn deleting_and_restoring_are_the_undo_of_each_other_and_no_other_step_moves_an_account() {
    let group = ObjectId::from_u128(9);
    let others = [Step::Disable { user: GUEST }, Step::RemoveMember { user: GUEST, group }];
    for step in others.into_iter().chain([Step::RemoveOwner { user: GUEST, group }]) {
        assert!(!step.moves_account() && !step.undo().moves_account());
    }
    assert_eq!(DELETE.undo().undo(), DELETE);
    assert!(DELETE.moves_account() && DELETE.undo().moves_account());
    assert!(DELETE.takes_away() && !DELETE.undo().takes_away());
}

#[test]
fn who_is_seen_again_after_replicas_have_settled_was_restored_by_somebody() {
    let mut incident = deleted();
    assert_eq!(incident.subject.enabled, None, "nobody signs in to a deleted account");
    incident.see(seen(Some(true)), &routes(), after(60));
    assert!(matches!(incident.state, State::Done { .. }), "a stale read");
    incident.see(seen(Some(true)), &routes(), after(902));
    assert_eq!((&incident.state, incident.wake), (&State::Open, Wake::Due { at: after(902) }));
    assert!(!incident.has_achieved(DELETE));
}

#[test]
fn after_three_rounds_within_a_week_people_decide() {
    let mut incident = deleted();
    let back = Snapshot { there: Some(true), ..Snapshot::default() };
    for round in 1..=3 {
        let now = after(round * 3600);
        incident.see(seen(Some(true)), &routes(), now);
        let fought = incident.fought_over(&[], &back, now);
        assert_eq!(fought.is_some(), round == 3, "{round}");
        if round < 3 {
            incident.claim(now, SignedDuration::from_mins(5)).unwrap();
            all_done(&mut incident, after(round * 3600 + 1));
        }
    }
}

#[test]
fn what_is_left_over_of_a_deletion_goes_when_the_account_is_back() {
    let left = || vec!["it can be restored".to_owned()];
    for (back, kept) in [(false, 1), (true, 0)] {
        let mut incident = deleted();
        incident.done(left(), &routes(), after(2));
        if back {
            incident.saw(&Snapshot { there: Some(true), ..Snapshot::default() }, after(1_000));
        }
        incident.resolve("suspended".to_owned(), &routes(), after(1_001));
        assert_eq!(incident.left_over.len(), kept, "{back}");
    }
}
