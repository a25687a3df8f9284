//! `clientState`, the only thing in a notification that proves that it answers a subscription of ours:
//! `v1.<key id>.<nonce>.<mac>`, at most 128 characters (<https://learn.microsoft.com/graph/api/resources/subscription>).
//! Never here: whether the nonce is one that we still expect. That is the ledger's to say.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use model::{Nonce, TenantId, Watched};

use crate::keys::{Key, KeyId, StateKeys};
use crate::mac::{self, Tag};

const VERSION: &str = "v1";

/// What a subscription is created with. A secret: Graph echoes it, and whoever has it can send in Graph's name.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientState(String);

impl ClientState {
    /// What Graph allows.
    pub const MOST_CHARACTERS: usize = 128;

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ClientState> for String {
    fn from(state: ClientState) -> Self {
        state.0
    }
}

impl fmt::Debug for ClientState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientState(…)")
    }
}

/// One answer for whatever is wrong with a `clientState`, so that who sends forgeries learns nothing from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("recognise the `clientState` as one of ours")]
pub struct NotOurs;

/// The name of a subscription that is about to be asked for. The bytes are to come from the operating system's
/// generator.
#[must_use]
pub fn nonce(random: [u8; 16]) -> Nonce {
    #[expect(clippy::expect_used, reason = "16 bytes are always 22 characters of URL-safe base64")]
    BASE64_URL_SAFE_NO_PAD.encode(random).parse().expect("16 bytes are 22 characters of URL-safe base64")
}

impl StateKeys {
    #[must_use]
    pub fn seal(&self, tenant: TenantId, watched: Watched, nonce: &Nonce) -> ClientState {
        let key = self.first();
        let mac = BASE64_URL_SAFE_NO_PAD.encode(tag(key, tenant, watched, nonce));
        ClientState(format!("{VERSION}.{}.{nonce}.{mac}", key.id))
    }

    /// What was sealed, and with which key.
    ///
    /// # Errors
    /// It is malformed, names a key that we do not have, or was sealed for something else. Which of them is not told.
    pub fn open(&self, text: &str, tenant: TenantId) -> Result<(Watched, Nonce, KeyId), NotOurs> {
        if text.len() > ClientState::MOST_CHARACTERS {
            return Err(NotOurs);
        }
        let mut parts = text.split('.');
        let (Some(VERSION), Some(key), Some(nonce), Some(theirs), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotOurs);
        };
        let key = self.named(key).ok_or(NotOurs)?;
        let nonce: Nonce = nonce.parse().map_err(|_| NotOurs)?;
        let theirs = BASE64_URL_SAFE_NO_PAD.decode(theirs).map_err(|_| NotOurs)?;
        let watched = Watched::ALL
            .into_iter()
            .find(|watched| mac::same(&tag(key, tenant, *watched, &nonce), &theirs))
            .ok_or(NotOurs)?;
        Ok((watched, nonce, key.id.clone()))
    }
}

