//! How much the receiver takes, and how long it waits: nobody who sends slowly or too much holds up Graph.

use std::time::{Duration, Instant};

use guestlist_tests::{Raw, World, body_of};
use host::Limits;
use model::Watched;
use responder::Receiver;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use crate::policies::PARTNERS_ONLY;

const HEAD: &str = "POST /graph/notifications HTTP/1.1\r\nhost: guestlist.example\r\n";
const SOON: Duration = Duration::from_millis(300);
/// Far above `SOON`, far below the limits that hold in earnest.
const LATE: Duration = Duration::from_secs(4);

/// Valid JSON of exactly so many bytes, with one genuine item in it.
fn padded(item: &serde_json::Value, length: usize) -> String {
    let body = body_of(std::slice::from_ref(item));
    format!("{}{body}", " ".repeat(length - body.len()))
}

/// The world's receiver on a port of its own, which waits for a body no longer than `SOON`.
async fn impatient(world: &World, limits: Limits) -> (Url, watch::Sender<bool>) {
    world.serve_beside(world.own_receiver().router_within(SOON), limits).await
}

#[tokio::test]
async fn four_mebibytes_are_taken_and_one_byte_more_is_refused_and_told_once() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    let item = world.genuine(Watched::Users, mallory.id());
    for _ in 0..3 {
        let heard = world.post("/graph/notifications", padded(&item, Receiver::MOST_BYTES + 1)).await;
        assert_eq!(heard.status, 413);
    }
    assert_eq!(world.own_receiver().tally.totals(), (0, 3, 0));
    world.settle().await;
    assert!(world.slack.next_text().contains("more than 4194304 bytes"));
    world.expect_untouched(mallory);
    let heard = world.post("/graph/notifications", padded(&item, Receiver::MOST_BYTES)).await;
    assert_eq!(heard.status, 202);
    world.settle().await;
    world.expect_disabled(mallory);
    assert!(world.slack.next_text().contains("mallory@evil.example"));
}

#[tokio::test]
async fn a_sender_of_too_much_hears_the_answer() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    for framing in [
        "content-length: 20000000\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\n1312d00\r\n".to_owned(),
    ] {
        let mut raw = Raw::connect(&world.receiver).await;
        raw.say(format!("{HEAD}{framing}")).await;
        raw.say(vec![b' '; 20_000_000]).await;
        if framing.contains("chunked") {
            raw.say("\r\n0\r\n\r\n").await;
        }
        assert_eq!(raw.hear_status().await, 413);
    }
    world.settle().await;
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_body_in_chunks_of_one_byte_is_taken() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    let body = body_of(&[world.genuine(Watched::Users, mallory.id())]);
    let mut raw = Raw::connect(&world.receiver).await;
    raw.say(format!("{HEAD}transfer-encoding: chunked\r\n\r\n")).await;
    for byte in body.chars() {
        raw.say(format!("1;x=y\r\n{byte}\r\n")).await;
    }
    raw.say("0\r\ntrailer: x\r\n\r\n").await;
    assert_eq!(raw.hear_status().await, 202);
    world.settle().await;
    world.expect_disabled(mallory);
    assert!(world.slack.next_text().contains("mallory@evil.example"));
}

/// Says one byte now and then until the other side has had enough; returns what it said.
async fn dribble(base: Url, first: String) -> (String, Duration) {
    let mut raw = Raw::connect(&base).await;
    raw.say(first).await;
    let began = Instant::now();
    let (mut reading, mut writing) = raw.0.into_split();
    let dribbling = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        while writing.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut heard = Vec::new();
    let _reset = tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut heard).await;
    dribbling.abort();
    (String::from_utf8(heard).unwrap(), began.elapsed())
}

#[tokio::test]
async fn slow_heads_slow_bodies_and_idle_connections_are_cut_off() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let (base, _stop) = impatient(&world, Limits { slowest_head: SOON, ..Limits::default() }).await;
    let (head, length, chunked, large, idle) = tokio::join!(
        dribble(base.clone(), format!("{HEAD}x-slow: ")),
        dribble(base.clone(), format!("{HEAD}content-length: 1000000\r\n\r\n")),
        dribble(base.clone(), format!("{HEAD}transfer-encoding: chunked\r\n\r\nfffff\r\n")),
        dribble(base.clone(), format!("{HEAD}content-length: 9000000000\r\n\r\n{}", " ".repeat(5_000_000))),
        async {
            let mut raw = Raw::connect(&base).await;
            let began = Instant::now();
            (raw.hear_all().await, began.elapsed())
        },
    );
    for (heard, took) in [&head, &length, &chunked, &large, &idle] {
        assert!(*took < LATE, "{took:?}: {heard}");
    }
    assert!(head.0.is_empty() || head.0.starts_with("HTTP/1.1 408"), "{}", head.0);
    assert!(length.0.starts_with("HTTP/1.1 408"), "{}", length.0);
    assert!(chunked.0.starts_with("HTTP/1.1 408"), "{}", chunked.0);
    assert!(large.0.starts_with("HTTP/1.1 413"), "{}", large.0);
}

