//! Everything around the functions: the tenant, the chat, and on the emulator a table, queues, secrets and the policy.

use std::sync::Arc;

use emulator::Kept;
use emulator::issuer::Issuer;
use guestlist_tests::{Inbox, People};
use jiff::Timestamp;
use serde_json::{Value, json};
use simulator::{Delivery, Options, Simulator, contoso};
use tempfile::NamedTempFile;

use crate::function::Function;

const PUBLIC_URL: &str = "https://guestlist.example";
/// `openssl rand -base64 32` would make such a key.
pub(crate) const KEYS: &str = "k1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";

/// In which the functions of a stage count.
pub(crate) const NAMESPACE: &str = "Guestlist/stage";

pub(crate) const POLICY: &str = "
version: 1
mode: enforce
lists:
  blocked: { file: blocked.txt }
guardrails:
  - id: blocked-domain
    why: organisations under sanctions
    severity: high
    if: { domain: [blocked] }
    then: [disable]
";

pub(crate) struct Stage {
    pub(crate) simulator: Simulator,
    pub(crate) tenant: People,
    pub(crate) slack: Inbox,
    pub(crate) bucket: String,
    packaged: NamedTempFile,
    queues: Vec<(&'static str, String, String)>,
    prefix: String,
    settings: Vec<(String, String)>,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::contoso(Arc::new(Timestamp::now));
        options.deliver = Delivery::ByHand;
        change(&mut options);
        let simulator = Simulator::start(options).await.unwrap();
        let slack = Inbox::open("slack").await;
        let prefix = format!("guestlist/{}", uuid::Uuid::new_v4());
        let bucket = emulator::create_bucket();
        emulator::put_object(&bucket, "guestlist/blocked.txt", "evil.example\n");
        emulator::put_object(&bucket, "guestlist/policy.yaml", POLICY);
        let packaged = NamedTempFile::new().unwrap();
        let rules = POLICY.replace("{ file: blocked.txt }", "{ entries: [evil.example] }");
        std::fs::write(packaged.path(), rules).unwrap();
        let mut stage = Self {
            tenant: People(simulator.tenant()),
            simulator,
            slack,
            bucket,
            packaged,
            queues: Vec::new(),
            prefix,
            settings: Vec::new(),
        };
        stage.keep_secrets();
        stage.fill_in();
        stage
    }

    fn keep_secrets(&self) {
        self.keep(Kept::Secret, "reader", contoso::READER_SECRET);
        self.keep(Kept::Parameter, "writer", contoso::WRITER_SECRET);
        self.keep(Kept::Parameter, "slack", &self.slack.url());
        self.keep(Kept::Secret, "keys", KEYS);
    }

    pub(crate) fn keep(&self, kept: Kept, name: &str, text: &str) {
        emulator::keep_secret(kept, &self.name_of(kept, name), text);
    }

    pub(crate) fn name_of(&self, kept: Kept, name: &str) -> String {
        match kept {
            Kept::Secret => format!("{}/{name}", self.prefix),
            // There a name with a slash in it begins with one.
            Kept::Parameter => format!("/{}/{name}", self.prefix),
        }
    }

