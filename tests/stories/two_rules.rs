//! Two rules ask for the same, and the gravest speaks for both. Nothing is done in silence for the other, and nothing that
//! waits for somebody is done because another rule asks for it, too.

use guestlist_tests::World;
use jiff::SignedDuration;
use simulator::{Failure, Fault};

use crate::clocks::{HOUR, MINUTE};
use crate::policies::PARTNERS_ONLY;

const TWO_RULES: &str = r"
version: 1
mode: enforce
guardrails:
  - { id: one, severity: high, if: { domain: [evil.example] }, then: [disable] }
  - { id: two, severity: medium, if: { domain: [evil.example] }, then: [disable] }
";

/// The first lines of the messages since the last look.
fn headlines(world: &World) -> Vec<String> {
    let first = |text: &String| text.lines().next().unwrap_or_default().to_owned();
    world.slack.texts().iter().map(first).collect()
}

#[tokio::test]
async fn three_rounds_are_three_however_many_rules_ask_for_the_same() {
    let mut world = World::with_policy(TWO_RULES).await;
    let sam = world.tenant.invite("sam@evil.example");
    world.settle().await;
    for _ in 0..3 {
        world.expect_disabled(sam);
        assert_eq!(headlines(&world), ["Disabled guest sam@evil[.]example: one (high)"]);
        world.clock.advance(HOUR);
        world.tenant.0.enable(sam.0).unwrap();
        world.settle().await;
    }
    world.expect_untouched(sam);
    assert_eq!(world.states(sam).await, ["waiting", "waiting"]);
    assert_eq!(
        headlines(&world),
        ["Waits for approval to disable guest sam@evil[.]example again: one (high)"]
    );
    for _ in 0..6 {
        world.clock.advance(HOUR);
        world.tenant.stir(sam);
        world.settle().await;
    }
    world.expect_untouched(sam);
    let speaker = world.incidents(sam).await.into_iter().find(|one| one.told_with.is_none()).unwrap();
    world.approve(&speaker.id).await;
    world.expect_disabled(sam);
    assert_eq!(world.states(sam).await, ["done", "done"], "one approval is for both");
    assert_eq!(headlines(&world), ["Disabled guest sam@evil[.]example: one (high)"]);
}

/// The one rule is taken out of the policy when it has taken him twice: what it did counts for the other.
#[tokio::test]
async fn three_rounds_are_three_whichever_rule_they_were_for() {
    let mut world = World::with_policy(TWO_RULES).await;
    let sam = world.tenant.invite("sam@evil.example");
    world.settle().await;
    for round in 0..3 {
        world.expect_disabled(sam);
        if round == 1 {
            world
                .change_policy(&TWO_RULES.replace("{ id: one, severity: high", "{ id: three, severity: low"));
            world.tenant.stir(sam);
            world.settle().await;
        }
        world.clock.advance(HOUR);
        world.tenant.0.enable(sam.0).unwrap();
        world.settle().await;
    }
    world.expect_untouched(sam);
    assert!(headlines(&world).last().unwrap().starts_with("Waits for approval"));
}

#[tokio::test]
async fn three_rounds_in_a_group_are_three_however_many_rules_ask_for_the_same() {
    let policy = r#"
version: 1
mode: enforce
guardrails:
  - { id: one, severity: high, if: { joins: { any: [ { name: "Finance *" } ] } }, then: [leave-group] }
  - { id: two, severity: medium, if: { joins: { any: [ { name: "Finance *" } ] } }, then: [leave-group] }
"#;
    let mut world = World::with_policy(policy).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    for _ in 0..3 {
        world.tenant.join(adele, finance);
        world.settle().await;
        world.expect_no_member(adele, finance);
        world.clock.advance(HOUR);
    }
    world.tenant.join(adele, finance);
    for _ in 0..3 {
        world.settle().await;
        world.clock.advance(HOUR);
        world.tenant.stir(adele);
    }
    world.expect_member(adele, finance);
    let told = headlines(&world);
    assert!(told.last().unwrap().starts_with("Waits for approval to remove"), "{told:#?}");
}

