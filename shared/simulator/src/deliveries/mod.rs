//! Notifications on their way: what is queued, for when, and how often it was tried. Sending is in `courier`, the
//! JSON in `notice`. Graph retries anything but a 2xx for up to four hours (Microsoft Learn, webhook delivery).
pub(crate) mod courier;
pub(crate) mod notice;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::faults::{Luck, NotificationFaults};
use crate::graph::subscriptions::Subscriptions;
use crate::tenant::Change;
use notice::Notice;

const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(4);
const FIRST_RETRY: SignedDuration = SignedDuration::from_secs(10);
const SLOWEST_RETRY: SignedDuration = SignedDuration::from_mins(30);
/// Items of one POST.
const TOGETHER_AT_MOST: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: Vec<Letter>,
}

/// One notification for one subscription.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) subscription: Uuid,
    pub(crate) notice: Notice,
    pub(crate) due: Timestamp,
    /// Later changes of the same object may join it until it leaves.
    joinable: bool,
    first_tried: Option<Timestamp>,
    attempts: u32,
}

/// What goes out in one POST.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) url: String,
    pub(crate) letters: Vec<Letter>,
    pub(crate) items: Vec<Value>,
    /// None of it was tried before: the receiver has less time to answer.
    pub(crate) first: bool,
}

impl Outbox {
    pub(crate) fn post(
        &mut self,
        subscription: Uuid,
        change: &Change,
        faults: &NotificationFaults,
        luck: &mut Luck,
        now: Timestamp,
    ) {
        let notice = Notice::of(change);
        if luck.rolls(faults.lost) || self.join(subscription, &notice, luck, now) {
            return;
        }
        let late = faults.delayed.filter(|delay| luck.rolls(delay.chance));
        let gathers = faults.coalesced.filter(|span| luck.rolls(span.chance));
        let waits = late.into_iter().chain(gathers);
        let due = waits.fold(now, |due, wait| due.checked_add(wait.by).unwrap_or(due));
        let copies = if luck.rolls(faults.doubled) { 2 } else { 1 };
        for _ in 0..copies {
            let joinable = gathers.is_some();
            self.queue.push(Letter { joinable, ..Letter::new(subscription, notice.clone(), due) });
        }
    }

    pub(crate) fn put(&mut self, subscription: Uuid, notice: Notice, due: Timestamp) {
        self.queue.push(Letter::new(subscription, notice, due));
    }

    /// Whether a notification about the same object that has not left yet took this one up.
    fn join(&mut self, subscription: Uuid, notice: &Notice, luck: &mut Luck, now: Timestamp) -> bool {
        let mut joined = false;
        for letter in &mut self.queue {
            let open = letter.joinable && letter.attempts == 0 && letter.due >= now;
            joined |= open && letter.subscription == subscription && letter.notice.absorb(notice, luck);
        }
        joined
    }

