//! One deployment, and what is played on it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use guestlist_tests::Guest;
use simulator::contoso;

use crate::deployment::{Deployment, FUNCTIONS};
use crate::powers;

/// One test, because a deployment is dear.
#[tokio::test(flavor = "multi_thread")]
async fn what_sam_deploys_disables_a_guest_tells_the_team_and_needs_every_power_that_it_uses() {
    let stack = Deployment::make().await;
    the_timer_makes_subscriptions(&stack).await;
    a_guest_from_a_blocked_domain_is_disabled_and_the_team_is_told(&stack).await;
    a_subscription_whose_authorization_runs_out_is_kept_alive(&stack).await;
    a_role_that_lacks_a_power_is_seen_at_the_door_and_nothing_is_lost(&stack).await;
    whatever_was_asked_is_granted(&stack);
}

/// By the emulator's own timer, a minute after the deployment.
async fn the_timer_makes_subscriptions(stack: &Deployment) {
    let both = async || (stack.simulator.subscriptions().len() == 2).then_some(());
    stack.until("users and groups are watched", both).await;
    let asked = stack.issuer.asked();
    assert!(!asked.is_empty() && asked.iter().all(|seconds| *seconds <= 300), "{asked:?}");
    stack.simulator.take_writes();
}

async fn a_guest_from_a_blocked_domain_is_disabled_and_the_team_is_told(stack: &Deployment) {
    let mallory = stack.tenant.invite("mallory@evil.example");
    assert!(stack.tenant.is_enabled(mallory));
    is_disabled(stack, mallory).await;
    let writes = stack.simulator.take_writes();
    let mine: Vec<_> = writes.iter().filter(|write| write.app == contoso::WRITER).collect();
    assert_eq!(mine.len(), 1, "{writes:?}");
    stack.until("the team is told", async || (stack.slack.count() > 0).then_some(())).await;
    let told = stack.slack.next();
    let text = told.text();
    assert!(text.contains("mallory@evil") && text.contains("blocked-domain"), "{text}");

    let message = told.json().to_string();
    let link = message.split('<').find_map(|rest| rest.strip_prefix(&stack.public_url));
    let link = link.and_then(|rest| rest.split(['>', '|']).next()).unwrap_or_else(|| panic!("{message}"));
    let page = reqwest::Client::builder().no_proxy().build().unwrap();
    let page = page.get(format!("{}{link}", stack.front_door)).send().await.unwrap();
    let (status, page) = (page.status(), page.text().await.unwrap());
    assert_eq!(status, 200, "{link}: {page}");
    assert!(page.contains("mallory@evil.example"), "{page}");
    stack.slack.expect_silence();
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
    is_disabled(stack, eve).await;
    assert!(stack.witness.posts_answered(|status| status < 300) > taken, "by what Graph sent again");
}

async fn is_disabled(stack: &Deployment, guest: Guest) {
    let disabled = async || {
        stack.simulator.deliver_due().await;
        (!stack.tenant.is_enabled(guest)).then_some(())
    };
    stack.until("the guest is disabled", disabled).await;
}

/// What is granted and was not asked for is written down: a story does not need all that there is.
fn whatever_was_asked_is_granted(stack: &Deployment) {
    let grants = powers::grants();
    let calls = stack.witness.calls();
    let asked: BTreeSet<_> = calls
        .iter()
        .filter_map(|call| stack.who(call).map(|function| powers::needs(function, call)))
        .flatten()
        .collect();
    for (function, _) in FUNCTIONS {
        assert!(asked.iter().any(|one| one.function == function), "{function} asked for nothing");
    }
    let lacking: Vec<_> = asked.iter().filter(|one| !grants.iter().any(|grant| grant.covers(one))).collect();
    assert!(lacking.is_empty(), "no role grants {lacking:#?}");
    let mut unused = String::new();
    for grant in &grants {
        if !grant.is_used_by_aws() && !asked.iter().any(|one| grant.covers(one)) {
            writeln!(unused, "{grant}").unwrap();
        }
    }
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("powers-not-used.txt");
    std::fs::write(&place, &unused).unwrap();
    let (of, all) = (unused.lines().count(), grants.len());
    println!("{of} of {all} powers were not used in the story ({}):\n{unused}", place.display());
}
