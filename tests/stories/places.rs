//! Each place is told in its own way: Teams by a card, PagerDuty by an alert that opens and closes, Slack's bot by one message
//! that changes; and only of what is bad enough for it.

use guestlist_tests::{Setup, Told, World};
use insta::assert_snapshot;
use jiff::SignedDuration;
use serde_json::Value;

use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY};

async fn with(change: impl FnOnce(&mut Setup)) -> World {
    let mut setup = Setup::with_policy(CLOSED_GROUPS);
    change(&mut setup);
    World::new(setup).await
}

fn asking() -> String {
    CLOSED_GROUPS.replace("mode: enforce", "mode: ask")
}

fn actions(told: &[Told]) -> Vec<(String, String)> {
    let text = |json: &Value, key: &str| json[key].as_str().unwrap().to_owned();
    told.iter().map(Told::json).map(|json| (text(&json, "event_action"), text(&json, "dedup_key"))).collect()
}

#[tokio::test]
async fn teams_gets_a_card_without_a_button_of_the_kind_that_its_webhook_cannot_have() {
    let mut world = with(|setup| setup.teams = true).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_no_member(adele, finance);
    let card = world.teams.next();
    assert_snapshot!(card.text(), @"
    Removed guest adele@fabrikam[.]com from 'Finance EU': closed-groups (high)
    Who
    “adele” · guest · account enabled
    Address: “adele@fabrikam[.]com”
    Organisation: “fabrikam”
    Sponsor: “Alice”
    Object id: “<id>” · created 2026-11-20 09:00:00 UTC
    What happened
    Breaks the rule “closed-groups” (high severity)
    Why the rule: figures are for employees
    Group: “Finance EU” (“<id>”) · member
    • the account is a member of “Finance EU”, whose name matches “Finance ∗”
    What was done
    Removed the guest from the group “Finance EU” (<id>), and read it back at 2026-11-20 09:00:19 UTC.
    Graph request-id: “<id>”
    What is left over
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    Undo: guestlist undo <incident>-1 --reason …
    Details: guestlist incidents show <incident>-1
    incident <incident>-1 · done · mode enforce · tenant <id> · opened 2026-11-20 09:00:15 UTC · seen once
    ");
    let content = &card.json()["attachments"][0]["content"];
    assert_eq!((content["type"].as_str(), content["version"].as_str()), (Some("AdaptiveCard"), Some("1.4")));
    assert!(!content.to_string().contains("Action."), "{content}");
    assert!(card.body.len() <= 20_000);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_group_s_name_can_neither_mention_nor_link_nor_format_anywhere() {
    let mut world = with(|setup| setup.teams = true).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let hostile = "Finance <at>everyone</at> <!channel> [free](https://evil.example) *bold* `x`";
    let group = world.tenant.group(hostile);
    world.tenant.join(adele, group);
    world.settle().await;
    world.expect_no_member(adele, group);
    let card = String::from_utf8(world.teams.next().body.to_vec()).unwrap();
    assert!(!card.contains("<at>") && !card.contains("](https://"), "{card}");
    let message = String::from_utf8(world.slack.next().body.to_vec()).unwrap();
    assert!(!message.contains("<!channel>") && !message.contains("<at>"), "{message}");
    assert!(!message.contains("<https://evil.example"), "{message}");
}

#[tokio::test]
async fn pagerduty_hears_of_what_is_high_and_its_alert_is_closed_when_it_is_over() {
    let mut world = with(|setup| {
        setup.pager = true;
        setup.policy = asking();
    })
    .await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let (finance, sales) = (world.tenant.group("Finance EU"), world.tenant.group("Sales"));
    world.tenant.join(adele, finance);
    world.tenant.own(adele, sales);
    world.settle().await;
    assert_eq!(world.slack.read_all().len(), 2, "high and medium");
    let opened = world.pager.next();
    world.pager.expect_silence();
    let json = opened.json();
    assert_eq!(
        (json["event_action"].as_str(), json["payload"]["severity"].as_str()),
        (Some("trigger"), Some("error"))
    );
    world.tenant.leave(adele, finance);
    world.settle().await;
    let closed = world.pager.next();
    let [(first, one), (last, other)] = [&actions(&[opened])[0], &actions(&[closed])[0]].map(Clone::clone);
    assert_eq!((first.as_str(), last.as_str()), ("trigger", "resolve"));
    assert_eq!(one, other, "it is one alert");
    world.slack.read_all();
    world.expect_no_writes();
}

#[tokio::test]
async fn an_approval_closes_pagerduty_s_alert_when_it_is_done() {
    let mut world = with(|setup| {
        setup.pager = true;
        setup.policy = asking();
    })
    .await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.tenant.join(adele, finance);
    world.settle().await;
    let id = world.incident_in(adele, finance).await.id;
    world.approve(&id).await;
    world.expect_no_member(adele, finance);
    let acts: Vec<String> = actions(&world.pager.read_all()).into_iter().map(|(act, _)| act).collect();
    assert_eq!(acts, ["trigger", "resolve"]);
    world.slack.read_all();
}

#[tokio::test]
async fn each_place_hears_of_what_is_bad_enough_for_it() {
    let mut world = with(|setup| {
        setup.pager = true;
        setup.teams = true;
        setup.policy = PARTNERS_ONLY.to_owned();
        setup.also = vec![
            ("GUESTLIST_TEAMS_FROM", "high".to_owned()),
            ("GUESTLIST_PAGERDUTY_FROM", "critical".to_owned()),
        ];
    })
    .await;
    let sam = world.tenant.invite("sam@northwind.example");
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(sam);
    world.expect_disabled(mallory);
    assert_eq!(world.slack.read_all().len(), 2);
    let card = world.teams.next_text();
    assert!(card.contains("mallory"), "{card}");
    world.teams.expect_silence();
    world.pager.expect_silence();
}

#[tokio::test]
async fn with_a_bot_one_incident_is_one_message_that_changes_and_counts() {
    let mut world = with(|setup| {
        setup.slack_bot = true;
        setup.policy = asking();
    })
    .await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.tenant.join(adele, finance);
    world.settle().await;
    let first = world.slack.next();
    assert_eq!(first.path, "api/chat.postMessage");
    assert_eq!(first.headers["authorization"], "Bearer xoxb-story");
    let id = world.incident_in(adele, finance).await.id;
    for told in world.slack.read_all() {
        assert_eq!(told.path, "api/chat.update", "it is met again, and only the count changes");
        assert!(told.text().starts_with("Waits for approval") && !told.text().contains("seen once"));
    }
    world.clock.advance(SignedDuration::from_hours(1));
    world.approve(&id).await;
    world.expect_no_member(adele, finance);
    let second = world.slack.next();
    assert_eq!(second.path, "api/chat.update");
    assert!(second.text().starts_with("Removed guest"), "{}", second.text());
    world.undo(&id).await;
    world.expect_member_again(adele, finance);
    let third = world.slack.next();
    assert_eq!(third.path, "api/chat.update");
    assert_eq!(second.json()["ts"], third.json()["ts"]);
    assert!(third.text().contains("seen "), "{}", third.text());
    world.slack.expect_silence();
}

#[tokio::test]
async fn the_bot_s_message_survives_a_restart() {
    let mut world = with(|setup| {
        setup.slack_bot = true;
        setup.policy = asking();
    })
    .await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.tenant.join(adele, finance);
    world.settle().await;
    assert_eq!(world.slack.next().path, "api/chat.postMessage");
    world.slack.read_all();
    world.restart().await;
    let id = world.incident_in(adele, finance).await.id;
    world.reject(&id).await;
    assert_eq!(world.slack.next().path, "api/chat.update");
    world.expect_member(adele, finance);
}

#[tokio::test]
async fn a_message_that_cannot_be_edited_any_more_is_posted_anew() {
    let mut world = with(|setup| {
        setup.slack_bot = true;
        setup.policy = asking();
    })
    .await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.tenant.join(adele, finance);
    world.settle().await;
    assert_eq!(world.slack.next().path, "api/chat.postMessage");
    let id = world.incident_in(adele, finance).await.id;
    world.slack.read_all();
    world.slack.answer_once(200, &[], r#"{"ok":false,"error":"message_not_found"}"#);
    world.reject(&id).await;
    let again = world.slack.next();
    assert_eq!(again.path, "api/chat.postMessage");
    assert!(again.text().starts_with("Rejected"), "{}", again.text());
    world.expect_member(adele, finance);
}

#[tokio::test]
async fn the_signed_event_carries_the_group_the_plan_and_the_approval() {
    let mut world = with(|setup| {
        setup.webhook = true;
        setup.policy = asking();
    })
    .await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.tenant.join(adele, finance);
    world.settle().await;
    let waiting = world.webhook.next().json();
    assert_eq!(waiting["type"], "guest.waiting");
    assert_eq!(waiting["data"]["incident"]["rule"]["group"]["name"], "Finance EU");
    assert_eq!(waiting["data"]["incident"]["rule"]["group"]["id"], finance.id().to_string());
    let id = world.incident_in(adele, finance).await.id;
    world.approve(&id).await;
    world.expect_no_member(adele, finance);
    let done = world.webhook.next().json();
    assert_eq!(done["data"]["incident"]["approval"]["by"], "carol");
    assert!(done["data"]["incident"]["plan"].to_string().contains("remove-member"), "{done}");
    world.slack.read_all();
}

#[tokio::test]
async fn the_breaker_calls_somebody_and_its_reset_closes_the_call() {
    let mut world = with(|setup| {
        setup.pager = true;
        setup.policy = PARTNERS_ONLY.to_owned();
    })
    .await;
    let guests: Vec<_> = (0..5).map(|n| world.guest_of_old(&format!("old{n}@northwind.example"))).collect();
    world.clock.advance(SignedDuration::from_mins(1));
    for guest in &guests {
        world.tenant.change(*guest, |user| user.display_name = "Old".to_owned());
    }
    world.settle().await;
    world.forget_writes("/users/");
    let called = actions(&world.pager.read_all());
    assert_eq!(
        called.iter().map(|(act, _)| act.as_str()).collect::<Vec<_>>(),
        ["trigger"],
        "the rule is medium"
    );
    world.reset_breaker().await;
    let closed = actions(&world.pager.read_all());
    assert_eq!(closed, [("resolve".to_owned(), called[0].1.clone())]);
    world.slack.read_all();
}
