//! What the template gives each function is what that function needs: each variable is read by its part, says something that its
//! settings take, and stands for something that it does; and each secret, queue and policy that it is told of its role may use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use host::{Environment, Needs, Part, Settings};
use serde_json::Value;

use crate::infra::{DEBTS, FUNCTIONS, partitions, properties, resources, statements, template, texts};

/// The ends of a setting that is a secret: a function gets where it lies on AWS, and never its text or a file of it.
const ON_AWS: [&str; 2] = ["_SECRET", "_PARAMETER"];

fn part(function: &str) -> Part {
    let named = |part: &Part| part.word() == function.to_lowercase();
    Part::ALL.into_iter().find(named).unwrap_or_else(|| panic!("no part is called {function}"))
}

/// Whether a process with these needs does anything with a setting. Each has to be thought about here.
fn serves(name: &str, needs: Needs) -> bool {
    // No function only asks.
    let Needs { receive, read, write, subscribe, tell, told_elsewhere, policy, show, ask: _ } = needs;
    let of = |prefix: &str| name.starts_with(prefix);
    match name {
        "GUESTLIST_TENANT_ID" | "GUESTLIST_TABLE" | "GUESTLIST_LOG" | "GUESTLIST_LOG_FORMAT" => true,
        "GUESTLIST_METRICS_NAMESPACE" => true,
        // No instance goes without the addresses of all queues; its role says what it may do there.
        _ if of("GUESTLIST_QUEUE_") || of("GUESTLIST_DEAD_") => true,
        "GUESTLIST_CHANNELS" => tell || told_elsewhere,
        "GUESTLIST_CLOUD" | "GUESTLIST_LOGIN_URL" | "GUESTLIST_GRAPH_URL" => read || write,
        "GUESTLIST_PUBLIC_URL" => subscribe,
        "GUESTLIST_APPROVALS_URL" => tell,
        "GUESTLIST_POLICY" | "GUESTLIST_AT_MOST" => policy,
        _ if of("GUESTLIST_STATE_KEYS") => receive || subscribe,
        _ if of("GUESTLIST_LINK_KEYS") => tell || show,
        _ if of("GUESTLIST_READ_") => read,
        _ if of("GUESTLIST_WRITE_") || of("GUESTLIST_CANARY_") => write,
        _ if ["SLACK", "TEAMS", "PAGERDUTY", "WEBHOOK"]
            .iter()
            .any(|one| of(&format!("GUESTLIST_{one}_"))) =>
        {
            tell
        }
        "OTEL_EXPORTER_OTLP_ENDPOINT" | "OTEL_TRACES_SAMPLER" | "OTEL_TRACES_SAMPLER_ARG" => true,
        _ if of("OTEL_EXPORTER_OTLP_HEADERS") => true,
        // What a function on AWS has no use for, or knows by itself.
        _ if of("OTEL_") => false,
        "GUESTLIST_DATA" | "GUESTLIST_LISTEN" | "GUESTLIST_ADMIN_LISTEN" => false,
        other => panic!("say in tests/tidy/deployed.rs for whom `{other}` is"),
    }
}

/// What a function could be told in another way than the template has.
fn said_otherwise(name: &str, asked: &BTreeSet<String>) -> bool {
    let is_secret = |stem: &str| ON_AWS.iter().all(|end| asked.contains(&format!("{stem}{end}")));
    let text_or_file = is_secret(name) || name.strip_suffix("_FILE").is_some_and(is_secret);
    // An app on AWS has a client secret, or what AWS says of its role. A severity stands in `GUESTLIST_CHANNELS`.
    let by_certificate = ["_CERTIFICATE", "_KEY"].iter().any(|one| name.contains(&format!("{one}_")));
    text_or_file || by_certificate || name.ends_with("_ASSERTION_FILE") || name.ends_with("_FROM")
}

