//! A function that the internet reaches: the router of the local process, fed with the events of an HTTP API or a function's URL
//! (payload 2.0, <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).
//! How large a body may be is the router's own rule; slow and too many clients are kept away by AWS.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::response::Response;
use lambda_runtime::service_fn;
use tower::ServiceExt as _;

use super::function::{Built, Function};
use super::parts::OnHttp;
use crate::Traces;

pub(super) async fn answer<W: OnHttp>(function: Arc<Function<W>>) -> Result<(), lambda_runtime::Error> {
    lambda_http::run(service_fn(move |request: lambda_http::Request| {
        let function = Arc::clone(&function);
        async move { Ok::<_, Infallible>(function.receive(request).await) }
    }))
    .await
}

impl<W: OnHttp> Function<W> {
    async fn receive(&self, request: lambda_http::Request) -> Response {
        let (head, body) = request.into_parts();
        let body = match body {
            lambda_http::Body::Text(text) => Bytes::from(text),
            lambda_http::Body::Binary(bytes) => Bytes::from(bytes),
            // Nothing, and what a later version may add.
            _ => Bytes::new(),
        };
        let mut built = self.begin().await;
        let forged = built.meter.forged();
        let mut response = route(&built, head.clone(), body.clone()).await;
        // Whoever made a new key may have subscribed with it already. To take what came a second time does no harm.
        if built.meter.forged() > forged
            && let Some(newer) = self.with_newer_keys().await
        {
            response = route(&newer, head, body).await;
            built = newer;
        }
        self.end(&built, false).await;
        self.send_traces(Traces::BEFORE_A_RESPONSE).await;
        response
    }
}

async fn route<W: OnHttp>(built: &Built<W>, head: Parts, body: Bytes) -> Response {
    let request = axum::http::Request::from_parts(head, Body::from(body));
    match built.work.router().clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
