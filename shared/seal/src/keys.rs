//! The keys that seal `clientState`, read from a small text: the first seals, every one of them opens, so that keys
//! rotate without recreating a subscription.
//! Never here: where the text comes from, and what is sealed.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

/// Names a key, in the key file and in what it sealed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn read(text: &str) -> Option<Self> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        ((1..=12).contains(&text.len()) && text.chars().all(legal)).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

/// Why a key file is not taken. Tells the line, and never what stands on it, because that may be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("find a key: write a line `key-id base64`, the second word from `openssl rand -base64 32`")]
    Empty,
    #[error("read line {line} of the keys: it needs exactly two words, `key-id base64`")]
    Words { line: usize },
    #[error(
        "read line {line} of the keys: a key id is 1 to 12 lower-case letters and digits, before the key"
    )]
    Id { line: usize },
    #[error(
        "read line {line} of the keys: the key `{id}` is not base64; make one with `openssl rand -base64 32`"
    )]
    NotBase64 { line: usize, id: KeyId },
    #[error(
        "use the key `{id}` on line {line} of the keys: it has {bytes} bytes and needs {least}; make one with \
         `openssl rand -base64 32`",
        least = StateKeys::LEAST_BYTES
    )]
    Short { line: usize, id: KeyId, bytes: usize },
    #[error(
        "use the key `{id}` on line {line} of the keys: it is one byte repeated; make one with \
         `openssl rand -base64 32`"
    )]
    Constant { line: usize, id: KeyId },
    #[error("use line {line} of the keys: `{id}` already names the key on line {first}; give it another id")]
    SameId { line: usize, first: usize, id: KeyId },
    #[error("use line {line} of the keys: it repeats the key on line {first}; make a new one to rotate to")]
    SameKey { line: usize, first: usize },
}

pub(crate) struct Key {
    pub(crate) id: KeyId,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    line: usize,
}

/// The keys, in the order of their lines. Never printed, and wiped from memory when the last clone goes.
#[derive(Clone)]
pub struct StateKeys {
    sealing: Arc<Key>,
    older: Arc<[Key]>,
}

impl StateKeys {
    /// As many bytes as the tag has (RFC 2104, section 3, discourages fewer).
    pub const LEAST_BYTES: usize = 32;

    /// Reads lines of `key-id base64`; `#` starts a comment.
    ///
    /// # Errors
    /// There is no key, or a line is not a usable one.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys: Vec<Key> = Vec::new();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.split('#').next().unwrap_or_default();
            if content.trim().is_empty() {
                continue;
            }
            let key = Key::read(line, content)?;
            for other in &keys {
                key.differs_from(other)?;
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let sealing = Arc::new(keys.next().ok_or(KeyError::Empty)?);
        Ok(Self { sealing, older: keys.collect() })
    }

    /// A line for the key file. The bytes are to come from the operating system's generator; an id that is not 1 to
    /// 12 lower-case letters and digits makes a line that [`StateKeys::parse`] refuses.
    #[must_use]
    pub fn generate_line(random: [u8; 32], id: &str) -> String {
        let random = Zeroizing::new(random);
        format!("{id} {}", BASE64_STANDARD.encode(random.as_slice()))
    }

    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys().map(|key| key.id.as_str())
    }

    #[must_use]
    pub fn sealing_key(&self) -> &str {
        self.sealing.id.as_str()
    }

    pub(crate) fn first(&self) -> &Key {
        &self.sealing
    }

    pub(crate) fn named(&self, id: &str) -> Option<&Key> {
        self.keys().find(|key| key.id.as_str() == id)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&*self.sealing).chain(self.older.iter())
    }
}

impl fmt::Debug for StateKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StateKeys").field(&self.key_ids().collect::<Vec<_>>()).finish()
    }
}

impl Key {
    fn read(line: usize, content: &str) -> Result<Self, KeyError> {
        let mut words = content.split_whitespace();
        let (Some(id), Some(key), None) = (words.next(), words.next(), words.next()) else {
            return Err(KeyError::Words { line });
        };
        let id = KeyId::read(id).ok_or(KeyError::Id { line })?;
        let Ok(bytes) = STANDARD_PAD_INDIFFERENT.decode(key).map(Zeroizing::new) else {
            return Err(KeyError::NotBase64 { line, id });
        };
        if bytes.len() < StateKeys::LEAST_BYTES {
            return Err(KeyError::Short { line, id, bytes: bytes.len() });
        }
        if bytes.iter().all(|byte| Some(byte) == bytes.first()) {
            return Err(KeyError::Constant { line, id });
        }
        Ok(Self { id, bytes, line })
    }

