//! A guest is taken out of what he is in: all of it where that can be done, and where it cannot, people are told what they
//! must do. What somebody else did is never claimed as ours.

use guestlist_tests::{Group, Guest, Told, World};
use insta::assert_snapshot;
use jiff::SignedDuration;
use model::StepResult;
use simulator::{Failure, Fault, GroupKind, NewGroup, RetryAfter, Stale};

use crate::given::{admitted, come_back, refused, taken_out, without_last_line};
use crate::policies::{CLOSED_GROUPS, closing};

const BLOCKED: &str = "{ domain: [evil.example] }";

/// A guest whom a rule will disable and take out of his groups, in two of them, and nobody has looked yet.
async fn in_two_groups() -> (World, Guest, [Group; 2]) {
    let world = World::with_policy(&closing(BLOCKED, "disable, leave-groups")).await;
    let (first, second) = (world.tenant.group("Sales"), world.tenant.team("Trips"));
    let mallory = world.unnoticed(|tenant| {
        let mallory = tenant.invite("mallory@evil.example");
        tenant.join(mallory, first);
        tenant.join(mallory, second);
        mallory
    });
    world.deliver().await;
    world.run("assess").await;
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.stir(mallory);
    (world, mallory, [first, second])
}

#[tokio::test]
async fn a_guest_who_is_not_wanted_leaves_all_his_groups_and_is_disabled() {
    let (mut world, mallory, groups) = in_two_groups().await;
    world.settle().await;
    let log = world.simulator.traffic().log;
    let writes = log.iter().filter(|call| ["PATCH", "DELETE"].contains(&call.method.as_str()));
    let order: Vec<&str> = writes.map(|call| call.method.as_str()).collect();
    assert_eq!(order, ["PATCH", "DELETE", "DELETE"], "he is kept out first");
    world.expect_disabled(mallory);
    for group in groups {
        world.expect_no_member(mallory, group);
    }
    assert_eq!(world.incident(mallory).await.state.word(), "done");
    let told = world.slack.next_text();
    assert!(
        told.starts_with("Disabled guest mallory@evil[.]example and removed from 2 groups: closed (high)"),
        "{told}"
    );
    let lines = ["• disabled the account, and", "• removed the guest from the group `Sales`", "`Trips`"];
    assert!(lines.iter().all(|line| told.contains(line)), "{told}");
}

#[tokio::test]
async fn what_cannot_be_written_is_left_to_a_person_and_the_rest_is_done() {
    let (mut world, mallory, groups) = in_two_groups().await;
    let synced = world.tenant.group_with(NewGroup {
        synced: true,
        members: vec![mallory.0],
        ..NewGroup::named("From the cellar")
    });
    world.clock.advance(SignedDuration::from_secs(5));
    world.settle().await;
    world.expect_disabled(mallory);
    for group in groups {
        world.expect_no_member(mallory, group);
    }
    world.expect_member(mallory, synced);
    assert_eq!(world.incident(mallory).await.state.word(), "partly");
    let told = world.slack.next_text();
    let rest = "`From the cellar` (<id>): it is synchronised from an on-premises directory; somebody must take the \
                account out of it there";
    assert!(told.contains("the rest is for a person") && told.contains(rest), "{told}");
}

#[tokio::test]
async fn groups_that_graph_will_not_change_are_recognised_before_anything_is_tried() {
    let dynamic = Some("(user.userType -eq \"Guest\")".to_owned());
    for (new, told) in [
        (NewGroup { dynamic, ..NewGroup::named("G") }, "its members are computed by a rule"),
        (NewGroup { synced: true, ..NewGroup::named("G") }, "synchronised from an on-premises directory"),
        (NewGroup { management_restricted: true, ..NewGroup::named("G") }, "restricted management"),
        (
            NewGroup { kind: GroupKind::Distribution, ..NewGroup::named("G") },
            "an Exchange administrator must",
        ),
        (NewGroup { kind: GroupKind::MailEnabledSecurity, ..NewGroup::named("G") }, "Exchange administrator"),
        (NewGroup { role_assignable: true, ..NewGroup::named("G") }, "a Privileged Role Administrator must"),
    ] {
        let mut world = World::with_policy(&closing("{ joins: { name: G } }", "leave-group")).await;
        let adele = world.tenant.invite("adele@fabrikam.com");
        let group = world.tenant.group_with(new);
        world.settle().await;
        world.tenant.join(adele, group);
        world.settle().await;
        world.expect_member(adele, group);
        assert_eq!(world.incident_in(adele, group).await.state.word(), "refused");
        let text = world.slack.next_text();
        assert!(text.contains(told), "{text}");
        assert!(text.contains("What a person must do"), "{text}");
        assert_eq!(world.calls_below("DELETE", "/groups"), 0);
    }
}

