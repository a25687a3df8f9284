//! An item as it came, without its clientState. Whatever else is odd about it stays, because that is why it is kept:
//! keys that are there twice or are no text, numbers that no type holds, any depth.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::Key;

const SECRET: &str = "clientState";
const INSTEAD: &str = "\"(redacted)\"";

/// What is not an object has no clientState that anybody could have read.
pub(super) fn client_state(raw: &str) -> String {
    let Ok(Entries(entries)) = serde_json::from_str(raw) else {
        return raw.to_owned();
    };
    let shown = entries.into_iter().map(|(Key(key), value)| {
        let value = if key == SECRET.as_bytes() { INSTEAD } else { value.get() };
        format!("\"{}\":{value}", escaped(&key))
    });
    format!("{{{}}}", shown.collect::<Vec<_>>().join(","))
}

/// What stands between the quotes of a key.
fn escaped(key: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = key;
    while !rest.is_empty() {
        let plain = std::str::from_utf8(rest).map_or_else(|error| error.valid_up_to(), str::len);
        let (fine, odd) = rest.split_at(plain);
        let quoted = Value::String(String::from_utf8_lossy(fine).into_owned()).to_string();
        text.push_str(quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default());
        rest = match odd {
            [first, second, third, after @ ..] => {
                let bits = |byte: &u8, mask: u8| u32::from(byte & mask);
                let half = bits(first, 0x0f) << 12 | bits(second, 0x3f) << 6 | bits(third, 0x3f);
                text.push_str(&format!("\\u{half:04x}"));
                after
            }
            _end => &[],
        };
    }
    text
}

/// The members of an object in their order, repeated ones too.
struct Entries<'a>(Vec<(Key, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder).map(Entries)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<(Key, &'de RawValue)>;

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
