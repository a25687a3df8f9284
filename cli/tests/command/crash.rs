//! `kill -9` in the middle of a burst: nothing is lost, nobody innocent is touched, everybody is told.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use crate::process::Process;
use crate::tenant::Tenant;

/// Small and repeatable: which moments the kills hit is the scheduler's to choose anyway.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Whoever starts next takes over what a killed process held: nothing waits for the end of a lease.
const PATIENCE: Duration = Duration::from_mins(1);

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Incidents about which nobody was told, and nobody is going to be.
fn untold(tenant: &Tenant, incidents: &[Value]) -> Vec<String> {
    let status = tenant.json(&["status"]);
    let rolled_up: BTreeSet<&str> = status["channels"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|channel| channel["rolled_up"].as_array().unwrap())
        .map(|line| text(&line["about"]))
        .collect();
    let is_told = |incident: &&Value| {
        let spoken_for = incident["told_with"].is_string();
        let mut deliveries =
            incident["deliveries"].as_array().unwrap().iter().map(|one| &one["status"]["status"]);
        // A roll-up that has been sent has taken its lines with it.
        let rolled = rolled_up.contains(text(&incident["id"])) || tenant.told_with("more alerts") > 0;
        spoken_for || deliveries.any(|status| status == "sent" || (status == "rolled-up" && rolled))
    };
    incidents.iter().filter(|one| !is_told(one)).map(ToString::to_string).collect()
}

fn all_done(tenant: &Tenant, hostile: &[Uuid]) -> bool {
    let done = tenant.json(&["incidents", "--state", "done", "--limit", "1000"]);
    let done = done.as_array().unwrap();
    let guests: BTreeSet<&str> = done.iter().map(|one| text(&one["key"]["guest"])).collect();
    let every = tenant.json(&["incidents", "--limit", "1000"]);
    done.len() == every.as_array().unwrap().len()
        && hostile.iter().all(|id| guests.contains(id.to_string().as_str()))
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_at_any_moment_loses_nothing_and_touches_no_innocent() {
    let tenant = Tenant::start().await;
    let mut dice = Dice(20_261_120);
    let (mut hostile, mut innocent) = (Vec::new(), Vec::new());
    let mut serve = tenant.serve().await;
    for round in 1..=10 {
        // The kill is to hit work, not the start.
        tenant.until("listening", || serve.log().matches("listening").count() == round).await;
        for n in 0..4 {
            hostile.push(tenant.invite(&format!("m{round}-{n}@evil.example")));
            innocent.push(tenant.invite(&format!("a{round}-{n}@fabrikam.com")));
        }
        tokio::time::sleep(Duration::from_millis(dice.roll(150))).await;
        serve.kill_nine();
        // Nobody listens now.
        hostile.push(tenant.invite(&format!("m{round}-x@evil.example")));
        serve = Process::serve(&tenant);
    }
    let caught = || hostile.iter().all(|id| !tenant.is_enabled(*id));
    tenant.until_within(PATIENCE, "all caught", caught).await;
    tenant.until_within(PATIENCE, "all done", || all_done(&tenant, &hostile)).await;
    let incidents = tenant.json(&["incidents", "--limit", "1000"]);
    let incidents = incidents.as_array().unwrap();
    assert_eq!(incidents.len(), hostile.len() * 2, "each breaks two rules, and each has one incident");
    tenant
        .until_within(PATIENCE, "all told", || {
            let incidents = tenant.json(&["incidents", "--limit", "1000"]);
            untold(&tenant, incidents.as_array().unwrap()).is_empty()
        })
        .await;
    for id in &innocent {
        assert!(tenant.is_enabled(*id), "an innocent guest was touched");
    }
    for write in tenant.simulator.take_writes() {
        let about_hostile = hostile.iter().any(|id| write.path == format!("/users/{id}"));
        assert!(about_hostile || write.is_about_subscriptions(), "{write:?}");
    }
    assert_eq!(tenant.json(&["dead", "list"]), Value::Array(Vec::new()));
    assert_eq!(tenant.simulator.subscriptions().len(), 2, "no subscription was left behind");
    assert_eq!(serve.terminate().code(), Some(0), "{}", serve.log());
}
