//! An incident's life: what may happen to it, and when people are told.
#![expect(clippy::unwrap_used, reason = "here a panic is how a test fails")]

mod asking;
mod deleting;
mod given;
mod put_off;
mod seeing;
mod whatever_happens;
