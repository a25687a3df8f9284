//! One act of the story: do it, wait until Guestlist has come to rest over it, and tell what became of it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use model::{Incident, ObjectId, State, StepResult, Wake};
use serde::Serialize;
use simulator::{Directory, DirectoryError};
use uuid::Uuid;

use super::ending::{At, Ends, Met, Place, done, verdict};
use super::stage::Stage;
use crate::args::Output;
use crate::out::{self, Colour};

/// What became of an act.
#[derive(Serialize)]
pub(super) struct Shown {
    what: String,
    verdict: String,
    done: String,
    /// From the act to the read-back of what was done about it, else until Guestlist had looked.
    pub(super) milliseconds: u64,
    /// Something was written to the tenant.
    pub(super) acted: bool,
    /// Known of the demo's own policy only.
    pub(super) as_expected: Option<bool>,
}

/// When an act began, on two clocks.
#[derive(Clone, Copy)]
pub(super) struct Began {
    pub(super) on_ours: Instant,
    pub(super) in_the_store: Timestamp,
}

impl Began {
    pub(super) fn now() -> Self {
        Self { on_ours: Instant::now(), in_the_store: Timestamp::now() }
    }
}

/// The widths of the columns, but for the last.
pub(super) const COLUMNS: [usize; 3] = [65, 42, 25];
/// Longer than a worker that was disturbed keeps what it holds.
const PATIENCE: Duration = Duration::from_mins(3);
/// Longer than a notification is on its way.
const ECHO: Duration = Duration::from_secs(10);
const UNSEEN: Duration = Duration::from_millis(500);

