//! Slack with a bot's token: one incident is one message, edited as the incident goes on.

use http::StatusCode;
use jiff::SignedDuration;
use model::State;
use secrecy::SecretString;
use serde_json::{Value, json};
use wire::Wire;

use super::sink::{Answer, Sink, broken, later, message, name, now};
use super::{at, in_state};
use crate::{Channel, ChannelError, Message, Receipt, SendError, SlackBot, about_incident, block_kit};

const TOKEN: &str = "xoxb-17653672481-topsecret";
const CHANNEL: &str = "C0123456789";
const POSTED: Answer =
    (StatusCode::OK, Vec::new(), r#"{"ok":true,"channel":"C0123456789","ts":"1503435956.000247"}"#);
const PLACE: &str = "C0123456789:1503435956.000247:guest.finding";

fn no(word: &'static str) -> Answer {
    let body = match word {
        "message_not_found" => r#"{"ok":false,"error":"message_not_found"}"#,
        "edit_window_closed" => r#"{"ok":false,"error":"edit_window_closed"}"#,
        "cant_update_message" => r#"{"ok":false,"error":"cant_update_message"}"#,
        "invalid_blocks" => r#"{"ok":false,"error":"invalid_blocks","errors":["no more than 50 items"]}"#,
        "msg_too_long" => r#"{"ok":false,"error":"msg_too_long"}"#,
        "msg_blocks_too_long" => r#"{"ok":false,"error":"msg_blocks_too_long"}"#,
        other => panic!("{other}"),
    };
    (StatusCode::OK, Vec::new(), body)
}

async fn to_bot(sink: &Sink, message: &Message, posted: Option<&str>) -> Result<Receipt, SendError> {
    let root = format!("{}/api", sink.root().await);
    let channel =
        Channel::SlackBot(SlackBot::new(name(), &SecretString::from(TOKEN), CHANNEL, &root).unwrap());
    channel.send(&Wire::network().unwrap(), message, posted, now()).await
}

/// The methods that were called, in order.
fn methods(sink: &Sink) -> Vec<String> {
    sink.posts().iter().map(|post| post.uri.path().replace("/api/", "")).collect()
}

fn receipt(posted: &str) -> Result<Receipt, SendError> {
    Ok(Receipt { posted: Some(posted.to_owned()) })
}

fn keys(form: &Value) -> Vec<&str> {
    form.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_first_message_is_posted_and_its_place_is_kept() {
    let sink = Sink::answering(&[POSTED]);
    assert_eq!(to_bot(&sink, &message(), None).await, receipt(PLACE));
    let post = sink.posts().remove(0);
    assert_eq!(post.uri, "/api/chat.postMessage");
    assert_eq!(post.headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(post.headers["content-type"], "application/json; charset=utf-8");
    let mut expected = block_kit::payload(&message());
    expected.insert("channel".to_owned(), json!(CHANNEL));
    assert_eq!(sink.json()[0], Value::Object(expected));
}

#[tokio::test]
async fn a_later_state_takes_the_place_of_the_first_message_with_the_count() {
    let sink = Sink::answering(&[POSTED]);
    let mut done = in_state(State::Done { at: at("10:00:05") });
    done.seen = 4;
    let message = about_incident(&done, 2);
    assert_eq!(
        to_bot(&sink, &message, Some(PLACE)).await,
        receipt("C0123456789:1503435956.000247:guest.done")
    );
    assert_eq!(methods(&sink), ["chat.update"]);
    let form = &sink.json()[0];
    assert_eq!(keys(form), ["blocks", "channel", "link_names", "text", "ts"], "what chat.update knows");
    assert_eq!((&form["channel"], &form["ts"]), (&json!(CHANNEL), &json!("1503435956.000247")));
    assert!(form["blocks"].to_string().contains("seen 4 times"), "{form}");
}

#[tokio::test]
async fn what_newly_asks_for_a_person_is_also_said_aloud_and_only_once() {
    let failed = in_state(State::Failed { why: "Graph answered 403".to_owned() });
    let message = about_incident(&failed, 2);
    let sink = Sink::answering(&[POSTED, POSTED]);
    let told = "C0123456789:1503435956.000247:guest.failed#ab8b108b5eb831ab";
    assert_eq!(to_bot(&sink, &message, Some(PLACE)).await, receipt(told));
    assert_eq!(methods(&sink), ["chat.update", "chat.postMessage"]);
    let reply = &sink.json()[1];
    assert_eq!((&reply["thread_ts"], &reply["reply_broadcast"]), (&json!("1503435956.000247"), &json!(true)));
    assert_eq!(
        reply["text"],
        "Failed, and a person must look at guest mallory@evil[.]example: blocked-domain (high)"
    );
    assert_eq!((reply.get("blocks"), &reply["mrkdwn"]), (None, &json!(false)));
    let sink = Sink::answering(&[POSTED]);
    assert_eq!(to_bot(&sink, &message, Some(told)).await, receipt(told));
    assert_eq!(methods(&sink), ["chat.update"]);
}

#[tokio::test]
async fn a_message_that_cannot_be_edited_is_posted_anew() {
    for word in ["message_not_found", "edit_window_closed", "cant_update_message"] {
        let sink = Sink::answering(&[no(word), POSTED]);
        assert_eq!(to_bot(&sink, &message(), Some("C0123456789:1.5:guest.finding")).await, receipt(PLACE));
        assert_eq!(methods(&sink), ["chat.update", "chat.postMessage"]);
    }
}

#[tokio::test]
async fn a_place_in_another_channel_or_that_is_none_is_posted_anew() {
    for posted in ["C0999999999:1.5:guest.finding", "", "nonsense", "C0123456789", "C0123456789:<x>:y", "::"]
    {
        let sink = Sink::answering(&[POSTED]);
        assert_eq!(to_bot(&sink, &message(), Some(posted)).await, receipt(PLACE), "{posted}");
        assert_eq!(methods(&sink), ["chat.postMessage"], "{posted}");
    }
}

#[tokio::test]
async fn an_alert_whose_blocks_slack_refuses_is_sent_as_plain_text() {
    for word in ["invalid_blocks", "msg_too_long", "msg_blocks_too_long"] {
        let sink = Sink::answering(&[no(word), POSTED]);
        assert_eq!(to_bot(&sink, &message(), None).await, receipt(PLACE));
        assert_eq!(methods(&sink), ["chat.postMessage", "chat.postMessage"]);
        assert_eq!((sink.json()[1].get("blocks"), &sink.json()[1]["mrkdwn"]), (None, &json!(false)));
        let sink = Sink::answering(&[no(word), POSTED]);
        assert_eq!(to_bot(&sink, &message(), Some(PLACE)).await, receipt(PLACE));
        assert_eq!(sink.json()[1]["blocks"], json!([]), "or the old ones stay");
        let sink = Sink::answering(&[no(word), no(word)]);
        assert_eq!(to_bot(&sink, &message(), None).await, broken(&format!("slack answered 200 `{word}`")));
    }
}

#[tokio::test]
async fn each_answer_of_the_web_api_means_later_or_never() {
    let anew = "the bot's token serves no more; install the app again, and set its new token";
    let ok = |body| (StatusCode::OK, vec![], body);
    for (answer, expected) in [
        (
            ok(r#"{"ok":false,"error":"not_in_channel"}"#),
            broken("slack answered 200 `not_in_channel`: invite the app to the channel with `/invite`"),
        ),
        (
            ok(r#"{"ok":false,"error":"channel_not_found"}"#),
            broken(
                "slack answered 200 `channel_not_found`: the app sees no such channel; correct the channel's id, and invite the app where the channel is private",
            ),
        ),
        (
            ok(r#"{"ok":false,"error":"is_archived"}"#),
            broken(
                "slack answered 200 `is_archived`: the channel is archived; unarchive it, or choose another",
            ),
        ),
        (
            ok(r#"{"ok":false,"error":"invalid_auth"}"#),
            broken(&format!("slack answered 200 `invalid_auth`: {anew}")),
        ),
        (
            ok(r#"{"ok":false,"error":"token_revoked"}"#),
            broken(&format!("slack answered 200 `token_revoked`: {anew}")),
        ),
        (
            ok(r#"{"ok":false,"error":"missing_scope"}"#),
            broken(
                "slack answered 200 `missing_scope`: give the app the scope `chat:write`, and install it again",
            ),
        ),
        (ok(r#"{"ok":false,"error":"no_idea"}"#), broken("slack answered 200 `no_idea`")),
        (ok(r#"{"ok":false,"error":"<https://evil.example>"}"#), broken("slack answered 200 `ok: false`")),
        (ok(r#"{"ok":false,"error":"internal_error"}"#), later(None, "slack answered 200 `internal_error`")),
        (
            (StatusCode::OK, vec![("retry-after", "30")], r#"{"ok":false,"error":"ratelimited"}"#),
            later(Some(SignedDuration::from_secs(30)), "slack answered 200 `ratelimited`"),
        ),
        (
            (
                StatusCode::TOO_MANY_REQUESTS,
                vec![("retry-after", "7")],
                r#"{"ok":false,"error":"ratelimited"}"#,
            ),
            later(Some(SignedDuration::from_secs(7)), "slack answered 429 `ratelimited`"),
        ),
        ((StatusCode::BAD_GATEWAY, vec![], "<html>"), later(None, "slack answered 502")),
        (
            ok("<html>"),
            broken("slack answered with something else than its API does; correct the API's root"),
        ),
        ((StatusCode::NOT_FOUND, vec![], "<html>"), broken("slack answered 404")),
    ] {
        for posted in [None, Some(PLACE)] {
            let sink = Sink::answering(std::slice::from_ref(&answer));
            assert_eq!(to_bot(&sink, &message(), posted).await, expected, "{answer:?}");
            assert_eq!(sink.posts().len(), 1, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_reply_that_is_not_taken_is_tried_again_with_the_edit() {
    let message = about_incident(&in_state(State::Refused { why: "protected".to_owned() }), 2);
    let sink = Sink::answering(&[POSTED, (StatusCode::SERVICE_UNAVAILABLE, vec![], "")]);
    assert_eq!(to_bot(&sink, &message, Some(PLACE)).await, later(None, "slack answered 503"));
}

#[test]
fn a_bot_is_not_set_up_with_what_cannot_work() {
    let bot = |token: &str, channel: &str, api: &str| {
        SlackBot::new(name(), &SecretString::from(token), channel, api).map(|_| ())
    };
    assert_eq!(bot(TOKEN, CHANNEL, SlackBot::API), Ok(()));
    assert_eq!(bot(&format!(" {TOKEN}\n"), "G01", "https://slack-gov.com/api"), Ok(()));
    for token in ["", "xoxp-17653672481", "xapp-1", "xoxb-a b", "xoxb-\u{e9}"] {
        assert_eq!(bot(token, CHANNEL, SlackBot::API), Err(ChannelError::NotABotToken { channel: name() }));
    }
    for id in ["", "#alerts", "alerts", "C", "c0123456789", "C012345678 ", "U0123456789"] {
        let refused = ChannelError::NotAChannelId { channel: name(), id: id.to_owned() };
        assert_eq!(bot(TOKEN, id, SlackBot::API), Err(refused));
    }
    let plain = bot(TOKEN, CHANNEL, "http://slack.com/api/");
    assert_eq!(plain, Err(ChannelError::NotHttps { channel: name() }));
    let shown = format!("{:?}", SlackBot::new(name(), &SecretString::from(TOKEN), CHANNEL, SlackBot::API));
    assert!(!shown.contains("topsecret"), "{shown}");
}

#[test]
fn only_the_bot_edits_and_only_pagerduty_takes_every_event() {
    let token = SecretString::from(TOKEN);
    let bot = Channel::SlackBot(SlackBot::new(name(), &token, CHANNEL, SlackBot::API).unwrap());
    assert!(bot.edits_in_place() && bot.rolls_up());
    let url: SecretString = "https://hooks.slack.example/x".to_owned().into();
    let webhook = Channel::Slack(crate::Slack::new(name(), &url).unwrap());
    assert!(!webhook.edits_in_place() && webhook.rolls_up());
    let key = SecretString::from("0123456789abcdef0123456789abcdef");
    let pager = crate::PagerDuty::new(name(), &key, crate::PagerDuty::URL, "t").unwrap();
    assert!(!Channel::PagerDuty(pager.clone()).edits_in_place() && !Channel::PagerDuty(pager).rolls_up());
}
