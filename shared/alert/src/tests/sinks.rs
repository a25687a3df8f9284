//! Channels against receivers on loopback: what is posted, and what each answer leads to.

use axum::Router;
use http::StatusCode;
use jiff::SignedDuration;
use seal::{SignedRequest, VerifyingSecret, WebhookSecret};
use secrecy::SecretString;
use serde_json::Value;
use wire::Wire;

use super::sink::{Answer, PATH, Post, Sink, broken, later, message, name, now, take};
use crate::{Channel, ChannelError, SendError, Slack, Webhook};

fn secret() -> WebhookSecret {
    WebhookSecret::parse(&WebhookSecret::generate([7; 32])).unwrap()
}

async fn to_slack(sink: &Sink) -> Result<(), SendError> {
    let channel = Channel::Slack(Slack::new(name(), &sink.url().await).unwrap());
    channel.send(&Wire::network().unwrap(), &message(), None, now()).await.map(|_| ())
}

async fn to_webhook(sink: &Sink, secrets: Vec<WebhookSecret>) -> Result<(), SendError> {
    let channel = Channel::Webhook(Webhook::new(name(), &sink.url().await, secrets).unwrap());
    channel.send(&Wire::network().unwrap(), &message(), None, now()).await.map(|_| ())
}

const OK: Answer = (StatusCode::OK, Vec::new(), "ok");

#[tokio::test]
async fn slack_gets_one_post_with_blocks_and_text() {
    let sink = Sink::answering(&[OK]);
    assert_eq!(to_slack(&sink).await, Ok(()));
    let posts = sink.posts();
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(sink.json()[0], Value::Object(crate::block_kit::payload(&message())));
}

