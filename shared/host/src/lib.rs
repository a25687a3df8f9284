//! The only reader of the environment and of the real clock: settings, logs, the store's files, the local
//! process, and the functions on AWS Lambda.
//!
//! Everything below gets what it needs handed in. Never here: a decision about a guest.

mod admin;
mod apps;
mod assembly;
mod aws;
mod canary;
mod channels;
mod form;
mod functions;
mod keys;
mod lambda;
mod logs;
mod mark;
mod policy_file;
mod process;
mod running;
mod server;
mod settings;
mod signals;
mod store;
mod terminal;
mod traces;

pub use admin::Admin;
pub use apps::AppSettings;
pub use assembly::{Assembly, Part, Parts};
pub use aws::{AwsSettings, QueuePlace};
pub use channels::ChannelSettings;
pub use form::{Form, Missing};
pub use functions::{alert, approvals, assess, notifications, remediate, steward};
pub use keys::state_keys;
pub use lambda::is_request;
pub use logs::{LogFormat, start_logs, start_logs_and_traces};
pub use policy_file::{InvalidPolicy, PolicyFile, load_policy};
pub use process::{Serving, serve};
pub use running::{Entering, Running, is_running};
pub use server::{Limits, Server};
pub use settings::{Environment, Needs, PolicyPlace, Settings};
pub use signals::asked_to_stop;
pub use store::Store;
pub use terminal::{in_json, misleads};
pub use traces::{TraceSettings, Traces};

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use model::{Clock, Correlation};

/// The real clocks: the machine's, and one that goes on evenly whoever sets that.
#[must_use]
pub fn clock() -> Clock {
    let began = Instant::now();
    Clock::of(Timestamp::now, move || {
        SignedDuration::try_from(began.elapsed()).unwrap_or(SignedDuration::MAX)
    })
}

/// Sixteen bytes from the operating system's generator.
#[must_use]
pub fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    #[expect(clippy::expect_used, reason = "without the system's generator no secret may be made")]
    getrandom::fill(&mut bytes).expect("the operating system has random bytes");
    bytes
}

/// A fresh correlation id.
#[must_use]
pub fn correlate() -> Correlation {
    Correlation::from_u128(uuid::Builder::from_random_bytes(random()).into_uuid().as_u128())
}
