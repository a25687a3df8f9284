//! What a change asks of AWS, from the notification to silence: counted, so that a bill can be reckoned.

use std::sync::Arc;

use emulator::proxy::{Fault, Proxy, Request};
use guestlist_tests::Guest;
use serde_json::{Value, json};
use simulator::NewUser;

use crate::function::Function;
use crate::gateway;
use crate::stage::Stage;
use crate::table::expect_on_the_page;

/// All that runs, when it has started and knows its secrets.
struct Running {
    stage: Stage,
    proxy: Proxy,
    notifications: Arc<Function>,
    assess: Function,
    remediate: Function,
    alert: Function,
    before: Total,
}

/// So far.
#[derive(Clone, Copy, Default)]
struct Total {
    requests: usize,
    messages: u64,
    invocations: u64,
    graph: usize,
    logged: usize,
}

/// Of one event: what is charged by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    /// Half units.
    reads: u64,
    writes: u64,
    of_queues: u64,
    invocations: u64,
    posts: u64,
    of_graph: u64,
    logged: usize,
}

impl Running {
    async fn start() -> Self {
        let stage = Stage::set().await;
        let proxy = Proxy::start(at_once).await;
        let behind = async |name| stage.start_behind(&proxy.address, name).await;
        let notifications = Arc::new(behind("notifications").await);
        stage.forward_to(&gateway::open(Arc::clone(&notifications), false).await);
        stage.start("steward").await.invoke(json!({ "do": "tend" })).await.unwrap();
        let (assess, remediate, alert) =
            (behind("assess").await, behind("remediate").await, behind("alert").await);
        let before = Total::default();
        Self { stage, proxy, notifications, assess, remediate, alert, before }
    }

    /// From the notification to silence. Each message is handed over in a batch of its own, which costs the most.
    async fn settle(&mut self) -> Cost {
        assert!(self.stage.simulator.deliver_due().await > 0);
        let mut messages = 0;
        loop {
            let before = messages;
            for (queue, function) in
                [("changes", &self.assess), ("remediations", &self.remediate), ("alerts", &self.alert)]
            {
                for record in self.stage.receive(queue) {
                    let records = [record];
                    let answer = function.invoke(json!({ "Records": records })).await.unwrap();
                    assert_eq!(self.stage.settle(queue, &records, &answer), 0, "{queue}: {}", function.log());
                    messages += 1;
                }
            }
            if messages == before && self.stage.simulator.deliver_due().await == 0 {
                return self.count(messages);
            }
        }
    }

    fn count(&mut self, messages: u64) -> Cost {
        let seen = self.proxy.seen();
        let new = &seen[self.before.requests..];
        let sent = new.iter().filter(|request| {
            request.operation.starts_with("SendMessage") || request.operation.contains("MessageVisibility")
        });
        let functions = [&*self.notifications, &self.assess, &self.remediate, &self.alert];
        let now = Total {
            requests: seen.len(),
            messages: self.before.messages + messages,
            invocations: functions.iter().map(|function| function.invocations()).sum(),
            graph: self.stage.simulator.traffic().log.len(),
            logged: functions.iter().map(|function| function.logged()).sum(),
        };
        let invocations = now.invocations - self.before.invocations;
        let (by_the_clock, of_the_event): (Vec<_>, Vec<_>) = new.iter().partition(|one| is_by_the_clock(one));
        let read: u64 = of_the_event.iter().map(|one| reads(one)).sum();
        let cost = Cost {
            // Each of those reads before it writes.
            reads: read - 2 * u64::try_from(by_the_clock.len()).unwrap(),
            writes: of_the_event.iter().map(|one| writes(one)).sum(),
            // Received and deleted.
            of_queues: u64::try_from(sent.count()).unwrap() + 2 * messages,
            invocations,
            posts: invocations - messages,
            of_graph: u64::try_from(now.graph - self.before.graph).unwrap(),
            logged: now.logged - self.before.logged,
        };
        self.before = now;
        cost
    }
}

/// A look that waits for five minutes is due at once, so that nobody waits for it here.
fn at_once(request: &Request) -> Fault {
    let mut body = request.body.clone();
    let change = |entry: &mut Value| {
        let mut envelope: Value = serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
        if envelope["body"].as_str().unwrap().contains("\"job\":\"assess\"") {
            envelope["due"] = envelope["sent_at"].clone();
            entry["MessageBody"] = envelope.to_string().into();
            entry["DelaySeconds"] = 0.into();
        }
    };
    match request.operation.as_str() {
        "SendMessage" => change(&mut body),
        "SendMessageBatch" => body["Entries"].as_array_mut().unwrap().iter_mut().for_each(change),
        _ => return Fault::None,
    }
    Fault::Changed(body, Box::new(Fault::None))
}

/// That Graph has spoken is noted once a minute, and what was assessed every fifteen seconds, however much changes.
fn is_by_the_clock(request: &Request) -> bool {
    let partition = request.body["Item"]["pk"]["S"].as_str().unwrap_or_default();
    partition.starts_with("subscription#") || partition.starts_with("assessed-after#")
}

