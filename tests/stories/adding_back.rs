//! An undo puts a guest back into the groups that we took him out of, and into no other; only if he still is who he was and
//! the group still is what it was; and he stays there for a week.

use guestlist_tests::World;
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::{Answer, IncidentId};
use simulator::{Failure, Fault, NewGroup};

use crate::given::{admitted, come_back, refused, taken_out};
use crate::policies::{AGENCY, CLOSED_GROUPS, closing};

async fn forced(world: &mut World, id: &IncidentId) -> Answer {
    let request = world.ask_undo(id, true).await;
    world.settle().await;
    world.answer(&request).await
}

#[tokio::test]
async fn an_undo_adds_the_guest_back_and_it_is_read_back_and_told() {
    let (mut world, adele, finance, id) = taken_out().await;
    let answer = world.undo(&id).await;
    assert!(matches!(answer, Answer::Sent { .. } | Answer::Done { .. }), "{answer:?}");
    world.expect_member_again(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "undone");
    assert_snapshot!(world.slack.next_text(), @"
    Undone for guest adele@fabrikam[.]com in 'Finance EU': closed-groups (high)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `closed-groups` (high severity)
    Why the rule: figures are for employees
    Group: `Finance EU` (`<id>`) · member
    • the account is a member of `Finance EU`, whose name matches `Finance *`
    *What was done*
    `carol` undid it (reason: `she is expected`). Asked Entra to add the guest to the group `Finance EU` (<id>), and read it back at 2026-11-20 09:15:19 UTC. The rule `closed-groups` is suspended for this guest in this group until 2026-11-27 09:15:15 UTC.
    Graph request-id: `<id>`, `<id>`
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · undone · mode enforce · tenant <id> · opened 2026-11-20 09:10:15 UTC · seen once
    ");
}

#[tokio::test]
async fn he_stays_there_for_a_week_whatever_changes_and_then_the_rule_counts_again() {
    let (mut world, adele, finance, id) = taken_out().await;
    world.undo(&id).await;
    world.expect_member_again(adele, finance);
    world.slack.read_all();
    for day in 0..6 {
        world.live_on(SignedDuration::from_hours(24)).await;
        world.tenant.stir(adele);
        world.tenant.change_group(finance, |group| group.description = Some(format!("day {day}")));
        world.settle().await;
        world.expect_member(adele, finance);
    }
    world.slack.expect_silence();
    world.live_on(SignedDuration::from_hours(26)).await;
    world.expect_no_member(adele, finance);
    let incident = world.incident_in(adele, finance).await;
    assert_eq!((incident.state.word(), incident.id.generation), ("done", 2));
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_undo_in_one_group_lets_him_into_no_other() {
    let (mut world, adele, finance, id) = taken_out().await;
    world.undo(&id).await;
    world.expect_member_again(adele, finance);
    let other = world.tenant.group("Finance US");
    world.tenant.join(adele, other);
    world.settle().await;
    world.expect_no_member(adele, other);
    world.expect_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn only_what_we_took_is_given_back() {
    let mut world = World::with_policy(&closing("{ domain: [evil.example] }", "disable, leave-groups")).await;
    let (sales, trips) = (world.tenant.group("Sales"), world.tenant.group("Trips"));
    let mallory = world.guest_today("mallory@evil.example");
    world.unnoticed(|tenant| {
        tenant.join(mallory, sales);
        tenant.join(mallory, trips);
        // An administrator disabled him first.
        tenant.0.disable(mallory.0).unwrap();
    });
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.stir(mallory);
    world.settle().await;
    world.expect_no_member(mallory, sales);
    world.expect_no_member(mallory, trips);
    world.expect_no_writes();
    let id = world.incident(mallory).await.id;
    world.undo(&id).await;
    world.expect_member_again(mallory, sales);
    world.expect_member_again(mallory, trips);
    assert!(!world.tenant.is_enabled(mallory), "that was not ours");
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn whom_somebody_put_back_and_another_took_out_again_is_not_added_back() {
    let (mut world, adele, finance, id) = taken_out().await;
    world.change_policy(&CLOSED_GROUPS.replace("mode: enforce", "mode: observe"));
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.join(adele, finance);
    world.settle().await;
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.leave(adele, finance);
    world.settle().await;
    world.slack.read_all();
    let why = refused(world.undo(&id).await);
    assert!(why.contains("somebody put it back") || why.contains("nothing of ours is in force"), "{why}");
    assert!(!world.tenant.is_member(adele, finance));
    world.expect_no_writes();
}

#[tokio::test]
async fn whom_somebody_has_put_back_already_needs_no_undo() {
    let (mut world, adele, finance, id) = taken_out().await;
    world.change_policy(&CLOSED_GROUPS.replace("mode: enforce", "mode: observe"));
    world.tenant.join(adele, finance);
    world.settle().await;
    world.undo(&id).await;
    world.expect_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn a_group_that_has_become_what_we_must_not_write_takes_nobody_back() {
    for (change, told) in [
        (
            (|group| group.membership_rule = Some("(user.department -eq \"x\")".to_owned()))
                as fn(&mut simulator::Group),
            "its members are computed by a rule",
        ),
        (|group| group.role_assignable = true, "it is role-assignable"),
        (|group| group.on_premises_sync_enabled = Some(true), "synchronised"),
    ] {
        let (mut world, adele, finance, id) = taken_out().await;
        world.tenant.change_group(finance, change);
        world.clock.advance(SignedDuration::from_mins(1));
        let why = refused(world.undo(&id).await);
        assert!(why.contains(told) && why.contains("`--force` does not override this"), "{why}");
        let why = refused(forced(&mut world, &id).await);
        assert!(why.contains(told), "{why}");
        assert!(!world.tenant.is_member(adele, finance));
        world.expect_no_writes();
        world.slack.read_all();
    }
}

#[tokio::test]
async fn an_undo_is_refused_where_another_rule_would_take_him_out_again_unless_it_is_forced() {
    let (mut world, adele, finance, id) = taken_out().await;
    let second =
        "  - id: no-finance\n    if: { joins: { name: \"*EU\" } }\n    then: [leave-group]\nscenarios:";
    world.change_policy(&CLOSED_GROUPS.replace("scenarios:", second));
    assert_snapshot!(refused(world.undo(&id).await), @"`no-finance` would take away again what this undo of `closed-groups` gives back; undo it there, or use `--force --reason`");
    world.expect_no_writes();
    forced(&mut world, &id).await;
    world.expect_member_again(adele, finance);
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_is_refused_where_the_identity_has_changed() {
    let (mut world, adele, finance, id) = taken_out().await;
    world.tenant.change(adele, |user| user.mail = Some("eve@fabrikam.com".to_owned()));
    world.clock.advance(SignedDuration::from_mins(1));
    let why = refused(world.undo(&id).await);
    assert!(why.starts_with("the account's identity has changed since"), "{why}");
    assert!(!world.tenant.is_member(adele, finance));
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn nobody_can_force_a_protected_account_into_a_group() {
    let (mut world, adele, finance, id) = taken_out().await;
    world.tenant.0.assign_role(adele.0, "User Administrator").unwrap();
    world.clock.advance(SignedDuration::from_mins(1));
    let why = refused(forced(&mut world, &id).await);
    assert!(why.contains("directory role"), "{why}");
    assert!(!world.tenant.is_member(adele, finance));
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn a_group_that_is_gone_takes_nobody_back() {
    let (mut world, _, finance, id) = taken_out().await;
    world.tenant.0.delete_group(finance.0).unwrap();
    world.clock.advance(SignedDuration::from_mins(1));
    let why = refused(world.undo(&id).await);
    assert!(why.contains("the group is not in the directory any more"), "{why}");
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn an_ownership_is_given_back_without_a_membership() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let sales = world.tenant.group("Sales");
    world.tenant.own(adele, sales);
    world.settle().await;
    world.expect_no_owner(adele, sales);
    let id = world.incident_in(adele, sales).await.id;
    world.undo(&id).await;
    world.expect_owner_again(adele, sales);
    assert!(!world.tenant.is_member(adele, sales));
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_owner(adele, sales);
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_covers_the_membership_that_no_scenario_covers() {
    let (mut world, adele) = admitted(AGENCY).await;
    let sales = world.tenant.group("Sales");
    world.tenant.join(adele, sales);
    world.settle().await;
    world.expect_no_member(adele, sales);
    let id = world.incident_in(adele, sales).await.id;
    world.undo(&id).await;
    world.expect_member_again(adele, sales);
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_member(adele, sales);
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_that_dies_at_any_call_is_finished_after_the_restart_and_adds_back_once() {
    for (method, path, nth) in
        [("POST", "/$batch", 0), ("POST", "/$batch", 1), ("POST", "/groups", 0), ("POST", "/$batch", 2)]
    {
        let (mut world, adele, finance, id) = taken_out().await;
        world.clock.advance(SignedDuration::from_mins(30));
        world.ask_undo(&id, false).await;
        world.hang_at(method, path, nth);
        world.kill_during("remediate").await;
        come_back(&mut world).await;
        assert!(world.tenant.is_member(adele, finance), "{method} {path} {nth}");
        world.forget_writes("/members/");
        assert_eq!(world.incident_in(adele, finance).await.state.word(), "undone", "{method} {path} {nth}");
        assert_eq!(world.slack.read_all().len(), 1, "{method} {path} {nth}");
    }
}

#[tokio::test]
async fn an_addition_whose_answer_was_lost_is_found_done() {
    let (mut world, adele, finance, id) = taken_out().await;
    world.next_faults([Fault::new("POST", "/groups", Failure::LostAnswer)]);
    world.undo(&id).await;
    world.live_on(SignedDuration::from_mins(30)).await;
    assert!(world.tenant.is_member(adele, finance));
    world.forget_writes("/members/");
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "undone");
    world.slack.read_all();
}

#[tokio::test]
async fn an_undo_of_three_steps_of_which_one_group_is_gone_gives_back_the_rest() {
    let mut world = World::with_policy(&closing("{ domain: [evil.example] }", "disable, leave-groups")).await;
    let sales = world.tenant.group("Sales");
    let mallory = world.guest_today("mallory@evil.example");
    let trips = world.tenant.group_with(NewGroup { members: vec![mallory.0], ..NewGroup::named("Trips") });
    world.meet_in(mallory, sales).await;
    world.expect_disabled(mallory);
    world.expect_no_member(mallory, sales);
    world.expect_no_member(mallory, trips);
    world.tenant.0.delete_group(trips.0).unwrap();
    world.clock.advance(SignedDuration::from_mins(1));
    let id = world.incident(mallory).await.id;
    world.undo(&id).await;
    world.expect_enabled_again(mallory);
    world.expect_member_again(mallory, sales);
    world.live_on(SignedDuration::from_hours(1)).await;
    assert_eq!(world.incident(mallory).await.state.word(), "failed");
    let told = world.slack.read_all().last().unwrap().text();
    let why = "The undo gave back a part, and the rest failed: failed to add <id> to the group <id>: the group is not in \
               the directory any more";
    assert!(told.contains(why), "{told}");
    assert!(told.contains("removed the guest from the group `Sales` (<id>), and undid it"), "{told}");
    assert!(told.contains("removed the guest from the group `Trips` (<id>), and read it back"), "{told}");
}
