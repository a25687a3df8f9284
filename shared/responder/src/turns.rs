//! Turns at the directory audit, of which Graph takes five requests in ten seconds of one app
//! (<https://learn.microsoft.com/graph/throttling-limits>). Whoever cannot ask now is given a moment that is his alone, so that
//! nobody comes in vain. A live event waits for no listing: it takes its turn before those whom nobody waits for.
//!
//! Kept in memory: after a restart everybody comes at his moment, which is still his alone.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use model::ObjectId;

use crate::trouble::after;

#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// When the audit was asked last.
    asked: VecDeque<Timestamp>,
    booked: BTreeMap<ObjectId, Turn>,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    at: Timestamp,
    background: bool,
}

impl Turns {
    const AT_MOST: usize = 5;
    const WITHIN: SignedDuration = SignedDuration::from_secs(10);
    /// Four in ten seconds: whoever is late takes no other's turn, and a live event finds one between those of a listing.
    const APART: SignedDuration = SignedDuration::from_millis(2_500);
    /// Whoever has not come so long after his turn does not come any more.
    const WAITED_FOR: SignedDuration = SignedDuration::from_mins(10);

    /// A turn, taken now; or when the next one comes, which is kept for `guest`.
    ///
    /// # Errors
    /// The moment at which to come again. Whoever comes before is told the same one.
    pub(crate) fn take(
        &mut self,
        guest: ObjectId,
        background: bool,
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        self.asked.retain(|at| now.duration_since(*at).abs() < Self::WITHIN);
        self.forget_the_lost(now);
        let mine = self.booked.get(&guest).copied();
        if let Some(Turn { at, .. }) = mine.filter(|mine| mine.at > now && (background || !mine.background)) {
            return Err(at);
        }
        let has_come = mine.is_some_and(|mine| mine.at <= now);
        self.booked.remove(&guest);
        let at_most = if background && !has_come { Self::AT_MOST - 1 } else { Self::AT_MOST };
        let room_at =
            self.asked.iter().rev().nth(at_most.saturating_sub(1)).map(|asked| after(*asked, Self::WITHIN));
        let before_me = self.booked.values().filter(|other| background || !other.background);
        let line_ends = before_me.map(|other| after(other.at, Self::APART)).max().filter(|end| *end > now);
        let at = match (room_at, line_ends) {
            (None, None) => None,
            (None, Some(_)) if has_come => None,
            (None, Some(end)) => Some(end),
            (Some(room_at), end) => Some(end.map_or(room_at, |end| end.max(room_at))),
        };
        match at {
            Some(at) => {
                self.booked.insert(guest, Turn { at, background });
                Err(at)
            }
            None => {
                self.asked.push_back(now);
                Ok(())
            }
        }
    }

    /// Who did not come; and whose turn is later than any line is long, because the clock was set back.
    fn forget_the_lost(&mut self, now: Timestamp) {
        let waiting = i32::try_from(self.booked.len()).unwrap_or(i32::MAX);
        let longest = Self::APART.saturating_mul(waiting.saturating_mul(2)).saturating_add(Self::WAITED_FOR);
        let comes = |turn: &Turn| {
            let left = turn.at.duration_since(now);
            left > -Self::WAITED_FOR && left < longest
        };
        self.booked.retain(|_, turn| comes(turn));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: SignedDuration = SignedDuration::from_secs(1);

    fn guest(n: u128) -> ObjectId {
        ObjectId::from_u128(n)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    /// Everybody comes when he was told to, and a little later. Returns when the audit was asked.
    fn asked(turns: &mut Turns, guests: u128, background: bool, late: SignedDuration) -> Vec<Timestamp> {
        let mut coming: Vec<(Timestamp, ObjectId)> = (0..guests).map(|n| (at(0), guest(n))).collect();
        let (mut asked, mut came) = (Vec::new(), 0);
        while let Some((due, who)) = coming.pop() {
            let now = if due == at(0) { due } else { after(due, late) };
            came += 1;
            match turns.take(who, background, now) {
                Ok(()) => asked.push(now),
                Err(again) => coming.push((again, who)),
            }
            coming.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        }
        assert!(came <= 2 * guests, "{came} came for {guests} turns");
        asked
    }

    #[test]
    fn each_comes_twice_at_most_and_no_more_than_five_ask_within_ten_seconds() {
        for background in [false, true] {
            for late in [SignedDuration::ZERO, SECOND, SECOND * 2] {
                let asked = asked(&mut Turns::default(), 500, background, late);
                assert_eq!(asked.len(), 500);
                for six in asked.windows(6) {
                    let span = six[5].duration_since(six[0]);
                    assert!(span >= Turns::WITHIN, "six in {span:?}");
                }
            }
        }
    }

    #[test]
    fn a_live_event_waits_for_no_line_of_others_and_whoever_loses_his_turn_by_it_gets_another() {
        let mut turns = Turns::default();
        for n in 0..1_000 {
            let _ = turns.take(guest(n), true, at(0));
        }
        assert_eq!(turns.take(guest(2_000), false, at(1)), Ok(()));
        let waits = turns.take(guest(2_001), false, at(1)).unwrap_err();
        assert!(waits <= at(11), "{waits}");
        // The same guest for whom a listing has come before.
        let waits = turns.take(guest(999), false, at(1)).unwrap_err();
        assert!(waits <= at(14), "{waits}");

        let mut turns = Turns::default();
        let first = (0..5).find_map(|n| turns.take(guest(n), true, at(0)).err()).unwrap();
        for n in 10..15 {
            assert_eq!(turns.take(guest(n), false, first), Ok(()));
        }
        let again = turns.take(guest(4), true, first).unwrap_err();
        assert!(again > first, "{again}");
        assert_eq!(turns.take(guest(4), true, again), Ok(()));
    }

    #[test]
    fn whoever_comes_before_his_turn_is_told_the_same_one() {
        let mut turns = Turns::default();
        for n in 0..8 {
            let _ = turns.take(guest(n), false, at(0));
        }
        let mine = turns.take(guest(7), false, at(1)).unwrap_err();
        assert_eq!(turns.take(guest(7), true, at(2)), Err(mine));
        assert_eq!(turns.take(guest(7), false, mine), Ok(()));
    }

    #[test]
    fn a_line_of_a_wrong_clock_keeps_nobody_waiting() {
        let mut turns = Turns::default();
        for n in 0..20 {
            let _ = turns.take(guest(n), false, at(86_400));
        }
        assert_eq!(turns.take(guest(19), false, at(0)), Ok(()));
        assert_eq!(turns.take(guest(20), false, at(0)), Ok(()));
    }
}
