//! What a function asked of AWS, and what its role grants: the emulator looks at actions and resources, and knows no conditions on
//! leading keys. Here they are held, too.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};
use simulator::contoso;
use url::form_urlencoded;

use crate::deployment::{ACCOUNT, FUNCTIONS, STACK};
use crate::witness::Call;

const POLICY: &str = "what-it-does";
const OF_THE_EMULATOR: &str = "batches";
const BATCHED: [&str; 3] = ["sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"];
/// What AWS does by the role of a function, without its doing: whoever collects logs, and the event source mapping.
const OF_LOGS: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
const OF_THE_MAPPING: [&str; 3] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
/// From which queue to which function it brings messages.
const MAPPED: [(&str, &str); 4] =
    [("assess", "Changes"), ("remediate", "Remediations"), ("alert", "Alerts"), ("steward", "Chores")];

/// One request's need of one power.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked {
    pub(crate) function: &'static str,
    pub(crate) action: String,
    pub(crate) resource: String,
    /// The partition, where it is about an item.
    pub(crate) leading: Option<String>,
}

/// A statement of a role, for one action on one resource and, where it has a condition on them, one leading key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grant {
    function: &'static str,
    sid: String,
    action: String,
    resource: String,
    leading: Option<String>,
}

impl Asked {
    /// `archive` and `later#changes` are partitions, `ChangesDead` is a queue.
    pub(crate) fn is(&self, function: &str, action: &str, about: &str) -> bool {
        self.function == function && is_about(&self.action, &self.resource, &self.leading, action, about)
    }
}

fn is_about(full: &str, resource: &str, leading: &Option<String>, action: &str, about: &str) -> bool {
    let of_tenant = format!("{about}#{}", contoso::TENANT);
    let is_there = match leading {
        Some(leading) => *leading == about || *leading == of_tenant,
        None => is_named(resource, about),
    };
    full.rsplit(':').next() == Some(action) && is_there
}

/// CloudFormation puts the stack before a name or not, and a number behind it.
fn is_named(resource: &str, name: &str) -> bool {
    ["-", ":"].iter().any(|before| resource.contains(&format!("{before}{name}-")))
}

impl Grant {
    pub(crate) fn is_of(&self, function: &str) -> bool {
        self.function == function
    }

    pub(crate) fn is(&self, function: &str, action: &str, about: &str) -> bool {
        self.function == function && is_about(&self.action, &self.resource, &self.leading, action, about)
    }

    pub(crate) fn covers(&self, asked: &Asked) -> bool {
        let is_there = match self.resource.strip_suffix('*') {
            Some(prefix) => asked.resource.starts_with(prefix),
            None => asked.resource == self.resource,
        };
        let is_in = match (&self.leading, &asked.leading) {
            (None, _) => true,
            (Some(granted), Some(asked)) => match granted.strip_suffix('*') {
                Some(begins) => asked.starts_with(begins),
                None => granted == asked,
            },
            (Some(_), None) => false,
        };
        self.function == asked.function && self.action == asked.action && is_there && is_in
    }

    pub(crate) fn is_used_by_aws(&self) -> bool {
        let (action, group) = (self.action.as_str(), format!("/aws/lambda/{STACK}-{}", self.function));
        let logs = OF_LOGS.contains(&action) && self.resource.contains(&group);
        let is_brought =
            |(function, queue): &(&str, &str)| *function == self.function && is_named(&self.resource, queue);
        logs || (OF_THE_MAPPING.contains(&action) && MAPPED.iter().any(is_brought))
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, sid, action, resource, leading } = self;
        let leading = leading.as_deref().unwrap_or_default();
        write!(f, "{function} {sid} {action} {resource} {leading}")
    }
}

/// What the role of a function says, as it lies in the emulator.
pub(crate) fn document(function: &str) -> Value {
    let role = format!("{STACK}-{function}");
    let answer = ask_iam("GetRolePolicy", &[("RoleName", &role), ("PolicyName", POLICY)]);
    let text =
        answer.split("<PolicyDocument>").nth(1).and_then(|rest| rest.split("</PolicyDocument>").next());
    let text = format!("document={}", text.expect("a policy"));
    let (_, document) = form_urlencoded::parse(text.as_bytes()).next().unwrap();
    serde_json::from_str(&document).unwrap_or_else(|error| panic!("{error} in {document}"))
}

/// What the role says from now on. On AWS, who may send one message may send ten at once; the emulator wants a power of another name
/// for that, which follows the first here.
pub(crate) fn put(function: &str, document: &Value) {
    let role = format!("{STACK}-{function}");
    let mut batches = Vec::new();
    for statement in document["Statement"].as_array().unwrap() {
        let actions = texts(&statement["Action"]);
        let sending: Vec<_> = actions.iter().filter(|one| BATCHED.contains(&one.as_str())).collect();
        if !sending.is_empty() {
            let actions: Vec<_> = sending.iter().map(|one| format!("{one}Batch")).collect();
            batches.push(json!({ "Effect": "Allow", "Action": actions, "Resource": statement["Resource"] }));
        }
    }
    // IAM takes no document without a statement: this one denies nothing that is there.
    if batches.is_empty() {
        batches.push(json!({ "Effect": "Deny", "Action": "sqs:*", "Resource": "arn:aws:sqs:::nothing" }));
    }
    let batches = json!({ "Version": "2012-10-17", "Statement": batches });
    for (name, document) in [(POLICY, document), (OF_THE_EMULATOR, &batches)] {
        let document = document.to_string();
        let _ = ask_iam(
            "PutRolePolicy",
            &[("RoleName", &role), ("PolicyName", name), ("PolicyDocument", &document)],
        );
    }
}

