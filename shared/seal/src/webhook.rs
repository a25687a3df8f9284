//! Signatures of outgoing webhooks as Standard Webhooks 1.0.0 describes them
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>), and their check.
//! Never here: HTTP. Header values come and go as text.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use crate::mac;

const PREFIX: &str = "whsec_";

/// Why a text is not taken as a webhook secret. Never shows the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error(
        "read the webhook secret: it does not start with `whsec_`; write `whsec_` and then the output of \
         `openssl rand -base64 32`"
    )]
    Prefix,
    #[error("read the webhook secret: what follows `whsec_` is not base64; use `openssl rand -base64 32`")]
    NotBase64,
    #[error(
        "use the webhook secret: nothing follows `whsec_`; append the output of `openssl rand -base64 32`"
    )]
    Empty,
    #[error(
        "use the webhook secret: it has {bytes} bytes and needs {least}; write `whsec_` and then the output of \
         `openssl rand -base64 32`",
        least = WebhookSecret::LEAST_BYTES
    )]
    Short { bytes: usize },
}

/// What we sign with.
#[derive(Clone)]
pub struct WebhookSecret(VerifyingSecret);

/// What a receiver checks with. It may be shorter than the specification asks for, because others hand out such
/// secrets; nothing is ever signed with it.
#[derive(Clone)]
pub struct VerifyingSecret(Zeroizing<Vec<u8>>);

impl WebhookSecret {
    /// The specification's minimum.
    pub const LEAST_BYTES: usize = 24;

    /// Reads `whsec_…` to sign with.
    ///
    /// # Errors
    /// It has another form, or fewer than 24 bytes.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let secret = VerifyingSecret::parse(text)?;
        let bytes = secret.0.len();
        if bytes < Self::LEAST_BYTES { Err(SecretError::Short { bytes }) } else { Ok(Self(secret)) }
    }

    /// A secret to hand to both ends. The bytes are to come from the operating system's generator.
    #[must_use]
    pub fn generate(random: [u8; 32]) -> String {
        let random = Zeroizing::new(random);
        format!("{PREFIX}{}", BASE64_STANDARD.encode(random.as_slice()))
    }

    #[must_use]
    pub fn verifying(&self) -> VerifyingSecret {
        self.0.clone()
    }
}

impl VerifyingSecret {
    /// Reads `whsec_…` to check with.
    ///
    /// # Errors
    /// It has another form, or is empty: everybody can sign with an empty secret.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
        let bytes = STANDARD_PAD_INDIFFERENT.decode(encoded).map_err(|_| SecretError::NotBase64)?;
        if bytes.is_empty() { Err(SecretError::Empty) } else { Ok(Self(Zeroizing::new(bytes))) }
    }

    fn tag(&self, id: &str, timestamp: &str, body: &[u8]) -> mac::Tag {
        mac::tag(&self.0, [id.as_bytes(), b".", timestamp.as_bytes(), b".", body])
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

impl fmt::Debug for VerifyingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingSecret(…)")
    }
}

/// Why something is not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    #[error("sign the webhook: there is no secret; configure one that starts with `whsec_`")]
    NoSecret,
    #[error(
        "sign the webhook: the message id `{id}` is empty or has a `.` in it, which would make the signed text ambiguous"
    )]
    Id { id: String },
}

/// The value of `webhook-signature`: one signature a secret, so that a receiver can change over at its own time.
/// `timestamp` is the attempt's, in seconds since 1970.
///
/// # Errors
/// There is no secret, or the id is not one that can be signed.
pub fn sign(secrets: &[WebhookSecret], id: &str, timestamp: i64, body: &[u8]) -> Result<String, SignError> {
    if secrets.is_empty() {
        return Err(SignError::NoSecret);
    }
    if id.is_empty() || id.contains('.') {
        return Err(SignError::Id { id: id.to_owned() });
    }
    let timestamp = timestamp.to_string();
    let signatures = secrets.iter().map(|WebhookSecret(secret)| {
        format!("v1,{}", BASE64_STANDARD.encode(secret.tag(id, &timestamp, body)))
    });
    Ok(signatures.collect::<Vec<_>>().join(" "))
}

