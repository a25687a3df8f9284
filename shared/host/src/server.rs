//! Serves a router on a port: slow and excess clients are cut off, and a stop lets what is under way finish.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

/// A listener that is bound and not served yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    limits: Limits,
}

/// How long whom is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The head of a request must arrive within this; so long a connection may be idle, too.
    pub slowest_head: Duration,
    /// A connection is asked to end after this, so that those who wait for a place get one however busy it is, ...
    pub connection: Duration,
    /// ... and cut off after this: who does not take his answers would hold it for ever. A stop waits as long.
    pub grace: Duration,
    /// Connections at once; more wait to be accepted.
    pub connections: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            slowest_head: Duration::from_secs(5),
            connection: Duration::from_mins(1),
            grace: Duration::from_secs(15),
            connections: 1024,
        }
    }
}

impl Server {
    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        Self::bind_as("GUESTLIST_LISTEN", address).await
    }

    /// `setting` is where the address comes from.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind_as(setting: &str, address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("failed to listen on `{address}`: set {setting} to a free address and port")
        })?;
        Ok(Self { listener, limits: Limits::default() })
    }

    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// # Errors
    /// The socket is gone.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until `stop` says so, then lets what is under way finish.
    pub async fn serve(self, router: Router, mut stop: watch::Receiver<bool>) {
        let Self { listener, limits } = self;
        let places = Arc::new(Semaphore::new(usize::try_from(limits.connections).unwrap_or(usize::MAX)));
        let next = async || Some((Arc::clone(&places).acquire_owned().await.ok()?, accept(&listener).await));
        loop {
            let accepted = tokio::select! {
                accepted = next() => accepted,
                () = stopped(&mut stop) => None,
            };
            let Some((place, stream)) = accepted else { break };
            let (router, stop) = (router.clone(), stop.clone());
            tokio::spawn(async move {
                converse(stream, router, limits, stop).await;
                drop(place);
            });
        }
        drop(listener);
        // Nobody holds a place any more: everybody has left.
        if timeout(limits.grace, places.acquire_many(limits.connections)).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}

/// Ends when the process is to stop.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever forgets the stop wants it, too.
    let _ = stop.wait_for(|stopped| *stopped).await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                // Out of file handles, most likely: waiting lets some go.
                tracing::error!("failed to accept a connection: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.slowest_head)
            .max_buf_size(64 * 1024)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => Ok(ended),
        () = async { tokio::select! { () = stopped(&mut stop) => {}, () = sleep(limits.connection) => {} } } => {
            connection.as_mut().graceful_shutdown();
            timeout(limits.grace, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("a connection ended early: {error}"),
        Err(_) => tracing::debug!("a connection was cut off"),
    }
}
