//! 202 means that it is on the disk; what cannot get there is a 503, and Graph sends it again. And the part that the
//! internet reaches has nothing with which Graph could be asked.

use embedded::rusqlite::Connection;
use guestlist_tests::{World, body_of};
use host::{Assembly, Environment, Limits, Part, Settings};
use jiff::SignedDuration;
use model::{Answer, Job, Watched};
use responder::Worker;
use serde_json::json;

use crate::policies::PARTNERS_ONLY;

/// Another process's connection to the same store.
fn beside(world: &World) -> Connection {
    Connection::open(world.store.database.as_ref().unwrap().path()).unwrap()
}

#[tokio::test]
async fn accepted_means_that_another_process_finds_it_in_the_store() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    let other = beside(&world);
    let count =
        || -> i64 { other.query_row("SELECT count(*) FROM queue_moves", [], |row| row.get(0)).unwrap() };
    assert_eq!(count(), 0);
    assert_eq!(world.notify(&[world.genuine(Watched::Users, mallory.id())]).await.status, 202);
    assert_eq!(count(), 2);
    world.settle().await;
    world.expect_disabled(mallory);
    assert!(world.slack.next_text().contains("mallory@evil.example"));
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_and_taken_when_graph_sends_it_again() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.tenant.invite("mallory@evil.example");
    let other = beside(&world);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.simulator.record_as_fault(true);
    assert_eq!(world.simulator.deliver_due().await, 1);
    assert_eq!(world.simulator.waiting_notifications(), 1, "it was refused, and waits for its next attempt");
    world.simulator.record_as_fault(false);
    other.execute_batch("ROLLBACK").unwrap();
    world.settle().await;
    assert_eq!(world.simulator.waiting_notifications(), 0);
    world.expect_disabled(mallory);
    assert!(world.slack.next_text().contains("mallory@evil.example"));
}

#[tokio::test]
async fn a_full_disk_refuses_all_of_a_post_and_loses_nothing() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let guests: Vec<_> =
        (0..200).map(|n| world.invite_unnoticed(&format!("guest{n}@fabrikam.com"))).collect();
    let mut items: Vec<_> = guests.iter().map(|guest| world.genuine(Watched::Users, guest.id())).collect();
    items.push(json!({"clientState": items[0]["clientState"], "new": "x".repeat(100_000)}));
    let limit = |pages: &'static str| {
        world.store.database.as_ref().unwrap().write(move |db| {
            let pages = if pages.is_empty() {
                db.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0))?.to_string()
            } else {
                pages.to_owned()
            };
            db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, i64>(0))
        })
    };
    limit("").await.unwrap();
    assert_eq!(world.notify(&items).await.status, 503);
    let depth = world.store.queues.changes.depth(world.clock.now()).await.unwrap();
    assert!(depth.is_drained() && depth.dead == 0, "{depth:?}");
    limit("1000000000").await.unwrap();
    assert_eq!(world.notify(&items).await.status, 202);
    let depth = world.store.queues.changes.depth(world.clock.now()).await.unwrap();
    assert_eq!((depth.ready, depth.waiting, depth.dead), (200, 200, 1));
    world.settle().await;
    assert_eq!(world.slack.read_all().len(), 1, "the one that could not be read");
    world.expect_no_writes();
}

#[tokio::test]
async fn without_its_store_the_receiver_still_tells_ours_from_garbage() {
    let world = World::with_policy(PARTNERS_ONLY).await;
    let good = world.genuine(Watched::Users, world.invite_unnoticed("mallory@evil.example").id());
    let mut forged = good.clone();
    forged["clientState"] = json!("nonsense");
    assert_eq!(world.monitor("/healthz").await.status, 200);
    world.store.close();
    assert_eq!(world.notify(std::slice::from_ref(&good)).await.status, 503);
    assert_eq!(world.notify(&[forged.clone(), good]).await.status, 503);
    assert_eq!(world.notify(&[forged]).await.status, 202);
    assert_eq!(world.post("/graph/lifecycle", "garbage").await.status, 400);
    assert_eq!(world.post("/graph/lifecycle?validationToken=abc", "").await.body, "abc");
    assert_eq!(world.monitor("/healthz").await.status, 503);
}

