//! How far behind replicas were, and when: whoever acts on what one of them showed acts on what was true then.

use jiff::{SignedDuration, Timestamp};
use simulator::Faults;

#[derive(Debug, Default)]
pub(super) struct Lags {
    /// Since when, and by how much at most. In order.
    all: Vec<(Timestamp, SignedDuration)>,
    /// Rows of the audit came so late that people were told of what nobody knew yet.
    pub(super) audit_was_late: bool,
}

impl Lags {
    /// So long Guestlist waits for a row before it says that it knows nothing.
    const ROWS_LAG: SignedDuration = SignedDuration::from_mins(15);

    pub(super) fn change(&mut self, now: Timestamp, faults: &Faults) {
        let lags = [faults.stale, faults.fresh].into_iter().flatten().map(|one| one.lag);
        self.all.push((now, lags.max().unwrap_or_default()));
        self.audit_was_late |= faults.audit_lag >= Self::ROWS_LAG;
    }

    /// The longest of those that were so at some time within the span before this moment.
    pub(super) fn before(&self, at: Timestamp, span: SignedDuration) -> SignedDuration {
        let ends = self.all.iter().skip(1).map(|(since, _)| Some(*since)).chain([None]);
        let near = self.all.iter().zip(ends).filter(|((since, _), until)| {
            *since <= at && until.is_none_or(|until| at.duration_since(until) <= span)
        });
        near.map(|((_, lag), _)| *lag).max().unwrap_or_default()
    }

    pub(super) fn longest(&self) -> SignedDuration {
        self.all.iter().map(|(_, lag)| *lag).max().unwrap_or_default()
    }
}
