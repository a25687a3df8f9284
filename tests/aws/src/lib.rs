//! The AWS emulator, for tests: the one that `tests/run` has started, or one of this process's own.
//!
//! Lives here: where it is, a table of the schema in `infra/aws/table.json`, queues, a proxy that loses what networks lose, and the issuer of tokens that the emulator is not (it signs with HS256, which Entra does not take). Never here: a way to do without it. A test
//! that finds none and can start none fails, and says what mends it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

pub mod issuer;
pub mod proxy;

use std::env;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use aws_types::region::Region;
use serde_json::{Value, json};

const VARIABLE: &str = "GUESTLIST_TEST_AWS";
/// Of everything in the emulator.
pub const REGION: &str = "eu-central-1";
/// The id of a key, and the key.
pub const KEY: &str = "test";

/// What a table of Guestlist looks like: the members of `CreateTable`, without a name.
const SCHEMA: &str = include_str!("../../../infra/aws/table.json");

type Found = Result<(String, Option<Child>), String>;
// The child holds the other end of a pipe of ours, and ends with us. What failed once is not tried by each test.
static FOUND: OnceLock<Found> = OnceLock::new();

/// Where the emulator answers, as `http://127.0.0.1:<port>`.
#[must_use]
pub fn address() -> &'static str {
    given(FOUND.get_or_init(|| match env::var(VARIABLE) {
        // No test reaches a real service, whatever the variable says.
        Ok(address) if !address.starts_with("http://127.0.0.1:") => {
            Err(format!("`{VARIABLE}` is `{address}`, which is not on loopback; unset it"))
        }
        Ok(address) => Ok((address, None)),
        Err(_) => start(&[]).map(|(address, child)| (address, Some(child))),
    }))
}

/// From now on it is one of this process's own, which has these variables: the functions that it runs inherit them.
///
/// # Panics
/// This process has used another one before.
pub fn start_own(variables: &[(&str, &str)]) {
    let mut is_first = false;
    given(FOUND.get_or_init(|| {
        is_first = true;
        start(variables).map(|(address, child)| (address, Some(child)))
    }));
    assert!(is_first, "an emulator is in use already");
}

fn given(found: &'static Found) -> &'static str {
    match found {
        Ok((address, _)) => address,
        Err(why) => panic!("{why}"),
    }
}

fn start(variables: &[(&str, &str)]) -> Result<(String, Child), String> {
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("emulator");
    let mend = "run `tests/aws/emulator install` and mend what it complains of";
    let mut command = Command::new(&script);
    command.arg("serve").args(variables.iter().map(|(name, value)| format!("{name}={value}")));
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child =
        spawned.map_err(|error| format!("{} does not run ({error}); {mend}", script.display()))?;
    let mut address = String::new();
    let said = child.stdout.as_mut().map(|output| BufReader::new(output).read_line(&mut address));
    let address = address.trim().to_owned();
    if !matches!(said, Some(Ok(_))) || address.is_empty() {
        return Err(format!("the AWS emulator did not start; {mend}"));
    }
    Ok((address, child))
}

/// A client's settings for this address: the emulator's own, or that of something in between.
#[must_use]
pub fn config(address: &str) -> SdkConfig {
    SdkConfig::builder()
        .region(Region::new(REGION))
        .endpoint_url(address)
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(KEY, KEY, None, None, "tests")))
        .build()
}

/// Makes a table of Guestlist's schema that no other test has, and gives its name.
#[must_use]
pub fn create_table() -> String {
    let name = fresh_name();
    let members = SCHEMA.trim().strip_prefix('{').expect("the schema is an object");
    let answer = ask("CreateTable", &format!(r#"{{"TableName":"{name}",{members}"#));
    assert!(answer.contains("\"ACTIVE\""), "the emulator did not create a table: {answer}");
    name
}

fn fresh_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock stands after 1970");
    format!("guestlist-{}-{}-{number}", std::process::id(), since.as_nanos())
}

/// Makes a standard queue that no other test has, with these attributes, and gives its address.
#[must_use]
pub fn create_queue(attributes: &Value) -> String {
    let wanted = json!({ "QueueName": fresh_name(), "Attributes": attributes });
    ask_sqs("CreateQueue", &wanted)["QueueUrl"].as_str().expect("the emulator creates a queue").to_owned()
}

/// One request to SQS, and what is in the answer.
#[must_use]
pub fn ask_sqs(operation: &str, body: &Value) -> Value {
    let answer = post("AmazonSQS", "sqs", operation, &body.to_string());
    let body = answer.split_once("\r\n\r\n").expect("an answer has a body").1;
    if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect("SQS answers in JSON") }
}

/// Keeps a text in Secrets Manager or in the parameter store, in place of what was there.
pub fn keep_secret(kept: Kept, name: &str, text: &str) {
    let answer = match kept {
        Kept::Secret => {
            let body = json!({ "Name": name, "SecretString": text }).to_string();
            let made = post("secretsmanager", "secretsmanager", "CreateSecret", &body);
            if made.starts_with("HTTP/1.1 200") {
                return;
            }
            let body = json!({ "SecretId": name, "SecretString": text }).to_string();
            post("secretsmanager", "secretsmanager", "PutSecretValue", &body)
        }
        Kept::Parameter => {
            let body = json!({ "Name": name, "Value": text, "Type": "SecureString", "Overwrite": true });
            post("AmazonSSM", "ssm", "PutParameter", &body.to_string())
        }
    };
    assert!(answer.starts_with("HTTP/1.1 200"), "the emulator keeps no secret: {answer}");
}

