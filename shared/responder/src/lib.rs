//! The flows: receive, assess, remediate, undo, tell, and keep subscriptions alive.
//!
//! Each flow is a type that holds exactly what it may use: [`Receiver`] and [`Teller`] have no Graph credential, and
//! only [`Remediator`] has one that writes. Never here: a vendor's SDK, a URL, an environment variable, the real clock.

mod assess;
mod canary;
mod census;
mod facts;
mod flow;
mod gone;
mod group;
mod group_memory;
mod in_force;
mod inviter;
mod leases;
mod meter;
mod missing;
mod notices;
mod owed;
mod pace;
mod queues;
mod receive;
mod reconcile;
mod record;
mod remediate;
mod right_time;
mod rules;
mod serve;
mod show;
mod spoken;
mod step;
mod steward;
mod subscriptions;
mod tell;
mod traced;
mod trouble;
mod turn;
mod turns;
mod undo;
mod undo_later;
mod walk;
mod wanted;
mod whose;
mod worker;

pub use assess::Assessor;
pub use canary::{CanaryKeeper, CanarySettings};
pub use census::Census;
pub use facts::{facts_of, group_of, memberships_of, new_memberships, snapshot_of, standing_of};
pub use flow::{Flow, Handler};
pub use in_force::PolicyInForce;
pub use inviter::{AUDIT_IS_HIDDEN, AUDIT_KEEPS, Inviters, proven_inviter};
pub use meter::Meter;
pub use notices::Notices;
pub use queues::{Queues, move_of};
pub use receive::{Receiver, Tally};
pub use reconcile::Reconciler;
pub use remediate::Remediator;
pub use right_time::off;
pub use rules::{Directory, Names, Rules};
pub use show::{Links, Viewer};
pub use steward::Steward;
pub use subscriptions::{Receivers, SubscriptionKeeper};
pub use tell::{Open, Teller};
pub use trouble::{End, Trouble};
pub use undo::acted_at;
pub use worker::{Pushed, Worker};
