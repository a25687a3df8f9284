//! Where things lie on AWS: the table, the queues, the region, and whose key signs the requests.
//!
//! Only the environment is asked, which on Lambda has all of it: no profile, no metadata service, no file. Never here: what
//! lies there, and what a function does.

mod caller;
mod calls;
mod reach;
mod sts;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use aws_types::region::Region;
use url::Url;

pub(crate) use calls::{Aws, AwsError, Object};
pub(crate) use sts::federated;

use crate::{Form, Needs};

/// The variable by which a process knows that it is a function on AWS Lambda
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Whether this process is a function on AWS Lambda. Nothing else decides it.
pub(crate) fn is_lambda(value: impl Fn(&str) -> Option<String>) -> bool {
    value(RUNTIME_API).is_some_and(|address| !address.is_empty())
}

/// A queue and its dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePlace {
    pub url: String,
    pub dead_url: String,
}

impl QueuePlace {
    /// For a part that works on no queue. The name is one that never leads anywhere (RFC 2606, section 2).
    fn nowhere() -> Self {
        let url = "https://no-queue.invalid/".to_owned();
        Self { dead_url: url.clone(), url }
    }
}

#[derive(Debug, Clone)]
pub struct AwsSettings {
    pub region: String,
    /// For every service. Each service's own in the region until it is set.
    pub endpoint: Option<Url>,
    /// For STS, in the place of the other.
    pub sts_endpoint: Option<Url>,
    pub credentials: Credentials,
    pub table: String,
    pub changes: QueuePlace,
    pub remediations: QueuePlace,
    pub alerts: QueuePlace,
    pub chores: QueuePlace,
}

impl AwsSettings {
    /// For the clients of AWS's own SDK.
    #[must_use]
    pub fn sdk(&self) -> SdkConfig {
        let mut config = SdkConfig::builder()
            .region(Region::new(self.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(self.credentials.clone()));
        config.set_endpoint_url(self.endpoint.as_ref().map(ToString::to_string));
        config.build()
    }
}

const TABLE: &str = "GUESTLIST_TABLE";
const QUEUES: [&str; 4] = ["CHANGES", "REMEDIATIONS", "ALERTS", "CHORES"];

/// Where the store lies, if on AWS. On Lambda there is no other; elsewhere who asks says so by naming the table, and whoever serves has
/// his own. None: something is wrong.
pub(crate) fn store_on_aws(form: &mut Form<'_>, needs: Needs) -> Option<Option<AwsSettings>> {
    if form.is_on_lambda() {
        return aws(form, needs).map(Some);
    }
    let set = |name: &str| form.optional(name).is_some();
    if !set(TABLE) {
        // Half of it must not lead to another store.
        let names = QUEUES.into_iter().flat_map(|name| [of_queue(name), of_dead(name)]);
        return match names.into_iter().find(|name| needs.ask && set(name)) {
            None => Some(None),
            Some(name) => {
                form.wrong(format!("{name} is set, and {TABLE} is not: {PLACES}, or unset it"));
                None
            }
        };
    }
    if !needs.ask {
        form.wrong(format!(
            "{TABLE} is set, and whoever serves on one machine keeps the store in GUESTLIST_DATA: unset it; `infra/aws` deploys what \
             works on a table"
        ));
        return None;
    }
    if set("GUESTLIST_DATA") {
        form.wrong(format!(
            "GUESTLIST_DATA and {TABLE} are both set, and there is one store: unset GUESTLIST_DATA to ask the deployment on AWS, or \
             {TABLE} to ask this machine's"
        ));
        return None;
    }
    aws(form, needs).map(Some)
}

/// What mends a place of a deployment.
pub(super) const PLACES: &str = "`eval \"$(infra/aws/environment STACK)\"` sets all of them";
/// What mends who a command is.
pub(super) const CREDENTIALS: &str = "`eval \"$(aws configure export-credentials --format env)\"` sets it";

pub(crate) fn aws(form: &mut Form<'_>, needs: Needs) -> Option<AwsSettings> {
    let of_lambda = "Lambda sets it from the function's role; outside of Lambda set what it would be";
    let who = if needs.ask { CREDENTIALS } else { of_lambda };
    let whose = if needs.ask { "stack" } else { "function" };
    let region = form.required("AWS_REGION", &format!("the region of the {whose}, like `eu-central-1`"));
    let key = form.required("AWS_ACCESS_KEY_ID", who);
    let secret = form.required("AWS_SECRET_ACCESS_KEY", who);
    let token = form.optional("AWS_SESSION_TOKEN");
    let anywhere = endpoint(form, "AWS_ENDPOINT_URL");
    let of_sts = endpoint(form, "AWS_ENDPOINT_URL_STS");
    let table = form.required(TABLE, "the name of the table in DynamoDB that holds the ledger");
    let mut queue = |name| if needs.show { Some(QueuePlace::nowhere()) } else { queue(form, name) };
    let (changes, remediations) = (queue("CHANGES"), queue("REMEDIATIONS"));
    let (alerts, chores) = (queue("ALERTS"), queue("CHORES"));
    Some(AwsSettings {
        region: region?,
        endpoint: anywhere?,
        sts_endpoint: of_sts?,
        credentials: Credentials::new(key?, secret?, token, None, "environment"),
        table: table?,
        changes: changes?,
        remediations: remediations?,
        alerts: alerts?,
        chores: chores?,
    })
}

/// Functions of two deployments in one account must not count as one. What CloudWatch takes for a name
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>).
pub(crate) fn metrics_namespace(form: &mut Form<'_>) -> Option<String> {
    const NAME: &str = "GUESTLIST_METRICS_NAMESPACE";
    const LONGEST: usize = 255;
    let value = form.is_on_lambda().then(|| form.optional(NAME)).flatten();
    form.parsed(NAME, Some(value.unwrap_or_else(|| "Guestlist".to_owned())), |text| {
        let is_known = |one: char| one.is_ascii_alphanumeric() || ".-_/#: ".contains(one);
        if text.starts_with("AWS/") || text.starts_with(':') || text.len() > LONGEST || !text.chars().all(is_known) {
            return Err(format!(
                "`{text}` is no namespace of CloudWatch's: use at most {LONGEST} letters, digits and any of `. - _ / # :`, like \
                 `Guestlist/production`; those that begin with `AWS/` are AWS's own"
            ));
        }
        Ok(text.to_owned())
    })
}