/// The variables of a function with their values as they stand in the template, those of all functions among them.
fn variables(template: &Value, function: &str) -> BTreeMap<String, Value> {
    let all = &template["Globals"]["Function"]["Environment"]["Variables"];
    let own = &properties(template, function)["Environment"]["Variables"];
    let both = [all, own].into_iter().flat_map(|some| some.as_object().unwrap());
    both.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Reads the settings of a part as Lambda starts it: what it asked for, and what was wrong.
fn read_settings(part: Part, values: BTreeMap<String, String>) -> (BTreeSet<String>, Vec<String>) {
    let asked = Arc::new(Mutex::new(BTreeSet::new()));
    let kept = Arc::clone(&asked);
    let environment = Environment::from_fn(move |name| {
        kept.lock().unwrap().insert(name.to_owned());
        values.get(name).cloned()
    });
    // The secrets are read before the settings are; one that is only known by its place is no problem.
    let problems =
        Settings::read(&environment, part.needs()).err().map(|missing| missing.0).unwrap_or_default();
    let is_set = |name: &&String| name.starts_with("GUESTLIST_") || name.starts_with("OTEL_");
    let asked = asked.lock().unwrap().iter().filter(is_set).cloned().collect();
    (asked, problems)
}

fn of_lambda() -> BTreeMap<String, String> {
    let set = [
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
    ];
    set.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[test]
fn each_function_is_told_what_its_part_needs_and_nothing_else() {
    let template = template();
    for function in FUNCTIONS {
        let (part, given) = (part(function), variables(&template, function));
        let mut values = of_lambda();
        // Whoever leads to pages has keys for it.
        values.insert("GUESTLIST_APPROVALS_URL".to_owned(), "https://guestlist.contoso.com".to_owned());
        // And whoever makes traces is asked how.
        values.insert("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), "https://otlp.contoso.com".to_owned());
        let (asked, _) = read_settings(part, values);
        assert!(asked.len() > 15, "{asked:?}");
        // All are told where the queues are; who only shows something has none.
        let is_of_a_queue =
            |name: &str| name.starts_with("GUESTLIST_QUEUE_") || name.starts_with("GUESTLIST_DEAD_");
        for name in given.keys().filter(|name| !(part.needs().show && is_of_a_queue(name))) {
            assert!(asked.contains(name), "{function} is told {name}, which nobody reads");
            assert!(serves(name, part.needs()), "{function} is told {name}, and does nothing with it");
        }
        for name in asked.iter().filter(|name| serves(name, part.needs()) && !said_otherwise(name, &asked)) {
            assert!(given.contains_key(name), "{function} is not told {name}");
        }
    }
}

/// A deployment: which conditions hold, and what stands for each parameter and resource.
struct Deployment<'a> {
    template: &'a Value,
    holds: &'a [&'a str],
    set: &'a [(&'a str, &'a str)],
}

impl Deployment<'_> {
    /// `!Ref`, `!Sub` and `!If` as CloudFormation would fill them in: whatever names a parameter or a resource is one.
    fn value(&self, value: &Value) -> String {
        match value {
            Value::Array(choice) => {
                let [condition, yes, no] = choice.as_slice() else { panic!("{value} is no choice") };
                let condition = condition.as_str().unwrap();
                assert!(self.template["Conditions"].get(condition).is_some(), "no condition `{condition}`");
                self.value(if self.holds.contains(&condition) { yes } else { no })
            }
            Value::String(text) if text.contains("${") => self.filled_in(text),
            Value::String(text) => self.named(text).unwrap_or_else(|| text.clone()),
            other => panic!("{other} is no text"),
        }
    }

    fn filled_in(&self, text: &str) -> String {
        let mut parts = text.split("${");
        let mut filled = parts.next().unwrap().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap();
            let value = if name.starts_with("AWS::") { Some("aws".to_owned()) } else { self.named(name) };
            filled += &value.unwrap_or_else(|| panic!("`{text}` names `{name}`, which is not there"));
            filled += rest;
        }
        filled
    }

    fn named(&self, name: &str) -> Option<String> {
        if let Some((_, value)) = self.set.iter().find(|(one, _)| *one == name) {
            return Some((*value).to_owned());
        }
        if let Some(parameter) = self.template["Parameters"].get(name) {
            let default = &parameter["Default"];
            return Some(default.as_str().unwrap_or_else(|| panic!("{name} has no default")).to_owned());
        }
        let resource = self.template["Resources"].get(name)?;
        Some(match resource["Type"].as_str().unwrap() {
            "AWS::SQS::Queue" => format!("https://sqs.eu-central-1.amazonaws.com/123456789012/{name}"),
            _ => name.to_lowercase(),
        })
    }
}

