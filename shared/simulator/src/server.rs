//! The socket: serving the router on loopback, and cutting connections when a fault asks for it.
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::graph::gate;
use crate::world::World;
use crate::{control, token};

/// Marks a response whose connection is to be cut instead.
#[derive(Clone, Copy, Debug)]
struct Broken;

#[derive(Debug, thiserror::Error)]
#[error("connection cut by a fault of the simulator")]
struct Cut;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new().merge(control::router()).fallback(root).with_state(world)
}

/// Token endpoint and Graph; everything else is refused with what there is.
async fn root(State(world): State<Arc<World>>, request: Request<Body>) -> Response {
    let path = request.uri().path().to_owned();
    if path.starts_with("/v1.0/") {
        gate::answer(world, request).await
    } else if path.ends_with("/oauth2/v2.0/token") {
        token::answer(world, request).await
    } else if path.starts_with("/beta/") {
        gate::no_such_version(&world, &request)
    } else {
        let error = "nothing lives here: Graph is under /v1.0, tokens under /{tenant}/oauth2/v2.0/token, help under \
                     /control/acts";
        (StatusCode::NOT_FOUND, Json(json!({"error": error}))).into_response()
    }
}

/// `http://host:port` as the client wrote it: links must lead back to where it came from.
pub(crate) fn base_of(world: &World, request: &Request<Body>) -> String {
    let of_uri = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let of_header = || {
        let host = request.headers().get(header::HOST)?;
        host.to_str().ok().map(str::to_owned)
    };
    match of_uri.or_else(of_header) {
        Some(host) => format!("{}://{host}", request.uri().scheme_str().unwrap_or("http")),
        None => world.base.get().cloned().unwrap_or_else(|| "http://127.0.0.1".to_owned()),
    }
}

/// Accepts until it is aborted; its connections end with it.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else { continue };
        // Answers are small and waited for: they must not sit in the kernel.
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let router = router.clone();
                async move { uncut(router.oneshot(request.map(Body::new)).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            // An error is the client's going away or a cut that was asked for.
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn uncut(answered: Result<Response, Infallible>) -> Result<Response, Cut> {
    let Ok(response) = answered;
    match response.extensions().get::<Broken>() {
        Some(Broken) => Err(Cut),
        None => Ok(response),
    }
}

/// Over a socket the connection ends without an answer; in process, reading the body fails.
pub(crate) fn broken() -> Response {
    let mut response = Response::new(Body::new(BrokenBody));
    response.extensions_mut().insert(Broken);
    response
}

struct BrokenBody;

impl hyper::body::Body for BrokenBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        Poll::Ready(Some(Err(Cut)))
    }
}
