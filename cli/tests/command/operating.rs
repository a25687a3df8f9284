//! `status`, `incidents`, `subscriptions` and `dead`: what an operator looks at.

use insta::assert_snapshot;
use serde_json::Value;
use simulator::contoso;

use crate::tenant::{GROUPS, Tenant, without_ids};

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_while_somebody_serves_and_not_afterwards() {
    let tenant = Tenant::start().await;
    let nothing = tenant.run(&["status"]);
    let said = nothing.expect(2).stderr.replace(&tenant.data().display().to_string(), "<data>");
    assert_snapshot!(said, @"
    error: 1 setting is missing or wrong:
      GUESTLIST_DATA: there is no store at `<data>/guestlist.db`; set it to the folder of the running `guestlist serve`
    ");
    let mut serve = tenant.serve().await;
    tenant.until("well", || tenant.run(&["status"]).code == 0).await;
    assert_snapshot!(tenant.run(&["status"]).stdout, @"
    QUEUE         READY  WAITING  CLAIMED  DEAD
    changes       0      0        0        0
    remediations  0      0        0        0
    alerts        0      0        0        0
    chores        0      0        0        0
    incidents: none
    breaker: closed; guests created within a day: 0 of 200 touched within the hour; established guests: 0 of 3 touched within the hour
    all is well
    ");
    assert_eq!(tenant.json(&["status"])["well"], true);
    serve.kill_nine();
    let status = tenant.run(&["status"]);
    let last = status.expect(3).stdout.lines().last().unwrap();
    assert_snapshot!(last, @"nobody runs notifications, assess, remediate, alert, steward: start `guestlist serve`");
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_listed_and_a_lost_one_is_not_well() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    tenant.until("alive", || tenant.run(&["subscriptions"]).code == 0).await;
    let rows = tenant.json(&["subscriptions"]);
    let alive: Vec<&str> =
        rows.as_array().unwrap().iter().map(|row| row["resource"].as_str().unwrap()).collect();
    assert_eq!(alive.len(), 2, "{rows}");
    assert!(alive.contains(&"/users") && alive.contains(&"/groups"), "{rows}");
    assert!(!rows.to_string().contains("clientState"), "{rows}");
    let table = tenant.run(&["subscriptions"]).stdout;
    assert!(table.starts_with("RESOURCE") && table.contains("alive"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_cannot_be_made_is_not_well() {
    let tenant = Tenant::start().await;
    tenant.simulator.grant(contoso::READER, &["User.Read.All"]);
    let _serve = crate::process::Process::serve(&tenant);
    tenant.until("subscribed to users", || tenant.simulator.subscriptions().len() == 1).await;
    let printed = tenant.run(&["subscriptions"]);
    assert!(printed.expect(3).stderr.contains("no living subscription to `/groups`"), "{printed:?}");
    let status = tenant.run(&["status"]);
    assert!(status.expect(3).stdout.contains("no living subscription to `/groups`"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_are_listed_latest_first_filtered_and_shown() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    let none = tenant.run(&["incidents"]);
    assert_eq!((none.expect(0).stdout.as_str(), none.stderr.as_str()), ("", "there are no such incidents\n"));
    let nina = tenant.invite_as("nina@northwind.example", Some("Nina"));
    tenant.until_done(nina).await;
    let mallory = tenant.invite_as("mallory@evil.example", Some("Mallory"));
    tenant.until_done(mallory).await;
    let count =
        |arguments: &[&str]| tenant.json(&[&["incidents"], arguments].concat()).as_array().unwrap().len();
    assert_eq!(count(&[]), 3);
    assert_eq!(count(&["--state", "done"]), 3);
    assert_eq!(count(&["--state", "open"]), 0);
    assert_eq!(count(&["--rule", "blocked-domain"]), 1);
    assert_eq!(count(&["--guest", &nina.to_string()]), 1);
    assert_eq!(count(&["--limit", "2"]), 2);
    let limited = tenant.run(&["incidents", "--limit", "2"]);
    assert!(limited.stderr.contains("the latest 2 of 3: `--limit` shows more"), "{limited:?}");
    assert!(!limited.stdout.contains("nina"), "not the latest: {limited:?}");
    tenant.run(&["incidents", "--state", "opne"]).expect(2);

    let incident = tenant.incidents_of(nina)[0]["id"].as_str().unwrap().to_owned();
    tenant.until("told", || tenant.told_with("Disabled guest nina") == 1).await;
    let sent = || tenant.json(&["incidents", "show", &incident]).to_string().contains("\"sent\"");
    tenant.until("told", sent).await;
    let shown = tenant.run(&["incidents", "show", &incident]);
    let masked: Vec<String> =
        shown.expect(0).stdout.lines().map(|line| without_times(&without_ids(line))).collect();
    assert_snapshot!(masked.join("\n"), @"
    Disabled guest nina@northwind.example: otherwise.guest (medium)

    Who
      Nina · guest · account disabled
      Address: nina@northwind.example
      Organisation: northwind.example
      Sponsor: Alice
      Object id: <id> · created <when> <when> UTC

    What happened
      Breaks the rule otherwise.guest (medium severity)
      • no scenario admits the account
      • mail `nina@northwind.example` is of no partner

    What was done
      Disabled the account, and read it back at <when> <when> UTC.
      Graph request-id: <id>

    What is left over
      • access tokens issued before now stay valid for up to about an hour; apps with sessions of their own may keep them longer
      • memberships, app roles and sharing links of the account that were not taken away are still there, and work again if it is enabled

    Undo: guestlist undo <id>
    Details: guestlist incidents show <id>
    incident <id> · done · mode enforce · tenant <id> · opened <when> <when> UTC · seen <times>

    Steps
      <when>  disable the account: done, and read back (Graph request-id <id>)

    Messages
      slack: a later state was told instead
      slack: told at <when>
    ");
    let unknown = tenant.run(&["incidents", "show", "9f2c41d05be07a13-1"]);
    assert_snapshot!(unknown.expect(4).stderr, @"there is no incident `9f2c41d05be07a13-1`: see `guestlist incidents`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_has_a_column_where_a_finding_is_about_one_and_a_span_leaves_out_what_is_older() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve_under(GROUPS).await;
    let nina = tenant.invite("nina@northwind.example");
    tenant.until_done(nina).await;
    let plain = tenant.run(&["incidents"]).stdout;
    assert!(plain.starts_with("INCIDENT") && !plain.contains("GROUP"), "{plain}");
    let adele = tenant.invite("adele@fabrikam.com");
    tenant.add(tenant.group("Project X"), adele);
    let waits = tenant.until_state(adele, "waiting").await;
    let listed = tenant.run(&["incidents", "--since", "1h"]).stdout;
    let about = |who: &str| listed.lines().find(|line| line.contains(who)).unwrap().to_owned();
    assert!(about("adele@fabrikam.com").contains("  Project X  "), "{listed}");
    assert!(about("nina@northwind.example").contains("  -          "), "{listed}");
    tenant.run(&["incidents", "--since", "soon"]).expect(2);
    assert_eq!(serve.terminate().code(), Some(0));
    let id: model::TenantId = contoso::TENANT.to_string().parse().unwrap();
    let store = host::Store::open(&tenant.data(), id).unwrap();
    let mut stored = store.ledger.incident(&waits.parse().unwrap()).await.unwrap().unwrap();
    stored.value.updated_at =
        stored.value.updated_at.checked_sub(jiff::SignedDuration::from_hours(3)).unwrap();
    store.ledger.replace(stored).await.unwrap();
    store.database.close();
    let found = |since: &str| tenant.json(&["incidents", "--since", since]).as_array().unwrap().len();
    assert_eq!((found("2h"), found("4h")), (1, 2));
}

/// Our own write comes back, and is seen or not yet.
fn without_times(line: &str) -> String {
    line.split_once(" · seen ")
        .map_or_else(|| line.to_owned(), |(before, _)| format!("{before} · seen <times>"))
}

/// Posts an item that nobody can read, with a `clientState` of ours.
async fn unreadable(tenant: &Tenant) {
    tenant.simulator.record_as_fault(true);
    let subscription = tenant.simulator.subscriptions().into_iter().next().unwrap();
    let item = serde_json::json!({
        "subscriptionId": subscription.id, "clientState": subscription.client_state, "changeType": "updated",
        "tenantId": contoso::TENANT, "resource": "Users/\u{1b}[2J\u{202e}",
        "resourceData": {"@odata.type": "#Microsoft.Graph.User", "id": "no guid \u{1b}]0;x\u{7}\u{202e}"},
    });
    let body = serde_json::json!({"value": [item]}).to_string();
    let url = format!("http://127.0.0.1:{}/graph/notifications", tenant.port).parse().unwrap();
    let reply = wire::Wire::network().unwrap().send(wire::Call::post(url, body)).await.unwrap();
    assert_eq!(reply.status.as_u16(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_shown_replayed_and_dropped() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    let none = tenant.run(&["dead", "list"]);
    assert_eq!((none.expect(0).stdout.as_str(), none.stderr.as_str()), ("", "there are no dead letters\n"));
    unreadable(&tenant).await;
    let letters = || tenant.json(&["dead", "list"]).as_array().unwrap().clone();
    assert_eq!(letters().len(), 1);
    tenant.until("told", || tenant.told_with("dead").min(1) == 1).await;
    assert_eq!(tenant.run(&["status"]).expect(3).stdout.matches("dead letters").count(), 1);
    let id = letters()[0]["id"].as_str().unwrap().to_owned();
    let shown = tenant.run(&["dead", "show", &id]);
    assert!(shown.expect(0).stdout.contains("body        {"), "{shown:?}");
    assert!(tenant.run(&["dead", "list"]).stdout.contains(&id));
    let replayed = tenant.json(&["dead", "replay", &id]);
    assert_eq!((&replayed["id"], &replayed["became"]), (&Value::from(id.as_str()), &"replayed".into()));
    tenant.until("buried again", || letters().first().is_some_and(|one| one["id"] != id.as_str())).await;
    let gone = tenant.run(&["dead", "show", &id]);
    assert!(gone.expect(4).stderr.contains("there is no dead letter"), "{gone:?}");
    let id = letters()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(tenant.json(&["dead", "drop", &id])["became"], "dropped");
    assert!(letters().is_empty());
    tenant.run(&["dead", "drop", &id]).expect(4);
    let wrong = tenant.run(&["dead", "show", "7"]);
    assert!(wrong.expect(2).stderr.contains("is not a dead letter's id, like `changes/7`"), "{wrong:?}");
}