#[tokio::test]
async fn the_last_owner_stays_and_people_are_told_to_find_another() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    let group = world.tenant.group_with(NewGroup { owners: vec![adele.0], ..NewGroup::named("Sales") });
    world.settle().await;
    world.expect_owner(adele, group);
    assert_eq!(world.incident_in(adele, group).await.state.word(), "refused");
    assert_snapshot!(world.slack.next_text(), @"
    A person must decide about guest adele@fabrikam[.]com in 'Sales': guests-own-nothing (medium)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    Breaks the rule `guests-own-nothing` (medium severity)
    Group: `Sales` (`<id>`) · owner
    • the account owns `Sales`
    *What was done*
    Nothing was done: the guest is the last owner of `Sales` (<id>): give it another owner, and take this one away then.
    *What a person must do*
    Decide, and remove the guest as an owner of the group `Sales` (<id>) by hand if it must be.
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · refused · mode enforce · tenant <id> · opened 2026-11-20 09:05:00 UTC · seen once
    ");
}

#[tokio::test]
async fn the_owner_of_a_dynamic_group_loses_the_ownership() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    world.settle().await;
    world.tenant.own(adele, Group::ALL_GUESTS);
    world.tenant.0.add_owner(Group::ALL_GUESTS.0, simulator::contoso::BOB).unwrap();
    world.settle().await;
    world.expect_no_owner(adele, Group::ALL_GUESTS);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_guest_whom_an_administrator_took_out_first_was_not_taken_out_by_us() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.tenant.join(adele, finance);
    world.deliver().await;
    world.clock.advance(SignedDuration::from_secs(30));
    world.run("assess").await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "open");
    // A moment before our write, so that the read before it still shows him.
    world.unnoticed(|tenant| tenant.leave(adele, finance));
    world.settle().await;
    // It was sent, and answered with 404.
    world.expect_no_member(adele, finance);
    let incident = world.incident_in(adele, finance).await;
    assert_eq!(incident.state.word(), "done");
    let outcomes = world.store.ledger.outcomes(&incident.id).await.unwrap();
    assert_eq!(outcomes.last().unwrap().result, StepResult::AlreadySo);
    assert_snapshot!(without_last_line(&world.slack.next_text()), @"
    Guest adele@fabrikam[.]com was not in 'Finance EU' any more: closed-groups (high)
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
    Nothing had to be changed: the guest was no member of the group `Finance EU` (<id>) already when it was read at 2026-11-20 09:00:34 UTC.
    Graph request-id: `<id>`
    *What is left over*
    • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
    Details: `guestlist incidents show <incident>-1`
    ");
    assert_snapshot!(refused(world.undo(&incident.id).await), @"nothing of ours is in force: the account was disabled, or not in the group, before");
    assert!(!world.tenant.is_member(adele, finance));
}

#[tokio::test]
async fn a_removal_whose_answer_was_lost_is_ours_and_can_be_undone() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.tenant.join(adele, finance);
    world.next_faults([Fault::new("DELETE", "/groups", Failure::LostAnswer)]);
    world.settle().await;
    assert!(!world.tenant.is_member(adele, finance));
    world.forget_writes("/members/");
    let incident = world.incident_in(adele, finance).await;
    assert_eq!(incident.state.word(), "done");
    world.slack.read_all();
    world.undo(&incident.id).await;
    world.expect_member_again(adele, finance);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn where_graph_refuses_one_of_three_the_others_are_done_and_people_are_told_of_the_one() {
    let (mut world, mallory, [first, second]) = in_two_groups().await;
    world.deliver().await;
    world.clock.advance(SignedDuration::from_secs(10));
    world.run("assess").await;
    // No read shows why.
    let refused =
        || Fault::new("DELETE", &format!("/groups/{}", first.id()), Failure::Status(403, RetryAfter::None));
    world.next_faults((0..40).map(|_| refused()));
    world.settle().await;
    world.expect_disabled(mallory);
    world.expect_no_member(mallory, second);
    assert!(world.tenant.is_member(mallory, first));
    world.forget_writes(&format!("/groups/{}", first.id()));
    assert_eq!(world.incident(mallory).await.state.word(), "partly");
    let told = world.slack.texts().join("\n");
    assert!(told.contains("Sales"), "{told}");
    assert!(told.contains("What a person must do"), "{told}");
}

