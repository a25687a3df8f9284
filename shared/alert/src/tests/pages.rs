//! An incident's page, and the one place in each message that leads there.

use insta::assert_snapshot;
use model::{Mode, State};
use proptest::prelude::*;

use super::hostile::{any_finding, any_state, any_subject, any_text, called, expect_within_limits};
use super::{at, finding, in_state, incident, met, slack, subject, teams, webhook};
use crate::{Message, PagerDuty, about_incident};

const PAGE: &str = "https://guestlist.contoso.com/incidents/4be09a1f77c2d8e3-1?link=k1.1795165200.YgzS5qGEH8MVN9et6BDzPPoxpewIWygLcq3qUG67kL8";

/// Each tag that the page may have.
const TAGS: [&str; 22] = [
    "<!doctype html>",
    "<html lang=\"en\">",
    "<head>",
    "<meta charset=\"utf-8\">",
    "<meta name=\"viewport\" content=\"width=device-width\">",
    "<title>",
    "</title>",
    "<style>",
    "</style>",
    "</head>",
    "<body>",
    "<h1>",
    "</h1>",
    "<h2>",
    "</h2>",
    "<p>",
    "</p>",
    "<code><bdi>",
    "</bdi></code>",
    "<footer>",
    "</footer>",
    "</body>\n</html>",
];

fn waiting() -> Message {
    let state = State::Waiting { since: at("10:00:05"), until: at("20:00:00") };
    let finding = finding(Mode::Ask);
    about_incident(&model::Incident { state, ..met(subject(), finding) }, 1)
}

fn pager_event(message: &Message) -> serde_json::Value {
    let key = "0123456789abcdef0123456789abcdef".to_owned().into();
    let pager =
        PagerDuty::new(model::ChannelName("pagerduty".to_owned()), &key, PagerDuty::URL, "t").unwrap();
    pager.event(message).unwrap()
}

/// What a browser would show, if nothing on the page were anything but these tags and text.
#[track_caller]
fn shown(html: &str) -> String {
    let (before, rest) = html.split_once("<style>").unwrap();
    let mut text =
        format!("{before}<style>{}", rest.split_once("</style>").unwrap().1.replacen("", "</style>", 1));
    for tag in TAGS {
        text = text.replace(tag, "");
    }
    assert!(!text.contains(['<', '>', '"', '\'']), "{text}");
    for part in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|entity| part.starts_with(entity));
        assert!(known, "{part}");
    }
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text, |text, (entity, sign)| text.replace(entity, sign))
}

