//! An item as it came, without its clientState. Whatever else is odd about it stays, because that is why it is kept:
//! keys that are there twice, numbers that no type holds, any depth.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

const SECRET: &str = "clientState";
const INSTEAD: &str = "\"(redacted)\"";

/// What is not an object has no clientState that anybody could have read.
pub(super) fn client_state(raw: &str) -> String {
    let Ok(Entries(entries)) = serde_json::from_str(raw) else {
        return raw.to_owned();
    };
    let shown = entries.into_iter().map(|(key, value)| {
        let value = if key == SECRET { INSTEAD } else { value.get() };
        format!("{}:{value}", Value::String(key))
    });
    format!("{{{}}}", shown.collect::<Vec<_>>().join(","))
}

/// The members of an object in their order, repeated ones too.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder).map(Entries)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}