/// As AWS's own tools name and read them
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>). None: it is wrong.
fn endpoint(form: &mut Form<'_>, name: &str) -> Option<Option<Url>> {
    let Some(given) = form.optional(name) else { return Some(None) };
    let parsed = form.parsed(name, Some(given), |text| {
        let wrong = || {
            format!("`{text}` is not an address like `https://aws.contoso.com`; unset it to reach AWS itself")
        };
        let url = Url::parse(text).map_err(|_| wrong())?;
        if matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none() {
            Ok(url)
        } else {
            Err(wrong())
        }
    });
    parsed.map(Some)
}

fn queue(form: &mut Form<'_>, name: &str) -> Option<QueuePlace> {
    let word = name.to_lowercase();
    let (alive, dead) = (of_queue(name), of_dead(name));
    let url = address(form, &alive, &format!("the URL of the queue `{word}` on SQS"));
    let dead_url = address(form, &dead, &format!("the URL of the dead-letter queue of `{word}` on SQS"));
    Some(QueuePlace { url: url?, dead_url: dead_url? })
}

fn of_queue(name: &str) -> String {
    format!("GUESTLIST_QUEUE_{name}")
}

fn of_dead(name: &str) -> String {
    format!("GUESTLIST_DEAD_{name}")
}

fn address(form: &mut Form<'_>, name: &str, what: &str) -> Option<String> {
    let value = form.required(name, what);
    form.parsed(name, value, |text| match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(format!(
            "`{text}` is not the URL of a queue, like `https://sqs.eu-central-1.amazonaws.com/123456789012/changes`"
        )),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Environment;

    const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/changes";

    pub(crate) fn settings_of(changes: &[(&str, &str)]) -> Result<AwsSettings, String> {
        let mut values: Vec<(String, String)> = Vec::new();
        for name in ["CHANGES", "REMEDIATIONS", "ALERTS", "CHORES"] {
            values.push((format!("GUESTLIST_QUEUE_{name}"), QUEUE.to_owned()));
            values.push((format!("GUESTLIST_DEAD_{name}"), format!("{QUEUE}-dead")));
        }
        for (name, value) in [
            ("AWS_REGION", emulator::REGION),
            ("AWS_ACCESS_KEY_ID", emulator::KEY),
            ("AWS_SECRET_ACCESS_KEY", emulator::KEY),
            ("GUESTLIST_TABLE", "guestlist"),
        ] {
            values.push((name.to_owned(), value.to_owned()));
        }
        for (name, value) in changes {
            values.retain(|(one, _)| one != name);
            values.push(((*name).to_owned(), (*value).to_owned()));
        }
        let environment = Environment::of(values);
        let mut form = Form::new(&environment);
        let settings = aws(&mut form, Needs::default());
        form.finish(settings).map_err(|missing| missing.to_string())
    }

    /// For the emulator.
    pub(crate) fn settings() -> AwsSettings {
        settings_of(&[("AWS_ENDPOINT_URL", emulator::address())]).unwrap()
    }

    #[test]
    fn where_things_lie_is_read_and_no_secret_is_shown() {
        let settings = settings_of(&[("AWS_SECRET_ACCESS_KEY", "hush")]).unwrap();
        assert_eq!(settings.changes, QueuePlace { url: QUEUE.to_owned(), dead_url: format!("{QUEUE}-dead") });
        assert_eq!(settings.endpoint, None);
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn a_function_counts_in_a_namespace_that_cloudwatch_takes() {
        let read = |name: &str, namespace: &str| {
            let values = [(name, "127.0.0.1:9001"), ("GUESTLIST_METRICS_NAMESPACE", namespace)];
            let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let environment = Environment::of(values.to_vec());
            let mut form = Form::new(&environment);
            let namespace = metrics_namespace(&mut form);
            form.finish(namespace).map_err(|missing| missing.to_string())
        };
        for (given, taken) in
            [("", "Guestlist"), ("Guestlist/my-stack", "Guestlist/my-stack"), ("a b.c_d#e:f", "a b.c_d#e:f")]
        {
            assert_eq!(read(RUNTIME_API, given), Ok(taken.to_owned()));
        }
        for wrong in ["AWS/Lambda", ":mine", "Gästeliste", "a\nb", &"x".repeat(256)] {
            let error = read(RUNTIME_API, wrong).unwrap_err();
            let says = format!(
                "GUESTLIST_METRICS_NAMESPACE: `{wrong}` is no namespace of CloudWatch's: use at most 255 letters"
            );
            assert!(error.contains(&says) && error.contains("like `Guestlist/production`"), "{error}");
        }
        assert_eq!(
            read("GUESTLIST_DATA", "AWS/Lambda"),
            Ok("Guestlist".to_owned()),
            "nobody else counts there"
        );
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_with_its_fix() {
        for (name, value, says) in [
            ("AWS_REGION", "", "AWS_REGION is not set: the region of the function, like `eu-central-1`"),
            (
                "AWS_ACCESS_KEY_ID",
                "",
                "AWS_ACCESS_KEY_ID is not set: Lambda sets it from the function's role",
            ),
            ("GUESTLIST_TABLE", "", "GUESTLIST_TABLE is not set: the name of the table in DynamoDB"),
            (
                "GUESTLIST_QUEUE_ALERTS",
                "",
                "GUESTLIST_QUEUE_ALERTS is not set: the URL of the queue `alerts` on SQS",
            ),
            (
                "GUESTLIST_DEAD_CHORES",
                "",
                "GUESTLIST_DEAD_CHORES is not set: the URL of the dead-letter queue of `chores`",
            ),
            (
                "GUESTLIST_DEAD_CHORES",
                "arn:aws:sqs:x:1:y",
                "GUESTLIST_DEAD_CHORES: `arn:aws:sqs:x:1:y` is not the URL of a queue",
            ),
            ("AWS_ENDPOINT_URL", "ftp://aws", "AWS_ENDPOINT_URL: `ftp://aws` is not an address"),
            ("AWS_ENDPOINT_URL_STS", "sts", "AWS_ENDPOINT_URL_STS: `sts` is not an address"),
        ] {
            let error = settings_of(&[(name, value)]).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
