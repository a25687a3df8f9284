//! What is deployed is what the code needs: the table, the powers of each role, and the permissions of each app. The values of the template are read as they stand there: `!Ref`, `!Sub` and their like are left out.

use std::collections::BTreeSet;

use model::{Action, Permission};
use responder::{CanarySettings, SubscriptionKeeper};
use serde_json::{Value, json};

use crate::{files, read, root};

/// Where and by what the function is called, as in the template.
pub(crate) const FUNCTIONS: [&str; 6] =
    ["Notifications", "Assess", "Remediate", "Alert", "Steward", "Approvals"];

pub(crate) fn template() -> Value {
    serde_saphyr::from_str(&read("infra/aws/template.yaml")).unwrap()
}

pub(crate) fn resources(template: &Value) -> &serde_json::Map<String, Value> {
    template["Resources"].as_object().unwrap()
}

pub(crate) fn properties<'a>(template: &'a Value, name: &str) -> &'a Value {
    let properties = &template["Resources"][name]["Properties"];
    assert!(properties.is_object(), "the template has no resource `{name}`");
    properties
}

pub(crate) fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

pub(crate) fn texts(value: &Value) -> Vec<String> {
    // Of `!If [condition, value, nothing]` in a list, the value.
    let text = |one: &Value| one.as_str().or_else(|| one[1].as_str()).unwrap().to_owned();
    list(value).into_iter().map(text).collect()
}

/// What is owed of changes.
pub(crate) const DEBTS: &str = "debt#changes#*";

/// What an operator is given.
pub(crate) const OPERATORS: [&str; 2] = ["OperatorReads", "OperatorAsks"];

/// Of a role, those under a condition among them, or of a policy of its own.
pub(crate) fn statements(template: &Value, role: &str) -> Vec<Value> {
    let properties = properties(template, role);
    let alone = list(&properties["PolicyDocument"]["Statement"]).into_iter().cloned();
    if resources(template)[role]["Type"] == "AWS::IAM::ManagedPolicy" {
        return alone.collect();
    }
    let policies = list(&properties["Policies"]);
    let all = policies.into_iter().flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
    // `!If [condition, statement, nothing]`, or the other way round.
    let granted = |one: &Value| list(one).into_iter().find(|choice| choice.is_object()).unwrap().clone();
    all.map(granted).collect()
}

/// Partitions, and where the last sign is a star, all that begin so.
fn leading_keys(statement: &Value) -> &Value {
    let keys = |operator: &str| &statement["Condition"][operator]["dynamodb:LeadingKeys"];
    let likely = keys("ForAllValues:StringLike");
    if likely.is_null() { keys("ForAllValues:StringEquals") } else { likely }
}

/// The partitions in which the function may do this, or whoever has the operators' policy, without the tenant.
pub(crate) fn partitions(template: &Value, function: &str, action: &str) -> BTreeSet<String> {
    let name = if OPERATORS.contains(&function) { function.to_owned() } else { format!("{function}Role") };
    let of = |statement: &Value| texts(leading_keys(statement));
    let all = statements(template, &name);
    let granted = all.iter().filter(|statement| texts(&statement["Action"]).iter().any(|one| one == action));
    granted.flat_map(of).map(|one| one.trim_end_matches("#${TenantId}").to_owned()).collect()
}

#[test]
fn the_template_makes_the_table_that_the_tests_use() {
    let template = template();
    let table = properties(&template, "Table");
    let schema: Value = serde_json::from_str(&read("infra/aws/table.json")).unwrap();
    for (name, wanted) in schema.as_object().unwrap() {
        assert_eq!(&table[name], wanted, "{name}");
    }
    assert_eq!(table["TimeToLiveSpecification"], json!({ "AttributeName": "ttl", "Enabled": true }));
    assert_eq!(table["PointInTimeRecoverySpecification"], json!({ "PointInTimeRecoveryEnabled": true }));
    assert_eq!(table["DeletionProtectionEnabled"], json!(true));
    assert_eq!(table["SSESpecification"], json!({ "SSEEnabled": true }));
    assert_eq!(template["Resources"]["Table"]["DeletionPolicy"], json!("Retain"));
}

