//! The leases of a process that died: nobody works under them any more, so nobody has to wait for their end.
//!
//! Never here: who died. Whoever asks knows that he is the only one who remediates.

use jiff::Timestamp;
use ledger::LedgerError;
use model::{Lease, State};

use crate::{Remediator, Trouble};

impl Remediator {
    /// More than one process holds at a time, behind all else that may be due.
    const MOST: usize = 10_000;

    /// Ends every lease on an incident. Returns how many there were.
    pub(crate) async fn end_leases(&self, now: Timestamp) -> Result<usize, Trouble> {
        let mut ended = 0_usize;
        // However far off: whoever claimed it may have had a clock that was ahead.
        for mut stored in self.ledger.due_incidents(Timestamp::MAX, Self::MOST).await? {
            let State::Claimed { lease } = &mut stored.value.state else { continue };
            if lease.until <= now {
                continue;
            }
            *lease = Lease { until: now };
            match self.ledger.replace(stored).await {
                Ok(_) => ended = ended.saturating_add(1),
                // `assess` has met it again at this moment: the lease ends by itself.
                Err(LedgerError::Conflict { place: _ }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(ended)
    }
}
