//! A document: a value with a kind and a place, kept as JSON under the version of its format.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::items::{Due, Expect, Item, Write};
use crate::{LedgerError, Place};

/// A value that the ledger keeps.
pub trait Document: Serialize + DeserializeOwned + Send + 'static {
    /// With the tenant it names the partition.
    const KIND: &'static str;

    /// Grows when an older program would misread the document. The older program then refuses to.
    const FORMAT: u32 = 1;

    /// Its key among the documents of its kind. It stays the same for the document's life.
    fn sort(&self) -> String;

    /// When somebody has to look at it, if nothing else happens.
    fn due(&self) -> Option<Timestamp>;
}

/// A document as it was read or written: whoever writes it back does so on the condition that it still is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    pub value: T,
    pub(crate) version: u64,
    pub(crate) place: Place,
}

impl<T> Stored<T> {
    /// Its key among the documents of its kind, after which a list goes on.
    #[must_use]
    pub fn sort(&self) -> &str {
        &self.place.sort
    }
}

#[derive(Serialize)]
struct Written<'a, T> {
    v: u32,
    document: &'a T,
}

#[derive(Deserialize)]
struct Read<'a> {
    v: u32,
    #[serde(borrow)]
    document: &'a RawValue,
}

/// `class` is the name under which it is found when it is due.
pub(crate) fn write<T: Document>(
    value: &T,
    place: Place,
    class: String,
    expect: Expect,
) -> Result<Write, LedgerError> {
    let due = value.due().map(|at| Due { class, at });
    match serde_json::to_string(&Written { v: T::FORMAT, document: value }) {
        Ok(body) => Ok(Write::Put { place, expect, due, body }),
        Err(error) => Err(LedgerError::Unwritable { place, why: error.to_string() }),
    }
}

pub(crate) fn read<T: Document>(item: Item) -> Result<Stored<T>, LedgerError> {
    let Item { place, version, body } = item;
    match parse(&body) {
        Ok(value) => Ok(Stored { value, version, place }),
        Err(why) => Err(LedgerError::Unreadable { place, why }),
    }
}

fn parse<T: Document>(body: &str) -> Result<T, String> {
    let damaged = |error| format!("it is damaged ({error}); restore a backup of the store");
    let Read { v, document } = serde_json::from_str(body).map_err(damaged)?;
    if v > T::FORMAT {
        let known = T::FORMAT;
        return Err(format!(
            "a newer Guestlist has written it (format {v}, this one knows {known}); run the newer Guestlist"
        ));
    }
    serde_json::from_str(document.get()).map_err(damaged)
}
