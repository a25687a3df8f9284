//! What time it is by Microsoft's clock, before anything ends or is claimed because time has passed: what a clock that is wrong
//! by days would end, nothing would begin again.
//!
//! Never here: what ends, or a write.

use jiff::SignedDuration;
use model::NoticeKind;

use crate::{Notices, Trouble};

/// Whether the time is known: Graph has said it within a minute, or says it now. Where it cannot be asked, what is to end ends
/// a little later. Where its answers name no time, nobody can know better than our clock.
///
/// # Errors
/// The ledger or a queue is in trouble.
pub(crate) async fn may_end(reader: &graph::Reader, notices: &Notices) -> Result<bool, Trouble> {
    if !notices.clock.was_compared()
        && let Err(error) = reader.client().ask_the_time().await
    {
        tracing::warn!("nothing ends before Graph has said what time it is: failed to {error}");
        return Ok(false);
    }
    notices.tell_of_clock().await?;
    Ok(true)
}

impl Notices {
    /// People are told that the machine's clock is wrong for as long as it is.
    ///
    /// # Errors
    /// The ledger or the queue could not be written.
    pub(crate) async fn tell_of_clock(&self) -> Result<(), Trouble> {
        let Some(ahead) = self.clock.wrong_by() else { return Ok(()) };
        let text = format!(
            "this machine's clock is {}: Guestlist goes by Graph's for as long as it hears of it",
            off(ahead)
        );
        self.raise(NoticeKind::ClockWrong, "clock", text, 1).await
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
