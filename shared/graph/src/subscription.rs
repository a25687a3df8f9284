//! Subscriptions to changes (<https://learn.microsoft.com/graph/api/resources/subscription>).
//!
//! Never here: when one is due for renewal, or what its clientState says.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use model::{SubscriptionId, Watched};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::client::Repeat;
use crate::error::GraphError;
use crate::loose;
use crate::page::each;
use crate::read::Reader;
use crate::target::Target;

/// Graph calls both of our addresses, for up to 10 s each, while the request to subscribe is still open.
const HANDSHAKES: Duration = Duration::from_secs(45);

/// As Graph returned it, which may differ from what was asked.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub resource: String,
    pub change_type: Option<String>,
    pub notification_url: Option<String>,
    pub lifecycle_url: Option<String>,
    pub expires_at: Timestamp,
    /// Graph sometimes echoes it: a secret.
    pub client_state: Option<SecretString>,
}

#[derive(Debug, Clone)]
pub struct NewSubscription {
    pub watched: Watched,
    /// `https://…`
    pub notification_url: String,
    /// `https://…`; it cannot be added later.
    pub lifecycle_url: String,
    /// At most 128 characters.
    pub client_state: SecretString,
    /// At most 41,760 minutes ahead; less than 45 minutes becomes 45.
    pub expires_at: Timestamp,
}

/// What came of a request to subscribe.
#[derive(Debug, Clone)]
pub enum Creation {
    Created(Subscription),
    /// This app already watches this resource for these changes: list them to find it.
    AlreadyThere,
}

impl Subscription {
    fn read(value: &Value) -> Result<Self, String> {
        let object = value.as_object().ok_or("a subscription is not an object")?;
        let id = loose::text(object, "id").and_then(|id| id.parse().ok());
        Ok(Self {
            id: id.ok_or("a subscription has no id that is a GUID")?,
            resource: loose::text(object, "resource").ok_or("a subscription has no resource")?,
            change_type: loose::text(object, "changeType"),
            notification_url: loose::text(object, "notificationUrl"),
            lifecycle_url: loose::text(object, "lifecycleNotificationUrl"),
            expires_at: loose::moment(object, "expirationDateTime").ok_or("a subscription has no end")?,
            client_state: loose::text(object, "clientState").map(SecretString::from),
        })
    }

    /// Which of ours it is: of the same resource, which Graph gives back with and without a leading slash, and told of the
    /// same changes.
    #[must_use]
    pub fn watched(&self) -> Option<Watched> {
        let bare = |text: &str| text.trim_matches('/').to_ascii_lowercase();
        let changes = |text: &str| -> BTreeSet<String> {
            text.split(',').map(|change| change.trim().to_ascii_lowercase()).collect()
        };
        let tells_the_same = |watched: &Watched| {
            let said = self.change_type.as_deref().map(changes);
            said.is_none_or(|said| said == changes(watched.change_type()))
        };
        let same = |watched: &Watched| bare(watched.resource()) == bare(&self.resource);
        Watched::ALL.into_iter().find(|watched| same(watched) && tells_the_same(watched))
    }
}

