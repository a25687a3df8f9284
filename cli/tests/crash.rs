//! `kill -9` in the middle of a burst: nothing is lost, nobody innocent is touched.

mod common;

use std::time::{Duration, Instant};

use common::{Process, Tenant};
use simulator::Invite;
use simulator::contoso::ALICE;

/// Small and repeatable: which moments the kills hit is the scheduler's to choose anyway.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_at_any_moment_loses_nothing_and_touches_no_innocent() {
    let tenant = Tenant::start().await;
    let mut dice = Dice(20_261_120);
    let (mut hostile, mut innocent) = (Vec::new(), Vec::new());
    let mut serve = Process::serve(&tenant);
    tenant.until_subscribed().await;
    for round in 0..8 {
        for n in 0..6 {
            let directory = tenant.simulator.tenant();
            hostile.push(directory.invite(Invite::new(&format!("m{round}-{n}@evil.example"), ALICE)));
            innocent.push(directory.invite(Invite::new(&format!("a{round}-{n}@fabrikam.com"), ALICE)));
        }
        tokio::time::sleep(Duration::from_millis(dice.roll(250))).await;
        serve.kill_nine();
        serve = Process::serve(&tenant);
    }
    let directory = tenant.simulator.tenant();
    let caught = || hostile.iter().all(|id| !directory.user(*id).unwrap().enabled);
    let began = Instant::now();
    while !(caught() && tenant.told().iter().filter(|text| text.contains("evil")).count() >= 1)
        && began.elapsed() < Duration::from_secs(60)
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let free = hostile.iter().filter(|id| directory.user(**id).unwrap().enabled).count();
    assert_eq!(free, 0, "{free} of {} hostile guests were lost; {}", hostile.len(), serve.log());
    for id in &innocent {
        assert!(directory.user(*id).unwrap().enabled, "an innocent guest was touched");
    }
    for write in tenant.simulator.take_writes() {
        let about_hostile = hostile.iter().any(|id| write.path == format!("/users/{id}"));
        assert!(about_hostile || write.is_about_subscriptions(), "{write:?}");
    }
    tenant.until_all_done(hostile.len()).await;
    serve.kill_nine();
}
