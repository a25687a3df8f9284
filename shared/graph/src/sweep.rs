//! Reads that go over the whole tenant, one page a call, and that go on from a text which the caller keeps.
//!
//! They can wait, and Graph is told so: `background.rs`.
//!
//! Lives here: the cursor, what makes one worthless, and the lists. What a delta query says is in `delta.rs`. Never
//! here: how old a cursor may be, or what to do about what was found.

use std::fmt;

use serde_json::Value;
use url::Url;

use crate::client::Client;
use crate::cloud::Endpoints;
use crate::error::{GraphError, Trace};
use crate::group::Group;
use crate::page::{Opened, each};
use crate::read::Reader;
use crate::target::Target;
use crate::user::User;

/// Where such a read goes on: a link that Graph gave, opaque, to be kept as text. A text becomes one unexamined; before
/// it is followed it has to lead to the same read at the Graph in use, since our token goes where it leads.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(String);

/// What came of asking for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sweep<P> {
    Page(P),
    /// The cursor is worth nothing: begin from the beginning. Never the answer to a first call, which has no cursor.
    StartAnew(Worthless),
}

/// Why a cursor is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worthless {
    /// It does not lead to this read at the Graph in use, and nothing was sent: another cloud was configured since, or
    /// what was kept is not what Graph gave.
    NotOurs,
    /// Graph would not go on from it. It promises to know a delta cursor of users and groups for seven days
    /// (<https://learn.microsoft.com/graph/delta-query-overview>).
    Refused { status: u16, code: String, trace: Trace },
}

/// A page of a list, and where the next one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage<T> {
    pub items: Vec<T>,
    pub next: Option<Cursor>,
}

/// What is gone over. A cursor of one serves no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walk {
    Users,
    Groups,
    UsersDelta,
    GroupsDelta,
}

/// A page as it came.
pub(crate) struct Turn {
    pub(crate) items: Vec<Value>,
    pub(crate) next: Option<Cursor>,
    pub(crate) caught_up: Option<Cursor>,
    pub(crate) trace: Trace,
}

const NEXT: &str = "@odata.nextLink";
const CAUGHT_UP: &str = "@odata.deltaLink";

impl Reader {
    /// All users of the tenant, 999 at a time, with what tells of which kind they are and nothing else. 1 unit a page
    /// (<https://learn.microsoft.com/graph/api/user-list>). Permission: `User.Read.All`.
    ///
    /// Whoever is created or deleted meanwhile may be missing or there: take a delta cursor first
    /// ([`crate::DeltaFrom::Now`]), and what the list missed is in the delta.
    ///
    /// # Errors
    /// Any; a next link that leads anywhere but on with this list is [`GraphError::Unreadable`].
    pub async fn list_users(&self, from: Option<&Cursor>) -> Result<Sweep<ListPage<User>>, GraphError> {
        let first = Target::new("/users").query(User::QUERY_KIND);
        let turn = self.0.turn(Walk::Users, &first, from).await?;
        turn.and_then(|turn| turn.list(User::read))
    }

    /// All groups of the tenant, 999 at a time, with every property that a judgement needs. 1 unit a page
    /// (<https://learn.microsoft.com/graph/api/group-list>). Permission: `Group.Read.All`. See [`Self::list_users`].
    ///
    /// # Errors
    /// As [`Self::list_users`].
    pub async fn list_groups(&self, from: Option<&Cursor>) -> Result<Sweep<ListPage<Group>>, GraphError> {
        let first = Target::new("/groups").query(Group::QUERY_ALL);
        let turn = self.0.turn(Walk::Groups, &first, from).await?;
        turn.and_then(|turn| turn.list(Group::read))
    }
}

impl Turn {
    fn list<T>(self, read: impl Fn(&Value) -> Result<T, String>) -> Result<ListPage<T>, GraphError> {
        let Self { items, next, caught_up: _, trace } = self;
        Ok(ListPage { items: each(&items, &trace, read)?, next })
    }
}

