//! The AWS emulator, for tests: the one that `tests/run` has started, or one of this process's own.
//!
//! Lives here: where it is, and a table of the schema in `infra/aws/table.json`. Never here: a way to do without it. A test
//! that finds none and can start none fails, and says what mends it.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]

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

const VARIABLE: &str = "GUESTLIST_TEST_AWS";
const REGION: &str = "eu-central-1";
const KEY: &str = "test";

/// What a table of Guestlist looks like: the members of `CreateTable`, without a name.
const SCHEMA: &str = include_str!("../../../infra/aws/table.json");

/// Where the emulator answers, as `http://127.0.0.1:<port>`.
#[must_use]
pub fn address() -> &'static str {
    // The child holds the other end of a pipe of ours, and ends with us. What failed once is not tried by each test.
    static FOUND: OnceLock<Result<(String, Option<Child>), String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| match env::var(VARIABLE) {
        // No test reaches a real service, whatever the variable says.
        Ok(address) if !address.starts_with("http://127.0.0.1:") => {
            Err(format!("`{VARIABLE}` is `{address}`, which is not on loopback; unset it"))
        }
        Ok(address) => Ok((address, None)),
        Err(_) => start().map(|(address, child)| (address, Some(child))),
    });
    match found {
        Ok((address, _)) => address,
        Err(why) => panic!("{why}"),
    }
}

fn start() -> Result<(String, Child), String> {
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("emulator");
    let mend = "run `tests/aws/emulator install` and mend what it complains of";
    let spawned = Command::new(&script).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
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
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock stands after 1970");
    let name = format!("guestlist-{}-{}-{number}", std::process::id(), since.as_nanos());
    let members = SCHEMA.trim().strip_prefix('{').expect("the schema is an object");
    let answer = ask("CreateTable", &format!(r#"{{"TableName":"{name}",{members}"#));
    assert!(answer.contains("\"ACTIVE\""), "the emulator did not create a table: {answer}");
    name
}

/// One request to DynamoDB in plain HTTP, and the answer as it is. The emulator wants to know whose key it is, and checks no
/// signature.
#[must_use]
pub fn ask(operation: &str, body: &str) -> String {
    let host = address().trim_start_matches("http://");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: DynamoDB_20120810.{operation}\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential={KEY}/20260101/{REGION}/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\n\
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
