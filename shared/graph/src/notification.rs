//! Change notifications as Graph posts them, each item judged by itself
//! (<https://learn.microsoft.com/graph/change-notifications-delivery-webhooks>).
//!
//! Lives here: what an item says. Never here: whether its clientState is ours, any network or credential. Nothing
//! that an item names is ever fetched.

mod body;
mod event;
mod fields;
mod redact;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use model::{ChangeKind, MemberHint, ObjectId, ResourceKind, SubscriptionId, TenantId};
use serde_json::value::RawValue;

use fields::Fields;

/// One notification of a POST. One POST carries items of several subscriptions, and of several tenants.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// To be compared before anything else here is believed. Missing where it is repeated: which one counts?
    pub client_state: Option<String>,
    pub subscription: Option<SubscriptionId>,
    pub tenant: Option<TenantId>,
    /// When the subscription ends.
    pub expires_at: Option<Timestamp>,
    /// The item's own JSON. It holds the clientState, a secret: [`Item::redacted`] does not.
    pub raw: String,
    pub event: Result<Event, Unreadable>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Changed {
        resource: ResourceKind,
        id: ObjectId,
        kind: ChangeKind,
        /// Of a group whose membership changed, in no particular order; the same id may be there twice.
        members: Vec<MemberHint>,
        /// Grows with the changes of an object. Beyond 2^53, so that it is never a float.
        sequence: Option<u64>,
    },
    Lifecycle(Lifecycle),
}

/// <https://learn.microsoft.com/graph/change-notifications-lifecycle-events>
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lifecycle {
    Missed,
    SubscriptionRemoved,
    ReauthorizationRequired,
    /// Microsoft announces that there will be more.
    Other(String),
}

/// Why an item means nothing to us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// The whole is not what Graph posts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not JSON of the form `{{\"value\": [...]}}`: {0}")]
pub struct BodyError(String);

/// What a POST holds for somebody who can tell his own clientStates.
#[derive(Debug)]
pub struct Sifted<T> {
    /// The items that were opened, each with what its clientState opened to.
    pub ours: Vec<(T, Item)>,
    /// How many were not.
    pub others: u64,
}

/// Reads the body of a POST, item by item. Work and memory grow with its length and not with its depth.
///
/// # Errors
/// The whole is not `{"value": [...]}`. What is wrong with one item is told in that item.
pub fn parse(body: &[u8]) -> Result<Vec<Item>, BodyError> {
    let mut items = Vec::new();
    body::each(body, |raw| items.push(Item::read(raw)))?;
    Ok(items)
}

/// As [`parse`], for a body that anybody may have sent: `open` is shown each clientState, and nothing is kept of an item
/// that it does not open. Four megabytes of `0,0,0,…` therefore cost no more than the four megabytes.
///
/// # Errors
/// The whole is not `{"value": [...]}`. What is wrong with one item is told in that item.
pub fn sift<T>(body: &[u8], mut open: impl FnMut(&str) -> Option<T>) -> Result<Sifted<T>, BodyError> {
    let mut sifted = Sifted { ours: Vec::new(), others: 0 };
    body::each(body, |raw| {
        // Asked first, because an error takes longer to word than an item to skip.
        let fields = raw.get().starts_with('{').then(|| Fields::read(raw).ok()).flatten();
        let state = fields.as_ref().and_then(|fields| fields.text("clientState").ok()?);
        match (fields, state.and_then(|state| open(&state))) {
            (Some(fields), Some(opened)) => sifted.ours.push((opened, Item::of(raw, &fields))),
            (Some(_) | None, _) => sifted.others = sifted.others.saturating_add(1),
        }
    })?;
    Ok(sifted)
}

impl Item {
    fn read(raw: &RawValue) -> Self {
        match Fields::read(raw) {
            Ok(fields) => Self::of(raw, &fields),
            Err(why) => Self::opaque(raw, why),
        }
    }

    fn of(raw: &RawValue, fields: &Fields<'_>) -> Self {
        let text = |key: &str| fields.text(key).ok().flatten();
        let tenant =
            text("tenantId").or_else(|| fields.object("resourceData").ok()??.text("organizationId").ok()?);
        Self {
            client_state: text("clientState"),
            subscription: text("subscriptionId").and_then(|id| id.parse().ok()),
            tenant: tenant.and_then(|id| id.parse().ok()),
            expires_at: text("subscriptionExpirationDateTime").and_then(|at| at.parse().ok()),
            raw: raw.get().to_owned(),
            event: event::read(fields),
        }
    }

    fn opaque(raw: &RawValue, why: Unreadable) -> Self {
        let raw = raw.get().to_owned();
        Self { client_state: None, subscription: None, tenant: None, expires_at: None, raw, event: Err(why) }
    }

    /// The item's own JSON as it came, without the secret in it. To be kept when the item cannot be read.
    #[must_use]
    pub fn redacted(&self) -> String {
        redact::client_state(&self.raw)
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client_state: _, subscription, tenant, expires_at, raw: _, event } = self;
        f.debug_struct("Item")
            .field("subscription", subscription)
            .field("tenant", tenant)
            .field("expires_at", expires_at)
            .field("event", event)
            .finish_non_exhaustive()
    }
}

/// Somebody else's text in our message: printable, on one line, and short.
fn quote(text: &str) -> String {
    text.chars().take(160).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