#[tokio::test]
async fn the_receiver_alone_needs_no_credential_and_holds_none() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    let data = world.assembly.settings.data.display().to_string();
    let secret = |app: &str, what: &str| {
        (format!("GUESTLIST_{app}_CLIENT_{what}"), "would be wrong to read".to_owned())
    };
    // A secret that lies about is not picked up, and nothing but the first three is needed.
    let environment = Environment::of(vec![
        ("GUESTLIST_TENANT_ID".to_owned(), simulator::contoso::TENANT.to_string()),
        ("GUESTLIST_DATA".to_owned(), data),
        ("GUESTLIST_CHANNELS".to_owned(), "slack".to_owned()),
        secret("READ", "ID"),
        secret("READ", "SECRET"),
        secret("WRITE", "ID"),
        secret("WRITE", "SECRET"),
    ]);
    let settings = Settings::read(&environment, Part::Notifications.needs()).unwrap();
    assert!(settings.reader.is_none() && settings.writer.is_none());
    let alone = Assembly { settings, policy: None, ..world.assembly.clone() };
    assert!(alone.reader().is_err() && alone.writing_client().is_err());
    let parts = alone.build(&[Part::Notifications]).unwrap();
    assert!(parts.workers.is_empty() && parts.steward.is_none() && parts.keeper.is_none());

    let (base, _stop) = world.serve_beside(parts.receiver.unwrap().router(), Limits::default()).await;
    let body = body_of(&[world.genuine(Watched::Users, mallory.id())]);
    world.simulator.reset_traffic();
    assert_eq!(world.post_at(&base, "/graph/notifications", body).await.status, 202);
    let traffic = world.simulator.traffic();
    assert_eq!((traffic.requests, traffic.token_requests), (0, 0));
    world.settle().await;
    world.expect_disabled(mallory);
    assert!(world.slack.next_text().contains("mallory@evil.example"));
}

#[tokio::test]
async fn a_request_that_goes_to_the_dead_letters_is_answered_and_comes_to_an_end() {
    let (mut world, sam, id) = crate::given::disabled().await;
    let request = world.ask_undo(&id, false).await;
    // Whoever takes it dies.
    for _ in 0..31 {
        let (queue, now) = (&world.store.queues.remediations, world.clock.now());
        assert_eq!(queue.claim(now, SignedDuration::from_secs(1), 1).await.unwrap().len(), 1);
        world.clock.advance(SignedDuration::from_secs(2));
    }
    world.run("remediate").await;
    let Answer::Failed { why } = world.answer(&request).await else { panic!("it did not fail") };
    assert!(why.contains("it failed 32 times") && why.contains("ask again"), "{why}");
    for _ in 0..3 {
        world.clock.advance(SignedDuration::from_mins(10));
        world.wake_what_is_due().await;
        world.settle().await;
    }
    assert!(!world.tenant.is_enabled(sam));
    assert_eq!(world.dead_letters().await.len(), 1);
    world.slack.read_all();
}

/// Loses every race, as where very many work on one guest.
#[derive(Clone)]
struct AlwaysTooLate;

impl responder::Flow for AlwaysTooLate {
    async fn handle(&self, _job: Job) -> Result<Option<responder::End>, responder::Trouble> {
        let id = "7e48acf428c24a7f-1".parse().unwrap();
        Err(ledger::LedgerError::NotNext { id, why: "another did" }.into())
    }
}

#[tokio::test]
async fn who_is_always_too_late_is_never_buried_for_it() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let mallory = world.invite_unnoticed("mallory@evil.example");
    assert_eq!(world.notify(&[world.genuine(Watched::Users, mallory.id())]).await.status, 202);
    let worker = Worker {
        name: "assess",
        queue: world.store.queues.changes.clone(),
        handler: AlwaysTooLate,
        notices: Assembly::notices_of(&world.assembly.settings, &world.store, &world.assembly.clock),
        clock: world.assembly.clock.clone(),
    };
    for _ in 0..100 {
        assert!(worker.run_due(10).await.unwrap() > 0);
        world.clock.advance(SignedDuration::from_secs(10));
    }
    assert!(world.dead_letters().await.is_empty());
    world.settle().await;
    world.expect_disabled(mallory);
    assert!(world.slack.next_text().contains("mallory@evil.example"));
}
