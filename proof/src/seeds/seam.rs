//! What lies between the process and everything else: every request out and every piece of work of the store passes here,
//! waits a little, is written into the trace, and may be the last thing that the process did.

use std::collections::VecDeque;
use std::fmt;
use std::hash::Hasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::bell::{Bell, Listener};
use super::clock::Virtual;
use super::draws::Draws;

/// How slow requests are: a share of them takes up to so long, and all others a moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slowness {
    pub percent: u64,
    pub up_to_ms: u64,
}

#[derive(Clone)]
pub struct Seam {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    clock: Virtual,
    died: Notify,
    /// Rung where something may have been put into the tenant's outbox.
    posted: Bell,
}

struct Inner {
    draws: Draws,
    slowness: Slowness,
    /// How many more steps the process has to live.
    dies_in: Option<u64>,
    dead: bool,
    trace: Trace,
}

/// A hash of all that was asked of anybody and answered, and the last of it in words.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    hash: u64,
    pub exchanges: u64,
    /// Kept where somebody wants to read it.
    pub lines: Option<VecDeque<String>>,
}

impl Trace {
    pub fn note(&mut self, at: Timestamp, line: &str, body: &[u8]) {
        let body = masked(body);
        let mut hasher = fnv(self.hash);
        hasher.write(at.to_string().as_bytes());
        hasher.write(line.as_bytes());
        hasher.write(body.as_bytes());
        self.hash = hasher.finish();
        self.exchanges += 1;
        if let Some(lines) = &mut self.lines {
            lines.push_back(format!("{at} {line} {body}"));
        }
    }

    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

/// Our own id of a request is drawn by the operating system, and shows in what people are told. Nothing depends on it.
fn masked(body: &[u8]) -> String {
    const BEFORE: &str = "client-request-id ";
    const LENGTH: usize = 36;
    let text = String::from_utf8_lossy(body);
    let mut pieces = text.split(BEFORE);
    let mut masked = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        masked.push_str(BEFORE);
        masked.extend(piece.chars().skip(LENGTH));
    }
    masked
}

/// FNV-1a: the same in every process, which the standard hasher does not promise.
struct Fnv(u64);

fn fnv(from: u64) -> Fnv {
    Fnv(from ^ 0xcbf2_9ce4_8422_2325)
}

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

impl fmt::Debug for Seam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seam").finish_non_exhaustive()
    }
}

impl Seam {
    pub(super) fn new(seed: u64, clock: Virtual, keep_lines: bool) -> Self {
        let trace = Trace { lines: keep_lines.then(VecDeque::new), ..Trace::default() };
        let draws = Draws::new(seed, "seam");
        let inner = Inner { draws, slowness: Slowness::default(), dies_in: None, dead: false, trace };
        let (posted, died) = (Bell::default(), Notify::new());
        Self { shared: Arc::new(Shared { inner: Mutex::new(inner), clock, died, posted }) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn slow(&self, slowness: Slowness) {
        self.inner().slowness = slowness;
    }

    /// The process dies after so many more steps.
    pub(super) fn dies_in(&self, steps: Option<u64>) {
        self.inner().dies_in = steps;
    }

    pub(super) fn is_dead(&self) -> bool {
        self.inner().dead
    }

    /// Another process begins.
    pub(super) fn revive(&self) {
        let mut inner = self.inner();
        (inner.dead, inner.dies_in) = (false, None);
    }

    /// Ends when the process has died.
    pub(super) async fn death(&self) {
        if !self.is_dead() {
            self.shared.died.notified().await;
        }
    }

    pub(super) fn posted(&self) -> Listener {
        self.shared.posted.listen()
    }

    pub(super) fn ring(&self) {
        self.shared.posted.ring();
    }

    pub(super) fn note(&self, line: &str, body: &[u8]) {
        let at = self.shared.clock.now();
        self.inner().trace.note(at, line, body);
    }

    pub(super) fn trace(&self) -> Trace {
        self.inner().trace.clone()
    }

    /// One step of the process: the last one, perhaps.
    async fn step(&self) {
        let died = {
            let mut inner = self.inner();
            match inner.dies_in {
                Some(0) => inner.dead = true,
                Some(steps) => inner.dies_in = Some(steps - 1),
                None => {}
            }
            inner.dead
        };
        if died {
            self.shared.died.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Around the store's work: others come in between, now and then.
    pub(super) async fn pause(self) {
        self.step().await;
        if self.inner().draws.percent(15) {
            tokio::task::yield_now().await;
        }
    }

    async fn travel(&self) {
        let wait = {
            let Inner { draws, slowness, .. } = &mut *self.inner();
            if draws.percent(slowness.percent) {
                draws.within(1, slowness.up_to_ms.max(1))
            } else {
                draws.within(1, 40)
            }
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

/// A request of the process to somebody else.
pub(super) async fn out(State(seam): State<Seam>, request: Request, next: Next) -> Response {
    seam.step().await;
    let (parts, body) = request.into_parts();
    let body = whole(body).await;
    let line = format!("> {} {}", parts.method, parts.uri);
    seam.travel().await;
    seam.note(&line, &body);
    // What was asked of Graph before the process died may arrive all the same.
    let changes = parts.method != http::Method::GET;
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    seam.note(&format!("< {} {line}", response.status().as_u16()), &[]);
    if changes {
        seam.ring();
    }
    seam.step().await;
    response
}

/// A notification that comes in.
pub(super) async fn into(State(seam): State<Seam>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = whole(body).await;
    let line = format!("notified {} {}", parts.method, parts.uri);
    seam.note(&line, &body);
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    seam.note(&format!("answered {} {line}", response.status().as_u16()), &[]);
    response
}

async fn whole(body: Body) -> Bytes {
    axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default()
}
