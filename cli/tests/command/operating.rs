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
      GUESTLIST_DATA: there is no store at `<data>/guestlist.db`; set it to the folder of the running `guestlist serve`, or see `infra/aws` for a deployment on AWS
    ");
    let mut serve = tenant.serve().await;
    tenant.until("well", || tenant.run(&["status"]).code == 0).await;
    tenant.until("reconciled", || tenant.run(&["status"]).stdout.contains("applied to all")).await;
    let folder = tenant.folder.path().display().to_string();
    let hash = tenant.json(&["validate"])["hash"].as_str().unwrap().to_owned();
    let masked = |line: &str| without_ids(&line.replace(&folder, "<folder>").replace(&hash, "<hash>"));
    let status: Vec<String> = tenant.run(&["status"]).stdout.lines().map(masked).collect();
    assert_snapshot!(status.join("\n"), @"
    QUEUE         READY  WAITING  CLAIMED  DEAD  OLDEST READY SINCE
    changes       0      0        0        0     -
    remediations  0      0        0        0     -
    alerts        0      0        0        0     -
    chores        0      0        0        0     -
    WAITING: looks, jobs and messages that are due later
    subscriptions: /groups alive until <when>, no notification yet; /users alive until <when>, no notification yet
    reconciliation: 0 accounts from outside gone over at <when>, and once more when 15 minutes have passed
    the policy `<hash>` (GUESTLIST_AT_MOST enforce) has been applied to all since <when>
    from a notification to its first look: /users none yet; /groups none yet
    canary: not set
    channels: slack was told nothing yet
    policy: `<folder>/policy.yaml` (<hash>), mode enforce; GUESTLIST_AT_MOST is enforce
    writes: as the policy says
    incidents: none open or in force
    breaker: closed; newcomers (guests who were created less than a day ago): 0 of 200 touched within the hour; established guests: 0 of 3 touched within the hour
    all is well
    ");
    assert_eq!(tenant.json(&["status"])["well"], true);
    serve.kill_nine();
    let status = tenant.run(&["status"]);
    let last = status.expect(3).stdout.lines().last().unwrap();
    assert_snapshot!(last, @"nobody runs notifications, assess, remediate, alert, steward: start `guestlist serve`");
}

/// As it is a quarter of an hour later, when the second listing has come to its end.
#[tokio::test(flavor = "multi_thread")]
async fn up_to_when_every_change_was_assessed_is_said_with_how_it_is_known() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve().await;
    tenant.until("reconciled", || tenant.run(&["status"]).stdout.contains("applied to all")).await;
    assert_eq!(serve.terminate().code(), Some(0));
    let id: model::TenantId = contoso::TENANT.to_string().parse().unwrap();
    let store = host::Store::open(&tenant.data(), id).unwrap();
    let deltas = store.ledger.deltas().await.unwrap();
    let mut listing = store.ledger.listing().await.unwrap().unwrap();
    listing.value.made_good = deltas.iter().map(|delta| (delta.resource, delta.begun_at)).collect();
    store.ledger.replace(listing).await.unwrap();
    store.close();
    let status = tenant.run(&["status"]);
    let line = status.stdout.lines().find(|line| line.contains("was assessed")).unwrap();
    assert_snapshot!(without_ids(line), @"every change up to <when> was assessed: Graph's delta queries of users and groups at <when>, and 0 accounts from outside gone over at <when>");

    // A page that Graph refuses each time, say: the next listing is as late as the first.
    let store = host::Store::open(&tenant.data(), id).unwrap();
    let mut listing = store.ledger.listing().await.unwrap().unwrap();
    listing.value.place = model::ListingPlace::Users { cursor: None };
    listing.value.tried_since = Some(host::clock().now() - jiff::SignedDuration::from_hours(13));
    store.ledger.replace(listing).await.unwrap();
    store.close();
    let status = tenant.run(&["status"]);
    let line = status.expect(3).stdout.lines().find(|line| line.contains("were to be gone over")).unwrap();
    assert_snapshot!(without_ids(line), @"all accounts were to be gone over since <when>, and that has not come to its end: see the log of `serve`");
}

