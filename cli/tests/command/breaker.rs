//! `guestlist breaker`: too many guests at once, and everything asks first until somebody resets it.

use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::tenant::{POLICY, Tenant, me, without_ids};

/// Guests who were there a year ago.
fn veterans(tenant: &Tenant, count: usize) -> Vec<Uuid> {
    let then = Timestamp::now().checked_sub(SignedDuration::from_hours(24 * 365)).unwrap();
    let one = |n| {
        let guest = tenant.invite(&format!("veteran{n}@fabrikam.com"));
        tenant.simulator.tenant().set(guest, |user| user.created_at = Some(then)).unwrap();
        guest
    };
    (0..count).map(one).collect()
}

fn masked(printed: &str) -> String {
    printed.lines().map(without_ids).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_opens_it_and_a_reset_releases_nothing_that_waits() {
    let tenant = Tenant::start().await;
    let veterans = veterans(&tenant, 6);
    let _serve = tenant.serve_under(POLICY).await;
    tenant.until("counted", || tenant.json(&["breaker", "show"])["guests"].is_object()).await;
    assert_snapshot!(masked(&tenant.run(&["breaker", "show"]).expect(0).stdout), @"
    the circuit breaker is closed
    newcomers (guests who were created less than a day ago): 0 of 200 touched within the hour
    established guests: 0 of 3 touched within the hour
    the tenant has 6 guests, counted every six hours, last at <when>
    nothing waits for a decision
    ");
    let idle = tenant.run(&["breaker", "reset", "--reason", "to be sure"]);
    assert!(idle.expect(0).stdout.contains("the circuit breaker is not open"), "{idle:?}");
    for (n, guest) in veterans.iter().enumerate() {
        let moved = |user: &mut simulator::User| user.mail = Some(format!("veteran{n}@northwind.example"));
        tenant.simulator.tenant().set(*guest, moved).unwrap();
    }
    let all = || tenant.json(&["incidents"]).as_array().unwrap().clone();
    let decided =
        |one: &serde_json::Value| ["done", "waiting"].contains(&one["state"]["state"].as_str().unwrap());
    tenant.until("decided", || all().len() == 6 && all().iter().all(decided)).await;
    tenant.until("told", || tenant.told_with("the circuit breaker has opened") == 1).await;
    let enabled = || veterans.iter().filter(|guest| tenant.is_enabled(**guest)).count();
    assert_eq!(enabled(), 3, "three established guests an hour");

    let open = tenant.run(&["breaker", "show"]);
    let first = without_ids(open.expect(3).stdout.lines().next().unwrap());
    assert_snapshot!(first, @"the circuit breaker is open since <when>: more than 3 established guests within an hour; everything asks first until `guestlist breaker reset`");
    let shown = tenant.json(&["breaker", "show"]);
    assert_eq!((&shown["open"], &shown["opened"]["limit"]), (&true.into(), &3.into()));
    assert_eq!(shown["budgets"][1]["budget"], "established");
    assert_eq!(shown["budgets"][1]["touched"], 3);
    let waiting = shown["waiting"]["count"].as_u64().unwrap();
    assert!(waiting >= 3, "{shown}");
    let status = tenant.run(&["status"]);
    assert!(status.expect(3).stdout.contains("the circuit breaker is open since "), "{status:?}");
    assert!(status.stdout.contains("incidents wait for a decision, the oldest since "), "{status:?}");
    assert_eq!(tenant.json(&["status"])["breaker"]["open"], true);

    let reset = tenant.run(&["breaker", "reset", "--reason", "a merger"]);
    assert_snapshot!(masked(&reset.expect(0).stdout.replace(&waiting.to_string(), "<n>")), @"
    the circuit breaker is closed; what waits goes on waiting for `guestlist approve` or `guestlist reject`
    <n> incidents wait for a decision, the oldest since <when>: `guestlist approve` or `reject`
    ");
    let closed = tenant.run(&["breaker", "show"]);
    let closed = masked(&closed.expect(0).stdout.replace(&me(), "<me>"));
    let closed: Vec<&str> = closed.lines().take(5).collect();
    assert_snapshot!(closed.join("\n"), @"
    the circuit breaker is closed
    newcomers (guests who were created less than a day ago): 0 of 200 touched since the reset at <when>
    established guests: 0 of 3 touched since the reset at <when>
    the tenant has 6 guests, counted every six hours, last at <when>
    last reset at <when> by <me>: a merger
    ");
    assert_eq!(
        (enabled(), tenant.json(&["breaker", "show"])["waiting"]["count"].as_u64()),
        (3, Some(waiting))
    );
    let approve = ["approve", "--rule", "otherwise.guest", "--yes", "--reason", "they were sold"];
    tenant.run(&approve).expect(0);
    tenant.until("disabled", || enabled() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_nobody_answers_waits_for_serve() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve().await;
    assert_eq!(serve.terminate().code(), Some(0));
    let asked = tenant.run(&["breaker", "reset", "--reason", "x", "--wait", "0"]);
    assert!(asked.expect(5).stderr.contains("`guestlist serve` is not running"), "{asked:?}");
    tenant.run(&["breaker", "reset"]).expect(2);
}
