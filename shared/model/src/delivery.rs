//! What is to be told, and where. Deliveries are listed in the incident or notice that they are about, so that a
//! message that was lost on the way is found again in the ledger.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Severity;

/// The operator's name for a place where people are told (`slack`, `webhook`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelName(pub String);

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where people are told, each place with the lowest severity that goes there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes(pub Vec<(ChannelName, Severity)>);

impl Routes {
    /// The channels that something this bad goes to.
    #[must_use]
    pub fn for_severity(&self, severity: Severity) -> Vec<ChannelName> {
        let fits = self.0.iter().filter(|(_, from)| severity >= *from);
        fits.map(|(name, _)| name.clone()).collect()
    }

    #[must_use]
    pub fn all(&self) -> Vec<ChannelName> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub channel: ChannelName,
    /// Grows with each change of state that is told, and makes a message's id together with the incident's.
    pub sequence: u32,
    pub status: DeliveryStatus,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "status")]
pub enum DeliveryStatus {
    Due {
        at: Timestamp,
        attempts: u32,
    },
    Sent {
        at: Timestamp,
    },
    /// Too many messages this hour: it is counted in the channel's next roll-up.
    RolledUp {
        at: Timestamp,
    },
    /// A later state was told instead.
    Superseded,
    /// The channel would not have it, and will not.
    Failed {
        at: Timestamp,
        why: String,
    },
}

impl Delivery {
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.status {
            DeliveryStatus::Due { at, attempts: _ } => Some(*at),
            DeliveryStatus::Sent { at: _ }
            | DeliveryStatus::RolledUp { at: _ }
            | DeliveryStatus::Superseded
            | DeliveryStatus::Failed { at: _, why: _ } => None,
        }
    }
}

impl Delivery {
    /// People have it, alone or in a roll-up.
    pub(crate) fn was_told(&self) -> bool {
        match &self.status {
            DeliveryStatus::Sent { at: _ } | DeliveryStatus::RolledUp { at: _ } => true,
            DeliveryStatus::Due { at: _, attempts: _ }
            | DeliveryStatus::Superseded
            | DeliveryStatus::Failed { at: _, why: _ } => false,
        }
    }
}

/// Where something is due, and when.
#[must_use]
pub fn due_deliveries(deliveries: &[Delivery]) -> Vec<(ChannelName, Timestamp)> {
    deliveries.iter().filter_map(|one| Some((one.channel.clone(), one.due_at()?))).collect()
}

/// Nothing that is still due is sent.
pub(crate) fn withdraw(deliveries: &mut [Delivery]) {
    for delivery in deliveries.iter_mut() {
        if delivery.due_at().is_some() {
            delivery.status = DeliveryStatus::Superseded;
        }
    }
}

/// Replaces what is still due by one delivery a channel.
pub(crate) fn schedule(deliveries: &mut Vec<Delivery>, channels: &[ChannelName], at: Timestamp) {
    let sequence = deliveries.iter().map(|delivery| delivery.sequence).max().unwrap_or(0).saturating_add(1);
    withdraw(deliveries);
    deliveries.extend(channels.iter().map(|channel| Delivery {
        channel: channel.clone(),
        sequence,
        status: DeliveryStatus::Due { at, attempts: 0 },
    }));
}

/// Which deliveries of a channel nobody has been told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owed {
    Due,
    /// What went into a roll-up, too, which was not sent.
    DueOrRolledUp,
}

