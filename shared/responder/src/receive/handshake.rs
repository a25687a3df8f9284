//! The validation handshake: Graph asks whether this URL wants its notifications, and expects its token back.
//!
//! Anybody can ask, so the token could be an attacker's page: it goes back as plain text that no browser interprets,
//! and markup and control characters, which Graph never sends, are refused
//! (<https://learn.microsoft.com/graph/change-notifications-delivery-webhooks>).

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

const MOST_CHARACTERS: usize = 4096;

const PLAIN: [(HeaderName, &str); 4] = [
    (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    (header::CACHE_CONTROL, "no-store"),
];

/// The answer, if the query asks for one.
pub(super) fn answer(query: &str) -> Option<Response> {
    let mut tokens = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "validationToken");
    let (_, token) = tokens.next()?;
    let twice = tokens.next().is_some();
    Some(if !twice && is_plain(&token) {
        (StatusCode::OK, PLAIN, token.into_owned()).into_response()
    } else {
        (StatusCode::BAD_REQUEST, PLAIN, "the validation token is not plain text\n").into_response()
    })
}

fn is_plain(token: &str) -> bool {
    // U+FFFD stands where the bytes were not UTF-8.
    let markup = |c: char| c.is_control() || "<>\"'&`\u{fffd}".contains(c);
    !token.is_empty() && token.chars().count() <= MOST_CHARACTERS && !token.contains(markup)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn ask(query: &str) -> Option<(u16, String)> {
        let answer = answer(query)?;
        assert_eq!(answer.headers().get("x-content-type-options").unwrap(), "nosniff");
        assert_eq!(answer.headers().get("content-type").unwrap(), "text/plain; charset=utf-8");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        Some((status, String::from_utf8(body.to_vec()).unwrap()))
    }

    #[tokio::test]
    async fn the_token_goes_back_decoded() {
        let query = "a=b&validationToken=Validation%3A%20Testing+Request-Id%3A%201%2B2";
        assert_eq!(ask(query).await, Some((200, "Validation: Testing Request-Id: 1+2".to_owned())));
    }

    #[tokio::test]
    async fn a_post_without_a_token_is_no_handshake() {
        assert_eq!(ask("").await, None);
        assert_eq!(ask("ValidationToken=x&token=y").await, None);
    }

    #[tokio::test]
    async fn markup_control_characters_and_nonsense_are_refused() {
        let long = format!("validationToken={}", "a".repeat(5000));
        for query in [
            "validationToken=%3Cscript%3Ealert(1)%3C/script%3E",
            "validationToken=a%26b",
            "validationToken=a%0D%0Ab",
            "validationToken=%00",
            "validationToken=%FF",
            "validationToken=",
            "validationToken=a&validationToken=b",
            long.as_str(),
        ] {
            assert_eq!(ask(query).await.unwrap().0, 400, "{query}");
        }
    }
}
