//! HMAC-SHA256, and the comparison that takes as long for a wrong answer as for a right one.
//! Never here: what is authenticated, or with which key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

pub(crate) type Tag = [u8; 32];

/// The tag over the concatenation of `parts`. Who calls sees to it that no two meanings have one concatenation.
pub(crate) fn tag<'a>(key: &[u8], parts: impl IntoIterator<Item = &'a [u8]>) -> Tag {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104, section 3)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The tag over these fields. Each is preceded by its length, so that no two sets of fields have one encoding.
pub(crate) fn of_fields<'a>(key: &[u8], fields: impl IntoIterator<Item = &'a str>) -> Tag {
    let mut encoded = Vec::with_capacity(160);
    for field in fields {
        encoded.extend_from_slice(&(field.len() as u64).to_be_bytes());
        encoded.extend_from_slice(field.as_bytes());
    }
    tag(key, [encoded.as_slice()])
}

pub(crate) fn same(ours: &Tag, theirs: &[u8]) -> bool {
    ours.as_slice().ct_eq(theirs).into()
}