/// What a channel is owed that will not be told there goes to others, unless they hear of it, or of something later, by
/// themselves. False: it is owed nothing.
pub fn hand_over(
    deliveries: &mut Vec<Delivery>,
    (from, owed): (&ChannelName, Owed),
    to: &[ChannelName],
    now: Timestamp,
) -> bool {
    let mut last = None;
    for one in deliveries.iter_mut().filter(|one| one.channel == *from) {
        let due = match &one.status {
            DeliveryStatus::Due { at, attempts: _ } => *at,
            DeliveryStatus::RolledUp { at: _ } if owed == Owed::DueOrRolledUp => now,
            DeliveryStatus::RolledUp { at: _ }
            | DeliveryStatus::Sent { at: _ }
            | DeliveryStatus::Superseded
            | DeliveryStatus::Failed { at: _, why: _ } => continue,
        };
        last = last.max(Some((one.sequence, due)));
        let why = "the channel is not among the settings any more".to_owned();
        one.status = DeliveryStatus::Failed { at: now, why };
    }
    let Some((sequence, due)) = last else { return false };
    for channel in to {
        if !deliveries.iter().any(|one| one.channel == *channel && one.sequence >= sequence) {
            let status = DeliveryStatus::Due { at: due.max(now), attempts: 0 };
            deliveries.push(Delivery { channel: channel.clone(), sequence, status });
        }
    }
    true
}

/// What a channel has had this hour, and what waits for its roll-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelState {
    pub name: ChannelName,
    /// Moments of the single messages of the last hour.
    pub sent: Vec<Timestamp>,
    pub rolled_up: Vec<RolledUp>,
    /// When the next roll-up is due, if anything waits for one.
    pub roll_up_at: Option<Timestamp>,
    /// Why the channel takes nothing any more, and since when, until a delivery succeeds.
    pub broken: Option<(Timestamp, String)>,
}

/// One line of a roll-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledUp {
    /// An incident's id or a notice's key.
    pub about: String,
    pub headline: String,
    pub severity: Severity,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn named(name: &str) -> ChannelName {
        ChannelName(name.to_owned())
    }

    fn one(name: &str, sequence: u32, status: DeliveryStatus) -> Delivery {
        Delivery { channel: named(name), sequence, status }
    }

    #[test]
    fn what_a_channel_is_owed_goes_to_those_who_do_not_hear_of_it_anyway() {
        let due = |second| DeliveryStatus::Due { at: at(second), attempts: 3 };
        let sent = || DeliveryStatus::Sent { at: at(0) };
        let gone = || DeliveryStatus::Failed {
            at: at(50),
            why: "the channel is not among the settings any more".to_owned(),
        };
        let fresh = |second| DeliveryStatus::Due { at: at(second), attempts: 0 };
        let before = vec![
            one("slack", 1, sent()),
            one("teams", 1, sent()),
            one("slack", 2, due(40)),
            one("pager", 2, DeliveryStatus::Superseded),
        ];
        let (slack, to) = (named("slack"), [named("teams"), named("pager")]);
        let mut deliveries = before.clone();
        assert!(hand_over(&mut deliveries, (&slack, Owed::Due), &to, at(50)));
        let mut after = before;
        after[2].status = gone();
        after.push(one("teams", 2, fresh(50)));
        assert_eq!(deliveries, after, "due since before, and the pager hears something later or nothing");
        assert!(!hand_over(&mut deliveries, (&slack, Owed::DueOrRolledUp), &to, at(60)));
        assert_eq!(deliveries, after, "once");

        let mut later = vec![one("slack", 1, due(90))];
        assert!(hand_over(&mut later, (&slack, Owed::Due), &to[..1], at(50)));
        assert_eq!(later, [one("slack", 1, gone()), one("teams", 1, fresh(90))], "at its own time");
    }

    #[test]
    fn what_went_into_a_roll_up_is_owed_only_where_that_was_not_sent() {
        let (slack, to) = (named("slack"), [named("teams")]);
        let mut deliveries = vec![one("slack", 1, DeliveryStatus::RolledUp { at: at(0) })];
        assert!(!hand_over(&mut deliveries, (&slack, Owed::Due), &to, at(50)));
        assert!(hand_over(&mut deliveries, (&slack, Owed::DueOrRolledUp), &to, at(50)));
        assert_eq!(due_deliveries(&deliveries), [(named("teams"), at(50))]);
    }
}
