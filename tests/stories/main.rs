//! Stories that a security lead can read. Each names its rule.

mod attacks;
mod catching;
mod channels;
mod costs;
mod durable;
mod faults;
mod given;
mod graph_trouble;
mod limits;
mod missing;
mod overtaking;
mod policies;
mod policy_changes;
mod receiving;
mod remediating;
mod samples;
mod second_thoughts;
mod subscribing;
mod telling;
mod time;
mod undoing;
