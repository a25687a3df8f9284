//! Who we are to Entra: an app in a tenant with a secret, a certificate, or the tokens of an issuer that it trusts; and the
//! assertion that a certificate signs
//! (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).
//!
//! Never here: the token request, or where the secret comes from.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use model::TenantId;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;
use wire::Wire;

use crate::error::plain;

/// One app registration, as one function of Guestlist uses it.
#[derive(Debug, Clone)]
pub struct App {
    pub tenant: TenantId,
    pub client_id: String,
    pub credential: Credential,
}

#[derive(Debug, Clone)]
pub enum Credential {
    Secret(SecretString),
    Certificate(Certificate),
    Federated(Federated),
}

/// Tokens of an issuer that the app trusts, in place of a secret
/// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation>). One is asked for with each request for a
/// Graph token, which is about once an hour.
#[derive(Clone)]
pub struct Federated {
    from: &'static str,
    ask: Arc<Ask>,
}

/// What the client that needs a token goes by, lent to whoever asks the issuer for one.
#[derive(Debug, Clone)]
pub struct Lent {
    pub wire: Wire,
    pub now: Timestamp,
}

/// Why an issuer gave no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAssertion {
    /// It gives none until a person has mended what this names. People are told.
    Refused(String),
    /// It may give one later, and was asked more than once where that may help: as if Entra itself could not be reached.
    NotNow(String),
}

type Asked = Pin<Box<dyn Future<Output = Result<SecretString, NoAssertion>> + Send>>;
type Ask = dyn Fn(Lent) -> Asked + Send + Sync;

impl Federated {
    /// The audience that Entra recommends
    /// (<https://learn.microsoft.com/graph/api/resources/federatedidentitycredential>).
    pub const AUDIENCE: &str = "api://AzureADTokenExchange";

    /// The issuer is to sign with RS256, for the audience [`Federated::AUDIENCE`].
    pub fn new<F>(from: &'static str, ask: impl Fn(Lent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<SecretString, NoAssertion>> + Send + 'static,
    {
        Self { from, ask: Arc::new(move |lent| Box::pin(ask(lent))) }
    }

    pub(crate) async fn assertion(&self, lent: Lent) -> Result<SecretString, NoAssertion> {
        let told = |why: String| format!("{} gave no token: {}", self.from, plain(&why));
        (self.ask)(lent).await.map_err(|no| match no {
            NoAssertion::Refused(why) => NoAssertion::Refused(told(why)),
            NoAssertion::NotNow(why) => NoAssertion::NotNow(told(why)),
        })
    }
}

impl fmt::Debug for Federated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Federated").field("from", &self.from).finish_non_exhaustive()
    }
}

/// An RSA certificate that is registered with the app, and its private key.
#[derive(Clone)]
pub struct Certificate {
    key: Arc<EncodingKey>,
    thumbprint: String,
}

/// Files that are not a certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("the certificate has no `-----BEGIN CERTIFICATE-----` block: give it in PEM form")]
    NoCertificate,
    #[error(
        "the certificate cannot be read: Entra needs an X.509 certificate with an RSA key of 2048 bits or more"
    )]
    BadCertificate,
    #[error(
        "the private key has no `-----BEGIN PRIVATE KEY-----` block: give it in PEM form, PKCS #8 or PKCS #1"
    )]
    NoKey,
    #[error(
        "the private key is encrypted: decrypt it with `openssl pkey -in KEY -out PLAIN`, and keep that file safe"
    )]
    EncryptedKey,
    #[error("the private key cannot be read: Entra needs an RSA key of 2048 bits or more")]
    BadKey,
    #[error("the private key does not belong to the certificate: give the two that were made together")]
    NotAPair,
}

#[derive(Serialize, Deserialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

impl Certificate {
    const LIFE: SignedDuration = SignedDuration::from_mins(8);

    /// The first certificate and the first private key of two PEM texts, which may be one and the same.
    ///
    /// # Errors
    /// A text has no such block, the key is not RSA or is encrypted, or the two do not belong together.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, CertificateError> {
        let certificate = block(certificate, "CERTIFICATE").ok_or(CertificateError::NoCertificate)?;
        let der = der(certificate).ok_or(CertificateError::BadCertificate)?;
        let public = DecodingKey::from_rsa_pem(certificate.as_bytes());
        let public = public.map_err(|_| CertificateError::BadCertificate)?;
        if block(key, "ENCRYPTED PRIVATE KEY").is_some() {
            return Err(CertificateError::EncryptedKey);
        }
        let key = block(key, "PRIVATE KEY").or_else(|| block(key, "RSA PRIVATE KEY"));
        let key = key.ok_or(CertificateError::NoKey)?;
        let key = EncodingKey::from_rsa_pem(key.as_bytes()).map_err(|_| CertificateError::BadKey)?;
        let certificate =
            Self { key: Arc::new(key), thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(&der)) };
        certificate.check_against(&public)?;
        Ok(certificate)
    }

    /// A wrong pair is told at the start, not when Entra refuses the first token.
    fn check_against(&self, public: &DecodingKey) -> Result<(), CertificateError> {
        let sample = self.sign("a", "b", Timestamp::UNIX_EPOCH).ok_or(CertificateError::BadKey)?;
        let mut validation = Validation::new(Algorithm::PS256);
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let verified = jsonwebtoken::decode::<serde::de::IgnoredAny>(&sample, public, &validation);
        verified.map(|_| ()).map_err(|_| CertificateError::NotAPair)
    }

    /// A JWT that proves that we hold the key, for one token request.
    pub(crate) fn assertion(&self, client_id: &str, token_url: &Url, now: Timestamp) -> Option<String> {
        self.sign(client_id, token_url.as_str(), now)
    }

    fn sign(&self, client_id: &str, audience: &str, now: Timestamp) -> Option<String> {
        let mut header = Header::new(Algorithm::PS256);
        header.x5t_s256 = Some(self.thumbprint.clone());
        let claims = Claims {
            aud: audience,
            iss: client_id,
            sub: client_id,
            jti: Uuid::new_v4().to_string(),
            nbf: now.as_second(),
            iat: now.as_second(),
            exp: now.as_second().saturating_add(Self::LIFE.as_secs()),
        };
        jsonwebtoken::encode(&header, &claims, &self.key).ok()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

/// From the first `BEGIN` line of that label through its `END` line.
fn block<'a>(pem: &'a str, label: &str) -> Option<&'a str> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let from = pem.get(pem.find(&begin)?..)?;
    from.get(..from.find(&end)?.checked_add(end.len())?)
}

