//! Which subscription may speak with which clientState: pending, bound, retired, and sealed with a key that was replaced.

use guestlist_tests::{Setup, World, notification, tenant};
use jiff::SignedDuration;
use model::{Binding, Nonce, SubscriptionId, SubscriptionRecord, Watched};
use seal::StateKeys;
use simulator::{Failure, Fault};
use uuid::Uuid;

use crate::policies::PARTNERS_ONLY;

const FIRST: Uuid = Uuid::from_u128(0xf125_0000_4000_8000_0000_0000_0001);
const SECOND: Uuid = Uuid::from_u128(0xf125_0000_4000_8000_0000_0000_0002);

async fn without_subscriptions() -> World {
    World::new(Setup { subscribed: false, ..Setup::with_policy(PARTNERS_ONLY) }).await
}

fn id_of(id: Uuid) -> SubscriptionId {
    SubscriptionId::from_u128(id.as_u128())
}

/// What is written down before Graph is asked for a subscription; and the clientState that it is asked with.
async fn ask_for(world: &World, watched: Watched, nonce: &Nonce) -> String {
    let record = SubscriptionRecord {
        nonce: nonce.clone(),
        tenant: tenant(),
        watched,
        notification_url: world.receivers().notifications,
        key: world.assembly.keys.as_ref().unwrap().sealing_key().to_owned(),
        asked_at: world.clock.now(),
        binding: Binding::Pending,
        last_notification_at: None,
    };
    world.store.ledger.insert(record).await.unwrap();
    world.assembly.keys.as_ref().unwrap().seal(tenant(), watched, nonce).as_str().to_owned()
}

async fn binding(world: &World, nonce: &Nonce) -> Binding {
    world.store.ledger.subscription(nonce).await.unwrap().unwrap().value.binding
}

/// The items are not ours: nothing is to be done because of them, and people are told once.
async fn expect_dropped(world: &mut World, why: &str) {
    let depth = world.store.queues.changes.depth(world.clock.now()).await.unwrap();
    assert!(depth.is_drained() && depth.dead == 0, "{why}: {depth:?}");
    world.settle().await;
    assert!(world.slack.next_text().contains("clientState is not ours"), "{why}");
    world.slack.expect_silence();
    world.expect_no_writes();
}

#[tokio::test]
async fn a_notification_that_overtakes_our_bookkeeping_is_accepted_and_binds_it() {
    let mut world = without_subscriptions().await;
    let mallory = world.tenant.invite("mallory@evil.example");
    let nonce = seal::nonce([7; 16]);
    let state = ask_for(&world, Watched::Users, &nonce).await;
    let item = notification(Watched::Users, mallory.id(), FIRST, &state);
    assert_eq!(world.notify(&[item]).await.status, 202);
    let expires_at = "2026-11-22T09:00:00Z".parse().unwrap();
    let renewed_at = world.clock.now();
    assert_eq!(binding(&world, &nonce).await, Binding::Bound { id: id_of(FIRST), expires_at, renewed_at });
    world.settle().await;
    world.expect_disabled(mallory);
    assert!(world.slack.next_text().contains("mallory@evil.example"));
}

#[tokio::test]
async fn a_subscription_whose_answer_was_lost_is_heard_from_its_first_notification() {
    let mut world = without_subscriptions().await;
    // Graph made it, and we do not know.
    world.next_faults([Fault::new("POST", "/subscriptions", Failure::LostAnswer)]);
    let _troubled = world.parts.keeper.as_ref().unwrap().look().await;
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.forget_writes("/subscriptions");
    world.expect_disabled(mallory);
    let told = world.slack.texts();
    assert!(told.iter().any(|text| text.contains("mallory@evil.example")), "{told:?}");
    let users = world.subscription(Watched::Users).id;
    let records = world.store.ledger.subscriptions().await.unwrap();
    assert!(records.iter().any(|stored| stored.value.id() == Some(id_of(users))));
}

