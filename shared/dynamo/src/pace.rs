//! Trying again, a bounded number of times, with pauses that grow and that chance shortens, so that two who met do not meet
//! again at once.

use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;

/// Of one request, by the SDK.
const REQUEST_TRIES: u32 = 4;
const REQUEST_FIRST: Duration = Duration::from_millis(50);
const REQUEST_LONGEST: Duration = Duration::from_secs(1);

/// How the SDK of any service of AWS tries again. `patience` is how long one request may take with all its tries; a single try
/// gets a third of it.
#[must_use]
pub fn patient(patience: Duration) -> (RetryConfig, TimeoutConfig) {
    let retry = RetryConfig::standard()
        .with_max_attempts(REQUEST_TRIES)
        .with_initial_backoff(REQUEST_FIRST)
        .with_max_backoff(REQUEST_LONGEST);
    let one = patience.checked_div(3).unwrap_or(patience);
    let timeout = TimeoutConfig::builder()
        .connect_timeout(one)
        .operation_attempt_timeout(one)
        .operation_timeout(patience)
        .build();
    (retry, timeout)
}

/// Together about a second and a half at most: as long as a conflict between transactions of a few milliseconds may
/// reasonably go on.
const TRIES: u32 = 12;
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(200);

/// The pauses between the tries of one piece of work.
#[derive(Debug, Default)]
pub struct Pace {
    waited: u32,
}

impl Pace {
    /// Waits for the next try. False: there have been enough.
    pub async fn again(&mut self) -> bool {
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
