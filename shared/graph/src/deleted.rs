//! Users who were deleted softly, and can be restored for 30 days
//! (<https://learn.microsoft.com/graph/api/resources/directory>). Reading only; what deletes and restores is in `write.rs`, and
//! what ends a restoration for good is nowhere.
//!
//! Graph answers 404 both for a user who was deleted and for one that a replica does not know yet. Only the item in here tells
//! that it was a deletion.

use jiff::Timestamp;
use model::ObjectId;
use serde_json::Value;

use crate::client::Document;
use crate::error::GraphError;
use crate::loose;
use crate::read::{Reader, found, user};
use crate::target::Target;
use crate::user::User;

/// A user who waits among the deleted items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// `deletedDateTime`: from then on Entra keeps him for 30 days.
    pub at: Option<Timestamp>,
}

/// Where a user is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    Here(Box<User>),
    Deleted(Deleted),
}

impl Reader {
    /// The deleted item of this user, if there is one. 1 unit.
    ///
    /// # Errors
    /// Any but [`GraphError::NotFound`], which is the answer `None`.
    pub async fn deleted_user(&self, id: ObjectId) -> Result<Option<Deleted>, GraphError> {
        let document = found(self.0.read(&item(id)).await)?;
        Ok(document.and_then(|document| read(&document)))
    }

    /// Whether he can be read, or was deleted. A replica may show both: then he is there. 2 units, one round trip.
    ///
    /// # Errors
    /// [`GraphError::NotFound`] where Graph knows him neither here nor there (yet), and any other.
    pub async fn whereabouts(&self, id: ObjectId) -> Result<Whereabouts, GraphError> {
        let [live, deleted] = self.0.batch([Target::user(id).query(User::QUERY), item(id)]).await?;
        let unknown = match live {
            Ok(document) => return Ok(Whereabouts::Here(Box::new(user(id, document)?))),
            Err(error @ GraphError::NotFound { code: _, trace: _ }) => error,
            Err(error) => return Err(error),
        };
        let deleted = found(deleted)?.and_then(|document| read(&document));
        deleted.map(Whereabouts::Deleted).ok_or(unknown)
    }

    /// What a deleted user was, as far as the deleted items tell: no sponsors, no groups and no roles. The single item shows
    /// properties of all objects alone, so that the list of deleted users is asked. 1 unit.
    ///
    /// # Errors
    /// Any. That there is none is the answer `None`.
    pub async fn deleted_properties(&self, id: ObjectId) -> Result<Option<User>, GraphError> {
        let (items, trace) = self.0.all(&Target::deleted_users(id)).await?;
        let Some(value) = items.into_iter().next() else { return Ok(None) };
        user(id, Document { value, trace }).map(Some)
    }
}

/// Only what every object has may be selected here.
pub(crate) fn item(id: ObjectId) -> Target {
    Target::deleted(id).query("$select=id,deletedDateTime")
}

fn read(document: &Document) -> Option<Deleted> {
    let at = || loose::moment(document.value.as_object()?, "deletedDateTime");
    is_user(&document.value).then(|| Deleted { at: at() })
}

/// Only a type that names something else makes it something else.
pub(crate) fn is_user(value: &Value) -> bool {
    value.as_object().and_then(loose::kind).is_none_or(|kind| kind == "user")
}