#[test]
fn no_role_and_no_operator_may_do_or_touch_everything() {
    let template = template();
    let grants = |one: &Value| one["Type"] == "AWS::IAM::Role" || one["Type"] == "AWS::IAM::ManagedPolicy";
    let roles = resources(&template).iter().filter(|(_, one)| grants(one));
    let roles: Vec<&String> = roles.map(|(name, _)| name).collect();
    assert_eq!(roles.len(), FUNCTIONS.len() + 1 + OPERATORS.len(), "{roles:?}");
    for role in roles {
        for statement in statements(&template, role) {
            let actions = texts(&statement["Action"]);
            assert!(actions.iter().all(|action| !action.contains('*')), "{role}: {actions:?}");
            // It knows no resources; its conditions stand in their place.
            let any = actions == ["sts:GetWebIdentityToken"];
            let touched = serde_json::to_string(&statement["Resource"]).unwrap();
            assert_eq!(touched == "\"*\"", any, "{role}: {actions:?} on {touched}");
            let on_items = actions.iter().any(|action| action.starts_with("dynamodb:"));
            assert_eq!(on_items, leading_keys(&statement).is_array(), "{role}: {actions:?}");
            // Of one tenant, and of one queue.
            let wide = |key: &String| key.contains('*') && key != DEBTS;
            assert!(!texts(leading_keys(&statement)).iter().any(wide), "{role}: {actions:?}");
        }
    }
}

#[test]
fn an_outcome_and_a_suspension_are_written_by_remediate_alone() {
    let template = template();
    for function in FUNCTIONS {
        let written = partitions(&template, function, "dynamodb:PutItem");
        for kind in ["outcome", "suspension"] {
            assert_eq!(written.contains(kind), function == "Remediate", "{function} and {kind}");
        }
        let removed = partitions(&template, function, "dynamodb:DeleteItem");
        assert!(!removed.contains("outcome") && !removed.contains("incident"), "{function}");
        // One whose time is long over.
        assert_eq!(removed.contains("suspension"), function == "Remediate", "{function}");
        for action in ["dynamodb:Scan", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"] {
            assert!(partitions(&template, function, action).is_empty(), "{function} and {action}");
        }
    }
}

/// What a look at somebody, a plan or a message is made of is not for those who do none of it.
#[test]
fn whoever_the_internet_reaches_knows_subscriptions_and_notices_alone() {
    let template = template();
    let actions = ["GetItem", "Query", "BatchGetItem", "PutItem", "DeleteItem"];
    let touched = actions.map(|action| partitions(&template, "Notifications", &format!("dynamodb:{action}")));
    let touched: Vec<String> = touched.into_iter().flatten().collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(touched, [DEBTS, "later#alerts", "notice", "subscription"]);
    let removed = partitions(&template, "Notifications", "dynamodb:DeleteItem");
    assert!(removed.is_empty(), "what it owes, it cannot take back: {removed:?}");
    for function in FUNCTIONS {
        let written = partitions(&template, function, "dynamodb:PutItem");
        assert_eq!(written.contains("request"), function == "Remediate", "{function}");
        assert_eq!(
            written.contains("subscription"),
            ["Notifications", "Steward"].contains(&function),
            "{function}"
        );
    }
}

