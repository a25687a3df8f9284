//! What operators are told that is not about a guest's finding: something is wrong with Guestlist or its surroundings.

use jiff::Timestamp;
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
    /// A job failed too often; it lies in the dead letters.
    JobBuried,
    /// A changed policy file was taken.
    PolicyTaken,
    /// A changed policy file is not valid; the one before stays in force.
    PolicyRefused,
    /// A channel takes no messages.
    ChannelBroken,
    /// A subscription could not be created or kept alive.
    SubscriptionTrouble,
    /// Graph refuses our credential or a permission.
    CredentialTrouble,
    /// All writes were stopped, or resumed.
    WritesStopped,
    WritesResumed,
    /// Somebody asked for a test message.
    Test,
}

impl NoticeKind {
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::PolicyTaken | Self::WritesResumed | Self::Test => Severity::Low,
            Self::ForgedNotifications
            | Self::OversizedNotification
            | Self::UnreadableNotification
            | Self::GuestVanished => Severity::Medium,
            Self::JobBuried
            | Self::PolicyRefused
            | Self::ChannelBroken
            | Self::SubscriptionTrouble
            | Self::CredentialTrouble
            | Self::WritesStopped => Severity::High,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The same trouble has the same key, and is told once until it has been quiet for an hour.
    pub key: String,
    pub kind: NoticeKind,
    pub text: String,
    pub count: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub deliveries: Vec<Delivery>,
}

impl Notice {
    const QUIET: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

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

    /// The same trouble again. It is told again only after an hour of quiet.
    pub fn again(&mut self, text: String, times: u64, channels: &[ChannelName], now: Timestamp) {
        let quiet = now.duration_since(self.last_at) >= Self::QUIET;
        if quiet {
            self.first_at = now;
            self.count = 0;
        }
        self.count = self.count.saturating_add(times);
        self.last_at = now;
        self.text = text;
        if quiet {
            crate::delivery::schedule(&mut self.deliveries, channels, now);
        }
    }

    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        self.deliveries.iter().filter_map(Delivery::due_at).min()
    }
}
