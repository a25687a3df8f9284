//! What is asked of Graph: a path made of typed ids, and a query that is written out here in the code.

use std::borrow::Cow;

use model::{ObjectId, SubscriptionId};
use url::{Url, form_urlencoded};

use crate::cloud::Endpoints;
use crate::user::User;

/// A path below the version, and its query. The path holds object ids at most, and may be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    path: Cow<'static, str>,
    query: Cow<'static, str>,
}

/// How somebody stands to a group, as Graph's paths name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Members,
    Owners,
}

impl Relation {
    fn segment(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Owners => "owners",
        }
    }
}

/// What ties people to a group: the reference alone, never the people. A path to it ends in `/$ref`, whoever asks;
/// without that Graph takes the removal of a member for the deletion of the *user*
/// (<https://learn.microsoft.com/graph/api/group-delete-members>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) group: ObjectId,
    pub(crate) relation: Relation,
}

impl Link {
    /// To be removed.
    pub(crate) fn to(self, user: ObjectId) -> Target {
        self.reference(&format!("/{user}"))
    }

    /// To be added to.
    pub(crate) fn to_anybody(self) -> Target {
        self.reference("")
    }

    fn reference(self, user: &str) -> Target {
        let Self { group, relation } = self;
        Target::below(format!("/groups/{group}/{}{user}/$ref", relation.segment()))
    }
}

impl Target {
    pub(crate) const fn new(path: &'static str) -> Self {
        Self { path: Cow::Borrowed(path), query: Cow::Borrowed("") }
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

    /// To be read.
    pub(crate) fn of_group(id: ObjectId, relation: Relation) -> Self {
        Self::below(format!("/groups/{id}/{}", relation.segment()))
    }

    pub(crate) fn deleted(id: ObjectId) -> Self {
        Self::below(format!("/directory/deletedItems/{id}"))
    }

    pub(crate) fn restore(id: ObjectId) -> Self {
        Self::below(format!("/directory/deletedItems/{id}/restore"))
    }

    /// The one deleted user of this id, in a list.
    pub(crate) fn deleted_users(id: ObjectId) -> Self {
        let filter = escaped(&format!("id eq '{id}'"));
        Self {
            path: Cow::Borrowed("/directory/deletedItems/microsoft.graph.user"),
            query: Cow::Owned(format!("$filter={filter}&{}", User::QUERY_WITHOUT_SPONSORS)),
        }
    }

    pub(crate) fn subscription(id: SubscriptionId) -> Self {
        Self::below(format!("/subscriptions/{id}"))
    }

    pub(crate) fn reauthorize(id: SubscriptionId) -> Self {
        Self::below(format!("/subscriptions/{id}/reauthorize"))
    }

    fn below(path: String) -> Self {
        Self { path: Cow::Owned(path), query: Cow::Borrowed("") }
    }

    pub(crate) fn query(mut self, query: &'static str) -> Self {
        self.query = Cow::Borrowed(query);
        self
    }

    /// Rows of the directory audit that have `target` among the objects that something was done to, and meet `and` as well,
    /// which is written out in the code.
    pub(crate) fn audits_of(target: ObjectId, and: &str) -> Self {
        let query = escaped(&format!("{and} and targetResources/any(t:t/id eq '{target}')"));
        Self {
            path: Cow::Borrowed("/auditLogs/directoryAudits"),
            query: Cow::Owned(format!("$filter={query}")),
        }
    }

    /// Rows of the directory audit that meet this, which is written out in the code, as many in a page as Graph gives.
    pub(crate) fn audits(asked: &str) -> Self {
        Self {
            path: Cow::Borrowed("/auditLogs/directoryAudits"),
            query: Cow::Owned(format!("$filter={}&$top=999", escaped(asked))),
        }
    }

    /// Groups of that name. The name is whatever somebody wrote: its quotes are doubled and all of it is escaped, so
    /// that it ends neither the text nor the parameter.
    pub(crate) fn groups_named(name: &str) -> Self {
        let filter = format!("displayName eq '{}'", name.replace('\'', "''"));
        let query = format!("$filter={}&$select=id&$top=999", escaped(&filter));
        Self { path: Cow::Borrowed("/groups"), query: Cow::Owned(query) }
    }

    pub(crate) fn url(&self, endpoints: &Endpoints) -> Url {
        let mut url = endpoints.at(&self.path);
        url.set_query((!self.query.is_empty()).then_some(&*self.query));
        url
    }

    /// As a `$batch` wants it: relative to the version.
    pub(crate) fn relative(&self) -> String {
        if self.query.is_empty() { self.path.to_string() } else { format!("{}?{}", self.path, self.query) }
    }
}

/// The value of a parameter. A form writes a space as `+`, which in the query of an address is a plus sign to some.
fn escaped(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Cloud;

    #[test]
    fn a_name_that_somebody_wrote_ends_neither_the_text_nor_the_parameter() {
        let endpoints = Cloud::Global.endpoints();
        for name in [
            "Marketing",
            "O'Brien's",
            "' or displayName ne '",
            "x'&$select=displayName&$filter=id eq '",
            "a&b=c#d?e/f%27g+h",
            "\u{0}\r\nHost: evil.example",
            "Пример ✓",
            "''",
            "",
        ] {
            let url = Target::groups_named(name).url(&endpoints);
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            let filter = format!("displayName eq '{}'", name.replace('\'', "''"));
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let expected = [pair("$filter", &filter), pair("$select", "id"), pair("$top", "999")];
            assert_eq!(pairs, expected, "{name:?}");
            assert_eq!((url.path(), url.fragment()), ("/v1.0/groups", None));
            assert!(!url.as_str().contains(['+', ' ', '\'']), "{url}");
        }
    }

    #[test]
    fn every_path_to_a_link_ends_in_ref() {
        let (group, user) = (ObjectId::from_u128(1), ObjectId::from_u128(2));
        for (relation, word) in [(Relation::Members, "members"), (Relation::Owners, "owners")] {
            let link = Link { group, relation };
            assert_eq!(link.to(user).relative(), format!("/groups/{group}/{word}/{user}/$ref"));
            assert_eq!(link.to_anybody().relative(), format!("/groups/{group}/{word}/$ref"));
        }
    }
}
