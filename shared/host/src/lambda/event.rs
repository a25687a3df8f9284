//! What Lambda hands over: a batch of a queue, or the word of a timer. Told apart by shape, and nothing else is taken.

use queue::Received;
use serde::Deserialize;
use serde_json::Value;

use crate::Part;

/// What a function is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// Those that can be named, and what is wrong with the first of the others.
    Batch(Vec<Record>, Option<String>),
    /// What time alone makes due.
    Tend,
}

/// A message in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) id: String,
    /// None: there is no receipt or body, without which nothing can be done about it.
    pub(super) received: Option<Received>,
}

#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// The payload of the schedule, as the deployment writes it.
#[derive(Deserialize)]
struct Timer {
    #[serde(rename = "do")]
    what: What,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Tend,
}

impl Event {
    /// # Errors
    /// It is neither, or not for this part.
    pub(super) fn read(part: Part, payload: Value) -> Result<Self, String> {
        let has = |name| payload.get(name).is_some();
        match (has("Records"), has("do")) {
            (true, false) => batch(part, payload),
            (false, true) => {
                let Timer { what: What::Tend } =
                    serde_json::from_value(payload).map_err(|error| unknown(part, &error.to_string()))?;
                timer(part)
            }
            // As a rule of EventBridge words it
            // (<https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html>).
            (false, false) if payload.get("detail-type").is_some_and(|kind| kind == "Scheduled Event") => {
                timer(part)
            }
            (true, true) | (false, false) => Err(unknown(part, "it has another shape")),
        }
    }
}

fn unknown(part: Part, why: &str) -> String {
    let timer = match part {
        Part::Assess | Part::Remediate | Part::Steward => ", or the input `{\"do\":\"tend\"}` of a schedule",
        Part::Alert | Part::Notifications | Part::Approvals => "",
    };
    format!(
        "failed to understand the event: {why}; `{}` takes a batch of SQS (`Records`, each with `eventSource` `aws:sqs`){timer}",
        part.word()
    )
}

fn batch(part: Part, payload: Value) -> Result<Event, String> {
    let read = serde_json::from_value::<Batch>(payload);
    let Batch { records } = read.map_err(|error| unknown(part, &error.to_string()))?;
    let (mut named, mut nameless) = (Vec::with_capacity(records.len()), None);
    for one in &records {
        match record(part, one) {
            Ok(record) => named.push(record),
            Err(why) => nameless = nameless.or(Some(why)),
        }
    }
    Ok(Event::Batch(named, nameless))
}

/// The record of an event source mapping (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>). What else it says is
/// left alone, and an odd one costs nobody but itself.
fn record(part: Part, one: &Value) -> Result<Record, String> {
    let text = |name: &str| one.get(name).and_then(Value::as_str);
    if let Some(source) = text("eventSource").filter(|source| *source != "aws:sqs") {
        return Err(unknown(part, &format!("a record is from `{source}`")));
    }
    // An answer could not name it, and a wrong name would bring the whole batch back, too.
    let Some(id) = text("messageId").filter(|id| !id.is_empty()) else {
        return Err(unknown(part, "a record has no `messageId`"));
    };
    let count = one.get("attributes").and_then(|all| all.get("ApproximateReceiveCount"));
    let count = count.and_then(|count| match count {
        Value::String(count) => count.parse().ok(),
        other => other.as_u64().and_then(|count| count.try_into().ok()),
    });
    let received = text("receiptHandle").zip(text("body")).map(|(receipt_handle, body)| Received {
        message_id: id.to_owned(),
        receipt_handle: receipt_handle.to_owned(),
        body: body.to_owned(),
        receive_count: count.unwrap_or(1),
    });
    Ok(Record { id: id.to_owned(), received })
}

