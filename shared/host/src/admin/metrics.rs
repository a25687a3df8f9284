//! What is measured: the counters of this process, and what the store says at this moment, which is the same in every process
//! that shares it. No label is anything that somebody outside can choose.

use jiff::Timestamp;
use model::{Canary, Mode, SubscriptionRecord, Watched};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, IntCounter, IntCounterVec, Opts, Registry};
use queue::Depth;

use super::Admin;

const MODES: [Mode; 3] = [Mode::Observe, Mode::Ask, Mode::Enforce];

/// Gauges that are made anew for each answer.
struct Gauges(Registry);

impl Gauges {
    fn add(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
        let gauge = GaugeVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn one(&self, name: &str, help: &str, value: Option<f64>) -> Result<(), prometheus::Error> {
        if let Some(value) = value {
            self.add(name, help, &[])?.with_label_values(&[] as &[&str]).set(value);
        }
        Ok(())
    }
}

impl Admin {
    /// What this process has counted.
    ///
    /// # Errors
    /// Two metrics have one name.
    pub(crate) fn counted(&self) -> anyhow::Result<Vec<MetricFamily>> {
        let registry = Registry::new();
        let steps = IntCounterVec::new(
            Opts::new(
                "guestlist_step_results_total",
                "Results of the writes to the tenant that this process noted, one after the other of each write.",
            ),
            &["result"],
        )?;
        registry.register(Box::new(steps.clone()))?;
        for (result, count) in self.store.ledger.recorded() {
            steps.with_label_values(&[result]).inc_by(count);
        }
        if let Some(traces) = &self.traces {
            let (sent, lost) = traces.counted();
            for (name, help, count) in [
                (
                    "guestlist_spans_sent_total",
                    "Spans that the collector of traces took from this process.",
                    sent,
                ),
                (
                    "guestlist_spans_lost_total",
                    "Spans of this process that no collector of traces will have.",
                    lost,
                ),
            ] {
                let spans = IntCounter::new(name, help)?;
                spans.inc_by(count);
                registry.register(Box::new(spans))?;
            }
        }
        let mut families = self.meter.gather();
        families.extend(registry.gather());
        Ok(families)
    }

    /// Whether this process judges by what lies where the policy belongs.
    ///
    /// # Errors
    /// Two metrics have one name.
    pub(crate) fn of_the_policy(&self) -> anyhow::Result<Vec<MetricFamily>> {
        let gauges = Gauges(Registry::new());
        gauges.one(
            "guestlist_policy_refused",
            "1 while the policy that lies there is not valid or cannot be read, and the one before stays in force.",
            self.policy_refused.as_ref().and_then(|refused| flag(*refused.borrow())),
        )?;
        Ok(gauges.0.gather())
    }

    /// With what the store says.
    ///
    /// # Errors
    /// Two metrics have one name.
    pub(crate) async fn gather(&self) -> anyhow::Result<Vec<MetricFamily>> {
        let gauges = Gauges(Registry::new());
        let modes = gauges.add(
            "guestlist_at_most",
            "1 for the mode that GUESTLIST_AT_MOST allows in this process.",
            &["mode"],
        )?;
        for mode in MODES {
            modes.with_label_values(&[mode.to_string()]).set(f64::from(u8::from(mode == self.ceiling)));
        }
        let read = self.of_the_store(&gauges).await;
        if let Err(error) = &read {
            tracing::error!("failed to read the store for the metrics: {error:#}");
        }
        let readable = Some(f64::from(u8::from(read.is_ok())));
        gauges.one("guestlist_store_readable", "0 while the gauges of the store are missing.", readable)?;
        let mut families = self.counted()?;
        families.extend(self.of_the_policy()?);
        families.extend(gauges.0.gather());
        Ok(families)
    }

