//! The token endpoint's words: what is asked of it, what it answers, and what a person must do when it refuses
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).
//!
//! Never here: sending, caching, waiting.

use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::credential::{App, Credential, Lent, NoAssertion};
use crate::error::{Failure, GraphError, Happened, Trace, plain};
use crate::retry;

/// A token as it was granted.
pub(crate) struct Grant {
    pub(crate) token: SecretString,
    pub(crate) life: SignedDuration,
}

/// The body of a token request, or why there is none.
pub(crate) async fn form(app: &App, token_url: &Url, scope: &str, lent: Lent) -> Result<String, NoAssertion> {
    let assertion = match &app.credential {
        Credential::Secret(secret) => {
            return Ok(with(app, scope, &[("client_secret", secret.expose_secret())]));
        }
        Credential::Certificate(certificate) => {
            let cannot = "the certificate's key cannot sign; give an RSA key of 2048 bits or more";
            let signed = certificate.assertion(&app.client_id, token_url, lent.now);
            SecretString::from(signed.ok_or_else(|| NoAssertion::Refused(cannot.to_owned()))?)
        }
        Credential::Federated(federated) => federated.assertion(lent).await?,
    };
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    Ok(with(app, scope, &[kind, ("client_assertion", assertion.expose_secret())]))
}

fn with(app: &App, scope: &str, proof: &[(&str, &str)]) -> String {
    let asked =
        [("client_id", app.client_id.as_str()), ("scope", scope), ("grant_type", "client_credentials")];
    form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).extend_pairs(proof).finish()
}

/// Reads the answer to a token request.
pub(crate) fn grant(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    mut trace: Trace,
    now: Timestamp,
) -> Result<Grant, Failure> {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let text = |key: &str| body.as_ref().and_then(|body| body.get(key)).and_then(Value::as_str);
    let theirs = headers.get("x-ms-request-id").and_then(|id| id.to_str().ok());
    trace.request_id = theirs.or_else(|| text("trace_id")).map(plain);
    if status.is_success() {
        let life = body.as_ref().and_then(|body| body.get("expires_in")).and_then(seconds);
        let (Some(token), Some(life)) = (text("access_token"), life) else {
            let why = "the token endpoint answers without a token; check the login address";
            return Err(refused(GraphError::unreadable(why, &trace)));
        };
        return Ok(Grant { token: SecretString::from(token), life });
    }
    let retry_after = retry::told(headers, now);
    Err(match (text("error"), text("error_description")) {
        (Some(error), Some(said)) => refusal(status, error, said, retry_after, trace),
        _unworded => {
            unworded(Failure::of_answer(status, headers, body.as_ref(), trace.clone(), now), status, &trace)
        }
    })
}

/// Entra gives a reason for what it refuses, so this is not Entra, or it is in trouble.
fn unworded(failure: Failure, status: StatusCode, trace: &Trace) -> Failure {
    match failure.happened {
        Happened::NotDone | Happened::Uncertain | Happened::TimedOut => failure,
        Happened::Refused | Happened::Unauthorized => {
            let why = format!("the token endpoint says {status} without a reason; check the login address");
            refused(GraphError::unreadable(why, trace))
        }
    }
}

fn refused(error: GraphError) -> Failure {
    Failure { error, happened: Happened::Refused }
}

/// A number, or the string that older token endpoints send.
fn seconds(value: &Value) -> Option<SignedDuration> {
    let seconds = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
    (seconds > 0).then(|| SignedDuration::from_secs(seconds.min(86_400)))
}

fn refusal(
    status: StatusCode,
    error: &str,
    said: &str,
    retry_after: Option<SignedDuration>,
    trace: Trace,
) -> Failure {
    let code = code(said);
    let passing =
        matches!(code, Some(90_012 | 90_033 | 90_055 | 50_196)) || error == "temporarily_unavailable";
    if passing || status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        let error = GraphError::Unavailable { status: status.as_u16(), retry_after, trace };
        return Failure { error, happened: Happened::NotDone };
    }
    // What follows are trace ids and a time, which the trace has.
    let reason = said.split(['\r', '\n']).next().unwrap_or(said);
    let reason = reason.split(" Trace ID:").next().unwrap_or(reason);
    let message = format!("{}; {}", plain(reason.trim_end_matches(['.', ' '])), fix(code));
    refused(GraphError::Credential { message, trace })
}

