//! Trying again, a bounded number of times, with pauses that grow and that chance shortens, so that two who met do not meet
//! again at once.

use std::time::Duration;

/// Together about a second and a half at most: as long as a conflict between transactions of a few milliseconds may
/// reasonably go on.
const TRIES: u32 = 12;
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
pub(crate) struct Pace {
    waited: u32,
}

impl Pace {
    /// False: there have been enough.
    pub(crate) async fn again(&mut self) -> bool {
        if self.waited.saturating_add(1) >= TRIES {
            return false;
        }
        let longest = FIRST.saturating_mul(2_u32.saturating_pow(self.waited)).min(LONGEST);
        self.waited = self.waited.saturating_add(1);
        // Without a source of chance the whole pause is as good.
        let part = getrandom::u32().unwrap_or(u32::MAX);
        tokio::time::sleep(longest.mul_f64(f64::from(part) / f64::from(u32::MAX))).await;
        true
    }
}