fn timer(part: Part) -> Result<Event, String> {
    match part {
        Part::Assess | Part::Remediate | Part::Steward => Ok(Event::Tend),
        Part::Alert | Part::Notifications | Part::Approvals => {
            Err(unknown(part, "no timer asks anything of this function"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(id: &str) -> Value {
        json!({
            "messageId": id, "receiptHandle": "r", "body": "b", "eventSource": "aws:sqs",
            "attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1763629200000" },
            "messageAttributes": {}, "awsRegion": "eu-central-1", "somethingNew": { "of": ["aws"] }
        })
    }

    #[test]
    fn a_batch_is_taken_with_whatever_else_aws_says_in_its_records() {
        let event = Event::read(Part::Assess, json!({ "Records": [message("m1")] })).unwrap();
        let received = Received {
            message_id: "m1".to_owned(),
            receipt_handle: "r".to_owned(),
            body: "b".to_owned(),
            receive_count: 3,
        };
        assert_eq!(event, Event::Batch(vec![Record { id: "m1".to_owned(), received: Some(received) }], None));
    }

    #[test]
    fn a_record_of_which_only_the_name_is_known_is_kept_for_the_answer() {
        for missing in ["receiptHandle", "body"] {
            let mut record = message("m1");
            record[missing] = Value::Null;
            let event = Event::read(Part::Alert, json!({ "Records": [record] })).unwrap();
            assert_eq!(event, Event::Batch(vec![Record { id: "m1".to_owned(), received: None }], None));
        }
    }

    #[test]
    fn an_event_of_another_shape_is_refused_with_what_was_expected() {
        for (part, event, why) in [
            (Part::Assess, json!({}), "another shape"),
            (Part::Assess, json!("tend"), "another shape"),
            (Part::Assess, json!({ "Records": [], "do": "tend" }), "another shape"),
            (Part::Assess, json!({ "Records": {} }), "expected a sequence"),
            (Part::Steward, json!({ "do": "sleep" }), "unknown variant"),
            (Part::Alert, json!({ "do": "tend" }), "no timer"),
            (Part::Alert, json!({ "source": "aws.events", "detail-type": "Scheduled Event" }), "no timer"),
            (Part::Assess, json!({ "source": "aws.s3", "detail-type": "Object Created" }), "another shape"),
        ] {
            let error = Event::read(part, event.clone()).unwrap_err();
            assert!(error.contains(why) && error.contains("takes a batch of SQS"), "{event}: {error}");
            assert_eq!(error.contains("schedule"), part != Part::Alert, "{error}");
        }
        let scheduled = json!({
            "version": "0", "id": "17793124", "source": "aws.events", "detail-type": "Scheduled Event",
            "resources": ["arn:aws:events:eu-central-1:123456789012:rule/every-minute"], "detail": {},
        });
        for part in [Part::Assess, Part::Remediate, Part::Steward] {
            for event in [json!({ "do": "tend" }), json!({ "do": "tend", "later": 1 }), scheduled.clone()] {
                assert_eq!(Event::read(part, event), Ok(Event::Tend));
            }
        }
    }

    #[test]
    fn an_odd_record_costs_nobody_but_itself() {
        let mut counted = message("m2");
        counted["attributes"]["ApproximateReceiveCount"] = json!(7);
        let mut encoded = message("m3");
        encoded["body"] = json!({ "not": "text" });
        for (odd, why) in [
            (json!({ "eventSource": "aws:sqs", "body": "b" }), "no `messageId`"),
            (json!({ "eventSource": "aws:s3", "messageId": "m9" }), "from `aws:s3`"),
            (json!({ "messageId": 7 }), "no `messageId`"),
            (Value::Null, "no `messageId`"),
            (json!("m1"), "no `messageId`"),
        ] {
            let records = json!({ "Records": [message("m1"), odd, counted, encoded], "more": "of AWS" });
            let Ok(Event::Batch(named, Some(told))) = Event::read(Part::Assess, records) else {
                panic!("{odd} was not told")
            };
            assert!(told.contains(why) && told.contains("takes a batch of SQS"), "{told}");
            let ids: Vec<&str> = named.iter().map(|one| one.id.as_str()).collect();
            assert_eq!(ids, ["m1", "m2", "m3"]);
            assert_eq!(named[1].received.as_ref().map(|one| one.receive_count), Some(7));
            assert_eq!(named[2].received, None);
        }
    }
}
