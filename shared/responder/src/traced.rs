//! What traces show of a request that came in (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server>): the form of
//! its path, and the answer's status.

use axum::response::Response;
use tracing::Instrument as _;
use tracing::field::Empty;

/// A trace begins here, whatever the request says: an outsider names none of ours.
pub(crate) async fn served(
    method: &'static str,
    route: &'static str,
    answering: impl Future<Output = Response>,
) -> Response {
    let span = tracing::debug_span!(
        target: trace::TARGET,
        parent: None,
        "serve",
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
    );
    async {
        let answer = answering.instrument(trace::in_the_log()).await;
        span.record("http.response.status_code", i64::from(answer.status().as_u16()));
        if answer.status().is_server_error() {
            trace::failed("server");
        }
        answer
    }
    .instrument(span.clone())
    .await
}
