//! How fast Guestlist learns of changes: how long notifications waited for their first look, and the canary.

use host::Store;
use jiff::{SignedDuration, Timestamp};
use model::{Back, Canary, Idle, Lag, Watched, Within};
use serde::Serialize;

use crate::commands::words::seconds;

#[derive(Serialize)]
pub(super) struct Watching {
    /// Over the last day or two.
    first_looks: Vec<FirstLooks>,
    /// `None`: there is none.
    canary: Option<Canaried>,
}

/// Percentiles in milliseconds, each as the bound of a bucket; `null` where it took longer than an hour, or nothing was
/// counted.
#[derive(Serialize)]
struct FirstLooks {
    resource: &'static str,
    count: u64,
    half_ms: Option<i64>,
    p95_ms: Option<i64>,
    p99_ms: Option<i64>,
    #[serde(skip)]
    lag: Lag,
}

#[derive(Serialize)]
struct Canaried {
    out_since: Option<Timestamp>,
    next_at: Timestamp,
    last_back_at: Option<Timestamp>,
    last_lag_ms: Option<i64>,
    lost_since: Option<Timestamp>,
    idle: Option<Idle>,
    #[serde(skip)]
    lag: Lag,
}

impl Watching {
    pub(super) async fn read(store: &Store, troubles: &mut Vec<String>) -> anyhow::Result<Self> {
        let mut first_looks = Vec::new();
        for watched in Watched::ALL {
            let lag = store.ledger.assessed_after(watched).await?.map(|lag| lag.all()).unwrap_or_default();
            first_looks.push(FirstLooks::of(watched, lag));
        }
        let canary = store.ledger.canary().await?.map(|stored| Canaried::of(&stored.value));
        if let Some(trouble) = canary.as_ref().and_then(Canaried::trouble) {
            troubles.push(trouble);
        }
        Ok(Self { first_looks, canary })
    }

    pub(super) fn in_words(&self) -> [String; 2] {
        let looks: Vec<String> = self.first_looks.iter().map(FirstLooks::in_words).collect();
        let canary = self.canary.as_ref().map_or_else(|| "not set".to_owned(), Canaried::in_words);
        [format!("from a notification to its first look: {}", looks.join("; ")), format!("canary: {canary}")]
    }
}

impl FirstLooks {
    fn of(watched: Watched, lag: Lag) -> Self {
        let percentile = |of_a_hundred| match lag.within(of_a_hundred) {
            Some(Within::AtMost(bound)) => i64::try_from(bound.as_millis()).ok(),
            Some(Within::Above(_)) | None => None,
        };
        Self {
            resource: watched.resource(),
            count: lag.count(),
            half_ms: percentile(50),
            p95_ms: percentile(95),
            p99_ms: percentile(99),
            lag,
        }
    }

    fn in_words(&self) -> String {
        let Self { resource, count, lag, half_ms: _, p95_ms: _, p99_ms: _ } = self;
        match (lag.within(50), lag.within(95)) {
            (Some(half), Some(most)) => {
                format!("{resource} half {}, 95 % {} (of {count})", bound(half), bound(most))
            }
            (None, _) | (_, None) => format!("{resource} none yet"),
        }
    }
}

impl Canaried {
    fn of(canary: &Canary) -> Self {
        let Canary { user: _, group: _, out, next_at, last_back, lost: _, idle, lag } = canary;
        let lag_of = |back: Back| i64::try_from(back.at.duration_since(back.sent_at).as_millis()).ok();
        Self {
            out_since: out.map(|out| out.at),
            next_at: *next_at,
            last_back_at: last_back.map(|back| back.at),
            last_lag_ms: last_back.and_then(lag_of),
            lost_since: canary.lost.filter(|_| canary.is_lost()).map(|lost| lost.since),
            idle: idle.clone(),
            lag: lag.all(),
        }
    }

    fn trouble(&self) -> Option<String> {
        if let Some(since) = self.lost_since {
            return Some(format!(
                "the canary does not come back since {}: Microsoft Graph tells of changes of groups late or not at all",
                seconds(since)
            ));
        }
        match &self.idle {
            // Whoever holds all writes knows it.
            Some(Idle::Held { why: _ }) | None => None,
            Some(Idle::Refused { why } | Idle::Failed { why }) => {
                Some(format!("the canary is not flown: {why}"))
            }
        }
    }

    fn in_words(&self) -> String {
        let back = match (self.last_back_at, self.last_lag_ms) {
            (Some(at), Some(lag)) => {
                let lag = SignedDuration::from_millis(lag);
                let most = self.lag.within(95).map_or_else(String::new, |most| {
                    format!(", 95 % {} (of {})", bound(most), self.lag.count())
                });
                format!("last back at {}, {} after the change{most}", seconds(at), span(lag))
            }
            (None, _) | (_, None) => "it has never come back".to_owned(),
        };
        match (&self.idle, self.out_since) {
            (Some(idle), _) => format!("not flown, because {}; {back}", idle.why()),
            (None, Some(since)) => format!("out since {}; {back}", seconds(since)),
            (None, None) => back,
        }
    }
}

fn bound(within: Within) -> String {
    match within {
        Within::AtMost(span_of_it) => format!("within {}", span(span_of_it)),
        Within::Above(span_of_it) => format!("above {}", span(span_of_it)),
    }
}

/// `0.25 s`, `30 s`, `10 min`
fn span(span: SignedDuration) -> String {
    match span.as_secs() {
        0..=9 => format!("{} s", span.as_secs_f64()),
        seconds @ 10..=119 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_as_people_say_it() {
        let shown = [100, 2_500, 30_000, 119_999, 120_000, 3_600_000];
        let shown = shown.map(|ms| span(SignedDuration::from_millis(ms)));
        assert_eq!(shown, ["0.1 s", "2.5 s", "30 s", "119 s", "2 min", "60 min"]);
    }
}
