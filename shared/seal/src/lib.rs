//! Keys and message authentication codes: the `clientState` of our subscriptions, the links that open a page, and
//! Standard Webhooks signatures.
//!
//! Lives here: what proves that a text came from us.
//! Never here: randomness, a clock, a file or HTTP. Random bytes and the moment are handed in.

mod client_state;
mod keys;
mod link;
mod mac;
mod webhook;

pub use client_state::{ClientState, NotOurs, nonce};
pub use keys::{KeyError, KeyId, StateKeys};
pub use link::NotOpened;
pub use webhook::{
    SecretError, SignError, SignedRequest, VerifyError, VerifyingSecret, WebhookSecret, sign, verify,
};