/// Where a secret lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Secret,
    Parameter,
}

/// Makes a bucket that keeps versions, and that no other test has.
#[must_use]
pub fn create_bucket() -> String {
    let name = fresh_name();
    let here = format!(
        "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    );
    let versions = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";
    for (path, body) in [(format!("/{name}"), here.as_str()), (format!("/{name}?versioning"), versions)] {
        let answer = send("PUT", &path, "s3", "", body);
        assert!(answer.starts_with("HTTP/1.1 200"), "the emulator makes no bucket: {answer}");
    }
    name
}

/// Puts a text there as the newest version.
pub fn put_object(bucket: &str, key: &str, text: &str) {
    let answer = send("PUT", &format!("/{bucket}/{key}"), "s3", "", text);
    assert!(answer.starts_with("HTTP/1.1 200"), "the emulator keeps no object: {answer}");
}

/// Puts a mark there that hides all versions before.
pub fn delete_object(bucket: &str, key: &str) {
    let answer = send("DELETE", &format!("/{bucket}/{key}"), "s3", "", "");
    assert!(answer.starts_with("HTTP/1.1 204"), "the emulator deletes no object: {answer}");
}

/// One request to a service whose answers are XML: IAM, or CloudFormation.
#[must_use]
pub fn ask_query(service: &str, version: &str, operation: &str, members: &[(&str, &str)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", operation).append_pair("Version", version).extend_pairs(members);
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let answer = send("POST", "/", service, kind, &form.finish());
    assert!(answer.starts_with("HTTP/1.1 200"), "{service} answers {answer}");
    answer
}

/// Makes something by API Gateway's HTTP APIs, below `/v2`, and gives what it made.
#[must_use]
pub fn make_in_api(path: &str, body: &Value) -> Value {
    let kind = "Content-Type: application/json\r\n";
    let answer = send("POST", &format!("/v2{path}"), "apigateway", kind, &body.to_string());
    assert!(answer.starts_with("HTTP/1.1 201"), "API Gateway answers {answer}");
    let body = answer.split_once("\r\n\r\n").expect("an answer has a body").1;
    serde_json::from_str(body).expect("API Gateway answers in JSON")
}

/// One request to Lambda, below `/2015-03-31`, and what is in the answer. A function that is called is not waited for.
#[must_use]
pub fn ask_lambda(method: &str, path: &str, body: &Value) -> Value {
    let kind = "Content-Type: application/json\r\nX-Amz-Invocation-Type: Event\r\n";
    let answer = send(method, &format!("/2015-03-31{path}"), "lambda", kind, &body.to_string());
    assert!(answer.starts_with("HTTP/1.1 20"), "Lambda answers {answer}");
    let body = answer.split_once("\r\n\r\n").expect("an answer has a body").1;
    if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect("Lambda answers in JSON") }
}

/// All that CloudWatch has kept in a group, a line each.
#[must_use]
pub fn logs_of(group: &str) -> String {
    let answer =
        post("Logs_20140328", "logs", "FilterLogEvents", &json!({ "logGroupName": group }).to_string());
    let body = answer.split_once("\r\n\r\n").expect("an answer has a body").1;
    let told: Value = serde_json::from_str(body).expect("CloudWatch answers in JSON");
    let lines = told["events"].as_array().into_iter().flatten();
    lines.filter_map(|one| one["message"].as_str()).map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Somebody with these policies in IAM and no other power, and his access key: its id and its secret.
#[must_use]
pub fn create_user(policies: &[Value]) -> (String, String) {
    let name = fresh_name();
    let ask = |operation: &str, more: &[(&str, &str)]| {
        ask_query("iam", "2010-05-08", operation, &[&[("UserName", name.as_str())], more].concat())
    };
    let _ = ask("CreateUser", &[]);
    for (at, policy) in policies.iter().enumerate() {
        let (at, policy) = (format!("p{at}"), policy.to_string());
        let _ = ask("PutUserPolicy", &[("PolicyName", &at), ("PolicyDocument", &policy)]);
    }
    let made = ask("CreateAccessKey", &[]);
    let text = |name: &str| {
        let rest = made.split_once(&format!("<{name}>")).expect("an access key has an id and a secret").1;
        rest.split_once('<').expect("an element ends").0.to_owned()
    };
    (text("AccessKeyId"), text("SecretAccessKey"))
}

/// One request to DynamoDB in plain HTTP, and the answer as it is.
#[must_use]
pub fn ask(operation: &str, body: &str) -> String {
    post("DynamoDB_20120810", "dynamodb", operation, body)
}

fn post(api: &str, service: &str, operation: &str, body: &str) -> String {
    let kind = "Content-Type: application/x-amz-json-1.0";
    send("POST", "/", service, &format!("{kind}\r\nX-Amz-Target: {api}.{operation}\r\n"), body)
}

/// The emulator wants to know whose key it is, and checks no signature.
fn send(method: &str, path: &str, service: &str, headers: &str, body: &str) -> String {
    let host = address().trim_start_matches("http://");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}Authorization: AWS4-HMAC-SHA256 \
         Credential={KEY}/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(host)
        .unwrap_or_else(|error| panic!("the AWS emulator at `{}` does not answer: {error}", address()));
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).expect("the emulator takes the request");
    stream.read_to_string(&mut answer).expect("the emulator answers in text");
    answer
}
