//! The [`World`] of the stories: Guestlist as it is, over loopback HTTP, against the simulated tenant, four chat sinks and
//! a clock that only a story moves.
//!
//! Never here: a mock of our own code, or a rule about guests.

mod accounts;
mod clock;
mod collector;
mod groups;
mod handles;
mod inbox;
mod monitoring;
mod people;
mod post;
mod requests;
mod setup;
mod world;

pub use clock::{StoryClock, seeds};
pub use collector::{Collector, Seen, Traced};
pub use groups::Group;
pub use handles::Cost;
pub use inbox::{Inbox, Told, without_ids};
pub use people::{Guest, People};
pub use post::{Heard, Raw, body_of, notification, tenant};
pub use setup::Setup;
pub use world::World;
