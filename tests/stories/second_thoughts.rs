//! What people do between our act and its undo counts, and whoever writes late or after a crash judges again first.

use guestlist_tests::{Guest, World};
use jiff::SignedDuration;
use model::{Answer, IncidentId, Routes, Snapshot, StepResult};
use simulator::{Failure, Fault, RetryAfter, Stale};

use crate::given::{disabled, refused};
use crate::policies::PARTNERS_ONLY;

const TWO_RULES: &str = r"
version: 1
mode: observe
guardrails:
  - id: consumer-mail
    if: { domain: [webmail.example] }
    then: [disable]
  - id: sanctioned
    if: { domain: [evil.example], any_address: true }
    then: [disable]
";

fn admitting_northwind() -> String {
    PARTNERS_ONLY.replace("fabrikam.com,", "fabrikam.com, northwind.example,")
}

/// An undo whose write Graph throttles for ten minutes.
async fn throttled_undo() -> (World, Guest) {
    let (world, sam, id) = disabled().await;
    let request = world.ask_undo(&id, false).await;
    world.next_faults([Fault::new("PATCH", "/users", Failure::Throttled(RetryAfter::Seconds(600)))]);
    world.run("remediate").await;
    assert!(matches!(world.answer(&request).await, Answer::Sent { .. }));
    assert_eq!(world.incident(sam).await.state.word(), "undoing");
    world.forget_writes("/users");
    (world, sam)
}

async fn expect_never_enabled(world: &mut World, guest: Guest) {
    world.settle().await;
    assert!(!world.tenant.is_enabled(guest));
    for incident in world.incidents(guest).await {
        for outcome in world.store.ledger.outcomes(&incident.id).await.unwrap() {
            let enables = matches!(outcome.step, model::Step::Enable { .. });
            let turned_away = matches!(outcome.result, StepResult::TurnedAway { why: _ });
            assert!(!enables || turned_away, "{outcome:?}");
        }
    }
    world.forget_writes("/users");
}

fn words(world: &mut World) -> String {
    world.slack.texts().join("\n")
}

#[tokio::test]
async fn an_identity_that_has_changed_is_noticed_even_when_we_have_seen_the_change() {
    let (mut world, sam, id) = disabled().await;
    let mallory = Some("mallory@totally-other.example".to_owned());
    world.tenant.change(sam, |user| user.mail = mallory);
    world.settle().await;
    assert!(refused(world.undo(&id).await).contains("identity has changed"));
    world.expect_no_writes();
    assert!(!world.tenant.is_enabled(sam));
    let request = world.ask_undo(&id, true).await;
    world.settle().await;
    assert!(matches!(world.answer(&request).await, Answer::Sent { .. }));
    world.expect_enabled_again(sam);
    world.slack.read_all();
}