impl Reader {
    /// All of this app in this tenant, ours or not.
    ///
    /// # Errors
    /// Any.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, GraphError> {
        let (items, trace) = self.0.all(&Target::new("/subscriptions")).await?;
        each(&items, &trace, Subscription::read)
    }

    /// # Errors
    /// [`GraphError::NotFound`] when it is gone: Graph tells nobody of that for users and groups.
    pub async fn subscription(&self, id: SubscriptionId) -> Result<Subscription, GraphError> {
        let document = self.0.read(&Target::subscription(id)).await?;
        Subscription::read(&document.value).map_err(|why| GraphError::unreadable(why, &document.trace))
    }

    /// Our receiver is called back before this returns. It is not repeated when the answer was lost: list first.
    ///
    /// # Errors
    /// [`GraphError::Rejected`] with 400 when a callback failed, [`GraphError::Forbidden`] also over a quota.
    pub async fn create_subscription(&self, new: NewSubscription) -> Result<Creation, GraphError> {
        let NewSubscription { watched, notification_url, lifecycle_url, client_state, expires_at } = new;
        let body = json!({
            "changeType": watched.change_type(),
            "resource": watched.resource(),
            "notificationUrl": notification_url,
            "lifecycleNotificationUrl": lifecycle_url,
            "expirationDateTime": to_the_second(expires_at),
            "clientState": client_state.expose_secret(),
        });
        let mut request = self.0.request(Method::POST, &Target::new("/subscriptions"));
        request.body = Some(Bytes::from(body.to_string()));
        (request.repeat, request.timeout) = (Repeat::IfNotDone, Some(HANDSHAKES));
        let document = match self.0.ask(request).await {
            Ok(answer) => answer.document()?,
            Err(GraphError::Conflict { .. }) => return Ok(Creation::AlreadyThere),
            Err(error) => return Err(error),
        };
        let created = Subscription::read(&document.value);
        created.map(Creation::Created).map_err(|why| GraphError::unreadable(why, &document.trace))
    }

    /// Moves its end, and renews the leave that Graph holds for it.
    ///
    /// # Errors
    /// [`GraphError::NotFound`] when it is gone.
    pub async fn renew(&self, id: SubscriptionId, until: Timestamp) -> Result<Subscription, GraphError> {
        let mut request = self.0.request(Method::PATCH, &Target::subscription(id));
        let body = json!({"expirationDateTime": to_the_second(until)});
        request.body = Some(Bytes::from(body.to_string()));
        let document = self.0.ask(request).await?.document()?;
        Subscription::read(&document.value).map_err(|why| GraphError::unreadable(why, &document.trace))
    }

    /// Answers `reauthorizationRequired`. The end stays where it is.
    ///
    /// # Errors
    /// [`GraphError::NotFound`] when it is gone.
    pub async fn reauthorize(&self, id: SubscriptionId) -> Result<(), GraphError> {
        self.0.ask(self.0.request(Method::POST, &Target::reauthorize(id))).await.map(|_| ())
    }

    /// That it was gone already is a success.
    ///
    /// # Errors
    /// Any but [`GraphError::NotFound`].
    pub async fn delete_subscription(&self, id: SubscriptionId) -> Result<(), GraphError> {
        match self.0.ask(self.0.request(Method::DELETE, &Target::subscription(id))).await {
            Ok(_) | Err(GraphError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn to_the_second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_keeps_its_client_state_out_of_debug_output() {
        let subscription = Subscription::read(&json!({
            "id": "8d3f0000-0000-4000-8000-000000000001", "resource": "users", "changeType": "updated,deleted",
            "notificationUrl": "https://guestlist.example/graph/notifications", "clientState": "hush",
            "expirationDateTime": "2026-11-20T10:00:00.0000000Z", "applicationId": "x", "new": 1,
        }))
        .unwrap();
        assert_eq!(subscription.watched(), Some(Watched::Users));
        assert_eq!(subscription.client_state.as_ref().unwrap().expose_secret(), "hush");
        assert!(!format!("{subscription:?}").contains("hush"));
    }

    #[test]
    fn a_subscription_to_other_changes_is_none_of_ours() {
        let change_types = ["Deleted, updated", "updated", "created,updated,deleted"];
        let ours = change_types.map(|change_type| {
            let value = json!({"id": "8d3f0000-0000-4000-8000-000000000001", "resource": "/users",
                "changeType": change_type, "expirationDateTime": "2026-11-20T02:00:00-08:00"});
            Subscription::read(&value).unwrap().watched()
        });
        assert_eq!(ours, [Some(Watched::Users), None, None]);
    }

    #[test]
    fn our_subscription_is_known_in_every_spelling_of_its_resource() {
        for (resource, watched) in [
            ("/users", Some(Watched::Users)),
            ("Users", Some(Watched::Users)),
            ("/groups/", Some(Watched::Groups)),
            ("/groups/x/members", None),
            ("", None),
        ] {
            let value = json!({"id": "8d3f0000-0000-4000-8000-000000000001", "resource": resource,
                "expirationDateTime": "2026-11-20T02:00:00-08:00"});
            assert_eq!(Subscription::read(&value).unwrap().watched(), watched, "{resource}");
        }
    }
}