#[test]
fn what_the_template_says_is_what_the_settings_take() {
    const ID: &str = "6f1d3c1e-0c55-4b8a-9c7e-2f7d5b1a0001";
    let template = template();
    let mut set = vec![("TenantId", ID), ("CanaryUser", ID), ("CanaryGroup", ID), ("CanaryWithin", "45m")];
    set.extend(["AssessClientId", "RemediateClientId", "StewardClientId"].map(|name| (name, ID)));
    let secrets = [
        "StateKeys",
        "LinkKeys",
        "SlackWebhookUrl",
        "TeamsWebhookUrl",
        "PagerDutyRoutingKey",
        "WebhookUrl",
        "WebhookSecret",
        "TracesHeaders",
    ];
    set.extend(secrets.map(|name| (name, "/guestlist/a-secret")));
    set.push(("TracesTo", "https://otlp.contoso.com"));
    set.push(("Channels", "slack:high,teams,pagerduty,webhook"));
    const APPS: [(&str, &str); 3] = [
        ("AssessClientSecret", "HasAssessClientSecret"),
        ("RemediateClientSecret", "HasRemediateClientSecret"),
        ("StewardClientSecret", "HasStewardClientSecret"),
    ];
    for (in_parameter_store, without_secrets) in [(false, true), (true, true), (false, false), (true, false)]
    {
        let more: &[&str] = if in_parameter_store { &["InParameterStore"] } else { &[] };
        let mut holds = [&["PolicyInBucket", "HasCanary", "HasPages"], more].concat();
        let mut set = set.clone();
        if !without_secrets {
            holds.extend(APPS.map(|(_, condition)| condition));
            set.extend(APPS.map(|(parameter, _)| (parameter, "/guestlist/a-secret")));
        }
        let deployment = Deployment { template: &template, holds: &holds, set: &set };
        for function in FUNCTIONS {
            let mut values = of_lambda();
            for (name, value) in variables(&template, function) {
                values.insert(name, deployment.value(&value));
            }
            let (_, mut problems) = read_settings(part(function), values);
            // What can be told only of a secret's text is told once it was read.
            problems.retain(|one| {
                !one.starts_with("GUESTLIST_CHANNELS names") && !one.starts_with("none of these")
            });
            problems.retain(|one| {
                !one.starts_with("GUESTLIST_PAGERDUTY_URL is set, and GUESTLIST_PAGERDUTY_ROUTING_KEY")
            });
            assert_eq!(problems, Vec::<String>::new(), "{function}");
        }
    }
}

/// The parameters that name the secrets of a function, by its variables.
fn secrets(template: &Value, function: &str) -> BTreeSet<String> {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in variables(template, function) {
        let stem = ON_AWS.iter().find_map(|end| name.strip_suffix(end));
        let (Some(stem), Value::Array(choice)) = (stem, value) else { continue };
        let parameter = choice.iter().skip(1).filter_map(Value::as_str).find(|text| !text.is_empty());
        named.entry(stem.to_owned()).or_default().insert(parameter.unwrap().to_owned());
    }
    let same = |(stem, parameters): (String, BTreeSet<String>)| {
        assert_eq!(parameters.len(), 1, "{function}: both places of {stem} are of one secret");
        parameters.into_iter().next().unwrap()
    };
    named.into_iter().map(same).collect()
}

