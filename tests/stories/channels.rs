//! A channel that is dead for days, trouble that goes on for days, a clock that is set back: people hear of it all the same.

use guestlist_tests::World;
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::{ChannelName, ChannelState, NoticeKind};
use simulator::Lifecycle;

use crate::policies::PARTNERS_ONLY;
use crate::telling::{catch, headlines, with_both_channels};

async fn slack_state(world: &World) -> ChannelState {
    world.store.ledger.channel(&ChannelName("slack".to_owned())).await.unwrap().unwrap().value
}

#[tokio::test]
async fn what_the_only_channel_was_owed_while_it_was_dead_is_sent_when_it_works_again() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.slack.answer_always(Some(404));
    for name in ["sam", "kim", "lee"] {
        catch(&mut world, name).await;
    }
    world.settle_for(SignedDuration::from_hours(60)).await;
    let (_, why) = slack_state(&world).await.broken.expect("the status shows it");
    assert_eq!(why, "slack answered 404 `no`");
    world.slack.answer_always(None);
    world.settle_for(SignedDuration::from_hours(6)).await;
    let mut told = headlines(&world.slack.read_all());
    told.sort();
    assert_snapshot!(told.join("\n"), @"
    Disabled guest kim@northwind[.]example: otherwise.guest (medium)
    Disabled guest lee@northwind[.]example: otherwise.guest (medium)
    Disabled guest sam@northwind[.]example: otherwise.guest (medium)
    ");
    assert_eq!(slack_state(&world).await.broken, None);
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn more_than_ten_that_a_dead_channel_was_owed_come_as_ten_and_a_roll_up() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.slack.answer_always(Some(404));
    for n in 0..14 {
        catch(&mut world, &format!("g{n:02}")).await;
    }
    world.settle_for(SignedDuration::from_hours(24)).await;
    world.slack.answer_always(None);
    // The first that gets through lets the others follow at once.
    let due = world.next_due().await.unwrap();
    world.clock.advance_to(due);
    world.settle_for(SignedDuration::from_secs(10)).await;
    assert_eq!(world.slack.read_all().len(), 10);
    world.settle_for(SignedDuration::from_mins(6)).await;
    let rolled_up = world.slack.next_text();
    assert!(rolled_up.starts_with("4 more alerts"), "{rolled_up}");
    world.settle_for(SignedDuration::from_hours(8)).await;
    world.slack.expect_silence();
}

#[tokio::test]
async fn the_lines_of_a_roll_up_wait_until_a_dead_channel_takes_them() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    for n in 0..12 {
        catch(&mut world, &format!("g{n}")).await;
    }
    assert_eq!(world.slack.read_all().len(), 10);
    world.slack.answer_always(Some(404));
    for _ in 0..60 {
        world.settle_for(SignedDuration::from_mins(1)).await;
        world.clock.advance(SignedDuration::from_mins(1));
        world.wake_what_is_due().await;
    }
    assert_eq!(slack_state(&world).await.rolled_up.len(), 2);
    world.slack.answer_always(None);
    world.settle_for(SignedDuration::from_hours(6)).await;
    assert!(world.slack.next_text().starts_with("2 more alerts"));
    let state = slack_state(&world).await;
    assert!(state.rolled_up.is_empty() && state.broken.is_none());
}

#[tokio::test]
async fn a_message_is_given_up_after_seven_days_and_the_others_hear_of_it() {
    let mut world = with_both_channels().await;
    world.slack.answer_always(Some(404));
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_for(SignedDuration::from_hours(24 * 6)).await;
    world.expect_disabled(sam);
    let given_up = async |world: &World| world.store.ledger.notice("given-up/slack").await.unwrap().is_some();
    assert!(!given_up(&world).await);
    world.settle_for(SignedDuration::from_hours(24 * 2)).await;
    let notice = world.notice("given-up/slack").await;
    assert_snapshot!(notice.text, @"a message for the channel `slack` was given up after seven days: slack answered 404 `no`; it said: Disabled guest sam@northwind.example: otherwise.guest (medium)");
    let told = world.webhook.read_all();
    assert!(told.iter().any(|one| one.json().to_string().contains("given up after seven days")));
    world.slack.answer_always(None);
    world.settle_for(SignedDuration::from_hours(24)).await;
    world.slack.expect_silence();
}

