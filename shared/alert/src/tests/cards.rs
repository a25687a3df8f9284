//! The card for Teams, and its way there.

use http::StatusCode;
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::State;
use secrecy::SecretString;
use serde_json::Value;
use wire::Wire;

use super::sink::{Answer, Sink, broken, later, message, name, now};
use super::{at, in_state, teams};
use crate::card::{payload, short_payload};
use crate::{Channel, ChannelError, Message, Receipt, SendError, Teams, about_incident};

const ACCEPTED: Answer = (StatusCode::ACCEPTED, Vec::new(), "");

fn texts(card: &Value) -> Vec<String> {
    let blocks = card["attachments"][0]["content"]["body"].as_array().unwrap();
    blocks.iter().map(|block| block["text"].as_str().unwrap().to_owned()).collect()
}

/// What Teams takes, and nothing that a card from a webhook cannot have.
#[track_caller]
pub(super) fn expect_within_limits(message: &Message) {
    for card in [payload(message), short_payload(message)] {
        let text = card.to_string();
        assert!(text.len() <= 20_000, "{}", text.len());
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), card);
        let content = &card["attachments"][0]["content"];
        assert_eq!((&content["type"], &content["version"]), (&"AdaptiveCard".into(), &"1.4".into()));
        assert_eq!(content.get("actions"), None);
        for block in content["body"].as_array().unwrap() {
            assert_eq!((&block["type"], &block["wrap"]), (&"TextBlock".into(), &true.into()), "{block}");
            assert!(!block["text"].as_str().unwrap().is_empty(), "{block}");
        }
    }
}

/// Nothing that a client would take for Markdown, HTML, a mention, a date to be filled in, or a link.
#[track_caller]
pub(super) fn expect_harmless(message: &Message) {
    for text in [payload(message), short_payload(message)].iter().flat_map(texts) {
        let ours = text.replace("[cut]", "").replace("[.]", "").replace("[:]", "");
        assert!(!ours.contains(['*', '~', '`', '\\', '<', '>', '&', '[', ']', '{', '}']), "{text}");
        assert!(!text.contains("://"), "{text}");
        assert!(!text.starts_with([' ', '#', '-', '+', '=']), "{text}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert_eq!(text.matches('“').count(), text.matches('”').count(), "{text}");
    }
}

#[test]
fn the_card_has_the_shape_that_workflows_take() {
    let mut short = message();
    short.headline_pieces.truncate(1);
    let card = short_payload(&short);
    assert_snapshot!(serde_json::to_string_pretty(&card).unwrap(), @r#"
    {
      "attachments": [
        {
          "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "body": [
              {
                "color": "Warning",
                "size": "Medium",
                "style": "heading",
                "text": "Would disable guest ",
                "type": "TextBlock",
                "weight": "Bolder",
                "wrap": true
              },
              {
                "isSubtle": true,
                "size": "Small",
                "text": "… [cut] all but this, because Teams did not take the whole message",
                "type": "TextBlock",
                "wrap": true
              },
              {
                "fontType": "Monospace",
                "spacing": "Small",
                "text": "Details: guestlist incidents show 2f446fae28c24a7f-1",
                "type": "TextBlock",
                "wrap": true
              },
              {
                "isSubtle": true,
                "size": "Small",
                "text": "incident 2f446fae28c24a7f-1 · open · mode observe · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once",
                "type": "TextBlock",
                "wrap": true
              }
            ],
            "msteams": {
              "width": "full"
            },
            "type": "AdaptiveCard",
            "version": "1.4"
          },
          "contentType": "application/vnd.microsoft.card.adaptive",
          "contentUrl": null
        }
      ],
      "type": "message"
    }
    "#);
}

