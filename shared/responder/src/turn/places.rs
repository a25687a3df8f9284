//! The circuit breaker's places: one is taken in the write that precedes the first step, and goes back in the write that ends
//! a claim under which nothing was sent.
//!
//! Never here: whether a plan may be carried out at all.

use jiff::Timestamp;
use ledger::{LedgerError, Stored};
use model::{Breaker, Incident, Place};

use crate::trouble::to_the_second;
use crate::{Remediator, Trouble};

/// A claimed incident, with a place or waiting for somebody. Either is written.
pub(crate) enum Counted {
    /// `taken_at`: it had none before.
    HasPlace {
        stored: Box<Stored<Incident>>,
        taken_at: Option<Timestamp>,
    },
    Waits,
}

impl Remediator {
    /// Writes down the plan that is about to be carried out, and with it the place that it takes. `read` is the document as
    /// it stands in the ledger, and `planned` what becomes of it.
    pub(crate) async fn take_place(
        &self,
        read: &Stored<Incident>,
        planned: Stored<Incident>,
    ) -> Result<Counted, Trouble> {
        let Incident { id, key, subject, .. } = &read.value;
        for _ in 0..Self::GIVES_BACK {
            let now = self.clock.now();
            let before = self.ledger.breaker().await?;
            let mut breaker = before.as_ref().map(|stored| stored.value.clone()).unwrap_or_default();
            let had_one = breaker.has_place(key.guest, now);
            let place = breaker.take(key.guest, subject.created_at, now);
            let mut wanted = planned.clone();
            if place != Place::Granted {
                wanted.value.ask(Some(why_open(&breaker)), &self.rules.routes, now);
            }
            let same = before.as_ref().is_some_and(|stored| stored.value == breaker);
            let written = if same {
                self.ledger.replace(wanted).await
            } else {
                self.ledger.replace_counted(wanted, before, &breaker).await
            };
            match written {
                Ok(stored) if place == Place::Granted => {
                    let taken_at = (!had_one).then_some(now);
                    return Ok(Counted::HasPlace { stored: Box::new(stored), taken_at });
                }
                Ok(stored) => {
                    self.notices.breaker_opened(&breaker).await?;
                    self.queues.tell_about(&stored.value).await?;
                    return Ok(Counted::Waits);
                }
                // Another worker took a place at this moment, unless it is the incident that somebody has written.
                Err(LedgerError::Conflict { place }) => {
                    if self.ledger.incident(id).await?.as_ref() != Some(read) {
                        return Err(LedgerError::Conflict { place }.into());
                    }
                    tokio::task::yield_now().await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Trouble {
            retry_after: Some(jiff::SignedDuration::from_millis(50)),
            ..Trouble::now(anyhow::anyhow!(
                "others kept writing the circuit breaker, and `{id}` has no place"
            ))
        })
    }

    /// Whether anything may have been sent for it since then.
    pub(crate) async fn has_sent(&self, incident: &Incident, since: Timestamp) -> Result<bool, Trouble> {
        let outcomes = self.ledger.outcomes(&incident.id).await?;
        Ok(outcomes.iter().any(|outcome| outcome.result.was_sent() && outcome.at >= since))
    }

    /// Writes what became of a claim, and gives the place back that was taken at that moment.
    pub(super) async fn write_end(
        &self,
        ended: Stored<Incident>,
        unused: Option<Timestamp>,
    ) -> Result<Stored<Incident>, LedgerError> {
        let Some(taken_at) = unused else { return self.ledger.replace(ended).await };
        let before = self.ledger.breaker().await?;
        let mut breaker = before.as_ref().map(|stored| stored.value.clone()).unwrap_or_default();
        if breaker.give_back(ended.value.key.guest, taken_at) {
            self.ledger.replace_counted(ended, before, &breaker).await
        } else {
            self.ledger.replace(ended).await
        }
    }
}

fn why_open(breaker: &Breaker) -> String {
    breaker.opened.as_ref().map_or_else(
        || "the circuit breaker is open".to_owned(),
        |opened| {
            let at = to_the_second(opened.at);
            format!(
                "the circuit breaker opened at {at}: more than {} {} would have been touched within an hour",
                opened.limit, opened.budget
            )
        },
    )
}