/// What may be decrypted through the parameter store, and through Secrets Manager: each says in the encryption context what it is about
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html>,
/// <https://docs.aws.amazon.com/kms/latest/developerguide/services-secrets-manager.html>).
fn decrypted(statement: &Value) -> [BTreeSet<String>; 2] {
    let condition = &statement["Condition"];
    assert_eq!(condition[0], "InParameterStore", "{statement}");
    [(1, "ssm", "PARAMETER_ARN"), (2, "secretsmanager", "SecretARN")].map(|(choice, service, context)| {
        let wanted = condition[choice]["StringEquals"].as_object().unwrap();
        assert_eq!(wanted.len(), 2, "{statement}");
        assert_eq!(wanted["kms:ViaService"], format!("{service}.${{AWS::Region}}.${{AWS::URLSuffix}}"));
        let named = |text: String| match text.split_once(":parameter${") {
            Some((_, name)) => name.trim_end_matches('}').to_owned(),
            None => text,
        };
        texts(&wanted[&format!("kms:EncryptionContext:{context}")]).into_iter().map(named).collect()
    })
}

#[test]
fn a_role_may_read_the_secrets_and_the_policy_of_which_its_function_is_told_and_no_others() {
    let template = template();
    for function in FUNCTIONS {
        let (mut readable, mut reads_policy, mut decrypts) = (BTreeSet::new(), false, None);
        for statement in statements(&template, &format!("{function}Role")) {
            let actions = texts(&statement["Action"]);
            if actions.iter().any(|action| action == "s3:GetObjectVersion") {
                reads_policy = true;
                // The folder of the policy, in which its lists lie, too.
                let place =
                    variables(&template, function)["GUESTLIST_POLICY"][1].as_str().unwrap().to_owned();
                let folder = place
                    .strip_prefix("s3://${PolicyBucket}")
                    .and_then(|key| key.strip_suffix("policy.yaml"));
                assert_eq!(
                    texts(&statement["Resource"]),
                    [format!("${{PolicyBucket.Arn}}{}*", folder.unwrap())]
                );
            }
            if actions == ["kms:Decrypt"] {
                decrypts = Some(statement);
            } else if actions.iter().any(|action| action == "ssm:GetParameter") {
                assert_eq!(
                    actions,
                    ["InParameterStore", "ssm:GetParameter", "secretsmanager:GetSecretValue"]
                );
                let [_, parameter, secret] = <[String; 3]>::try_from(texts(&statement["Resource"])).unwrap();
                let ends = format!(":parameter${{{secret}}}");
                assert!(parameter.ends_with(&ends), "{function}: {parameter} and {secret} are two secrets");
                readable.insert(secret);
            }
        }
        assert_eq!(readable, secrets(&template, function), "{function}");
        let decrypts = decrypts.unwrap_or_else(|| panic!("{function} may decrypt nothing"));
        assert_eq!(decrypted(&decrypts), [readable.clone(), readable], "{function}");
        let is_told = variables(&template, function).contains_key("GUESTLIST_POLICY");
        assert_eq!(reads_policy, is_told, "{function} and the policy");
    }
}

/// What a role may do to a queue or its dead letters.
fn on_queues(template: &Value, function: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut powers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for statement in statements(template, &format!("{function}Role")) {
        let actions = texts(&statement["Action"])
            .into_iter()
            .filter_map(|one| Some(one.strip_prefix("sqs:")?.to_owned()));
        let actions: BTreeSet<String> = actions.collect();
        if actions.is_empty() {
            continue;
        }
        for queue in texts(&statement["Resource"]) {
            let queue = queue.strip_suffix(".Arn").expect("a queue of this stack").to_owned();
            assert_eq!(properties_type(template, &queue), "AWS::SQS::Queue", "{function}");
            powers.entry(queue).or_default().extend(actions.clone());
        }
    }
    powers
}

fn properties_type<'a>(template: &'a Value, name: &str) -> &'a str {
    resources(template).get(name).and_then(|one| one["Type"].as_str()).unwrap_or("nothing")
}

