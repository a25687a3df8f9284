//! The body of a POST, walked item by item, so that what nobody keeps takes no memory. What an item says is in `event`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{BodyError, quote};

/// Shows every item, in its order. After an error, what was shown before it counts for nothing.
pub(super) fn each<'a>(body: &'a [u8], take: impl FnMut(&'a RawValue)) -> Result<(), BodyError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let walked = Whole(take).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    walked.map_err(|error| BodyError(quote(&error.to_string())))
}

struct Whole<F>(F);

impl<'de, F: FnMut(&'de RawValue)> DeserializeSeed<'de> for Whole<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Whole<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if key != "value" {
                map.next_value::<IgnoredAny>()?;
            } else if found {
                return Err(A::Error::custom("`value` is there twice"));
            } else {
                found = true;
                map.next_value_seed(Items(&mut self.0))?;
            }
        }
        if found { Ok(()) } else { Err(A::Error::custom("it has no `value`")) }
    }
}

struct Items<'f, F>(&'f mut F);

impl<'de, F: FnMut(&'de RawValue)> DeserializeSeed<'de> for Items<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Items<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of notifications in `value`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            (self.0)(item);
        }
        Ok(())
    }
}
