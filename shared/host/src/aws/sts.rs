//! Tokens by which a function's role proves to Entra who it is, so that no secret of an app lies anywhere: AWS STS signs them
//! (`GetWebIdentityToken`, <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html>).
//!
//! Needs `sts:GetWebIdentityToken`, and outbound identity federation switched on in the account. A token is good for whoever
//! holds it, and nobody can recall it: it lives five minutes, and is in no log and no error.

use std::sync::Arc;

use axum::http::header::{ACCEPT, CONTENT_TYPE};
use graph::{Federated, Lent, NoAssertion};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Mutex;
use url::form_urlencoded;
use wire::Call;

use super::AwsSettings;
use super::calls::{Aws, AwsError};

/// How long a token is to live. STS takes 60 to 3600 seconds; the least is for a role session that is about to end.
const LIVES: [SignedDuration; 2] = [SignedDuration::from_mins(5), SignedDuration::from_mins(1)];
/// So long before its end a token is not used any more: it has a way to go, and clocks differ.
const EARLY: SignedDuration = SignedDuration::from_mins(1);

/// What proves who a function is, by its role.
pub(crate) fn federated(settings: AwsSettings) -> Federated {
    let issuer = Arc::new(Issuer { settings, kept: Mutex::default() });
    Federated::new("AWS STS", move |lent| {
        let issuer = Arc::clone(&issuer);
        async move { issuer.token(lent).await }
    })
}

struct Issuer {
    settings: AwsSettings,
    /// Held while STS is asked: the chores of one function sign in side by side, and one token serves them all.
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    token: SecretString,
    from: Timestamp,
    until: Timestamp,
}

/// As STS answers.
struct Signed {
    token: SecretString,
    expires_at: Option<Timestamp>,
}

impl Issuer {
    async fn token(&self, Lent { wire, now }: Lent) -> Result<SecretString, NoAssertion> {
        let mut kept = self.kept.lock().await;
        // Of a clock that was set back nobody knows how long ago it was.
        if let Some(kept) = kept.as_ref().filter(|kept| kept.from <= now && now < kept.until) {
            return Ok(kept.token.clone());
        }
        *kept = None;
        let aws = Aws::new(wire, self.settings.clone());
        let mut lives = LIVES.into_iter();
        let (signed, life) = loop {
            let life = lives.next().unwrap_or(EARLY);
            match aws.web_identity_token(life).await {
                Ok(signed) => break (signed, life),
                Err(error) if outlives_the_session(&error) && lives.len() > 0 => {}
                Err(error) => return Err(no_assertion(&error)),
            }
        };
        let Signed { token, expires_at } = signed;
        let asked_for = now.checked_add(life).unwrap_or(now);
        let ends = expires_at.map_or(asked_for, |told| told.min(asked_for));
        let until = ends.checked_sub(EARLY.min(life / 2)).unwrap_or(now);
        *kept = Some(Kept { token: token.clone(), from: now, until });
        Ok(token)
    }
}

impl Aws {
    /// A JWT about the caller, for Entra alone. Only the regional endpoint gives one.
    async fn web_identity_token(&self, life: SignedDuration) -> Result<Signed, AwsError> {
        let seconds = life.as_secs().to_string();
        // Entra takes RS256 and nothing else
        // (https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations).
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("Action", "GetWebIdentityToken"),
                ("Version", "2011-06-15"),
                ("Audience.member.1", Federated::AUDIENCE),
                ("SigningAlgorithm", "RS256"),
                ("DurationSeconds", &seconds),
            ])
            .finish();
        let call = Call::post(self.address("sts")?, form)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "text/xml");
        let answer = self.send("sts", call).await?;
        Signed::read(&String::from_utf8_lossy(&answer.body))
            .ok_or_else(|| AwsError::Unusable { why: "there is no token in the answer".to_owned() })
    }
}

impl Signed {
    /// The two elements of the answer's XML. Neither a token nor a moment has a character that XML would escape.
    fn read(answer: &str) -> Option<Self> {
        let text = |name: &str| {
            let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
            Some(answer.split_once(&begin)?.1.split_once(&end)?.0.trim())
        };
        let token = text("WebIdentityToken").filter(|token| is_jwt(token))?;
        let expires_at = text("Expiration").and_then(|moment| moment.parse().ok());
        Some(Self { token: SecretString::from(token), expires_at })
    }
}

fn is_jwt(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_part = |part: &str| !part.is_empty() && part.chars().all(legal);
    text.split('.').count() == 3 && text.split('.').all(is_part)
}

fn outlives_the_session(error: &AwsError) -> bool {
    name(error).is_some_and(|name| name == "SessionDurationEscalation")
}

/// The error's name as AWS documents it, which some of its services write longer.
fn name(error: &AwsError) -> Option<&str> {
    match error {
        AwsError::Refused { status: _, code } => Some(code.strip_suffix("Exception").unwrap_or(code)),
        AwsError::Unreachable { why: _ } | AwsError::Unusable { why: _ } => None,
    }
}

/// Trouble that passes by itself is told apart from what a person has to mend.
fn no_assertion(error: &AwsError) -> NoAssertion {
    let refused = |fix: &str| NoAssertion::Refused(format!("{error}; {fix}"));
    if error.is_passing() {
        return NoAssertion::NotNow(error.to_string());
    }
    match name(error) {
        // An instance keeps the key that it was started with; Lambda starts others with newer ones.
        Some("ExpiredToken" | "RequestExpired" | "SessionDurationEscalation") => {
            NoAssertion::NotNow(format!(
                "{error}; the key of this instance has come to its end, and the next instance has another"
            ))
        }
        Some("AccessDenied") => refused(
            "allow the function's role `sts:GetWebIdentityToken` with the audience `api://AzureADTokenExchange`, RS256 and 300 \
             seconds (a condition on `sts:IdentityTokenAudience` needs `ForAllValues:StringEquals`)",
        ),
        Some("OutboundWebIdentityFederationDisabled") => refused(
            "switch it on for the account with `aws iam enable-outbound-web-identity-federation`, and give the issuer that it \
             answers to the app's federated credential",
        ),
        Some("RegionDisabled") => refused("switch STS on for this region in the account settings of IAM"),
        Some("JWTPayloadSizeExceeded") => refused("the role has too many tags: take some of them away"),
        Some(
            "InvalidClientTokenId"
            | "UnrecognizedClient"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "MissingAuthenticationToken",
        ) => refused(
            "leave AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN as Lambda sets them from the function's role",
        ),
        Some("InvalidAction") | None => {
            refused("only the endpoint of a region gives tokens: check AWS_REGION and AWS_ENDPOINT_URL_STS")
        }
        Some(_) => refused("look the code up among the errors of AWS STS"),
    }
}

#[cfg(test)]
mod tests;
