//! What operators are told that is not about a guest's finding: something is wrong with Guestlist or its surroundings.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{ChannelName, Delivery, Severity};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// POSTs whose clientState is not ours.
    ForgedNotifications,
    /// A POST above the limit.
    OversizedNotification,
    /// A notification of ours that could not be read; it lies in the dead letters.
    UnreadableNotification,
    /// A known guest is gone from the directory.
    GuestVanished,
    /// What an undo of ours restored was deleted again, by somebody else.
    DeletedAgain,
    /// A job failed too often; it lies in the dead letters.
    JobBuried,
    /// A changed policy file was taken.
    PolicyTaken,
    /// What lies where the policy belongs is not valid or cannot be read; the one before stays in force.
    PolicyRefused,
    /// A channel takes no messages.
    ChannelBroken,
    /// A subscription could not be created or kept alive.
    SubscriptionTrouble,
    /// Graph refuses our credential or a permission.
    CredentialTrouble,
    /// So many guests were touched in an hour that everything asks first.
    BreakerOpened,
    /// It acts without asking again.
    BreakerReset,
    /// What admits a guest ends soon.
    AdmissionEnds,
    /// The policy names a group by a name that is not one group's.
    AmbiguousName,
    /// The changes that we make for the purpose do not come back as notifications, or do again.
    CanaryLost,
    CanaryBack,
    /// The canary's account or group is not what it has to be.
    CanaryRefused,
    /// This machine's clock is minutes off Microsoft's.
    ClockWrong,
    /// All writes were stopped, or resumed.
    WritesStopped,
    WritesResumed,
    /// Somebody asked for a test message.
    Test,
}

impl NoticeKind {
    /// The trouble that this one is the end of: whoever heard of that hears of this.
    #[must_use]
    pub fn ends(self) -> Option<Self> {
        match self {
            Self::PolicyTaken => Some(Self::PolicyRefused),
            Self::BreakerReset => Some(Self::BreakerOpened),
            Self::WritesResumed => Some(Self::WritesStopped),
            Self::CanaryBack => Some(Self::CanaryLost),
            Self::ForgedNotifications
            | Self::OversizedNotification
            | Self::UnreadableNotification
            | Self::GuestVanished
            | Self::DeletedAgain
            | Self::JobBuried
            | Self::PolicyRefused
            | Self::ChannelBroken
            | Self::SubscriptionTrouble
            | Self::CredentialTrouble
            | Self::BreakerOpened
            | Self::AdmissionEnds
            | Self::AmbiguousName
            | Self::CanaryLost
            | Self::CanaryRefused
            | Self::ClockWrong
            | Self::WritesStopped
            | Self::Test => None,
        }
    }

    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::PolicyTaken | Self::WritesResumed | Self::BreakerReset | Self::CanaryBack | Self::Test => {
                Severity::Low
            }
            Self::ForgedNotifications
            | Self::OversizedNotification
            | Self::UnreadableNotification
            | Self::AdmissionEnds
            | Self::AmbiguousName
            | Self::CanaryRefused
            | Self::GuestVanished
            | Self::DeletedAgain => Severity::Medium,
            Self::BreakerOpened => Severity::Critical,
            Self::JobBuried
            | Self::PolicyRefused
            | Self::ChannelBroken
            | Self::SubscriptionTrouble
            | Self::CredentialTrouble
            | Self::CanaryLost
            | Self::ClockWrong
            | Self::WritesStopped => Severity::High,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The same trouble has the same key. While it goes on it is told after spans that grow, and anew once it has been
    /// quiet for an hour.
    pub key: String,
    pub kind: NoticeKind,
    pub text: String,
    pub count: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub deliveries: Vec<Delivery>,
}

impl Notice {
    const QUIET: SignedDuration = SignedDuration::from_hours(1);
    /// Trouble that goes on is told again at these ages, and then every day.
    const AGAIN_AT: [SignedDuration; 3] =
        [SignedDuration::from_hours(1), SignedDuration::from_hours(5), SignedDuration::from_hours(29)];
    const DAY_SECONDS: i64 = 24 * 60 * 60;

    #[must_use]
    pub fn new(
        key: String,
        kind: NoticeKind,
        text: String,
        channels: &[ChannelName],
        now: Timestamp,
    ) -> Self {
        let mut deliveries = Vec::new();
        crate::delivery::schedule(&mut deliveries, channels, now);
        Self { key, kind, text, count: 1, first_at: now, last_at: now, deliveries }
    }

    /// The same trouble again. It is told again after an hour of quiet, and while it goes on, an hour, four hours and a
    /// day after the time before, and then every day.
    pub fn again(&mut self, text: String, times: u64, channels: &[ChannelName], now: Timestamp) {
        // Stamps from the future are those of a clock that was set back since.
        self.first_at = self.first_at.min(now);
        self.last_at = self.last_at.min(now);
        let quiet = now.duration_since(self.last_at) >= Self::QUIET;
        let goes_on = self.times_to_tell(now) > self.times_to_tell(self.last_at);
        if quiet {
            self.first_at = now;
            self.count = 0;
        }
        self.count = self.count.saturating_add(times);
        self.last_at = now;
        self.text = text;
        if quiet || goes_on {
            crate::delivery::schedule(&mut self.deliveries, channels, now);
        }
    }

    /// How often it ought to have been told again by then.
    fn times_to_tell(&self, by: Timestamp) -> i64 {
        let age = by.duration_since(self.first_at);
        let [_, _, last] = Self::AGAIN_AT;
        let days = if age < last { 0 } else { (age - last).as_secs() / Self::DAY_SECONDS };
        Self::AGAIN_AT.iter().fold(days, |times, at| times.saturating_add(i64::from(age >= *at)))
    }

    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        self.deliveries.iter().filter_map(Delivery::due_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    /// The minutes at which trouble is told that is met at these minutes.
    fn told(met: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let channels = [ChannelName("slack".to_owned())];
        let mut notice: Option<Notice> = None;
        let mut told = Vec::new();
        for minute in met {
            let before = notice.as_ref().map_or(0, |notice| notice.deliveries.len());
            let now = match notice.take() {
                None => {
                    let (key, text) = ("k".to_owned(), "t".to_owned());
                    Notice::new(key, NoticeKind::JobBuried, text, &channels, at(minute))
                }
                Some(mut notice) => {
                    notice.again("t".to_owned(), 1, &channels, at(minute));
                    notice
                }
            };
            if now.deliveries.len() > before {
                told.push(minute);
            }
            notice = Some(now);
        }
        told
    }

    #[test]
    fn trouble_that_goes_on_is_told_after_spans_that_grow_to_a_day() {
        let hours: Vec<i64> = told((0..6_000).step_by(30)).iter().map(|minute| minute / 60).collect();
        assert_eq!(hours, [0, 1, 5, 29, 53, 77]);
    }

    #[test]
    fn trouble_that_was_quiet_for_an_hour_is_told_anew() {
        assert_eq!(told([0, 10, 70, 80, 129, 130]), [0, 70, 130]);
    }

    #[test]
    fn a_clock_that_was_set_back_silences_nothing() {
        assert_eq!(told([10_000, 0, 30, 59, 60, 90]), [10_000, 60]);
        assert_eq!(told([10_000, 0, 60]), [10_000, 60]);
    }
}
