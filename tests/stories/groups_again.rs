//! Several rules about one membership, exceptions, what changes between finding and acting, and what cannot be read or
//! written.

use guestlist_tests::{Group, Guest, World};
use insta::assert_snapshot;
use jiff::SignedDuration;
use simulator::{Failure, Fault, NewGroup, NewUser, RetryAfter, contoso};

use crate::given::{admitted, refused};
use crate::policies::{CLOSED_GROUPS, closing};

const TWO_RULES: &str = r#"
version: 1
mode: enforce
guardrails:
  - id: by-name
    severity: high
    if: { joins: { name: "Finance *" } }
    then: [leave-group]
  - id: by-label
    severity: medium
    if: { joins: { label: Confidential } }
    then: [leave-group]
"#;

/// A guest in a closed group, found, and nothing done yet.
async fn found() -> (World, Guest, Group) {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.tenant.join(adele, finance);
    world.deliver().await;
    world.clock.advance(SignedDuration::from_secs(10));
    world.run("assess").await;
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "open");
    world.clock.advance(SignedDuration::from_secs(10));
    (world, adele, finance)
}

#[tokio::test]
async fn two_rules_that_ask_for_the_same_are_told_once_written_once_and_undone_together() {
    let (mut world, adele) = admitted(TWO_RULES).await;
    let finance = world
        .tenant
        .group_with(NewGroup { label: Some("Confidential".to_owned()), ..NewGroup::named("Finance EU") });
    world.settle().await;
    world.tenant.join(adele, finance);
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.expect_no_writes();
    let told = world.slack.next_text();
    assert!(told.contains("it also breaks `by-label`"), "{told}");
    world.slack.expect_silence();
    let all = world.incidents(adele).await;
    let speaker = all.iter().find(|one| one.told_with.is_none()).unwrap();
    let quiet = all.iter().find(|one| one.told_with.is_some()).unwrap();
    assert!(refused(world.undo(&quiet.id).await).contains("speaks for this incident"));
    world.undo(&speaker.id).await;
    world.expect_member_again(adele, finance);
    world.clock.advance(SignedDuration::from_hours(5));
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_member(adele, finance);
    world.slack.read_all();
}

#[tokio::test]
async fn a_member_who_is_an_owner_too_loses_both_where_rules_ask_for_both() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.tenant.join(adele, finance);
    world.tenant.own(adele, finance);
    world.settle().await;
    world.expect_no_member(adele, finance);
    world.expect_no_owner(adele, finance);
    world.expect_no_writes();
    assert_eq!(world.states(adele).await, ["done", "done"]);
    world.slack.read_all();
}

#[tokio::test]
async fn a_group_that_is_created_with_a_guest_in_it_is_left_by_him() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let finance =
        world.tenant.group_with(NewGroup { members: vec![adele.0], ..NewGroup::named("Finance EU") });
    world.settle().await;
    world.expect_no_member(adele, finance);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn an_exception_for_one_group_is_none_for_another() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let (eu, us) = (world.tenant.group("Finance EU"), world.tenant.group("Finance US"));
    let exception = format!(
        "exceptions:\n  - guest: {}\n    group: {}\n    from: [closed-groups]\n    until: 2027-03-31\n    ticket: SEC-1\n    \
         approved_by: ciso@contoso.com\n",
        adele.id(),
        eu.id()
    );
    world.change_policy(&format!("{CLOSED_GROUPS}{exception}"));
    world.settle().await;
    world.tenant.join(adele, eu);
    world.tenant.join(adele, us);
    world.settle().await;
    world.expect_no_member(adele, us);
    world.expect_member(adele, eu);
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn a_group_that_is_renamed_out_of_the_pattern_before_the_act_is_left_alone() {
    let (mut world, adele, finance) = found().await;
    world.unnoticed(|tenant| tenant.rename(finance, "Trips"));
    world.clock.advance(SignedDuration::from_secs(10));
    world.settle().await;
    world.expect_member(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "resolved");
    world.slack.read_all();
}

#[tokio::test]
async fn whoever_becomes_one_of_ours_before_the_act_is_left_alone() {
    let (mut world, adele, finance) = found().await;
    world.unnoticed(|tenant| {
        tenant.0.promote_to_member(adele.0).unwrap();
        tenant.change(adele, |user| {
            let upn = "adele@contoso.com".to_owned();
            user.mail = Some(upn.clone());
            user.other_mails = Vec::new();
            user.proxy_addresses = vec![format!("SMTP:{upn}")];
            user.user_principal_name = upn.clone();
            user.creation_type = None;
            user.external_user_state = None;
            user.identities = vec![simulator::Identity {
                sign_in_type: "userPrincipalName".to_owned(),
                issuer: "contoso.onmicrosoft.com".to_owned(),
                issuer_assigned_id: Some(upn),
            }];
        });
    });
    world.clock.advance(SignedDuration::from_secs(10));
    world.settle().await;
    world.expect_member(adele, finance);
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "resolved");
    world.slack.read_all();
}

#[tokio::test]
async fn a_group_that_is_deleted_before_the_act_is_written_to_by_nobody() {
    let (mut world, adele, finance) = found().await;
    world.unnoticed(|tenant| tenant.0.delete_group(finance.0).unwrap());
    world.clock.advance(SignedDuration::from_secs(10));
    world.settle().await;
    world.expect_no_writes();
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "resolved");
    world.slack.read_all();
}