    async fn of_the_store(&self, gauges: &Gauges) -> anyhow::Result<()> {
        let now = self.clock.now();
        self.queues(gauges, now).await?;
        self.subscriptions(gauges, now).await?;
        gauges.one(
            "guestlist_assessed_until_timestamp_seconds",
            "Every change up to this moment was assessed, but for dead letters. Absent while nobody can say.",
            self.store.assessed_until(now).await?.map(seconds),
        )?;
        let ledger = &self.store.ledger;
        let open = ledger.breaker().await?.is_some_and(|stored| stored.value.opened.is_some());
        gauges.one(
            "guestlist_breaker_open",
            "1 while the circuit breaker makes everything ask first.",
            flag(open),
        )?;
        gauges.one(
            "guestlist_writes_stopped",
            "1 while `guestlist stop` holds all writes to the tenant.",
            flag(ledger.stop().await?.is_some()),
        )?;
        match ledger.canary().await? {
            Some(stored) => canary(gauges, &stored.value),
            None => Ok(()),
        }
    }

    async fn queues(&self, gauges: &Gauges, now: Timestamp) -> anyhow::Result<()> {
        let depth = gauges.add(
            "guestlist_queue_depth",
            "Jobs in a queue: ready to be worked on, waiting for their time, claimed by a worker.",
            &["queue", "state"],
        )?;
        let oldest = gauges.add(
            "guestlist_queue_oldest_seconds",
            "For how long the oldest job that is ready has been; 0 where none is.",
            &["queue"],
        )?;
        let dead = gauges.add("guestlist_dead_letters", "Jobs that wait for a person.", &["queue"])?;
        for queue in self.store.queues.all() {
            let name = queue.name();
            let Depth { ready, waiting, claimed, dead: buried, oldest_ready } = queue.depth(now).await?;
            for (state, count) in [("ready", ready), ("waiting", waiting), ("claimed", claimed)] {
                depth.with_label_values(&[name, state]).set(number(count));
            }
            let age = oldest_ready.map_or(0.0, |since| now.duration_since(since).as_secs_f64());
            oldest.with_label_values(&[name]).set(age);
            dead.with_label_values(&[name]).set(number(buried));
        }
        Ok(())
    }

    async fn subscriptions(&self, gauges: &Gauges, now: Timestamp) -> anyhow::Result<()> {
        let expires = gauges.add(
            "guestlist_subscription_expires_in_seconds",
            "Until the subscription ends, unless it is renewed; 0 where there is none.",
            &["resource"],
        )?;
        let last = gauges.add(
            "guestlist_last_notification_age_seconds",
            "Since the last notification, to the minute. Absent while there was none.",
            &["resource"],
        )?;
        let records = self.store.ledger.subscriptions().await?;
        for watched in Watched::ALL {
            let of = || records.iter().map(|stored| &stored.value).filter(move |one| one.watched == watched);
            let until = of().filter_map(SubscriptionRecord::lives_until).max();
            let left = until.map_or(0.0, |until| until.duration_since(now).as_secs_f64().max(0.0));
            expires.with_label_values(&[watched.word()]).set(left);
            if let Some(at) = of().filter_map(|one| one.last_notification_at).max() {
                last.with_label_values(&[watched.word()]).set(now.duration_since(at).as_secs_f64());
            }
        }
        Ok(())
    }
}

fn canary(gauges: &Gauges, canary: &Canary) -> anyhow::Result<()> {
    gauges.one(
        "guestlist_canary_lost",
        "1 while changes of the canary do not come back in time.",
        flag(canary.is_lost()),
    )?;
    gauges.one(
        "guestlist_canary_idle",
        "1 while nothing is changed: writes are held, or the canary cannot be flown.",
        flag(canary.idle.is_some()),
    )?;
    let Some(back) = canary.last_back else { return Ok(()) };
    gauges.one(
        "guestlist_canary_last_back_timestamp_seconds",
        "When a change of the canary last came back as a notification.",
        Some(seconds(back.at)),
    )?;
    gauges.one(
        "guestlist_canary_last_lag_seconds",
        "From that change to the arrival of its notification.",
        Some(back.at.duration_since(back.sent_at).as_secs_f64()),
    )?;
    Ok(())
}

fn flag(is: bool) -> Option<f64> {
    Some(f64::from(u8::from(is)))
}

fn seconds(at: Timestamp) -> f64 {
    at.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
}

/// Far below where whole numbers end in a float.
fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