/// Which queue it works on is said by its event; what else it may do follows from that, and from whom its flow wakes.
#[test]
fn a_function_works_on_its_own_queue_and_only_sends_to_others() {
    let template = template();
    let wakes = |function: &str| -> &[&str] {
        match function {
            "Notifications" => &["Changes", "Chores", "Alerts"],
            "Assess" | "Remediate" => &["Changes", "Remediations", "Alerts"],
            "Alert" => &["Alerts"],
            "Approvals" => &[],
            // It moves what is due later into each of them, and buries what cannot be read there.
            "Steward" => &["Changes", "Remediations", "Alerts", "Chores"],
            other => panic!("whom does {other} wake?"),
        }
    };
    for function in FUNCTIONS {
        let own = properties(&template, function)["Events"]["Batch"]["Properties"]["Queue"].as_str();
        let own = own.map(|queue| queue.strip_suffix(".Arn").unwrap());
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut grant = |queue: String, actions: &[&str]| {
            wanted.entry(queue).or_default().extend(actions.iter().map(|one| (*one).to_owned()));
        };
        for queue in wakes(function) {
            grant((*queue).to_owned(), &["SendMessage"]);
            // What SQS would not take goes to the dead letters at once.
            if Some(*queue) == own
                || function == "Steward"
                || (function == "Notifications" && *queue == "Changes")
            {
                grant(format!("{queue}Dead"), &["SendMessage"]);
            }
        }
        if let Some(own) = own {
            let work = ["ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"];
            grant(own.to_owned(), &work);
        }
        if function == "Steward" {
            // To say how much waits, and up to when all was assessed.
            for queue in ["Changes", "Remediations", "Alerts", "Chores"] {
                grant(queue.to_owned(), &["GetQueueAttributes"]);
                grant(format!("{queue}Dead"), &["GetQueueAttributes"]);
            }
        }
        assert_eq!(on_queues(&template, function), wanted, "{function}");
    }
}

/// The leases and what is due later lie in the table beside the ledger.
#[test]
fn the_items_of_a_queue_are_written_by_whoever_works_on_it_or_sends_to_it() {
    let template = template();
    for function in FUNCTIONS {
        let own = properties(&template, function)["Events"]["Batch"]["Properties"]["Queue"].as_str();
        let lease: BTreeSet<String> = own
            .map(|queue| format!("lease#{}", queue.trim_end_matches(".Arn").to_lowercase()))
            .into_iter()
            .collect();
        let powers = on_queues(&template, function);
        let sends: BTreeSet<String> = powers
            .iter()
            .filter(|(queue, actions)| actions.contains("SendMessage") && !queue.ends_with("Dead"))
            .map(|(queue, _)| format!("later#{}", queue.to_lowercase()))
            .collect();
        let works = own == Some("Changes.Arn");
        // Whoever keeps back what waits in the table removes what it owed there.
        let keeps = partitions(&template, function, "dynamodb:PutItem").contains("later#changes");
        for (action, may) in [
            ("PutItem", sends.contains("later#changes")),
            ("DeleteItem", works || keeps),
            ("Query", function == "Steward"),
        ] {
            let touched = partitions(&template, function, &format!("dynamodb:{action}"));
            assert_eq!(touched.contains(DEBTS), may, "{function} and {action}");
        }
        for action in ["GetItem", "PutItem"] {
            let touched = partitions(&template, function, &format!("dynamodb:{action}"));
            let of = |prefix: &str| -> BTreeSet<String> {
                touched.iter().filter(|one| one.starts_with(prefix)).cloned().collect()
            };
            // Who has what is owed sent again looks first whether somebody works on it.
            let mut lease = lease.clone();
            lease.extend((function == "Steward" && action == "GetItem").then(|| "lease#changes".to_owned()));
            assert_eq!(of("lease#"), lease, "{function} and {action}");
            assert!(of("later#").is_subset(&sends), "{function} and {action}: {:?}", of("later#"));
        }
        // Only who has moved something into its queue takes it from the table.
        let removed = partitions(&template, function, "dynamodb:DeleteItem");
        let removed: Vec<&String> = removed.iter().filter(|one| one.starts_with("later#")).collect();
        assert_eq!(removed.len(), if function == "Steward" { 4 } else { 0 }, "{function}: {removed:?}");
    }
}
