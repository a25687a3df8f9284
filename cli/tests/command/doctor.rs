//! `guestlist doctor`: everything that can be known before the first notification comes.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse as _;
use insta::assert_snapshot;
use serde_json::Value;
use simulator::contoso;

use crate::tenant::{GROUPS, POLICY, Printed, Tenant};

/// The lines about one thing.
fn about<'a>(printed: &'a Printed, what: &str) -> Vec<&'a str> {
    let mark =
        |line: &&str| line.split_once("  ").is_some_and(|(_, rest)| rest.trim_start().starts_with(what));
    printed.stdout.lines().filter(mark).collect()
}

fn wrong(printed: &Printed) -> Vec<&str> {
    printed.stdout.lines().filter(|line| line.starts_with("WRONG")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_but_the_callback_that_nobody_serves() {
    let tenant = Tenant::start().await;
    let roles =
        ["User.Read.All", "User.EnableDisableAccount.All", "Group.Read.All", "GroupMember.ReadWrite.All"];
    tenant.simulator.grant(contoso::WRITER, &roles);
    let printed = tenant.run(&["doctor"]);
    let data = tenant.data().display().to_string();
    let shown: Vec<String> = printed
        .expect(3)
        .stdout
        .lines()
        .map(|line| line.replace(&data, "<data>").replace(": 1 s off", ": 0 s off"))
        .collect();
    let hash = |line: &String| line.contains("policy: `");
    let (policy, others): (Vec<String>, Vec<String>) = shown.into_iter().partition(hash);
    assert_snapshot!(others.join("\n"), @"
    ok     settings: complete
    ok     store: `<data>` has none yet: `guestlist serve` makes it
    ok     ceiling: GUESTLIST_AT_MOST is `enforce`: no rule goes further
    ok     clock: 0 s off that of 127.0.0.1
    ok     app that reads: has AuditLog.Read.All, Group.Read.All, GroupMember.Read.All, User.Read.All
    warn   app that reads: has more than it needs: AuditLog.Read.All, GroupMember.Read.All
    ok     app that writes: has Group.Read.All, GroupMember.ReadWrite.All, User.EnableDisableAccount.All, User.Read.All
    warn   app that writes: has more than it needs: Group.Read.All, GroupMember.ReadWrite.All
    ok     tenant: Contoso, contoso.onmicrosoft.com, contoso.com
    WRONG  callback: https://127.0.0.1:1/graph/notifications: cannot connect to 127.0.0.1: Connection refused (os error 111); is `guestlist serve` running behind your proxy?
    WRONG  callback: https://127.0.0.1:1/graph/lifecycle: cannot connect to 127.0.0.1: Connection refused (os error 111); is `guestlist serve` running behind your proxy?
    ");
    assert!(policy[0].ends_with("`, 2 rules"), "{policy:?}");
    assert!(!tenant.data().exists(), "the store is made by whoever serves");
    let json = tenant.json(&["doctor"]);
    assert!(
        json.as_array().unwrap().iter().filter(|one| one["well"] == Value::Bool(false)).count() == 2,
        "{json}"
    );
    assert_eq!(json.as_array().unwrap().iter().filter(|one| one["warning"] == true).count(), 2, "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_name_is_not_looked_up_and_warnings_alone_are_well() {
    let tenant = Tenant::start().await;
    let made_up = [("GUESTLIST_PUBLIC_URL", "https://guestlist.example")];
    let printed = tenant.run_with(&made_up, &["doctor"]);
    printed.expect(0);
    assert_snapshot!(about(&printed, "callback").join("\n"), @"warn   callback: `guestlist.example` is a made-up name (RFC 2606): it was not looked up");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lowest_ceiling_is_a_warning_and_a_canary_needs_a_permission() {
    let tenant = Tenant::start().await;
    tenant.simulator.grant(contoso::WRITER, &["User.Read.All", "User.EnableDisableAccount.All"]);
    let id = "ca201000-0000-4000-8000-000000000003";
    let set = [("GUESTLIST_AT_MOST", ""), ("GUESTLIST_CANARY_USER", id), ("GUESTLIST_CANARY_GROUP", id)];
    let printed = tenant.run_with(&set, &["doctor"]);
    assert_snapshot!(about(&printed, "ceiling").join("\n"), @"warn   ceiling: GUESTLIST_AT_MOST is `observe`: nothing is written to the tenant");
    assert_snapshot!(about(&printed, "app that writes").join("\n"), @"WRONG  app that writes: lacks GroupMember.Read.All, GroupMember.ReadWrite.All: grant it as an application permission, with admin consent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named() {
    let tenant = Tenant::start().await;
    tenant.simulator.grant(contoso::WRITER, &["User.Read.All", "Group.Read.All"]);
    tenant.simulator.grant(contoso::READER, &["User.Read.All"]);
    let printed = tenant.run(&["doctor"]);
    printed.expect(3);
    assert_snapshot!(about(&printed, "app that").join("\n"), @"
    WRONG  app that reads: lacks Group.Read.All: grant it as an application permission, with admin consent
    WRONG  app that writes: lacks User.EnableDisableAccount.All: grant it as an application permission, with admin consent
    warn   app that writes: has more than it needs: Group.Read.All
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_about_groups_need_more_and_a_broader_permission_serves() {
    let tenant = Tenant::start().await;
    std::fs::write(tenant.policy(), GROUPS).unwrap();
    let roles = ["User.Read.All", "User.EnableDisableAccount.All", "GroupMember.ReadWrite.All"];
    tenant.simulator.grant(contoso::WRITER, &roles);
    let lacks = tenant.run(&["doctor"]);
    let line = about(&lacks, "app that writes")[0];
    assert_snapshot!(line, @"WRONG  app that writes: lacks Group.ReadWrite.All: grant it as an application permission, with admin consent");
    let roles = ["User.Read.All", "User.EnableDisableAccount.All", "Group.ReadWrite.All"];
    tenant.simulator.grant(contoso::WRITER, &roles);
    let has = tenant.run(&["doctor"]);
    assert!(about(&has, "app that writes")[0].starts_with("ok"), "{has:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_told_in_entras_own_words() {
    let tenant = Tenant::start().await;
    let printed = tenant.run_with(&[("GUESTLIST_READ_CLIENT_SECRET", "old")], &["doctor"]);
    let line = about(&printed, "app that reads")[0];
    assert!(line.starts_with("WRONG") && line.contains("AADSTS7000215"), "{line}");
    let other = [("GUESTLIST_READ_CLIENT_ID", "00000000-0000-4000-8000-000000000bad")];
    let printed = tenant.run_with(&other, &["doctor"]);
    let line = about(&printed, "app that reads")[0];
    assert!(line.starts_with("WRONG") && line.contains("AADSTS700016"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_told() {
    let tenant = Tenant::start().await;
    let past = || async { ([(header::DATE, "Fri, 20 Nov 2020 09:00:00 GMT")], "").into_response() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let login = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(past)).await });
    let printed = tenant.run_with(&[("GUESTLIST_LOGIN_URL", &login)], &["doctor"]);
    let line = about(&printed, "clock")[0];
    assert!(
        line.starts_with("WRONG") && line.ends_with("s off that of 127.0.0.1: set this machine's clock"),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_in_the_policy_that_names_nobody_is_told() {
    let tenant = Tenant::start().await;
    let nobody = "00000000-0000-4000-8000-000000000bad";
    let policy = format!(
        "{POLICY}protect:\n  users: [{}, {nobody}]\nexceptions:\n  - guest: {nobody}\n    from: [blocked-domain]\n    \
         until: 2099-12-31\n    ticket: SEC-1\n    approved_by: ciso@contoso.com\n",
        contoso::CAROL
    );
    std::fs::write(tenant.policy(), policy).unwrap();
    let printed = tenant.run(&["doctor"]);
    let lines = about(&printed, "policy: protected").into_iter().chain(about(&printed, "policy: excepted"));
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    WRONG  policy: protected user 00000000-0000-4000-8000-000000000bad is not in the tenant: mend `protect`
    ok     policy: protected user ca201000-0000-4000-8000-000000000003 is there
    WRONG  policy: excepted guest 00000000-0000-4000-8000-000000000bad is not in the tenant: mend `exceptions`
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_settings_and_policy_is_told_here_too() {
    let tenant = Tenant::start().await;
    let printed = tenant.run_with(&[("GUESTLIST_TENANT_ID", ""), ("GUESTLIST_LISTEN", "x")], &["doctor"]);
    printed.expect(3);
    assert_eq!(wrong(&printed).len(), 2, "{printed:?}");
    std::fs::write(tenant.policy(), POLICY.replace("[disable]", "[disabel]")).unwrap();
    let printed = tenant.run(&["doctor"]);
    assert!(about(&printed, "policy")[0].contains("policy.yaml:11:12: "), "{printed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_message_is_sent_where_it_is_asked_for() {
    let tenant = Tenant::start().await;
    tenant.run(&["doctor"]).expect(3);
    assert_eq!(tenant.told().len(), 0);
    let printed = tenant.run(&["doctor", "--send-test"]);
    assert!(about(&printed, "channel `slack`")[0].starts_with("ok"), "{printed:?}");
    assert_eq!(tenant.told_with("a test message of `guestlist doctor`"), 1, "{:?}", tenant.told());
    let gone = [("GUESTLIST_SLACK_WEBHOOK_URL", "http://127.0.0.1:1/services/x")];
    let printed = tenant.run_with(&gone, &["doctor", "--send-test"]);
    assert!(about(&printed, "channel `slack`")[0].starts_with("WRONG"), "{printed:?}");
}
