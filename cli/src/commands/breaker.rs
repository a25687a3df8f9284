//! `guestlist breaker`: whether the circuit breaker is open, and how somebody closes it. Closing releases nothing that
//! waits.

use host::{Environment, Store};
use jiff::Timestamp;
use ledger::IncidentFilter;
use model::{Breaker, Budget, Counted, Incident, Opened, RequestKind, Reset};
use serde::Serialize;

use super::requests::{self, Asked};
use super::{incidents, open, words};
use crate::args::{self, Output};
use crate::exit::Exit;
use crate::out::{self, Colour};

/// How the breaker stands.
#[derive(Serialize)]
pub(super) struct Standing {
    pub(super) open: bool,
    /// A reset within the hour, from which on the touched guests are counted.
    #[serde(skip)]
    counted_since: Option<Timestamp>,
    opened: Option<Opened>,
    budgets: [Spent; 2],
    /// `None` while nobody has counted.
    guests: Option<Counted>,
    last_reset: Option<Reset>,
}

/// The guests touched within the last hour.
#[derive(Serialize)]
struct Spent {
    budget: Budget,
    touched: usize,
    an_hour_at_most: usize,
}

/// Incidents that wait for somebody's decision.
#[derive(Serialize)]
pub(super) struct Waiting {
    pub(super) count: usize,
    pub(super) oldest: Option<Timestamp>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    standing: Standing,
    waiting: Waiting,
}

#[derive(Serialize)]
struct Done {
    #[serde(flatten)]
    asked: Asked,
    waiting: Waiting,
}

pub(super) async fn run(
    environment: &Environment,
    breaker: args::Breaker,
    output: Output,
) -> anyhow::Result<Exit> {
    let (settings, store) = open(environment).await?;
    match breaker {
        args::Breaker::Show => show(&store, output).await,
        args::Breaker::Reset { reason, wait } => {
            let asked = requests::ask(&settings, &store, RequestKind::ResetBreaker, &reason, wait).await?;
            if asked.answer.is_none() {
                requests::unanswered_yet(&settings, &[&asked], wait);
            }
            let (exit, waiting) = (asked.exit(), waiting(&store).await?);
            out::show(output, &Done { asked, waiting }, |done| {
                requests::print_one(&done.asked)?;
                out::line(&done.waiting.in_words())
            })?;
            Ok(exit)
        }
    }
}

async fn show(store: &Store, output: Output) -> anyhow::Result<Exit> {
    let now = store.now().await?;
    let shown = Shown { standing: standing(store, now).await?, waiting: waiting(store).await? };
    out::show(output, &shown, |Shown { standing, waiting }| {
        let colour = if standing.open { Colour::Red } else { Colour::Green };
        out::painted(&[(&standing.in_words(), colour)])?;
        for line in standing.budgets_in_words() {
            out::line(&line)?;
        }
        out::line(&standing.count_in_words(now))?;
        if let Some(Reset { at, by, reason, request: _ }) = &standing.last_reset {
            out::line(&format!("last reset at {} by {by}: {reason}", words::seconds(*at)))?;
        }
        out::line(&waiting.in_words())
    })?;
    Ok(if shown.standing.open { Exit::NotWell } else { Exit::Well })
}

pub(super) async fn standing(store: &Store, now: Timestamp) -> anyhow::Result<Standing> {
    let breaker = store.ledger.breaker().await?.map(|stored| stored.value).unwrap_or_default();
    let spent = |budget| Spent {
        budget,
        touched: breaker.touched(budget, now),
        an_hour_at_most: breaker.limit(budget, now),
    };
    let budgets = [spent(Budget::Newcomers), spent(Budget::Established)];
    let Breaker { newcomers: _, established: _, guests, opened, reset } = breaker;
    let counted_since = reset.as_ref().map(|reset| reset.at);
    let counted_since = counted_since.filter(|at| now.duration_since(*at) < Breaker::HOUR);
    Ok(Standing { open: opened.is_some(), counted_since, opened, budgets, guests, last_reset: reset })
}

pub(super) async fn waiting(store: &Store) -> anyhow::Result<Waiting> {
    let filter = IncidentFilter { state: Some("waiting".to_owned()), ..IncidentFilter::default() };
    let found = incidents::all(store, &filter).await?;
    let since = |incident: &Incident| incident.state.waits().map(|(since, _)| since);
    Ok(Waiting { count: found.len(), oldest: found.iter().filter_map(since).min() })
}

impl Waiting {
    pub(super) fn in_words(&self) -> String {
        match (self.count, self.oldest) {
            (1, Some(since)) => {
                format!(
                    "1 incident waits for a decision, since {}: `guestlist approve` or `reject`",
                    words::seconds(since)
                )
            }
            (count, Some(since)) => format!(
                "{count} incidents wait for a decision, the oldest since {}: `guestlist approve` or `reject`",
                words::seconds(since)
            ),
            (_, None) => "nothing waits for a decision".to_owned(),
        }
    }
}

impl Standing {
    pub(super) fn in_words(&self) -> String {
        match &self.opened {
            None => "the circuit breaker is closed".to_owned(),
            Some(Opened { at, budget, limit }) => format!(
                "the circuit breaker is open since {}: more than {limit} {budget} within an hour; everything asks first \
                 until `guestlist breaker reset`",
                words::seconds(*at)
            ),
        }
    }

    pub(super) fn budgets_in_words(&self) -> [String; 2] {
        let when = match self.counted_since {
            Some(reset) => format!("since the reset at {}", words::seconds(reset)),
            None => "within the hour".to_owned(),
        };
        self.budgets.each_ref().map(|Spent { budget, touched, an_hour_at_most }| {
            format!("{budget}: {touched} of {an_hour_at_most} touched {when}")
        })
    }

    fn count_in_words(&self, now: Timestamp) -> String {
        match self.guests {
            None => "the guests of the tenant have not been counted yet".to_owned(),
            Some(Counted { guests, at }) => {
                let allows = |at| {
                    let guests = Some(Counted { guests, at });
                    Breaker { guests, ..Breaker::default() }.established_an_hour(now)
                };
                let old = if allows(at) == allows(now) { "" } else { ", which is too long ago to count on" };
                let at = words::seconds(at);
                format!("the tenant has {guests} guests, counted every six hours, last at {at}{old}")
            }
        }
    }
}