#[tokio::test]
async fn who_does_not_take_his_answers_is_cut_off() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let limits = Limits { connection: SOON, grace: SOON, ..Limits::default() };
    let (base, _stop) = impatient(&world, limits).await;
    let raw = Raw::connect(&base).await;
    let ask = format!(
        "POST /graph/notifications?validationToken={} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        "a".repeat(4_000)
    );
    let (_reading, mut writing) = raw.0.into_split();
    let began = Instant::now();
    // Answers are never read, so both directions fill up; the write fails when the other side gives up.
    let cut = tokio::time::timeout(LATE, async {
        while tokio::io::AsyncWriteExt::write_all(&mut writing, ask.as_bytes()).await.is_ok() {}
    });
    assert!(cut.await.is_ok(), "still holding the connection after {:?}", began.elapsed());
}

#[tokio::test]
async fn slow_clients_hold_up_nobody_else() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    let mut held = Vec::new();
    for n in 0..300 {
        let mut raw = Raw::connect(&world.receiver).await;
        raw.say(format!("{HEAD}content-length: 4000000\r\n\r\n")).await;
        if n < 60 {
            // Enough to be counted among the large ones.
            raw.say(vec![b' '; 70_000]).await;
        }
        held.push(raw);
    }
    assert_eq!(world.simulator.deliver_due().await, 1);
    assert_eq!(world.simulator.waiting_notifications(), 0, "taken at the first attempt");
    drop(held);
    world.settle().await;
    world.expect_disabled(mallory);
    assert!(world.slack.next_text().contains("mallory@evil.example"));
}

#[tokio::test]
async fn more_connections_than_there_are_places_are_served_one_after_the_other() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let adele = world.invite_unnoticed("adele@fabrikam.com");
    let body = body_of(&[world.genuine(Watched::Users, adele.id())]);
    let limits = Limits { connections: 4, slowest_head: SOON, connection: SOON, ..Limits::default() };
    let (base, stop) = world.serve_beside(world.own_receiver().router(), limits).await;
    let mut crowd = JoinSet::new();
    for _ in 0..40 {
        let (base, body) = (base.clone(), body.clone());
        crowd.spawn(async move {
            let mut raw = Raw::connect(&base).await;
            raw.say(format!("{HEAD}content-length: {}\r\n\r\n{body}", body.len())).await;
            raw.hear_status().await
        });
    }
    let statuses = crowd.join_all().await;
    assert_eq!(statuses, [202; 40]);
    stop.send_replace(true);
    world.settle().await;
    world.expect_untouched(adele);
}

#[tokio::test]
async fn a_stop_lets_what_is_under_way_finish_and_takes_nothing_new() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    let body = body_of(&[world.genuine(Watched::Users, mallory.id())]);
    let (base, stop) = world.serve_beside(world.own_receiver().router(), Limits::default()).await;
    let (first, rest) = body.split_at(body.len() / 2);
    let mut under_way = Raw::connect(&base).await;
    under_way.say(format!("{HEAD}content-length: {}\r\n\r\n{first}", body.len())).await;
    // The server has the head by now: another connection, opened later, was served.
    assert_eq!(world.post_at(&base, "/graph/notifications", "garbage").await.status, 400);
    let mut idle = Raw::connect(&base).await;
    idle.say(format!("{HEAD}content-length: 0\r\n\r\n")).await;
    assert_eq!(idle.hear_status().await, 400);
    let began = Instant::now();
    stop.send_replace(true);
    assert_eq!(idle.hear_all().await, "");
    under_way.say(rest).await;
    let heard = under_way.hear_all().await;
    assert!(heard.starts_with("HTTP/1.1 202") && heard.contains("connection: close"), "{heard}");
    assert!(began.elapsed() < LATE);
    let address = (base.host_str().unwrap(), base.port().unwrap());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    world.settle().await;
    world.expect_disabled(mallory);
    assert!(world.slack.next_text().contains("mallory@evil.example"));
}
