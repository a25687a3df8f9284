//! The decision: one policy file, the facts about one guest, and a moment become a verdict.
//!
//! Lives here: the policy file's language, the meaning of domains, addresses, kinds and groups, and [`judge()`].
//! Never here: I/O, async, a clock, an environment variable, HTTP or Graph. Judging cannot fail: what could not be
//! read becomes a finding that is told and never acted on.

mod address;
mod compile;
mod conditions;
mod domain;
mod expectation;
mod facts;
mod file;
mod group;
mod group_view;
mod inviter;
mod judge;
mod kind;
mod memberships;
mod nearest;
mod policy;
mod problem;
mod reference;
mod resolve;
mod span;
mod summary;
mod verdict;
mod writable;

pub use compile::parse;
pub use conditions::{ConditionSummary, conditions};
pub use domain::normalise_domain;
pub use expectation::TestFailure;
pub use facts::{Facts, Identity, Standing};
pub use file::json_schema;
pub use group::{Group, Label, Membership, Memberships, Named, Relation};
pub use group_view::GroupView;
pub use inviter::{InvitedBy, Inviter, InviterKind};
pub use judge::{judge, protection};
pub use kind::{Kind, kind_of};
pub use policy::Policy;
pub use problem::{Problem, Problems};
pub use resolve::{Resolved, Settled, resolve};
pub use summary::{RuleSummary, ScenarioSummary};
pub use verdict::{Ends, Held, Verdict};
pub use writable::unwritable;
