//! The body of a POST on its way in: how large it may be, how long it may take, and how many large ones lie in memory.
//! Whoever sends slowly holds up nobody else: what Graph sends is small, and small bodies need no place.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::Receiver;

/// What stopped a POST before it could be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    TooSlow,
    BrokenOff,
    /// It is large, and so are enough others.
    NoPlace,
}

/// A body, and the place that it takes until it is done with.
pub(super) struct Whole<'a> {
    pub(super) bytes: Vec<u8>,
    pub(super) place: Option<SemaphorePermit<'a>>,
}

pub(super) struct Bodies {
    places: Semaphore,
    slowest: Duration,
}

impl Bodies {
    /// Bytes up to which a body takes no place: more than a hundred notifications.
    const SMALL: usize = 64 * 1024;
    /// Larger bodies in memory at once; more are asked to come again.
    const LARGE_AT_ONCE: usize = 32;
    /// Bytes of a body that is too large, read and thrown away so that its sender hears the answer.
    const THROWN_AWAY: usize = 16 * Receiver::MOST_BYTES;

    pub(super) fn new(slowest: Duration) -> Self {
        Self { places: Semaphore::new(Self::LARGE_AT_ONCE), slowest }
    }

    pub(super) async fn read(&self, mut body: Body) -> Result<Whole<'_>, Unread> {
        let end = Instant::now().checked_add(self.slowest).unwrap_or_else(Instant::now);
        let read = timeout_at(end, self.collect(&mut body)).await.unwrap_or(Err(Unread::TooSlow));
        if matches!(read, Err(Unread::TooLarge | Unread::NoPlace)) {
            // A connection that is closed on a sender takes the answer with it.
            let _too_slow = timeout_at(end, throw_away(&mut body, Self::THROWN_AWAY)).await;
        }
        read
    }

    async fn collect(&self, body: &mut Body) -> Result<Whole<'_>, Unread> {
        // Copied into one piece: a body of one-byte chunks would take forty times its length otherwise.
        let mut whole = Whole { bytes: Vec::new(), place: None };
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Unread::BrokenOff)?.into_data() else { continue };
            let length = whole.bytes.len().saturating_add(data.len());
            if length > Receiver::MOST_BYTES {
                return Err(Unread::TooLarge);
            }
            if length > Self::SMALL && whole.place.is_none() {
                whole.place = Some(self.places.try_acquire().map_err(|_| Unread::NoPlace)?);
            }
            whole.bytes.extend_from_slice(&data);
        }
        Ok(whole)
    }
}

async fn throw_away(body: &mut Body, most: usize) {
    let mut seen = 0_usize;
    while seen < most
        && let Some(Ok(frame)) = body.frame().await
    {
        seen = seen.saturating_add(frame.data_ref().map_or(0, bytes::Bytes::len));
    }
}
