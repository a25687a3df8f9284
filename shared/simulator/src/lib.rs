//! A strict, stateful Entra tenant over HTTP: token endpoint, Microsoft Graph v1.0, and change notifications that are
//! really delivered. It refuses what Microsoft does not describe, and it can be made to fail in every way that the
//! real service does. It serves loopback only and imports nothing of the product, so that one error cannot hide on
//! both sides.
mod changed;
pub mod contoso;
mod control;
mod dates;
mod deliveries;
mod directory;
mod faults;
mod graph;
mod group_acts;
mod odata;
mod options;
mod quota;
mod record;
mod server;
mod simulator;
mod tenant;
mod token;
mod traffic;
mod world;

pub use changed::{Changed, What};
pub use deliveries::notice::Lifecycle;
pub use directory::{Directory, DirectoryError, Invite, NewUser, Redeem};
pub use faults::{Delay, Failure, Failures, Fault, Faults, NotificationFaults, RetryAfter, Stale, Throttle};
pub use graph::subscriptions::Subscription;
pub use group_acts::NewGroup;
pub use options::{App, Delivery, FederatedCredential, Now, Options, Population};
pub use quota::Quota;
pub use simulator::{Simulator, StartError};
pub use tenant::{Group, GroupKind, Identity, Label, OtherKind, User, UserType};
pub use traffic::{Kind, Logged, Read, Traffic, Write};
