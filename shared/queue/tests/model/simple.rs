//! What a queue is, without a store: simple enough to be believed.

use std::collections::BTreeMap;

use guestlist_queue::{Acked, Hold};

#[derive(Debug, Clone)]
pub(crate) struct Message {
    id: usize,
    pub(crate) body: String,
    pub(crate) ready: i64,
    /// The number of the claim that holds it.
    pub(crate) holder: Option<usize>,
    deliveries: u32,
    since: i64,
    pub(crate) next: Option<Next>,
}

/// What arrived while it was claimed.
#[derive(Debug, Clone)]
pub(crate) struct Next {
    body: String,
    due: i64,
    since: i64,
    latest: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) now: i64,
    made: usize,
    pub(crate) alive: BTreeMap<String, Message>,
    pub(crate) dead: Vec<(String, String)>,
}

impl Model {
    pub(crate) fn send(&mut self, key: &str, body: &str, due: i64, latest: bool) {
        let wins = |waiting: i64| {
            if latest { due.max(waiting) } else { due.min(waiting) }
        };
        match self.alive.get_mut(key) {
            None => self.begin(key, body, due),
            Some(message) if message.holder.is_none() => {
                message.body = body.to_owned();
                message.ready = wins(message.ready);
                message.deliveries = 0;
            }
            Some(message) => {
                let before = message.next.as_ref();
                let (due, since) = before.map_or((due, self.now), |next| (wins(next.due), next.since));
                message.next = Some(Next { body: body.to_owned(), due, since, latest });
            }
        }
    }

    pub(crate) fn begin(&mut self, key: &str, body: &str, due: i64) {
        let message = Message {
            id: self.made,
            body: body.to_owned(),
            ready: due,
            holder: None,
            deliveries: 0,
            since: self.now,
            next: None,
        };
        self.made += 1;
        self.alive.insert(key.to_owned(), message);
    }

    pub(crate) fn replay(&mut self, which: usize) {
        let (key, body) = self.dead.remove(which);
        let now = self.now;
        match self.alive.get_mut(&key) {
            None => self.begin(&key, &body, now),
            Some(message) if message.holder.is_none() => message.ready = message.ready.min(now),
            Some(message) => match &mut message.next {
                Some(next) => next.due = next.due.min(now),
                None => message.next = Some(Next { body, due: now, since: now, latest: false }),
            },
        }
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
                (key.clone(), message.body.clone(), message.deliveries, message.since)
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
        let Some(Next { body, due, since, latest: _ }) = message.next.take() else {
            self.alive.remove(key);
            return Acked::Gone;
        };
        *message =
            Message { id: message.id, body, ready: due, holder: None, deliveries: 0, since, next: None };
        Acked::RunsAgain
    }

    pub(crate) fn delay(&mut self, key: &str, claim: usize, due: i64, body: Option<String>) -> Hold {
        let Some(message) = self.held(key, claim) else {
            return Hold::Lost;
        };
        message.holder = None;
        message.ready = due;
        let mut body = body;
        if let Some(next) = message.next.take() {
            body = Some(next.body);
            message.ready = if next.latest { due.max(next.due) } else { due.min(next.due) };
        }
        if let Some(body) = body {
            message.body = body;
            message.deliveries = 0;
        }
        Hold::Kept
    }
}
