//! Whether our clock may be believed. A clock that is wrong by days would end what people decided to hold for days, and
//! nothing would begin it again: so Microsoft's is asked for before anything ends because time has passed.
//!
//! Never here: what ends, or a write.

use jiff::SignedDuration;
use model::NoticeKind;

use crate::{Notices, Trouble};

/// Nothing is to end while our clock is known to be wrong, or Graph cannot be asked: it ends a little later then. Where
/// Graph's answers name no time, nobody can know better than our clock.
///
/// # Errors
/// The ledger or a queue is in trouble.
pub(crate) async fn may_end(reader: &graph::Reader, notices: &Notices) -> Result<bool, Trouble> {
    if !notices.clock.was_compared()
        && let Err(error) = reader.organization().await
        && !notices.clock.was_compared()
    {
        tracing::warn!("nothing ends before Graph has said what time it is: failed to {error}");
        return Ok(false);
    }
    notices.clock_is_wrong().await.map(|wrong| !wrong)
}

impl Notices {
    /// Whether our clock was wrong when Microsoft's was last heard of; people are told for as long as it is.
    ///
    /// # Errors
    /// The ledger or the queue could not be written.
    pub(crate) async fn clock_is_wrong(&self) -> Result<bool, Trouble> {
        let Some(ahead) = self.clock.wrong_by() else { return Ok(false) };
        let text = format!(
            "this machine's clock is {}: nothing is written to the tenant, and what was decided for a time does not end",
            off(ahead)
        );
        self.raise(NoticeKind::ClockWrong, "clock", text, 1).await?;
        Ok(true)
    }
}

/// `3 h 20 min ahead of Microsoft Graph's`
#[must_use]
pub fn off(ahead: SignedDuration) -> String {
    let side = if ahead.is_negative() { "behind" } else { "ahead of" };
    let minutes = ahead.abs().as_mins();
    match minutes {
        0..=119 => format!("{minutes} min {side} Microsoft Graph's"),
        _ => format!("{} h {} min {side} Microsoft Graph's", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_clock_is_off_reads_as_people_say_it() {
        assert_eq!(off(SignedDuration::from_secs(-301)), "5 min behind Microsoft Graph's");
        assert_eq!(off(SignedDuration::from_mins(8 * 24 * 60 + 7)), "192 h 7 min ahead of Microsoft Graph's");
    }
}