/// Whatever he writes, `remediate` judges again: he can forge no outcome, no suspension and no incident.
#[test]
fn an_operator_asks_and_stops_and_is_nobody_until_somebody_says_so() {
    let template = template();
    let written = |policy, action: &str| {
        let found = partitions(&template, policy, &format!("dynamodb:{action}"));
        found.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(written("OperatorAsks", "PutItem"), ["assessed", DEBTS, "request", "stop"]);
    assert_eq!(written("OperatorAsks", "DeleteItem"), [DEBTS]);
    for action in ["PutItem", "DeleteItem", "UpdateItem", "BatchWriteItem", "Scan"] {
        assert!(written("OperatorReads", action).is_empty(), "{action}");
        let may = ["PutItem", "DeleteItem"].contains(&action);
        assert!(may || written("OperatorAsks", action).is_empty(), "{action}");
    }
    for policy in OPERATORS {
        let all = properties(&template, policy);
        assert!(["Users", "Roles", "Groups"].iter().all(|whom| all[*whom].is_null()), "{policy} is attached");
        let output = &template["Outputs"][format!("{policy}Arn")]["Value"];
        assert_eq!(output, &json!(policy), "its ARN is told");
        for statement in statements(&template, policy) {
            let actions = texts(&statement["Action"]);
            let known = |action: &String| action.starts_with("dynamodb:") || action.starts_with("sqs:");
            assert!(actions.iter().all(known), "{policy}: {actions:?}");
            // Whoever receives what functions work on, or deletes it, takes it from them.
            let takes = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"];
            if actions.iter().any(|action| takes.contains(&action.as_str())) {
                let on = texts(&statement["Resource"]);
                assert!(on.iter().all(|queue| queue.ends_with("Dead.Arn")), "{policy}: {on:?}");
            }
        }
    }
}

#[test]
fn what_an_update_reads_and_writes_is_granted_together() {
    let template = template();
    for function in FUNCTIONS {
        let read = |action| partitions(&template, function, action);
        let seen: BTreeSet<String> = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem"]
            .into_iter()
            .flat_map(read)
            .collect();
        let mut unseen = read("dynamodb:PutItem");
        unseen.retain(|one| !seen.contains(one));
        // The one before is put there unseen, under the condition that there is none.
        unseen.remove("archive");
        // So is a debt, whose name is never given twice; and whoever removes one knows its name.
        unseen.remove(DEBTS);
        assert!(unseen.is_empty(), "{function} writes, and cannot read, {unseen:?}");
        // A deletion by version, or of whatever there is, has found it before.
        let mut unseen = read("dynamodb:DeleteItem");
        unseen.retain(|one| !seen.contains(one));
        unseen.remove(DEBTS);
        assert!(unseen.is_empty(), "{function} removes, and cannot read, {unseen:?}");
    }
}

/// A policy that is packaged leaves no trace in the table.
#[test]
fn what_was_read_of_the_bucket_is_kept_where_the_policy_lies_there() {
    let template = template();
    for function in ["Assess", "Remediate"] {
        let all = statements(&template, &format!("{function}Role"));
        let keys = all
            .iter()
            .flat_map(|one| list(&one["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]));
        let about: Vec<&Value> = keys.filter(|key| key.to_string().contains("policy-object")).collect();
        let granted = json!(["PolicyInBucket", "policy-object#${TenantId}", "AWS::NoValue"]);
        assert_eq!(about, [&granted, &granted], "{function} reads it and writes it");
    }
}

#[test]
fn every_kind_of_document_has_a_function_that_writes_it() {
    let template = template();
    let written = FUNCTIONS.map(|function| partitions(&template, function, "dynamodb:PutItem"));
    let written: BTreeSet<String> = written.into_iter().flatten().collect();
    let mark = "const KIND: &'static str = \"";
    let sources = files(".rs").into_iter().filter(|path| path.starts_with(root().join("shared")));
    let mut kinds = BTreeSet::new();
    for path in sources.filter(|path| path.iter().any(|part| part == "src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let named = text.lines().filter_map(|line| line.trim().strip_prefix(mark));
        kinds.extend(named.map(|rest| rest.trim_end_matches("\";").to_owned()));
    }
    assert!(kinds.len() > 18, "{kinds:?}");
    // Of a process that is asked whether it is ready.
    assert!(kinds.remove("probe"));
    // By the command line.
    let by_operators = partitions(&template, "OperatorAsks", "dynamodb:PutItem");
    assert!(kinds.remove("stop") && by_operators.contains("stop"));
    let missing: Vec<_> = kinds.difference(&written).collect();
    assert!(missing.is_empty(), "no role of infra/aws/template.yaml may write {missing:?}");
}

#[test]
fn only_those_who_talk_to_graph_have_its_credential_and_only_remediate_that_which_writes() {
    let template = template();
    for function in FUNCTIONS {
        let settings = properties(&template, function)["Environment"]["Variables"].as_object().unwrap();
        let role = serde_json::to_string(&statements(&template, &format!("{function}Role"))).unwrap();
        let talks = ["Assess", "Remediate", "Steward"].contains(&function);
        assert_eq!(role.contains("sts:GetWebIdentityToken"), talks, "{function}");
        assert_eq!(role.contains(&format!("{function}ClientSecret")), talks, "{function}");
        for other in FUNCTIONS.iter().filter(|other| **other != function) {
            assert!(
                !role.contains(&format!("{other}ClientSecret")),
                "{function} may read the secret of {other}"
            );
        }
        assert_eq!(settings.contains_key("GUESTLIST_WRITE_CLIENT_ID"), function == "Remediate", "{function}");
        assert_eq!(
            settings.contains_key("GUESTLIST_READ_CLIENT_ID"),
            talks && function != "Remediate",
            "{function}"
        );
        assert_eq!(role.contains("ReadSlack"), function == "Alert", "{function}");
    }
}

#[test]
fn a_queue_waits_long_enough_and_loses_nothing() {
    let template = template();
    let owners =
        [("Changes", "Assess"), ("Remediations", "Remediate"), ("Alerts", "Alert"), ("Chores", "Steward")];
    for (queue, function) in owners {
        let (settings, worker) = (properties(&template, queue), properties(&template, function));
        let timeout = worker["Timeout"].as_u64().unwrap();
        // <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
        assert!(settings["VisibilityTimeout"].as_u64().unwrap() >= 6 * timeout, "{queue}");
        assert_eq!(settings["RedrivePolicy"]["deadLetterTargetArn"], json!(format!("{queue}Dead.Arn")));
        assert_eq!(settings["RedrivePolicy"]["maxReceiveCount"], json!(200), "{queue}");
        for one in [settings, properties(&template, &format!("{queue}Dead"))] {
            assert_eq!(one["MessageRetentionPeriod"], json!(14 * 24 * 3600), "{queue}");
            assert_eq!(one["SqsManagedSseEnabled"], json!(true), "{queue}");
        }
        let batch = &worker["Events"]["Batch"]["Properties"];
        assert_eq!(batch["Queue"], json!(format!("{queue}.Arn")));
        assert_eq!(batch["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
        // What a filter does not let through is deleted.
        assert!(batch.get("FilterCriteria").is_none(), "{queue}");
        assert!(batch["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap() >= 2, "{queue}");
    }
    // Longer than a job may take, by the leases of `responder::Worker`.
    assert!(properties(&template, "Assess")["Timeout"].as_u64().unwrap() > 180);
    assert!(properties(&template, "Remediate")["Timeout"].as_u64().unwrap() > 480);
}

#[test]
fn every_function_is_deployed_from_the_zip_that_the_build_makes() {
    let template = template();
    let mut deployed: Vec<String> = Vec::new();
    for (_, resource) in resources(&template) {
        if resource["Type"] == "AWS::Serverless::Function" {
            deployed.push(resource["Properties"]["CodeUri"].as_str().unwrap().to_owned());
        }
    }
    let folders =
        std::fs::read_dir(root().join("functions")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut made: Vec<String> =
        folders.map(|name| format!("../../target/aws/{}.zip", name.display())).collect();
    deployed.sort();
    made.sort();
    assert_eq!(deployed, made);
}

#[test]
fn the_permissions_of_the_apps_are_what_the_code_declares() {
    let words = |permissions: &[Permission]| -> Vec<&str> { permissions.iter().map(|one| one.0).collect() };
    let actions: serde_json::Map<_, _> =
        Action::ALL.into_iter().map(|one| (one.word().to_owned(), json!(words(one.permissions())))).collect();
    let conditions: serde_json::Map<_, _> =
        policy::conditions().iter().map(|one| (one.key.to_owned(), json!(words(one.permissions)))).collect();
    let declared = json!({
        "assess": { "always": words(&SubscriptionKeeper::PERMISSIONS), "conditions": conditions },
        "remediate": {
            "actions": actions,
            "canary": words(&CanarySettings::PERMISSIONS),
            // To say in an alert who put back what was taken away. Without it, it is not said.
            "who_put_it_back": ["AuditLog.Read.All"],
        },
        "steward": { "always": words(&SubscriptionKeeper::PERMISSIONS) },
    });
    let after = format!("{}\n", serde_json::to_string_pretty(&declared).unwrap());
    let path = "infra/entra/permissions.json";
    let before = read(path);
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(root().join(path), &after).unwrap();
    }
    let mend = "UPDATE_TABLES=1 cargo test -p guestlist-tests --test tidy";
    assert!(before == after, "{path} is out of date: {mend}");
}
