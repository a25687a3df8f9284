//! Whoever knows the receiver's address and not the key of its clientStates: he touches nobody, learns nothing, and
//! takes up no room.

use std::sync::Arc;

use guestlist_tests::{World, body_of, tenant};
use model::{TenantId, Watched};
use seal::StateKeys;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::policies::PARTNERS_ONLY;

/// A genuine item, spoiled so that its clientState is not ours, in every way that we can think of.
fn forgeries(world: &World, good: &Value) -> Vec<Value> {
    let state = good["clientState"].as_str().unwrap();
    let (rest, mac) = state.rsplit_once('.').unwrap();
    let stranger = TenantId::from_u128(0xbad);
    let nonce = state.split('.').nth(2).unwrap().parse().unwrap();
    let same_id =
        StateKeys::parse(&StateKeys::generate_line(std::array::from_fn(|n| n as u8), "k1")).unwrap();
    let states = [
        Value::Null,
        json!(7),
        json!([state]),
        json!(""),
        json!("secretClientState"),
        json!(rest),
        json!(format!("{rest}.")),
        json!(format!("{rest}.{}", "A".repeat(43))),
        json!(format!("{rest}.{}", &mac[..42])),
        json!(format!("{state}=")),
        json!(format!("{state}\u{0}")),
        json!(format!(" {state}")),
        json!(state.to_uppercase()),
        json!(state.replacen("v1", "v2", 1)),
        json!(state.replacen("k1", "k2", 1)),
        json!(state.replacen("k1", "", 1)),
        json!(format!("{state}{}", ".x".repeat(1000))),
        json!("a".repeat(100_000)),
        json!(world.assembly.keys.as_ref().unwrap().seal(stranger, Watched::Users, &nonce).as_str()),
        json!(world.assembly.keys.as_ref().unwrap().seal(tenant(), Watched::Groups, &nonce).as_str()),
        json!(same_id.seal(tenant(), Watched::Users, &nonce).as_str()),
    ];
    let with = |key: &str, value: Value| {
        let mut item = good.clone();
        item[key] = value;
        item
    };
    let mut all: Vec<_> = states.into_iter().map(|state| with("clientState", state)).collect();
    all.push(with("tenantId", json!(stranger)));
    all.push(with("subscriptionId", json!("f1250000-0000-4000-8000-000000000001")));
    all.push(with("subscriptionId", json!(world.subscription(Watched::Groups).id.to_string())));
    all
}

#[tokio::test]
async fn a_forged_notification_touches_nobody_and_its_sender_learns_nothing() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    let good = world.genuine(Watched::Users, mallory.id());
    let forgeries = forgeries(&world, &good);
    let mut heard = Vec::new();
    for path in ["/graph/notifications", "/graph/lifecycle"] {
        for item in &forgeries {
            heard.push(world.post(path, body_of(std::slice::from_ref(item))).await);
            let mut lifecycle = item.clone();
            lifecycle["lifecycleEvent"] = json!("reauthorizationRequired");
            heard.push(world.post(path, body_of(&[lifecycle])).await);
        }
    }
    assert_eq!(world.own_receiver().tally.totals().0, u64::try_from(heard.len()).unwrap());
    for queue in [&world.store.queues.changes, &world.store.queues.chores] {
        let depth = queue.depth(world.clock.now()).await.unwrap();
        assert!(depth.is_drained() && depth.dead == 0, "{depth:?}");
    }
    world.simulator.reset_traffic();
    world.settle().await;
    assert_eq!(world.simulator.traffic().requests, 0, "nobody is looked at because of a forgery");
    assert!(world.slack.next_text().contains("clientState is not ours"));
    world.expect_untouched(mallory);

    let genuine = world.notify(&[good]).await;
    assert_eq!(genuine.status, 202);
    assert!(heard.iter().all(|heard| *heard == genuine), "{heard:?}");
    world.settle().await;
    world.expect_disabled(mallory);
    assert!(world.slack.next_text().contains("mallory@evil.example"));
}

