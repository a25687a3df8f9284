//! What opens one incident's page for whoever has it: `<key id>.<until>.<mac>`, over the tenant, the incident and the end.
//! Never here: whether there is such an incident, and the moment, which is handed in.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use model::{IncidentId, TenantId};

use crate::keys::{Key, StateKeys};
use crate::mac::{self, Tag};

/// No tag of a `clientState` begins so: what opens a page can never pass for a notification, though one key sealed both.
const PURPOSE: &str = "page.v1";
/// Of the longest that we make.
const MOST_CHARACTERS: usize = 96;

/// One answer for whatever is wrong with a link, so that who guesses learns nothing from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("open the page: the link is not one of ours, or its time is over")]
pub struct NotOpened;

impl StateKeys {
    /// Characters that a query takes as they are. Good until the end of that second.
    #[must_use]
    pub fn link(&self, tenant: TenantId, incident: &IncidentId, until: Timestamp) -> String {
        let (key, until) = (self.first(), until.as_second().to_string());
        let mac = BASE64_URL_SAFE_NO_PAD.encode(tag(key, tenant, incident, &until));
        format!("{}.{until}.{mac}", key.id)
    }

    /// # Errors
    /// It is malformed, names a key that we do not have, was made for another incident, or its time is over.
    pub fn open_link(
        &self,
        text: &str,
        tenant: TenantId,
        incident: &IncidentId,
        now: Timestamp,
    ) -> Result<(), NotOpened> {
        if text.len() > MOST_CHARACTERS {
            return Err(NotOpened);
        }
        let mut parts = text.split('.');
        let (Some(key), Some(until), Some(theirs), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotOpened);
        };
        let key = self.named(key).ok_or(NotOpened)?;
        let theirs = BASE64_URL_SAFE_NO_PAD.decode(theirs).map_err(|_| NotOpened)?;
        if !mac::same(&tag(key, tenant, incident, until), &theirs) {
            return Err(NotOpened);
        }
        let until: i64 = until.parse().map_err(|_| NotOpened)?;
        if now.as_second() <= until { Ok(()) } else { Err(NotOpened) }
    }
}

fn tag(key: &Key, tenant: TenantId, incident: &IncidentId, until: &str) -> Tag {
    let (tenant, incident) = (tenant.to_string(), incident.to_string());
    mac::of_fields(&key.bytes, [PURPOSE, &tenant, &incident, until])
}

#[cfg(test)]
mod tests {
    use model::{ObjectId, RuleId, Slot};
    use proptest::prelude::*;

    use super::*;
    use crate::keys::given::{keys, line};

    const TENANT: TenantId = TenantId::from_u128(0xC0_0C);

    fn incident(generation: u32) -> IncidentId {
        let rule: RuleId = "blocked-domain".parse().unwrap();
        IncidentId { slot: Slot::of(ObjectId::from_u128(7), &rule, None), generation }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_165_200 + seconds).unwrap()
    }

    /// Computed apart from this program, with Python's `hmac` module.
    #[test]
    fn a_link_is_what_another_implementation_computes() {
        let tenant = "87d349ed-44d7-43e1-9a83-5f2406dee5bd".parse().unwrap();
        let incident = "4be09a1f77c2d8e3-1".parse().unwrap();
        let link = keys().link(tenant, &incident, at(0));
        assert_eq!(link, "k1.1795165200.YgzS5qGEH8MVN9et6BDzPPoxpewIWygLcq3qUG67kL8");
    }

    #[test]
    fn it_opens_its_incident_until_its_end_and_no_other() {
        let link = keys().link(TENANT, &incident(1), at(60));
        let open = |tenant, incident: &IncidentId, now| keys().open_link(&link, tenant, incident, now);
        assert_eq!(open(TENANT, &incident(1), at(0)), Ok(()));
        assert_eq!(open(TENANT, &incident(1), at(60)), Ok(()));
        assert_eq!(open(TENANT, &incident(1), at(61)), Err(NotOpened));
        assert_eq!(open(TENANT, &incident(2), at(0)), Err(NotOpened));
        assert_eq!(open(TenantId::from_u128(1), &incident(1), at(0)), Err(NotOpened));
        let later = link.replace(&at(60).as_second().to_string(), &at(9_999).as_second().to_string());
        assert_ne!(later, link);
        assert_eq!(keys().open_link(&later, TENANT, &incident(1), at(0)), Err(NotOpened));
    }

    #[test]
    fn keys_rotate_and_a_retired_one_opens_nothing() {
        let link = keys().link(TENANT, &incident(1), at(60));
        let rotated = StateKeys::parse(&format!("{}\n{}", line("k2", 50), line("k1", 0))).unwrap();
        assert_eq!(rotated.open_link(&link, TENANT, &incident(1), at(0)), Ok(()));
        assert!(rotated.link(TENANT, &incident(1), at(60)).starts_with("k2."));
        let retired = StateKeys::parse(&line("k2", 50)).unwrap();
        assert_eq!(retired.open_link(&link, TENANT, &incident(1), at(0)), Err(NotOpened));
    }

    #[test]
    fn the_longest_that_we_make_opens() {
        let keys = StateKeys::parse(&line("abcdefghijkl", 3)).unwrap();
        let link = keys.link(TENANT, &incident(u32::MAX), Timestamp::MAX);
        assert_eq!(keys.open_link(&link, TENANT, &incident(u32::MAX), at(0)), Ok(()));
        assert!(link.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{link}");
    }

    proptest! {
        #[test]
        fn a_link_with_one_character_changed_opens_nothing(at_character in 0_usize..57, to in "[A-Za-z0-9_.-]") {
            let mut link = keys().link(TENANT, &incident(1), at(60));
            prop_assert_eq!(link.len(), 57);
            prop_assume!(link[at_character..=at_character] != to);
            link.replace_range(at_character..=at_character, &to);
            prop_assert_eq!(keys().open_link(&link, TENANT, &incident(1), at(0)), Err(NotOpened));
        }

        #[test]
        fn whatever_arrives_is_answered(text in ".*", parts in prop::collection::vec("[a-z0-9_-]{0,50}", 0..5)) {
            for text in [text, format!("k1.{}", parts.join("."))] {
                prop_assert_eq!(keys().open_link(&text, TENANT, &incident(1), at(0)), Err(NotOpened));
            }
        }
    }
}
