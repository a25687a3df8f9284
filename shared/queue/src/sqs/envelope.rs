//! The body of a message of SQS, and what SQS takes.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::debt::Debt;
use crate::{Collapse, QueueError};
use trace::TraceContext;

/// A move on its way, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) key: String,
    pub(crate) body: String,
    pub(crate) due: Timestamp,
    pub(crate) owed_since: Timestamp,
    pub(crate) collapse: Collapse,
    /// When the body was made; it stays when the same body is sent again. Of two bodies this tells the newer.
    pub(crate) sent_at: Timestamp,
    /// How often messages before this one handed the body out: a message that had to wait is another to SQS, which would
    /// count from nothing.
    #[serde(default)]
    pub(crate) delivered: u32,
    /// Its debt, where they are kept. None, too, in a dead letter that was labelled: it is owed by nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) debt: Option<Debt>,
    /// Where the body was made, if traces are made there. Goes with the body, and nothing hangs on it: what cannot be read is not there.
    #[serde(default, rename = "traceparent", skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "as_text", deserialize_with = "if_readable")]
    pub(crate) trace: Option<TraceContext>,
}

fn as_text<S: Serializer>(trace: &Option<TraceContext>, serializer: S) -> Result<S::Ok, S::Error> {
    match trace {
        Some(trace) => serializer.collect_str(trace),
        None => serializer.serialize_none(),
    }
}

fn if_readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TraceContext>, D::Error> {
    let whatever = Value::deserialize(deserializer)?;
    Ok(whatever.as_str().and_then(|text| text.parse().ok()))
}

impl Envelope {
    /// As JSON that SQS takes. How large it is is asked of what is sent for the first time: what is sent again, alive or dead, has
    /// grown by a few digits, for which there is room.
    pub(crate) fn text(&self, queue: &'static str) -> Result<String, QueueError> {
        let other = |error: serde_json::Error| QueueError::Other { queue, why: error.to_string() };
        Ok(legal_json(&serde_json::to_string(self).map_err(other)?))
    }

    pub(crate) fn checked_text(&self, queue: &'static str) -> Result<String, QueueError> {
        let text = self.text(queue)?;
        let most = if self.debt.is_some() { QueueError::OWED_BYTES } else { QueueError::MESSAGE_BYTES };
        if text.len() > most {
            return Err(QueueError::TooLarge { queue, key: self.key.clone(), bytes: text.len(), most });
        }
        Ok(text)
    }
}

/// SQS refuses a message with U+FFFE or U+FFFF in it
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>), and some of those who read it
/// on the way know none of the noncharacters. All of them stand inside the strings of JSON, where they can be escaped as the
/// control characters are.
fn legal_json(json: &str) -> String {
    let mut legal = String::with_capacity(json.len());
    for c in json.chars() {
        if is_noncharacter(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                legal.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            legal.push(c);
        }
    }
    legal
}

/// <https://www.unicode.org/faq/private_use.html#noncharacters>
fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE
}