    fn differs_from(&self, other: &Self) -> Result<(), KeyError> {
        let (line, first) = (self.line, other.line);
        if self.id == other.id {
            return Err(KeyError::SameId { line, first, id: self.id.clone() });
        }
        if self.bytes == other.bytes {
            return Err(KeyError::SameKey { line, first });
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod given {
    use super::StateKeys;

    /// A line of the key file: bytes that count up from this one.
    pub(crate) fn line(id: &str, byte: u8) -> String {
        let mut bytes = [0; 32];
        for (n, slot) in (byte..).zip(&mut bytes) {
            *slot = n;
        }
        StateKeys::generate_line(bytes, id)
    }

    pub(crate) fn keys() -> StateKeys {
        StateKeys::parse(&line("k1", 0)).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::given::line;
    use super::*;

    #[test]
    fn the_first_key_seals_and_comments_and_blank_lines_are_skipped() {
        let text = format!("# rotated in March\n\n{} # new\r\n  {}\n", line("b2", 9), line("a1", 1));
        let keys = StateKeys::parse(&text).unwrap();
        assert_eq!(keys.sealing_key(), "b2");
        assert_eq!(keys.key_ids().collect::<Vec<_>>(), ["b2", "a1"]);
    }

    #[test]
    fn padding_may_be_left_out() {
        assert!(StateKeys::parse(line("a", 1).trim_end_matches('=')).is_ok());
    }

    #[track_caller]
    fn expect_refused(text: &str, expected: &str) {
        assert_eq!(StateKeys::parse(text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_wrong_line_is_named_with_its_fix_and_without_what_stands_on_it() {
        let make = "make one with `openssl rand -base64 32`";
        let good = line("a", 1);
        expect_refused(
            "# nothing\n",
            "find a key: write a line `key-id base64`, the second word from `openssl rand -base64 32`",
        );
        expect_refused("a", "read line 1 of the keys: it needs exactly two words, `key-id base64`");
        expect_refused(
            &format!("{good} more"),
            "read line 1 of the keys: it needs exactly two words, `key-id base64`",
        );
        let id = "a key id is 1 to 12 lower-case letters and digits, before the key";
        for wrong in ["A", "a-b", "ä", "abcdefghijklm", "a.b"] {
            expect_refused(&format!("\n{}", line(wrong, 1)), &format!("read line 2 of the keys: {id}"));
        }
        let (name, key) = good.split_once(' ').unwrap();
        expect_refused(&format!("{key} {name}"), &format!("read line 1 of the keys: {id}"));
        expect_refused("a s3cr3t!", &format!("read line 1 of the keys: the key `a` is not base64; {make}"));
        expect_refused(
            "a c2hvcnQ=",
            &format!("use the key `a` on line 1 of the keys: it has 5 bytes and needs 32; {make}"),
        );
        let zeros = StateKeys::generate_line([0; 32], "a");
        expect_refused(
            &zeros,
            &format!("use the key `a` on line 1 of the keys: it is one byte repeated; {make}"),
        );
        expect_refused(
            &format!("{good}\n{}", line("a", 2)),
            "use line 2 of the keys: `a` already names the key on line 1; give it another id",
        );
        expect_refused(
            &format!("{good}\n{}", line("b", 1)),
            "use line 2 of the keys: it repeats the key on line 1; make a new one to rotate to",
        );
    }

    #[test]
    fn thirty_one_bytes_are_too_few_and_more_than_thirty_two_are_welcome() {
        let of = |bytes: &[u8]| StateKeys::parse(&format!("a {}", BASE64_STANDARD.encode(bytes)));
        let bytes: Vec<u8> = (0..64).collect();
        assert!(matches!(of(&bytes[..31]), Err(KeyError::Short { bytes: 31, .. })));
        assert!(of(&bytes[..32]).is_ok());
        assert!(of(&bytes).is_ok());
    }

    #[test]
    fn debug_shows_ids_and_no_key() {
        let text = line("a1", 65);
        let shown = format!("{:?}", StateKeys::parse(&text).unwrap());
        assert_eq!(shown, r#"StateKeys(["a1"])"#);
    }
}