#[tokio::test]
async fn an_item_of_ours_with_a_key_that_is_no_text_is_put_aside_without_its_secret() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let good = world.genuine(Watched::Users, world.invite_unnoticed("mallory@evil.example").id());
    let odd = good.to_string().replacen('{', "{\"\\ud800\":1,", 1);
    assert_eq!(world.post("/graph/notifications", format!("{{\"value\":[{odd}]}}")).await.status, 202);
    assert_eq!(world.own_receiver().tally.totals(), (0, 0, 0));
    let aside = world.put_aside().await;
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].1, "a key is not a text");
    let (job, state) = (&aside[0].0, good["clientState"].as_str().unwrap());
    assert!(job.contains("ud800") && !job.contains(state), "{job}");
    world.settle().await;
    assert!(world.slack.next_text().contains("could not be read"));
}

#[tokio::test]
async fn what_does_not_fit_the_subscription_whose_state_it_bears_is_put_aside() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let users = world.genuine(Watched::Users, world.invite_unnoticed("mallory@evil.example").id());
    let marketing = model::ObjectId::from_u128(simulator::contoso::MARKETING.as_u128());
    let mut group = world.genuine(Watched::Groups, marketing);
    group["clientState"] = users["clientState"].clone();
    group["subscriptionId"] = users["subscriptionId"].clone();
    let mut created = users.clone();
    created["changeType"] = json!("created");
    let mut nameless = users.clone();
    nameless["subscriptionId"] = Value::Null;
    let mut of_two_tenants = users.clone();
    of_two_tenants["resourceData"]["organizationId"] = json!(TenantId::from_u128(0xbad));
    let mut homeless = users;
    homeless["tenantId"] = Value::Null;
    homeless["resourceData"]["organizationId"] = Value::Null;
    assert_eq!(world.notify(&[group, created, nameless, homeless, of_two_tenants]).await.status, 202);
    let mut why: Vec<_> = world.put_aside().await.into_iter().map(|(_, why)| why).collect();
    why.sort();
    assert_eq!(
        why,
        [
            "it does not name both its subscription and its tenant",
            "it does not name both its subscription and its tenant",
            "it is about a group, and its subscription is to `/users`",
            "tenantId and organizationId name different tenants",
            "the change type `created` is not updated or deleted",
        ]
    );
    world.settle().await;
    assert_eq!(world.slack.read_all().len(), 1, "told once");
    world.expect_no_writes();
}

/// Bodies that no honest sender posts; `{item}` stands for a genuine one.
fn hostile(good: &str) -> Vec<(&'static str, u16, String)> {
    let rest = good.strip_prefix('{').unwrap();
    let (open, close) = ("[".repeat(200_000), "]".repeat(200_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(200_000), "}".repeat(200_000));
    vec![
        ("deep lists instead of a body", 400, format!("{open}{close}")),
        ("deep lists without an end", 400, format!("{{\"value\":{open}")),
        ("deep lists as the value", 202, format!("{{\"value\":{open}{close}}}")),
        ("deep objects as an item", 202, format!("{{\"value\":[{objects}]}}")),
        ("deep objects beside the value", 202, format!("{{\"x\":{objects},\"value\":[]}}")),
        ("deep objects in an item", 202, format!("{{\"value\":[{{\"new\":{objects},{rest}]}}")),
        ("the value twice", 400, format!("{{\"value\":[],\"value\":[{good}]}}")),
        ("a key twice", 202, format!("{{\"value\":[{{\"resource\":\"x\",{rest}]}}")),
        ("the clientState twice", 202, format!("{{\"value\":[{{\"clientState\":\"x\",{rest}]}}")),
        ("a NUL", 400, format!("{{\"value\":[{good}]}}\0")),
        ("an escaped NUL", 202, format!("{{\"value\":[{{\"\\u0000\":\"\\u0000\",{rest}]}}")),
        ("a lone surrogate in a key", 400, "{\"\\ud800\":1,\"value\":[]}".to_owned()),
        ("a lone surrogate in a text", 202, format!("{{\"value\":[{{\"new\":\"\\udfff\",{rest}]}}")),
        (
            "huge numbers",
            202,
            format!("{{\"value\":[{{\"new\":[1e999999,-0.0,{}],{rest}]}}", "9".repeat(100_000)),
        ),
        ("not a number", 400, "{\"value\":[NaN]}".to_owned()),
        ("a hundred thousand items", 202, format!("{{\"value\":[{}{{}}]}}", "{},".repeat(99_999))),
        ("two million items", 202, format!("{{\"value\":[{}0]}}", "0,".repeat(2_000_000))),
        ("half a million keys", 202, format!("{{\"value\":[{{{}\"z\":0}}]}}", "\"a\":0,".repeat(500_000))),
    ]
}

#[tokio::test]
async fn hostile_json_is_answered_and_does_no_harm() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.invite_unnoticed("adele@fabrikam.com");
    let good = world.genuine(Watched::Users, adele.id()).to_string();
    for (what, status, body) in hostile(&good) {
        assert_eq!(world.post("/graph/notifications", body).await.status, status, "{what}");
    }
    let latin: &[u8] = b"{\"value\":[\"\xe9\"]}";
    assert_eq!(world.post("/graph/notifications", latin).await.status, 400);
    let mut why: Vec<_> = world.put_aside().await.into_iter().map(|(_, why)| why).collect();
    why.sort();
    assert_eq!(
        why,
        ["`resource` is there twice"],
        "what has a clientState of ours is kept, and the rest is not"
    );
    let mallory = world.tenant.invite("mallory@evil.example");
    world.settle().await;
    world.expect_disabled(mallory);
    assert_eq!(world.slack.read_all().len(), 3, "forged, unreadable, and the guest");
    world.expect_untouched(adele);
}

