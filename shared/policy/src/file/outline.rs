//! What is written in the file and says nothing. The structs in `shape` would read a key without a value as a key that
//! is not there, and a number between quotes as a number; here the file is looked at as it was written.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::located::{At, Place, Text};
use crate::domain::shortened;

/// The file without its meaning.
#[derive(Debug)]
pub(crate) enum Node {
    Nothing,
    Text,
    /// A number, or true or false.
    Scalar,
    List(Vec<At<Node>>),
    Mapping(Vec<(Text, At<Node>)>),
}

/// Something that says nothing, and what to do about it.
pub(crate) struct Blank {
    pub(crate) place: Place,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Text)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Node::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = map.next_entry()? {
            all.push(entry);
        }
        Ok(Node::Mapping(all))
    }
}

/// Every blank of the file.
pub(crate) fn blanks(file: &At<Node>) -> Vec<Blank> {
    let mut found = Vec::new();
    let Node::Mapping(keys) = &file.value else {
        return found;
    };
    for (key, value) in keys {
        if let ("version", Node::Text) = (key.value.as_str(), &value.value) {
            let message = "`version` is a text, not a number".to_owned();
            found.push(Blank { place: value.place, message, hint: "write `version: 1`" });
        }
        let tests = key.value == "tests";
        if tests && value.value.is_empty() {
            found.push(empty(&key.value, value.place));
        }
        // A test says "none" with an empty list or mapping.
        walk(&key.value, value, tests, &mut found);
    }
    found
}

fn walk(key: &str, value: &At<Node>, may_be_empty: bool, found: &mut Vec<Blank>) {
    if !may_be_empty && value.value.is_empty() {
        found.push(empty(key, value.place));
    }
    match &value.value {
        Node::Nothing => {
            let hint = "write it after the colon, or remove the key";
            found.push(Blank { place: value.place, message: format!("`{key}` has no value"), hint });
        }
        Node::Text | Node::Scalar => {}
        Node::List(items) => items.iter().for_each(|item| walk(key, item, may_be_empty, found)),
        Node::Mapping(entries) => {
            for (key, value) in entries {
                walk(&shortened(&key.value), value, may_be_empty, found);
            }
        }
    }
}

fn empty(key: &str, place: Place) -> Blank {
    let hint = "write what belongs there, or remove the key";
    Blank { place, message: format!("`{key}` is empty"), hint }
}

impl Node {
    fn is_empty(&self) -> bool {
        match self {
            Self::Nothing | Self::Text | Self::Scalar => false,
            Self::List(items) => items.is_empty(),
            Self::Mapping(entries) => entries.is_empty(),
        }
    }
}
