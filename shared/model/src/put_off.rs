//! What a clock that was ahead for a while has put off: it comes at its time by the clock that is right.
//!
//! Never here: what is decided to end on a day, which may be far off.

use jiff::{SignedDuration, Timestamp};

use crate::{ChannelState, Delivery, DeliveryStatus, Incident, Lease, State, Wake};

impl Incident {
    /// Graph may ask for an hour of patience, and no try, look or lease is put off for much longer.
    pub const PUT_OFF_AT_MOST: SignedDuration = SignedDuration::from_hours(2);

    /// Nothing of it waits for longer than anything is ever put off, or has begun in time to come. Returns whether
    /// anything did.
    pub fn bring_near(&mut self, now: Timestamp) -> bool {
        let before = (self.state.clone(), self.wake, self.approval.clone());
        match &mut self.state {
            State::Claimed { lease: Lease { until } } => near(until, Self::PUT_OFF_AT_MOST, now),
            State::Sent { since, look_again_at } | State::Undoing { since, look_again_at, .. } => {
                near(look_again_at, Self::PUT_OFF_AT_MOST, now);
                near(since, Self::CLOCKS_DIFFER, now);
            }
            State::Waiting { since, until } if until.duration_since(now) > Self::ASKS_FOR => {
                *since = now;
                *until = now.checked_add(Self::ASKS_FOR).unwrap_or(now);
            }
            State::Open
            | State::Waiting { .. }
            | State::Done { .. }
            | State::Partly { .. }
            | State::Refused { .. }
            | State::Failed { .. }
            | State::Undone { .. }
            | State::Rejected { .. }
            | State::Expired { .. }
            | State::Resolved { .. } => {}
        }
        match self.wake {
            // Whoever was told waits for that moment, too.
            Wake::Due { at } | Wake::Sent { at } if at.duration_since(now) > Self::PUT_OFF_AT_MOST => {
                self.wake = Wake::Due { at: now };
            }
            Wake::None | Wake::Due { .. } | Wake::Sent { .. } => {}
        }
        if let Some(since) = &mut self.failing_since {
            near(since, Self::CLOCKS_DIFFER, now);
        }
        if let Some(approval) = &mut self.approval {
            near(&mut approval.at, Self::CLOCKS_DIFFER, now);
        }
        let mut any = (&self.state, self.wake, &self.approval) != (&before.0, before.1, &before.2);
        for delivery in &mut self.deliveries {
            any |= delivery.bring_near(now);
        }
        any
    }
}

impl Delivery {
    /// A channel that takes nothing is tried every six hours.
    const PUT_OFF_AT_MOST: SignedDuration = SignedDuration::from_hours(12);

    /// Like [`Incident::bring_near`].
    pub fn bring_near(&mut self, now: Timestamp) -> bool {
        let DeliveryStatus::Due { at, attempts: _ } = &mut self.status else { return false };
        let before = *at;
        near(at, Self::PUT_OFF_AT_MOST, now);
        *at != before
    }
}

impl ChannelState {
    /// The roll-up of a channel that takes nothing is tried every six hours. Returns whether it was further off.
    pub fn bring_near(&mut self, now: Timestamp) -> bool {
        let before = self.roll_up_at;
        if let Some(at) = &mut self.roll_up_at {
            near(at, Delivery::PUT_OFF_AT_MOST, now);
        }
        self.roll_up_at != before
    }
}

/// What is further off than that was put off by a clock that was ahead, and is due now.
fn near(at: &mut Timestamp, at_most: SignedDuration, now: Timestamp) {
    if at.duration_since(now) > at_most {
        *at = now;
    }
}
