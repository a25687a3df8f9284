//! What a process counts while it works, for `/metrics`, and the lags that it has not written into the ledger yet.
//!
//! Never here: who a guest is. A label is a word of ours, a rule's id, or a channel's name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use model::{Change, ChannelName, Finding, Lag, Source, Watched};
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use crate::Trouble;

/// Counters of one process, from nothing at its start. Clones share them.
#[derive(Debug, Clone)]
pub struct Meter {
    registry: Registry,
    received: IntCounterVec,
    refused: IntCounterVec,
    assessed: IntCounterVec,
    findings: IntCounterVec,
    deliveries: IntCounterVec,
    assessed_after: HistogramVec,
    unwritten: Arc<Mutex<BTreeMap<Watched, Lag>>>,
}

/// What came in and was made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    Change(Watched),
    Lifecycle,
}

/// Why something that came in was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// An item whose clientState is not ours.
    Forged,
    /// An item of ours that went to the dead letters.
    Unreadable,
    /// A POST that is no notification.
    Unparsable,
    TooLarge,
    TooSlow,
    BrokenOff,
    /// Enough other large POSTs are in memory.
    NoPlace,
    /// The store did not take it; Graph sends it again.
    NotDurable,
}

/// What became of one attempt at a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivered {
    Sent,
    RolledUp,
    Later,
    Failed,
}

impl Refusal {
    const ALL: [Self; 8] = [
        Self::Forged,
        Self::Unreadable,
        Self::Unparsable,
        Self::TooLarge,
        Self::TooSlow,
        Self::BrokenOff,
        Self::NoPlace,
        Self::NotDurable,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::Unreadable => "unreadable",
            Self::Unparsable => "unparsable",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::BrokenOff => "broken-off",
            Self::NoPlace => "no-place",
            Self::NotDurable => "not-durable",
        }
    }
}

impl Received {
    fn word(self) -> &'static str {
        match self {
            Self::Change(watched) => watched.word(),
            Self::Lifecycle => "lifecycle",
        }
    }
}

impl Delivered {
    fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::RolledUp => "rolled-up",
            Self::Later => "later",
            Self::Failed => "failed",
        }
    }
}

fn word(source: Source) -> &'static str {
    match source {
        Source::Notification => "notification",
        Source::SecondLook => "second-look",
        Source::Request => "request",
        Source::Reconciliation => "reconciliation",
        Source::TimePassed => "time-passed",
    }
}

impl Meter {
    /// # Errors
    /// Two metrics have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let received = counter(
            "guestlist_notifications_received_total",
            "Notifications of ours that were made durable, by what they are about.",
            &["resource"],
        )?;
        let refused = counter(
            "guestlist_notifications_refused_total",
            "Notifications (forged, unreadable) and POSTs (the others) that were not taken, by reason.",
            &["reason"],
        )?;
        let assessed = counter(
            "guestlist_assessed_total",
            "Looks that came to their end, by what they are about and what asked for them.",
            &["resource", "source"],
        )?;
        let findings = counter(
            "guestlist_findings_total",
            "Findings of looks, by rule. What is found again at the next look is counted again.",
            &["rule"],
        )?;
        let deliveries = counter(
            "guestlist_deliveries_total",
            "Attempts at messages, by channel and by what became of them.",
            &["channel", "result"],
        )?;
        let bounds = Lag::BOUNDS_MS.into_iter().map(seconds).collect();
        let opts = HistogramOpts::new(
            "guestlist_assessed_after_seconds",
            "From the arrival of a notification to the end of its first look.",
        );
        let assessed_after = HistogramVec::new(opts.buckets(bounds), &["resource"])?;
        registry.register(Box::new(assessed_after.clone()))?;
        // What has never happened is a nought, and not absent.
        for watched in Watched::ALL {
            received.with_label_values(&[Received::Change(watched).word()]);
            assessed_after.with_label_values(&[watched.word()]);
        }
        received.with_label_values(&[Received::Lifecycle.word()]);
        for refusal in Refusal::ALL {
            refused.with_label_values(&[refusal.word()]);
        }
        let unwritten = Arc::default();
        Ok(Self { registry, received, refused, assessed, findings, deliveries, assessed_after, unwritten })
    }

    /// Everything that this process has counted.
    #[must_use]
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// What came in was none, so that no flow has seen it.
    pub fn not_a_request(&self) {
        self.refused(Refusal::Unparsable, 1);
    }

    pub(crate) fn received(&self, what: Received) {
        self.received.with_label_values(&[what.word()]).inc();
    }

    pub(crate) fn refused(&self, why: Refusal, times: u64) {
        self.refused.with_label_values(&[why.word()]).inc_by(times);
    }

    pub(crate) fn found(&self, findings: &[Finding]) {
        for finding in findings {
            self.findings.with_label_values(&[finding.rule.as_str()]).inc();
        }
    }

    pub(crate) fn delivered(&self, channel: &ChannelName, what: Delivered) {
        self.deliveries.with_label_values(&[channel.0.as_str(), what.word()]).inc();
    }

    /// A look came to its end.
    pub(crate) fn assessed(&self, change: &Change, now: Timestamp) {
        let watched = Watched::of(change.resource);
        let resource = watched.word();
        self.assessed.with_label_values(&[resource, word(change.source)]).inc();
        if change.source != Source::Notification {
            return;
        }
        let lag = now.duration_since(change.received_at).max(SignedDuration::ZERO);
        self.assessed_after.with_label_values(&[resource]).observe(lag.as_secs_f64());
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        unwritten.entry(watched).or_default().add(lag);
    }

    /// Adds to the ledger what was counted since the last time: every few seconds, so that no notification costs a write.
    ///
    /// # Errors
    /// The ledger is in trouble. What was counted is kept for the next time.
    pub async fn write_down(&self, ledger: &ledger::Ledger, now: Timestamp) -> Result<(), Trouble> {
        let taken = std::mem::take(&mut *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner));
        let mut trouble = None;
        for (watched, lag) in taken {
            if let Err(error) = ledger.add_assessed_after(watched, &lag, now).await {
                let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
                unwritten.entry(watched).or_default().merge(&lag);
                trouble = Some(error);
            }
        }
        trouble.map_or(Ok(()), |error| Err(error.into()))
    }
}

fn seconds(milliseconds: i64) -> f64 {
    SignedDuration::from_millis(milliseconds).as_secs_f64()
}