/// What the circuit breaker held back waits for somebody, whatever becomes of the breaker; then a rule more asks for the same.
async fn held_back_and_asked_for_by_another(severity: &str) {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let guests: Vec<_> = (0..4).map(|n| world.guest_of_old(&format!("old{n}@northwind.example"))).collect();
    world.clock.advance(MINUTE);
    for guest in &guests {
        world.tenant.stir(*guest);
    }
    world.settle().await;
    let mut waits = None;
    for guest in &guests {
        if world.states(*guest).await.contains(&"waiting") {
            waits = Some(*guest);
        }
    }
    let held = waits.unwrap();
    let _ = world.reset_breaker().await;
    world.settle().await;
    world.clock.advance(HOUR * 2);
    world.slack.texts();
    let more = format!(
        "guardrails:\n  - {{ id: northwind, severity: {severity}, if: {{ domain: [northwind.example] }}, then: [disable] }}\n"
    );
    world.change_policy(&PARTNERS_ONLY.replace("guardrails:\n", &more));
    world.tenant.stir(held);
    world.settle().await;
    assert!(world.tenant.is_enabled(held), "{severity}: {:?}", headlines(&world));
    assert_eq!(world.states(held).await, ["waiting", "waiting"], "{severity}");
    let speaker = world.incidents(held).await.into_iter().find(|one| one.told_with.is_none()).unwrap();
    world.approve(&speaker.id).await;
    assert!(!world.tenant.is_enabled(held));
    assert_eq!(world.states(held).await, ["done", "done"], "{severity}");
    let told = headlines(&world);
    assert!(told.last().unwrap().starts_with("Disabled guest old"), "{severity}: {told:?}");
    world.forget_writes("/users/");
}

#[tokio::test]
async fn what_the_breaker_held_back_is_not_done_in_silence_for_another_rule() {
    held_back_and_asked_for_by_another("low").await;
}

#[tokio::test]
async fn what_the_breaker_held_back_is_not_done_for_a_graver_rule_either() {
    held_back_and_asked_for_by_another("high").await;
}

/// Graph refuses until the rule that speaks has given up, and then it does not refuse the other.
#[tokio::test]
async fn what_is_done_for_a_rule_that_another_speaks_for_is_told_where_that_one_failed() {
    for failures in [13, 15] {
        let mut world = World::with_policy(TWO_RULES).await;
        let away = || Fault::new("PATCH", "/users", Failure::Status(503, simulator::RetryAfter::None));
        world.next_faults((0..failures).map(|_| away()));
        let sam = world.tenant.invite("sam@evil.example");
        world.live_on(SignedDuration::from_hours(36)).await;
        assert!(!world.tenant.is_enabled(sam));
        assert_eq!(world.states(sam).await, ["done", "done"], "{failures}");
        world.forget_writes("/users/");
        let told = headlines(&world);
        assert!(told.iter().any(|text| text.starts_with("Disabled guest")), "{failures}: {told:#?}");
    }
}

/// Both wait for the same try when an operator makes the other rule the graver one: nobody has met the guest by that policy yet.
#[tokio::test]
async fn a_policy_that_lets_the_other_rule_speak_keeps_nobody_waiting_who_is_to_be_dealt_with() {
    for (was, is) in
        [("two, severity: medium", "two, severity: critical"), ("one, severity: high", "one, severity: low")]
    {
        let mut world = World::with_policy(TWO_RULES).await;
        world.stop_writes().await;
        let sam = world.tenant.invite("sam@evil.example");
        world.settle_now().await;
        assert_eq!(world.states(sam).await, ["open", "open"]);
        world.change_policy(&TWO_RULES.replace(was, is));
        world.resume_writes().await;
        world.clock.advance(MINUTE);
        // One turn a second.
        for _ in 0..10 {
            world.worker("remediate").run_due(16).await.unwrap();
            world.clock.advance(SignedDuration::from_secs(1));
        }
        world.expect_disabled(sam);
        world.settle_now().await;
        assert_eq!(world.states(sam).await, ["done", "done"], "{is}");
        let told = headlines(&world);
        assert_eq!(
            told.iter().filter(|text| text.starts_with("Disabled guest")).count(),
            1,
            "{is}: {told:#?}"
        );
    }
}
