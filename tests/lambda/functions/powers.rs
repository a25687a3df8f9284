//! The two policies of people in `infra/aws/template.yaml` allow what the command does, and nothing that it does not: every request that
//! it sends is written down, with the partition of the table or the queue that it is about.

use std::collections::{BTreeMap, BTreeSet};

use emulator::proxy::{Fault, Proxy, Request};
use jiff::Timestamp;
use ledger::Document;
use queue::{Collapse, Move};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use simulator::contoso;

use crate::asking::Worked;
use crate::command::Operator;
use crate::stage::Stage;

const QUEUES: [&str; 4] = ["Changes", "Remediations", "Alerts", "Chores"];
/// A policy that asks all that `check` can look up.
const CURIOUS: &str = "
version: 1
mode: observe
guardrails:
  - id: guests-do-not-invite
    if: { inviter: { kind: guest } }
    then: [disable]
  - id: confidential-groups
    if: { joins: { any_group: true } }
    then: [leave-group]
";

/// What is done to what: an action, a resource as the template names it, and of the table the partition, without its tenant.
type Power = (String, String, String);

/// As the steward keeps it, so that a replay has something to move back.
#[derive(Serialize, Deserialize)]
struct Assessed {
    until: Option<Timestamp>,
}

impl Document for Assessed {
    const KIND: &'static str = "assessed";

    fn sort(&self) -> String {
        "changes".to_owned()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

/// The statements of a policy, as they stand in the template: `!Ref`, `!Sub` and their like are left out.
fn statements(policy: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/aws/template.yaml");
    let template: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let policy = &template["Resources"][policy]["Properties"];
    assert!(policy["Users"].is_null() && policy["Roles"].is_null() && policy["Groups"].is_null(), "{policy}");
    policy["PolicyDocument"]["Statement"].as_array().unwrap().clone()
}

fn texts(value: &Value) -> Vec<String> {
    let one = value.as_str().map(|text| vec![text.to_owned()]);
    one.unwrap_or_else(|| {
        value.as_array().into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()).collect()
    })
}

fn granted(statement: &Value) -> BTreeSet<Power> {
    let under = |operator: &str| texts(&statement["Condition"][operator]["dynamodb:LeadingKeys"]);
    let keys = [under("ForAllValues:StringEquals"), under("ForAllValues:StringLike")].concat();
    let keys: Vec<String> = keys.iter().map(|key| key.trim_end_matches("#${TenantId}").to_owned()).collect();
    let mut powers = BTreeSet::new();
    for action in texts(&statement["Action"]) {
        for resource in texts(&statement["Resource"]) {
            let resource = resource.replace("${Table.Arn}", "Table").replace(".Arn", "");
            let keys = if keys.is_empty() { vec![String::new()] } else { keys.clone() };
            powers.extend(keys.into_iter().map(|key| (action.clone(), resource.clone(), key)));
        }
    }
    powers
}

/// A statement as CloudFormation would fill it in. AWS grants a batch by the action of one message
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html>); the emulator wants
/// it by its own name.
fn filled_in(statement: &Value, places: &BTreeMap<String, String>) -> Value {
    let mut filled = statement.clone();
    let arns = texts(&statement["Resource"]).into_iter().map(|resource| {
        let name = resource.trim_start_matches("${").split('.').next().unwrap().to_owned();
        let rest = resource.strip_prefix("${Table.Arn}").unwrap_or_default();
        format!("{}{rest}", places[&name])
    });
    filled["Resource"] = arns.collect::<Vec<_>>().into();
    let mut actions = texts(&statement["Action"]);
    for one in ["sqs:SendMessage", "sqs:ChangeMessageVisibility"] {
        if actions.iter().any(|action| action == one) {
            actions.push(format!("{one}Batch"));
        }
    }
    filled["Action"] = actions.into();
    if let Some(keys) = filled.pointer_mut("/Condition/ForAllValues:StringEquals/dynamodb:LeadingKeys") {
        let tenant = contoso::TENANT.to_string();
        *keys = texts(keys).iter().map(|key| key.replace("${TenantId}", &tenant)).collect::<Vec<_>>().into();
    }
    filled
}