#[tokio::test]
async fn the_second_subscription_that_claims_a_nonce_is_not_ours() {
    let mut world = without_subscriptions().await;
    let mallory = world.tenant.invite("mallory@evil.example");
    let group = model::ObjectId::from_u128(simulator::contoso::MARKETING.as_u128());
    let nonce = seal::nonce([8; 16]);
    let state = ask_for(&world, Watched::Groups, &nonce).await;
    let first = notification(Watched::Groups, group, FIRST, &state);
    let second = notification(Watched::Groups, mallory.id(), SECOND, &state);
    // In one POST, and in one of its own.
    assert_eq!(world.notify(&[first, second.clone()]).await.status, 202);
    assert_eq!(world.notify(&[second]).await.status, 202);
    assert!(matches!(binding(&world, &nonce).await, Binding::Bound { id, .. } if id == id_of(FIRST)));
    assert_eq!(world.own_receiver().tally.totals(), (2, 0, 0));
    let waiting = world.store.queues.changes.depth(world.clock.now()).await.unwrap();
    assert_eq!((waiting.ready, waiting.waiting), (1, 1), "the group, now and in five minutes");
    world.settle().await;
    assert!(world.slack.next_text().contains("clientState is not ours"));
    world.expect_untouched(mallory);
}

#[tokio::test]
async fn two_that_claim_a_nonce_at_the_same_moment_do_not_both_get_it() {
    let mut world = without_subscriptions().await;
    let mallory = world.tenant.invite("mallory@evil.example");
    let nonce = seal::nonce([9; 16]);
    let state = ask_for(&world, Watched::Users, &nonce).await;
    let items = [FIRST, SECOND].map(|id| notification(Watched::Users, mallory.id(), id, &state));
    let (one, other) = tokio::join!(world.notify(&items[..1]), world.notify(&items[1..]));
    assert_eq!((one.status, other), (202, one.clone()));
    assert_eq!(world.own_receiver().tally.totals(), (1, 0, 0));
    world.settle().await;
    world.expect_disabled(mallory);
    assert_eq!(world.slack.read_all().len(), 2);
}

#[tokio::test]
async fn a_state_that_we_sealed_and_never_asked_with_is_not_ours() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    let state = world.assembly.keys.as_ref().unwrap().seal(tenant(), Watched::Users, &seal::nonce([1; 16]));
    let users = world.subscription(Watched::Users).id;
    let item = notification(Watched::Users, mallory.id(), users, state.as_str());
    assert_eq!(world.notify(&[item]).await.status, 202);
    expect_dropped(&mut world, "no such nonce").await;
    world.expect_untouched(mallory);
}

#[tokio::test]
async fn a_retired_subscription_does_not_speak_again_after_four_hours() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    let replayed = world.genuine(Watched::Users, mallory.id());
    let (mut unreadable, mut nameless) = (replayed.clone(), replayed.clone());
    unreadable["changeType"] = 7.into();
    nameless["subscriptionId"] = serde_json::Value::Null;
    let old = world.subscription(Watched::Users).id;
    assert!(world.simulator.lose_subscription(old));
    world.subscribe().await;
    assert_ne!(world.subscription(Watched::Users).id, old);
    world.clock.advance(SignedDuration::from_secs(4 * 3600 + 1));
    assert_eq!(world.notify(&[replayed, unreadable, nameless]).await.status, 202);
    assert_eq!(world.own_receiver().tally.totals(), (3, 0, 0));
    expect_dropped(&mut world, "retired").await;
    world.expect_untouched(mallory);
}

/// Graph tries for four hours, and a notification is a hint: who is looked at is judged anew.
#[tokio::test]
async fn what_a_subscription_sent_before_it_was_retired_is_heard_for_four_hours() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    let late = world.genuine(Watched::Users, mallory.id());
    let mut of_another = late.clone();
    of_another["subscriptionId"] = FIRST.to_string().into();
    let old = world.subscription(Watched::Users).id;
    assert!(world.simulator.lose_subscription(old));
    world.subscribe().await;
    world.clock.advance(SignedDuration::from_hours(4));
    assert_eq!(world.notify(&[late]).await.status, 202);
    assert_eq!(world.own_receiver().tally.totals(), (0, 0, 0));
    assert_eq!(world.notify(&[of_another]).await.status, 202);
    assert_eq!(world.own_receiver().tally.totals(), (1, 0, 0), "its clientState speaks for no other");
    world.settle().await;
    world.expect_disabled(mallory);
    let told = world.slack.texts();
    assert_eq!(told.len(), 2, "{told:?}");
    for text in ["mallory@evil.example", "clientState is not ours"] {
        assert!(told.iter().any(|told| told.contains(text)), "{told:?}");
    }
}