impl Client {
    /// The first page, or the one that the cursor names.
    pub(crate) async fn turn(
        &self,
        walk: Walk,
        first: &Target,
        from: Option<&Cursor>,
    ) -> Result<Sweep<Turn>, GraphError> {
        let url = match from {
            None => first.url(self.endpoints()),
            Some(Cursor(text)) => match walk.link(self.endpoints(), text) {
                Some(url) => url,
                None => return Ok(Sweep::StartAnew(Worthless::NotOurs)),
            },
        };
        let document = match self.in_background().read_url(url.clone()).await {
            Ok(document) => document,
            Err(error) => {
                let worthless = from.and_then(|_| Worthless::told_by(&error));
                return worthless.map_or(Err(error), |worthless| Ok(Sweep::StartAnew(worthless)));
            }
        };
        let Opened { items, around, trace } = Opened::read(document)?;
        let link = |name| match around.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(link) => {
                let url = link.as_str().and_then(|text| walk.link(self.endpoints(), text));
                url.map(Some).ok_or_else(|| {
                    let why = format!("its `{name}` does not lead on with {walk} at Graph: not followed");
                    GraphError::unreadable(why, &trace)
                })
            }
        };
        let (next, caught_up) = (link(NEXT)?, link(CAUGHT_UP)?);
        if next.as_ref() == Some(&url) {
            return Err(GraphError::unreadable("a page names itself as the next one", &trace));
        }
        let cursor = |url: Url| Cursor(url.into());
        Ok(Sweep::Page(Turn { items, next: next.map(cursor), caught_up: caught_up.map(cursor), trace }))
    }
}

impl<P> Sweep<P> {
    pub(crate) fn and_then<Q, E>(self, page: impl FnOnce(P) -> Result<Q, E>) -> Result<Sweep<Q>, E> {
        match self {
            Self::Page(found) => page(found).map(Sweep::Page),
            Self::StartAnew(why) => Ok(Sweep::StartAnew(why)),
        }
    }
}

impl Walk {
    /// The address of a link, if it leads on with this walk and to nothing else. Graph names a function in four ways
    /// (<https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part2-url-conventions.html>).
    fn link(self, endpoints: &Endpoints, text: &str) -> Option<Url> {
        let paths: &[&str] = match self {
            Self::Users => &["/users"],
            Self::Groups => &["/groups"],
            Self::UsersDelta => &[
                "/users/delta",
                "/users/delta()",
                "/users/microsoft.graph.delta",
                "/users/microsoft.graph.delta()",
            ],
            Self::GroupsDelta => &[
                "/groups/delta",
                "/groups/delta()",
                "/groups/microsoft.graph.delta",
                "/groups/microsoft.graph.delta()",
            ],
        };
        let url = Url::parse(text).ok()?;
        let there = paths.iter().any(|path| url.path() == endpoints.at(path).path());
        (there && endpoints.holds(&url) && goes_on(&url)).then_some(url)
    }
}

/// Whether a link holds the place where it goes on: without one it begins anew, and with `latest` it leaves out whatever
/// has happened so far.
fn goes_on(link: &Url) -> bool {
    let is_place =
        |name: &str| ["$skiptoken", "$deltatoken"].iter().any(|token| name.eq_ignore_ascii_case(token));
    let mut places = link.query_pairs().filter(|(name, _)| is_place(name)).peekable();
    places.peek().is_some()
        && places.all(|(_, place)| !place.is_empty() && !place.eq_ignore_ascii_case("latest"))
}

impl Worthless {
    /// Graph says 410 or, of a delta cursor that has expired, "a 40X error" with a code like `syncStateNotFound`; of a
    /// page that has expired 400. Where a link that Graph made itself is a bad request, no other one can be asked with it.
    fn told_by(error: &GraphError) -> Option<Self> {
        let (status, code, trace) = match error {
            GraphError::Rejected { status: status @ (400 | 410), code, message: _, trace } => {
                return Some(Self::Refused { status: *status, code: code.clone(), trace: trace.clone() });
            }
            GraphError::NotFound { code, trace } => (404, code, trace),
            GraphError::Conflict { code, message: _, trace } => (409, code, trace),
            GraphError::Rejected { status, code, message: _, trace } => (*status, code, trace),
            GraphError::Forbidden { .. }
            | GraphError::Throttled { .. }
            | GraphError::Unavailable { .. }
            | GraphError::Credential { .. }
            | GraphError::Unreachable { .. }
            | GraphError::Unreadable { .. } => return None,
        };
        let lower = code.to_ascii_lowercase();
        let lost = ["syncstate", "resync"].iter().any(|begin| lower.starts_with(begin));
        (lost && status < 500).then(|| Self::Refused { status, code: code.clone(), trace: trace.clone() })
    }
}

impl Cursor {
    /// What to keep.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Cursor {
    fn from(kept: String) -> Self {
        Self(kept)
    }
}

/// Queries are not logged.
impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor(…)")
    }
}

impl fmt::Display for Worthless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("it does not lead to this read at the Graph in use"),
            Self::Refused { status, code, trace } => {
                write!(f, "Graph does not go on from it: it answers {status} (`{code}`){trace}")
            }
        }
    }
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Users => "the list of users",
            Self::Groups => "the list of groups",
            Self::UsersDelta => "the delta query of users",
            Self::GroupsDelta => "the delta query of groups",
        })
    }
}
