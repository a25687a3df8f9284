//! The events for PagerDuty, and their way there.

use std::collections::BTreeSet;

use http::StatusCode;
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::{Incident, Mode, Notice, NoticeKind, ObjectId, Severity, State};
use secrecy::SecretString;
use serde_json::Value;
use wire::Wire;

use super::sink::{Answer, Sink, broken, later, message, name, now};
use super::{at, finding, in_state, incident, met, subject};
use crate::{Channel, ChannelError, Message, PagerDuty, Receipt, SendError, about_incident, about_notice};

const KEY: &str = "0123456789abcdef0123456789ABCDEF";
const ACCEPTED: Answer = (StatusCode::ACCEPTED, Vec::new(), r#"{"status":"success"}"#);

fn pager_at(url: &str, source: &str) -> PagerDuty {
    PagerDuty::new(name(), &SecretString::from(KEY), url, source).unwrap()
}

fn event(message: &Message) -> Value {
    pager_at(PagerDuty::URL, "tenant").event(message).unwrap()
}

fn dedup(message: &Message) -> String {
    event(message)["dedup_key"].as_str().unwrap().to_owned()
}

fn act(message: &Message) -> String {
    event(message)["event_action"].as_str().unwrap().to_owned()
}

fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => object.values().for_each(|value| strings(value, found)),
        Value::Array(array) => array.iter().for_each(|value| strings(value, found)),
        Value::String(text) => found.push(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What PagerDuty takes, with nothing that it would make a link of.
#[track_caller]
pub(super) fn expect_within_limits(message: &Message) {
    let event = event(message);
    assert!(event.to_string().len() <= 512 * 1024);
    let key = event["dedup_key"].as_str().unwrap();
    assert!(key.len() == 64 && key.chars().all(|c| c.is_ascii_hexdigit()), "{key}");
    if event["event_action"] == "trigger" {
        let summary = event["payload"]["summary"].as_str().unwrap();
        assert!((1..=1_024).contains(&summary.chars().count()), "{summary}");
        let mut found = Vec::new();
        strings(&event["payload"], &mut found);
        assert!(!found.iter().any(|text| text.contains("://")), "{found:?}");
    }
}

#[test]
fn what_calls_somebody_opens_an_alert_that_says_all_of_it() {
    assert_snapshot!(serde_json::to_string_pretty(&event(&message())).unwrap(), @r#"
    {
      "client": "Guestlist",
      "dedup_key": "e56c438f42ceeace5b383e30850c170d29eb11673753754888fab5532e7db363",
      "event_action": "trigger",
      "payload": {
        "class": "guest.finding",
        "component": "blocked-domain",
        "custom_details": {
          "headline": "Would disable guest mallory@evil.example: blocked-domain (high)",
          "id": "2f446fae28c24a7f-1-1",
          "incident": {
            "actions": [
              "disable"
            ],
            "approval": null,
            "by_hand": [],
            "commands": {
              "approve": null,
              "reject": null,
              "show": "guestlist incidents show 2f446fae28c24a7f-1",
              "undo": null
            },
            "correlation": "00000000-0000-0000-0000-000000000007",
            "graph_request_ids": [],
            "guest": {
              "account_enabled": true,
              "addresses": [
                "mallory@evil.example"
              ],
              "created_at": "2026-11-20T09:58:00Z",
              "id": "00000000-0000-0000-0000-000000005c1e",
              "kind": "guest",
              "name": "Mallory Doe",
              "organisation": "evil.example",
              "sponsors": [
                {
                  "id": "00000000-0000-0000-0000-0000000a11ce",
                  "name": "Alice"
                }
              ]
            },
            "held_back": [],
            "hypothetical": true,
            "id": "2f446fae28c24a7f-1",
            "left_over": [],
            "mode": "observe",
            "opened_at": "2026-11-20T10:00:00Z",
            "plan": {
              "hash": "3dff0501747dacd2",
              "steps": [
                {
                  "group": null,
                  "progress": "not-done",
                  "step": "disable",
                  "text": "disable the account"
                }
              ]
            },
            "rule": {
              "group": null,
              "id": "blocked-domain",
              "object": null,
              "reasons": [
                "the address `mallory@evil.example` is in the list `blocked` (`evil.example`)"
              ],
              "relations": [],
              "unknown": false,
              "why": "organisations under sanctions"
            },
            "seen": 1,
            "state": "open",
            "tenant": "00000000-0000-0000-0000-0000000000c0",
            "waits_until": null,
            "what_a_person_must_do": null,
            "what_was_done": "Would disable the account (mode observe: nothing was done)."
          },
          "schema": 1,
          "severity": "high",
          "truncated": false
        },
        "severity": "error",
        "source": "tenant",
        "summary": "Would disable guest mallory@evil[.]example: blocked-domain (high)",
        "timestamp": "2026-11-20T10:00:00Z"
      },
      "routing_key": "0123456789abcdef0123456789ABCDEF"
    }
    "#);
}

#[test]
fn what_needs_a_person_opens_an_alert_and_what_is_over_closes_it() {
    let (by, reason, why) = (|| "anna".to_owned(), || "seen".to_owned(), || "protected".to_owned());
    let (then, soon) = (at("10:00:05"), at("10:00:35"));
    for (state, expected) in [
        (State::Open, "trigger"),
        (State::Waiting { since: then, until: soon }, "trigger"),
        (State::Sent { since: then, look_again_at: soon }, "trigger"),
        (State::Partly { at: then, why: why() }, "trigger"),
        (State::Refused { why: why() }, "trigger"),
        (State::Failed { why: why() }, "trigger"),
        (State::Expired { at: then }, "trigger"),
        (State::Undoing { since: then, look_again_at: soon, by: by(), reason: reason() }, "acknowledge"),
        (State::Done { at: then }, "resolve"),
        (State::Undone { at: then, by: by(), reason: reason() }, "resolve"),
        (State::Rejected { at: then, by: by(), reason: reason() }, "resolve"),
        (State::Resolved { at: then, why: why() }, "resolve"),
    ] {
        let message = about_incident(&in_state(state.clone()), 1);
        assert_eq!(act(&message), expected, "{state:?}");
        assert_eq!(event(&message).get("payload").is_some(), expected == "trigger", "{state:?}");
    }
}

#[test]
fn an_alert_stays_open_while_something_is_left_for_a_person() {
    let mut done = in_state(State::Done { at: at("10:00:05") });
    done.finding.by_hand = vec!["take the guest out of `Sales` where it is synchronised from".to_owned()];
    assert_eq!(act(&about_incident(&done, 1)), "trigger");
    done.state = State::Resolved { at: at("10:00:05"), why: "gone".to_owned() };
    assert_eq!(act(&about_incident(&done, 1)), "resolve");
}

#[test]
fn all_messages_about_one_finding_carry_one_key_and_no_other_finding_does() {
    let first = about_incident(&incident(Mode::Observe), 1);
    let mut again = in_state(State::Done { at: at("10:00:05") });
    again.id.generation = 7;
    assert_eq!(dedup(&about_incident(&again, 9)), dedup(&first));
    assert_snapshot!(dedup(&first), @"e56c438f42ceeace5b383e30850c170d29eb11673753754888fab5532e7db363");
    let other = |change: fn(&mut Incident)| {
        let mut incident = incident(Mode::Observe);
        change(&mut incident);
        dedup(&about_incident(&incident, 1))
    };
    let in_group = |group| {
        let mut in_group = finding(Mode::Observe);
        in_group.object = Some(ObjectId::from_u128(group));
        dedup(&about_incident(&met(subject(), in_group), 1))
    };
    let keys = BTreeSet::from([
        dedup(&first),
        other(|incident| incident.key.tenant = model::TenantId::from_u128(1)),
        other(|incident| incident.finding.rule = "other".parse().unwrap()),
        other(|incident| incident.subject.id = ObjectId::from_u128(1)),
        in_group(1),
        in_group(2),
    ]);
    assert_eq!(keys.len(), 6);
}

#[test]
fn each_severity_has_its_word() {
    for (severity, word) in [
        (Severity::Critical, "critical"),
        (Severity::High, "error"),
        (Severity::Medium, "warning"),
        (Severity::Low, "info"),
    ] {
        let mut message = message();
        message.severity = severity;
        assert_eq!(event(&message)["payload"]["severity"], word);
    }
}

fn notice(kind: NoticeKind, key: &str) -> Message {
    about_notice(&Notice::new(key.to_owned(), kind, "text".to_owned(), &[], now()), 1)
}

#[test]
fn a_trouble_has_one_alert_which_its_end_closes() {
    for (trouble, end) in [
        (NoticeKind::WritesStopped, NoticeKind::WritesResumed),
        (NoticeKind::PolicyRefused, NoticeKind::PolicyTaken),
        (NoticeKind::BreakerOpened, NoticeKind::BreakerReset),
    ] {
        let (trouble, end) = (notice(trouble, "a"), notice(end, "b"));
        assert_eq!((act(&trouble).as_str(), act(&end).as_str()), ("trigger", "resolve"));
        assert_eq!(dedup(&trouble), dedup(&end));
    }
    let key = |kind, key| dedup(&notice(kind, key));
    assert_eq!(key(NoticeKind::JobBuried, "a"), key(NoticeKind::JobBuried, "a"));
    assert_ne!(key(NoticeKind::JobBuried, "a"), key(NoticeKind::JobBuried, "b"));
    assert_ne!(key(NoticeKind::JobBuried, "a"), key(NoticeKind::Test, "a"));
}

#[test]
fn two_installations_with_one_routing_key_do_not_close_each_others_alerts() {
    let of = |source: &str| {
        let event = pager_at(PagerDuty::URL, source).event(&notice(NoticeKind::WritesStopped, "a")).unwrap();
        event["dedup_key"].clone()
    };
    assert_ne!(of("one"), of("two"));
}

#[test]
fn a_routing_key_of_another_form_is_refused_and_not_shown() {
    for key in ["", "short", "0123456789abcdef0123456789abcde-", &"a".repeat(33)] {
        let refused = PagerDuty::new(name(), &SecretString::from(key), PagerDuty::URL, "t").unwrap_err();
        assert_eq!(refused, ChannelError::NotARoutingKey { channel: name() });
        assert!(key.len() < 5 || !refused.to_string().contains(key), "{refused}");
    }
    let padded = format!(" {KEY}\n");
    assert!(PagerDuty::new(name(), &SecretString::from(padded), PagerDuty::URL, "t").is_ok());
    let plain = PagerDuty::new(name(), &SecretString::from(KEY), "http://events.example/", "t").unwrap_err();
    assert_eq!(plain, ChannelError::NotHttps { channel: name() });
    assert!(!format!("{:?}", pager_at(PagerDuty::URL, "t")).contains(KEY));
}

async fn to_pager(sink: &Sink) -> Result<Receipt, SendError> {
    let url = format!("{}/v2/enqueue", sink.root().await);
    let channel = Channel::PagerDuty(pager_at(&url, "tenant"));
    channel.send(&Wire::network().unwrap(), &message(), None, now()).await
}

#[tokio::test]
async fn pagerduty_gets_one_event() {
    let sink = Sink::answering(&[ACCEPTED]);
    assert_eq!(to_pager(&sink).await, Ok(Receipt::default()));
    assert_eq!(sink.posts()[0].uri, "/v2/enqueue");
    assert_eq!(sink.posts()[0].headers["content-type"], "application/json");
    assert_eq!(sink.json(), [event(&message())]);
}

#[tokio::test]
async fn each_answer_of_pagerduty_means_later_or_never() {
    let minutes = |seconds| Some(SignedDuration::from_secs(seconds));
    for (answer, expected) in [
        (
            (StatusCode::BAD_REQUEST, vec![], r#"{"status":"invalid event"}"#),
            broken("pagerduty answered 400: is the routing key that of an `Events API v2` integration?"),
        ),
        ((StatusCode::FORBIDDEN, vec![], ""), broken("pagerduty answered 403")),
        ((StatusCode::TOO_MANY_REQUESTS, vec![], ""), later(minutes(60), "pagerduty answered 429")),
        (
            (StatusCode::TOO_MANY_REQUESTS, vec![("retry-after", "90")], ""),
            later(minutes(90), "pagerduty answered 429"),
        ),
        ((StatusCode::INTERNAL_SERVER_ERROR, vec![], ""), later(None, "pagerduty answered 500")),
        ((StatusCode::BAD_GATEWAY, vec![], ""), later(None, "pagerduty answered 502")),
    ] {
        let sink = Sink::answering(std::slice::from_ref(&answer));
        assert_eq!(to_pager(&sink).await, expected, "{answer:?}");
        assert_eq!(sink.posts().len(), 1, "{answer:?}");
    }
}