#[tokio::test]
async fn what_was_sent_to_our_earlier_address_is_heard() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    let late = world.genuine(Watched::Users, mallory.id());
    let old = world.subscription(Watched::Users).id;
    let receiver = world.receiver.as_str().trim_end_matches('/').to_owned();
    world.simulator.forward("https://new.guestlist.example", &receiver);
    let keeper = world.parts.keeper.as_mut().unwrap();
    keeper.receivers.notifications = "https://new.guestlist.example/graph/notifications".to_owned();
    keeper.receivers.lifecycle = "https://new.guestlist.example/graph/lifecycle".to_owned();
    world.subscribe().await;
    assert_ne!(world.subscription(Watched::Users).id, old);
    assert_eq!(world.notify(&[late]).await.status, 202);
    assert_eq!(world.own_receiver().tally.totals(), (0, 0, 0));
    world.settle().await;
    world.expect_disabled(mallory);
    assert!(world.slack.next_text().contains("mallory@evil.example"));
}

#[tokio::test]
async fn an_update_that_arrives_after_a_deletion_does_not_hide_it() {
    for deletion_first in [true, false] {
        let mut world = World::with_policy(PARTNERS_ONLY).await;
        let adele = world.tenant.invite("adele@fabrikam.com");
        world.settle().await;
        let updated = world.genuine(Watched::Users, adele.id());
        let mut deleted = updated.clone();
        deleted["changeType"] = "deleted".into();
        world.simulator.set_faults(|faults| faults.notifications.lost = 1.0);
        world.tenant.0.delete_user(adele.0).unwrap();
        world.tenant.0.purge_user(adele.0).unwrap();
        world.clock.advance(SignedDuration::from_secs(10));
        let order = if deletion_first { [deleted, updated] } else { [updated, deleted] };
        for item in order {
            assert_eq!(world.notify(&[item]).await.status, 202);
        }
        world.settle_now().await;
        assert!(world.store.ledger.known(adele.id()).await.unwrap().is_none(), "he is forgotten at once");
        world.settle_for(SignedDuration::from_hours(2)).await;
        // That nobody vanished without a word is what the world expects when it is dropped.
        assert!(world.dead_letters().await.is_empty());
    }
}

/// The file of the keys gets these lines, and the process starts again.
async fn rotate(world: &mut World, lines: &[String]) {
    let path = world.assembly.settings.data.join("state-keys");
    std::fs::write(path, lines.join("\n")).unwrap();
    world.restart().await;
}

#[tokio::test]
async fn keys_rotate_without_recreating_a_subscription() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let before = world.subscription(Watched::Users);
    let old = std::fs::read_to_string(world.assembly.settings.data.join("state-keys")).unwrap();
    let bytes: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).unwrap());
    let new = StateKeys::generate_line(bytes, "k2");

    rotate(&mut world, &[new.clone(), old]).await;
    world.subscribe().await;
    assert_eq!(world.subscription(Watched::Users).id, before.id, "the old key still opens what it sealed");
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    assert!(world.slack.next_text().contains("mallory@evil.example"));

    rotate(&mut world, &[new]).await;
    let stale = world.genuine(Watched::Users, mallory.id());
    world.subscribe().await;
    let after = world.subscription(Watched::Users);
    assert_ne!(after.id, before.id, "nothing opens it any more: it is made anew");
    assert!(after.client_state.unwrap().starts_with("v1.k2."));
    let trudy = world.tenant.invite("trudy@evil.example");
    world.settle().await;
    world.expect_disabled(trudy);
    assert!(world.slack.next_text().contains("trudy@evil.example"));

    assert_eq!(world.notify(&[stale]).await.status, 202);
    expect_dropped(&mut world, "sealed with a key that is gone").await;
}
