//! PagerDuty's Events API v2: what calls a person opens an alert, and what is over closes it
//! (<https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>). All messages about one finding carry one key, so
//! that they are one alert. What was dealt with before anybody was called closes nothing and calls nobody.
//! Never here: words about a guest.

use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use jiff::{SignedDuration, Timestamp};
use model::{ChannelName, NoticeKind, Severity};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;
use wire::{Call, Wire};

use crate::message::{About, Kind, NoticeReport};
use crate::secret_url::service;
use crate::{ChannelError, Message, SendError, card_text, event, reply};

const WHO: &str = "pagerduty";
/// Characters, which are never more than their UTF-16 units.
const MOST_IN_SUMMARY: usize = 1_024;

#[derive(Debug, Clone)]
pub struct PagerDuty {
    name: ChannelName,
    routing_key: SecretString,
    url: Url,
    /// Who speaks, so that two installations with one key do not close each other's alerts.
    source: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Trigger,
    Acknowledge,
    Resolve,
}

impl Act {
    fn word(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
        }
    }
}

impl PagerDuty {
    /// For accounts in the EU region it is `https://events.eu.pagerduty.com/v2/enqueue`.
    pub const URL: &str = "https://events.pagerduty.com/v2/enqueue";
    const TIMEOUT: Duration = Duration::from_secs(15);
    const MAX_REPLY: usize = 64 * 1024;
    /// PagerDuty asks those whom it throttles to wait for minutes, and does not always say how many.
    const THROTTLED_FOR: SignedDuration = SignedDuration::from_secs(60);

