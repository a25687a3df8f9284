//! What pushes the messages of SQS, in the place of an event source mapping: it receives them from the emulator, hands each over,
//! and deletes it or not, as it is answered. Time is the test's: the emulator hands out everything at once, and whoever asks it for
//! a delay or to hide a message is heard here, where the moment is kept instead.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dynamo::Table;
use emulator::proxy::{Fault, Proxy, Request};
use guestlist_queue::{Accepted, Answer, Claimed, Queue, QueueError, Receipt, Received, SqsPlace};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Far more than a busy machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// What the test plans for the requests to come. It hears of each, with how many came before it.
type Plan = dyn Fn(&Request) -> Fault + Send + Sync;

#[derive(Clone)]
pub(crate) struct Network {
    plan: Arc<Plan>,
}

impl Network {
    pub(crate) fn fair() -> Self {
        Self::planned(|_| Fault::None)
    }

    pub(crate) fn planned(plan: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Self {
        Self { plan: Arc::new(plan) }
    }
}

/// A message that is in our hands, and hidden from everybody else.
#[derive(Debug, Clone)]
struct InHand {
    received: Received,
    shows_at: Timestamp,
}

#[derive(Debug)]
struct Told {
    now: Timestamp,
    /// By receipt: until when it is to be hidden.
    hidden: BTreeMap<String, Timestamp>,
    /// Seconds, of `ChangeMessageVisibility` as it was asked.
    visibilities: Vec<i64>,
    delays: Vec<i64>,
}

pub(crate) struct Mapping {
    pub(crate) url: String,
    pub(crate) dead_url: String,
    pub(crate) table: String,
    pub(crate) proxy: Proxy,
    name: &'static str,
    told: Arc<Mutex<Told>>,
    in_hand: Vec<InHand>,
    /// Which delivery was handed over by that receipt.
    handed: Vec<(Receipt, String)>,
}

impl Mapping {
    pub(crate) async fn start(network: Network) -> Self {
        Self::with_table("changes", emulator::create_table(), network).await
    }

    pub(crate) async fn neighbour(&self, name: &'static str) -> Self {
        Self::with_table(name, self.table.clone(), Network::fair()).await
    }

    async fn with_table(name: &'static str, table: String, network: Network) -> Self {
        let now = crate::given::at(0);
        let told = Told { now, hidden: BTreeMap::new(), visibilities: Vec::new(), delays: Vec::new() };
        let told = Arc::new(Mutex::new(told));
        let listens = Arc::clone(&told);
        let proxy = Proxy::start(move |request| {
            let fault = (network.plan)(request);
            if matches!(fault, Fault::LoseRequest | Fault::Answer(_, _) | Fault::Hang) {
                return fault;
            }
            match listens.lock().unwrap().hear(request) {
                Some(body) => Fault::Changed(body, Box::new(fault)),
                None => fault,
            }
        })
        .await;
        let (url, dead_url) = (emulator::create_queue(&json!({})), emulator::create_queue(&json!({})));
        Self { url, dead_url, table, proxy, name, told, in_hand: Vec::new(), handed: Vec::new() }
    }

    /// A handle of its own, as another process has it.
    pub(crate) fn queue(&self) -> Queue {
        self.queue_by(&self.proxy.address)
    }

    pub(crate) fn queue_by(&self, address: &str) -> Queue {
        let told = Arc::clone(&self.told);
        let config = emulator::config(address);
        let place = SqsPlace {
            name: self.name,
            url: self.url.clone(),
            dead_url: self.dead_url.clone(),
            table: Table::new(&config, &self.table, PATIENCE),
            patience: PATIENCE,
            debts: self.name == "changes",
            clock: Arc::new(move || told.lock().unwrap().now),
        };
        Queue::sqs(&config, place)
    }

    pub(crate) fn turn_clock(&self, now: Timestamp) {
        self.told.lock().unwrap().now = now;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.told.lock().unwrap().now
    }

    pub(crate) fn visibilities(&self) -> Vec<i64> {
        self.told.lock().unwrap().visibilities.clone()
    }

    pub(crate) fn delays(&self) -> Vec<i64> {
        self.told.lock().unwrap().delays.clone()
    }

    /// Takes all that lies in the queue.
    fn receive(&mut self) {
        loop {
            let asked = json!({
                "QueueUrl": self.url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 43_200,
                "MessageAttributeNames": ["All"],
            });
            let answer = emulator::ask_sqs("ReceiveMessage", &asked);
            let Some(messages) = answer["Messages"].as_array() else { return };
            for message in messages {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let shows_at = &message["MessageAttributes"]["shows_at"]["StringValue"];
                self.in_hand.push(InHand {
                    received: Received {
                        message_id: text(&message["MessageId"]),
                        receipt_handle: text(&message["ReceiptHandle"]),
                        body: text(&message["Body"]),
                        receive_count: 0,
                    },
                    shows_at: shows_at.as_str().map_or(self.now(), |at| at.parse().unwrap()),
                });
            }
        }
    }

