//! Spans that have ended and were not told yet: so many at most, and what finds no place is counted. Whoever ends a span waits for
//! nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::Notify;

/// As many as OpenTelemetry keeps by itself.
const MOST: usize = 2_048;
/// In one request.
const AT_ONCE: usize = 512;

#[derive(Debug, Clone, Default)]
pub(super) struct Outbox(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    ended: Mutex<Vec<SpanData>>,
    /// There is enough for a request.
    many: Notify,
    lost: AtomicU64,
}

impl Outbox {
    fn ended(&self) -> MutexGuard<'_, Vec<SpanData>> {
        self.0.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest of them, as many as go into one request.
    pub(super) fn take(&self) -> Vec<SpanData> {
        let mut ended = self.ended();
        let count = ended.len().min(AT_ONCE);
        ended.drain(..count).collect()
    }

    /// Nobody will have what is left. Returns how much that was.
    pub(super) fn lose_all(&self) -> u64 {
        let left = u64::try_from(self.ended().drain(..).count()).unwrap_or(u64::MAX);
        self.lose(left);
        left
    }

    pub(super) fn lose(&self, count: u64) {
        self.0.lost.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    pub(super) async fn many(&self) {
        self.0.many.notified().await;
    }
}

impl SpanProcessor for Outbox {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        let mut ended = self.ended();
        if ended.len() >= MOST {
            self.lose(1);
            return;
        }
        ended.push(span);
        if ended.len() == AT_ONCE {
            self.0.many.notify_one();
        }
    }

    /// Nobody asks it: they are sent where there is time for it.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
