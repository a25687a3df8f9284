//! The Writer: the only place that changes a tenant, and the only one whose app may. A new remediation has its arm in
//! [`Writer::request`].
//!
//! Never here: a judgement whether it should be done, or a claim that it was: that is told by reading back.

use bytes::Bytes;
use http::Method;
use model::{ObjectId, Step};
use serde_json::json;

use crate::client::{Client, Repeat, Request};
use crate::error::GraphError;
use crate::target::{Link, Relation, Target};

/// Writes to a tenant.
#[derive(Debug, Clone)]
pub struct Writer(Client);

/// Graph accepted a write. A read that follows may still show the state before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub request_id: Option<String>,
}

/// Graph did not say that it accepted a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotWritten {
    pub error: GraphError,
    /// An answer was lost, and the write may have been carried out all the same. Else it was not.
    pub maybe_done: bool,
}

/// Whether a write may still be sent, asked before each repetition.
pub trait Gate: Sync {
    fn is_open(&self) -> impl Future<Output = bool> + Send;
}

/// For what anybody may repeat.
#[derive(Debug, Clone, Copy)]
pub struct AlwaysOpen;

impl Gate for AlwaysOpen {
    async fn is_open(&self) -> bool {
        true
    }
}

impl Writer {
    /// Has a token, so that nothing stands between a last question whether it may be done and the write.
    ///
    /// # Errors
    /// No token could be had.
    pub async fn ready(&self) -> Result<(), GraphError> {
        self.0.has_a_token().await
    }

    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0
    }

    /// Sends a step: one request, 1 unit and 1 write. Graph tells apart neither "it was so before" nor "it is not there"
    /// from other reasons, so that what follows is a read, whatever came of it.
    ///
    /// # Errors
    /// Of every step [`GraphError::Forbidden`] (advice: give up): the app lacks the permission, or the account is an
    /// administrator's, or the group is role-assignable, dynamic or restricted, all in the same words.
    ///
    /// | step | what is already so | other answers |
    /// | --- | --- | --- |
    /// | disable, enable | accepted | [`GraphError::NotFound`] (advice: maybe not replicated yet) |
    /// | remove a member or an owner | [`GraphError::NotFound`], the same as when the group or the user is gone: only a read of his groups tells (advice: maybe not replicated yet) | [`GraphError::Rejected`] 400 (advice: give up) for the last owner, and for groups that are mail-enabled or mastered on premises |
    /// | delete | [`GraphError::NotFound`], the same as while a replica does not know a new user: only the deleted items tell (advice: maybe not replicated yet) | |
    /// | restore | [`GraphError::NotFound`], the same as when he was deleted for good: only a read of him tells (advice: maybe not replicated yet) | [`GraphError::Rejected`] 400 (advice: give up) or [`GraphError::Conflict`] where another account has taken his user principal name or an address |
    /// | add a member or an owner | [`GraphError::Rejected`] 400 with a code that means anything: only a read of his groups tells it from a refusal (advice: give up) | [`GraphError::NotFound`] (advice: maybe not replicated yet) |
    ///
    /// Disabling and enabling are sent again where an answer was lost. Adding is not: whoever was taken out again in between
    /// would be let in without anybody having looked, and the same is true of restoring. Removing and deleting are not either:
    /// a second one would answer that there is nothing to remove, and nobody would know whose doing that is. They are then [`GraphError::Unreachable`] or
    /// [`GraphError::Unavailable`] (advice: try again).
    ///
    /// Whoever calls [`Self::ready`] first sends at once; what Graph asks to repeat is sent again only while the gate is open.
    pub async fn apply(&self, step: Step, gate: &impl Gate) -> Result<Written, NotWritten> {
        let mut patience = self.0.patience();
        match self.0.ask_while(gate, &self.request(step), &mut patience).await {
            Ok(answer) => Ok(Written { request_id: answer.trace.request_id }),
            Err(error) => Err(NotWritten { error, maybe_done: patience.lost_an_answer }),
        }
    }

    /// The one request of a step
    /// (<https://learn.microsoft.com/graph/api/user-update>, <https://learn.microsoft.com/graph/api/group-delete-members>,
    /// <https://learn.microsoft.com/graph/api/group-post-members>, <https://learn.microsoft.com/graph/api/user-delete>,
    /// <https://learn.microsoft.com/graph/api/directory-deleteditems-restore>). No step makes a deletion final.
    fn request(&self, step: Step) -> Request {
        let members = |group| Link { group, relation: Relation::Members };
        let owners = |group| Link { group, relation: Relation::Owners };
        match step {
            Step::Disable { user } => self.switch(user, false),
            Step::Enable { user } => self.switch(user, true),
            Step::RemoveMember { user, group } => self.remove(members(group), user),
            Step::AddMember { user, group } => self.add(members(group), user),
            Step::RemoveOwner { user, group } => self.remove(owners(group), user),
            Step::AddOwner { user, group } => self.add(owners(group), user),
            Step::Delete { user } => self.delete(user),
            Step::Restore { user } => self.restore(user),
        }
    }

    fn switch(&self, user: ObjectId, enabled: bool) -> Request {
        let mut request = self.0.request(Method::PATCH, &Target::user(user));
        request.body = Some(Bytes::from(json!({"accountEnabled": enabled}).to_string()));
        request
    }

    /// The one deletion of an account: softly, and of a user whom the step names by himself.
    fn delete(&self, user: ObjectId) -> Request {
        let mut request = self.0.request(Method::DELETE, &Target::user(user));
        request.repeat = Repeat::IfNotDone;
        request
    }

    /// As he was: under his own name and with his own addresses, or not at all.
    fn restore(&self, user: ObjectId) -> Request {
        let mut request = self.0.request(Method::POST, &Target::restore(user));
        request.repeat = Repeat::IfNotDone;
        request
    }

    fn remove(&self, link: Link, user: ObjectId) -> Request {
        let mut request = self.0.request(Method::DELETE, &link.to(user));
        request.repeat = Repeat::IfNotDone;
        request
    }

    fn add(&self, link: Link, user: ObjectId) -> Request {
        let mut request = self.0.request(Method::POST, &link.to_anybody());
        let object = self.0.endpoints().at(&format!("/directoryObjects/{user}"));
        request.body = Some(Bytes::from(json!({"@odata.id": object}).to_string()));
        request.repeat = Repeat::IfNotDone;
        request
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use jiff::Timestamp;
    use model::{Clock, TenantId};
    use proptest::prelude::*;
    use secrecy::SecretString;
    use wire::Wire;

    use super::*;
    use crate::cloud::{Cloud, Endpoints};
    use crate::credential::{App, Credential};

    fn writer(endpoints: Endpoints) -> Writer {
        let credential = Credential::Secret(SecretString::from("hush"));
        let app = App { tenant: TenantId::from_u128(3), client_id: "client".to_owned(), credential };
        let clock = Clock::new(|| Timestamp::UNIX_EPOCH);
        Writer::new(Client::new(Wire::InProcess(Router::new()), endpoints, app, clock, Duration::ZERO))
    }

    fn steps(user: ObjectId, group: ObjectId) -> [Step; 8] {
        let disable = Step::Disable { user };
        let leave = Step::RemoveMember { user, group };
        let drop = Step::RemoveOwner { user, group };
        let delete = Step::Delete { user };
        [disable, disable.undo(), leave, leave.undo(), drop, drop.undo(), delete, delete.undo()]
    }

    /// The whole list of what can be sent. The match names every step, so that a new one has to be added here.
    fn expected(step: Step, root: &str) -> (Method, String, Option<String>) {
        let link = |user: ObjectId| Some(format!(r#"{{"@odata.id":"{root}/v1.0/directoryObjects/{user}"}}"#));
        let switch = |enabled: bool| Some(format!(r#"{{"accountEnabled":{enabled}}}"#));
        let (method, path, body) = match step {
            Step::Disable { user } => (Method::PATCH, format!("users/{user}"), switch(false)),
            Step::Enable { user } => (Method::PATCH, format!("users/{user}"), switch(true)),
            Step::RemoveMember { user, group } => {
                (Method::DELETE, format!("groups/{group}/members/{user}/$ref"), None)
            }
            Step::AddMember { user, group } => {
                (Method::POST, format!("groups/{group}/members/$ref"), link(user))
            }
            Step::RemoveOwner { user, group } => {
                (Method::DELETE, format!("groups/{group}/owners/{user}/$ref"), None)
            }
            Step::AddOwner { user, group } => {
                (Method::POST, format!("groups/{group}/owners/$ref"), link(user))
            }
            Step::Delete { user } => (Method::DELETE, format!("users/{user}"), None),
            Step::Restore { user } => (Method::POST, format!("directory/deletedItems/{user}/restore"), None),
        };
        (method, format!("{root}/v1.0/{path}"), body)
    }

    proptest! {
        #[test]
        fn a_step_is_its_one_request_in_every_cloud_and_only_delete_deletes_what_is_no_reference(
            user in any::<u128>(), group in any::<u128>(),
        ) {
            let clouds = Cloud::ALL.map(Cloud::endpoints).into_iter();
            let proxy = Endpoints::parse("http://127.0.0.1:1", "http://127.0.0.1:1/graph").unwrap();
            for endpoints in clouds.chain([proxy]) {
                let root = endpoints.graph.as_str().trim_end_matches('/').to_owned();
                let writer = writer(endpoints);
                for step in steps(ObjectId::from_u128(user), ObjectId::from_u128(group)) {
                    let Request { method, url, body, repeat, timeout: _, wants: _ } = writer.request(step);
                    let body = body.map(|body| String::from_utf8(body.to_vec()).unwrap());
                    let sent = (method.clone(), url.to_string(), body);
                    prop_assert_eq!(sent, expected(step, &root));
                    prop_assert_eq!(repeat == Repeat::Safe, method == Method::PATCH);
                    let of_an_account = matches!(step, Step::Delete { .. });
                    prop_assert_eq!(
                        method == Method::DELETE && !url.path().ends_with("/$ref"),
                        of_an_account
                    );
                    // A deletion below the deleted items is final, and so is one of a group's member.
                    let ends = url.path().ends_with(&format!("/v1.0/users/{}", step.user()));
                    prop_assert!(!of_an_account || ends, "{url}");
                    prop_assert_eq!((url.query(), url.fragment()), (None, None));
                }
            }
        }
    }
}
