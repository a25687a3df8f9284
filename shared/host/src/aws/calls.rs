//! What a whole SDK each would be too much for: a secret, a parameter, an object, and in `sts` a token. Signed by AWS's own signer.
//!
//! Needs `secretsmanager:GetSecretValue`, `ssm:GetParameter` (with `kms:Decrypt` of their keys), `s3:GetObject` and
//! `s3:GetObjectVersion`, each only where a setting names such a place. Nothing that was read is in an error or a log.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use url::Url;
use wire::{Call, Reply, Wire, WireError};

use super::AwsSettings;

/// Of one try, where nobody hurries.
const TIMEOUT: Duration = Duration::from_secs(4);
/// Before each try but the first.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
/// Bytes of an answer: a policy and its lists are small.
const MOST: usize = 4 * 1024 * 1024;

/// A read that failed: what was asked is in the caller's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AwsError {
    #[error("AWS answers {status} {code}")]
    Refused { status: u16, code: String },
    #[error("{why}")]
    Unreachable { why: String },
    #[error("{why}")]
    Unusable { why: String },
}

impl AwsError {
    /// Whether the same request may be answered another time.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, code } => {
                matches!(status, 429 | 500..) || code.contains("Throttl") || code == "SlowDown"
            }
            Self::Unreachable { why: _ } => true,
            Self::Unusable { why: _ } => false,
        }
    }
}

/// An object, and by what it can be known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) text: String,
    pub(crate) etag: String,
    /// Only where the bucket keeps versions.
    pub(crate) version: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Aws {
    wire: Wire,
    settings: Arc<AwsSettings>,
    /// Of one try.
    timeout: Duration,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(rename = "SecretString")]
    text: Option<String>,
}

#[derive(Deserialize)]
struct Answered {
    #[serde(rename = "Parameter")]
    parameter: Parameter,
}

#[derive(Deserialize)]
struct Parameter {
    #[serde(rename = "Value")]
    value: String,
}

impl Aws {
    pub(crate) fn new(wire: Wire, settings: AwsSettings) -> Self {
        Self { wire, settings: Arc::new(settings), timeout: TIMEOUT }
    }

    /// For whoever waits no longer than that: there is time for a second try, on a connection that was not frozen with the process.
    pub(crate) fn in_a_hurry(self, within: Duration) -> Self {
        Self { timeout: TIMEOUT.min(within.saturating_mul(2) / 5), ..self }
    }

    /// The present text of a secret, by its name or ARN.
    pub(crate) async fn secret(&self, id: &str) -> Result<SecretString, AwsError> {
        let target = "secretsmanager.GetSecretValue";
        let answer = self.ask("secretsmanager", target, &json!({ "SecretId": id }).to_string()).await?;
        let secret: Secret = read(&answer)?;
        secret
            .text
            .map(SecretString::from)
            .ok_or_else(|| AwsError::Unusable { why: "the secret is binary; store it as text".to_owned() })
    }

    /// The present text of a parameter, decrypted.
    pub(crate) async fn parameter(&self, name: &str) -> Result<SecretString, AwsError> {
        let body = json!({ "Name": name, "WithDecryption": true }).to_string();
        let answer = self.ask("ssm", "AmazonSSM.GetParameter", &body).await?;
        let Answered { parameter: Parameter { value } } = read(&answer)?;
        Ok(SecretString::from(value))
    }