/// Half units of reading: one of an item of up to 4 KB that may be a moment old, two of one that may not.
pub(crate) fn reads(request: &Request) -> u64 {
    let each = if request.body["ConsistentRead"] == true { 2 } else { 1 };
    match request.operation.as_str() {
        "GetItem" | "Query" => each,
        "BatchGetItem" => {
            let tables = request.body["RequestItems"].as_object().unwrap().values();
            let of = |table: &Value| {
                let each = if table["ConsistentRead"] == true { 2 } else { 1 };
                each * u64::try_from(table["Keys"].as_array().unwrap().len()).unwrap()
            };
            tables.map(of).sum()
        }
        _ => 0,
    }
}

/// Units of writing: of each KB, twice in a transaction, and once more for an item that stands in the index. What is removed by itself
/// was written here, and has one KB.
pub(crate) fn writes(request: &Request) -> u64 {
    match request.operation.as_str() {
        "PutItem" => of_item(&request.body["Item"]),
        "DeleteItem" => 1,
        "TransactWriteItems" => {
            let parts = request.body["TransactItems"].as_array().unwrap().iter();
            parts.map(|part| if part["Put"].is_null() { 2 } else { 2 * of_item(&part["Put"]["Item"]) }).sum()
        }
        _ => 0,
    }
}

fn of_item(item: &Value) -> u64 {
    let attributes = item.as_object().unwrap();
    let of = |value: &Value| {
        value.as_object().unwrap().values().map(|one| one.as_str().unwrap_or("true").len()).sum::<usize>()
    };
    let bytes: usize = attributes.iter().map(|(name, value)| name.len() + of(value)).sum();
    u64::try_from(bytes.div_ceil(1024)).unwrap() + u64::from(attributes.contains_key("dc"))
}

/// Dollars a million, in us-east-1: <https://aws.amazon.com/api-gateway/pricing/>, <https://aws.amazon.com/lambda/pricing/>,
/// <https://aws.amazon.com/sqs/pricing/>, <https://aws.amazon.com/dynamodb/pricing/on-demand/>. Nothing is taken off.
const POST: f64 = 1.0;
const INVOCATION: f64 = 0.2;
const OF_QUEUE: f64 = 0.4;
const READ: f64 = 0.125;
const WRITE: f64 = 0.625;
/// Dollars a GB: <https://aws.amazon.com/cloudwatch/pricing/>.
const LOG: f64 = 0.5;
/// Dollars a GB-second on arm64.
const RUN: f64 = 0.000_013_333_4;
/// As the template sets it.
const GB: f64 = 0.25;
/// Assumed, in seconds: one round trip to Graph, and what else an invocation takes.
const ROUND_TRIP: f64 = 0.15;
const ELSE: f64 = 0.02;

impl Cost {
    fn gb_seconds(&self) -> f64 {
        GB * (number(self.of_graph) * ROUND_TRIP + number(self.invocations) * ELSE)
    }

    fn a_million(&self) -> f64 {
        number(self.posts) * POST
            + number(self.invocations) * INVOCATION
            + number(self.of_queues) * OF_QUEUE
            + number(self.reads) / 2.0 * READ
            + number(self.writes) * WRITE
            // A million KB are a GB.
            + number(self.kilobytes()) * LOG
            + self.gb_seconds() * 1e6 * RUN
    }

    /// The more, but for a hundred bytes: how long something took is in the lines, too.
    fn kilobytes(&self) -> u64 {
        (u64::try_from(self.logged).unwrap() + 899) / 1000
    }

    fn row(&self, what: &str) -> String {
        format!(
            "| {what} | {} | {} | {} | {} | {} | {} | {} | {:.2} | {:.0} |",
            self.posts,
            self.of_graph,
            self.invocations,
            self.of_queues,
            number(self.reads) / 2.0,
            self.writes,
            self.kilobytes(),
            self.gb_seconds(),
            self.a_million(),
        )
    }
}

pub(crate) fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

const HEADS: [&str; 10] = [
    "event",
    "POSTs",
    "round trips to Graph",
    "invocations",
    "requests to queues",
    "units read",
    "units written",
    "KB of logs",
    "GB-seconds",
    "$ a million",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_asks_of_aws_what_the_table_says() {
    let mut running = Running::start().await;
    let _ = running.stage.tenant.invite("first@evil.example");
    running.settle().await;
    let mut rows = Vec::new();

    let dave = Guest(running.stage.tenant.0.add_user(NewUser::member("dave@contoso.com")));
    let made = running.settle().await;
    running.stage.tenant.stir(dave);
    let changed = running.settle().await;
    assert_eq!(Cost { logged: 0, ..made }, Cost { logged: 0, ..changed });
    rows.push(changed.row("an employee's account changes"));

    let adele = running.stage.tenant.invite("adele@fabrikam.com");
    rows.push(running.settle().await.row("a guest is invited, and breaks no rule"));
    running.stage.tenant.stir(adele);
    rows.push(running.settle().await.row("he changes"));

    let mallory = running.stage.tenant.invite("mallory@evil.example");
    rows.push(running.settle().await.row("a guest is invited, is disabled, and the team is told"));
    assert!(!running.stage.tenant.is_enabled(mallory));

    expect_on_the_page("costs", &HEADS, &rows);
}