/// `7000215` of `AADSTS7000215: Invalid client secret provided…`
fn code(said: &str) -> Option<u32> {
    let digits = said.split_once("AADSTS")?.1;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
fn fix(code: Option<u32>) -> &'static str {
    match code {
        Some(7_000_215) => "set the secret's value (not its id), of this app",
        Some(7_000_222) => "the secret has expired: make a new one in the app registration and set it",
        Some(7_000_216 | 7_000_218) => "set a client secret, a certificate, or a federated credential",
        Some(70_021 | 700_211 | 700_212 | 700_213) => {
            "compare issuer, subject and audience of the app's federated credential with these, letter by letter; a new one \
             is known everywhere after some minutes"
        }
        Some(700_016) => "check the client id, and that the app is in this tenant with admin consent",
        Some(7_000_112 | 7_000_229) => {
            "the app is disabled or has no service principal in this tenant: enable it"
        }
        Some(90_002 | 900_023) => "check the tenant id, and that the cloud is the tenant's",
        Some(700_027) => "upload this certificate to the app registration, or set the one that is there",
        Some(700_023) => "check the login address: the assertion names it as its audience",
        Some(700_024) => "check this machine's clock: the assertion is not valid at Entra's time",
        Some(70_011 | 500_011 | 1_002_012) => {
            "check the Graph address: it must be the root of the tenant's cloud"
        }
        Some(53_003) => {
            "a conditional access policy for workload identities blocks the app: exempt this machine"
        }
        Some(_) | None => "look the code up at https://login.microsoftonline.com/error",
    }
}

#[cfg(test)]
mod tests {
    use model::TenantId;
    use serde_json::json;
    use wire::Wire;

    use super::*;

    fn answer(status: u16, body: &Value) -> Result<Grant, Failure> {
        let status = StatusCode::from_u16(status).unwrap();
        let body = serde_json::to_vec(body).unwrap();
        grant(status, &HeaderMap::new(), &body, Trace::default(), Timestamp::UNIX_EPOCH)
    }

    #[tokio::test]
    async fn a_secret_travels_in_the_form_with_everything_escaped() {
        let credential = Credential::Secret(SecretString::from("a&b=c+d %~"));
        let app = App { tenant: TenantId::from_u128(1), client_id: "client".into(), credential };
        let url = Url::parse("https://login.microsoftonline.com/t/oauth2/v2.0/token").unwrap();
        let lent = Lent { wire: Wire::network().unwrap(), now: Timestamp::UNIX_EPOCH };
        let form = form(&app, &url, "https://graph.microsoft.com/.default", lent).await.unwrap();
        let pairs: Vec<_> = form_urlencoded::parse(form.as_bytes()).collect();
        let expected = [
            ("client_id", "client"),
            ("scope", "https://graph.microsoft.com/.default"),
            ("grant_type", "client_credentials"),
            ("client_secret", "a&b=c+d %~"),
        ];
        assert_eq!(pairs, expected.map(|(key, value)| (key.into(), value.into())));
    }

    #[test]
    fn a_grant_may_write_its_life_as_a_number_or_as_text() {
        for life in [json!(3599), json!("3599")] {
            let body = json!({"token_type": "Bearer", "expires_in": life, "access_token": "abc"});
            assert_eq!(answer(200, &body).ok().unwrap().life, SignedDuration::from_secs(3599));
        }
        for body in
            [json!({}), json!({"access_token": "abc"}), json!({"access_token": "abc", "expires_in": 0})]
        {
            assert!(matches!(answer(200, &body).err().unwrap().error, GraphError::Unreadable { .. }));
        }
    }

    #[test]
    fn a_refusal_is_told_with_its_code_and_what_mends_it() {
        let said = "AADSTS7000222: The provided client secret keys for app 'x' are expired. \
                    Trace ID: 1 Correlation ID: 2 Timestamp: 3";
        let body = json!({"error": "invalid_client", "error_description": said, "trace_id": "1"});
        let failure = answer(401, &body).err().unwrap();
        assert_eq!(failure.happened, Happened::Refused);
        let text = failure.error.to_string();
        let expected = "prove to Microsoft who we are: AADSTS7000222: The provided client secret keys for app 'x' are \
                        expired; the secret has expired: make a new one in the app registration and set it \
                        (request-id 1)";
        assert_eq!(text, expected);
        for (code, part) in [
            (7_000_215, "not its id"),
            (700_016, "client id"),
            (90_002, "tenant id"),
            (700_027, "upload this certificate"),
            (700_024, "clock"),
            (70_021, "letter by letter"),
            (1, "look the code up"),
        ] {
            let body =
                json!({"error": "x", "error_description": format!("AADSTS{code}: no.\r\nTrace ID: 1")});
            assert!(answer(400, &body).err().unwrap().error.to_string().contains(part), "{code}");
        }
    }

    #[test]
    fn a_wrong_login_address_is_told_as_that() {
        for (status, body) in [(404, json!("no such page")), (302, json!(null)), (403, json!({"error": {}}))]
        {
            let text = answer(status, &body).err().unwrap().error.to_string();
            assert!(text.contains("check the login address"), "{text}");
        }
    }

    #[test]
    fn a_passing_trouble_at_entra_is_not_taken_for_a_bad_credential() {
        let busy = json!({"error": "temporarily_unavailable", "error_description": "AADSTS90033: later"});
        for (status, body) in [(400, &busy), (503, &busy), (503, &json!("busy")), (429, &busy)] {
            let failure = answer(status, body).err().unwrap();
            assert_eq!(failure.happened, Happened::NotDone, "{status}");
        }
    }
}
