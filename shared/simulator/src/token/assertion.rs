//! Client assertions (RFC 7523) as Entra wants them: PS256, `x5t#S256` of the registered certificate, the token URL
//! as audience, issuer and subject the app. Time is the simulator's; whether `jti` was seen before is the caller's
//! matter.
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::options::App;

/// Clocks may differ by this much, in seconds.
const LEEWAY: i64 = 300;
/// Entra recommends 5 to 10 minutes; longer than a day is refused.
const LONGEST: i64 = 24 * 3600;

#[derive(Deserialize)]
struct Claims {
    aud: String,
    iss: String,
    sub: String,
    jti: String,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

/// The assertion's `jti`, or what is wrong with it in words that follow "client assertion".
pub(super) fn verify(app: &App, assertion: &str, token_url: &str, now: Timestamp) -> Result<String, String> {
    let pem = app.certificate_pem.as_deref();
    let pem = pem.ok_or("cannot be used: no certificate is registered for the app")?;
    let header = decode_header(assertion).map_err(|_| "is not a JWT")?;
    if header.alg != Algorithm::PS256 {
        return Err("must be signed with PS256".to_owned());
    }
    let thumbprint = thumbprint(pem).ok_or("cannot be checked: the registered certificate is unreadable")?;
    if header.x5t_s256.as_deref() != Some(thumbprint.as_str()) {
        return Err("does not name the registered certificate in 'x5t#S256'".to_owned());
    }
    let key =
        DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| "cannot be checked with this certificate")?;
    let mut validation = Validation::new(Algorithm::PS256);
    // All dates and names are compared below: with the simulator's clock, not with this machine's.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = decode::<Claims>(assertion, &key, &validation)
        .map_err(|error| format!("is invalid: {error}"))?
        .claims;
    check(&claims, &app.client_id.to_string(), token_url, now.as_second())?;
    Ok(claims.jti)
}

fn check(claims: &Claims, client: &str, token_url: &str, now: i64) -> Result<(), &'static str> {
    let Claims { aud, iss, sub, jti, exp, nbf } = claims;
    if aud != token_url {
        return Err("audience must be the token endpoint");
    }
    if !iss.eq_ignore_ascii_case(client) || !sub.eq_ignore_ascii_case(client) {
        return Err("issuer and subject must both be the client id");
    }
    if jti.is_empty() {
        return Err("must have a 'jti'");
    }
    if *exp + LEEWAY < now || nbf.is_some_and(|nbf| nbf - LEEWAY > now) {
        return Err("is not within its valid time range");
    }
    if *exp - now > LONGEST {
        return Err("is valid for too long");
    }
    Ok(())
}

/// base64url of the SHA-256 of the DER of the first certificate in a PEM file.
fn thumbprint(pem: &str) -> Option<String> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let text: String = body.split_whitespace().collect();
    let der = STANDARD.decode(text).ok()?;
    Some(URL_SAFE_NO_PAD.encode(Sha256::digest(der)))
}
