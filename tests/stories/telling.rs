//! People are told what is new, once, in every channel that takes it, and nothing that a guest wrote can mislead them.

use guestlist_tests::{Setup, Told, World};
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::{ChannelName, DeliveryStatus, Severity};
use seal::{SignedRequest, VerifyingSecret, verify};

use crate::policies::PARTNERS_ONLY;

const MINUTES_20: SignedDuration = SignedDuration::from_mins(20);
const WEBHOOK_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

pub(crate) async fn with_both_channels() -> World {
    World::new(Setup { webhook: true, ..Setup::with_policy(PARTNERS_ONLY) }).await
}

/// One guest more whom nobody admits, and his disable expected.
pub(crate) async fn catch(world: &mut World, name: &str) {
    let guest = world.tenant.invite(&format!("{name}@northwind.example"));
    world.settle_for(SignedDuration::from_secs(30)).await;
    world.expect_disabled(guest);
}

pub(crate) fn headlines(told: &[Told]) -> Vec<String> {
    told.iter().map(|told| told.text().lines().next().unwrap_or_default().to_owned()).collect()
}

fn header<'a>(told: &'a Told, name: &str) -> Option<&'a str> {
    told.headers.get(name).and_then(|value| value.to_str().ok())
}

#[tokio::test]
async fn a_finding_that_is_met_again_is_not_told_again() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
    for number in 0..5 {
        world.tenant.change(sam, |user| user.display_name = format!("Sam {number}"));
        world.settle_for(SignedDuration::from_hours(2)).await;
    }
    world.slack.expect_silence();
    assert!(world.incident(sam).await.seen > 10);
}

#[tokio::test]
async fn more_than_ten_an_hour_become_one_roll_up_at_the_next_full_five_minutes() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.clock.advance(SignedDuration::from_secs(61));
    let guests: Vec<_> = (0..14).map(|n| world.tenant.invite(&format!("g{n}@northwind.example"))).collect();
    world.settle_for(SignedDuration::from_secs(60)).await;
    for guest in &guests {
        world.expect_disabled(*guest);
    }
    assert_eq!(world.slack.read_all().len(), 10);
    world.settle_for(MINUTES_20).await;
    let rolled_up = world.slack.next();
    let text = rolled_up.text();
    assert_eq!(text.matches("Disabled guest").count(), 4, "{text}");
    let state = world.store.ledger.channel(&ChannelName("slack".to_owned())).await.unwrap().unwrap().value;
    assert!(state.rolled_up.is_empty() && state.roll_up_at.is_none());
    assert_eq!(state.sent.last().unwrap().to_string(), "2026-11-20T09:01:06Z");
    // An hour later single messages are told again.
    world.clock.advance(SignedDuration::from_hours(1));
    catch(&mut world, "late").await;
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_channel_that_hangs_keeps_nobody_else_waiting() {
    let world = World::new(Setup { webhook: true, ..Setup::with_policy(PARTNERS_ONLY) }).await;
    world.webhook.hang();
    let guests: Vec<_> = (0..8).map(|n| world.tenant.invite(&format!("g{n}@northwind.example"))).collect();
    for flow in ["assess", "remediate"] {
        world.deliver().await;
        world.run(flow).await;
    }
    world.clock.advance(SignedDuration::from_mins(2));
    world.run("remediate").await;
    // As in a running process: whoever is not back yet keeps his own place only.
    let mut under_way = tokio::task::JoinSet::new();
    while world.worker("alert").start_due(&mut under_way, 32).await.unwrap() > 0 {}
    for _ in 0..200 {
        if world.slack.count() == guests.len() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    under_way.abort_all();
    assert_eq!(world.slack.read_all().len(), guests.len());
    world.webhook.expect_silence();
    for guest in guests {
        world.expect_disabled(guest);
    }
}

#[tokio::test]
async fn a_roll_up_comes_at_the_full_five_minutes_and_lists_what_came_until_then() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    for n in 0..12 {
        catch(&mut world, &format!("g{n}")).await;
    }
    assert_eq!(world.slack.read_all().len(), 10);
    world.settle_for(SignedDuration::from_mins(2)).await;
    world.slack.expect_silence();
    world.settle_for(SignedDuration::from_mins(6)).await;
    let text = world.slack.next_text();
    assert_snapshot!(text, @"
    2 more alerts: 2 medium
    *What happened*
    • medium · `Disabled guest g10@northwind.example: otherwise.guest (medium)` · `<incident>-1`
    • medium · `Disabled guest g11@northwind.example: otherwise.guest (medium)` · `<incident>-1`
    All of them: `guestlist incidents`
    roll-up of 2026-11-20 09:05:00 UTC
    ");
}

#[tokio::test]
async fn a_channel_that_asks_for_time_gets_it() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.slack.answer_once(429, &[("retry-after", "90")], "rate_limited");
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_for(SignedDuration::from_secs(60)).await;
    world.expect_disabled(sam);
    world.slack.expect_silence();
    let asked = world.clock.now();
    world.settle_for(SignedDuration::from_mins(3)).await;
    assert_eq!(
        headlines(&world.slack.read_all()),
        ["Disabled guest sam@northwind[.]example: otherwise.guest (medium)"]
    );
    let state = world.store.ledger.channel(&ChannelName("slack".to_owned())).await.unwrap().unwrap().value;
    let waited: Vec<i64> = state.sent.iter().map(|at| at.duration_since(asked).as_secs()).collect();
    assert_eq!(waited, [90], "one place of the hour is taken, and not before it may be");
}

