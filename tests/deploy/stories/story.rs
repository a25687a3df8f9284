//! One deployment, and what is played on it.

use std::time::Duration;

use guestlist_tests::Guest;
use jiff::{SignedDuration, Timestamp};
use model::Incident;
use serde_json::json;
use simulator::contoso;

use crate::accounts::{NOT_PLAYED, complaints};
use crate::deployment::{Deployment, FUNCTIONS};
use crate::{before, damage, groups, operators, powers, settings, telling, trouble};

/// One test, because a deployment is dear.
#[tokio::test(flavor = "multi_thread")]
async fn what_sam_deploys_does_its_work_and_needs_every_power_that_it_has() {
    let stack = &Deployment::make().await;
    let there_before =
        ["adele@fabrikam.com", "beth@fabrikam.com"].map(|address| stack.tenant.invite(address));
    // The timer comes a minute after the deployment.
    tokio::join!(
        the_timer_makes_subscriptions(stack),
        telling::what_is_no_job_of_theirs_is_put_aside_and_told(stack)
    );
    before::everybody_is_gone_over_and_judged_by_the_policy(stack, &there_before).await;
    let on_his_day = invited_long_ago(stack);
    let mallory = a_guest_from_a_blocked_domain_is_disabled_and_the_team_is_told(stack).await;
    a_subscription_whose_authorization_runs_out_is_kept_alive(stack).await;
    a_role_that_lacks_a_power_is_seen_at_the_door_and_nothing_is_lost(stack).await;
    // Each of them waits for this or that.
    let side_by_side = async {
        tokio::join!(
            operators::what_is_approved_is_carried_out(stack),
            operators::what_is_rejected_is_found_again_when_its_suspension_has_ended(stack),
            operators::a_suspension_goes_long_after_its_end(stack, there_before[0]),
            groups::a_guest_joins_a_closed_group_and_goes_for_good(stack),
            groups::a_guest_whom_no_replica_knows_yet_is_looked_for_again(stack),
            groups::the_canary_comes_back(stack),
            telling::what_cannot_be_read_at_the_door_is_put_aside(stack),
            telling::a_notice_whose_message_was_lost_is_told_all_the_same(stack),
            trouble::a_write_that_graph_turns_away_waits_and_so_does_who_changes_meanwhile(stack),
            trouble::a_look_that_graph_has_no_answer_for_is_made_again(stack),
            trouble::a_write_that_graph_refuses_has_failed_and_is_tried_anew_later(stack),
            trouble::an_undo_that_graph_has_no_answer_for_is_made_again(stack, mallory),
            trouble::a_subscription_is_kept_alive_when_graph_is_back(stack),
            damage::what_cannot_be_read_of_what_waits_is_put_aside(stack),
            damage::a_message_about_what_cannot_be_read_waits(stack),
            damage::a_subscription_that_has_long_gone_is_forgotten(stack),
            who_has_not_come_by_then_is_told_of_on_his_day(stack, on_his_day),
        );
    };
    while_graph_tells(stack, side_by_side).await;
    settings::a_changed_policy_is_written_down(stack).await;
    settings::who_starts_while_the_policy_is_bad_goes_by_the_last_good_one(stack).await;
    settings::a_canary_that_nobody_flies_any_more_is_forgotten(stack).await;
    settings::a_clock_that_is_wrong_is_noted(stack).await;
    every_power_is_used(stack);
}