    fn fill_in(&mut self) {
        let of = |kept, name| self.name_of(kept, name);
        let mut settings = vec![
            ("AWS_ACCESS_KEY_ID", emulator::KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", emulator::KEY.to_owned()),
            ("AWS_ENDPOINT_URL", emulator::address().to_owned()),
            ("GUESTLIST_TABLE", emulator::create_table()),
            ("GUESTLIST_TENANT_ID", contoso::TENANT.to_string()),
            ("GUESTLIST_LOGIN_URL", self.simulator.url()),
            ("GUESTLIST_GRAPH_URL", self.simulator.url()),
            ("GUESTLIST_PUBLIC_URL", PUBLIC_URL.to_owned()),
            ("GUESTLIST_READ_CLIENT_ID", contoso::READER.to_string()),
            ("GUESTLIST_READ_CLIENT_SECRET_SECRET", of(Kept::Secret, "reader")),
            ("GUESTLIST_WRITE_CLIENT_ID", contoso::WRITER.to_string()),
            ("GUESTLIST_WRITE_CLIENT_SECRET_PARAMETER", of(Kept::Parameter, "writer")),
            ("GUESTLIST_STATE_KEYS_SECRET", of(Kept::Secret, "keys")),
            ("GUESTLIST_POLICY", format!("s3://{}/guestlist/policy.yaml", self.bucket)),
            ("GUESTLIST_AT_MOST", "enforce".to_owned()),
            ("GUESTLIST_METRICS_NAMESPACE", NAMESPACE.to_owned()),
        ];
        for (name, variable) in [
            ("changes", "CHANGES"),
            ("remediations", "REMEDIATIONS"),
            ("alerts", "ALERTS"),
            ("chores", "CHORES"),
        ] {
            let (url, dead) = (queue(), queue());
            self.queues.push((name, url.clone(), dead.clone()));
            let variables = [format!("GUESTLIST_QUEUE_{variable}"), format!("GUESTLIST_DEAD_{variable}")];
            self.settings.extend(variables.into_iter().zip([url, dead]));
        }
        settings.retain(|(_, value)| !value.is_empty());
        self.settings.extend(settings.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }

    /// In the place of every secret of an app: tokens that this issuer signs.
    pub(crate) fn sign_in_by_role(&mut self, issuer: &Issuer) {
        self.settings.retain(|(name, _)| !name.contains("_CLIENT_SECRET"));
        for (name, value) in [
            ("GUESTLIST_READ_FEDERATION", "aws-sts"),
            ("GUESTLIST_WRITE_FEDERATION", "aws-sts"),
            ("AWS_ENDPOINT_URL_STS", &issuer.address),
            ("AWS_SESSION_TOKEN", "of-the-role"),
        ] {
            self.settings.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The variables that a function of this name gets, and no others.
    pub(crate) fn environment(&self, name: &str) -> Vec<(String, String)> {
        let mut environment: Vec<_> = self
            .settings
            .iter()
            .filter(|(setting, _)| {
                let of = |prefix| setting.starts_with(prefix);
                match name {
                    "notifications" | "alert" => {
                        !of("GUESTLIST_READ") && !of("GUESTLIST_WRITE") && !of("GUESTLIST_POLICY")
                    }
                    "remediate" => !of("GUESTLIST_READ") && !of("GUESTLIST_STATE"),
                    "assess" => !of("GUESTLIST_WRITE") && !of("GUESTLIST_STATE"),
                    _ => !of("GUESTLIST_WRITE") && !of("GUESTLIST_POLICY"),
                }
            })
            .cloned()
            .collect();
        let slack = if name == "alert" {
            ("GUESTLIST_SLACK_WEBHOOK_URL_PARAMETER", self.name_of(Kept::Parameter, "slack"))
        } else {
            ("GUESTLIST_CHANNELS", "slack".to_owned())
        };
        environment.push((slack.0.to_owned(), slack.1));
        environment
    }

    /// As [`Self::start`], with this address in the place of the emulator's. The policy lies in the package, as such a one reads no
    /// bucket.
    pub(crate) async fn start_behind(&self, address: &str, name: &'static str) -> Function {
        let mut environment = self.environment(name);
        for (setting, value) in &mut environment {
            match setting.as_str() {
                "AWS_ENDPOINT_URL" => address.clone_into(value),
                "GUESTLIST_POLICY" => *value = self.packaged.path().display().to_string(),
                _ => {}
            }
        }
        Function::start(name, &environment).await
    }

    pub(crate) async fn start(&self, name: &'static str) -> Function {
        Function::start(name, &self.environment(name)).await
    }

    pub(crate) fn table(&self) -> &str {
        let found = self.settings.iter().find(|(name, _)| name == "GUESTLIST_TABLE");
        &found.expect("a table").1
    }

    /// The address of a queue, and of its dead-letter queue.
    pub(crate) fn queue(&self, name: &str) -> (&str, &str) {
        let found = self.queues.iter().find(|(one, _, _)| *one == name);
        let (_, url, dead) = found.expect("a queue of this name");
        (url, dead)
    }

    /// What can be received from a queue, ten at most, as an event source mapping would hand it over.
    pub(crate) fn receive(&self, queue: &str) -> Vec<Value> {
        let asked = json!({
            "QueueUrl": self.queue(queue).0, "MaxNumberOfMessages": 10, "VisibilityTimeout": 60,
            "MessageSystemAttributeNames": ["All"], "AttributeNames": ["All"],
        });
        let answer = emulator::ask_sqs("ReceiveMessage", &asked);
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(record).collect()
    }

    /// Deletes what was not said to have failed, as an event source mapping does.
    pub(crate) fn settle(&self, queue: &str, records: &[Value], answer: &Value) -> usize {
        let failed = answer["batchItemFailures"].as_array().expect("an answer about a batch");
        let failed: Vec<_> = failed.iter().map(|one| &one["itemIdentifier"]).collect();
        assert!(failed.iter().all(|id| records.iter().any(|record| &&record["messageId"] == id)), "{answer}");
        for record in records.iter().filter(|record| !failed.contains(&&record["messageId"])) {
            let done = json!({ "QueueUrl": self.queue(queue).0, "ReceiptHandle": record["receiptHandle"] });
            let _ = emulator::ask_sqs("DeleteMessage", &done);
        }
        failed.len()
    }

    /// Hands over what lies in a queue, batch by batch, until nothing can be received any more. Returns how many came to
    /// their end.
    pub(crate) async fn pump(&self, queue: &str, function: &Function) -> usize {
        let mut done = 0;
        loop {
            let records = self.receive(queue);
            if records.is_empty() {
                return done;
            }
            let answer = function.invoke(json!({ "Records": records })).await.unwrap();
            done += records.len() - self.settle(queue, &records, &answer);
        }
    }

    pub(crate) fn send(&self, queue: &str, body: &str) {
        let asked = json!({ "QueueUrl": self.queue(queue).0, "MessageBody": body });
        assert!(emulator::ask_sqs("SendMessage", &asked)["MessageId"].is_string());
    }

    /// How many dead letters there are.
    pub(crate) fn dead(&self, queue: &str) -> usize {
        count(self.queue(queue).1, "ApproximateNumberOfMessages")
    }

    /// How many messages are not due yet.
    pub(crate) fn delayed(&self, queue: &str) -> usize {
        count(self.queue(queue).0, "ApproximateNumberOfMessagesDelayed")
    }

    pub(crate) fn forward_to(&self, gateway: &str) {
        self.simulator.forward(PUBLIC_URL, gateway);
    }
}

fn queue() -> String {
    emulator::create_queue(&json!({}))
}

fn count(url: &str, attribute: &str) -> usize {
    let asked = json!({ "QueueUrl": url, "AttributeNames": [attribute] });
    let answer = emulator::ask_sqs("GetQueueAttributes", &asked);
    answer["Attributes"][attribute].as_str().unwrap().parse().unwrap()
}

fn record(message: &Value) -> Value {
    json!({
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:guestlist",
        "awsRegion": emulator::REGION,
    })
}