fn tag(key: &Key, tenant: TenantId, watched: Watched, nonce: &Nonce) -> Tag {
    let tenant = tenant.to_string();
    let fields = [VERSION, &tenant, watched.resource(), watched.change_type(), nonce.as_str()];
    mac::of_fields(&key.bytes, fields)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::given::{keys, line};

    const TENANT: TenantId = TenantId::from_u128(0xC0_0C);
    const OTHER_TENANT: TenantId = TenantId::from_u128(0xBAD);

    /// Computed apart from this program, with Python's `hmac` module.
    #[test]
    fn a_sealed_state_is_what_another_implementation_computes() {
        let tenant = "87d349ed-44d7-43e1-9a83-5f2406dee5bd".parse().unwrap();
        let sealed = keys().seal(tenant, Watched::Users, &nonce([7; 16]));
        assert_eq!(
            sealed.as_str(),
            "v1.k1.BwcHBwcHBwcHBwcHBwcHBw.eNSV26YvP09xdPL9WpO1GbcercIvj6jI8ACidvjeZQI"
        );
    }

    #[test]
    fn what_was_sealed_opens_and_tells_what_it_was_for() {
        for watched in Watched::ALL {
            let sealed = keys().seal(TENANT, watched, &nonce([1; 16]));
            let (opened, opened_nonce, key) = keys().open(sealed.as_str(), TENANT).unwrap();
            assert_eq!((opened, opened_nonce, key.as_str()), (watched, nonce([1; 16]), "k1"));
        }
    }

    #[test]
    fn the_longest_key_id_keeps_it_within_graphs_limit() {
        let keys = StateKeys::parse(&line("abcdefghijkl", 3)).unwrap();
        let sealed = keys.seal(TENANT, Watched::Groups, &nonce([255; 16]));
        assert!(sealed.as_str().len() <= ClientState::MOST_CHARACTERS, "{}", sealed.as_str().len());
    }

    #[test]
    fn keys_rotate_without_recreating_subscriptions() {
        let sealed = keys().seal(TENANT, Watched::Users, &nonce([2; 16]));
        let rotated = StateKeys::parse(&format!("{}\n{}", line("k2", 50), line("k1", 0))).unwrap();
        assert!(rotated.open(sealed.as_str(), TENANT).is_ok());
        let (_, _, key) =
            rotated.open(rotated.seal(TENANT, Watched::Users, &nonce([2; 16])).as_str(), TENANT).unwrap();
        assert_eq!(key.as_str(), "k2");
        let retired = StateKeys::parse(&line("k2", 50)).unwrap();
        assert_eq!(retired.open(sealed.as_str(), TENANT), Err(NotOurs));
    }

    #[test]
    fn a_state_for_another_tenant_key_or_nonce_is_not_ours() {
        let sealed = keys().seal(TENANT, Watched::Users, &nonce([3; 16]));
        assert_eq!(keys().open(sealed.as_str(), OTHER_TENANT), Err(NotOurs));
        let same_id_other_key = StateKeys::parse(&line("k1", 80)).unwrap();
        assert_eq!(same_id_other_key.open(sealed.as_str(), TENANT), Err(NotOurs));
        let other = sealed.as_str().replace(nonce([3; 16]).as_str(), nonce([4; 16]).as_str());
        assert_ne!(other, sealed.as_str());
        assert_eq!(keys().open(&other, TENANT), Err(NotOurs));
    }

    #[test]
    fn malformed_states_are_not_ours() {
        let sealed = keys().seal(TENANT, Watched::Users, &nonce([5; 16])).as_str().to_owned();
        let (rest, mac) = sealed.rsplit_once('.').unwrap();
        for text in [
            String::new(),
            "v1".to_owned(),
            "v1.k1..".to_owned(),
            sealed.replacen("v1", "v2", 1),
            sealed.replacen("k1", "K1", 1),
            format!("{sealed}."),
            format!("{sealed}="),
            format!(" {sealed}"),
            format!("{sealed}\n"),
            format!("{rest}."),
            format!("{rest}.{}", &mac[..8]),
            format!("{rest}.{}", &mac[..42]),
            "v1.k1.💥.x".to_owned(),
            "a".repeat(1_000_000),
        ] {
            let shown: String = text.chars().take(90).collect();
            assert_eq!(keys().open(&text, TENANT), Err(NotOurs), "{shown:?}");
        }
    }

    #[test]
    fn debug_does_not_show_it() {
        let sealed = keys().seal(TENANT, Watched::Users, &nonce([6; 16]));
        assert_eq!(format!("{sealed:?}"), "ClientState(…)");
    }

    proptest! {
        #[test]
        fn a_state_with_one_character_changed_is_not_ours(
            random: [u8; 16], at in 0usize..72, to in "[A-Za-z0-9_.-]",
        ) {
            let mut text = keys().seal(TENANT, Watched::Groups, &nonce(random)).as_str().to_owned();
            prop_assert_eq!(text.len(), 72);
            prop_assume!(text[at..=at] != to);
            text.replace_range(at..=at, &to);
            prop_assert_eq!(keys().open(&text, TENANT), Err(NotOurs));
        }

        #[test]
        fn whatever_arrives_is_answered(text in ".*", parts in prop::collection::vec("[a-z0-9_-]{0,50}", 0..6)) {
            prop_assert_eq!(keys().open(&text, TENANT), Err(NotOurs));
            prop_assert_eq!(keys().open(&format!("v1.k1.{}", parts.join(".")), TENANT), Err(NotOurs));
        }
    }
}
