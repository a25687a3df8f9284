//! The functions as processes of their own on one store. What the internet reaches has no credential for Graph, and only
//! `remediate` has the one that writes.

use std::path::PathBuf;
use std::process::Command;

use wire::{Call, Wire};

use crate::process::Process;
use crate::tenant::{Tenant, free_port};

/// `cargo test --workspace` builds them, because each has a test of its own; they lie beside `guestlist`.
fn binary(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_BIN_EXE_guestlist"));
    let path = folder.with_file_name(format!("guestlist-{name}{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        let package = format!("guestlist-function-{name}");
        let built = Command::new(env!("CARGO")).args(["build", "--package", &package]).status().unwrap();
        assert!(built.success() && path.exists(), "build it with `cargo build --package {package}`");
    }
    path
}

const SHARED: [&str; 3] = ["GUESTLIST_TENANT_ID", "GUESTLIST_DATA", "GUESTLIST_LOGIN_URL"];

/// What each may know beside [`SHARED`].
const KNOWS: [(&str, &[&str]); 5] = [
    ("notifications", &["GUESTLIST_LISTEN", "GUESTLIST_CHANNELS"]),
    (
        "assess",
        &[
            "GUESTLIST_READ_",
            "GUESTLIST_GRAPH_URL",
            "GUESTLIST_POLICY",
            "GUESTLIST_AT_MOST",
            "GUESTLIST_CHANNELS",
        ],
    ),
    (
        "remediate",
        &[
            "GUESTLIST_WRITE_",
            "GUESTLIST_GRAPH_URL",
            "GUESTLIST_POLICY",
            "GUESTLIST_AT_MOST",
            "GUESTLIST_CHANNELS",
        ],
    ),
    ("alert", &["GUESTLIST_SLACK_WEBHOOK_URL"]),
    ("steward", &["GUESTLIST_READ_", "GUESTLIST_GRAPH_URL", "GUESTLIST_PUBLIC_URL", "GUESTLIST_CHANNELS"]),
];

fn start(tenant: &Tenant, name: &str, knows: &[&str]) -> Process {
    let mut command = Command::new(binary(name));
    let mut all = tenant.environment();
    all.push(("GUESTLIST_CHANNELS", "slack".to_owned()));
    let known = |setting: &str| SHARED.contains(&setting) || knows.iter().any(|one| setting.starts_with(one));
    command.env_clear().envs(all.into_iter().filter(|(setting, _)| known(setting)));
    Process::start(command, &tenant.log())
}

/// The receiver first: it has to answer when the steward subscribes.
async fn start_all(tenant: &Tenant) -> Vec<Process> {
    let mut processes = Vec::new();
    for (name, knows) in KNOWS {
        processes.push(start(tenant, name, knows));
        tenant.until("listening", || processes[0].log().contains("listening")).await;
    }
    tenant.until("subscribed", || tenant.simulator.subscriptions().len() == 2).await;
    processes
}

#[tokio::test(flavor = "multi_thread")]
async fn five_processes_do_together_what_serve_does_and_each_knows_no_more_than_it_needs() {
    let tenant = Tenant::start().await;
    let mut processes = start_all(&tenant).await;
    tenant.until("well", || tenant.run(&["status"]).code == 0).await;
    let adele = tenant.invite("adele@fabrikam.com");
    let nina = tenant.invite("nina@northwind.example");
    let incident = tenant.until_done(nina).await;
    tenant.until("told", || tenant.told_with("Disabled guest nina") == 1).await;
    tenant.run(&["undo", &incident, "--reason", "she is expected"]).expect(0);
    assert!(tenant.is_enabled(nina));
    tenant.until("told of the undo", || tenant.told_with("she is expected") == 1).await;
    assert!(tenant.is_enabled(adele));
    let policy = std::fs::read_to_string(tenant.policy()).unwrap();
    std::fs::write(tenant.policy(), policy.replace("severity: high", "severity: critical")).unwrap();
    let taken = || tenant.told_with("is in force; before it was");
    tenant.until("told of the policy", || taken() == 1).await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(taken(), 1, "two processes watch the file, and people are told once");
    for process in &mut processes {
        assert_eq!(process.terminate().code(), Some(0), "{}", process.log());
    }
    let status = tenant.run(&["status"]);
    assert!(
        status.expect(3).stdout.contains("nobody runs notifications, assess, remediate, alert, steward"),
        "{status:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_function_gone_the_others_go_on_and_nothing_is_lost() {
    let tenant = Tenant::start().await;
    let mut processes = start_all(&tenant).await;
    let (name, knows) = KNOWS[2];
    processes[2].kill_nine();
    let mallory = tenant.invite("mallory@evil.example");
    tenant.until("found", || !tenant.incidents_of(mallory).is_empty()).await;
    let status = tenant.run(&["status"]);
    assert!(status.expect(3).stdout.contains("nobody runs remediate: "), "{status:?}");
    assert!(tenant.is_enabled(mallory));
    processes[2] = start(&tenant, name, knows);
    tenant.until_done(mallory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_that_a_message_leads_to_is_shown_by_serve_and_by_a_process_that_knows_the_store_alone() {
    const PAGES: &str = "https://guestlist.contoso.com";
    let tenant = Tenant::start().await;
    let mut serve = Process::serve_with(&tenant, &[("GUESTLIST_APPROVALS_URL", PAGES)]);
    tenant.until("subscribed", || tenant.simulator.subscriptions().len() == 2).await;
    let nina = tenant.invite("nina@northwind.example");
    tenant.until_done(nina).await;
    tenant.until("told", || tenant.told_with("Disabled guest nina") == 1).await;
    let told = tenant.told().concat();
    let link = told.split('<').find_map(|rest| rest.strip_prefix(PAGES)?.split('>').next());
    let link = link.unwrap_or_else(|| panic!("{told}"));
    let port = free_port();
    let mut command = Command::new(binary("approvals"));
    let all = tenant.environment().into_iter().filter(|(setting, _)| SHARED.contains(setting));
    command.env_clear().envs(all).env("GUESTLIST_LISTEN", format!("127.0.0.1:{port}"));
    let mut approvals = Process::start(command, &tenant.log());
    let listens = format!("127.0.0.1:{port}");
    tenant.until("listening", || approvals.log().contains(&listens)).await;
    let wire = Wire::network().unwrap();
    for port in [tenant.port, port] {
        let page = Call::get(format!("http://127.0.0.1:{port}{link}").parse().unwrap());
        let page = wire.send(page).await.unwrap();
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(page.status.is_success() && text.contains("nina@northwind.example"), "{text}");
    }
    let status = tenant.run_with(&[("GUESTLIST_APPROVALS_URL", PAGES)], &["status"]);
    assert!(!status.stdout.contains("nobody runs"), "{status:?}");
    for process in [&mut serve, &mut approvals] {
        assert_eq!(process.terminate().code(), Some(0), "{}", process.log());
    }
    let status = tenant.run_with(&[("GUESTLIST_APPROVALS_URL", PAGES)], &["status"]);
    assert!(status.expect(3).stdout.contains("steward, approvals: start `guestlist serve`"), "{status:?}");
}
