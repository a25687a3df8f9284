//! The members of one JSON object, each left as it was written. Nothing below them is read until it is asked for, so
//! that depth costs nothing and what is not understood cannot fail.

use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Unreadable, quote};

/// What one key holds. Two readers of a repeated key may take different values for the true one, so it has none.
enum Held<'a> {
    Once(&'a RawValue),
    Repeated,
}

pub(super) struct Fields<'a> {
    held: BTreeMap<String, Held<'a>>,
    /// A key is no text: half of a surrogate pair. We read none such, so that the others keep what they hold.
    odd: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn read(raw: &'a RawValue) -> Result<Self, Unreadable> {
        let wrong = |error| Unreadable(quote(&format!("it is not an object: {error}")));
        serde_json::from_str(raw.get()).map_err(wrong)
    }

    /// A key that is absent or null is nothing.
    pub(super) fn get(&self, key: &str) -> Result<Option<&'a RawValue>, Unreadable> {
        match self.held.get(key) {
            None => Ok(None),
            Some(Held::Once(raw)) if raw.get() == "null" => Ok(None),
            Some(Held::Once(raw)) => Ok(Some(raw)),
            Some(Held::Repeated) => Err(repeated(key)),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Unreadable> {
        let Some(raw) = self.get(key)? else {
            return Ok(None);
        };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| not(key, "a text"))
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Fields<'a>>, Unreadable> {
        let Some(raw) = self.get(key)? else {
            return Ok(None);
        };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| not(key, "an object"))
    }

    pub(super) fn objects(&self, key: &str) -> Result<Vec<Fields<'a>>, Unreadable> {
        let Some(raw) = self.get(key)? else {
            return Ok(Vec::new());
        };
        serde_json::from_str(raw.get()).map_err(|_| not(key, "a list of objects"))
    }

    /// # Errors
    /// Some key is there twice or is no text, be it one that we read or not.
    pub(super) fn each_once(&self) -> Result<(), Unreadable> {
        if self.odd {
            return Err(Unreadable("a key is not a text".to_owned()));
        }
        let twice = self.held.iter().find(|(_, held)| matches!(held, Held::Repeated));
        twice.map_or(Ok(()), |(key, _)| Err(repeated(key)))
    }
}

fn repeated(key: &str) -> Unreadable {
    Unreadable(format!("`{}` is there twice", quote(key)))
}

fn not(key: &str, what: &str) -> Unreadable {
    Unreadable(format!("`{key}` is not {what}"))
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut held, mut odd) = (BTreeMap::new(), false);
        while let Some((Key(key), raw)) = map.next_entry::<Key, &'de RawValue>()? {
            let Ok(key) = String::from_utf8(key) else {
                odd = true;
                continue;
            };
            match held.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(Held::Once(raw));
                }
                Entry::Occupied(mut place) => {
                    place.insert(Held::Repeated);
                }
            }
        }
        Ok(Fields { held, odd })
    }
}

/// A key as JSON allows it: text, or text with halves of surrogate pairs, each as the three bytes that UTF-8 would
/// have for it (<https://www.rfc-editor.org/rfc/rfc8259#section-8.2>).
pub(super) struct Key(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_bytes<E: Error>(self, key: &[u8]) -> Result<Key, E> {
                Ok(Key(key.to_owned()))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}