#[test]
fn a_page_says_what_was_found_what_would_be_done_until_when_it_waits_and_the_commands() {
    let message = waiting();
    let page = shown(&message.html());
    let lines: Vec<&str> = page.lines().filter(|line| !line.is_empty()).collect();
    assert_snapshot!(lines.join("\n"), @"
    Guestlist incident 2f446fae28c24a7f-1
    Waits for approval to disable guest mallory@evil.example: blocked-domain (high)
    Who
    Mallory Doe · guest · account enabled
    Address: mallory@evil.example
    Organisation: evil.example
    Sponsor: Alice
    Object id: 00000000-0000-0000-0000-000000005c1e · created 2026-11-20 09:58:00 UTC
    What happened
    Breaks the rule blocked-domain (high severity)
    Why the rule: organisations under sanctions
    • the address mallory@evil.example is in the list blocked (evil.example)
    What would be done
    Would disable the account. Nothing was done: it waits for somebody to approve or reject it, because the mode is ask. If nobody has by 2026-11-20 20:00:00 UTC, nothing is done.
    What a person must do
    Look at it, and approve or reject it before 2026-11-20 20:00:00 UTC.
    What you can do
    This page acts on nothing. To decide, give the command where Guestlist runs; … stands for your reason.
    Approve: guestlist approve 2f446fae28c24a7f-1 --plan 3dff0501747dacd2 --reason …
    Reject: guestlist reject 2f446fae28c24a7f-1 --reason …
    Details: guestlist incidents show 2f446fae28c24a7f-1
    incident 2f446fae28c24a7f-1 · waiting · mode ask · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once
    ");
    assert_snapshot!(message.text_page(), @"
    Waits for approval to disable guest mallory@evil.example: blocked-domain (high)

    Who
      Mallory Doe · guest · account enabled
      Address: mallory@evil.example
      Organisation: evil.example
      Sponsor: Alice
      Object id: 00000000-0000-0000-0000-000000005c1e · created 2026-11-20 09:58:00 UTC

    What happened
      Breaks the rule blocked-domain (high severity)
      Why the rule: organisations under sanctions
      • the address `mallory@evil.example` is in the list `blocked` (`evil.example`)

    What would be done
      Would disable the account. Nothing was done: it waits for somebody to approve or reject it, because the mode is `ask`. If nobody has by 2026-11-20 20:00:00 UTC, nothing is done.

    What a person must do
      Look at it, and approve or reject it before 2026-11-20 20:00:00 UTC.

    Approve: guestlist approve 2f446fae28c24a7f-1 --plan 3dff0501747dacd2 --reason …
    Reject: guestlist reject 2f446fae28c24a7f-1 --reason …
    Details: guestlist incidents show 2f446fae28c24a7f-1
    incident 2f446fae28c24a7f-1 · waiting · mode ask · tenant 00000000-0000-0000-0000-0000000000c0 · opened 2026-11-20 10:00:00 UTC · seen once

    This page acts on nothing. To decide, give the command where Guestlist runs; … stands for your reason.
    ");
}

#[test]
fn a_name_with_markup_is_text() {
    for name in [
        "<script>fetch('https://evil.example')</script>",
        "</code></p><img src=x onerror=alert(1)>",
        "\"><svg onload=alert(1)>",
        "&lt;b&gt; &#60;b&#62; &amp;",
        "</title><h1>Approved</h1>",
        "<!--",
        "</style><style>*{display:none}",
    ] {
        let html = about_incident(&called(name), 1).html();
        assert!(shown(&html).contains(name), "{name}: {html}");
        assert!(html.contains("<title>Guestlist incident "), "no name is in the title: {html}");
    }
}

#[test]
fn each_message_leads_to_the_page_once_and_none_does_without_one() {
    let (without, with) = (waiting(), waiting().with_page(PAGE.to_owned()));
    expect_within_limits(&with);
    let line = |text: &str| text.lines().find(|line| line.contains("/incidents/")).map(str::to_owned);
    assert_eq!(line(&slack(&with)), Some(format!("Page: <{PAGE}>")));
    assert_eq!(line(&teams(&with)), Some(format!("Page: [open it]({PAGE})")));
    assert_eq!(webhook(&with)["data"]["incident"]["page"], PAGE);
    let event = pager_event(&with);
    assert_eq!(event["links"][0]["href"], PAGE);
    let messages = [slack(&with), teams(&with), webhook(&with).to_string(), event.to_string()];
    for text in messages {
        assert_eq!(text.matches("guestlist.contoso.com").count(), 1, "{text}");
        assert_eq!(text.matches("YgzS5qGEH8").count(), 1, "it is whole: {text}");
    }
    let plain = crate::block_kit::plain_payload(&with);
    assert!(plain["text"].as_str().unwrap().contains(PAGE), "{plain:?}");
    assert!(!with.html().contains("guestlist.contoso.com"), "whoever is there needs no way");
    for text in
        [slack(&without), teams(&without), webhook(&without).to_string(), pager_event(&without).to_string()]
    {
        assert!(
            !text.contains("Page: ") && !text.contains("\"page\"") && !text.contains("\"links\""),
            "{text}"
        );
    }
}

#[test]
fn what_is_over_has_a_page_with_the_command_that_undoes_it() {
    let done = in_state(State::Done { at: at("10:00:05") });
    let page = shown(&about_incident(&done, 1).html());
    assert!(page.contains(&format!("Undo: guestlist undo {} --reason …", done.id)), "{page}");
    assert!(!page.contains("guestlist approve"), "{page}");
    let seen = shown(&about_incident(&incident(Mode::Observe), 1).html());
    assert!(!seen.contains("guestlist undo"), "{seen}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_a_guest_writes_the_page_is_these_tags_and_text(
        subject in any_subject(), finding in any_finding(), state in any_state(), more in any_text(),
    ) {
        let mut incident = met(subject, finding);
        incident.state = state;
        incident.left_over = vec![more.clone()];
        let message = about_incident(&incident, 1);
        let page = shown(&message.html());
        let hidden = ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{2028}', '\0'];
        prop_assert!(!page.contains(hidden), "{page:?}");
        let text = message.text_page();
        prop_assert!(!text.contains(hidden) && !text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
}
