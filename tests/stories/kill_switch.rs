//! `guestlist stop` and `GUESTLIST_AT_MOST=observe` hold every way to write to the tenant, and everybody sees that they do.

use std::time::Duration;

use guestlist_tests::{Group, Guest, World};
use jiff::SignedDuration;
use model::{IncidentId, Mode, RequestId, State};
use serde_json::Value;
use simulator::{Failure, Fault};

use crate::given::disabled;
use crate::policies::PARTNERS_ONLY;

/// Closed groups ask first, everything else acts.
const BOTH: &str = r#"
guardrails:
  - id: blocked-domain
    severity: high
    if: { domain: [blocked] }
    then: [disable]
  - id: closed-groups
    severity: high
    if: { joins: { name: "Finance *" } }
    then: [leave-group]
    mode: ask
scenarios:"#;

/// What each way to write has before it.
struct Begun {
    world: World,
    /// Disabled before: somebody asks to have it undone.
    sam: Guest,
    done: IncidentId,
    /// In a closed group: somebody approves of taking her out.
    adele: Guest,
    finance: Group,
    waits: IncidentId,
}

async fn begun() -> Begun {
    let rest = PARTNERS_ONLY.split_once("guardrails:").unwrap();
    let after = rest.1.split_once("scenarios:").unwrap().1;
    let mut world = World::with_policy(&format!("{}{BOTH}{after}", rest.0)).await;
    let sam = world.tenant.invite("sam@northwind.example");
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.expect_disabled(sam);
    world.tenant.join(adele, finance);
    world.settle().await;
    let waits = world.incident_in(adele, finance).await.id;
    let done = world.incident(sam).await.id;
    world.with_canary().await;
    assert_eq!(world.slack.read_all().len(), 2);
    world.expect_no_writes();
    Begun { world, sam, done, adele, finance, waits }
}

/// Everything that could lead to a write happens. Returns what was asked: the undo, and the approval.
async fn try_everything(begun: &mut Begun) -> (Guest, RequestId, RequestId) {
    let Begun { world, done, waits, .. } = begun;
    let mallory = world.tenant.invite("mallory@evil.example");
    let undo = world.ask_undo(done, true).await;
    let approval = world.ask_approval(waits, "carol").await;
    for _ in 0..3 {
        world.settle().await;
        world.look_after_the_canary().await;
        world.wake_what_is_due().await;
        world.clock.advance(SignedDuration::from_mins(1));
    }
    world.settle().await;
    (mallory, undo, approval)
}