#[tokio::test]
async fn an_alert_whose_blocks_slack_refuses_is_sent_as_plain_text() {
    for word in ["invalid_blocks", "invalid_payload", "no idea what this is"] {
        let sink = Sink::answering(&[(StatusCode::BAD_REQUEST, Vec::new(), word), OK]);
        assert_eq!(to_slack(&sink).await, Ok(()));
        let posts = sink.json();
        assert_eq!(posts.len(), 2);
        assert_eq!(posts[1].get("blocks"), None);
        assert_eq!(posts[1]["mrkdwn"], false);
        let text = posts[1]["text"].as_str().unwrap();
        for part in ["Mallory Doe", "mallory@evil[.]example", "blocked-domain", "guestlist incidents show"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[tokio::test]
async fn slack_is_posted_to_at_most_twice() {
    let refusal: Answer = (StatusCode::BAD_REQUEST, Vec::new(), "invalid_blocks");
    let sink = Sink::answering(&[refusal.clone(), refusal]);
    assert_eq!(to_slack(&sink).await, broken("slack answered 400 `invalid_blocks`"));
    assert_eq!(sink.posts().len(), 2);
}

#[tokio::test]
async fn each_answer_of_slack_means_later_or_never() {
    let end = "the webhook is at an end, make a new one in Slack";
    let header = |value| vec![("retry-after", value)];
    let soon = Some(SignedDuration::from_secs(30));
    for (answer, expected) in [
        (
            (StatusCode::NOT_FOUND, vec![], "no_service"),
            broken(&format!("slack answered 404 `no_service`: {end}")),
        ),
        ((StatusCode::NOT_FOUND, vec![], "<html>"), broken("slack answered 404")),
        (
            (StatusCode::FORBIDDEN, vec![], "action_prohibited"),
            broken(&format!("slack answered 403 `action_prohibited`: {end}")),
        ),
        (
            (StatusCode::GONE, vec![], "channel_is_archived"),
            broken(&format!("slack answered 410 `channel_is_archived`: {end}")),
        ),
        (
            (StatusCode::BAD_REQUEST, vec![], "invalid_token"),
            broken(&format!("slack answered 400 `invalid_token`: {end}")),
        ),
        (
            (StatusCode::TOO_MANY_REQUESTS, header("30"), "rate_limited"),
            later(soon, "slack answered 429 `rate_limited`"),
        ),
        (
            (StatusCode::TOO_MANY_REQUESTS, header("Fri, 20 Nov 2026 10:00:30 GMT"), ""),
            later(soon, "slack answered 429"),
        ),
        ((StatusCode::TOO_MANY_REQUESTS, vec![], ""), later(None, "slack answered 429")),
        (
            (StatusCode::INTERNAL_SERVER_ERROR, vec![], "rollup_error"),
            later(None, "slack answered 500 `rollup_error`"),
        ),
        (
            (StatusCode::SERVICE_UNAVAILABLE, header("1.5"), ""),
            later(Some(SignedDuration::from_millis(1_500)), "slack answered 503"),
        ),
        (
            (StatusCode::FOUND, vec![("location", "/elsewhere")], ""),
            broken("slack answered 302; redirects are not followed, configure the final URL"),
        ),
        (
            (StatusCode::OK, vec![], "<!DOCTYPE html>"),
            broken("slack answered with a page instead of `ok`; the URL is not that of an incoming webhook"),
        ),
        (
            (StatusCode::OK, vec![], r#"{"ok":false,"error":"channel_not_found"}"#),
            broken("slack answered 200 `channel_not_found`"),
        ),
        (
            (StatusCode::OK, vec![], r#"{"ok":false,"error":"rate_limited"}"#),
            later(None, "slack answered 200 `rate_limited`"),
        ),
        ((StatusCode::OK, vec![], r#"{"ok":true}"#), Ok(())),
    ] {
        let sink = Sink::answering(std::slice::from_ref(&answer));
        assert_eq!(to_slack(&sink).await, expected, "{answer:?}");
        assert_eq!(sink.posts().len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn the_webhook_is_signed_by_every_secret_and_verifies() {
    let other = WebhookSecret::parse(&WebhookSecret::generate([9; 32])).unwrap();
    let sink = Sink::answering(&[(StatusCode::NO_CONTENT, Vec::new(), "")]);
    assert_eq!(to_webhook(&sink, vec![secret(), other.clone()]).await, Ok(()));
    let Post { uri: _, headers, body } = sink.posts().remove(0);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("webhook-id"), Some(message().id.as_str()));
    let request = SignedRequest {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: &body,
    };
    for secret in [secret(), other] {
        assert_eq!(seal::verify(&[secret.verifying()], &request, now().as_second()), Ok(()));
    }
    let stranger = VerifyingSecret::parse(&WebhookSecret::generate([1; 32])).unwrap();
    assert!(seal::verify(&[stranger], &request, now().as_second()).is_err());
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(event["type"], "guest.finding");
    assert_eq!(event["data"]["schema"], 1);
}

#[tokio::test]
async fn each_answer_of_a_webhook_means_later_or_never() {
    let header = |value| vec![("retry-after", value)];
    let soon = Some(SignedDuration::from_secs(120));
    for (answer, expected) in [
        ((StatusCode::OK, vec![], "<html>whatever</html>"), Ok(())),
        ((StatusCode::ACCEPTED, vec![], ""), Ok(())),
        (
            (StatusCode::PERMANENT_REDIRECT, vec![("location", "/")], ""),
            broken("the webhook answered 308; redirects are not followed, configure the final URL"),
        ),
        ((StatusCode::BAD_REQUEST, vec![], "nope"), broken("the webhook answered 400")),
        ((StatusCode::UNAUTHORIZED, vec![], ""), broken("the webhook answered 401")),
        ((StatusCode::FORBIDDEN, vec![], ""), broken("the webhook answered 403")),
        ((StatusCode::NOT_FOUND, vec![], ""), broken("the webhook answered 404")),
        (
            (StatusCode::GONE, vec![], ""),
            broken(
                "the webhook answered 410: the receiver wants no more of them; remove the channel or give it another URL",
            ),
        ),
        ((StatusCode::REQUEST_TIMEOUT, vec![], ""), later(None, "the webhook answered 408")),
        ((StatusCode::TOO_MANY_REQUESTS, header("120"), ""), later(soon, "the webhook answered 429")),
        (
            (StatusCode::TOO_MANY_REQUESTS, header("Fri, 20 Nov 2026 10:02:00 GMT"), ""),
            later(soon, "the webhook answered 429"),
        ),
        ((StatusCode::BAD_GATEWAY, vec![], ""), later(None, "the webhook answered 502")),
        ((StatusCode::SERVICE_UNAVAILABLE, header("120"), ""), later(soon, "the webhook answered 503")),
    ] {
        let sink = Sink::answering(std::slice::from_ref(&answer));
        assert_eq!(to_webhook(&sink, vec![secret()]).await, expected, "{answer:?}");
        assert_eq!(sink.posts().len(), 1, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_never_answers_is_tried_again_later() {
    let router = Router::new().fallback(take).with_state(Sink::default());
    let url: SecretString = format!("http://127.0.0.1{PATH}").into();
    let slack = Channel::Slack(Slack::new(name(), &url).unwrap());
    let webhook = Channel::Webhook(Webhook::new(name(), &url, vec![secret()]).unwrap());
    let wire = Wire::InProcess(router);
    let told = slack.send(&wire, &message(), None, now()).await.map(|_| ());
    assert_eq!(told, later(None, "slack did not answer within 15 s"));
    let told = webhook.send(&wire, &message(), None, now()).await.map(|_| ());
    assert_eq!(told, later(None, "the webhook did not answer within 15 s"));
}

#[tokio::test]
async fn a_channel_that_cannot_be_reached_is_tried_again_later_and_its_url_is_not_shown() {
    let url: SecretString = format!("http://127.0.0.1:9{PATH}?sig=topsecret").into();
    let slack = Slack::new(name(), &url).unwrap();
    let webhook = Webhook::new(name(), &url, vec![secret()]).unwrap();
    for channel in [Channel::Slack(slack), Channel::Webhook(webhook)] {
        let error = channel.send(&Wire::network().unwrap(), &message(), None, now()).await.unwrap_err();
        assert!(matches!(error, SendError::Later { .. }), "{error:?}");
        assert!(error.to_string().contains("could not be reached"), "{error}");
        for shown in [format!("{error:?}"), format!("{channel:?}")] {
            assert!(!shown.contains("topsecret"), "{shown}");
        }
    }
}

#[test]
fn a_channel_is_not_set_up_with_an_url_that_would_leak_or_cannot_work() {
    let refused =
        |url: &str| Slack::new(name(), &SecretString::from(url.to_owned())).map(|_| ()).unwrap_err();
    assert_eq!(refused("hooks.slack.example/x"), ChannelError::NotAUrl { channel: name() });
    assert_eq!(refused(""), ChannelError::NotAUrl { channel: name() });
    assert_eq!(refused("http://hooks.slack.example/topsecret"), ChannelError::NotHttps { channel: name() });
    assert_eq!(refused("http://127.0.0.1.evil.example/"), ChannelError::NotHttps { channel: name() });
    assert_eq!(refused("ftp://127.0.0.1/"), ChannelError::NotHttps { channel: name() });
    assert_eq!(refused("https://me:topsecret@hooks.example/"), ChannelError::Credentials { channel: name() });
    let https: SecretString = "https://hooks.slack.example/topsecret".to_owned().into();
    assert!(Slack::new(name(), &https).is_ok());
    for url in ["http://localhost:8080/x", "http://127.0.0.1/x", "http://[::1]:1/x"] {
        assert!(Slack::new(name(), &SecretString::from(url.to_owned())).is_ok(), "{url}");
    }
    let unsigned = Webhook::new(name(), &https, Vec::new()).map(|_| ()).unwrap_err();
    assert_eq!(unsigned, ChannelError::NoSecret { channel: name() });
    assert!(!unsigned.to_string().contains("topsecret"));
}