    /// The present version, or the one named.
    pub(crate) async fn object(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Object, AwsError> {
        let mut url = self.of_bucket(bucket)?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(key.split('/'));
        }
        if let Some(version) = version {
            url.query_pairs_mut().append_pair("versionId", version);
        }
        let answer = self.send("s3", Call::get(url)).await?;
        let header = |name: &HeaderName| {
            answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let version = header(&HeaderName::from_static("x-amz-version-id")).filter(|id| id != "null");
        let etag = header(&ETAG).unwrap_or_default();
        let text = String::from_utf8(answer.body.to_vec())
            .map_err(|_| AwsError::Unusable { why: "it is not text in UTF-8".to_owned() })?;
        Ok(Object { text, etag, version })
    }

    async fn ask(&self, service: &str, target: &str, body: &str) -> Result<Reply, AwsError> {
        let call = Call::post(self.address(service)?, body.to_owned())
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header(HeaderName::from_static("x-amz-target"), target);
        self.send(service, call).await
    }

    /// Again where that may help.
    pub(super) async fn send(&self, service: &str, call: Call) -> Result<Reply, AwsError> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let mut signed = call.clone().timeout(self.timeout);
            signed.max_reply = MOST;
            self.sign(service, &mut signed)?;
            let error = match self.wire.send(signed).await {
                Ok(reply) if reply.status.is_success() => return Ok(reply),
                Ok(reply) => {
                    let error = AwsError::Refused { status: reply.status.as_u16(), code: code(&reply.body) };
                    if !error.is_passing() {
                        return Err(error);
                    }
                    error
                }
                // It would be as long the next time.
                Err(WireError::TooLarge { host: _, limit }) => {
                    let why = format!("it is longer than {limit} bytes, which is more than is read");
                    return Err(AwsError::Unusable { why });
                }
                Err(
                    error @ (WireError::Timeout { .. }
                    | WireError::Connect { .. }
                    | WireError::Broken { .. }
                    | WireError::Setup { .. }),
                ) => AwsError::Unreachable { why: error.to_string() },
            };
            match pauses.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    fn sign(&self, service: &str, call: &mut Call) -> Result<(), AwsError> {
        let cannot = |why: String| AwsError::Unusable { why: format!("the request cannot be signed: {why}") };
        let identity = self.settings.credentials.clone().into();
        let mut how = SigningSettings::default();
        if service == "s3" {
            how.percent_encoding_mode = PercentEncodingMode::Single;
            how.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            how.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.settings.region)
            .name(service)
            .time(SystemTime::now())
            .settings(how)
            .build()
            .map_err(|error| cannot(error.to_string()))?
            .into();
        let headers: Vec<(String, String)> = call
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = SignableBody::Bytes(&call.body);
        let request = SignableRequest::new(call.method.as_str(), call.url.as_str(), headers, body)
            .map_err(|error| cannot(error.to_string()))?;
        let (instructions, _) =
            sign(request, &parameters).map_err(|error| cannot(error.to_string()))?.into_parts();
        for (name, value) in instructions.headers() {
            let name = HeaderName::try_from(name).map_err(|error| cannot(error.to_string()))?;
            let value = HeaderValue::try_from(value).map_err(|error| cannot(error.to_string()))?;
            call.headers.insert(name, value);
        }
        Ok(())
    }

    /// A name with a dot is in no certificate of S3's, and an address of somebody else's knows no names of buckets.
    fn of_bucket(&self, bucket: &str) -> Result<Url, AwsError> {
        if self.settings.endpoint.is_none() && !bucket.contains('.') {
            return self.address(&format!("{bucket}.s3"));
        }
        let mut url = self.address("s3")?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(bucket);
        }
        Ok(url)
    }

    pub(super) fn address(&self, host: &str) -> Result<Url, AwsError> {
        let of_sts = self.settings.sts_endpoint.as_ref().filter(|_| host == "sts");
        if let Some(endpoint) = of_sts.or(self.settings.endpoint.as_ref()) {
            return Ok(endpoint.clone());
        }
        let region = &self.settings.region;
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let address = format!("https://{host}.{region}.{domain}");
        Url::parse(&address)
            .map_err(|error| AwsError::Unusable { why: format!("`{address}` is no address: {error}") })
    }
}

fn read<'a, T: Deserialize<'a>>(answer: &'a Reply) -> Result<T, AwsError> {
    // What serde says of it may repeat the secret.
    serde_json::from_slice(&answer.body)
        .map_err(|_| AwsError::Unusable { why: "the answer of AWS cannot be read".to_owned() })
}

/// AWS names errors in JSON or, for S3, in XML. Only the name is taken: messages repeat what was asked.
fn code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let of_xml = || Some(text.split_once("<Code>")?.1.split_once("</Code>")?.0.to_owned());
    let of_json = || {
        let json: serde_json::Value = serde_json::from_str(&text).ok()?;
        let kind = json.get("__type")?.as_str()?;
        Some(kind.rsplit('#').next().unwrap_or(kind).to_owned())
    };
    let code = of_json().or_else(of_xml).unwrap_or_default();
    code.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}
