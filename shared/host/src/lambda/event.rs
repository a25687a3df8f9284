//! What Lambda hands over: a batch of a queue, or the word of a timer. Told apart by shape, and nothing else is taken.

use queue::Received;
use serde::Deserialize;
use serde_json::Value;

use crate::Part;

/// What a function is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Batch(Vec<Record>),
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

/// The record of an event source mapping (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>). What else it says is
/// left alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfSqs {
    event_source: String,
    message_id: Option<String>,
    receipt_handle: Option<String>,
    body: Option<String>,
    #[serde(default)]
    attributes: Option<Attributes>,
}

#[derive(Deserialize, Default)]
struct Attributes {
    #[serde(rename = "ApproximateReceiveCount")]
    receive_count: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<OfSqs>,
}

/// The payload of the schedule, as the deployment writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
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
            (false, true) => timer(part, payload),
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
    records.into_iter().map(|one| record(part, one)).collect::<Result<_, _>>().map(Event::Batch)
}

fn record(part: Part, one: OfSqs) -> Result<Record, String> {
    let OfSqs { event_source, message_id, receipt_handle, body, attributes } = one;
    if event_source != "aws:sqs" {
        return Err(unknown(part, &format!("a record is from `{event_source}`")));
    }
    // An answer could not name it, and a wrong name would bring the whole batch back, too.
    let Some(id) = message_id.filter(|id| !id.is_empty()) else {
        return Err(unknown(part, "a record has no `messageId`"));
    };
    let count = attributes.unwrap_or_default().receive_count.and_then(|count| count.parse().ok());
    let received = receipt_handle.zip(body).map(|(receipt_handle, body)| Received {
        message_id: id.clone(),
        receipt_handle,
        body,
        receive_count: count.unwrap_or(1),
    });
    Ok(Record { id, received })
}

fn timer(part: Part, payload: Value) -> Result<Event, String> {
    let Timer { what: What::Tend } =
        serde_json::from_value(payload).map_err(|error| unknown(part, &error.to_string()))?;
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
        assert_eq!(event, Event::Batch(vec![Record { id: "m1".to_owned(), received: Some(received) }]));
    }

    #[test]
    fn a_record_of_which_only_the_name_is_known_is_kept_for_the_answer() {
        for missing in ["receiptHandle", "body"] {
            let mut record = message("m1");
            record[missing] = Value::Null;
            let event = Event::read(Part::Alert, json!({ "Records": [record] })).unwrap();
            assert_eq!(event, Event::Batch(vec![Record { id: "m1".to_owned(), received: None }]));
        }
    }

    #[test]
    fn an_event_of_another_shape_is_refused_with_what_was_expected() {
        let nameless = json!({ "eventSource": "aws:sqs", "body": "b" });
        for (part, event, why) in [
            (Part::Assess, json!({}), "another shape"),
            (Part::Assess, json!("tend"), "another shape"),
            (Part::Assess, json!({ "Records": [], "do": "tend" }), "another shape"),
            (Part::Assess, json!({ "Records": {} }), "expected a sequence"),
            (Part::Assess, json!({ "Records": [nameless] }), "no `messageId`"),
            (Part::Assess, json!({ "Records": [{ "eventSource": "aws:s3" }] }), "from `aws:s3`"),
            (Part::Steward, json!({ "do": "sleep" }), "unknown variant"),
            (Part::Steward, json!({ "do": "tend", "now": true }), "unknown field"),
            (Part::Alert, json!({ "do": "tend" }), "no timer"),
        ] {
            let error = Event::read(part, event.clone()).unwrap_err();
            assert!(error.contains(why) && error.contains("takes a batch of SQS"), "{event}: {error}");
            assert_eq!(error.contains("schedule"), part != Part::Alert, "{error}");
        }
        for part in [Part::Assess, Part::Remediate, Part::Steward] {
            assert_eq!(Event::read(part, json!({ "do": "tend" })), Ok(Event::Tend));
        }
    }
}
