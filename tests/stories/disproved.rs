//! What reads have disproved is not ours, whoever does the same after that: no undo gives back what a person took.

use std::time::Duration;

use guestlist_tests::{Guest, World};
use jiff::SignedDuration;
use model::Answer;
use simulator::{Failure, Fault, RetryAfter, Stale};

use crate::given::{admitted, found, refused};
use crate::policies::{CLOSED_GROUPS, PARTNERS_ONLY, closing};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// An admin puts it back before any read has shown it: for fifteen minutes nobody can tell that from a replica that lags.
#[tokio::test]
async fn an_accepted_write_that_somebody_reversed_at_once_is_judged_and_sent_once_more() {
    let (mut world, sam) = found(PARTNERS_ONLY, "sam@northwind.example").await;
    let lag = SignedDuration::from_mins(2);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.run("remediate").await;
    world.expect_disabled(sam);
    world.unnoticed(|tenant| tenant.0.enable(sam.0).unwrap());
    world.simulator.set_faults(|faults| faults.stale = None);
    world.settle().await;
    world.expect_disabled(sam);
    let incident = world.incident(sam).await;
    assert_eq!(incident.state.word(), "done");
    let answer = world.undo(&incident.id).await;
    assert!(matches!(answer, Answer::Done { .. } | Answer::Sent { .. }), "{answer:?}");
    world.slack.texts();
    world.expect_enabled_again(sam);
}

/// The connection is cut before it had effect; then observe; long after, an admin disables; then enforce.
#[tokio::test]
async fn an_unanswered_write_that_reads_disproved_is_not_ours_a_day_later() {
    let (mut world, sam) = found(&closing("{ domain: [evil.example] }", "disable"), "sam@evil.example").await;
    world.next_faults((0..6).map(|_| Fault::new("PATCH", "/users", Failure::Reset)));
    world.run("remediate").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    assert!(world.tenant.is_enabled(sam));
    world.change_policy(
        &closing("{ domain: [evil.example] }", "disable").replace("mode: enforce", "mode: observe"),
    );
    world.settle().await;
    world.clock.advance(HOUR);
    world.settle().await;
    assert!(world.tenant.is_enabled(sam));
    world.forget_writes("/users");
    world.clock.advance(SignedDuration::from_hours(24));
    world.tenant.0.disable(sam.0).unwrap();
    world.settle().await;
    world.change_policy(&closing("{ domain: [evil.example] }", "disable"));
    world.clock.advance(HOUR);
    world.tenant.stir(sam);
    world.settle().await;
    let incident = world.incident(sam).await;
    assert!(refused(world.undo(&incident.id).await).contains("nothing of ours is in force"));
    world.slack.texts();
    world.forget_writes("/");
    assert!(!world.tenant.is_enabled(sam), "what an admin did was undone");
}

/// The first try got no answer (and had no effect), and Graph was too busy ever after: failed. An admin disables him.
#[tokio::test]
async fn what_graph_turned_away_for_hours_makes_an_unanswered_write_no_younger() {
    let (mut world, sam) = found(&closing("{ domain: [evil.example] }", "disable"), "sam@evil.example").await;
    world.next_faults((0..2).map(|_| Fault::new("PATCH", "/users", Failure::Reset)));
    world.run("remediate").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.next_faults(
        (0..60).map(|_| Fault::new("PATCH", "/users", Failure::Status(503, RetryAfter::Seconds(300)))),
    );
    world.settle_for(SignedDuration::from_hours(8)).await;
    assert!(world.tenant.is_enabled(sam));
    world.simulator.set_faults(|faults| faults.queued.clear());
    world.clock.advance(SignedDuration::from_hours(24));
    world.forget_writes("/users");
    // Else a read of before his act would send us once more, and Graph could not tell the two apart.
    world.simulator.set_faults(|faults| faults.stale = None);
    world.tenant.0.disable(sam.0).unwrap();
    world.settle().await;
    let incident = world.incident(sam).await;
    assert!(refused(world.undo(&incident.id).await).contains("nothing of ours is in force"));
    world.slack.texts();
    world.forget_writes("/");
    assert!(!world.tenant.is_enabled(sam), "what an admin did was undone");
}

/// The same of a membership.
#[tokio::test]
async fn a_removal_that_somebody_reversed_at_once_is_judged_and_sent_once_more() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.tenant.join(adele, finance);
    world.deliver().await;
    world.clock.advance(SignedDuration::from_secs(30));
    world.run("assess").await;
    world.clock.advance(SignedDuration::from_mins(3));
    let lag = SignedDuration::from_mins(2);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.run("remediate").await;
    world.expect_no_member(adele, finance);
    world.unnoticed(|tenant| tenant.join(adele, finance));
    world.simulator.set_faults(|faults| faults.stale = None);
    world.settle().await;
    world.expect_no_member(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "done");
    world.slack.texts();
}

/// Two looks at a guest under two keys: the one that read first is answered last.
async fn overtaken(before: &str, since: &str) -> (World, Guest) {
    let mut world = World::with_policy(&PARTNERS_ONLY.replace("mode: enforce", "mode: observe")).await;
    let adele = world.tenant.invite(before);
    world.settle_now().await;
    world.clock.advance(SignedDuration::from_mins(5));
    let path = format!("/users/{}", adele.id());
    let answered = world.calls("GET", &path);
    world.next_faults([Fault::new("GET", &path, Failure::Delay(Duration::from_millis(1_500)))]);
    let worker = world.worker("assess").clone();
    let slow = tokio::spawn(async move { worker.run_due(1).await.unwrap() });
    while world.calls("GET", &path) == answered {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.clock.advance(SignedDuration::from_millis(1));
    world.tenant.change(adele, |user| user.mail = Some(since.to_owned()));
    world.clock.advance(SignedDuration::from_mins(1));
    world.settle_now().await;
    slow.await.unwrap();
    (world, adele)
}

#[tokio::test]
async fn a_look_that_is_overtaken_takes_nothing_back_that_the_faster_one_found() {
    let (mut world, adele) = overtaken("adele@fabrikam.com", "adele@evil.example").await;
    assert!(
        world.states(adele).await.iter().all(|state| *state == "open"),
        "{:?}",
        world.states(adele).await
    );
    world.settle_for(SignedDuration::from_mins(1)).await;
    assert!(
        world.states(adele).await.iter().all(|state| *state == "open"),
        "{:?}",
        world.states(adele).await
    );
    world.slack.texts();
}

#[tokio::test]
async fn a_look_that_is_overtaken_finds_nothing_again_that_the_faster_one_found_gone() {
    let (mut world, adele) = overtaken("adele@northwind.example", "adele@fabrikam.com").await;
    assert_eq!(world.states(adele).await, ["resolved"]);
    world.settle_for(SignedDuration::from_mins(1)).await;
    assert_eq!(world.states(adele).await, ["resolved"]);
    world.slack.texts();
}