    /// `source` names this installation: the tenant's id.
    ///
    /// # Errors
    /// The routing key has not the form of one, or the URL is not one that it may be sent to.
    pub fn new(
        name: ChannelName,
        routing_key: &SecretString,
        url: &str,
        source: &str,
    ) -> Result<Self, ChannelError> {
        let key = routing_key.expose_secret().trim();
        if key.len() != 32 || !key.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(ChannelError::NotARoutingKey { channel: name });
        }
        let url = service(&name, url)?;
        Ok(Self { name, routing_key: key.to_owned().into(), url, source: source.to_owned() })
    }

    #[must_use]
    pub fn name(&self) -> &ChannelName {
        &self.name
    }

    pub(crate) async fn send(&self, wire: &Wire, message: &Message, now: Timestamp) -> Result<(), SendError> {
        let mut call = Call::post(self.url.clone(), self.event(message)?.to_string())
            .header(CONTENT_TYPE, "application/json")
            .timeout(Self::TIMEOUT);
        call.max_reply = Self::MAX_REPLY;
        let answer = wire.send(call).await.map_err(|error| reply::no_reply(WHO, &error))?;
        if answer.status.is_success() {
            return Ok(());
        }
        let refusal = reply::refusal(WHO, &answer, None, now);
        Err(match refusal {
            SendError::Later { after: None, why } if answer.status == StatusCode::TOO_MANY_REQUESTS => {
                SendError::Later { after: Some(Self::THROTTLED_FOR), why }
            }
            SendError::Broken { why } if answer.status == StatusCode::BAD_REQUEST => SendError::Broken {
                why: format!("{why}: is the routing key that of an `Events API v2` integration?"),
            },
            SendError::Later { .. } | SendError::Broken { .. } => refusal,
        })
    }

    pub(crate) fn event(&self, message: &Message) -> Result<Value, SendError> {
        let act = act(message);
        let mut event = json!({
            "routing_key": self.routing_key.expose_secret(),
            "event_action": act.word(),
            "dedup_key": self.dedup_key(message),
            "client": "Guestlist",
        });
        if act == Act::Trigger
            && let Value::Object(event) = &mut event
        {
            event.insert("payload".to_owned(), self.payload(message)?);
            event.extend(link(message).map(|links| ("links".to_owned(), links)));
        }
        Ok(event)
    }

    fn payload(&self, message: &Message) -> Result<Value, SendError> {
        let mut details = event::data(message)
            .map_err(|error| SendError::Broken { why: format!("failed to write the event: {error}") })?;
        // It stands where PagerDuty shows links.
        if let Some(Value::Object(incident)) = details.get_mut("incident") {
            incident.remove("page");
        }
        disarm(&mut details);
        let mut payload = json!({
            "summary": card_text::bare(&message.headline_pieces, MOST_IN_SUMMARY),
            "source": self.source,
            "severity": severity(message.severity),
            "timestamp": message.at,
            "class": message.kind.word(),
            "custom_details": details,
        });
        if let (About::Incident(report), Value::Object(payload)) = (&message.about, &mut payload) {
            payload.insert("component".to_owned(), json!(report.rule.to_string()));
            payload
                .extend(report.group.iter().map(|group| ("group".to_owned(), json!(group.id.to_string()))));
        }
        Ok(payload)
    }

    /// 64 hexadecimal digits, the same for all messages about one finding or one trouble.
    fn dedup_key(&self, message: &Message) -> String {
        let parts = match &message.about {
            About::Incident(report) => {
                let group = report.group.as_ref().map(|group| group.id.to_string()).unwrap_or_default();
                [report.tenant.to_string(), report.rule.to_string(), report.who.id.to_string(), group]
            }
            About::Notice(report) => {
                [self.source.clone(), "notice".to_owned(), trouble_and_key(report), String::new()]
            }
            About::RollUp(_) => {
                [self.source.clone(), "roll-up".to_owned(), message.id.clone(), String::new()]
            }
        };
        Sha256::digest(parts.join("|")).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The page of the incident, where there is one.
fn link(message: &Message) -> Option<Value> {
    match &message.about {
        About::Incident(report) => {
            let address = report.page.as_ref()?;
            Some(json!([{"href": address, "text": "What Guestlist knows of it"}]))
        }
        About::Notice(_) | About::RollUp(_) => None,
    }
}

/// What a message does to its alert.
fn act(message: &Message) -> Act {
    match message.kind {
        // That nobody decided in time leaves the finding as it is.
        Kind::Finding
        | Kind::Unknown
        | Kind::Waiting
        | Kind::Acting
        | Kind::Partly
        | Kind::Refused
        | Kind::Failed
        | Kind::Expired
        | Kind::RollUp => Act::Trigger,
        // Somebody is at it. An alert that was closed stays closed.
        Kind::Undoing => Act::Acknowledge,
        Kind::Done | Kind::Undone | Kind::Rejected | Kind::Resolved => match &message.about {
            // Our part is done, and a person's is not.
            About::Incident(report) if !report.by_hand.is_empty() => Act::Trigger,
            About::Incident(_) | About::Notice(_) | About::RollUp(_) => Act::Resolve,
        },
        Kind::Notice => match &message.about {
            About::Notice(report) if is_over(report.notice) => Act::Resolve,
            About::Notice(_) | About::Incident(_) | About::RollUp(_) => Act::Trigger,
        },
    }
}

/// Whether it says that a trouble has ended.
fn is_over(notice: NoticeKind) -> bool {
    matches!(notice, NoticeKind::PolicyTaken | NoticeKind::WritesResumed | NoticeKind::BreakerReset)
}

/// The trouble that a notice opens or ends.
fn trouble(notice: NoticeKind) -> NoticeKind {
    match notice {
        NoticeKind::PolicyTaken => NoticeKind::PolicyRefused,
        NoticeKind::WritesResumed => NoticeKind::WritesStopped,
        NoticeKind::BreakerReset => NoticeKind::BreakerOpened,
        other => other,
    }
}

/// What tells one trouble from another. Those that have an end are one each: of them there is only one at a time.
fn trouble_and_key(report: &NoticeReport) -> String {
    let trouble = trouble(report.notice);
    let has_end = [NoticeKind::PolicyRefused, NoticeKind::WritesStopped, NoticeKind::BreakerOpened];
    if has_end.contains(&trouble) { format!("{trouble:?}") } else { format!("{trouble:?}|{}", report.key) }
}

/// Nothing in it becomes a link.
fn disarm(details: &mut Value) {
    match details {
        Value::String(text) => *text = text.replace("://", "[:]//"),
        Value::Array(values) => values.iter_mut().for_each(disarm),
        Value::Object(object) => object.values_mut().for_each(disarm),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "info",
    }
}
