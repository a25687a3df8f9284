//! `guestlist undo`: asked here, done by the process that serves.

use insta::assert_snapshot;

use crate::tenant::{Tenant, me};

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_is_done_told_and_not_done_twice() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    let mallory = tenant.invite("nina@northwind.example");
    let incident = tenant.until_done(mallory).await;
    let undone = tenant.run(&["undo", &incident, "--reason", "she is expected", "--for", "2d"]);
    let said = undone.expect(0).stdout.split_once("until ").unwrap().0;
    assert_snapshot!(said, @"the account is enabled; the rule is suspended for it");
    assert!(tenant.is_enabled(mallory));
    tenant.until("told", || tenant.told_with("she is expected") == 1).await;
    let again = tenant.run(&["undo", &incident, "--reason", "x"]);
    assert!(again.expect(4).stdout.contains("undone"), "{again:?}");
    let shown = tenant.run(&["incidents", "show", &incident]);
    assert!(shown.expect(0).stdout.contains("she is expected"), "{shown:?}");
    assert!(shown.stdout.contains(&me()), "{shown:?}");
    assert!(!shown.stdout.contains("carol"), "a variable of the environment names nobody: {shown:?}");
    let json = tenant.json(&["undo", &incident, "--reason", "x"]);
    assert_eq!(json["answer"]["answer"], "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_of_an_account_that_is_not_what_it_was_is_refused_unless_forced() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    let nina = tenant.invite("nina@northwind.example");
    let incident = tenant.until_done(nina).await;
    let moved = |user: &mut simulator::User| user.mail = Some("nina@evil.example".to_owned());
    tenant.simulator.tenant().set(nina, moved).unwrap();
    tenant.until("found again", || tenant.incidents_of(nina).len() == 2).await;
    let refused = tenant.run(&["undo", &incident, "--reason", "x"]);
    assert_eq!(refused.expect(4).stderr, "");
    assert!(!refused.stdout.is_empty() && !tenant.is_enabled(nina), "{refused:?}");
    for without in [["undo", &incident].as_slice(), &["undo", &incident, "--force"]] {
        assert!(tenant.run(without).expect(2).stderr.contains("--reason <REASON>"), "{without:?}");
    }
    tenant.run(&["undo", &incident, "--force", "--reason", "the ministry says so"]).expect(0);
    assert!(tenant.is_enabled(nina));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_nobody_answers_waits_for_serve() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve().await;
    let nina = tenant.invite("nina@northwind.example");
    let incident = tenant.until_done(nina).await;
    assert_eq!(serve.terminate().code(), Some(0));
    let asked = tenant.run(&["undo", &incident, "--wait", "1", "--reason", "x"]);
    let said = asked.expect(5).stderr.split('`').enumerate();
    let said: String = said.map(|(n, part)| if n == 3 { "<id>" } else { part }).collect();
    assert_snapshot!(said, @"nobody has answered within 1 s: guestlist serve is not running. The request <id> stays in the store, and is served as soon as somebody can");
    assert!(!tenant.is_enabled(nina));
    let _serve = tenant.serve().await;
    tenant.until("served", || tenant.is_enabled(nina)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_incident_and_a_wrong_duration_are_told_at_once() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve().await;
    assert_eq!(serve.terminate().code(), Some(0));
    let unknown = tenant.run(&["undo", "9f2c41d05be07a13-1", "--reason", "x"]);
    assert_snapshot!(unknown.expect(4).stderr, @"there is no incident `9f2c41d05be07a13-1`: see `guestlist incidents`");
    let wrong = tenant.run(&["undo", "7"]);
    assert!(wrong.expect(2).stderr.contains("is not an incident id"), "{wrong:?}");
    let wrong = tenant.run(&["undo", "9f2c41d05be07a13-1", "--for", "week"]);
    assert!(wrong.expect(2).stderr.contains("`week` is not a duration like `7d`"), "{wrong:?}");
}
