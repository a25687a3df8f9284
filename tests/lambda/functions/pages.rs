//! The link in the chat, and the function that it leads to: no app, no queue, no policy.

use std::sync::Arc;

use emulator::Kept;
use serde_json::{Value, json};

use crate::function::Function;
use crate::gateway;
use crate::sample;
use crate::stage::{KEYS, Stage};

const ROOT: &str = "https://guestlist.example";

/// What `approvals` gets, and nothing else.
pub(crate) fn environment(stage: &Stage) -> Vec<(String, String)> {
    let needed =
        ["AWS_", "GUESTLIST_TABLE", "GUESTLIST_TENANT_ID", "GUESTLIST_LOGIN_URL", "GUESTLIST_GRAPH_URL"];
    let mut environment = stage.environment("alert");
    environment.retain(|(name, _)| needed.iter().any(|one| name.starts_with(one)));
    environment.push(("GUESTLIST_LINK_KEYS_SECRET".to_owned(), stage.name_of(Kept::Secret, "links")));
    environment
}

pub(crate) fn request(method: &str, path: &str, query: &str) -> Value {
    let mut event = sample("http-page.json");
    event["rawPath"] = path.into();
    event["rawQueryString"] = query.into();
    event["queryStringParameters"] = Value::Null;
    event["requestContext"]["http"]["path"] = path.into();
    event["requestContext"]["http"]["method"] = method.into();
    event
}

/// A guest was disabled, and people are told, by a message that leads to a page.
pub(crate) async fn told(stage: &Stage) -> String {
    stage.keep(Kept::Secret, "links", KEYS);
    let notifications = Arc::new(stage.start("notifications").await);
    stage.forward_to(&gateway::open(notifications, false).await);
    stage.start("steward").await.invoke(json!({ "do": "tend" })).await.unwrap();
    let _ = stage.tenant.invite("mallory@evil.example");
    assert!(stage.simulator.deliver_due().await > 0);
    let (assess, remediate) = (stage.start("assess").await, stage.start("remediate").await);
    assert!(stage.pump("changes", &assess).await > 0);
    assert!(stage.pump("remediations", &remediate).await > 0);
    let mut environment = stage.environment("alert");
    environment.push(("GUESTLIST_APPROVALS_URL".to_owned(), ROOT.to_owned()));
    environment.push(("GUESTLIST_LINK_KEYS_SECRET".to_owned(), stage.name_of(Kept::Secret, "links")));
    let alert = Function::start("alert", &environment).await;
    assert!(stage.pump("alerts", &alert).await > 0, "{}", alert.log());
    let message = stage.slack.next().json().to_string();
    let link = message.split('<').nth(1).and_then(|rest| rest.split('>').next());
    link.and_then(|link| link.strip_prefix(ROOT)).unwrap_or_else(|| panic!("{message}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_in_the_chat_opens_the_page_and_nothing_else_does() {
    let stage = Stage::set().await;
    let link = told(&stage).await;
    let (path, query) = link.split_once('?').unwrap();
    let approvals = Function::start("approvals", &environment(&stage)).await;
    let page = approvals.invoke(request("GET", path, query)).await.unwrap();
    assert_eq!(page["statusCode"], 200, "{page}\n{}", approvals.log());
    let body = page["body"].as_str().unwrap();
    assert!(body.contains("mallory@evil.example") && body.contains("guestlist undo "), "{body}");
    assert_eq!(
        (&page["headers"]["cache-control"], &page["isBase64Encoded"]),
        (&json!("no-store"), &json!(false))
    );
    assert_eq!(page["cookies"].as_array().map_or(0, Vec::len), 0, "{page}");
    let nothing = approvals.invoke(sample("http-page.json")).await.unwrap();
    assert_eq!(nothing["statusCode"], 404, "{nothing}");
    for (path, query) in [(path, ""), ("/incidents/0000000000000000-1", query)] {
        assert_eq!(approvals.invoke(request("GET", path, query)).await.unwrap(), nothing, "{path}?{query}");
    }
    let post = approvals.invoke(request("POST", path, query)).await.unwrap();
    assert_eq!(post["statusCode"], 405, "{post}");
    assert_eq!(
        approvals.invoke(request("GET", "/graph/notifications", query)).await.unwrap()["statusCode"],
        404
    );
    let log = approvals.log();
    assert!(!log.contains("mallory") && !log.contains(query.split('.').next_back().unwrap()), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_told_and_approvals_asks_for_no_app_queue_or_policy() {
    let approvals = Function::start("approvals", &[]).await;
    assert_eq!(approvals.ended().await, Some(2));
    let log = approvals.log();
    for name in [
        "AWS_ACCESS_KEY_ID",
        "GUESTLIST_TABLE",
        "GUESTLIST_TENANT_ID",
        "GUESTLIST_LINK_KEYS_SECRET or GUESTLIST_LINK_KEYS_PARAMETER",
    ] {
        assert!(log.contains(&format!("{name} is not set: ")), "{name}: {log}");
    }
    let stage = Stage::set().await;
    let mut environment = stage.environment("alert");
    environment.push(("GUESTLIST_APPROVALS_URL".to_owned(), ROOT.to_owned()));
    let alert = Function::start("alert", &environment).await;
    assert_eq!(alert.ended().await, Some(2));
    assert!(alert.log().contains("GUESTLIST_LINK_KEYS_SECRET or"), "{}", alert.log());
    for name in
        ["GUESTLIST_QUEUE", "GUESTLIST_DEAD", "GUESTLIST_STATE", "GUESTLIST_READ", "GUESTLIST_CHANNELS"]
    {
        assert!(!log.contains(name), "{name}: {log}");
    }
}
