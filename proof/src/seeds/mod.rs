//! Seeded fault runs: the tenant, the chat and the whole product in one thread, on virtual time and a store in memory, so that
//! one number replays a history with everything that went wrong in it.
//!
//! A history is drawn from the seed (`history`), played (`play`) in a world (`world`) whose process may die between any two
//! steps (`seam`), and judged by somebody who reads the tenant's true state (`witness`, `oracle`, `reading`) and
//! who holds what people were told, how many were touched, and how often, against it (`telling`, `budget`, `rounds`), and who
//! asks all the time whether what was said to be assessed was (`assessed`).

mod acts;
mod assessed;
mod bell;
mod budget;
mod chat;
mod clock;
mod draws;
mod forge;
mod history;
mod inviting;
mod lags;
mod operate;
mod oracle;
mod people;
mod play;
mod process;
mod reading;
mod rounds;
mod run;
mod seam;
mod shrink;
mod telling;
mod weather;
mod witness;
mod world;

pub use acts::Timed;
pub use history::{History, Options};
pub use run::{Report, many, play as replay, run};
pub use shrink::shrink;
