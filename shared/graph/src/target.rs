//! What is asked of Graph: a path made of typed ids, and a query that is written out here in the code.

use std::borrow::Cow;

use model::{ObjectId, SubscriptionId};
use url::Url;

use crate::cloud::Endpoints;

/// A path below the version, and its query. The path holds object ids at most, and may be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    path: Cow<'static, str>,
    query: &'static str,
}

impl Target {
    pub(crate) const fn new(path: &'static str) -> Self {
        Self { path: Cow::Borrowed(path), query: "" }
    }

    pub(crate) fn user(id: ObjectId) -> Self {
        Self::below(format!("/users/{id}"))
    }

    pub(crate) fn of_user(id: ObjectId, collection: &'static str) -> Self {
        Self::below(format!("/users/{id}/{collection}"))
    }

    pub(crate) fn group(id: ObjectId) -> Self {
        Self::below(format!("/groups/{id}"))
    }

    pub(crate) fn deleted(id: ObjectId) -> Self {
        Self::below(format!("/directory/deletedItems/{id}"))
    }

    pub(crate) fn subscription(id: SubscriptionId) -> Self {
        Self::below(format!("/subscriptions/{id}"))
    }

    pub(crate) fn reauthorize(id: SubscriptionId) -> Self {
        Self::below(format!("/subscriptions/{id}/reauthorize"))
    }

    fn below(path: String) -> Self {
        Self { path: Cow::Owned(path), query: "" }
    }

    pub(crate) fn query(mut self, query: &'static str) -> Self {
        self.query = query;
        self
    }

    pub(crate) fn url(&self, endpoints: &Endpoints) -> Url {
        let mut url = endpoints.at(&self.path);
        url.set_query((!self.query.is_empty()).then_some(self.query));
        url
    }

    /// As a `$batch` wants it: relative to the version.
    pub(crate) fn relative(&self) -> String {
        if self.query.is_empty() { self.path.to_string() } else { format!("{}?{}", self.path, self.query) }
    }
}
