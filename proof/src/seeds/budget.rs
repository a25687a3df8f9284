//! Holds what was taken against the circuit breaker's budget: nobody who was there before is touched beside too many others
//! within an hour, unless somebody approved of it or reset the breaker.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use model::Breaker;
use uuid::Uuid;

use super::witness::{Change, Witness};
use super::world::World;

/// A place is taken before the first write, whose answer may be waited for, and which is sent again for a quarter of an hour:
/// of an hour of places, this much is an hour of writes at least.
const SURELY_ONE_HOUR: SignedDuration = SignedDuration::from_mins(40);
/// Who was a newcomer when his place was taken is one for so long.
const SURELY_ESTABLISHED: SignedDuration = SignedDuration::from_hours(25);
/// Of fewer guests than this, as many as of none.
const FEW: usize = 60;

pub(super) fn judge(world: &World, witness: &mut Witness) {
    if world.guests.len() >= FEW {
        return;
    }
    let people = world.simulator.tenant();
    let established = |change: &&Change| {
        let created_at = people.user(change.guest).and_then(|user| user.created_at);
        created_at.is_some_and(|at| change.at.duration_since(at) >= SURELY_ESTABLISHED)
    };
    let unasked = |change: &&Change| !change.given && !witness.approved.contains_key(&change.guest);
    let moved = |change: &&Change| !witness.jumped(change.at).is_zero();
    let counted: Vec<(Timestamp, Uuid)> = witness
        .changes
        .iter()
        .filter(unasked)
        .filter(established)
        .filter(|change| !moved(change))
        .map(|change| (change.at, change.guest))
        .collect();
    let limit = Breaker::default().established_an_hour(world.clock.now());
    let too_many = counted.iter().find_map(|(end, _)| {
        let within = |at: Timestamp| at <= *end && end.duration_since(at) < SURELY_ONE_HOUR;
        let reset = witness.resets.iter().any(|at| end.duration_since(*at).abs() < Breaker::HOUR);
        let touched: BTreeSet<Uuid> =
            counted.iter().filter(|(at, _)| within(*at)).map(|(_, guest)| *guest).collect();
        (!reset && touched.len() > limit).then_some((*end, touched.len()))
    });
    if let Some((at, many)) = too_many {
        witness.complain(format!("{at}: {many} established guests were touched within an hour, of {limit}"));
    }
}
