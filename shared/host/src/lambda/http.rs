//! A function that the internet reaches: the router of the local process, fed with the events of an HTTP API or a function's URL.
//! How large a body may be is the router's own rule; slow and too many clients are kept away by AWS.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use lambda_http::Adapter;
use lambda_http::request::LambdaRequest;
use lambda_runtime::{Diagnostic, LambdaEvent, Service as _, service_fn};
use responder::{KeysMayBeOld, NoKeyFits};
use serde::Serialize;
use serde_json::Value;
use tower::ServiceExt as _;

use super::function::{Built, Function};
use super::parts::OnHttp;
use super::request::Asked;
use super::{Deadline, failed};
use crate::Traces;

pub(super) async fn answer<W: OnHttp>(function: Arc<Function<W>>) -> Result<(), lambda_runtime::Error> {
    let handle = service_fn(move |event: LambdaEvent<Value>| {
        let function = Arc::clone(&function);
        async move { function.respond(event).await }
    });
    lambda_runtime::run(handle).await
}

impl<W: OnHttp> Function<W> {
    /// One event, by the adapter of `lambda_http::run`, which leaves no place for a look at it before. Of what cannot be a request it
    /// gets an empty one, so that the answer has the form that AWS expects.
    ///
    /// # Errors
    /// It is no event of HTTP.
    async fn respond(&self, event: LambdaEvent<Value>) -> Result<impl Serialize + use<W>, Diagnostic> {
        let LambdaEvent { payload, context } = event;
        let deadline = Deadline::of(&context);
        let asked = Asked::read(W::PART, payload).map_err(|why| failed("UnknownEvent", &why))?;
        let (request, body) = match asked {
            Asked::Request(request, body) => (*request, Ok(body)),
            Asked::Nonsense(why) => (LambdaRequest::ApiGatewayV2(Default::default()), Err(why)),
        };
        let mut adapter = Adapter::from(service_fn(|request: lambda_http::Request| {
            let (body, (head, _)) = (body.clone(), request.into_parts());
            async move { Ok::<_, Infallible>(self.receive(head, body, deadline).await) }
        }));
        match adapter.call(LambdaEvent::new(request, context)).await {
            Ok(answer) => Ok(answer),
            Err(never) => match never {},
        }
    }

    async fn receive(&self, head: Parts, body: Result<Bytes, &'static str>, deadline: Deadline) -> Response {
        let mut built = self.begin(deadline).await;
        let response = match body {
            Ok(body) => self.route(&mut built, head, body, deadline).await,
            Err(why) => {
                tracing::debug!("an event is no request: {why}");
                W::refused(&built);
                // As the router says it, whose every answer tells its length.
                (StatusCode::BAD_REQUEST, [(CONTENT_LENGTH, "0")]).into_response()
            }
        };
        self.end(&built, false).await;
        self.send_traces(deadline.share(Traces::BEFORE_A_RESPONSE)).await;
        response
    }

    /// Whoever made a new key may have used it already. So nothing is done about what no key fits, and nobody hears of it, until the
    /// keys were read again; who sends forgeries does not set the pace of that.
    async fn route(
        &self,
        built: &mut Arc<Built<W>>,
        head: Parts,
        body: Bytes,
        deadline: Deadline,
    ) -> Response {
        if self.may_read_again().await {
            let mut asking = head.clone();
            asking.extensions.insert(KeysMayBeOld);
            let response = route(built, asking, body.clone()).await;
            if response.extensions().get::<NoKeyFits>().is_none() {
                return response;
            }
            if let Some(newer) = self.with_newer_keys(deadline).await {
                *built = newer;
            }
        }
        route(built, head, body).await
    }
}

async fn route<W: OnHttp>(built: &Built<W>, head: Parts, body: Bytes) -> Response {
    let request = axum::http::Request::from_parts(head, Body::from(body));
    match built.work.router().clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
