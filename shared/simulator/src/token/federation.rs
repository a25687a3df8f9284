//! Tokens of another issuer that Entra takes in place of a secret (workload identity federation,
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>): issuer, subject and audience must be those
//! of a federated credential of the app, letter by letter, and only RS256 is taken. Time is the simulator's.
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous, decode, decode_header};
use serde::Deserialize;

use crate::options::{App, FederatedCredential};

/// Clocks may differ by this much, in seconds.
const LEEWAY: i64 = 300;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

/// Why such a token is not taken: Entra's number, and words.
pub(super) type Refusal = (u32, String);

/// Whether this is the token of another issuer, and not one that the app has signed for itself.
pub(super) fn is_of_another(app: &App, assertion: &str) -> bool {
    let claims = dangerous::insecure_decode::<Claims>(assertion);
    claims.is_ok_and(|token| !token.claims.iss.eq_ignore_ascii_case(&app.client_id.to_string()))
}

pub(super) fn verify(app: &App, assertion: &str, now: Timestamp) -> Result<(), Refusal> {
    let unusable = |why: &str| (700_027, format!("Client assertion {why}."));
    let header = decode_header(assertion).map_err(|_| unusable("is not a JWT"))?;
    let claims = dangerous::insecure_decode::<Claims>(assertion);
    let Claims { iss, sub, aud, exp, nbf } = claims.map_err(|_| unusable("lacks a claim"))?.claims;
    let no_match = |what: &str, value: &str| {
        let text =
            format!("No matching federated identity record found for presented assertion {what} '{value}'.");
        (70_021, text)
    };
    let of_issuer: Vec<&FederatedCredential> = app.federated.iter().filter(|one| one.issuer == iss).collect();
    if of_issuer.is_empty() {
        return Err(no_match("issuer", &iss));
    }
    let Some(credential) = of_issuer.into_iter().find(|one| one.subject == sub) else {
        return Err(no_match("subject", &sub));
    };
    if credential.audience != aud {
        return Err(no_match("audience", &aud));
    }
    if header.alg != Algorithm::RS256 {
        return Err(unusable("must be signed with RS256"));
    }
    let key = DecodingKey::from_rsa_pem(credential.issuer_key_pem.as_bytes());
    let key = key.map_err(|_| unusable("cannot be checked: the issuer's key is unreadable"))?;
    let mut validation = Validation::new(Algorithm::RS256);
    // All dates and names are compared here: with the simulator's clock, not with this machine's.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    decode::<Claims>(assertion, &key, &validation)
        .map_err(|error| unusable(&format!("is invalid: {error}")))?;
    let now = now.as_second();
    if exp + LEEWAY < now || nbf.is_some_and(|nbf| nbf - LEEWAY > now) {
        return Err((700_024, "Client assertion is not within its valid time range.".to_owned()));
    }
    Ok(())
}
