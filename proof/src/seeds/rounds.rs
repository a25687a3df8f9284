//! Holds how often the same was taken from the same guest against the rule of tug-of-war: three rounds in a week, and then
//! people decide, however many rules ask for it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::{Incident, Outcome, StepResult};
use uuid::Uuid;

use super::oracle::step;
use super::reading::{Reach, Taken};
use super::witness::{Change, Witness};

pub(super) fn judge(witness: &mut Witness, outcomes: &[Outcome]) {
    // The week is counted by two clocks.
    if witness.skewed > Incident::CLOCKS_DIFFER {
        return;
    }
    let fought: BTreeSet<(Uuid, Taken)> = witness.put_back.iter().map(|one| (one.guest, one.taken)).collect();
    let mut complaints = Vec::new();
    for (guest, taken) in fought {
        let rounds = rounds(witness, guest, taken);
        // What no read has shown in its time is sent once more, and is no round.
        let taking = step(&Change { guest, taken, given: false, at: Timestamp::UNIX_EPOCH });
        let unseen = |one: &&Outcome| one.step == taking && one.result == StepResult::NeverShown;
        let most = Incident::ROUNDS + outcomes.iter().filter(unseen).count();
        for many in rounds.windows(most + 1) {
            let (Some(first), Some(last)) = (many.first(), many.last()) else { continue };
            let within = last.duration_since(*first) < Incident::FOUGHT_WITHIN;
            if within && demanded(witness, (guest, taken), (*first, *last)) && !decided(witness, guest, *last)
            {
                complaints.push(format!(
                    "{taken:?} was taken from {guest} once more at {last}, and had been {most} times since {first}"
                ));
            }
        }
    }
    complaints.into_iter().for_each(|complaint| witness.complain(complaint));
}

/// When it was taken, each time after somebody else had given it back. What an undo of ours gives back begins anew.
fn rounds(witness: &Witness, guest: Uuid, taken: Taken) -> Vec<Timestamp> {
    let mine = |one: &&Change| (one.guest, one.taken) == (guest, taken);
    let ours = witness.changes.iter().filter(mine).map(|one| (one.at, one.given, !one.given));
    let theirs = witness.put_back.iter().filter(mine).map(|one| (one.at, false, false));
    let mut all: Vec<(Timestamp, bool, bool)> = ours.chain(theirs).collect();
    all.sort();
    let (mut rounds, mut there) = (Vec::<Timestamp>::new(), true);
    for (at, undone, takes) in all {
        if undone {
            rounds.clear();
        }
        // Nobody believes so soon that it was put back: what was sent again had not been seen, or its answer got lost.
        let again = rounds.last().is_some_and(|last| at.duration_since(*last) < Incident::SETTLES_AFTER);
        if takes && there && !again {
            rounds.push(at);
        }
        there = !takes;
    }
    rounds
}

/// One rule demanded it all the time, so that its incident stayed open.
fn demanded(witness: &Witness, what: (Uuid, Taken), (first, last): (Timestamp, Timestamp)) -> bool {
    let mut same = witness.reasons.iter().filter(|(key, _)| (key.0, key.1) == what);
    same.any(|(_, all)| {
        all.iter().any(|held| {
            held.reach == Reach::Enforce && held.from <= first && held.to.is_none_or(|to| to >= last)
        })
    })
}

/// Somebody has said that it is to be done, or asked for an undo.
fn decided(witness: &Witness, guest: Uuid, last: Timestamp) -> bool {
    let before = |at: &Timestamp| *at <= last;
    witness.approved.get(&guest).is_some_and(|all| all.iter().any(before))
        || witness.undone.get(&guest).is_some_and(before)
}
