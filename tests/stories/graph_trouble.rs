//! Graph refuses, throttles, fails, forgets our token, or loses the write or its answer: told once where a person must act,
//! outlasted where not.

use guestlist_tests::World;
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::StepResult;
use simulator::{Failure, Fault, RetryAfter};

use crate::policies::PARTNERS_ONLY;
use crate::remediating::{found, outcomes};

const GRAPH_DOWN: u16 = 503;

#[tokio::test]
async fn what_graph_refuses_is_told_once_with_what_a_person_must_do() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.simulator.grant(simulator::contoso::WRITER, &["User.Read.All", "Group.Read.All"]);
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    assert!(world.tenant.is_enabled(sam));
    assert_snapshot!(world.slack.next_text(), @"
    Failed, and a person must look at guest sam@northwind[.]example: otherwise.guest (medium)
    *Who*
    `sam` · guest · account enabled
    Address: `sam@northwind.example`
    Organisation: `northwind.example`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `otherwise.guest` (medium severity)
    • no scenario admits the account
    • mail `sam@northwind.example` is of no partner
    *What was done*
    Failed to disable the account <id>: get Graph's leave: Insufficient privileges to complete the operation. (`Authorization_RequestDenied`); grant the app the permission that this call needs, or do it by hand where the object is an administrator's.
    Graph request-id: `<id>`
    *What a person must do*
    Look at it in the Entra admin center: the rule asks to disable the account.
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · failed · mode enforce · tenant <id> · opened 2026-11-20 09:00:00 UTC · seen once
    ");
    world.forget_writes("/users");
    world.tenant.change(sam, |user| user.display_name = "Sammy".to_owned());
    world.settle().await;
    world.slack.expect_silence();
    world.forget_writes("/users");
    // It is tried again all the same, and people hear of what has changed only.
    world.settle_for(SignedDuration::from_hours(3)).await;
    world.slack.expect_silence();
    world.forget_writes("/users");
    let all = simulator::contoso::writer();
    let all: Vec<&str> = all.roles.iter().map(String::as_str).collect();
    world.simulator.grant(simulator::contoso::WRITER, &all);
    world.simulator.revoke_tokens();
    world.settle_for(SignedDuration::from_hours(4)).await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn the_longer_graph_refuses_the_longer_the_next_try_waits_up_to_a_day() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.simulator.grant(simulator::contoso::WRITER, &["User.Read.All", "Group.Read.All"]);
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    let path = format!("/users/{}", sam.id());
    let moments = world.moments_of("PATCH", &path, SignedDuration::from_hours(80)).await;
    world.forget_writes("/users");
    let first = moments[0];
    let hours: Vec<i64> = moments.iter().map(|moment| (moment - first) / 3_600).collect();
    assert_eq!(hours, [0, 1, 3, 7, 15, 31, 55, 79], "counted from the first try after an hour");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_fresh_guest_whom_the_writing_replica_does_not_know_yet_is_waited_for() {
    let (mut world, sam) = found().await;
    world.next_faults([
        Fault::new("GET", &format!("/users/{}", sam.id()), Failure::NotFound),
        Fault::new("PATCH", "/users", Failure::NotFound),
    ]);
    world.settle().await;
    world.expect_write("PATCH", &format!("/users/{}", sam.id()));
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

/// The moments of the writes after the first was throttled like this.
async fn throttled(retry_after: RetryAfter) -> Vec<i64> {
    let (mut world, sam) = found().await;
    let path = format!("/users/{}", sam.id());
    world.next_faults([Fault::new("PATCH", "/users", Failure::Throttled(retry_after))]);
    let moments = world.moments_of("PATCH", &path, SignedDuration::from_hours(1)).await;
    world.forget_writes("/users");
    assert!(!world.tenant.is_enabled(sam));
    assert_eq!(world.slack.read_all().len(), 1);
    moments
}

#[tokio::test]
async fn throttling_is_waited_for_as_graph_says() {
    assert_eq!(throttled(RetryAfter::Seconds(30)).await, [0, 30]);
    assert_eq!(throttled(RetryAfter::Decimals(2.128)).await, [0, 2]);
    assert_eq!(throttled(RetryAfter::Date(SignedDuration::from_secs(50))).await, [0, 50]);
    assert_eq!(throttled(RetryAfter::None).await, [0, 5]);
}

#[tokio::test]
async fn a_service_that_fails_for_minutes_is_outlasted_and_told_as_open_only_after_a_minute() {
    let (mut world, sam) = found().await;
    let failures = (0..6).map(|_| Fault::any("/$batch", Failure::Status(GRAPH_DOWN, RetryAfter::None)));
    world.next_faults(failures);
    world.settle().await;
    world.expect_disabled(sam);
    let told = world.slack.texts();
    let headlines: Vec<&str> = told.iter().map(|text| text.lines().next().unwrap()).collect();
    assert_eq!(
        headlines,
        [
            "About to disable guest sam@northwind[.]example: otherwise.guest (medium)",
            "Disabled guest sam@northwind[.]example: otherwise.guest (medium)",
        ]
    );
}

#[tokio::test]
async fn a_service_that_fails_for_hours_is_told_as_failed_and_tried_again_all_the_same() {
    let (mut world, sam) = found().await;
    let failures = (0..40).map(|_| Fault::new("PATCH", "/users", Failure::Status(500, RetryAfter::None)));
    world.next_faults(failures);
    world.settle_for(SignedDuration::from_hours(6)).await;
    world.forget_writes("/users");
    assert_eq!(world.incident(sam).await.state.word(), "failed");
    assert_eq!(world.slack.read_all().len(), 2, "about to, and failed");
    assert!(world.dead_letters().await.is_empty());
    world.simulator.calm();
    world.settle_for(SignedDuration::from_hours(6)).await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

/// What failed long after its incident was opened.
#[tokio::test]
async fn what_failed_late_is_tried_again_after_an_hour_too() {
    let (mut world, sam) = found().await;
    world.settle().await;
    world.expect_disabled(sam);
    world.clock.advance(SignedDuration::from_hours(40));
    let forbidden = || Fault::new("PATCH", "/users", Failure::Status(403, RetryAfter::None));
    world.next_faults((0..40).map(|_| forbidden()));
    world.tenant.change(sam, |user| user.enabled = true);
    world.settle_for(SignedDuration::from_mins(30)).await;
    world.forget_writes("/users");
    assert_eq!(world.incident(sam).await.state.word(), "failed");
    world.simulator.calm();
    world.settle_for(SignedDuration::from_hours(1)).await;
    world.expect_disabled(sam);
    world.slack.read_all();
}

#[tokio::test]
async fn half_a_day_without_graph_leaves_nothing_for_a_person_to_replay() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.simulator.set_faults(|faults| {
        let (chance, statuses, retry_after) = (1.0, vec![GRAPH_DOWN], RetryAfter::None);
        faults.failures = Some(simulator::Failures { chance, statuses, retry_after });
    });
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_for(SignedDuration::from_hours(12)).await;
    assert!(world.dead_letters().await.is_empty());
    assert!(world.tenant.is_enabled(sam));
    world.simulator.calm();
    world.settle_for(SignedDuration::from_hours(1)).await;
    world.expect_disabled(sam);
    world.slack.read_all();
}

#[tokio::test]
async fn an_ended_token_is_renewed_without_a_word() {
    let (mut world, sam) = found().await;
    world.simulator.revoke_tokens();
    world.clock.advance(SignedDuration::from_secs(59));
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
    world.clock.advance(SignedDuration::from_hours(3));
    let kim = world.tenant.invite("kim@northwind.example");
    world.settle().await;
    world.expect_disabled(kim);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_write_that_was_lost_on_its_way_is_sent_again() {
    let (mut world, sam) = found().await;
    world.next_faults([Fault::new("PATCH", "/users", Failure::Reset)]);
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_found_to_be_done() {
    let (mut world, sam) = found().await;
    world.next_faults([Fault::new("PATCH", "/users", Failure::LostAnswer)]);
    world.settle().await;
    world.expect_disabled(sam);
    world.expect_no_writes();
    let outcomes = outcomes(&world, sam).await;
    assert_eq!((outcomes.len(), &outcomes[0].result), (1, &StepResult::Done));
    assert_eq!(outcomes[0].before, Some(true), "so that it can be undone");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_reader_that_is_refused_is_told_at_once_and_outlasted() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.deliver().await;
    world.next_faults((0..2_000).map(|_| Fault::new("GET", "/users", Failure::Unauthorized)));
    world.settle_now().await;
    let text = world.slack.next_text();
    assert!(
        text.contains("changed guests cannot be looked at: failed to prove to Microsoft who we are"),
        "{text}"
    );
    world.settle_for(SignedDuration::from_hours(12)).await;
    assert_eq!(world.slack.read_all().len(), 2, "again after an hour, and after four more");
    assert!(world.dead_letters().await.is_empty());
    world.simulator.calm();
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_permission_that_the_reader_lost_is_told_at_once_and_outlasted() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.simulator.grant(simulator::contoso::READER, &["Group.Read.All"]);
    world.simulator.revoke_tokens();
    let sam = world.tenant.invite("sam@northwind.example");
    world.deliver().await;
    world.settle_now().await;
    let text = world.slack.next_text();
    assert!(text.contains("failed to get Graph's leave") && text.contains("grant the app"), "{text}");
    let all = simulator::contoso::reader();
    let all: Vec<&str> = all.roles.iter().map(String::as_str).collect();
    world.simulator.grant(simulator::contoso::READER, &all);
    world.simulator.revoke_tokens();
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_outage_of_six_hours_leaves_nothing_for_a_person_to_replay() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.reconcile_all().await;
    world.simulator.set_faults(|faults| {
        let statuses = vec![503];
        faults.failures = Some(simulator::Failures { chance: 1.0, statuses, retry_after: RetryAfter::None });
    });
    let sam = world.tenant.invite("sam@northwind.example");
    let end = world.clock.now() + SignedDuration::from_hours(6);
    world.settle_for(SignedDuration::from_hours(6)).await;
    world.clock.advance_to(end);
    world.simulator.set_faults(|faults| faults.failures = None);
    for _ in 0..12 {
        world.settle_for(SignedDuration::from_mins(20)).await;
        world.clock.advance(SignedDuration::from_mins(20));
        world.reconcile().await;
        world.wake_what_is_due().await;
    }
    let dead = world.dead_letters().await;
    world.forget_writes("/");
    world.slack.texts();
    assert!(!world.tenant.is_enabled(sam));
    assert!(dead.is_empty(), "{}", dead.len());
}

#[tokio::test]
async fn what_failed_is_tried_again_after_an_hour_however_old_the_incident_is() {
    let (mut world, sam, _) = crate::given::disabled().await;
    world.live_on(SignedDuration::from_hours(24 * 3)).await;
    let forbidden = || Fault::new("PATCH", "/users", Failure::Status(403, RetryAfter::None));
    world.next_faults((0..40).map(|_| forbidden()));
    world.tenant.change(sam, |user| user.enabled = true);
    world.settle_for(SignedDuration::from_mins(30)).await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    for _ in 0..12 {
        world.settle_for(SignedDuration::from_mins(15)).await;
        world.clock.advance(SignedDuration::from_mins(15));
        world.wake_what_is_due().await;
    }
    world.forget_writes("/");
    world.slack.texts();
    assert!(!world.tenant.is_enabled(sam), "three hours later");
}

/// Trouble that nobody has judged is none of the tries after which a person is asked: Graph was busy for twenty minutes, and
/// then one read fails, as any read may.
#[tokio::test]
async fn one_failed_read_after_graph_was_busy_makes_no_incident_fail() {
    let (world, sam) = crate::given::found(PARTNERS_ONLY, "sam@northwind.example").await;
    let busy = || Fault::any("/organization", Failure::Throttled(RetryAfter::Seconds(1_800)));
    world.next_faults((0..2_000).map(|_| busy()));
    for _ in 0..80 {
        world.run("remediate").await;
        world.clock.advance(SignedDuration::from_secs(15));
        world.wake_what_is_due().await;
    }
    // It waits for as long as Graph has asked for, in the ledger, too.
    world.clock.advance(SignedDuration::from_mins(31));
    world.wake_what_is_due().await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.next_faults([Fault::any("/$batch", Failure::Status(GRAPH_DOWN, RetryAfter::Seconds(30)))]);
    world.run("remediate").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    let incident = world.incident(sam).await;
    assert_eq!((incident.state.word(), incident.attempts), ("open", 1));
    world.expect_untouched(sam);
}