fn ask_iam(operation: &str, members: &[(&str, &str)]) -> String {
    emulator::ask_query("iam", "2010-05-08", operation, members)
}

/// The same without the statement of this name.
pub(crate) fn without(document: &Value, sid: &str) -> Value {
    let all = document["Statement"].as_array().unwrap();
    let rest: Vec<_> = all.iter().filter(|one| one["Sid"] != sid).collect();
    assert_eq!(rest.len() + 1, all.len(), "`{sid}` in {document}");
    json!({ "Version": document["Version"], "Statement": rest })
}

/// All that the roles grant.
pub(crate) fn grants() -> BTreeSet<Grant> {
    FUNCTIONS.iter().flat_map(|(function, _)| grants_of(function, &document(function))).collect()
}

pub(crate) fn grants_of(function: &'static str, document: &Value) -> BTreeSet<Grant> {
    let mut grants = BTreeSet::new();
    for statement in document["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow", "{function}: {statement}");
        let keys = |operator: &str| &statement["Condition"][operator]["dynamodb:LeadingKeys"];
        let likely = keys("ForAllValues:StringLike");
        let keys = if likely.is_null() { keys("ForAllValues:StringEquals") } else { likely };
        let keys: Vec<_> =
            if keys.is_null() { vec![None] } else { texts(keys).into_iter().map(Some).collect() };
        for action in texts(&statement["Action"]) {
            assert_eq!(action.starts_with("dynamodb:"), keys[0].is_some(), "{function}: {statement}");
            for resource in texts(&statement["Resource"]) {
                grants.extend(keys.iter().map(|leading| Grant {
                    function,
                    sid: statement["Sid"].as_str().unwrap().to_owned(),
                    action: action.clone(),
                    resource: resource.clone(),
                    leading: leading.clone(),
                }));
            }
        }
    }
    grants
}

/// One text, or several.
fn texts(value: &Value) -> Vec<String> {
    let several = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    several.iter().map(|one| one.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()).collect()
}

/// The powers that AWS would want for this request.
pub(crate) fn needs(function: &'static str, call: &Call) -> Vec<Asked> {
    let here = format!("{}:{ACCOUNT}", emulator::REGION);
    let (body, operation) = (&call.body, call.operation.as_str());
    let asked = |action: &str, resource: String, leading: Option<String>| Asked {
        function,
        action: format!("{}:{action}", call.service),
        resource,
        leading,
    };
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{call:?}")).to_owned();
    let last = |value: &Value| text(value).rsplit('/').next().unwrap().to_owned();
    match call.service.as_str() {
        "dynamodb" => of_a_table(call)
            .into_iter()
            .map(|(action, table, leading)| {
                asked(action, format!("arn:aws:dynamodb:{here}:table/{table}"), Some(leading))
            })
            .collect(),
        "sqs" => {
            let queue = format!("arn:aws:sqs:{here}:{}", last(&body["QueueUrl"]));
            vec![asked(operation.trim_end_matches("Batch"), queue, None)]
        }
        "ssm" => vec![asked(operation, format!("arn:aws:ssm:{here}:parameter{}", text(&body["Name"])), None)],
        "s3" => {
            let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
            let is_version = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "versionId");
            assert_eq!(call.method, "GET", "{call:?}");
            let action = if is_version { "GetObjectVersion" } else { "GetObject" };
            vec![asked(action, format!("arn:aws:s3:::{}", path.trim_start_matches('/')), None)]
        }
        // The issuer has looked at what was asked for.
        "sts" => vec![asked("GetWebIdentityToken", "*".to_owned(), None)],
        other => panic!("nobody has said which powers `{other}` wants: {call:?}"),
    }
}

/// Each action, on which table or index of it, and in which partition.
fn of_a_table(call: &Call) -> Vec<(&'static str, String, String)> {
    let body = &call.body;
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{call:?}")).to_owned();
    let table = |one: &Value| text(&one["TableName"]);
    match call.operation.as_str() {
        "GetItem" => vec![("GetItem", table(body), text(&body["Key"]["pk"]["S"]))],
        "PutItem" => vec![("PutItem", table(body), text(&body["Item"]["pk"]["S"]))],
        "DeleteItem" => vec![("DeleteItem", table(body), text(&body["Key"]["pk"]["S"]))],
        "Query" => {
            let values = &body["ExpressionAttributeValues"];
            match body["IndexName"].as_str() {
                Some(index) => {
                    vec![("Query", format!("{}/index/{index}", table(body)), text(&values[":dc"]["S"]))]
                }
                None => vec![("Query", table(body), text(&values[":pk"]["S"]))],
            }
        }
        "BatchGetItem" => {
            let wanted = body["RequestItems"].as_object().unwrap();
            let keys = wanted.iter().flat_map(|(table, wanted)| {
                wanted["Keys"].as_array().unwrap().iter().map(move |key| (table, key))
            });
            keys.map(|(table, key)| ("BatchGetItem", table.clone(), text(&key["pk"]["S"]))).collect()
        }
        "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().unwrap().iter();
            parts
                .map(|part| match (&part["Put"], &part["Delete"]) {
                    (put, Value::Null) => ("PutItem", table(put), text(&put["Item"]["pk"]["S"])),
                    (_, delete) => ("DeleteItem", table(delete), text(&delete["Key"]["pk"]["S"])),
                })
                .collect()
        }
        other => panic!("nobody has said which powers `{other}` wants: {call:?}"),
    }
}