async fn readyz(world: &World) -> (u16, Value) {
    let answer = world.monitor("/readyz").await;
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[tokio::test]
async fn while_writes_are_stopped_no_way_leads_to_one_and_it_is_seen() {
    let mut begun = begun().await;
    begun.world.stop_writes().await;
    let (mallory, undo, approval) = try_everything(&mut begun).await;
    let Begun { mut world, sam, adele, finance, .. } = begun;
    world.expect_no_writes();
    assert!(world.tenant.is_enabled(mallory) && !world.tenant.is_enabled(sam));
    assert!(world.tenant.is_member(adele, finance));
    let said = crate::given::refused(world.answer(&undo).await);
    assert!(said.contains("writes are stopped"), "{said}");
    assert!(world.canary().await.idle.is_some_and(|idle| idle.why() == "writes are stopped by carol"));
    let (status, said) = readyz(&world).await;
    assert_eq!(
        (status, &said["writes_stopped"]),
        (200, &Value::Bool(true)),
        "it does what it is to do: {said}"
    );
    assert_eq!(world.metric("guestlist_writes_stopped").await, Some(1.0));
    assert_eq!(world.metric("guestlist_canary_idle").await, Some(1.0));
    world.slack.read_all();
    world.resume_writes().await;
    world.wake_what_is_due().await;
    world.settle().await;
    world.expect_disabled(mallory);
    world.expect_no_member(adele, finance);
    world.look_after_the_canary().await;
    world.forget_writes("/members/$ref");
    world.settle().await;
    drop(world.answer(&approval).await);
    assert!(!world.slack.read_all().is_empty());
    assert_eq!(readyz(&world).await.1["writes_stopped"], false);
    assert_eq!(world.metric("guestlist_writes_stopped").await, Some(0.0));
}

#[tokio::test]
async fn under_the_lowest_ceiling_no_way_leads_to_a_write_and_it_is_seen() {
    let mut begun = begun().await;
    begun.world.assembly.settings.ceiling = Mode::Observe;
    begun.world.restart().await;
    let (mallory, undo, approval) = try_everything(&mut begun).await;
    let Begun { world, sam, adele, finance, .. } = begun;
    world.expect_no_writes();
    assert!(world.tenant.is_enabled(mallory) && !world.tenant.is_enabled(sam));
    assert!(world.tenant.is_member(adele, finance));
    let said = crate::given::refused(world.answer(&undo).await);
    assert!(said.contains("GUESTLIST_AT_MOST"), "{said}");
    drop(world.answer(&approval).await);
    assert!(world.canary().await.idle.is_some_and(|idle| idle.why() == "GUESTLIST_AT_MOST is `observe`"));
    let (status, said) = readyz(&world).await;
    assert_eq!((status, &said["at_most"]), (200, &Value::from("observe")), "{said}");
    assert_eq!(world.metric(r#"guestlist_at_most{mode="observe"}"#).await, Some(1.0));
    assert_eq!(world.metric(r#"guestlist_at_most{mode="enforce"}"#).await, Some(0.0));
    world.slack.read_all();
}

/// Somebody has asked for an undo, and Graph has not taken it before the process starts under the lowest ceiling.
async fn undo_under_the_lowest_ceiling(failure: Failure) -> (World, Guest, IncidentId) {
    let (mut world, sam, id) = disabled().await;
    world.clock.advance(SignedDuration::from_hours(1));
    world.ask_undo(&id, false).await;
    world.next_faults((0..6).map(|_| Fault::new("PATCH", "/users", failure)));
    world.run("remediate").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    assert_eq!(world.states(sam).await, ["undoing"]);
    world.assembly.settings.ceiling = Mode::Observe;
    world.restart().await;
    world.settle_for(SignedDuration::from_mins(40)).await;
    (world, sam, id)
}

#[tokio::test]
async fn an_undo_that_was_not_sent_before_the_lowest_ceiling_has_failed_and_can_be_asked_for_again() {
    let (mut world, sam, id) = undo_under_the_lowest_ceiling(Failure::Reset).await;
    world.expect_no_writes();
    assert!(!world.tenant.is_enabled(sam));
    assert_eq!(world.states(sam).await, ["failed"]);
    let told = world.slack.texts().pop().unwrap();
    assert!(told.contains("he undo failed: it was not sent: `GUESTLIST_AT_MOST` is `observe`"), "{told}");
    assert_eq!(world.store.queues.remediations.next_due().await.unwrap(), None, "nobody waits for it");
    world.assembly.settings.ceiling = Mode::Enforce;
    world.restart().await;
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    assert_eq!(world.states(sam).await, ["undone"]);
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_whose_answer_was_lost_before_the_lowest_ceiling_is_found_out() {
    let (world, sam, _) = undo_under_the_lowest_ceiling(Failure::LostAnswer).await;
    assert!(world.tenant.is_enabled(sam));
    world.forget_writes("/users/");
    assert_eq!(world.states(sam).await, ["undone"]);
    world.slack.read_all();
}

/// Whoever is asked while writes are stopped reads that his answer is carried out later, also where he looks at it again.
#[tokio::test]
async fn who_is_asked_while_writes_are_stopped_reads_that_they_are() {
    let begun = begun().await;
    let Begun { mut world, adele, .. } = begun;
    let board = world.tenant.group("Finance board");
    world.stop_writes().await;
    world.tenant.join(adele, board);
    world.settle().await;
    let told = world.slack.texts().join("\n");
    let why = "by `carol`: what is approved is carried out after `guestlist resume`.";
    assert!(told.contains("Writes are stopped since 2026-11-20 ") && told.contains(why), "{told}");
    world.resume_writes().await;
    let plans = world.tenant.group("Finance plans");
    world.tenant.join(adele, plans);
    world.settle().await;
    let told = world.slack.texts().join("\n");
    assert!(told.contains("Waits for approval") && !told.contains("guestlist resume"), "{told}");
}

/// Between the last question whether it may be done and the write nobody else is asked anything.
#[tokio::test]
async fn a_stop_that_comes_while_whoever_writes_signs_in_is_obeyed() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.deliver().await;
    world.run("assess").await;
    world.simulator.reset_traffic();
    world.next_faults([Fault::new("POST", "/token", Failure::Delay(Duration::from_millis(1500)))]);
    let stop = async {
        while world.simulator.traffic().token_requests == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        world.stop_writes().await;
    };
    tokio::join!(world.run("remediate"), stop);
    world.expect_untouched(sam);
    assert_eq!(world.states(sam).await, ["open"]);
    world.resume_writes().await;
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.read_all();
}

/// The steward takes what is overdue, the longest first, and so many at a time.
#[tokio::test]
async fn however_many_wait_for_the_end_of_a_stop_none_of_them_is_overdue() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.stop_writes().await;
    let sam = world.tenant.invite("sam@northwind.example");
    for _ in 0..20 {
        world.settle_for(SignedDuration::from_mins(1)).await;
        world.clock.advance(SignedDuration::from_secs(20));
        world.settle_now().await;
        let overdue = world.store.ledger.due_incidents(world.clock.now(), 10).await.unwrap();
        let overdue = overdue.iter().filter(|stored| stored.value.state == State::Open).count();
        assert_eq!(overdue, 0);
    }
    world.resume_writes().await;
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.read_all();
}
