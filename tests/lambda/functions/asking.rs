//! What an operator sees of a deployment and asks of it: the same commands as on one machine, served by the functions.

use std::sync::Arc;

use emulator::proxy::{Fault, Proxy};
use guestlist_tests::Guest;
use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use model::Request;
use serde_json::{Value, json};

use crate::command::{Operator, Printed, me};
use crate::function::Function;
use crate::gateway;
use crate::stage::{POLICY, Stage};

/// A deployment in which a guest was disabled, and all that has to do with it.
pub(crate) struct Worked {
    pub(crate) stage: Stage,
    pub(crate) operator: Operator,
    pub(crate) remediate: Function,
    pub(crate) steward: Function,
    pub(crate) assess: Function,
    pub(crate) mallory: Guest,
    pub(crate) incident: String,
}

impl Worked {
    pub(crate) async fn begin() -> Self {
        let worked = Self::under(POLICY, "done").await;
        assert!(!worked.stage.tenant.is_enabled(worked.mallory), "{}", worked.remediate.log());
        worked.stage.simulator.take_writes();
        worked
    }

    /// The same under another policy, where the incident comes to that state.
    async fn under(policy: &str, state: &str) -> Self {
        let stage = Stage::set().await;
        emulator::put_object(&stage.bucket, "guestlist/policy.yaml", policy);
        let operator = Operator::of(&stage);
        let notifications = Arc::new(stage.start("notifications").await);
        stage.forward_to(&gateway::open(notifications, false).await);
        let steward = stage.start("steward").await;
        steward.invoke(json!({ "do": "tend" })).await.unwrap();
        // The subscriptions.
        stage.simulator.take_writes();
        let mallory = stage.tenant.invite("mallory@evil.example");
        assert!(stage.simulator.deliver_due().await > 0);
        let (assess, remediate) = (stage.start("assess").await, stage.start("remediate").await);
        assess.invoke(json!({ "do": "tend" })).await.unwrap();
        assert!(stage.pump("changes", &assess).await > 0);
        stage.pump("remediations", &remediate).await;
        let found = operator.json(&["incidents", "--guest", &mallory.0.to_string()]).await;
        assert_eq!(found[0]["state"]["state"], state, "{found}");
        let incident = found[0]["id"].as_str().unwrap().to_owned();
        Self { stage, operator, remediate, steward, assess, mallory, incident }
    }

    /// Runs a command that waits for an answer, beside the function that gives it.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Printed {
        let (operator, arguments) = (self.operator.clone(), arguments.iter().map(|one| (*one).to_owned()));
        let arguments: Vec<String> = arguments.collect();
        let asking = tokio::spawn(async move {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            operator.run(&arguments).await
        });
        while !asking.is_finished() {
            self.stage.pump("remediations", &self.remediate).await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        asking.await.unwrap()
    }
}