/// An administrator enables the guest, and much later disables him for a reason of his own.
async fn disabled_by_a_person(policy: &str, state: &str) {
    let (mut world, sam, id) = disabled().await;
    world.change_policy(policy);
    world.tenant.0.enable(sam.0).unwrap();
    world.settle().await;
    assert_eq!(world.incident(sam).await.state.word(), state);
    world.clock.advance(SignedDuration::from_hours(5));
    world.tenant.0.disable(sam.0).unwrap();
    world.settle().await;
    let why = refused(world.undo(&id).await);
    assert!(why.contains("somebody put it back after we had done it"), "{why}");
    assert!(!world.tenant.is_enabled(sam));
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn what_a_person_disabled_after_the_finding_was_gone_is_not_undone() {
    disabled_by_a_person(&admitting_northwind(), "resolved").await;
}

#[tokio::test]
async fn what_a_person_disabled_while_the_policy_only_observes_is_not_undone() {
    disabled_by_a_person(&PARTNERS_ONLY.replace("mode: enforce", "mode: observe"), "done").await;
}

#[tokio::test]
async fn what_a_person_enabled_long_after_the_finding_was_gone_is_known_to_be_put_back() {
    let (mut world, sam, id) = disabled().await;
    world.change_policy(&admitting_northwind());
    world.tenant.change(sam, |user| user.display_name = "Sammy".to_owned());
    world.settle().await;
    assert_eq!(world.incident(sam).await.state.word(), "resolved");
    world.tenant.0.enable(sam.0).unwrap();
    world.settle().await;
    world.tenant.0.disable(sam.0).unwrap();
    world.settle().await;
    assert!(refused(world.undo(&id).await).contains("somebody put it back"));
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn what_we_disabled_once_more_is_ours_again() {
    let (mut world, sam, id) = disabled().await;
    world.tenant.0.enable(sam.0).unwrap();
    world.settle().await;
    world.expect_disabled(sam);
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    world.slack.read_all();
}

#[tokio::test]
async fn a_stale_read_after_our_act_takes_nothing_from_us() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle_for(SignedDuration::from_secs(30)).await;
    world.expect_disabled(sam);
    let mut incident = world.incident(sam).await;
    let stale = Snapshot { enabled: Some(true), ..Snapshot::default() };
    assert!(!incident.saw(&stale, world.clock.now()));
    world.settle().await;
    world.undo(&incident.id).await;
    world.expect_enabled_again(sam);
    world.slack.read_all();
}

/// A replica that is ten minutes behind answers, after another has shown that it is done.
#[tokio::test]
async fn a_read_that_is_ten_minutes_old_is_no_put_back() {
    let mut world = World::with_policy(&admitting_northwind()).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.clock.advance(SignedDuration::from_hours(1));
    world.change_policy(PARTNERS_ONLY);
    world.tenant.change(sam, |user| user.display_name = "Sammy".to_owned());
    world.settle_for(SignedDuration::from_secs(60)).await;
    world.expect_disabled(sam);
    assert_eq!(world.states(sam).await, ["done"]);
    let id = world.incident(sam).await.id;
    let lag = SignedDuration::from_mins(10);
    for _ in 0..2 {
        world.clock.advance(SignedDuration::from_mins(3));
        world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
        world.tenant.stir(sam);
        world.deliver().await;
        world.run("assess").await;
        world.simulator.set_faults(|faults| faults.stale = None);
        world.run("remediate").await;
        assert_eq!(world.states(sam).await, ["done"]);
    }
    world.settle().await;
    world.expect_no_writes();
    assert_eq!(world.slack.read_all().len(), 1);
    world.undo(&id).await;
    world.expect_enabled_again(sam);
    world.slack.read_all();
}

#[tokio::test]
async fn a_later_incident_takes_the_place_of_an_earlier_one() {
    let (mut world, sam, first) = disabled().await;
    world.change_policy(&admitting_northwind());
    world.tenant.change(sam, |user| user.display_name = "Sammy".to_owned());
    world.settle().await;
    world.change_policy(PARTNERS_ONLY);
    world.tenant.0.enable(sam.0).unwrap();
    world.settle().await;
    world.expect_disabled(sam);
    let second = world.incident(sam).await.id;
    assert_eq!(second.generation, 2);
    assert!(refused(world.undo(&first).await).contains("has taken its place"));
    world.expect_no_writes();
    world.undo(&second).await;
    world.expect_enabled_again(sam);
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_that_waits_is_judged_again_before_it_is_sent() {
    let (mut world, sam) = throttled_undo().await;
    world.tenant.change(sam, |user| user.mail = Some("mallory@evil.example".to_owned()));
    expect_never_enabled(&mut world, sam).await;
    let told = words(&mut world);
    assert!(told.contains("undo failed: it was not sent: the account's identity has changed"), "{told}");
}

#[tokio::test]
async fn an_undo_that_waits_is_not_sent_to_an_account_that_was_protected_meanwhile() {
    let (mut world, sam) = throttled_undo().await;
    world.change_policy(&format!("{PARTNERS_ONLY}protect: {{ users: [{}] }}\n", sam.id()));
    expect_never_enabled(&mut world, sam).await;
    let told = words(&mut world);
    assert!(told.contains("`--force` does not override this"), "{told}");
}

#[tokio::test]
async fn an_undo_that_waits_and_may_still_be_sent_is_sent() {
    let (mut world, sam) = throttled_undo().await;
    world.settle().await;
    world.expect_enabled_again(sam);
    assert_eq!(world.incident(sam).await.state.word(), "undone");
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_is_not_sent_after_its_suspension_has_ended() {
    let (mut world, sam) = throttled_undo().await;
    world.clock.advance(SignedDuration::from_hours(24 * 9));
    world.run("remediate").await;
    expect_never_enabled(&mut world, sam).await;
    let told = words(&mut world);
    assert!(told.contains("its suspension of the rule has ended; ask again"), "{told}");
}

#[tokio::test]
async fn a_disable_that_was_settled_before_a_crash_is_not_written_again_unjudged() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.deliver().await;
    world.run("assess").await;
    world.run("remediate").await;
    let sent = world.incident(sam).await;
    assert_eq!(sent.state.word(), "sent");
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.store.ledger.outcomes(&sent.id).await.unwrap()[0].result, StepResult::Done);
    // The crash: the outcome is written, and the incident is not.
    let mut stored = world.store.ledger.incident(&sent.id).await.unwrap().unwrap();
    (stored.value.state, stored.value.achieved) = (sent.state, Vec::new());
    world.store.ledger.replace(stored).await.unwrap();
    world.slack.read_all();
    world.clock.advance(SignedDuration::from_hours(10));
    world.tenant.0.enable(sam.0).unwrap();
    world.change_policy(&admitting_northwind());
    world.clock.advance(SignedDuration::from_mins(5));
    world.wake_what_is_due().await;
    world.run("remediate").await;
    world.settle().await;
    world.expect_untouched(sam);
    assert_eq!(world.incident(sam).await.state.word(), "resolved");
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_that_was_settled_before_a_crash_is_not_written_again() {
    let (mut world, sam, id) = disabled().await;
    world.ask_undo(&id, false).await;
    world.run("remediate").await;
    let undoing = world.incident(sam).await;
    world.settle().await;
    world.expect_enabled_again(sam);
    let mut stored = world.store.ledger.incident(&id).await.unwrap().unwrap();
    assert_eq!(stored.value.state.word(), "undone");
    (stored.value.state, stored.value.undo) = (undoing.state, undoing.undo);
    world.store.ledger.replace(stored).await.unwrap();
    world.slack.read_all();
    world.clock.advance(SignedDuration::from_hours(10));
    world.tenant.0.disable(sam.0).unwrap();
    world.clock.advance(SignedDuration::from_mins(5));
    world.wake_what_is_due().await;
    world.run("remediate").await;
    world.settle().await;
    assert!(!world.tenant.is_enabled(sam), "a person disabled the account after the undo");
    world.expect_no_writes();
    assert_eq!(world.incident(sam).await.state.word(), "undone");
    world.slack.read_all();
}

/// A worker that waits 0.8 seconds for Graph, and for whom the given time passes meanwhile.
async fn a_slow_worker(pause: SignedDuration) -> (World, Guest, IncidentId, tokio::task::JoinHandle<()>) {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    world.assembly.patience = std::time::Duration::from_secs(2);
    world.restart().await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.deliver().await;
    world.run("assess").await;
    let id = world.incident(sam).await.id;
    world.simulator.set_faults(|faults| faults.stale = None);
    world.next_faults([Fault::new("PATCH", "/users", Failure::Throttled(RetryAfter::Decimals(0.8)))]);
    let worker = world.worker("remediate").clone();
    let slow = tokio::spawn(async move {
        worker.run_due(1).await.unwrap();
    });
    while world.calls("PATCH", &format!("/users/{}", sam.id())) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    world.forget_writes("/users");
    world.clock.advance(pause);
    (world, sam, id, slow)
}

#[tokio::test]
async fn a_write_whose_lease_has_ended_never_lands_after_an_undo() {
    let (mut world, sam, id, slow) = a_slow_worker(SignedDuration::from_mins(6)).await;
    let request = world.ask_undo(&id, false).await;
    // The undo comes first: what a second worker does about the incident itself is not asked here. It may meet the slow one
    // where he writes, and is tried again then, as its worker would.
    let mut served = world.remediator().serve(&request).await;
    for _ in 0..20 {
        if served.is_ok() {
            break;
        }
        served = world.remediator().serve(&request).await;
    }
    served.unwrap();
    slow.await.unwrap();
    world.settle().await;
    assert!(world.tenant.is_enabled(sam), "{:?}", world.answer(&request).await);
    world.forget_writes("/users");
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_waits_for_a_write_that_may_be_on_its_way() {
    let (mut world, sam, id, slow) = a_slow_worker(SignedDuration::ZERO).await;
    slow.abort();
    // Its lease is given back, and its intent is still young.
    let mut stored = world.store.ledger.incident(&id).await.unwrap().unwrap();
    stored.value.failed("interrupted".to_owned(), &Routes::default(), world.clock.now());
    world.store.ledger.replace(stored).await.unwrap();
    let request = world.ask_undo(&id, false).await;
    world.run("remediate").await;
    let why = refused(world.answer(&request).await);
    assert_eq!(why, "a worker may still be writing; try again at 2026-11-20T09:05:00Z");
    world.expect_untouched(sam);
    world.slack.read_all();
    world.settle().await;
    world.forget_writes("/users");
    world.slack.read_all();
}

#[tokio::test]
async fn a_second_breach_is_told_although_another_rule_speaks_for_it() {
    let mut world = World::with_policy(TWO_RULES).await;
    let sam = world.tenant.invite("sam@webmail.example");
    world.settle().await;
    assert_eq!(world.slack.read_all().len(), 1);
    world.tenant.change(sam, |user| user.other_mails = vec!["sam@evil.example".to_owned()]);
    world.settle().await;
    assert!(world.slack.next_text().contains("it also breaks `sanctioned`"));
    world.slack.expect_silence();
    // Fewer is no news.
    world.tenant.change(sam, |user| user.other_mails.clear());
    world.settle().await;
}

#[tokio::test]
async fn a_breach_that_has_lost_its_speaker_is_told() {
    let mut world = World::with_policy(TWO_RULES).await;
    let sam = world.tenant.invite("sam@webmail.example");
    world.settle().await;
    world.tenant.change(sam, |user| user.other_mails = vec!["sam@evil.example".to_owned()]);
    world.settle().await;
    assert_eq!(world.slack.read_all().len(), 2);
    world.change_policy(&TWO_RULES.replace("webmail.example", "nothing.example"));
    world.tenant.change(sam, |user| user.display_name = "Sammy".to_owned());
    world.settle().await;
    let told = words(&mut world);
    assert!(told.contains("Resolved for guest sam@webmail[.]example: consumer-mail"), "{told}");
    assert!(told.contains("Would disable guest sam@webmail[.]example: sanctioned"), "{told}");
}

#[tokio::test]
async fn a_breach_by_a_protected_guest_that_has_lost_its_speaker_is_told() {
    let policy = TWO_RULES.replace("mode: observe", "mode: enforce");
    let mut world = World::with_policy(&policy).await;
    let sam = world.tenant.invite("sam@webmail.example");
    world.tenant.0.assign_role(sam.0, "User Administrator").unwrap();
    world.settle().await;
    assert_eq!(world.slack.read_all().len(), 1);
    world.tenant.change(sam, |user| user.other_mails = vec!["sam@evil.example".to_owned()]);
    world.settle().await;
    assert!(words(&mut world).contains("it also breaks `sanctioned`"));
    let excepted = format!(
        "{policy}exceptions:\n  - guest: {}\n    from: [consumer-mail]\n    until: 2027-01-01\n",
        sam.id()
    );
    world.change_policy(&excepted);
    world.tenant.change(sam, |user| user.display_name = "Sammy".to_owned());
    world.settle().await;
    let told = words(&mut world);
    assert!(told.contains("A person must decide about guest sam@webmail[.]example: sanctioned"), "{told}");
    world.expect_untouched(sam);
}

#[tokio::test]
async fn another_look_at_the_guest_does_not_shorten_the_wait_that_graph_asked_for() {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.deliver().await;
    world.run("assess").await;
    world.next_faults([Fault::new("PATCH", "/users", Failure::Throttled(RetryAfter::Seconds(600)))]);
    world.run("remediate").await;
    world.forget_writes("/users");
    assert_eq!(world.incident(sam).await.state.word(), "open");
    let patch = format!("/users/{}", sam.id());
    assert_eq!(world.calls("PATCH", &patch), 1);
    world.tenant.change(sam, |user| user.display_name = "Sammy".to_owned());
    world.settle_for(SignedDuration::from_mins(9)).await;
    let now = world.clock.now();
    world.remediator().remediate(&world.incident(sam).await.id).await.unwrap();
    assert_eq!((world.calls("PATCH", &patch), world.clock.now()), (1, now));
    world.settle().await;
    world.expect_disabled(sam);
    world.slack.read_all();
}