/// The ARNs of the stage's table and queues, by the names of the template.
fn places(stage: &Stage) -> BTreeMap<String, String> {
    let table = format!(r#"{{"TableName":"{}"}}"#, stage.table());
    let described = emulator::ask("DescribeTable", &table);
    let described: Value = serde_json::from_str(described.split_once("\r\n\r\n").unwrap().1).unwrap();
    let mut places =
        BTreeMap::from([("Table".to_owned(), described["Table"]["TableArn"].as_str().unwrap().to_owned())]);
    for (url, name) in by_url(stage) {
        let asked = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
        let arn = emulator::ask_sqs("GetQueueAttributes", &asked)["Attributes"]["QueueArn"].clone();
        places.insert(name, arn.as_str().unwrap().to_owned());
    }
    places
}

fn by_url(stage: &Stage) -> BTreeMap<String, String> {
    let both = |name: &&str| {
        let (url, dead) = stage.queue(&name.to_lowercase());
        [(url.to_owned(), (*name).to_owned()), (dead.to_owned(), format!("{name}Dead"))]
    };
    QUEUES.iter().flat_map(both).collect()
}

/// What a request needs.
fn needed(request: &Request, queues: &BTreeMap<String, String>) -> Vec<Power> {
    let Request { operation, before: _, body } = request;
    if let Some(url) = body["QueueUrl"].as_str() {
        let action = format!("sqs:{}", operation.trim_end_matches("Batch"));
        return vec![(action, queues[url].clone(), String::new())];
    }
    let items =
        || body["RequestItems"].as_object().unwrap().values().flat_map(|of| of["Keys"].as_array().unwrap());
    let values = &body["ExpressionAttributeValues"];
    let (resource, keys) = match operation.as_str() {
        "GetItem" => ("Table", vec![&body["Key"]["pk"]]),
        "PutItem" => ("Table", vec![&body["Item"]["pk"]]),
        "DeleteItem" => ("Table", vec![&body["Key"]["pk"]]),
        "BatchGetItem" => ("Table", items().map(|key| &key["pk"]).collect()),
        "Query" if body["IndexName"] == "due" => ("Table/index/due", vec![&values[":dc"]]),
        "Query" => ("Table", vec![&values[":pk"]]),
        other => panic!("nothing in this test says what {other} needs"),
    };
    let tenant = format!("#{}", contoso::TENANT);
    let kind = |key: &Value| {
        let key = key["S"].as_str().unwrap();
        // One of several alike.
        if key.starts_with("debt#changes#") { "debt#changes#*".to_owned() } else { key.replace(&tenant, "") }
    };
    keys.into_iter().map(|key| (format!("dynamodb:{operation}"), resource.to_owned(), kind(key))).collect()
}

fn all_needed(proxy: &Proxy, stage: &Stage) -> BTreeSet<Power> {
    let queues = by_url(stage);
    proxy.seen().iter().flat_map(|request| needed(request, &queues)).collect()
}

async fn watched(stage: &Stage, operator: &Operator, policies: &[&str]) -> (Proxy, Operator) {
    let places = places(stage);
    let document = |policy: &&str| {
        let statements: Vec<Value> = statements(policy).iter().map(|one| filled_in(one, &places)).collect();
        json!({ "Version": "2012-10-17", "Statement": statements })
    };
    let documents: Vec<Value> = policies.iter().map(document).collect();
    let proxy = Proxy::start(|_| Fault::None).await;
    let key = emulator::create_user(&documents);
    let operator = operator.seen_by(&proxy, &key);
    (proxy, operator)
}

/// What nobody can read, or a look that SQS has given up by itself, which is owed until somebody says what becomes of it.
async fn given_up(worked: &Worked, name: &str) -> String {
    if name != "Changes" {
        return "unreadable".to_owned();
    }
    let (now, key) = (Timestamp::now(), "user/given-up".to_owned());
    let look = Move { key, body: "{}".to_owned(), due: now, owed_since: now, collapse: Collapse::Earliest };
    worked.operator.store().queues.changes.send(vec![look]).await.unwrap();
    let mut records = worked.stage.receive("changes");
    records.retain(|record| record["body"].as_str().unwrap().contains("user/given-up"));
    worked.stage.settle("changes", &records, &json!({ "batchItemFailures": [] }));
    records[0]["body"].as_str().unwrap().to_owned()
}

/// Two letters in each dead-letter queue, and their ids.
async fn letters(worked: &Worked) -> Vec<(String, String)> {
    let mut ids = Vec::new();
    for name in QUEUES {
        for _ in 0..2 {
            let body = given_up(worked, name).await;
            let asked =
                json!({ "QueueUrl": worked.stage.queue(&name.to_lowercase()).1, "MessageBody": body });
            assert!(emulator::ask_sqs("SendMessage", &asked)["MessageId"].is_string());
        }
        let all = worked.operator.json(&["dead", "list"]).await;
        let mine = all.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
        let mine: Vec<String> = mine.filter(|id| id.starts_with(&name.to_lowercase())).collect();
        let [one, other] = mine.try_into().unwrap();
        ids.push((one, other));
    }
    ids
}

/// Whoever only looks, and what shows all that there is to see.
async fn look(operator: &Operator, worked: &Worked, letter: &str) {
    let (incident, guest) = (worked.incident.as_str(), worked.mallory.0.to_string());
    for (code, arguments) in [
        (3, vec!["status"]),
        (0, vec!["incidents", "--archived"]),
        (0, vec!["incidents", "show", incident]),
        (4, vec!["incidents", "show", "1111111111111111-1"]),
        (0, vec!["subscriptions"]),
        (0, vec!["breaker", "show"]),
        (0, vec!["dead", "list"]),
        (0, vec!["dead", "show", letter]),
        (0, vec!["check", &guest]),
        (0, vec!["doctor"]),
    ] {
        operator.run(&arguments).await.expect(code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policies_of_operators_allow_what_the_command_does_and_nothing_else() {
    let worked = Worked::begin().await;
    let (stage, incident) = (&worked.stage, worked.incident.as_str());
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, CURIOUS).unwrap();
    let curious = worked.operator.who_reads(stage, &policy.display().to_string());
    // Something that waits, so that it is looked at.
    worked.operator.run(&["breaker", "reset", "--reason", "a drill", "--wait", "0"]).await.expect(5);
    let letters = letters(&worked).await;

    let (seen, reads) = watched(stage, &curious, &["OperatorReads"]).await;
    look(&reads, &worked, &letters[0].0).await;
    let needed = all_needed(&seen, stage);
    let granted_of = |policy| statements(policy).iter().flat_map(granted).collect::<BTreeSet<Power>>();
    let reading = granted_of("OperatorReads");
    assert_eq!(
        needed.difference(&reading).collect::<Vec<_>>(),
        Vec::<&Power>::new(),
        "OperatorReads lacks these"
    );
    assert_eq!(
        reading.difference(&needed).collect::<Vec<_>>(),
        Vec::<&Power>::new(),
        "OperatorReads need not have these"
    );
    // Whoever only looks changes nothing.
    for arguments in [&["stop"][..], &["dead", "drop", &letters[0].0], &["undo", incident, "--reason", "x"]] {
        reads.run(arguments).await.expect(1).says("AWS refuses");
    }
    assert_eq!(worked.operator.json(&["status"]).await["stopped"], Value::Null);

    let begun = Timestamp::now();
    worked.operator.store().ledger.put(&Assessed { until: Some(begun) }).await.unwrap();
    let (seen, asks) = watched(stage, &curious, &["OperatorReads", "OperatorAsks"]).await;
    asks.run(&["stop", "--reason", "a drill"]).await.expect(0);
    asks.run(&["resume"]).await.expect(0);
    asks.run(&["undo", incident, "--reason", "she is expected", "--wait", "0"]).await.expect(5);
    asks.run(&["undo", "--rule", "blocked-domain", "--reason", "x", "--yes", "--wait", "0"]).await.expect(5);
    asks.run(&["reject", "--rule", "blocked-domain", "--reason", "x", "--yes"]).await.expect(4);
    for (one, other) in &letters {
        asks.run(&["dead", "replay", one]).await.expect(0);
        asks.run(&["dead", "drop", other]).await.expect(0);
    }
    let needed = all_needed(&seen, stage);
    let asking = granted_of("OperatorAsks");
    let more: BTreeSet<Power> = needed.difference(&reading).cloned().collect();
    assert_eq!(more, asking, "what OperatorAsks needs beside OperatorReads, and what it has");
    for policy in ["OperatorReads", "OperatorAsks"] {
        let document = json!({ "Statement": statements(policy).iter().map(|one| filled_in(one, &places(stage))).collect::<Vec<_>>() });
        // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>, with room for longer names.
        assert!(document.to_string().len() < 5_000, "{policy} has {}", document.to_string().len());
    }
}