#[tokio::test]
async fn a_guest_who_is_deleted_while_people_are_asked_is_not_asked_about_any_more() {
    let (mut world, adele) = admitted(&CLOSED_GROUPS.replace("mode: enforce", "mode: ask")).await;
    let finance = world.tenant.group("Finance EU");
    world.settle().await;
    world.tenant.join(adele, finance);
    world.settle().await;
    assert_eq!(world.states(adele).await, ["waiting"]);
    world.tenant.0.delete_user(adele.0).unwrap();
    world.settle_for(SignedDuration::from_mins(40)).await;
    assert_eq!(world.states(adele).await, ["resolved"]);
    world.expect_no_writes();
    world.slack.read_all();
}

#[tokio::test]
async fn where_the_second_page_of_a_group_fails_it_is_looked_through_again_and_nobody_is_missed() {
    let (mut world, adele) = admitted(CLOSED_GROUPS).await;
    let plans = world.unnoticed(|tenant| {
        let staff: Vec<_> = (0..1_200)
            .map(|n| tenant.0.add_user(NewUser::member(&format!("staff{n}@contoso.com"))))
            .collect();
        tenant.group_with(NewGroup { members: staff, ..NewGroup::named("Plans") })
    });
    world.tenant.join(adele, plans);
    world.settle().await;
    world.clock.advance(SignedDuration::from_mins(1));
    let path = format!("/groups/{}/members", plans.id());
    let fine = Fault::new("GET", &path, Failure::Delay(std::time::Duration::ZERO));
    let broken = || Fault::new("GET", &path, Failure::Status(503, RetryAfter::Seconds(40)));
    world.next_faults([fine, broken(), broken(), broken()]);
    world.tenant.rename(plans, "Finance Plans");
    world.settle_for(SignedDuration::from_hours(1)).await;
    world.expect_no_member(adele, plans);
    assert!(world.dead_letters().await.is_empty());
    assert_eq!(world.slack.read_all().len(), 1);
}

#[tokio::test]
async fn without_the_permission_to_change_groups_people_are_told_which_one_is_missing() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    world
        .simulator
        .grant(contoso::WRITER, &["User.EnableDisableAccount.All", "User.Read.All", "Group.Read.All"]);
    let adele = world.tenant.invite("adele@fabrikam.com");
    let finance = world.tenant.group("Finance EU");
    world.tenant.join(adele, finance);
    world.settle().await;
    assert!(world.tenant.is_member(adele, finance));
    world.forget_writes("/members/");
    assert_eq!(world.incident_in(adele, finance).await.state.word(), "failed");
    let told = world.slack.next_text();
    assert!(told.contains("Authorization_RequestDenied"), "{told}");
    assert!(told.contains("grant the app the permission"), "{told}");
}

#[tokio::test]
async fn groups_of_which_nothing_may_be_read_are_told_and_not_acted_on() {
    let mut world = World::with_policy(CLOSED_GROUPS).await;
    world.simulator.grant(contoso::READER, &["User.Read.All", "AuditLog.Read.All"]);
    world.simulator.revoke_tokens();
    let adele = world.guest_today("adele@fabrikam.com");
    let finance = world.unnoticed(|tenant| {
        tenant.group_with(NewGroup { members: vec![adele.0], ..NewGroup::named("Finance EU") })
    });
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.stir(adele);
    world.settle().await;
    world.expect_member(adele, finance);
    let told = world.slack.texts();
    assert_snapshot!(told.first().map_or("", String::as_str), @"
    Could not check guest adele@fabrikam[.]com in the group <id>: closed-groups (high)
    *Who*
    `adele` · guest · account enabled
    Address: `adele@fabrikam.com`
    Organisation: `fabrikam`
    Sponsor: `Alice`
    Object id: `<id>` · created 2026-11-20 09:00:00 UTC
    *What happened*
    May break the rule `closed-groups` (high severity): it could not be checked
    Why the rule: figures are for employees
    Group: `<id>` · member
    • the account is a member of the group <id>
    • the group's name could not be read
    • the group's labels could not be read
    *What would be done*
    Would remove the guest from the group <id> if the rule is broken. What decides that could not be read, so nothing was done.
    *What a person must do*
    Look at the guest, and mend what could not be read: it is judged again then.
    Details: `guestlist incidents show <incident>-1`
    incident <incident>-1 · open · mode enforce · tenant <id> · opened 2026-11-20 09:01:00 UTC · seen once
    ");
}

#[tokio::test]
async fn what_another_rule_has_done_already_is_not_done_again() {
    let policy = closing("{ domain: [evil.example] }", "disable, leave-groups").replace(
        "guardrails:\n",
        "guardrails:\n  - id: closed-groups\n    if: { joins: { name: \"Finance *\" } }\n    then: [leave-group]\n",
    );
    let mut world = World::with_policy(&policy).await;
    let mallory = world.guest_today("mallory@evil.example");
    let (finance, sales) = (world.tenant.group("Finance EU"), world.tenant.group("Sales"));
    world.unnoticed(|tenant| {
        tenant.join(mallory, finance);
        tenant.join(mallory, sales);
    });
    world.clock.advance(SignedDuration::from_mins(1));
    world.tenant.stir(mallory);
    world.settle().await;
    world.expect_disabled(mallory);
    world.expect_no_member(mallory, finance);
    world.expect_no_member(mallory, sales);
    world.expect_no_writes();
    for incident in world.incidents(mallory).await {
        assert!(["done", "resolved"].contains(&incident.state.word()), "{:?}", incident.state);
    }
    world.slack.read_all();
}