#[tokio::test]
async fn a_message_that_a_channel_failed_to_take_is_sent_until_it_does() {
    let mut world = with_both_channels().await;
    for _ in 0..5 {
        world.webhook.answer_once(500, &[], "");
    }
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.webhook.read_all().len(), 1);
    assert_eq!(
        world.slack.read_all().len(),
        1,
        "the other channel heard at once, and nothing of the trouble"
    );
}

#[tokio::test]
async fn a_channel_that_fails_for_minutes_is_reported_in_the_other_and_its_messages_wait() {
    let mut world = with_both_channels().await;
    world.slack.answer_always(Some(503));
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_for(SignedDuration::from_hours(2)).await;
    world.expect_disabled(sam);
    let told: Vec<_> = world.webhook.read_all().iter().map(Told::json).collect();
    let kinds: Vec<&str> = told.iter().map(|json| json["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["guest.done", "guestlist.notice", "guestlist.notice"],
        "the guest, the trouble with slack, and again after an hour of it"
    );
    assert!(world.notice("channel-broken/slack").await.text.contains("messages for it wait"));
    world.slack.answer_always(None);
    world.settle_for(SignedDuration::from_hours(1)).await;
    assert_eq!(world.slack.read_all().len(), 1);
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_dead_channel_is_reported_in_the_other_once() {
    let mut world = with_both_channels().await;
    world.slack.answer_always(Some(404));
    for name in ["sam", "kim"] {
        catch(&mut world, name).await;
    }
    world.settle().await;
    let told: Vec<_> = world.webhook.read_all().iter().map(Told::json).collect();
    let kinds: Vec<&str> = told.iter().map(|json| json["type"].as_str().unwrap()).collect();
    assert_snapshot!(kinds.join("\n"), @"
    guest.done
    guestlist.notice
    guest.done
    ");
    let notice = world.notice("channel-broken/slack").await;
    assert_snapshot!(notice.text, @"the channel `slack` takes no messages: slack answered 404 `no`; messages for it wait until it does");
    assert!(notice.count >= 2);
    assert_eq!(notice.kind.severity(), Severity::High);
    // A new address for it: it is told again, and what it was owed.
    world.slack.answer_always(None);
    catch(&mut world, "lee").await;
    assert_eq!(world.slack.read_all().len(), 3);
    world.webhook.read_all();
}

#[tokio::test]
async fn a_silent_channel_does_not_hold_up_the_other() {
    let mut world = with_both_channels().await;
    world.slack.answer_always(Some(500));
    for n in 0..6 {
        catch(&mut world, &format!("g{n}")).await;
        assert_eq!(world.webhook.read_all().len(), 1, "told at once");
    }
    world.slack.answer_always(None);
    world.settle_for(SignedDuration::from_hours(1)).await;
    assert_eq!(world.slack.read_all().len(), 6);
    world.webhook.read_all();
}

#[tokio::test]
async fn nothing_that_a_guest_wrote_can_mention_people_or_forge_a_link() {
    let mut world = with_both_channels().await;
    let name = "<!channel> <https://evil.example|click> *bold* @here \u{202e}txt.exe\n> quote `code`";
    let sam = world.tenant.invite_as("sam@northwind.example", Some(name));
    world.settle().await;
    world.expect_disabled(sam);
    let told = world.slack.next();
    let body = told.json().to_string();
    for forbidden in ["<!channel>", "<https://", "|click>", "\u{202e}", "<!here>"] {
        assert!(!body.contains(forbidden), "{forbidden} in {body}");
    }
    let line = told.text().lines().find(|line| line.contains("channel")).unwrap().to_owned();
    assert_snapshot!(line, @"`&lt;!channel&gt; &lt;https[:]//evil.example|click&gt; *bold* @here [U+202E]txt.exe␊&gt; quote 'code'` · guest · account disabled");
    // A webhook has fields instead of markup: the name stays in its own.
    let event = world.webhook.next().json();
    assert!(!event["data"]["headline"].to_string().contains("evil.example"), "{event}");
}

#[tokio::test]
async fn a_webhook_is_signed_and_keeps_its_id_over_every_attempt() {
    let mut world = with_both_channels().await;
    world.webhook.answer_once(503, &[("retry-after", "40")], "");
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.read_all();
    let told = world.webhook.next();
    let incident = world.incident(sam).await;
    let sequence = incident.deliveries.iter().map(|delivery| delivery.sequence).max().unwrap();
    assert_eq!(header(&told, "webhook-id"), Some(format!("{}-{sequence}", incident.id).as_str()));
    let signed_at: i64 = header(&told, "webhook-timestamp").unwrap().parse().unwrap();
    let request = SignedRequest {
        id: header(&told, "webhook-id"),
        timestamp: header(&told, "webhook-timestamp"),
        signature: header(&told, "webhook-signature"),
        body: &told.body,
    };
    let secret = VerifyingSecret::parse(WEBHOOK_SECRET).unwrap();
    verify(&[secret], &request, signed_at).unwrap();
    let other = VerifyingSecret::parse(&seal::WebhookSecret::generate([7; 32])).unwrap();
    assert!(verify(&[other], &request, signed_at).is_err());
    let incident_at = incident.opened_at.as_second();
    assert!(signed_at >= incident_at + 40, "each attempt is signed anew");
}

#[tokio::test]
async fn a_message_that_was_sent_but_not_marked_has_the_same_id_again() {
    let mut world = with_both_channels().await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.read_all();
    let first = world.webhook.next();
    // As if the process had died between the channel's answer and the mark.
    let mut stored = world.store.ledger.incidents_of(sam.id()).await.unwrap().remove(0);
    let last = stored.value.deliveries.iter_mut().rfind(|delivery| delivery.channel.0 == "webhook").unwrap();
    last.status = DeliveryStatus::Due { at: world.clock.now(), attempts: 0 };
    world.store.ledger.replace(stored).await.unwrap();
    world.wake_what_is_due().await;
    world.settle().await;
    assert_eq!(header(&world.webhook.next(), "webhook-id"), header(&first, "webhook-id"));
}
