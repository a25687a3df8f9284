//! `guestlist undo` of many: chosen by rule or by time, listed, and done by the process that serves.

use insta::assert_snapshot;
use uuid::Uuid;

use crate::tenant::{GROUPS, Tenant, without_ids};

/// Takes these guests out of `Finance EU`.
async fn taken_out(tenant: &Tenant, names: &[&str]) -> (Uuid, Vec<(Uuid, String)>) {
    let finance = tenant.group("Finance EU");
    let mut taken = Vec::new();
    for name in names {
        let guest = tenant.invite_as(&format!("{}@fabrikam.com", name.to_lowercase()), Some(name));
        tenant.at_rest().await;
        tenant.add(finance, guest);
        tenant.until("taken out", || !tenant.is_member(finance, guest)).await;
        taken.push((guest, tenant.until_state(guest, "done").await));
    }
    (finance, taken)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_rule_did_is_listed_and_undone_together() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve_under(GROUPS).await;
    let (finance, taken) = taken_out(&tenant, &["Adele", "Lee"]).await;
    let nobody = tenant.run(&["undo", "--rule", "closed-groups", "--reason", "the rule was wrong"]);
    assert!(nobody.expect(2).stderr.contains("say `--yes`"), "{nobody:?}");
    let rows: Vec<String> = nobody.stderr.lines().take(3).map(without_ids).collect();
    assert_snapshot!(rows.join("\n"), @"
    INCIDENT                RULE           WHAT              WHO                 WHERE
    <id>  closed-groups  add to the group  adele@fabrikam.com  Finance EU
    <id>  closed-groups  add to the group  lee@fabrikam.com    Finance EU
    ");
    let undone = tenant.run(&["undo", "--rule", "closed-groups", "--yes", "--reason", "the rule was wrong"]);
    let answers: Vec<&str> = undone.expect(0).stdout.lines().skip(1).collect();
    assert_eq!(answers.len(), 2);
    assert!(
        answers.iter().all(|line| line.contains("the account is a member of `Finance EU` again")),
        "{answers:?}"
    );
    for (guest, incident) in &taken {
        assert!(tenant.is_member(finance, *guest));
        assert_eq!(tenant.until_state(*guest, "undone").await, *incident);
    }
    let again = tenant.run(&["undo", "--rule", "closed-groups", "--yes", "--reason", "x"]);
    assert_eq!(again.expect(4).stderr, "there is nothing to undo: see `guestlist incidents`\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_of_time_chooses_what_was_done_within_it_whatever_the_rule() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve_under(GROUPS).await;
    let (finance, taken) = taken_out(&tenant, &["Adele"]).await;
    let nina = tenant.invite("nina@northwind.example");
    tenant.until_done(nina).await;
    let waits = tenant.invite("lee@fabrikam.com");
    tenant.add(tenant.group("Project X"), waits);
    tenant.until_state(waits, "waiting").await;
    let undone = tenant.run(&["undo", "--since", "1h", "--yes", "--reason", "x", "--output", "json"]);
    let answers: serde_json::Value = serde_json::from_str(&undone.expect(0).stdout).unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 2, "nothing was done about what waits: {answers}");
    assert!(answers.as_array().unwrap().iter().all(|one| one["answer"]["answer"] == "done"), "{answers}");
    assert!(tenant.is_member(finance, taken[0].0) && tenant.is_enabled(nina));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_of_one_rule_gives_nobody_back_what_another_rule_takes_too() {
    let tenant = Tenant::start().await;
    let twice = GROUPS.replace(
        "scenarios:",
        "  - id: money\n    severity: low\n    if: { joins: { name: \"* EU\" } }\n    then: [leave-group]\nscenarios:",
    );
    let _serve = tenant.serve_under(&twice).await;
    let finance = tenant.group("Finance EU");
    let adele = tenant.invite("adele@fabrikam.com");
    tenant.at_rest().await;
    tenant.add(finance, adele);
    tenant.until("taken out", || !tenant.is_member(finance, adele)).await;
    let spoken = || tenant.incidents_of(adele).into_iter().any(|one| one["speaks_for"][0] == "money");
    tenant.until("spoken for", spoken).await;
    tenant
        .until("done", || {
            tenant.json(&["incidents", "--rule", "closed-groups"])[0]["state"]["state"] == "done"
        })
        .await;
    let undone = tenant.run(&["undo", "--rule", "closed-groups", "--yes", "--reason", "x"]);
    assert_snapshot!(undone.expect(4).stderr, @"
    1 more are left out, because other rules ask for the same: name their ids to undo them
    there is nothing to undo: see `guestlist incidents`
    ");
    assert!(!tenant.is_member(finance, adele));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_ids_are_answered_in_a_table_and_the_worst_is_the_exit_code() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve_under(GROUPS).await;
    let (finance, taken) = taken_out(&tenant, &["Adele", "Lee"]).await;
    let [(adele, first), (lee, second)] = taken.as_slice() else { panic!("two were taken out") };
    tenant.run(&["undo", first, "--reason", "she is expected"]).expect(0);
    let both = tenant.run(&["undo", first, second, "--reason", "they are expected"]);
    let answers: Vec<&str> = both.expect(4).stdout.lines().collect();
    let details: Vec<String> = both.stderr.lines().skip(4).map(without_ids).collect();
    assert_snapshot!(details.join("\n"), @"
    <id>  closed-groups (high), done
      who    Lee (guest), lee@fabrikam.com
      would  add the account to `Finance EU` (<id>)
      why    the account is a member of `Finance EU`, whose name matches `Finance *`
    ");
    assert!(answers[0].starts_with("INCIDENT") && answers[0].contains("ANSWER"), "{answers:?}");
    assert!(answers[1].contains("  refused  ") && answers[2].contains("  done     "), "{answers:?}");
    assert!(tenant.is_member(finance, *adele) && tenant.is_member(finance, *lee));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_incident_did_is_chosen_too() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    let nina = tenant.invite("nina@northwind.example");
    let first = tenant.until_done(nina).await;
    tenant.simulator.tenant().set(nina, |user| user.mail = Some("nina@fabrikam.com".to_owned())).unwrap();
    assert_eq!(tenant.until_state(nina, "resolved").await, first);
    tenant
        .simulator
        .tenant()
        .set(nina, |user| user.mail = Some("nina@northwind.example".to_owned()))
        .unwrap();
    let is_new = || {
        tenant
            .incidents_of(nina)
            .iter()
            .any(|one| one["id"].as_str().unwrap().ends_with("-2") && one["state"]["state"] == "done")
    };
    tenant.until("second", is_new).await;
    let many = tenant.run(&["undo", "--rule", "otherwise.guest", "--yes", "--reason", "x"]);
    assert_eq!(many.code, 0, "{many:?}");
    assert!(tenant.is_enabled(nina));
}