/// What differs in every run.
fn masked(text: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_matches(['`', '(', ')', ':', '.', ',', ';']);
        let moment = bare.len() > 9 && bare.starts_with("20") && bare.contains('-');
        let hash = bare.len() >= 12 && bare.chars().all(|c| c.is_ascii_hexdigit());
        let mask = if moment { "<when>" } else { "<hash>" };
        if moment || hash { word.replace(bare, mask) } else { word.to_owned() }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_deployment_is_not_well_and_says_what_is_missing() {
    let stage = Stage::set().await;
    let operator = Operator::of(&stage);
    let status = operator.run(&["status"]).await;
    assert_snapshot!(status.expect(3).stdout, @"
    QUEUE         READY  WAITING  CLAIMED  DEAD  OLDEST READY SINCE
    changes       0      0        0        0     -
    remediations  0      0        0        0     -
    alerts        0      0        0        0     -
    chores        0      0        0        0     -
    WAITING: looks, jobs and messages that are due later
    functions: whether they run, and how old the oldest job of a queue is, the alarms of the stack know; no request waits for an answer
    subscriptions: none
    reconciliation: it has not begun
    from a notification to its first look: /users none yet; /groups none yet
    canary: not set
    channels: none is known here
    policy: that of the deployment; GUESTLIST_AT_MOST is not known yet
    writes: not known until somebody has judged
    incidents: none open or in force
    breaker: closed; newcomers (guests who were created less than a day ago): 0 of 200 touched within the hour; established guests: 0 of 3 touched within the hour
    there is no living subscription to `/users`: the function `steward` makes it
    there is no living subscription to `/groups`: the function `steward` makes it
    ");
    assert_eq!(status.stderr, "");
    operator.run(&["incidents"]).await.expect(0).says("there are no such incidents");
    operator.run(&["dead", "list"]).await.expect(0).says("there are no dead letters");
    operator.run(&["breaker", "show"]).await.expect(0).says("the circuit breaker is closed");
    let subscriptions = operator.run(&["subscriptions"]).await;
    subscriptions
        .expect(3)
        .says("there is no living subscription to `/users`: the function `steward` makes it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_works_is_well_and_an_undo_is_served_by_the_function_that_writes() {
    let worked = Worked::begin().await;
    let Worked { stage, operator, mallory, incident, .. } = &worked;
    worked.steward.invoke(json!({ "do": "tend" })).await.unwrap();
    let status = operator.run(&["status"]).await;
    assert_snapshot!(masked(&status.expect(0).stdout), @"
    QUEUE         READY  WAITING  CLAIMED  DEAD  OLDEST READY SINCE
    changes       0      1        0        0     -
    remediations  0      0        0        0     -
    alerts        2      1        0        0     not known
    chores        0      0        0        0     -
    WAITING: looks, jobs and messages that are due later
    functions: whether they run, and how old the oldest job of a queue is, the alarms of the stack know; no request waits for an answer
    subscriptions: /groups alive until <when>, no notification yet; /users alive until <when>, last notification at <when>
    reconciliation: 0 accounts from outside gone over at <when>, and once more when 15 minutes have passed
    the policy `<hash>` (GUESTLIST_AT_MOST enforce) of <when> is being applied: 1 of 1 accounts from outside that are known
    from a notification to its first look: /users none yet; /groups none yet
    canary: not set
    channels: none is known here
    policy: that of the deployment; GUESTLIST_AT_MOST is enforce
    writes: as the policy says
    incidents: 1 done
    breaker: closed; newcomers (guests who were created less than a day ago): 1 of 200 touched within the hour; established guests: 0 of 3 touched within the hour
    all is well
    ");
    let said = operator.json(&["status"]).await;
    assert_eq!((&said["well"], &said["at_most"]), (&json!(true), &json!("enforce")));
    assert_eq!(said["parts"][0], json!({ "name": "notifications", "running": null }));
    operator.run(&["subscriptions"]).await.expect(0).says("alive");

    let shown = operator.run(&["incidents", "show", incident]).await;
    shown.expect(0).says("disable the account: done, and read back");
    let undone = worked.ask(&["undo", incident, "--reason", "she is expected"]).await;
    undone.expect(0);
    assert!(stage.tenant.is_enabled(*mallory), "{}", worked.remediate.log());
    stage.simulator.take_writes();
    // Who asked: the user of this machine, and who AWS says that he is.
    let by = format!("{} (root)", me());
    operator.run(&["incidents", "show", incident]).await.says(&by).says("she is expected");
    worked.ask(&["breaker", "reset", "--reason", "a drill"]).await.expect(0).says("is not open");
    let nothing = worked.ask(&["approve", incident, "--reason", "too late"]).await;
    nothing.expect(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_carried_out_when_somebody_approves_it_and_as_he_saw_it() {
    let worked = Worked::under(&POLICY.replace("mode: enforce", "mode: ask"), "waiting").await;
    let Worked { stage, operator, mallory, incident, .. } = &worked;
    operator.run(&["status"]).await.expect(0).says("1 incident waits for a decision, since 20");
    let another = ["approve", incident, "--plan", "0123456789abcdef", "--reason", "it is right"];
    worked.ask(&another).await.expect(4);
    assert!(stage.tenant.is_enabled(*mallory));
    let approved =
        worked.ask(&["approve", "--rule", "blocked-domain", "--yes", "--reason", "it is right"]).await;
    approved.expect(0).says("disable the account");
    assert!(!stage.tenant.is_enabled(*mallory), "{}", worked.remediate.log());
    assert_eq!(stage.simulator.take_writes().len(), 1);
    let shown = operator.run(&["incidents", "show", incident]).await;
    shown.says("it is right").says(&format!("{} (root)", me()));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_writes_are_stopped_the_function_writes_nothing() {
    let worked = Worked::begin().await;
    let Worked { stage, operator, incident, mallory, .. } = &worked;
    operator
        .run(&["stop", "--reason", "a drill"])
        .await
        .expect(0)
        .says("all writes to the tenant are stopped");
    operator.run(&["status"]).await.expect(3).says("writes are stopped since").says("(root): a drill");
    let refused = worked.ask(&["undo", incident, "--reason", "she is expected"]).await;
    refused.expect(4).says("stopped");
    assert!(!stage.tenant.is_enabled(*mallory));
    operator.run(&["resume", "--reason", "it is over"]).await.expect(0).says("writes are allowed again");
    worked.ask(&["undo", incident, "--reason", "she is expected"]).await.expect(0);
    assert!(stage.tenant.is_enabled(*mallory));
    stage.simulator.take_writes();
}

/// In a network that has a way to the table and the queues, and none to STS.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_who_says_who_it_is() {
    let stage = Stage::set().await;
    // It takes connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let operator = Operator::of(&stage).with(&[("AWS_ENDPOINT_URL_STS", &address)]);
    let stopped = operator.run(&["stop", "--reason", "a drill"]).await;
    let said = stopped.expect(0).says("AWS STS has not said within 2 s who this is");
    said.says(&format!("you are written down as `{}` alone", me()));
    let stop = operator.store().ledger.stop().await.unwrap().unwrap();
    assert_eq!((stop.by.as_str(), stop.reason.as_str()), (me().as_str(), "a drill"));
}

/// Or what he asks would wait until the functions' clock has come to where his was.
#[tokio::test(flavor = "multi_thread")]
async fn the_clock_of_whoever_asks_is_not_the_deployments() {
    let worked = Worked::begin().await;
    let Worked { operator, incident, stage, .. } = &worked;
    let minutes_ago = || Timestamp::now() - SignedDuration::from_mins(4);
    let date = move || {
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&minutes_ago()).unwrap()
    };
    let proxy = Proxy::start(move |_| Fault::Dated(date())).await;
    let ahead =
        operator.with(&[("AWS_ENDPOINT_URL", &proxy.address), ("AWS_ENDPOINT_URL_STS", emulator::address())]);
    let began = minutes_ago() - SignedDuration::from_secs(1);
    ahead.run(&["undo", incident, "--reason", "she is expected", "--wait", "0"]).await.expect(5);
    let waiting = operator.store().ledger.waiting(10).await.unwrap();
    let asked_at = waiting[0].value.asked_at;
    assert!(began <= asked_at && asked_at <= minutes_ago(), "{asked_at}");
    assert!(stage.pump("remediations", &worked.remediate).await > 0, "it is due");
    assert!(stage.tenant.is_enabled(worked.mallory));
    stage.simulator.take_writes();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_wake_is_lost_is_served_all_the_same() {
    let worked = Worked::begin().await;
    let Worked { stage, operator, incident, mallory, .. } = &worked;
    let nowhere = format!("{}-nowhere", stage.queue("remediations").0);
    let lost = operator.with(&[("GUESTLIST_QUEUE_REMEDIATIONS", &nowhere)]);
    let asked = lost.run(&["undo", incident, "--reason", "she is expected", "--wait", "0"]).await;
    let said = asked.expect(5).says("within two minutes the steward wakes whoever serves it");
    said.says("see the alarms and the log of the function `remediate`").says("stays in the store");
    assert_eq!(stage.pump("remediations", &worked.remediate).await, 0, "nobody was woken");
    assert!(!stage.tenant.is_enabled(*mallory));
    operator.run(&["status"]).await.says("the oldest request without an answer is of 20");
    let store = operator.store();
    for stored in store.ledger.waiting(10).await.unwrap() {
        let asked_at = stored.value.asked_at - SignedDuration::from_mins(2);
        store.ledger.put(&Request { asked_at, ..stored.value }).await.unwrap();
    }
    worked.steward.invoke(json!({ "do": "tend" })).await.unwrap();
    assert!(stage.pump("remediations", &worked.remediate).await > 0);
    assert!(stage.tenant.is_enabled(*mallory), "{}", worked.remediate.log());
    operator.run(&["status"]).await.expect(0).says("no request waits for an answer");
    stage.simulator.take_writes();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_shown_replayed_and_dropped() {
    let worked = Worked::begin().await;
    let Worked { stage, operator, .. } = &worked;
    for _ in 0..2 {
        stage.send("changes", "nobody can read this \u{202e}");
        assert_eq!(stage.pump("changes", &worked.assess).await, 1);
    }
    assert_eq!(stage.dead("changes"), 2);
    operator.run(&["status"]).await.expect(3).says("2 dead letters in `changes`: see `guestlist dead list`");
    let listed = operator.json(&["dead", "list"]).await;
    let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    let [one, other] = ids[..] else { panic!("{listed}") };
    assert!(one.starts_with("changes/") && listed[0]["why"].as_str().unwrap().len() > 10, "{listed}");
    let shown = operator.run(&["dead", "show", one]).await;
    shown.expect(0).says("nobody can read this").says(r"\u{202e}");

    operator.run(&["dead", "replay", one]).await.expect(0).says("is back in its queue");
    assert_eq!((stage.dead("changes"), stage.receive("changes").len()), (1, 1));
    operator.run(&["dead", "drop", other]).await.expect(0).says("is gone for good");
    assert_eq!(stage.dead("changes"), 0);
    operator.run(&["dead", "drop", other]).await.expect(4).says("there is no dead letter");
    operator.run(&["dead", "replay", "changes/7"]).await.expect(4).says("there is no dead letter");
    assert_eq!(operator.json(&["dead", "list"]).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_knows_what_the_deployment_knows() {
    let worked = Worked::begin().await;
    let Worked { stage, operator, mallory, incident, .. } = &worked;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("blocked.txt"), "evil.example\n").unwrap();
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, POLICY).unwrap();
    let operator = operator.who_reads(stage, &policy.display().to_string());
    let judged = operator.run(&["check", &mallory.0.to_string()]).await;
    judged.expect(0).says("blocked-domain").says("is so already");
    worked.ask(&["undo", incident, "--reason", "she is expected"]).await.expect(0);
    stage.simulator.take_writes();
    operator.run(&["check", &mallory.0.to_string()]).await.expect(0).says("suspended");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_at_what_can_be_seen_from_outside() {
    let worked = Worked::begin().await;
    let Worked { stage, operator, .. } = &worked;
    let public = [
        ("GUESTLIST_PUBLIC_URL", "https://guestlist.example"),
        ("GUESTLIST_LOGIN_URL", &stage.simulator.url()),
    ];
    let operator = operator.with(&public);
    let report = operator.run(&["doctor"]).await;
    assert_snapshot!(report.expect(0).stdout, @"
    ok     settings: complete
    ok     credentials: `root` in `eu-central-1`
    ok     store: the table can be read
    ok     queue: `changes` is there, with 0 dead letters
    ok     queue: `remediations` is there, with 0 dead letters
    ok     queue: `alerts` is there, with 0 dead letters
    ok     queue: `chores` is there, with 0 dead letters
    ok     writes: they are not stopped
    ok     ceiling: GUESTLIST_AT_MOST is `enforce`: no rule goes further
    ok     clock: 0 s off that of 127.0.0.1
    warn   callback: `guestlist.example` is a made-up name (RFC 2606): it was not looked up
    warn   apps, policy, channels: not looked at: only the functions have them; `guestlist status` and the alarms say whether they do their work
    ");
    let table = operator.with(&[("GUESTLIST_TABLE", "another"), ("GUESTLIST_DEAD_ALERTS", "nowhere")]);
    table
        .run(&["doctor"])
        .await
        .expect(3)
        .says("WRONG  settings: GUESTLIST_DEAD_ALERTS: `nowhere` is not the URL");
    let table = operator.with(&[("GUESTLIST_TABLE", "another")]);
    table
        .run(&["doctor"])
        .await
        .expect(3)
        .says("there is no table `another` of this account in `eu-central-1`");
    let queue = operator.with(&[("GUESTLIST_DEAD_ALERTS", "http://127.0.0.1:1/000000000000/nowhere")]);
    queue.run(&["doctor"]).await.expect(3).says("GUESTLIST_QUEUE_ALERTS and GUESTLIST_DEAD_ALERTS");
    let found: Value = operator.json(&["doctor", "--send-test"]).await;
    assert!(found.as_array().unwrap().iter().any(|one| one["well"] == false && one["what"] == "channels"));
}