#[test]
fn the_card_says_all_that_slack_says() {
    let mut done = in_state(State::Done { at: at("10:00:05") });
    done.left_over = vec!["access tokens issued before now stay valid for up to about an hour".to_owned()];
    assert_snapshot!(teams(&about_incident(&done, 2)), @"
    Disabled guest mallory@evil[.]example: blocked-domain (high)
    Who
    “Mallory Doe” · guest · account enabled
    Address: “mallory@evil[.]example”
    Organisation: “evil[.]example”
    Sponsor: “Alice”
    Object id: “00000000-0000-0000-0000-000000005c1e” · created 2026-11-20 09:58:00 UTC
    What happened
    Breaks the rule “blocked-domain” (high severity)
    Why the rule: organisations under sanctions
    • the address “mallory@evil[.]example” is in the list “blocked” (“evil[.]example”)
    What was done
    Disabled the account, and read it back at 2026-11-20 10:00:05 UTC.
    What is left over
    • access tokens issued before now stay valid for up to about an hour
    Undo: guestlist undo 2f446fae28c24a7f-1 --reason …
    Details: guestlist incidents show 2f446fae28c24a7f-1
    incident 2f446fae28c24a7f-1 · done · mode enforce · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
}

#[test]
fn whatever_stands_in_it_the_card_fits_and_says_what_was_cut() {
    for sign in ["x", "é", "山", "💥", "\"", "\\", "&"] {
        let mut incident = in_state(State::Done { at: at("10:00:05") });
        incident.subject.name = Some(sign.repeat(5_000));
        incident.subject.addresses = vec![sign.repeat(320); 300];
        incident.finding.reasons = vec![sign.repeat(5_000); 300];
        incident.finding.held_back = incident.finding.reasons.clone();
        incident.finding.by_hand = incident.finding.reasons.clone();
        incident.left_over = incident.finding.reasons.clone();
        let message = about_incident(&incident, 1);
        expect_within_limits(&message);
        expect_harmless(&message);
        let shown = teams(&message);
        assert!(shown.contains(&format!("\nUndo: guestlist undo {} --reason …\n", incident.id)), "{shown}");
        assert!(shown.contains("more lines"), "{shown}");
        for title in ["Who", "What happened", "What was done", "What a person must do", "What is left over"] {
            assert!(shown.contains(&format!("\n{title}\n")), "{title}: {shown}");
        }
    }
}

async fn to_teams(sink: &Sink) -> Result<Receipt, SendError> {
    let channel = Channel::Teams(Teams::new(name(), &sink.url().await).unwrap());
    channel.send(&Wire::network().unwrap(), &message(), Some("C1:1.2"), now()).await
}

#[tokio::test]
async fn teams_gets_one_post_and_an_accepted_card_is_all_that_is_known() {
    let sink = Sink::answering(&[ACCEPTED]);
    assert_eq!(to_teams(&sink).await, Ok(Receipt::default()));
    assert_eq!(sink.posts()[0].headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(sink.json(), [payload(&message())]);
}

#[tokio::test]
async fn the_path_and_query_are_sent_as_they_were_copied() {
    let target = "/powerautomate/automations/direct/workflows/0f3c/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=aB-_9%2b";
    let sink = Sink::answering(&[ACCEPTED]);
    let url: SecretString = format!("{}{target}", sink.root().await).into();
    let channel = Channel::Teams(Teams::new(name(), &url).unwrap());
    assert!(channel.send(&Wire::network().unwrap(), &message(), None, now()).await.is_ok());
    assert_eq!(sink.posts()[0].uri.to_string(), target);
    let https = format!("https://default0f.01.environment.api.powerplatform.com:443{target}");
    assert!(Teams::new(name(), &https.into()).is_ok());
}

#[test]
fn a_url_that_teams_would_not_know_again_is_refused() {
    let refused = |url: &str| Teams::new(name(), &url.to_owned().into()).map(|_| ()).unwrap_err();
    for url in [
        "https://contoso.webhook.office.com/webhookb2/topsecret",
        "https://outlook.office.com/webhook/topsecret",
        "https://outlook.office365.com/webhook/topsecret",
        "https://CONTOSO.webhook.office.com:443/webhookb2/topsecret",
    ] {
        assert_eq!(refused(url), ChannelError::OfficeConnector { channel: name() }, "{url}");
        assert!(!refused(url).to_string().contains("topsecret"));
    }
    for url in [
        "https://a.api.powerplatform.com/x y?sig=1",
        "https://a.api.powerplatform.com/a/../b?sig=1",
        "https://a.api.powerplatform.com",
        "https://a.api.powerplatform.com/x?sig=\"1\"",
        "https://a.api.powerplatform.com/x?sig=1#here",
    ] {
        assert_eq!(refused(url), ChannelError::NotExact { channel: name() }, "{url}");
    }
    assert_eq!(refused("http://a.api.powerplatform.com/x"), ChannelError::NotHttps { channel: name() });
}

#[tokio::test]
async fn a_card_that_teams_refuses_is_sent_short() {
    for status in [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE] {
        let sink = Sink::answering(&[(status, Vec::new(), "{}"), ACCEPTED]);
        assert_eq!(to_teams(&sink).await, Ok(Receipt::default()));
        assert_eq!(sink.json(), [payload(&message()), short_payload(&message())]);
        let sink = Sink::answering(&[(status, Vec::new(), ""), (status, Vec::new(), "")]);
        assert_eq!(to_teams(&sink).await, broken(&format!("teams answered {}", status.as_u16())));
        assert_eq!(sink.posts().len(), 2);
    }
}

#[tokio::test]
async fn each_answer_of_teams_means_later_or_never() {
    let again = "the workflow is gone or turned off: turn it on, or make a new one and use its URL";
    let anyone =
        "the workflow lets others than `Anyone` trigger it, or its URL was made anew: copy the URL again";
    let soon = Some(SignedDuration::from_secs(30));
    for (answer, expected) in [
        ((StatusCode::OK, vec![], ""), Ok(Receipt::default())),
        ((StatusCode::UNAUTHORIZED, vec![], ""), broken(&format!("teams answered 401: {anyone}"))),
        ((StatusCode::FORBIDDEN, vec![], ""), broken(&format!("teams answered 403: {anyone}"))),
        ((StatusCode::NOT_FOUND, vec![], ""), broken(&format!("teams answered 404: {again}"))),
        ((StatusCode::GONE, vec![], ""), broken(&format!("teams answered 410: {again}"))),
        (
            (StatusCode::FOUND, vec![("location", "/")], ""),
            broken("teams answered 302; redirects are not followed, configure the final URL"),
        ),
        ((StatusCode::TOO_MANY_REQUESTS, vec![("retry-after", "30")], ""), later(soon, "teams answered 429")),
        ((StatusCode::BAD_GATEWAY, vec![], ""), later(None, "teams answered 502")),
    ] {
        let sink = Sink::answering(std::slice::from_ref(&answer));
        assert_eq!(to_teams(&sink).await, expected, "{answer:?}");
        assert_eq!(sink.posts().len(), 1, "{answer:?}");
    }
}
