//! Reading an object of Graph leniently: what is absent, null or of another type than documented is unknown, and does
//! not spoil the rest.
//!
//! Never here: a default. Unknown stays unknown, for the judge to tell.

use jiff::Timestamp;
use model::ObjectId;
use serde_json::{Map, Value};

type Object = Map<String, Value>;

pub(crate) fn text(object: &Object, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(str::to_owned)
}

pub(crate) fn flag(object: &Object, key: &str) -> Option<bool> {
    object.get(key)?.as_bool()
}

pub(crate) fn moment(object: &Object, key: &str) -> Option<Timestamp> {
    object.get(key)?.as_str()?.parse().ok()
}

/// A list that is read whole or not at all: half of a list would look like all of it.
pub(crate) fn list<T>(object: &Object, key: &str, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    object.get(key)?.as_array()?.iter().map(read).collect()
}

pub(crate) fn texts(object: &Object, key: &str) -> Option<Vec<String>> {
    list(object, key, |item| item.as_str().map(str::to_owned))
}

/// An id; one of nothing but zeros names nobody.
pub(crate) fn as_guid(value: &Value) -> Option<ObjectId> {
    let id: ObjectId = value.as_str()?.parse().ok()?;
    (id != ObjectId::from_u128(0)).then_some(id)
}

/// `user` of `#microsoft.graph.user`, in lower case.
pub(crate) fn kind(object: &Object) -> Option<String> {
    let name = text(object, "@odata.type")?.to_ascii_lowercase();
    name.strip_prefix("#microsoft.graph.").map(str::to_owned)
}