/// Puts the incident of this guest into a state, while nobody serves.
async fn put(tenant: &Tenant, guest: uuid::Uuid, state: model::State) {
    let id: model::TenantId = contoso::TENANT.to_string().parse().unwrap();
    let store = host::Store::open(&tenant.data(), id).unwrap();
    let found = store.ledger.incidents_of(model::ObjectId::from_u128(guest.as_u128())).await.unwrap();
    let mut stored = found.into_iter().next().unwrap();
    stored.value.state = state;
    store.ledger.replace(stored).await.unwrap();
    store.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_that_need_a_person_are_counted_and_a_failed_one_is_not_well() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve_under(GROUPS).await;
    let olga = tenant.invite("olga@northwind.example");
    tenant.simulator.tenant().assign_role(olga, "User Administrator").unwrap();
    tenant.until_state(olga, "refused").await;
    let last = |code| tenant.run(&["status"]).expect(code).stdout.lines().last().unwrap().to_owned();
    tenant.until("well", || tenant.run(&["status"]).code == 0).await;
    assert_eq!(last(0), "1 incident needs a person; all else is well");
    let adele = tenant.invite("adele@fabrikam.com");
    tenant.add(tenant.group("Project X"), adele);
    tenant.until_state(adele, "waiting").await;
    tenant.until("well", || tenant.run(&["status"]).code == 0).await;
    assert_eq!(last(0), "2 incidents need a person; all else is well");
    assert_eq!(tenant.json(&["status"])["for_people"], serde_json::json!({"refused": 1, "waiting": 1}));
    let nina = tenant.invite("nina@northwind.example");
    tenant.until_done(nina).await;
    assert_eq!(serve.terminate().code(), Some(0));
    let why = || "the group is gone".to_owned();
    put(&tenant, nina, model::State::Failed { why: why() }).await;
    put(&tenant, adele, model::State::Partly { at: jiff::Timestamp::now(), why: why() }).await;
    // Nobody can look at them: what is true would be found out.
    let nothing = simulator::Quota { units: 0, within: jiff::SignedDuration::from_hours(1) };
    tenant.simulator.set_faults(|faults| faults.quota = Some(nothing));
    let _serve = crate::process::Process::serve(&tenant);
    let all = || tenant.run(&["status"]).expect(3).stdout.clone();
    tenant.until("running", || !all().contains("nobody runs")).await;
    let told = all();
    let lines: Vec<&str> = told.lines().skip_while(|line| !line.starts_with("incidents: ")).collect();
    assert_snapshot!(lines.join("\n"), @"
    incidents: 1 failed, 1 partly, 1 refused
    1 refused, because a person must do it: `guestlist incidents --state refused`
    1 done in part, and the rest is for a person: `guestlist incidents --state partly`
    breaker: closed; newcomers (guests who were created less than a day ago): 1 of 200 touched within the hour; established guests: 0 of 3 touched within the hour
    1 failed, and somebody has to look: `guestlist incidents --state failed`
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_file_that_would_not_be_taken_is_not_well() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    tenant.until("well", || tenant.run(&["status"]).code == 0).await;
    let status = &tenant.json(&["status"])["policy"];
    assert_eq!((&status["mode"], status["hash"].as_str().unwrap().len()), (&"enforce".into(), 16));
    let other = tenant.folder.path().join("other.yaml");
    std::fs::write(&other, "version: 1\nmod: enforce\n").unwrap();
    let (shown, data) = (other.display().to_string(), tenant.folder.path().display().to_string());
    let status = tenant.run_with(&[("GUESTLIST_POLICY", &shown), ("GUESTLIST_AT_MOST", "")], &["status"]);
    let lines: Vec<String> =
        status.expect(3).stdout.lines().map(|line| line.replace(&data, "<folder>")).collect();
    let line = lines.iter().find(|line| line.starts_with("policy: ")).unwrap();
    assert_eq!(line, "policy: `<folder>/other.yaml` is not valid; GUESTLIST_AT_MOST is observe");
    let start =
        "the policy file is not valid, and `guestlist serve` does not take it: <folder>/other.yaml:2:1: ";
    assert!(lines.last().unwrap().starts_with(start), "{lines:?}");
    let unset = tenant.run_with(&[("GUESTLIST_POLICY", "")], &["status"]);
    assert!(unset.expect(0).stdout.contains("policy: GUESTLIST_POLICY is not set here"), "{unset:?}");
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

    Undo: guestlist undo <id> --reason …
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
    store.close();
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
