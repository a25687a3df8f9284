//! A write that nobody has read back is not forgotten, whatever the next look at the guest says: it is ours, people hear
//! of it, and it can be undone.

use guestlist_tests::{Guest, World};
use jiff::SignedDuration;
use model::{Answer, Step, StepResult};
use simulator::{Failure, Fault, NewUser, Stale, UserType};

use crate::given::{come_back, found};
use crate::policies::closing;

const BLOCKED: &str = "{ domain: [evil.example] }";

fn policy() -> String {
    closing(BLOCKED, "disable")
}

fn in_mode(mode: &str) -> String {
    policy().replace("mode: enforce", &format!("mode: {mode}"))
}

fn protecting(guest: Guest) -> String {
    format!("{}protect: {{ users: [{}] }}\n", policy(), guest.id())
}

fn admitting() -> String {
    closing("{ domain: [other.example] }", "disable")
}

/// The last call before the worker dies.
#[derive(Debug, Clone, Copy)]
enum DiesAt {
    Write,
    ReadBack,
}

impl DiesAt {
    const BOTH: [Self; 2] = [Self::Write, Self::ReadBack];

    fn result(self) -> StepResult {
        match self {
            Self::Write => StepResult::Intended,
            Self::ReadBack => StepResult::Sent,
        }
    }
}

/// The guest is disabled, and whoever did it died before a read could show it.
async fn interrupted(dies_at: DiesAt) -> (World, Guest) {
    let (world, mallory) = found(&policy(), "mallory@evil.example").await;
    match dies_at {
        DiesAt::Write => world.hang_at("PATCH", "/users", 0),
        DiesAt::ReadBack => world.hang_at("GET", "/users", 0),
    }
    world.kill_during("remediate").await;
    assert_eq!(world.states(mallory).await, ["claimed"]);
    expect_outcome(&world, mallory, &dies_at.result()).await;
    world.expect_disabled(mallory);
    (world, mallory)
}

/// Graph has carried it out, and neither of its answers came through: it is tried again later.
async fn unanswered() -> (World, Guest) {
    let (world, mallory) = found(&policy(), "mallory@evil.example").await;
    world.next_faults((0..6).map(|_| Fault::new("PATCH", "/users", Failure::LostAnswer)));
    world.run("remediate").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    assert_eq!(world.states(mallory).await, ["open"]);
    expect_outcome(&world, mallory, &StepResult::Intended).await;
    assert!(!world.tenant.is_enabled(mallory));
    world.forget_writes("/users/");
    (world, mallory)
}

async fn expect_outcome(world: &World, guest: Guest, result: &StepResult) {
    let incident = world.incident(guest).await;
    let outcomes = world.store.ledger.outcomes(&incident.id).await.unwrap();
    assert_eq!(outcomes.last().map(|outcome| &outcome.result), Some(result));
}

/// The incident knows what was done, whoever was told has read it, and an undo gives it back.
async fn expect_known(world: &mut World, guest: Guest, case: &str) {
    world.expect_no_writes();
    let incident = world.incident(guest).await;
    let state = incident.state.word();
    assert!(incident.has_achieved(Step::Disable { user: guest.id() }), "{case}: {state} without its step");
    let told = world.slack.texts();
    let last = told.last().cloned().unwrap_or_default();
    let says = last.contains("isabled the account")
        || (last.contains("account disabled") && last.contains("othing more was done"));
    assert!(says, "{case}, {state}: {told:?}");
    assert_ne!(state, "waiting", "{case}: nothing is left that anybody could approve of");
    for wrong in ["othing was done", "not done: disable", "no read shows it yet"] {
        assert!(!last.contains(wrong), "{case}, {state}: {last}");
    }
    assert!(last.contains("guestlist undo"), "{case}, {state}: {last}");
    let answer = world.undo(&incident.id).await;
    assert!(matches!(answer, Answer::Done { .. } | Answer::Sent { .. }), "{case}, {state}: {answer:?}");
    world.expect_enabled_again(guest);
    world.slack.read_all();
}

/// The policy changes before somebody takes over.
async fn taken_over(case: &str, policy: impl Fn(Guest) -> String) {
    for dies_at in DiesAt::BOTH {
        let (mut world, mallory) = interrupted(dies_at).await;
        world.change_policy(&policy(mallory));
        come_back(&mut world).await;
        expect_known(&mut world, mallory, &format!("{case}, {dies_at:?}")).await;
    }
}

#[tokio::test]
async fn what_was_done_before_the_policy_fell_to_observe_is_known() {
    taken_over("observe", |_| in_mode("observe")).await;
}

#[tokio::test]
async fn what_was_done_before_the_policy_asked_first_is_known() {
    taken_over("ask", |_| in_mode("ask")).await;
}