/// For an attribute of a message, which knows no escapes: what SQS takes of it, up to so many bytes. Nothing is left of an empty
/// one, which SQS refuses.
pub(crate) fn legal_text(text: &str, most: usize) -> Option<String> {
    let is_legal = |c: char| !is_noncharacter(c) && (c >= ' ' || matches!(c, '\t' | '\n' | '\r'));
    let mut legal = String::new();
    for c in text.chars().map(|c| if is_legal(c) { c } else { char::REPLACEMENT_CHARACTER }) {
        if legal.len().saturating_add(c.len_utf8()) > most {
            break;
        }
        legal.push(c);
    }
    (!legal.is_empty()).then_some(legal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// SQS's own words for what it takes, in the reference of `SendMessage`.
    fn takes(c: char) -> bool {
        matches!(c, '\u{9}' | '\u{A}' | '\u{D}' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
    }

    fn envelope(key: &str, body: &str) -> Envelope {
        Envelope {
            key: key.to_owned(),
            body: body.to_owned(),
            due: Timestamp::UNIX_EPOCH,
            owed_since: Timestamp::MAX,
            collapse: Collapse::Latest,
            sent_at: Timestamp::UNIX_EPOCH,
            delivered: 3,
            debt: None,
            trace: TraceContext::new(7, 9, 1),
        }
    }

    /// Random texts meet these once in a million.
    fn hostile() -> impl Strategy<Value = String> {
        let named = prop::sample::select(vec![
            '\0',
            '\u{1}',
            '\u{8}',
            '\t',
            '\u{b}',
            '\n',
            '\r',
            '\u{1f}',
            '"',
            '\\',
            '\u{7f}',
            '\u{85}',
            '\u{d7ff}',
            '\u{e000}',
            '\u{fdd0}',
            '\u{fdef}',
            '\u{feff}',
            '\u{fffd}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{1fffe}',
            '\u{10ffff}',
        ]);
        prop::collection::vec(prop_oneof![named, any::<char>()], 0..60).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn whatever_a_guest_calls_himself_can_be_sent_and_read_again(key in hostile(), body in hostile()) {
            let before = envelope(&key, &body);
            let text = before.text("changes").unwrap();
            prop_assert!(text.chars().all(|c| takes(c) && !is_noncharacter(c)), "{text:?}");
            prop_assert_eq!(serde_json::from_str::<Envelope>(&text).unwrap(), before);
        }

        #[test]
        fn an_attribute_is_legal_and_as_long_as_it_may_be(text in hostile(), most in 0..40_usize) {
            match legal_text(&text, most) {
                Some(legal) => {
                    prop_assert!(legal.chars().all(takes) && legal.len() <= most && !legal.is_empty());
                    let whole = legal.chars().count() == text.chars().count();
                    prop_assert!(whole || legal.len() + 4 > most, "{legal:?} of {text:?} in {most}");
                }
                None => prop_assert!(text.is_empty() || most < 4),
            }
        }
    }

    #[test]
    fn where_it_comes_from_may_be_missing_or_damaged_and_the_rest_is_read_all_the_same() {
        let text = envelope("user/1", "work").text("changes").unwrap();
        let said = "\"traceparent\":\"00-00000000000000000000000000000007-0000000000000009-01\"";
        assert!(text.contains(said), "{text}");
        let unknown = Envelope { trace: None, ..envelope("user/1", "work") };
        assert!(!unknown.text("changes").unwrap().contains("traceparent"));
        let without = text.replace(&format!(",{said}"), "");
        for other in ["\"\"", "\"00-0-0-0\"", "null", "7", "{\"a\":[1]}", "\"\u{ffff}\""] {
            let damaged = text.replace(said, &format!("\"traceparent\":{other}"));
            assert_eq!(serde_json::from_str::<Envelope>(&damaged).unwrap(), unknown, "{other}");
        }
        assert_eq!(serde_json::from_str::<Envelope>(&without).unwrap(), unknown, "of an earlier version");
    }

    #[test]
    fn a_message_that_sqs_would_refuse_is_named_before_it_is_sent() {
        let rest = envelope("user/1", "").text("changes").unwrap().len();
        let fits = "x".repeat(QueueError::MESSAGE_BYTES - rest);
        assert_eq!(
            envelope("user/1", &fits).checked_text("changes").unwrap().len(),
            QueueError::MESSAGE_BYTES
        );
        let error = envelope("user/1", &format!("{fits}x")).checked_text("changes").unwrap_err();
        let bytes = QueueError::MESSAGE_BYTES + 1;
        let most = QueueError::MESSAGE_BYTES;
        assert_eq!(error, QueueError::TooLarge { queue: "changes", key: "user/1".to_owned(), bytes, most });
        assert!(error.to_string().contains("send `user/1` to the queue `changes`"), "{error}");
    }
}
