//! The Writer: the only place that changes a tenant, and the only one whose app may. A new remediation has its arm in
//! [`Writer::apply`].
//!
//! Never here: a judgement whether it should be done, or a claim that it was: that is told by reading back.

use bytes::Bytes;
use http::Method;
use model::{ObjectId, Step};
use serde_json::json;

use crate::client::Client;
use crate::error::GraphError;
use crate::target::Target;

/// Writes to a tenant.
#[derive(Debug, Clone)]
pub struct Writer(Client);

/// Graph accepted a write. A read that follows may still show the state before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub request_id: Option<String>,
}

impl Writer {
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0
    }

    /// # Errors
    /// See the step's own call.
    pub async fn apply(&self, step: Step) -> Result<Written, GraphError> {
        match step {
            Step::Disable { user } => self.set_account_enabled(user, false).await,
            Step::Enable { user } => self.set_account_enabled(user, true).await,
        }
    }

    /// Twice is the same as once, so it is repeated where an answer was lost. 1 unit and 1 write
    /// (<https://learn.microsoft.com/graph/api/user-update>).
    ///
    /// # Errors
    /// [`GraphError::Forbidden`] where the app lacks `User.EnableDisableAccount.All`, and for administrators and members
    /// or owners of role-assignable groups.
    pub async fn set_account_enabled(&self, user: ObjectId, enabled: bool) -> Result<Written, GraphError> {
        let mut request = self.0.request(Method::PATCH, &Target::user(user));
        request.body = Some(Bytes::from(json!({"accountEnabled": enabled}).to_string()));
        let answer = self.0.ask(request).await?;
        Ok(Written { request_id: answer.trace.request_id })
    }
}
