//! What traces show of a call: its method, the form of its path, the answer's status, and the ids that Microsoft asks for.
//!
//! Never here: an id of anybody, a query, a header, a body.

use http::Method;
use tracing::Span;
use tracing::field::Empty;
use url::Url;
use wire::{Reply, WireError};

use crate::client::request_id;

/// <https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client>
pub(crate) fn asking(method: &Method, url: &Url, client_request_id: &str) -> Span {
    tracing::debug_span!(
        target: trace::TARGET,
        "graph",
        otel.name = %format_args!("{method} {}", form(url)),
        otel.kind = "client",
        otel.status_code = Empty,
        error.type = Empty,
        http.request.method = %method,
        http.response.status_code = Empty,
        url.template = form(url),
        graph.client_request_id = client_request_id,
        graph.request_id = Empty,
    )
}

/// The path of a token's address holds nothing but the tenant.
pub(crate) fn asking_for_a_token(client_request_id: &str) -> Span {
    tracing::debug_span!(
        target: trace::TARGET,
        "entra",
        otel.name = "POST /{tenant}/oauth2/v2.0/token",
        otel.kind = "client",
        otel.status_code = Empty,
        error.type = Empty,
        http.request.method = "POST",
        http.response.status_code = Empty,
        url.template = "/{tenant}/oauth2/v2.0/token",
        graph.client_request_id = client_request_id,
        graph.request_id = Empty,
    )
}

pub(crate) fn answered(span: &Span, reply: &Result<Reply, WireError>) {
    if span.is_disabled() {
        return;
    }
    match reply {
        Ok(Reply { status, headers, body: _ }) => {
            span.record("http.response.status_code", i64::from(status.as_u16()));
            span.record("graph.request_id", request_id(headers));
            if !status.is_success() {
                span.record("otel.status_code", "ERROR");
                span.record("error.type", status.as_str());
            }
        }
        Err(error) => {
            span.record("otel.status_code", "ERROR");
            span.record("error.type", word(error));
        }
    }
}

fn word(error: &WireError) -> &'static str {
    match error {
        WireError::Timeout { .. } => "timeout",
        WireError::Connect { .. } => "connect",
        WireError::TooLarge { .. } => "too-large",
        WireError::Broken { .. } => "broken-off",
        WireError::Setup { .. } => "setup",
    }
}

/// A path in which only the words of Graph's own stand. The address of a next page is whatever Graph has said.
fn form(url: &Url) -> String {
    let is_word = |segment: &str| segment.bytes().all(|c| c.is_ascii_alphabetic() || c == b'.' || c == b'$');
    let known = |segment| if segment == "v1.0" || is_word(segment) { segment } else { "{id}" };
    let segments: Vec<&str> = url.path().split('/').map(known).collect();
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_path_names_nobody() {
        const ID: &str = "8d3f0c5a-1111-4222-8333-944444444444";
        for (path, expected) in [
            (format!("/v1.0/users/{ID}"), "/v1.0/users/{id}"),
            (format!("/v1.0/groups/{ID}/members/{ID}/$ref?x={ID}"), "/v1.0/groups/{id}/members/{id}/$ref"),
            (
                "/v1.0/directory/deletedItems/microsoft.graph.user".to_owned(),
                "/v1.0/directory/deletedItems/microsoft.graph.user",
            ),
            ("/v1.0/$batch".to_owned(), "/v1.0/$batch"),
            ("/v1.0/users/mallory@evil.example".to_owned(), "/v1.0/users/{id}"),
            ("/v1.0/users/mallory_evil.example%23EXT%23".to_owned(), "/v1.0/users/{id}"),
            ("/v1.0/users('8d3f')/b c".to_owned(), "/v1.0/{id}/{id}"),
        ] {
            let url = Url::parse("https://graph.example").unwrap().join(&path).unwrap();
            assert_eq!(form(&url), expected, "{path}");
        }
    }
}