#[tokio::test]
async fn trouble_that_goes_on_is_told_again_after_growing_spans() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let notices = world.parts.notices.clone();
    for _ in 0..200 {
        let text = "trouble".to_owned();
        notices.raise(NoticeKind::SubscriptionTrouble, "subscriptions", text, 1).await.unwrap();
        world.settle_for(SignedDuration::from_secs(1)).await;
        world.clock.advance(SignedDuration::from_mins(30));
    }
    assert_eq!(world.slack.count(), 6, "at once, after 1, 4 and 24 hours more, and then every day");
    let last = world.slack.read_all().pop().unwrap().text();
    assert!(last.contains("155 times"), "{last}");
}

#[tokio::test]
async fn a_clock_that_is_set_back_silences_no_channel() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.clock.advance(SignedDuration::from_hours(24 * 365));
    world.subscribe().await;
    for n in 0..12 {
        catch(&mut world, &format!("g{n}")).await;
    }
    assert_eq!(world.slack.read_all().len(), 10);
    world.clock.advance(-SignedDuration::from_hours(24 * 365));
    world.subscribe().await;
    catch(&mut world, "lee").await;
    // The stamps of the future count as of now: an hour later nothing is left of them.
    world.settle_for(SignedDuration::from_mins(10)).await;
    assert!(world.slack.next_text().starts_with("3 more alerts"));
    world.clock.advance(SignedDuration::from_hours(1));
    catch(&mut world, "kim").await;
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn changes_that_graph_may_have_lost_are_told_with_the_span_and_what_to_do() {
    for (event, word) in
        [(Lifecycle::Missed, "missed"), (Lifecycle::SubscriptionRemoved, "subscriptionRemoved")]
    {
        let mut world = World::with_policy(PARTNERS_ONLY).await;
        let olga = world.tenant.invite("olga@fabrikam.com");
        world.settle().await;
        world.expect_untouched(olga);
        world.clock.advance(SignedDuration::from_hours(3));
        let users = world.simulator.subscriptions().into_iter().find(|one| one.resource == "/users").unwrap();
        world.simulator.send_lifecycle(users.id, event);
        world.settle().await;
        world.forget_writes("/subscriptions");
        let text = world.slack.next_text();
        let line = text.lines().find(|line| line.contains("Graph says")).unwrap_or(&text).to_owned();
        assert!(line.contains(&format!("Graph says `{word}` of the subscription to `/users`")), "{text}");
        assert!(line.contains("changes between 2026-11-20T09:00"), "{text}");
        assert!(line.contains("`guestlist check --all`"), "{text}");
    }
}

/// The chat was away for a while, and is owed more than a roll-up shows.
#[tokio::test]
async fn each_of_many_writes_is_told_by_name() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.slack.answer_always(Some(503));
    let names: Vec<String> = (0..60).map(|n| format!("g{n}x@northwind.example")).collect();
    for name in &names {
        let _ = world.tenant.invite(name);
    }
    world.settle().await;
    world.slack.read_all();
    world.slack.answer_always(None);
    world.live_on(SignedDuration::from_hours(24)).await;
    let told = world.slack.texts().join("\n");
    let untold = names.iter().filter(|name| !told.contains(name.as_str())).count();
    world.forget_writes("/");
    assert_eq!(
        untold,
        0,
        "were disabled, and nobody was told of them: {}",
        told.lines().rev().take(8).collect::<Vec<_>>().join(" / ")
    );
}
