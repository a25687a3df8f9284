//! Stories that a security lead can read. Each names its rule.

mod catching;
mod policies;
mod samples;