    pub(crate) fn next_due(&self, subscriptions: &Subscriptions) -> Option<Timestamp> {
        let open = self.queue.iter().filter(|letter| !letter.is_held(subscriptions));
        open.map(|letter| letter.due).min()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Takes out what is due, one parcel for each receiving URL, and forgets what belongs to subscriptions that are
    /// gone.
    pub(crate) fn take_due(
        &mut self,
        now: Timestamp,
        subscriptions: &Subscriptions,
        tenant: Uuid,
        reordered: f64,
        luck: &mut Luck,
    ) -> Vec<Parcel> {
        let (mut due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.queue)
            .into_iter()
            .filter(|letter| subscriptions.get(letter.subscription).is_some())
            .partition(|letter| letter.due <= now && !letter.is_held(subscriptions));
        self.queue = later;
        if luck.rolls(reordered) {
            luck.draws.shuffle(&mut due);
        }
        let mut by_url: BTreeMap<(String, bool), Vec<Letter>> = BTreeMap::new();
        for letter in due {
            let Some(subscription) = subscriptions.get(letter.subscription) else { continue };
            let url = letter.notice.url(subscription).to_owned();
            by_url.entry((url, letter.attempts == 0)).or_default().push(letter);
        }
        let mut parcels = Vec::new();
        for ((url, first), letters) in by_url {
            for letters in letters.chunks(TOGETHER_AT_MOST) {
                let found = letters.iter().filter_map(|letter| {
                    let subscription = subscriptions.get(letter.subscription)?;
                    Some(letter.notice.item(subscription, tenant, luck.draws.u8(..)))
                });
                let items = found.collect();
                parcels.push(Parcel { url: url.clone(), letters: letters.to_vec(), items, first });
            }
        }
        parcels
    }

    /// Puts what was refused back, until its four hours are over; gives back how many were given up.
    pub(crate) fn refused(&mut self, letters: Vec<Letter>, now: Timestamp) -> u64 {
        let mut given_up = 0;
        for mut letter in letters {
            let first = *letter.first_tried.get_or_insert(now);
            letter.attempts += 1;
            let wait = backoff(letter.attempts);
            letter.due = now.checked_add(wait).unwrap_or(now);
            let end = first.checked_add(GIVEN_UP_AFTER).unwrap_or(now);
            if letter.due > end {
                given_up += 1;
            } else {
                self.queue.push(letter);
            }
        }
        given_up
    }
}

impl Letter {
    fn new(subscription: Uuid, notice: Notice, due: Timestamp) -> Self {
        Self { subscription, notice, due, joinable: false, first_tried: None, attempts: 0 }
    }

    /// A subscription whose authorization ran out holds its notifications back; lifecycle events go out all the same.
    fn is_held(&self, subscriptions: &Subscriptions) -> bool {
        let held = subscriptions.get(self.subscription).is_some_and(|subscription| subscription.held);
        held && !self.notice.is_lifecycle()
    }
}

fn backoff(attempts: u32) -> SignedDuration {
    let doubled = FIRST_RETRY.checked_mul(1 << attempts.saturating_sub(1).min(16));
    doubled.unwrap_or(SLOWEST_RETRY).min(SLOWEST_RETRY)
}

/// Where the `https` addresses of subscriptions really are.
#[derive(Debug)]
pub(crate) struct Receivers {
    routes: Mutex<Vec<(String, Receiver)>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Receiver {
    /// A base URL that replaces the prefix.
    Network(String),
    /// A router in this process.
    InProcess(axum::Router),
}

impl Receivers {
    pub(crate) fn new(routes: Vec<(String, String)>) -> Self {
        let routes = routes.into_iter().map(|(prefix, to)| (prefix, Receiver::Network(to)));
        Self { routes: Mutex::new(routes.collect()) }
    }

    pub(crate) fn add(&self, prefix: String, to: Receiver) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.retain(|(known, _)| *known != prefix);
        routes.push((prefix, to));
    }

    /// The receiver behind `url` and what follows its prefix. `https://a.example` does not stand for
    /// `https://a.example.evil`.
    pub(crate) fn find(&self, url: &str) -> Option<(Receiver, String)> {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.iter().find_map(|(prefix, to)| {
            let rest = url.strip_prefix(prefix.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with(['/', '?'])).then(|| (to.clone(), rest.to_owned()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_double_up_to_half_an_hour() {
        let waits: Vec<i64> = (1..=9).map(|attempts| backoff(attempts).as_secs()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1280, 1800]);
    }

    #[test]
    fn a_receiver_is_found_by_its_whole_host() {
        let receivers =
            Receivers::new(vec![("https://a.example".to_owned(), "http://127.0.0.1:1".to_owned())]);
        assert_eq!(receivers.find("https://a.example/x?y").map(|(_, rest)| rest).as_deref(), Some("/x?y"));
        assert!(receivers.find("https://a.example.evil/x").is_none());
        assert!(receivers.find("https://b.example/x").is_none());
    }
}
