//! Serves a router on a port: slow and excess clients are cut off, and a stop lets what is under way finish.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// A listener that is bound and not served yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
}

impl Server {
    /// The head of a request must arrive within this.
    const SLOWEST_HEAD: Duration = Duration::from_secs(5);
    /// Connections at once; more wait to be accepted.
    const CONNECTIONS: usize = 1024;
    /// How long a stop waits for what is under way.
    const DRAINS_FOR: Duration = Duration::from_secs(15);

    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("failed to listen on `{address}`: set GUESTLIST_LISTEN to a free address and port")
        })?;
        Ok(Self { listener })
    }

    /// # Errors
    /// The socket is gone.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until `stop` says so, then lets what is under way finish.
    pub async fn serve(self, router: Router, mut stop: watch::Receiver<bool>) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(Self::CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of file handles, most likely: waiting lets some go.
                        tracing::error!("failed to accept a connection: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                () = stopped(&mut stop) => break,
            };
            let connection = graceful.watch(connection(stream, router.clone()));
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!("a connection ended early: {error}");
                }
                drop(place);
            });
        }
        drop(self.listener);
        if tokio::time::timeout(Self::DRAINS_FOR, graceful.shutdown()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}

/// Ends when the process is to stop.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever forgets the stop wants it, too.
    let _ = stop.wait_for(|stopped| *stopped).await;
}

fn connection(
    stream: TcpStream,
    router: Router,
) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Server::SLOWEST_HEAD)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}
