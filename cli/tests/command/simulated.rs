//! `guestlist simulator`: what it prints can be used by `serve`, and its control API works.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Instant;

use serde_json::Value;
use wire::{Call, Wire};

use crate::process::Process;
use crate::tenant::{POLICY, command, free_port, run};

async fn post(url: String, body: &Value) -> (u16, Value) {
    let call = Call::post(url.parse().unwrap(), body.to_string());
    let call = call.header(http::header::CONTENT_TYPE, "application/json");
    let reply = Wire::network().unwrap().send(call).await.unwrap();
    (reply.status.as_u16(), serde_json::from_slice(&reply.body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_watches_the_simulator_with_what_it_prints() {
    let (port, receiver) = (free_port(), free_port());
    let listen = format!("127.0.0.1:{port}");
    let mut simulator =
        command(&["simulator", "--listen", &listen, "--receiver", &format!("http://127.0.0.1:{receiver}")]);
    let mut simulator = simulator.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let exports = BufReader::new(simulator.stdout.take().unwrap()).lines().take(10);
    let settings: Vec<(String, String)> = exports
        .map(|line| {
            let line = line.unwrap();
            let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('\'').to_owned())
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, POLICY).unwrap();
    let mut serve = command(&["serve"]);
    serve.envs(settings.clone()).env("GUESTLIST_POLICY", &policy).env("GUESTLIST_AT_MOST", "enforce");
    serve.env("GUESTLIST_LISTEN", format!("127.0.0.1:{receiver}"));
    let mut serve = Process::start(serve, &folder.path().join("log"));
    let began = Instant::now();
    while serve.log().matches("subscribed").count() < 2 {
        assert!(began.elapsed().as_secs() < 30, "{}", serve.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let control = format!("http://{listen}/control");
    let (status, answer) =
        post(format!("{control}/invite"), &serde_json::json!({"address": "no address", "by": "alice"})).await;
    assert_eq!(status, if answer["error"].is_string() { status.max(400) } else { 0 }, "{answer}");
    let invite = serde_json::json!({"address": "mallory@evil.example", "by": "alice@contoso.com"});
    let (status, _) = post(format!("{control}/invite"), &invite).await;
    assert_eq!(status, 200);
    // The simulated chat says what it is told.
    let mut heard = BufReader::new(simulator.stderr.take().unwrap()).lines().map(Result::unwrap);
    let hint = heard.nth(1).unwrap();
    for word in ["GUESTLIST_POLICY", "GUESTLIST_AT_MOST", "GUESTLIST_DATA", "guestlist -- serve"] {
        assert!(hint.contains(word), "{hint}");
    }
    assert!(heard.any(|line| line.starts_with("Disabled guest mallory")), "nobody was told");
    let users =
        Wire::network().unwrap().send(Call::get(format!("{control}/users").parse().unwrap())).await.unwrap();
    let users: Value = serde_json::from_slice(&users.body).unwrap();
    let mallory =
        users.as_array().unwrap().iter().find(|user| user["mail"] == "mallory@evil.example").unwrap();
    assert_eq!(mallory["enabled"], false);
    assert_eq!(serve.terminate().code(), Some(0));
    let pid = simulator.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(simulator.wait().unwrap().code(), Some(0));
}

#[test]
fn the_simulator_serves_this_machine_alone() {
    let printed = run(&["simulator", "--listen", "0.0.0.0:0"]);
    assert!(printed.expect(1).stderr.contains("the simulator serves loopback only"), "{printed:?}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let printed = run(&["simulator", "--listen", &taken.local_addr().unwrap().to_string()]);
    assert!(printed.expect(1).stderr.starts_with("error: failed to listen on `127.0.0.1:"), "{printed:?}");
}