/// A webhook as it was received: the three headers, where present, and the body's bytes as they came.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// `webhook-id`
    pub id: Option<&'a str>,
    /// `webhook-timestamp`
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`
    pub signature: Option<&'a str>,
    pub body: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("find the header `{header}`")]
    Missing { header: &'static str },
    #[error("read `webhook-timestamp`: it is not a number of seconds")]
    Timestamp,
    #[error("accept the webhook: it was signed more than {} seconds ago", TOLERANCE_SECONDS)]
    TooOld,
    #[error("accept the webhook: it was signed more than {} seconds in the future", TOLERANCE_SECONDS)]
    TooNew,
    #[error("find a signature that one of the secrets makes")]
    NoMatch,
}

/// How far the sender's clock and ours may lie apart, the way included.
const TOLERANCE_SECONDS: u64 = 300;

/// Whether one of the signatures was made with one of the secrets, at most five minutes from `now` (in seconds since
/// 1970). Replays within them are the receiver's to find, by the id.
///
/// # Errors
/// A header is missing or unreadable, the moment is too far off, or no signature fits.
pub fn verify(secrets: &[VerifyingSecret], request: &SignedRequest<'_>, now: i64) -> Result<(), VerifyError> {
    let SignedRequest { id, timestamp, signature, body } = *request;
    let id = id.ok_or(VerifyError::Missing { header: "webhook-id" })?;
    let timestamp = timestamp.ok_or(VerifyError::Missing { header: "webhook-timestamp" })?;
    let signature = signature.ok_or(VerifyError::Missing { header: "webhook-signature" })?;
    if !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(VerifyError::Timestamp);
    }
    let at: i64 = timestamp.parse().map_err(|_| VerifyError::Timestamp)?;
    if now.abs_diff(at) > TOLERANCE_SECONDS {
        return Err(if at < now { VerifyError::TooOld } else { VerifyError::TooNew });
    }
    let theirs: Vec<Vec<u8>> = signature
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .filter_map(|encoded| BASE64_STANDARD.decode(encoded).ok())
        .collect();
    let fits = |secret: &VerifyingSecret| {
        let ours = secret.tag(id, timestamp, body);
        theirs.iter().any(|theirs| mac::same(&ours, theirs))
    };
    if secrets.iter().any(fits) { Ok(()) } else { Err(VerifyError::NoMatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the specification's own libraries.
    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const AT: i64 = 1_649_367_553;
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
    const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

    fn other() -> WebhookSecret {
        WebhookSecret::parse(&WebhookSecret::generate([9; 32])).unwrap()
    }

    fn check(signature: &str, now: i64) -> Result<(), VerifyError> {
        let at = AT.to_string();
        let request =
            SignedRequest { id: Some(ID), timestamp: Some(&at), signature: Some(signature), body: BODY };
        verify(&[VerifyingSecret::parse(SECRET).unwrap()], &request, now)
    }

    #[test]
    fn the_specifications_vector_is_signed_and_accepted() {
        let secret = WebhookSecret::parse(SECRET).unwrap();
        assert_eq!(sign(&[secret], ID, AT, BODY).unwrap(), SIGNATURE);
        assert_eq!(check(SIGNATURE, AT), Ok(()));
    }

    #[test]
    fn a_short_secret_of_another_sender_is_good_for_checking_only() {
        let text = "whsec_plJ3nmyCDGBKInavdOK15jsl";
        assert_eq!(WebhookSecret::parse(text).unwrap_err(), SecretError::Short { bytes: 18 });
        let request = SignedRequest {
            id: Some("msg_loFOjxBNrRLzqYUf"),
            timestamp: Some("1731705121"),
            signature: Some("v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="),
            body: br#"{"event_type":"ping","data":{"success":true}}"#,
        };
        assert_eq!(verify(&[VerifyingSecret::parse(text).unwrap()], &request, 1_731_705_121), Ok(()));
    }

    #[test]
    fn part_of_a_signature_is_no_signature() {
        for signature in [
            "",
            "v1,",
            "v1",
            &SIGNATURE[..11],
            &SIGNATURE[..SIGNATURE.len() - 1],
            SIGNATURE.trim_start_matches("v1,"),
            &SIGNATURE.replace("v1,", "v1a,"),
            &SIGNATURE.replace("v1,", "V1,"),
            &SIGNATURE.replace(',', " "),
        ] {
            assert_eq!(check(signature, AT), Err(VerifyError::NoMatch), "{signature:?}");
        }
    }

    #[test]
    fn five_minutes_either_way_are_accepted_and_a_second_more_is_not() {
        for (now, expected) in [
            (AT + 300, Ok(())),
            (AT - 300, Ok(())),
            (AT + 301, Err(VerifyError::TooOld)),
            (AT - 301, Err(VerifyError::TooNew)),
            (i64::MIN, Err(VerifyError::TooNew)),
            (i64::MAX, Err(VerifyError::TooOld)),
        ] {
            assert_eq!(check(SIGNATURE, now), expected, "{now}");
        }
    }

    #[test]
    fn one_right_signature_among_several_is_enough() {
        let wrong = sign(&[other()], ID, AT, BODY).unwrap();
        assert_eq!(check(&wrong, AT), Err(VerifyError::NoMatch));
        assert_eq!(check(&format!("{wrong} v1a,AAAA v2,x {SIGNATURE}"), AT), Ok(()));
    }

    #[test]
    fn two_secrets_make_two_signatures_and_either_receiver_accepts() {
        let secrets = [other(), WebhookSecret::parse(SECRET).unwrap()];
        let both = sign(&secrets, ID, AT, BODY).unwrap();
        assert_eq!(both.split(' ').count(), 2);
        assert_eq!(check(&both, AT), Ok(()));
        let at = AT.to_string();
        let request =
            SignedRequest { id: Some(ID), timestamp: Some(&at), signature: Some(&both), body: BODY };
        assert_eq!(verify(&[other().verifying()], &request, AT), Ok(()));
    }

    #[test]
    fn a_missing_header_or_a_changed_part_is_refused() {
        let at = AT.to_string();
        let good =
            SignedRequest { id: Some(ID), timestamp: Some(&at), signature: Some(SIGNATURE), body: BODY };
        let later = (AT + 1).to_string();
        let missing = |header| Err(VerifyError::Missing { header });
        for (request, expected) in [
            (SignedRequest { id: None, ..good }, missing("webhook-id")),
            (SignedRequest { timestamp: None, ..good }, missing("webhook-timestamp")),
            (SignedRequest { signature: None, ..good }, missing("webhook-signature")),
            (SignedRequest { id: Some("msg_x"), ..good }, Err(VerifyError::NoMatch)),
            (SignedRequest { timestamp: Some(&later), ..good }, Err(VerifyError::NoMatch)),
            (SignedRequest { timestamp: Some("soon"), ..good }, Err(VerifyError::Timestamp)),
            (SignedRequest { timestamp: Some(""), ..good }, Err(VerifyError::Timestamp)),
            (SignedRequest { timestamp: Some("+1649367553"), ..good }, Err(VerifyError::Timestamp)),
            (SignedRequest { timestamp: Some("1649367553.0"), ..good }, Err(VerifyError::Timestamp)),
            (SignedRequest { body: b"{}", ..good }, Err(VerifyError::NoMatch)),
        ] {
            assert_eq!(
                verify(&[VerifyingSecret::parse(SECRET).unwrap()], &request, AT),
                expected,
                "{request:?}"
            );
        }
        assert_eq!(verify(&[], &good, AT), Err(VerifyError::NoMatch));
    }

    #[test]
    fn an_unusable_secret_is_refused_with_its_fix_and_not_shown() {
        for (text, expected) in [
            ("", SecretError::Prefix),
            ("C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SecretError::Prefix),
            ("whpk_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SecretError::Prefix),
            ("whsec_", SecretError::Empty),
            ("whsec_not base64!", SecretError::NotBase64),
            ("whsec_c2hvcnQ=", SecretError::Short { bytes: 5 }),
        ] {
            let error = WebhookSecret::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(error.to_string().contains("`openssl rand -base64 32`"), "{error}");
        }
        assert_eq!(VerifyingSecret::parse("whsec_").unwrap_err(), SecretError::Empty);
        assert_eq!(format!("{:?} {:?}", other(), other().verifying()), "WebhookSecret(…) VerifyingSecret(…)");
    }

    #[test]
    fn nothing_is_signed_without_a_secret_or_with_an_ambiguous_id() {
        assert_eq!(sign(&[], ID, AT, BODY), Err(SignError::NoSecret));
        for id in ["", "msg.1"] {
            assert_eq!(sign(&[other()], id, AT, BODY), Err(SignError::Id { id: id.to_owned() }));
        }
    }
}
