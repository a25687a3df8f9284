//! What the functions say to each other: ids, changes, incidents, outcomes, jobs.
//!
//! Lives here: types that are stored or sent, and the pure transitions between their states.
//! Never here: I/O, async, a clock, an environment variable, or anything about HTTP, Graph or a chat product.

mod action;
mod approval;
mod beside;
mod breaker;
mod canary;
mod change;
mod clock;
mod coverage;
mod delivery;
mod finding;
mod ids;
mod incident;
mod job;
mod lag;
mod mode;
mod notice;
mod outcome;
mod put_off;
mod request;
mod sighting;
mod subject;
mod subscription;
mod suspension;
mod transition;

pub use action::{Action, Permission, Plan, PlanHash, Snapshot, Step};
pub use approval::CannotDecide;
pub use breaker::{Breaker, Budget, Counted, Opened, Place, Reset, Touched};
pub use canary::{Back, Canary, Flight, Idle, Lost};
pub use change::{Change, ChangeKind, MemberHint, ResourceKind, Source};
pub use clock::{Asked, Clock};
pub use coverage::{Delta, InForce, Listing, ListingPlace, is_made_good, told_until};
pub use delivery::{
    ChannelName, ChannelState, Delivery, DeliveryStatus, Owed, RolledUp, Routes, due_deliveries, hand_over,
};
pub use finding::Finding;
pub use ids::{Correlation, IncidentId, ObjectId, ParseIdError, RuleId, Slot, SubscriptionId, TenantId};
pub use incident::{Achieved, Approval, Incident, IncidentKey, Lease, PendingUndo, State, Wake};
pub use job::{AlertJob, Attempt, Job};
pub use lag::{Lag, RecentLag, Within};
pub use mode::{Mode, ParseWordError, Severity};
pub use notice::{Notice, NoticeKind};
pub use outcome::{Outcome, StepResult};
pub use request::{Answer, Request, RequestId, RequestKind, RequestState};
pub use sighting::Sighting;
pub use subject::{GuestKind, Identity, SponsorName, Subject};
pub use subscription::{Binding, Nonce, SubscriptionRecord, Watched};
pub use suspension::{Resumed, Stop, Suspension};
pub use transition::{CannotClaim, CannotUndo};