impl Stage {
    /// Does something to a user and waits for Guestlist.
    pub(super) async fn watch(
        &self,
        what: &str,
        user: Uuid,
        ends: Ends,
        act: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Shown> {
        let (looks, began) = (self.looks_at(user), Began::now());
        act()?;
        self.until(what, async || Ok(self.looks_at(user) > looks)).await?;
        self.settle(what, (&[Place { user, at: At::Account }], ends), began).await
    }

    /// As [`Stage::watch`], for an act that made the user.
    pub(super) async fn watch_new(
        &self,
        what: &str,
        user: Uuid,
        ends: Ends,
        began: Began,
    ) -> anyhow::Result<Shown> {
        self.until(what, async || Ok(self.looks_at(user) > 0)).await?;
        self.settle(what, (&[Place { user, at: At::Account }], ends), began).await
    }

    /// Lets a user change, of whom something else than the account is told, and waits for Guestlist.
    pub(super) async fn watch_place(
        &self,
        what: &str,
        (place, ends): (Place, Ends),
        change: impl FnOnce(&Directory) -> Result<(), DirectoryError>,
    ) -> anyhow::Result<Shown> {
        let (looks, began) = (self.looks_at(place.user), Began::now());
        change(&self.simulator.tenant())?;
        self.until(what, async || Ok(self.looks_at(place.user) > looks)).await?;
        self.settle(what, (&[place], ends), began).await
    }

    /// Does something to a group and waits for Guestlist.
    pub(super) async fn watch_group(
        &self,
        what: &str,
        group: Uuid,
        told: (&[Place], Ends),
        act: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Shown> {
        let (looks, began) = (self.looks_at_group(group), Began::now());
        act()?;
        // A policy of one's own may look at no group, and then nobody does.
        let waits_no_longer = || !self.own_policy && began.on_ours.elapsed() > UNSEEN;
        self.until(what, async || Ok(self.looks_at_group(group) > looks || waits_no_longer())).await?;
        self.settle(what, told, began).await
    }

    /// Waits until Guestlist has come to rest, and tells how it ended. The look that began may be about an echo of our own
    /// writes: what ought to come of the act has a while to come.
    pub(super) async fn settle(
        &self,
        what: &str,
        (places, ends): (&[Place], Ends),
        began: Began,
    ) -> anyhow::Result<Shown> {
        let users: Vec<Uuid> = places.iter().map(|place| place.user).collect();
        let settled = async || {
            let may_end =
                !self.own_policy || began.on_ours.elapsed() > ECHO || self.fits(places, ends).await?;
            Ok(may_end && self.at_rest(&users).await?)
        };
        self.until(what, settled).await?;
        self.show(what, places, ends, began).await
    }

    async fn fits(&self, places: &[Place], ends: Ends) -> anyhow::Result<bool> {
        for place in places {
            if !ends.fits(self.holds(place)?, &self.incidents_at(place).await?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn until(
        &self,
        what: &str,
        done: impl AsyncFn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if done().await? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Err(anyhow::anyhow!("Guestlist did not come to rest"))
            .with_context(|| format!("failed to play: {what}"))
    }

    /// How often Graph was asked for this user alone.
    pub(super) fn looks_at(&self, user: Uuid) -> usize {
        self.gets(&format!("/users/{user}"))
    }

    fn looks_at_group(&self, group: Uuid) -> usize {
        self.gets(&format!("/groups/{group}"))
    }

    fn gets(&self, path: &str) -> usize {
        self.simulator.traffic().log.iter().filter(|call| call.method == "GET" && call.path == path).count()
    }

    /// Nothing is on its way: no notification, no job, no write that a read has still to show.
    pub(super) async fn at_rest(&self, users: &[Uuid]) -> anyhow::Result<bool> {
        if self.simulator.waiting_notifications() > 0 {
            return Ok(false);
        }
        // In the order in which one makes work for the next.
        for queue in [&self.store.queues.changes, &self.store.queues.remediations] {
            let depth = queue.depth(Timestamp::now()).await?;
            if depth.ready > 0 || depth.claimed > 0 {
                return Ok(false);
            }
        }
        let moving = |incident: &Incident| {
            let awake = !matches!(incident.wake, Wake::None);
            let under_way =
                matches!(incident.state, State::Claimed { .. } | State::Sent { .. } | State::Undoing { .. });
            awake || under_way
        };
        for user in users {
            if self.incidents(*user).await?.iter().any(moving) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn incidents(&self, user: Uuid) -> anyhow::Result<Vec<Incident>> {
        let stored = self.store.ledger.incidents_of(ObjectId::from_u128(user.as_u128())).await?;
        Ok(stored.into_iter().map(|stored| stored.value).collect())
    }

    /// The incidents about this place.
    pub(super) async fn incidents_at(&self, place: &Place) -> anyhow::Result<Vec<Incident>> {
        let mut found = self.incidents(place.user).await?;
        found.retain(|incident| incident.key.object == place.object());
        Ok(found)
    }

    async fn show(&self, what: &str, places: &[Place], ends: Ends, began: Began) -> anyhow::Result<Shown> {
        let mut milliseconds = in_milliseconds(began.on_ours.elapsed());
        let (mut acted, mut as_expected, mut met) = (false, true, Vec::new());
        for place in places {
            let holds = self.holds(place)?;
            let incidents = self.incidents_at(place).await?;
            for incident in &incidents {
                for outcome in self.store.ledger.outcomes(&incident.id).await? {
                    if outcome.result == StepResult::Done && outcome.at >= began.in_the_store {
                        let taken = outcome.at.duration_since(began.in_the_store).as_millis();
                        let taken = u64::try_from(taken).unwrap_or(milliseconds);
                        milliseconds = if acted { milliseconds.max(taken) } else { taken };
                        acted = true;
                    }
                }
            }
            as_expected &= ends.fits(holds, &incidents);
            // Two rules may have asked for the same: the one that was spoken for is resolved by what the other did.
            let relevant = |incident: &Incident| {
                let resolved = matches!(incident.state, State::Resolved { .. });
                !resolved || incident.opened_at >= began.in_the_store
            };
            met.push(Met {
                place: *place,
                holds,
                incidents: incidents.into_iter().filter(relevant).collect(),
            });
        }
        self.tell(Shown {
            what: what.to_owned(),
            verdict: verdict(&met),
            done: done(&met),
            milliseconds,
            acted,
            as_expected: self.own_policy.then_some(as_expected),
        })
    }

    /// Whether he still has what a rule may take.
    pub(super) fn holds(&self, place: &Place) -> anyhow::Result<bool> {
        let tenant = self.simulator.tenant();
        Ok(match place.at {
            At::Account => tenant.user(place.user).context("the user is gone")?.enabled,
            At::Member(group) => tenant.is_member(group, place.user),
            At::Owner(group) => tenant.is_owner(group, place.user),
        })
    }

    /// An act that is not about what one guest has.
    pub(super) fn show_plain(
        &self,
        (what, verdict, done): (&str, &str, &str),
        began: Began,
        as_expected: bool,
    ) -> anyhow::Result<Shown> {
        self.tell(Shown {
            what: what.to_owned(),
            verdict: verdict.to_owned(),
            done: done.to_owned(),
            milliseconds: in_milliseconds(began.on_ours.elapsed()),
            acted: false,
            as_expected: Some(as_expected),
        })
    }

    fn tell(&self, shown: Shown) -> anyhow::Result<Shown> {
        match self.output {
            Output::Json => {}
            Output::Text => {
                let Shown { what, verdict, done, milliseconds, acted: _, as_expected } = &shown;
                let [first, second, third] = COLUMNS;
                let text = format!("{what:<first$} {verdict:<second$} {done:<third$} {milliseconds:>5}");
                if *as_expected == Some(false) {
                    out::painted(&[(&format!("{text}  NOT AS IT SHOULD BE"), Colour::Red)])?;
                } else {
                    out::line(&text)?;
                }
            }
        }
        Ok(shown)
    }
}

fn in_milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