fn der(block: &str) -> Option<Vec<u8>> {
    let body: String = block.lines().map(str::trim).filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = include_str!("../tests/fixtures/test-only-certificate.pem");
    const OTHER: &str = include_str!("../tests/fixtures/test-only-other-certificate.pem");
    const KEY: &str = include_str!("../tests/fixtures/test-only-private-key.pem");

    #[test]
    fn an_assertion_is_what_entra_asks_for_and_verifies_with_the_certificates_public_key() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let url = Url::parse("https://login.microsoftonline.com/t/oauth2/v2.0/token").unwrap();
        let certificate = Certificate::from_pem(CERTIFICATE, KEY).unwrap();
        let assertion = certificate.assertion("client", &url, now).unwrap();

        let header = jsonwebtoken::decode_header(&assertion).unwrap();
        assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::PS256, Some("JWT")));
        let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(der(CERTIFICATE).unwrap()));
        assert_eq!(header.x5t_s256, Some(thumbprint));

        let public = DecodingKey::from_rsa_pem(CERTIFICATE.as_bytes()).unwrap();
        let mut validation = Validation::new(Algorithm::PS256);
        validation.validate_exp = false;
        validation.set_audience(&[url.as_str()]);
        let claims =
            jsonwebtoken::decode::<serde_json::Value>(&assertion, &public, &validation).unwrap().claims;
        assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some("client"), Some("client")));
        let life = claims["exp"].as_i64().unwrap() - now.as_second();
        assert!((300..=600).contains(&life), "{life}");
        assert_eq!(
            (claims["nbf"].as_i64(), claims["iat"].as_i64()),
            (Some(now.as_second()), Some(now.as_second()))
        );

        let again = certificate.assertion("client", &url, now).unwrap();
        let again = jsonwebtoken::decode::<serde_json::Value>(&again, &public, &validation).unwrap().claims;
        assert_ne!(claims["jti"], again["jti"], "an assertion is used once");
    }

    #[test]
    fn certificate_and_key_may_come_in_one_file_with_other_text() {
        let both = format!("Bag Attributes\n  friendlyName: x\n{KEY}\nsubject=CN = x\n{CERTIFICATE}");
        assert!(Certificate::from_pem(&both, &both).is_ok());
        assert!(Certificate::from_pem(&both.replace('\n', "\r\n"), &both).is_ok());
    }

    #[test]
    fn what_is_wrong_with_the_files_is_told_at_the_start() {
        let refusal = |certificate: &str, key: &str| Certificate::from_pem(certificate, key).unwrap_err();
        assert_eq!(refusal(KEY, KEY), CertificateError::NoCertificate);
        assert_eq!(refusal("", KEY), CertificateError::NoCertificate);
        assert_eq!(refusal(&CERTIFICATE.replace('a', "?"), KEY), CertificateError::BadCertificate);
        assert_eq!(refusal(CERTIFICATE, CERTIFICATE), CertificateError::NoKey);
        assert_eq!(refusal(CERTIFICATE, &KEY.replace('a', "?")), CertificateError::BadKey);
        let encrypted = KEY.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert_eq!(refusal(CERTIFICATE, &encrypted), CertificateError::EncryptedKey);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        assert_eq!(Certificate::from_pem(OTHER, KEY).unwrap_err(), CertificateError::NotAPair);
    }

    #[test]
    fn debug_output_holds_no_key() {
        let certificate = Certificate::from_pem(CERTIFICATE, KEY).unwrap();
        let app = App {
            tenant: TenantId::from_u128(1),
            client_id: "client".into(),
            credential: Credential::Certificate(certificate),
        };
        assert!(format!("{app:?}").contains("thumbprint"));
        assert!(!format!("{app:?}").contains("EncodingKey"));
        let secret = Credential::Secret(SecretString::from("hush"));
        assert!(!format!("{secret:?}").contains("hush"));
    }
}