/// Whoever is protected by now is not written to, and so the undo is refused for that reason and no other.
#[tokio::test]
async fn what_was_done_before_the_guest_was_protected_is_known() {
    for dies_at in DiesAt::BOTH {
        let (mut world, mallory) = interrupted(dies_at).await;
        world.change_policy(&protecting(mallory));
        come_back(&mut world).await;
        let incident = world.incident(mallory).await;
        let answer = world.undo(&incident.id).await;
        let Answer::Refused { why } = answer else { panic!("{dies_at:?}: {answer:?}") };
        assert!(why.contains("`--force` does not override this"), "{dies_at:?}: {why}");
        world.change_policy(&in_mode("observe"));
        expect_known(&mut world, mallory, &format!("protected, {dies_at:?}")).await;
    }
}

#[tokio::test]
async fn what_was_done_before_the_rule_was_taken_back_is_known_when_the_worker_comes_first() {
    taken_over("gone", |_| admitting()).await;
}

/// The lease ends, and no read shows yet what was done under it.
#[tokio::test]
async fn what_was_done_and_is_not_seen_yet_is_followed_although_the_finding_is_gone() {
    for dies_at in DiesAt::BOTH {
        let (mut world, mallory) = interrupted(dies_at).await;
        let lag = SignedDuration::from_mins(8);
        world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
        world.change_policy(&admitting());
        come_back(&mut world).await;
        expect_known(&mut world, mallory, &format!("{dies_at:?}")).await;
    }
}

/// Somebody looks at the guest before the write is tried again.
async fn looked_at(policy: &str) -> (World, Guest) {
    let (mut world, mallory) = unanswered().await;
    world.change_policy(policy);
    world.tenant.stir(mallory);
    world.deliver().await;
    world.run("assess").await;
    world.settle().await;
    (world, mallory)
}

#[tokio::test]
async fn an_unanswered_write_is_not_resolved_without_a_word() {
    let (mut world, mallory) = looked_at(&admitting()).await;
    expect_known(&mut world, mallory, "gone").await;
}

#[tokio::test]
async fn an_unanswered_write_is_not_forgotten_while_the_policy_observes() {
    let (mut world, mallory) = looked_at(&in_mode("observe")).await;
    expect_known(&mut world, mallory, "observe").await;
}

#[tokio::test]
async fn an_unanswered_write_is_not_forgotten_while_the_policy_asks() {
    let (mut world, mallory) = looked_at(&in_mode("ask")).await;
    expect_known(&mut world, mallory, "ask").await;
}

/// It is followed for as long as any write has to show, and never sent again: nobody wants it any more.
#[tokio::test]
async fn an_unanswered_write_that_was_never_done_is_followed_for_fifteen_minutes_and_not_sent_again() {
    let (world, mallory) = found(&policy(), "mallory@evil.example").await;
    world.next_faults((0..6).map(|_| Fault::new("PATCH", "/users", Failure::Reset)));
    world.run("remediate").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    expect_outcome(&world, mallory, &StepResult::Intended).await;
    world.change_policy(&admitting());
    world.clock.advance(SignedDuration::from_secs(30));
    world.tenant.stir(mallory);
    let mut world = world;
    world.settle_for(SignedDuration::from_mins(5)).await;
    assert_ne!(world.states(mallory).await, ["resolved"], "it may still land");
    world.settle_for(SignedDuration::from_mins(20)).await;
    assert_eq!(world.states(mallory).await, ["resolved"]);
    world.expect_untouched(mallory);
    world.slack.read_all();
}

const NO_LOCAL_GUESTS: &str = "
version: 1
mode: enforce
guardrails:
  - id: no-local-guests
    severity: high
    if: { kind: local-guest }
    then: [disable]
";

/// The answer to our write was lost, and before anybody could look somebody made him a member: he is nobody's guest any more, and
/// disabled by us.
#[tokio::test]
async fn who_becomes_a_member_while_we_write_is_told_as_what_we_did_to_him() {
    let mut world = World::with_policy(NO_LOCAL_GUESTS).await;
    let local = Guest(world.tenant.0.add_user(NewUser::local_guest("vendor@contoso.com")));
    world.deliver().await;
    world.run("assess").await;
    world.next_faults((0..6).map(|_| Fault::new("PATCH", "/users", Failure::LostAnswer)));
    world.run("remediate").await;
    world.simulator.set_faults(|faults| faults.queued.clear());
    assert!(!world.tenant.is_enabled(local));
    world.tenant.change(local, |user| user.user_type = Some(UserType::Member));
    world.settle().await;
    world.forget_writes("/users");
    let told = world.slack.texts().join("\n");
    assert!(told.contains("Disabled"), "{:?}: {told}", world.states(local).await);
    assert!(!world.tenant.is_enabled(local));
}