/// Nothing tells of it when what Graph refused could be done after all.
#[tokio::test]
async fn what_graph_refused_of_a_plan_is_tried_again_after_an_hour() {
    let (mut world, mallory, [refused, other]) = in_two_groups().await;
    let path = format!("/groups/{}", refused.id());
    let forbidden = || Fault::new("DELETE", &path, Failure::Status(403, RetryAfter::None));
    world.next_faults((0..20).map(|_| forbidden()));
    world.settle().await;
    world.expect_disabled(mallory);
    world.expect_no_member(mallory, other);
    assert!(world.tenant.is_member(mallory, refused));
    world.forget_writes(&path);
    assert_eq!(world.incident(mallory).await.state.word(), "partly");
    assert_eq!(world.slack.read_all().len(), 1);
    world.simulator.calm();
    world.settle_for(SignedDuration::from_hours(1)).await;
    world.expect_no_member(mallory, refused);
    assert_eq!(world.incident(mallory).await.state.word(), "done");
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn what_graph_cannot_do_now_is_tried_again_and_nothing_is_done_twice() {
    let (mut world, mallory, groups) = in_two_groups().await;
    world.next_faults(
        (0..3).map(|_| Fault::new("DELETE", "/groups", Failure::Status(503, RetryAfter::Seconds(30)))),
    );
    world.settle().await;
    world.expect_disabled(mallory);
    for group in groups {
        world.expect_no_member(mallory, group);
    }
    world.forget_writes("/groups/");
    assert_eq!(world.incident(mallory).await.state.word(), "done");
    world.slack.read_all();
}

#[tokio::test]
async fn a_death_at_any_call_of_a_plan_with_three_steps_ends_in_the_same_state() {
    for (method, path, nth) in [
        ("POST", "/$batch", 0),
        ("GET", "/organization", 0),
        ("PATCH", "/users", 0),
        ("DELETE", "/groups", 0),
        ("DELETE", "/groups", 1),
        ("POST", "/$batch", 1),
    ] {
        let (mut world, mallory, groups) = in_two_groups().await;
        world.deliver().await;
        world.clock.advance(SignedDuration::from_secs(10));
        world.run("assess").await;
        world.hang_at(method, path, nth);
        world.kill_during("remediate").await;
        come_back(&mut world).await;
        let at = format!("{method} {path} {nth}");
        assert!(!world.tenant.is_enabled(mallory), "{at}");
        for group in groups {
            assert!(!world.tenant.is_member(mallory, group), "{at}");
        }
        let incident = world.incident(mallory).await;
        assert_eq!(incident.state.word(), "done", "{at}");
        let outcomes = world.store.ledger.outcomes(&incident.id).await.unwrap();
        assert_eq!(outcomes.len(), 3, "{at}");
        for outcome in outcomes {
            assert_eq!((outcome.result, outcome.before), (StepResult::Done, Some(true)), "{at}");
        }
        let told = world.slack.read_all();
        let done = told.iter().filter(|told| told.text().contains(", and read it back at")).count();
        assert_eq!(done, 1, "{at}: {:?}", told.iter().map(Told::text).collect::<Vec<_>>());
        // And all of it can be undone by a process that did none of it.
        world.undo(&incident.id).await;
        assert!(world.tenant.is_enabled(mallory), "{at}");
        for group in groups {
            assert!(world.tenant.is_member(mallory, group), "{at}");
        }
        world.forget_writes("/users/");
        world.forget_writes("/groups/");
        world.slack.read_all();
        assert!(world.dead_letters().await.is_empty());
    }
}

#[tokio::test]
async fn every_write_to_a_group_ends_in_ref() {
    let (mut world, adele, finance, id) = taken_out().await;
    world.undo(&id).await;
    world.expect_member_again(adele, finance);
    assert_eq!(world.slack.read_all().len(), 1);
    let log = world.simulator.traffic().log;
    let writes = log.iter().filter(|call| call.method != "GET" && call.path.starts_with("/groups"));
    for call in writes {
        assert!(call.path.ends_with("/$ref"), "{} {}", call.method, call.path);
    }
    assert!(world.tenant.0.user(adele.0).is_some_and(|user| user.deleted_at.is_none()));
}

#[tokio::test]
async fn a_removal_that_no_read_shows_is_sent_once_more_and_has_failed_then() {
    let observing = CLOSED_GROUPS.replace("mode: enforce", "mode: observe");
    let (mut world, adele) = admitted(&observing).await;
    let finance = world.tenant.group("Finance EU");
    world.tenant.join(adele, finance);
    world.settle().await;
    world.clock.advance(SignedDuration::from_hours(2));
    let lag = SignedDuration::from_mins(60);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    world.change_policy(CLOSED_GROUPS);
    world.tenant.stir(adele);
    world.settle().await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "sent", "judged, and sent once more");
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.expect_no_member(adele, finance);
    world.expect_no_writes();
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "failed");
    let told = world.slack.read_all();
    assert_eq!(told.len(), 3, "that he is there, that it was sent, and that no read shows it");
    assert!(told[2].text().contains("reads still do not show it"), "{}", told[2].text());
}

#[tokio::test]
async fn when_a_person_has_done_the_rest_it_is_done() {
    let (mut world, mallory, groups) = in_two_groups().await;
    let synced = world.tenant.group_with(NewGroup {
        synced: true,
        members: vec![mallory.0],
        ..NewGroup::named("From the cellar")
    });
    world.clock.advance(SignedDuration::from_secs(5));
    world.settle().await;
    world.expect_disabled(mallory);
    for group in groups {
        world.expect_no_member(mallory, group);
    }
    assert_eq!(world.incident(mallory).await.state.word(), "partly");
    assert_eq!(world.slack.read_all().len(), 1);
    world.clock.advance(SignedDuration::from_hours(1));
    world.tenant.leave(mallory, synced);
    world.settle().await;
    assert_eq!(world.incident(mallory).await.state.word(), "done");
    assert_eq!(world.slack.read_all().len(), 1);
}
