//! What a queue is, without a store: simple enough to be believed.

use std::collections::BTreeMap;

use guestlist_queue::{Acked, Collapse, Delayed};

#[derive(Debug, Clone)]
pub(crate) struct Message {
    id: usize,
    pub(crate) body: String,
    pub(crate) ready: i64,
    /// The number of the claim that holds it.
    pub(crate) holder: Option<usize>,
    deliveries: u32,
    pub(crate) owed: i64,
    pub(crate) next: Option<Next>,
}

/// What arrived while it was claimed.
#[derive(Debug, Clone)]
pub(crate) struct Next {
    body: String,
    due: i64,
    owed: i64,
    latest: bool,
}

impl Message {
    /// With what arrived while it was claimed.
    pub(crate) fn owed_since(&self) -> i64 {
        self.next.as_ref().map_or(self.owed, |next| next.owed.min(self.owed))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) now: i64,
    made: usize,
    pub(crate) alive: BTreeMap<String, Message>,
    /// Key, body, and since when it is owed.
    pub(crate) dead: Vec<(String, String, i64)>,
}

impl Model {
    /// Answers whether the body is the one that waits now.
    pub(crate) fn send(&mut self, key: &str, body: &str, (due, owed): (i64, i64), how: Collapse) -> bool {
        let wins = |new: i64, waiting: i64| match how {
            Collapse::Earliest | Collapse::Yields | Collapse::Wakes => new.min(waiting),
            Collapse::Latest => new.max(waiting),
        };
        let (latest, yields) = (how == Collapse::Latest, matches!(how, Collapse::Yields | Collapse::Wakes));
        match self.alive.get_mut(key) {
            None => self.begin(key, body, (due, owed)),
            // It is being worked on, or has failed and waits for its next try.
            Some(message) if how == Collapse::Wakes && message.deliveries > 0 => return false,
            Some(message) if message.holder.is_none() => {
                (message.ready, message.owed) = (wins(due, message.ready), owes(latest, owed, message.owed));
                if yields {
                    return false;
                }
                message.body = body.to_owned();
                message.deliveries = 0;
            }
            Some(message) => match &mut message.next {
                None => message.next = Some(Next { body: body.to_owned(), due, owed, latest }),
                Some(next) => {
                    (next.due, next.owed) = (wins(due, next.due), owes(latest, owed, next.owed));
                    if yields {
                        return false;
                    }
                    (next.body, next.latest) = (body.to_owned(), latest);
                }
            },
        }
        true
    }

    pub(crate) fn begin(&mut self, key: &str, body: &str, (due, owed): (i64, i64)) {
        let message = Message {
            id: self.made,
            body: body.to_owned(),
            ready: due,
            holder: None,
            deliveries: 0,
            owed,
            next: None,
        };
        self.made += 1;
        self.alive.insert(key.to_owned(), message);
    }

    pub(crate) fn replay(&mut self, which: usize) {
        let (key, body, owed) = self.dead.remove(which);
        self.send(&key, &body, (self.now, owed), Collapse::Yields);
    }

    pub(crate) fn claim(&mut self, lease: i64, max: usize, first: usize) -> Vec<(String, String, u32, i64)> {
        let now = self.now;
        let mut ready: Vec<_> = self.alive.iter_mut().filter(|(_, message)| message.ready <= now).collect();
        ready.sort_by_key(|(_, message)| (message.ready, message.holder.is_some(), message.id));
        let taken = ready.into_iter().take(max).enumerate();
        taken
            .map(|(n, (key, message))| {
                message.holder = Some(first + n);
                message.ready = now + lease;
                message.deliveries += 1;
                (key.clone(), message.body.clone(), message.deliveries, message.owed)
            })
            .collect()
    }

    pub(crate) fn held(&mut self, key: &str, claim: usize) -> Option<&mut Message> {
        self.alive.get_mut(key).filter(|message| message.holder == Some(claim))
    }

    pub(crate) fn ack(&mut self, key: &str, claim: usize) -> Acked {
        let Some(message) = self.held(key, claim) else {
            return Acked::LeaseLost;
        };
        let Some(Next { body, due, owed, latest: _ }) = message.next.take() else {
            self.alive.remove(key);
            return Acked::Gone;
        };
        *message =
            Message { id: message.id, body, ready: due, holder: None, deliveries: 0, owed, next: None };
        Acked::RunsAgain
    }

    pub(crate) fn delay(&mut self, key: &str, claim: usize, due: i64, body: Option<String>) -> Delayed {
        let Some(message) = self.held(key, claim) else {
            return Delayed::LeaseLost;
        };
        let delayed = if body.is_some() { Delayed::Anew } else { Delayed::Same };
        message.holder = None;
        message.ready = due;
        let mut body = body;
        if let Some(next) = message.next.take() {
            body = Some(next.body);
            let wins: fn(i64, i64) -> i64 = if next.latest { i64::max } else { i64::min };
            (message.ready, message.owed) = (wins(due, next.due), owes(next.latest, message.owed, next.owed));
        }
        if let Some(body) = body {
            message.body = body;
            message.deliveries = 0;
        }
        delayed
    }
}

/// What collapses to the latest covers what came a quarter of an hour before.
fn owes(latest: bool, one: i64, other: i64) -> i64 {
    if latest { one.min(other).max(one.max(other) - 900) } else { one.min(other) }
}
