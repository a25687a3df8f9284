//! The [`World`] of the stories: Guestlist as it is, over loopback HTTP, against the simulated tenant, two chat sinks and
//! a clock that only a story moves.
//!
//! Never here: a mock of our own code, or a rule about guests.

mod clock;
mod handles;
mod inbox;
mod people;
mod post;
mod world;

pub use clock::StoryClock;
pub use handles::Cost;
pub use inbox::{Inbox, Told};
pub use people::{Guest, People};
pub use post::{Heard, Raw, body_of, notification, tenant};
pub use world::{Setup, World};
