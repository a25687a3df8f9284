//! One table of Amazon DynamoDB: items with a version each, and writes that happen under their conditions or not at all.
//!
//! Lives here: what DynamoDB takes and gives, its limits, its retries, and its answers that get lost. Never here: what is kept.
//! No credential, region or address is looked for here either; they come with the `SdkConfig`.
//!
//! The table's schema is `infra/aws/table.json`. An item is `pk`, `sk`, its version `v`, its body `b`, the mark `w` of the
//! write that made it, and, where somebody has to look at it, `dc` and `da` (the class and the moment), by which the index
//! `due` finds it. A role needs `GetItem`, `BatchGetItem`, `Query` (of the table and of its index), `PutItem` and
//! `DeleteItem`; the condition key `dynamodb:LeadingKeys` holds it to its partitions.

mod attributes;
mod clock;
mod error;
mod fate;
mod item;
mod pace;
mod put;
mod table;

pub use error::{TableError, chain, is_denied};
pub use item::{Due, Expect, Item, Key, Range, Write};
pub use pace::{Pace, patient};
pub use table::Table;