    /// What can be handed over now, the longest due first; it counts as received, and is hidden for that long.
    pub(crate) fn due(&mut self, hidden: SignedDuration) -> VecDeque<Received> {
        self.receive();
        let (now, told) = (self.now(), self.told.lock().unwrap());
        for one in &mut self.in_hand {
            if let Some(until) = told.hidden.get(&one.received.receipt_handle) {
                one.shows_at = *until;
            }
        }
        drop(told);
        self.in_hand.sort_by_key(|one| one.shows_at);
        let mut due = VecDeque::new();
        for one in self.in_hand.iter_mut().filter(|one| one.shows_at <= now) {
            one.received.receive_count += 1;
            one.shows_at = now.checked_add(hidden).unwrap();
            self.told.lock().unwrap().hidden.remove(&one.received.receipt_handle);
            due.push_back(one.received.clone());
        }
        due
    }

    /// Hands over all that is due, and keeps its side of the answers. What is to be run is returned.
    pub(crate) async fn push(
        &mut self,
        queue: &Queue,
        now: Timestamp,
        lease: SignedDuration,
    ) -> Vec<Claimed> {
        let mut claimed = Vec::new();
        for received in self.due(lease) {
            let accepted = queue.accept(&received, now, lease).await;
            claimed.extend(self.accepted(&received, accepted).unwrap());
        }
        claimed
    }

    pub(crate) fn accepted(
        &mut self,
        received: &Received,
        accepted: Result<Accepted, QueueError>,
    ) -> Result<Option<Claimed>, QueueError> {
        match accepted? {
            Accepted::Run(claimed) => {
                self.handed.push((claimed.receipt.clone(), received.receipt_handle.clone()));
                Ok(Some(claimed))
            }
            Accepted::Done => {
                self.delete(&received.receipt_handle);
                Ok(None)
            }
        }
    }

    pub(crate) fn answer(&mut self, claimed: &Claimed, answer: Answer) {
        match answer {
            Answer::Success => {
                let handed = self.handed.iter().find(|(receipt, _)| *receipt == claimed.receipt);
                let handle = handed.unwrap().1.clone();
                self.delete(&handle);
            }
            Answer::Later | Answer::Failure => {}
        }
    }

    fn delete(&mut self, handle: &str) {
        self.in_hand.retain(|one| one.received.receipt_handle != handle);
        let asked = json!({ "QueueUrl": self.url, "ReceiptHandle": handle });
        let _ = emulator::ask_sqs("DeleteMessage", &asked);
    }

    /// Nothing lies in SQS, and nothing waits in the table.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.receive();
        self.in_hand.is_empty() && self.later().is_empty()
    }

    /// The bodies of the items that wait.
    pub(crate) fn later(&self) -> Vec<String> {
        self.items(&format!("later#{}", self.name))
    }

    /// Of which keys the table says that something is owed, and since when.
    pub(crate) fn debts(&self) -> Vec<(String, Timestamp)> {
        let bodies = (0..8).flat_map(|partition| self.items(&format!("debt#{}#{partition}", self.name)));
        let debt = |body: String| {
            let owing: Value = serde_json::from_str(&body).unwrap();
            let text = |name: &str| owing["envelope"][name].as_str().unwrap().to_owned();
            (text("key"), text("owed_since").parse().unwrap())
        };
        bodies.map(debt).collect()
    }

    fn items(&self, partition: &str) -> Vec<String> {
        let asked = json!({
            "TableName": self.table, "KeyConditionExpression": "pk = :pk", "ConsistentRead": true,
            "ExpressionAttributeValues": { ":pk": { "S": partition } },
        });
        let answer = emulator::ask("Query", &asked.to_string());
        let answer: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let items = answer["Items"].as_array().unwrap();
        items.iter().map(|item| item["b"]["S"].as_str().unwrap().to_owned()).collect()
    }
}

impl Told {
    /// What to ask the emulator for instead, where time is asked for.
    fn hear(&mut self, request: &Request) -> Option<Value> {
        let mut body = request.body.clone();
        match request.operation.as_str() {
            "SendMessageBatch" => {
                for entry in body["Entries"].as_array_mut().unwrap() {
                    let delay = entry["DelaySeconds"].as_i64().unwrap_or(0);
                    assert!((0..=900).contains(&delay), "SQS takes no delay of {delay} s");
                    self.delays.push(delay);
                    let shows_at = self.now + SignedDuration::from_secs(delay);
                    entry["DelaySeconds"] = json!(0);
                    entry["MessageAttributes"] =
                        json!({ "shows_at": { "DataType": "String", "StringValue": shows_at.to_string() } });
                }
                Some(body)
            }
            "ChangeMessageVisibility" => {
                let asked = body["VisibilityTimeout"].as_i64().unwrap();
                assert!((0..=43_200).contains(&asked), "SQS hides nothing for {asked} s");
                self.visibilities.push(asked);
                let handle = body["ReceiptHandle"].as_str().unwrap().to_owned();
                self.hidden.insert(handle, self.now + SignedDuration::from_secs(asked));
                body["VisibilityTimeout"] = json!(43_200);
                Some(body)
            }
            _ => None,
        }
    }
}
