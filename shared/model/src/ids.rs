//! Identifiers, each its own type so that a user's id cannot be handed over where a subscription's is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct ParseIdError {
    text: String,
    expected: &'static str,
}

impl ParseIdError {
    fn new(text: &str, expected: &'static str) -> Self {
        let text = text.chars().take(80).collect();
        Self { text, expected }
    }
}

/// The 36-character form only: Graph sends no other, and a looser reading would admit two spellings of one id.
fn hyphenated(text: &str, expected: &'static str) -> Result<Uuid, ParseIdError> {
    if text.len() != 36 {
        return Err(ParseIdError::new(text, expected));
    }
    Uuid::try_parse(text).map_err(|_| ParseIdError::new(text, expected))
}

macro_rules! guid {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            #[must_use]
            pub const fn from_u128(value: u128) -> Self {
                Self(Uuid::from_u128(value))
            }

            #[must_use]
            pub const fn as_u128(self) -> u128 {
                self.0.as_u128()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                hyphenated(text, $expected).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

guid!(
    /// A Microsoft Entra tenant.
    TenantId,
    "a tenant id (a GUID of 36 characters)"
);
guid!(
    /// A directory object: a user, a group, a service principal, a device.
    ObjectId,
    "an object id (a GUID of 36 characters)"
);
guid!(
    /// A Microsoft Graph subscription.
    SubscriptionId,
    "a subscription id (a GUID of 36 characters)"
);
guid!(
    /// Follows one change from the POST that brought it to the last message about it.
    Correlation,
    "a correlation id (a GUID of 36 characters)"
);

/// The name of a rule in the policy file, or `otherwise.guest` and its like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleId(String);

impl RuleId {
    const EXPECTED: &'static str =
        "a rule id (1 to 64 characters: lower-case letters, digits, `-`, `.`, and a letter first)";

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RuleId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let starts = text.starts_with(|c: char| c.is_ascii_lowercase());
        if starts && text.len() <= 64 && text.chars().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseIdError::new(text, Self::EXPECTED))
        }
    }
}

impl TryFrom<String> for RuleId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}

impl From<RuleId> for String {
    fn from(id: RuleId) -> Self {
        id.0
    }
}

/// Where the incidents of one guest, rule and object lie in the ledger: hexadecimal digits, the first eight of them shared
/// by all incidents of the guest, so that a prefix finds them. Eight more name the rule; twelve more name rule and object,
/// because a guest may be in many groups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slot(String);

impl Slot {
    #[must_use]
    pub fn of(guest: ObjectId, rule: &RuleId, object: Option<ObjectId>) -> Self {
        let mut slot = Self::prefix(guest);
        slot.push_str(&match object {
            None => first_digits(&format!("{rule}|"), 4),
            Some(object) => first_digits(&format!("{rule}|{object}"), 6),
        });
        Self(slot)
    }

    /// What the slots of all incidents of this guest start with.
    #[must_use]
    pub fn prefix(guest: ObjectId) -> String {
        first_digits(&guest.to_string(), 4)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Two for each byte.
fn first_digits(text: &str, bytes: usize) -> String {
    use fmt::Write as _;
    Sha256::digest(text.as_bytes()).iter().take(bytes).fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Slot {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if matches!(text.len(), 16 | 20) && text.chars().all(hex) {
            Ok(Self(text))
        } else {
            Err(ParseIdError::new(&text, "a slot (sixteen or twenty hexadecimal digits)"))
        }
    }
}

impl From<Slot> for String {
    fn from(slot: Slot) -> Self {
        slot.0
    }
}

/// One life of a finding: its slot, and the how-manieth incident there it is (`9f2c41d05be07a13-1`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IncidentId {
    pub slot: Slot,
    pub generation: u32,
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.slot, self.generation)
    }
}

impl FromStr for IncidentId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let wrong = || ParseIdError::new(text, "an incident id (like `9f2c41d05be07a13-1`)");
        let (slot, generation) = text.split_once('-').ok_or_else(wrong)?;
        let slot = Slot::try_from(slot.to_owned()).map_err(|_| wrong())?;
        let generation = generation.parse::<u32>().map_err(|_| wrong())?;
        if generation == 0 || text != format!("{slot}-{generation}") {
            return Err(wrong());
        }
        Ok(Self { slot, generation })
    }
}

impl TryFrom<String> for IncidentId {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, ParseIdError> {
        text.parse()
    }
}

impl From<IncidentId> for String {
    fn from(id: IncidentId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_one_spelling() {
        let id: ObjectId = "87D349ED-44d7-43e1-9a83-5f2406dee5bd".parse().unwrap();
        assert_eq!(id.to_string(), "87d349ed-44d7-43e1-9a83-5f2406dee5bd");
        for text in
            ["", "87d349ed44d743e19a835f2406dee5bd", "{87d349ed-44d7-43e1-9a83-5f2406dee5bd}", "../users"]
        {
            let error = text.parse::<ObjectId>().unwrap_err().to_string();
            assert_eq!(error, format!("`{text}` is not an object id (a GUID of 36 characters)"));
        }
    }

    #[test]
    fn an_incident_id_reads_back_as_it_is_printed() {
        let rule: RuleId = "blocked-domain".parse().unwrap();
        let id = IncidentId { slot: Slot::of(ObjectId::from_u128(7), &rule, None), generation: 3 };
        assert_eq!(id.to_string().parse::<IncidentId>().unwrap(), id);
        assert!(id.slot.as_str().starts_with(&Slot::prefix(ObjectId::from_u128(7))));
        let in_a_group = Slot::of(ObjectId::from_u128(7), &rule, Some(ObjectId::from_u128(8)));
        assert_eq!(in_a_group.as_str().len(), 20);
        assert_eq!(format!("{in_a_group}-1").parse::<IncidentId>().unwrap().slot, in_a_group);
        for text in ["9f2c41d05be07a13", "9f2c41d05be07a13-0", "9f2c41d05be07a13-01", "x-1"] {
            assert!(text.parse::<IncidentId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_rule_id_is_plain() {
        for text in ["a", "otherwise.guest", "no-2"] {
            assert!(text.parse::<RuleId>().is_ok(), "{text}");
        }
        for text in ["", "No", "2", "a b", "a*", &"a".repeat(65)] {
            assert!(text.parse::<RuleId>().is_err(), "{text}");
        }
    }
}
