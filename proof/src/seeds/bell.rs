//! Rung where somebody may have something to do. Those who wait are woken in the order in which they came: tokio's `watch`
//! wakes them in an order that it draws.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Clone, Default)]
pub(super) struct Bell {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    rung: AtomicU64,
    waiting: Notify,
}

/// Has heard so many strokes.
#[derive(Debug)]
pub(super) struct Listener {
    bell: Bell,
    heard: u64,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.shared.rung.fetch_add(1, Ordering::SeqCst);
        self.shared.waiting.notify_waiters();
    }

    pub(super) fn listen(&self) -> Listener {
        Listener { bell: self.clone(), heard: self.shared.rung.load(Ordering::SeqCst) }
    }
}

impl Listener {
    /// Ends when it was rung since the last time. May be dropped at any time.
    pub(super) async fn rung(&mut self) {
        let mut next = std::pin::pin!(self.bell.shared.waiting.notified());
        next.as_mut().enable();
        let rung = || self.bell.shared.rung.load(Ordering::SeqCst);
        if rung() == self.heard {
            next.await;
        }
        self.heard = rung();
    }

    /// What was rung before this does not count.
    pub(super) fn forget(&mut self) {
        self.heard = self.bell.shared.rung.load(Ordering::SeqCst);
    }
}
