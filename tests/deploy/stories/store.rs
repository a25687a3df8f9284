//! What lies in the table and the queues, read and written by whoever may do everything: the command line's requests, what a machine
//! has lost, and what would take days to come about.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dynamo::Table;
use guestlist_tests::{Guest, tenant};
use jiff::{SignedDuration, Timestamp};
use ledger::Ledger;
use model::{
    Answer, ChannelName, DeliveryStatus, Incident, IncidentId, Job, Request, RequestId, RequestKind,
    RequestState, RuleId,
};
use queue::{Collapse, Move, Queue, SqsPlace};
use responder::Queues;
use serde_json::{Value, json};
use uuid::Uuid;

/// One request with all its tries.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) ledger: Ledger,
    pub(crate) queues: Queues,
    table: String,
    urls: BTreeMap<&'static str, String>,
}

impl Store {
    pub(crate) fn open(outputs: &BTreeMap<String, String>) -> Self {
        let config = emulator::config(emulator::address());
        let table = Table::new(&config, &outputs["TableName"], PATIENCE);
        let mut urls = BTreeMap::new();
        let mut queue = |name: &'static str, output: &str| {
            let (url, dead_url) =
                (outputs[&format!("{output}Url")].clone(), outputs[&format!("{output}DeadUrl")].clone());
            urls.insert(name, url.clone());
            let (debts, clock) = (name == "changes", Arc::new(Timestamp::now));
            Queue::sqs(
                &config,
                SqsPlace { name, url, dead_url, table: table.clone(), patience: PATIENCE, debts, clock },
            )
        };
        let queues = Queues {
            changes: queue("changes", "Changes"),
            remediations: queue("remediations", "Remediations"),
            alerts: queue("alerts", "Alerts"),
            chores: queue("chores", "Chores"),
        };
        Self { ledger: Ledger::dynamo(table, tenant()), queues, table: outputs["TableName"].clone(), urls }
    }

    /// What is owed from now on, and to be done then.
    pub(crate) async fn send(&self, queue: &Queue, key: &str, job: &Job, due: Timestamp) {
        let body = serde_json::to_string(job).unwrap();
        let (key, collapse) = (key.to_owned(), Collapse::Earliest);
        queue.send(vec![Move { key, body, due, owed_since: due, collapse }]).await.unwrap();
    }

    /// A message as it lies in SQS.
    pub(crate) fn send_as_it_is(&self, queue: &Queue, body: &Value) {
        let message = json!({ "QueueUrl": self.urls[queue.name()], "MessageBody": body.to_string() });
        let sent = emulator::ask_sqs("SendMessage", &message);
        assert!(sent["MessageId"].is_string(), "{sent}");
    }

    /// An item whose document nobody can read, found in the index by this class where there is one.
    pub(crate) fn put_damaged(&self, partition: &str, sort: &str, class: Option<&str>) {
        let now = Timestamp::now().as_microsecond().to_string();
        let mut item = json!({
            "pk": { "S": partition }, "sk": { "S": sort }, "v": { "N": "1" }, "b": { "S": "{\"damaged" },
        });
        if let Some(class) = class {
            item["dc"] = json!({ "S": class });
            item["da"] = json!({ "N": now });
        }
        let put = json!({ "TableName": self.table, "Item": item });
        let answer = emulator::ask("PutItem", &put.to_string());
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Whether something with this key waits in the table until it is near.
    pub(crate) fn waits_in_the_table(&self, queue: &Queue, key: &str) -> bool {
        !self.item(&format!("later#{}", queue.name()), key).is_null()
    }

    /// As DynamoDB gives it, or nothing.
    pub(crate) fn item(&self, partition: &str, sort: &str) -> Value {
        let key = json!({ "pk": { "S": partition }, "sk": { "S": sort } });
        let get = json!({ "TableName": self.table, "Key": key, "ConsistentRead": true });
        let answer = emulator::ask("GetItem", &get.to_string());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        let mut found: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        found["Item"].take()
    }

    /// As `guestlist approve` and its like write it.
    pub(crate) async fn ask(&self, kind: RequestKind) -> RequestId {
        let (id, now) = (self.write_request(kind, Timestamp::now()).await, Timestamp::now());
        let job = Job::Serve { request: id.clone() };
        self.send(&self.queues.remediations, &format!("request/{id}"), &job, now).await;
        id
    }

    /// The same, by a command that died before it could send the message, three minutes ago.
    pub(crate) async fn ask_without_a_message(&self, kind: RequestKind) -> RequestId {
        self.write_request(kind, ago(SignedDuration::from_mins(3))).await
    }

    async fn write_request(&self, kind: RequestKind, asked_at: Timestamp) -> RequestId {
        let id = RequestId(Uuid::new_v4().to_string());
        let (by, reason) = ("carol".to_owned(), "looked at it".to_owned());
        let state = RequestState::Waiting;
        let request = Request { id: id.clone(), kind, by, reason, asked_at, state };
        self.ledger.insert(request).await.unwrap();
        id
    }

    pub(crate) async fn answer(&self, request: &RequestId) -> Option<Answer> {
        match self.ledger.request(request).await.unwrap().unwrap().value.state {
            RequestState::Answered { at: _, answer } => Some(answer),
            RequestState::Waiting => None,
        }
    }

    /// The last one of this guest under this rule.
    pub(crate) async fn incident(&self, guest: Guest, rule: &str) -> Option<Incident> {
        let rule: RuleId = rule.parse().unwrap();
        let all = self.ledger.incidents_of(guest.id()).await.unwrap();
        all.into_iter().map(|stored| stored.value).find(|one| one.key.rule == rule)
    }

    pub(crate) async fn by_id(&self, id: &IncidentId) -> Incident {
        self.ledger.incident(id).await.unwrap().unwrap().value
    }

    /// The channel wants to be left alone for longer than the steward leaves what is due to itself.
    pub(crate) async fn is_notice_put_off(&self, key: &str, channel: &str) -> bool {
        let Some(stored) = self.ledger.notice(key).await.unwrap() else { return false };
        let channel = ChannelName(channel.to_owned());
        let soon = Timestamp::now() + SignedDuration::from_secs(90);
        let put_off = |status: &DeliveryStatus| matches!(status, DeliveryStatus::Due { at, attempts: 1.. } if *at > soon);
        stored.value.deliveries.iter().any(|one| one.channel == channel && put_off(&one.status))
    }
}

pub(crate) fn ago(span: SignedDuration) -> Timestamp {
    Timestamp::now() - span
}