/// Notifications are delivered meanwhile.
async fn while_graph_tells(stack: &Deployment, story: impl Future<Output = ()>) {
    let tells = async {
        loop {
            stack.simulator.deliver_due().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = story => {}
        () = tells => {}
    }
}

/// By the emulator's own timer, a minute after the deployment.
async fn the_timer_makes_subscriptions(stack: &Deployment) {
    let both = async || (stack.simulator.subscriptions().len() == 2).then_some(());
    stack.until("users and groups are watched", both).await;
    let asked = stack.issuer.asked();
    assert!(!asked.is_empty() && asked.iter().all(|seconds| *seconds <= 300), "{asked:?}");
}

async fn a_guest_from_a_blocked_domain_is_disabled_and_the_team_is_told(stack: &Deployment) -> Guest {
    stack.simulator.take_writes();
    let mallory = stack.tenant.invite("mallory@evil.example");
    assert!(stack.tenant.is_enabled(mallory));
    while_graph_tells(stack, is_disabled(stack, mallory)).await;
    let writes = stack.simulator.take_writes();
    let of_him = |path: &str| path.contains(&mallory.0.to_string());
    let mine: Vec<_> = writes.iter().filter(|one| one.app == contoso::WRITER && of_him(&one.path)).collect();
    assert_eq!(mine.len(), 1, "{writes:?}");
    let about_him =
        async || stack.slack.read_all().into_iter().find(|told| told.text().contains("mallory@evil"));
    let told = stack.until("the team is told", about_him).await;
    let text = told.text();
    assert!(text.contains("blocked-domain"), "{text}");

    let message = told.json().to_string();
    let link = message.split('<').find_map(|rest| rest.strip_prefix(&stack.public_url));
    let link = link.and_then(|rest| rest.split(['>', '|']).next()).unwrap_or_else(|| panic!("{message}"));
    let page = reqwest::Client::builder().no_proxy().build().unwrap();
    let page = page.get(format!("{}{link}", stack.front_door)).send().await.unwrap();
    let (status, page) = (page.status(), page.text().await.unwrap());
    assert_eq!(status, 200, "{link}: {page}");
    assert!(page.contains("mallory@evil.example"), "{page}");
    mallory
}

/// His invitation is as old as the policy allows in less than a minute.
fn invited_long_ago(stack: &Deployment) -> Guest {
    let guest = stack.tenant.invite("late@fabrikam.com");
    let created_at = Timestamp::now() - SignedDuration::from_hours(24) + SignedDuration::from_secs(50);
    stack.tenant.change(guest, |user| user.created_at = Some(created_at));
    guest
}

/// Nobody tells of him on that day: a look has waited for it.
async fn who_has_not_come_by_then_is_told_of_on_his_day(stack: &Deployment, guest: Guest) {
    is_met(stack, guest, "never-came").await;
}

/// By the other route, the queue of chores and the steward.
async fn a_subscription_whose_authorization_runs_out_is_kept_alive(stack: &Deployment) {
    let users = stack.simulator.subscriptions().into_iter().find(|one| one.resource.contains("users"));
    assert!(stack.simulator.require_reauthorization(users.expect("users are watched").id));
    let alive = async || {
        stack.simulator.deliver_due().await;
        stack.simulator.subscriptions().iter().all(|one| !one.held).then_some(())
    };
    stack.until("the subscription is authorized anew", alive).await;
}

async fn a_role_that_lacks_a_power_is_seen_at_the_door_and_nothing_is_lost(stack: &Deployment) {
    let whole = powers::document("notifications");
    powers::put("notifications", &powers::without(&whole, "Send"));
    let (taken, refused) = (
        stack.witness.posts_answered(|status| status < 300),
        stack.witness.posts_answered(|status| status >= 500),
    );
    let eve = stack.tenant.invite("eve@evil.example");
    let is_refused = async || {
        stack.simulator.deliver_due().await;
        (stack.witness.posts_answered(|status| status >= 500) > refused).then_some(())
    };
    stack.until("what cannot be kept is answered 5xx", is_refused).await;
    assert_eq!(
        stack.witness.posts_answered(|status| status < 300),
        taken,
        "nothing is taken that is not kept"
    );
    let calls = stack.witness.calls();
    let denied = calls.iter().find(|call| stack.who(call) == Some("notifications") && call.is_denied());
    let denied = denied.expect("the role was asked");
    assert_eq!(denied.service, "sqs", "{denied:?}");
    assert!(stack.tenant.is_enabled(eve));
    // Graph tries again.
    powers::put("notifications", &whole);
    while_graph_tells(stack, is_disabled(stack, eve)).await;
    assert!(stack.witness.posts_answered(|status| status < 300) > taken, "by what Graph sent again");
}

pub(crate) async fn is_disabled(stack: &Deployment, guest: Guest) {
    let disabled = async || (!stack.tenant.is_enabled(guest)).then_some(());
    stack.until("the guest is disabled", disabled).await;
}

/// The finding is in the ledger.
pub(crate) async fn is_met(stack: &Deployment, guest: Guest, rule: &str) -> Incident {
    let met = async || stack.store.incident(guest, rule).await;
    stack.until(&format!("the guest breaks `{rule}`"), met).await
}

fn every_power_is_used(stack: &Deployment) {
    let (grants, asked) = (powers::grants(), stack.asked());
    for (function, _) in FUNCTIONS {
        assert!(grants.iter().any(|grant| grant.is_of(function)), "the role of {function} grants nothing");
    }
    let found = complaints(&grants, &asked, &NOT_PLAYED);
    assert!(found.is_empty(), "{} of {}:\n{}", found.len(), grants.len(), found.join("\n"));
    let by_aws = grants.iter().filter(|grant| grant.is_used_by_aws()).count();
    let (all, left) = (grants.len(), NOT_PLAYED.len());
    println!("of {all} powers AWS itself uses {by_aws}, no story {left}, and this one the rest");
    // So it would be told.
    let queue = "arn:aws:sqs:::guestlist-Changes-1";
    let needless =
        json!({ "Sid": "Clean", "Effect": "Allow", "Action": "sqs:PurgeQueue", "Resource": queue });
    let needless = json!({ "Statement": [needless] });
    let more = powers::grants_of("alert", &needless).union(&grants).cloned().collect();
    let found = complaints(&more, &asked, &NOT_PLAYED);
    assert!(found.len() == 1 && found[0].contains("`alert Clean sqs:PurgeQueue"), "{found:?}");
}
