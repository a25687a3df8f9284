//! `guestlist check`: what the policy would do today, and nothing is written anywhere.

use std::collections::BTreeMap;
use std::path::Path;

use insta::assert_snapshot;
use simulator::{NewUser, contoso};

use crate::tenant::{GROUPS, POLICY, Tenant, me, without_ids};

/// Every row of every table.
fn rows(database: &Path) -> BTreeMap<String, Vec<String>> {
    use embedded::rusqlite::{Connection, types::Value};
    let connection = Connection::open(database).unwrap();
    let mut tables = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let names: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let read = |name: &String| {
        let mut all = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = all.column_count();
        let row = |row: &embedded::rusqlite::Row<'_>| {
            Ok((0..columns)
                .map(|n| format!("{:?}", row.get::<_, Value>(n).unwrap()))
                .collect::<Vec<_>>()
                .join("|"))
        };
        all.query_map([], row).unwrap().map(Result::unwrap).collect()
    };
    names.iter().map(|name| (name.clone(), read(name))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_guest_is_judged_as_serve_would_judge_him() {
    let tenant = Tenant::start().await;
    let mallory = tenant.invite_as("mallory@evil.example", Some("Mallory")).to_string();
    let adele = tenant.invite_as("adele@fabrikam.com", Some("Adele")).to_string();
    assert_snapshot!(tenant.run(&["check", &mallory]).expect(0).stdout.replace(&mallory, "<id>"), @"
    Mallory (guest), mallory@evil.example
    breaks `blocked-domain` (high): mail `mallory@evil.example` matches `evil.example` in list `blocked`
      would disable the account
    breaks `otherwise.guest` (medium): no scenario admits the account; mail `mallory@evil.example` is of no partner
      would disable the account
    ");
    assert_snapshot!(tenant.run(&["check", &adele]).expect(0).stdout, @"
    Adele (guest), adele@fabrikam.com
    admitted by `agency-work`
    nothing to object to
    ");
    let bob = tenant.run(&["check", &contoso::BOB.to_string()]);
    assert_snapshot!(bob.expect(0).stdout, @"b0b00000-0000-4000-8000-000000000002 is an internal member: nothing to judge");
    let unknown = tenant.run(&["check", "00000000-0000-4000-8000-000000000bad"]);
    assert_snapshot!(unknown.expect(4).stderr, @"there is no user `00000000-0000-4000-8000-000000000bad` in the tenant");
    let wrong = tenant.run(&["check", "mallory@evil.example"]);
    let said = "`mallory@evil.example` is not an object id (a GUID of 36 characters), but an address: the object id stands on \
                the user's page (Entra admin center → Users)";
    assert!(wrong.expect(2).stderr.contains(said), "{wrong:?}");
    let wrong = tenant.run(&["incidents", "--guest", "mallory@evil.example"]);
    assert!(wrong.expect(2).stderr.contains(said), "{wrong:?}");
    tenant.run(&["check"]).expect(2);
    tenant.run(&["check", "--all", &adele]).expect(2);
    let judged = tenant.json(&["check", &mallory]);
    assert_eq!(judged["findings"][0]["rule"], "blocked-domain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_is_protected_would_be_told_and_nothing_done() {
    let tenant = Tenant::start().await;
    let olga = tenant.invite("olga@evil.example");
    tenant.simulator.tenant().assign_role(olga, "User Administrator").unwrap();
    let shown = tenant.run(&["check", &olga.to_string()]);
    let line = shown.expect(0).stdout.lines().find(|line| line.contains("nothing done")).unwrap().to_owned();
    assert_snapshot!(without_ids(line.trim()), @"would be told, and nothing done: the account holds the directory role `<id>`: a Privileged Authentication Administrator must take it away or disable the account");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_tenant_is_read_page_by_page_and_counted_by_rule() {
    let tenant = Tenant::start().await;
    for n in 0..4 {
        tenant.invite(&format!("a{n}@fabrikam.com"));
        tenant.invite(&format!("n{n}@northwind.example"));
    }
    let mallory = tenant.invite("mallory@evil.example").to_string();
    let olga = tenant.invite("olga@evil.example");
    tenant.simulator.tenant().assign_role(olga, "User Administrator").unwrap();
    let visitor = tenant.simulator.tenant().add_user(NewUser::local_guest("visitor@contoso.com"));
    let bare = tenant.run(&["check", &visitor.to_string()]);
    assert_snapshot!(without_ids(bare.expect(0).stdout.lines().next().unwrap()), @"visitor (local guest), <id>");
    tenant.simulator.set_faults(|faults| faults.page_at_most = Some(3));
    let printed = tenant.run(&["check", "--all"]);
    let counts = printed.expect(0).stdout.split_once("\n\n").unwrap().1;
    assert_snapshot!(counts, @"
    RULE             FOUND  WOULD ACT  WOULD ASK  PROTECTED  UNKNOWN  BY HAND
    blocked-domain   2      1          0          1          0        0
    otherwise.guest  6      5          0          1          0        0

    What one rule alone would touch, switched to `enforce` (file and GUESTLIST_AT_MOST, too):
    RULE             GUESTS  DISABLED  MEMBERSHIPS  OWNERSHIPS
    blocked-domain   1       1         0            0
    otherwise.guest  5       5         0            0

    14 users, 11 of them guests; 5 without an objection
    ");
    let pages = printed.stderr.lines().filter(|line| line.ends_with("users read so far")).count();
    assert_eq!(pages, 4, "14 users, three to a page: {printed:?}");
    let json = tenant.json(&["check", "--all"]);
    assert_eq!(json["counts"]["users"], 14);
    assert_eq!(json["counts"]["by_rule"]["blocked-domain"]["would_act"], 1);
    let found = json["found"].as_array().unwrap();
    assert!(
        found
            .iter()
            .any(|one| one["guest"] == mallory.as_str() && one["finding"]["rule"] == "blocked-domain")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_so_already_would_not_be_done() {
    let tenant = Tenant::start().await;
    let nina = tenant.invite("nina@northwind.example");
    tenant.simulator.tenant().disable(nina).unwrap();
    let counts = &tenant.json(&["check", "--all"])["counts"]["by_rule"]["otherwise.guest"];
    assert_eq!((&counts["found"], &counts["would_act"]), (&1.into(), &0.into()), "{counts}");
    let asked = tenant.run_with(&[("GUESTLIST_AT_MOST", "ask")], &["check", "--all", "--output", "json"]);
    assert!(asked.expect(0).stdout.contains("\"would_ask\": 0"), "{asked:?}");
    let shown = tenant.run(&["check", &nina.to_string()]);
    let last = shown.expect(0).stdout.lines().last().unwrap();
    assert_snapshot!(last, @"  is so already, and nothing would be done: disable the account");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_rule_is_shown_with_its_group_and_its_end() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve_under(GROUPS).await;
    let adele = tenant.invite("adele@fabrikam.com");
    tenant.add(tenant.group("Project X"), adele);
    let waits = tenant.until_state(adele, "waiting").await;
    tenant.run(&["reject", &waits, "--reason", "she works there"]).expect(0);
    let shown = tenant.run(&["check", &adele.to_string()]);
    let line = shown.expect(0).stdout.lines().find(|line| line.starts_with("suspended")).unwrap();
    let masked = without_ids(&line.replace(&me(), "<me>"));
    assert_snapshot!(masked, @"suspended: project-groups in `Project X` (<id>) until <when> by <me>");
    assert!(!line.contains('.'), "to the second: {line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_writes_neither_to_the_tenant_nor_to_the_store() {
    let tenant = Tenant::start().await;
    let mallory = tenant.invite("mallory@evil.example").to_string();
    tenant.run(&["check", &mallory]).expect(0);
    tenant.run(&["check", "--all"]).expect(0);
    assert!(!tenant.data().exists(), "a check made the store");
    let mut serve = tenant.serve().await;
    let eve = tenant.invite("eve@evil.example");
    tenant.until_done(eve).await;
    assert_eq!(serve.terminate().code(), Some(0));
    let database = tenant.data().join("guestlist.db");
    let before = rows(&database);
    assert!(before.values().any(|rows| !rows.is_empty()));
    drop(tenant.simulator.take_writes());
    tenant.run(&["check", &mallory]).expect(0);
    tenant.run(&["check", "--all"]).expect(0);
    assert_eq!(rows(&database), before);
    assert_eq!(tenant.simulator.take_writes(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_policy_can_be_tried_and_a_wrong_one_is_told() {
    let tenant = Tenant::start().await;
    let adele = tenant.invite("adele@fabrikam.com").to_string();
    let other = tenant.folder.path().join("other.yaml");
    std::fs::write(&other, POLICY.replace("[evil.example]", "[fabrikam.com]")).unwrap();
    let printed = tenant.run(&["check", &adele, "--policy", other.to_str().unwrap()]);
    assert!(printed.expect(0).stdout.contains("breaks `blocked-domain`"), "{printed:?}");
    std::fs::write(&other, "version: 1\nmod: enforce\n").unwrap();
    let printed = tenant.run(&["check", &adele, "--policy", other.to_str().unwrap()]);
    assert!(printed.expect(2).stderr.contains("other.yaml:2:1: "), "{printed:?}");
    let observed = tenant.run_with(&[("GUESTLIST_AT_MOST", "")], &["check", "--all"]);
    assert!(!observed.expect(0).stdout.contains("  would disable"), "{observed:?}");
}