#[tokio::test]
async fn ten_thousand_bad_posts_lose_nothing_and_touch_nobody() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.invite_unnoticed("adele@fabrikam.com");
    let mut forged = world.genuine(Watched::Users, adele.id());
    forged["clientState"] = json!(format!("v1.k1.{}.{}", "A".repeat(22), "0".repeat(43)));
    let bodies = Arc::new([
        body_of(&[forged.clone()]),
        body_of(&vec![forged; 20]),
        "{\"value\":[{\"clientState\":".to_owned(),
        "\0\u{1f4a5}".repeat(100),
    ]);
    let before = world.rows().await;
    let mut attack = JoinSet::new();
    for attacker in 0..20_usize {
        let (wire, url, bodies) = (
            world.assembly.wire.clone(),
            world.receiver.join("/graph/notifications").unwrap(),
            Arc::clone(&bodies),
        );
        attack.spawn(async move {
            for n in 0..500 {
                let which = (n + attacker) % bodies.len();
                let reply = wire.send(wire::Call::post(url.clone(), bodies[which].clone())).await.unwrap();
                assert_eq!(reply.status.as_u16(), if which < 2 { 202 } else { 400 });
            }
        });
    }
    // In the midst of it.
    let mallory = world.tenant.invite("mallory@evil.example");
    assert_eq!(world.simulator.deliver_due().await, 1);
    assert_eq!(world.simulator.waiting_notifications(), 0, "taken at the first attempt");
    while let Some(ended) = attack.join_next().await {
        ended.unwrap();
    }
    assert_eq!(world.own_receiver().tally.totals(), (2_500 + 20 * 2_500, 0, 5_000));
    // Two looks at Mallory; the notice, and the message about it.
    assert_eq!(world.rows().await - before, 4, "ten thousand bad POSTs take up no room");
    world.settle().await;
    world.expect_disabled(mallory);
    assert_eq!(world.slack.read_all().len(), 2, "one notice, and the guest");
    world.expect_untouched(adele);
}

#[tokio::test]
async fn a_burst_about_few_guests_becomes_few_looks() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let guests: Vec<_> = (0..5).map(|n| world.invite_unnoticed(&format!("guest{n}@fabrikam.com"))).collect();
    let items: Vec<_> = guests.iter().map(|guest| world.genuine(Watched::Users, guest.id())).collect();
    let one_post: Vec<_> = items.iter().cycle().take(1_000).cloned().collect();
    for _ in 0..5 {
        assert_eq!(world.notify(&one_post).await.status, 202);
    }
    let depth = world.store.queues.changes.depth(world.clock.now()).await.unwrap();
    assert_eq!((depth.ready, depth.waiting), (5, 5), "each guest now, and again in five minutes");
    world.simulator.reset_traffic();
    world.settle().await;
    for guest in &guests {
        assert_eq!(world.calls("GET", &format!("/users/{}", guest.id())), 2);
    }
    world.expect_no_writes();
}
