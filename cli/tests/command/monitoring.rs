//! What monitoring asks of the real process, and the canary that it flies.

use serde_json::Value;
use simulator::{NewGroup, NewUser};
use uuid::Uuid;
use wire::{Call, Reply, Wire};

use crate::process::Process;
use crate::tenant::{Tenant, free_port, without_ids};

async fn get(port: u16, path: &str) -> Option<Reply> {
    let url = format!("http://127.0.0.1:{port}{path}").parse().unwrap();
    Wire::network().unwrap().send(Call::get(url)).await.ok()
}

async fn body(port: u16, path: &str) -> String {
    let reply = get(port, path).await.unwrap();
    String::from_utf8(reply.body.to_vec()).unwrap()
}

/// An account and a group as the README says that they have to be.
fn canary(tenant: &Tenant) -> (Uuid, Uuid) {
    let name = Some("guestlist-canary".to_owned());
    let account = NewUser { name, ..NewUser::member("guestlist-canary@contoso.com") };
    let user = tenant.simulator.tenant().add_user(account);
    (user, tenant.simulator.tenant().create_group(NewGroup::named("guestlist-canary")))
}

#[tokio::test(flavor = "multi_thread")]
async fn monitoring_is_answered_on_a_port_of_its_own_and_only_if_it_is_set() {
    let tenant = Tenant::start().await;
    let port = free_port();
    let admin = format!("127.0.0.1:{port}");
    let mut without = tenant.serve().await;
    assert!(get(port, "/healthz").await.is_none(), "nobody asked for it");
    assert_eq!(without.terminate().code(), Some(0));
    let mut serve = Process::serve_with(&tenant, &[("GUESTLIST_ADMIN_LISTEN", &admin)]);
    tenant.until("answering", || serve.log().contains("answering monitoring")).await;
    tenant.until("well", || tenant.run(&["status"]).code == 0).await;
    assert_eq!(get(port, "/healthz").await.unwrap().status.as_u16(), 200);
    let ready: Value = serde_json::from_str(&body(port, "/readyz").await).unwrap();
    assert_eq!(ready["ready"], true, "{ready}");
    let mallory = tenant.invite("mallory@evil.example");
    tenant.until_done(mallory).await;
    let metrics = body(port, "/metrics").await;
    assert!(metrics.contains("guestlist_findings_total{rule=\"blocked-domain\"}"), "{metrics}");
    assert!(!metrics.contains("mallory") && !metrics.contains(&mallory.to_string()), "{metrics}");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(
            get(tenant.port, path).await.unwrap().status.as_u16(),
            404,
            "the internet can ask: {path}"
        );
    }
    let second = tenant.run_with(
        &[
            ("GUESTLIST_ADMIN_LISTEN", &admin),
            ("GUESTLIST_LISTEN", "127.0.0.1:0"),
            ("GUESTLIST_LOG", "error"),
        ],
        &["serve"],
    );
    let said = second.expect(1).stderr.replace(&port.to_string(), "<port>");
    insta::assert_snapshot!(said, @"error: failed to listen on `127.0.0.1:<port>`: set GUESTLIST_ADMIN_LISTEN to a free address and port: Address already in use (os error 98)");
    assert_eq!(serve.terminate().code(), Some(0), "{}", serve.log());
    let waits = || tenant.run(&["status"]).stdout;
    let looks = waits().lines().find(|line| line.starts_with("from a notification")).unwrap().to_owned();
    assert!(looks.contains("/users half within "), "a stop writes down what was counted: {looks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_flown_and_seen_in_the_status_and_one_that_is_unset_is_missed_by_nobody() {
    let tenant = Tenant::start().await;
    let (user, group) = canary(&tenant);
    let ids = [user.to_string(), group.to_string()];
    let set = [("GUESTLIST_CANARY_USER", ids[0].as_str()), ("GUESTLIST_CANARY_GROUP", ids[1].as_str())];
    let mut serve = Process::serve_with(&tenant, &set);
    tenant.until("back", || tenant.run(&["status"]).stdout.contains("canary: last back at ")).await;
    assert!(tenant.json(&["status"])["canary"]["last_lag_ms"].is_u64());
    assert!(tenant.is_member(group, user));
    let line = || {
        let stdout = tenant.run(&["status"]).stdout;
        stdout.lines().find(|line| line.starts_with("canary: ")).unwrap().to_owned()
    };
    let said = without_ids(&line());
    assert!(said.starts_with("canary: last back at <when>, ") && said.ends_with(" (of 1)"), "{said}");
    assert_eq!(tenant.incidents_of(user).len(), 0);
    tenant.run(&["stop"]).expect(0);
    tenant.until("held", || line().starts_with("canary: not flown, because writes are stopped by ")).await;
    tenant.run(&["resume"]).expect(0);
    assert_eq!(serve.terminate().code(), Some(0));
    tenant.simulator.tenant().rename_group(group, "Marketing 2").unwrap();
    let mut store =
        host::Store::open(&tenant.data(), "c0270500-0000-4000-8000-000000000000".parse().unwrap());
    let ledger = store.as_mut().unwrap().ledger.clone();
    let mut stored = ledger.canary().await.unwrap().unwrap();
    stored.value.next_at = jiff::Timestamp::now();
    ledger.replace(stored).await.unwrap();
    store.unwrap().close();
    let mut serve = Process::serve_with(&tenant, &set);
    let refused = || tenant.run(&["status"]).stdout.contains("the canary is not flown: of the group");
    tenant.until("refused", refused).await;
    assert_eq!(tenant.run(&["status"]).code, 3);
    assert_eq!(serve.terminate().code(), Some(0));
    let _serve = tenant.serve().await;
    tenant.until("forgotten", || line() == "canary: not set").await;
}
