//! Microsoft Graph: tokens, the client, notifications in, [`Reader`], [`Writer`] and subscriptions.
//!
//! Lives here: what Graph is asked, how its answers and its silences are read, and what a caller must do about them.
//! Never here: a decision about a guest, a queue, the ledger, or a setting read from the environment.

mod audit;
mod background;
mod batch;
mod client;
mod cloud;
mod credential;
mod deleted;
mod delta;
mod entra;
mod error;
mod group;
mod loose;
mod memberships;
mod notification;
mod page;
mod read;
mod retry;
mod standing;
mod subscription;
mod sweep;
mod target;
mod token;
mod traced;
mod user;
mod write;

pub use audit::{Act, Activity, Actor, Invitation};
pub use client::Client;
pub use cloud::{Cloud, EndpointError, Endpoints, ParseCloudError};
pub use credential::{App, Certificate, CertificateError, Credential, Federated, Lent, NoAssertion};
pub use deleted::{Deleted, Whereabouts};
pub use delta::{ChangedGroup, ChangedLink, ChangedUser, DeltaFrom, DeltaNext, DeltaPage, Removed};
pub use error::{Advice, GraphError, Trace};
pub use group::{AssignedLabel, Group, Linked, LinkedKind};
pub use memberships::{GroupRead, MembershipsRead, Person};
pub use notification::{BodyError, Event, Item, Lifecycle, Sifted, Unreadable, parse, sift};
pub use page::{Page, PageLink};
pub use read::{ObjectIs, Organization, Reader};
pub use standing::Standing;
pub use subscription::{Creation, NewSubscription, Subscription};
pub use sweep::{Cursor, ListPage, Sweep, Worthless};
pub use user::{Identity, Sponsor, SponsorKind, User};
pub use write::{AlwaysOpen, Gate, NotWritten, Writer, Written};
