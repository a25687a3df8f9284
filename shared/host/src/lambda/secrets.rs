//! The secrets that lie on AWS: read before the first event, and again when they may have changed, all side by side and each for
//! itself. What cannot be read stays as it was; a text is never told to anybody.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::task::JoinSet;
use tokio::time::timeout;
use wire::Wire;

use crate::aws::{Aws, AwsSettings, aws};
use crate::form::{KeptSecret, SecretPlace};
use crate::{Environment, Form, Needs, Settings};

/// A secret that was replaced is good for longer than that with everybody who replaces them in two steps.
const OLD_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// Of reads that somebody else sets off.
const AT_MOST_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// So long a function that starts waits for what it can do without.
const OPTIONAL: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(super) struct Secrets {
    kept: Vec<KeptSecret>,
    aws: Option<AwsSettings>,
    texts: BTreeMap<String, SecretString>,
    read_at: Timestamp,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets")
            .field("kept", &self.kept)
            .field("read_at", &self.read_at)
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// # Errors
    /// One of them cannot be read without which nothing can be done.
    pub(super) async fn read_first(
        environment: &Environment,
        needs: Needs,
        wire: &Wire,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let kept = Settings::kept_on_aws(environment, needs);
        let mut secrets =
            Self { kept, aws: aws(&mut Form::new(environment), needs), texts: BTreeMap::new(), read_at: now };
        // What is wrong with the settings of AWS is told with all the others.
        let mut problems = Vec::new();
        for (KeptSecret { name, place: _, is_optional }, read) in secrets.read(wire, None).await {
            match read {
                Ok(text) => {
                    secrets.texts.insert(name, text);
                }
                Err(why) if is_optional => {
                    tracing::warn!("{why}; until it is read again, the function goes on without it");
                }
                Err(why) => problems.push(why),
            }
        }
        if problems.is_empty() { Ok(secrets) } else { anyhow::bail!("{}", problems.join("\n  ")) }
    }

    /// The environment as if each secret stood in it.
    pub(super) fn over(&self, environment: &Environment) -> Environment {
        environment.with_secrets(self.texts.clone())
    }

    pub(super) fn are_old(&self, now: Timestamp) -> bool {
        self.since(now) >= OLD_AFTER
    }

    pub(super) fn may_be_read_again(&self, now: Timestamp) -> bool {
        self.since(now) >= AT_MOST_EVERY
    }

    /// Of a clock that was set back nobody knows how long ago it was.
    fn since(&self, now: Timestamp) -> SignedDuration {
        if self.read_at > now { SignedDuration::MAX } else { now.duration_since(self.read_at) }
    }

    /// None: they are what they were. Each is by itself: one that cannot be read within this time stays as it was, and is tried again
    /// as if it had been read now.
    pub(super) async fn read_again(&mut self, wire: &Wire, now: Timestamp, within: Duration) -> Option<Self> {
        self.read_at = now;
        let mut newer = self.clone();
        for (KeptSecret { name, place: _, is_optional: _ }, read) in self.read(wire, Some(within)).await {
            match read {
                Ok(text) => {
                    newer.texts.insert(name, text);
                }
                Err(why) => {
                    tracing::error!("failed to read a secret again; the one before stays in use: {why}");
                }
            }
        }
        (!newer.changed_since(self).is_empty()).then_some(newer)
    }

    /// The names of those that are not what they were.
    pub(super) fn changed_since(&self, before: &Self) -> Vec<String> {
        let open = |texts: &BTreeMap<String, SecretString>, name: &str| {
            texts.get(name).map(|text| text.expose_secret().to_owned())
        };
        let changed = self.texts.keys().filter(|name| open(&self.texts, name) != open(&before.texts, name));
        changed.cloned().collect()
    }

    /// With one of them as it is there.
    pub(super) fn with_one_of(&self, newer: &Self, name: &str) -> Self {
        let mut one = Self { read_at: newer.read_at, ..self.clone() };
        one.texts.extend(newer.texts.get(name).map(|text| (name.to_owned(), text.clone())));
        one
    }

    /// All side by side. Without a time each may take as long as its tries do, unless nothing depends on it.
    async fn read(
        &self,
        wire: &Wire,
        within: Option<Duration>,
    ) -> Vec<(KeptSecret, Result<SecretString, String>)> {
        let Some(settings) = &self.aws else { return Vec::new() };
        let aws = Aws::new(wire.clone(), settings.clone());
        let mut reading = JoinSet::new();
        for (at, kept) in self.kept.iter().cloned().enumerate() {
            let within = within.or(kept.is_optional.then_some(OPTIONAL));
            let aws = aws.clone();
            reading.spawn(async move {
                let read = match within {
                    None => read_one(&aws, &kept).await,
                    Some(within) => read_one_within(&aws, &kept, within).await,
                };
                (at, kept, read)
            });
        }
        let mut all = Vec::with_capacity(self.kept.len());
        while let Some(ended) = reading.join_next().await {
            // A panic, which was told, is one that was not read.
            all.extend(ended);
        }
        all.sort_by_key(|(at, _, _)| *at);
        all.into_iter().map(|(_, kept, read)| (kept, read)).collect()
    }
}

fn setting(KeptSecret { name, place, is_optional: _ }: &KeptSecret) -> String {
    match place {
        SecretPlace::Secret(_) => format!("{name}_SECRET"),
        SecretPlace::Parameter(_) => format!("{name}_PARAMETER"),
    }
}

async fn read_one_within(aws: &Aws, kept: &KeptSecret, within: Duration) -> Result<SecretString, String> {
    let aws = aws.clone().in_a_hurry(within);
    match timeout(within, read_one(&aws, kept)).await {
        Ok(read) => read,
        Err(_) => Err(format!("{}: AWS did not answer within {} ms", setting(kept), within.as_millis())),
    }
}

/// # Errors
/// It cannot be read, or is empty: with its setting, and what mends it.
async fn read_one(aws: &Aws, kept: &KeptSecret) -> Result<SecretString, String> {
    let (id, read) = match &kept.place {
        SecretPlace::Secret(id) => (id, aws.secret(id).await),
        SecretPlace::Parameter(id) => (id, aws.parameter(id).await),
    };
    match read {
        Ok(text) if text.expose_secret().trim().is_empty() => {
            Err(format!("{}: `{id}` is empty: write the secret into it", setting(kept)))
        }
        Ok(text) => Ok(SecretString::from(text.expose_secret().trim().to_owned())),
        Err(error) => Err(format!(
            "{}: cannot read `{id}`: {error}; see that it is there, in this region, and that the function's role may read it",
            setting(kept)
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use emulator::Kept;
    use emulator::proxy::{Fault, Proxy};

    use super::*;
    use crate::Part;

    /// No test waits for so long.
    const ENOUGH: Duration = Duration::from_secs(60);
    const READER: &str = "GUESTLIST_READ_CLIENT_SECRET";

    fn fresh(kept: Kept) -> String {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let slash = if kept == Kept::Parameter { "/" } else { "" };
        format!("{slash}secrets/{}/{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
    }

    fn environment(more: &[(&str, &str)]) -> Environment {
        let queues = ["CHANGES", "REMEDIATIONS", "ALERTS", "CHORES"];
        let queues = queues
            .iter()
            .flat_map(|name| [format!("GUESTLIST_QUEUE_{name}"), format!("GUESTLIST_DEAD_{name}")]);
        let mut values: Vec<_> = queues.map(|name| (name, "http://127.0.0.1:1/q".to_owned())).collect();
        let own = [
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"),
            ("AWS_REGION", emulator::REGION),
            ("AWS_ACCESS_KEY_ID", emulator::KEY),
            ("AWS_SECRET_ACCESS_KEY", emulator::KEY),
            ("AWS_ENDPOINT_URL", emulator::address()),
            ("GUESTLIST_TABLE", "guestlist"),
        ];
        values.extend(own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Environment::of(values)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_165_200 + seconds).unwrap()
    }

    #[tokio::test]
    async fn a_secret_and_a_parameter_stand_in_the_place_of_their_settings() {
        let (secret, parameter) = (fresh(Kept::Secret), fresh(Kept::Parameter));
        emulator::keep_secret(Kept::Secret, &secret, "hush\n");
        emulator::keep_secret(Kept::Parameter, &parameter, "k1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
        let environment = environment(&[
            ("GUESTLIST_READ_CLIENT_SECRET_SECRET", &secret),
            ("GUESTLIST_STATE_KEYS_PARAMETER", &parameter),
        ]);
        let wire = Wire::network().unwrap();
        let mut secrets =
            Secrets::read_first(&environment, Part::Steward.needs(), &wire, at(0)).await.unwrap();
        let over = secrets.over(&environment);
        assert_eq!(over.get(READER).as_deref(), Some("hush"));
        assert_eq!(over.get("GUESTLIST_READ_CLIENT_SECRET_SECRET"), None);
        assert!(over.get("GUESTLIST_STATE_KEYS").unwrap().starts_with("k1 "));
        assert!(!format!("{secrets:?}").contains("hush"));
        // Read again when they are old, and then only as often.
        assert!(!secrets.are_old(at(299)) && secrets.are_old(at(300)) && secrets.are_old(at(-1)));
        assert!(!secrets.may_be_read_again(at(9)) && secrets.may_be_read_again(at(10)));
        assert!(secrets.read_again(&wire, at(300), ENOUGH).await.is_none(), "nothing has changed");
        assert!(!secrets.are_old(at(301)));
        emulator::keep_secret(Kept::Secret, &secret, "newer");
        let newer = secrets.read_again(&wire, at(600), ENOUGH).await.unwrap();
        assert_eq!(newer.over(&environment).get(READER).as_deref(), Some("newer"));
        assert!(!newer.are_old(at(899)));
    }

    #[tokio::test]
    async fn each_secret_that_cannot_be_read_is_named_with_its_setting_and_no_text() {
        let empty = fresh(Kept::Secret);
        emulator::keep_secret(Kept::Secret, &empty, " ");
        let environment = environment(&[
            ("GUESTLIST_READ_CLIENT_SECRET_SECRET", &empty),
            ("GUESTLIST_STATE_KEYS_PARAMETER", "/nowhere"),
        ]);
        let wire = Wire::network().unwrap();
        let error = Secrets::read_first(&environment, Part::Steward.needs(), &wire, at(0)).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("GUESTLIST_READ_CLIENT_SECRET_SECRET: `{empty}` is empty")), "{text}");
        assert!(
            text.contains(
                "GUESTLIST_STATE_KEYS_PARAMETER: cannot read `/nowhere`: AWS answers 400 ParameterNotFound"
            ),
            "{text}"
        );
    }

    const KEYS: &str = "k1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

    /// A name in it says how it answers.
    async fn some_hang() -> Proxy {
        Proxy::start(
            |request| {
                if request.body.to_string().contains("/hangs") { Fault::Hang } else { Fault::None }
            },
        )
        .await
    }

    #[tokio::test]
    async fn one_that_hangs_or_is_gone_keeps_nobody_from_what_was_replaced() {
        let proxy = some_hang().await;
        let (reader, keys) = (fresh(Kept::Secret), format!("{}/hangs", fresh(Kept::Parameter)));
        emulator::keep_secret(Kept::Secret, &reader, "hush");
        emulator::keep_secret(Kept::Parameter, &keys, KEYS);
        let environment = environment(&[
            ("GUESTLIST_READ_CLIENT_SECRET_SECRET", &reader),
            ("GUESTLIST_STATE_KEYS_PARAMETER", &keys),
        ]);
        let wire = Wire::network().unwrap();
        let mut secrets =
            Secrets::read_first(&environment, Part::Steward.needs(), &wire, at(0)).await.unwrap();
        if let Some(aws) = &mut secrets.aws {
            aws.endpoint = Some(proxy.address.parse().unwrap());
        }
        emulator::keep_secret(Kept::Secret, &reader, "newer");
        let newer = secrets.read_again(&wire, at(300), Duration::from_secs(4)).await.unwrap();
        assert_eq!(newer.changed_since(&secrets), [READER]);
        let over = newer.over(&environment);
        assert_eq!(
            (over.get(READER).as_deref(), over.get("GUESTLIST_STATE_KEYS").as_deref()),
            (Some("newer"), Some(KEYS))
        );
        assert!(!secrets.are_old(at(301)), "nobody hurries");
        let one = secrets.with_one_of(&newer, READER);
        assert_eq!(one.changed_since(&newer), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_secret_waits_no_longer_than_was_said_however_many_hang() {
        let ids: Vec<String> = (0..3).map(|n| format!("/secrets/{n}/hangs")).collect();
        let environment = environment(&[
            ("GUESTLIST_READ_CLIENT_SECRET_PARAMETER", &ids[0]),
            ("GUESTLIST_STATE_KEYS_PARAMETER", &ids[1]),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otlp.fabrikam.com"),
            ("OTEL_EXPORTER_OTLP_HEADERS_PARAMETER", &ids[2]),
        ]);
        let silent = axum::Router::new().fallback(std::future::pending::<()>);
        let (wire, needs) = (Wire::InProcess(silent), Part::Steward.needs());
        let kept = Settings::kept_on_aws(&environment, needs);
        assert_eq!(kept.iter().map(|one| one.is_optional).collect::<Vec<_>>(), [false, false, true]);
        let aws = aws(&mut Form::new(&environment), needs);
        let mut secrets = Secrets { kept, aws, texts: BTreeMap::new(), read_at: at(0) };
        let began = tokio::time::Instant::now();
        assert!(secrets.read_again(&wire, at(300), Duration::from_secs(2)).await.is_none());
        assert_eq!(began.elapsed(), Duration::from_secs(2));
        // Without a bound three tries each, side by side; but for the one that nothing depends on.
        let began = tokio::time::Instant::now();
        let read = secrets.read(&wire, None).await;
        assert_eq!(began.elapsed(), Duration::from_millis(12_500));
        let told: Vec<String> = read.into_iter().map(|(_, read)| read.unwrap_err()).collect();
        assert!(told[2].contains("OTEL_EXPORTER_OTLP_HEADERS_PARAMETER: AWS did not answer within 2000 ms"));
    }

    #[tokio::test]
    async fn the_headers_of_traces_are_nobodys_reason_not_to_start() {
        let (keys, headers) = (fresh(Kept::Parameter), fresh(Kept::Secret));
        emulator::keep_secret(Kept::Parameter, &keys, KEYS);
        let environment = environment(&[
            ("GUESTLIST_TENANT_ID", "c0270500-0000-4000-8000-000000000000"),
            ("GUESTLIST_STATE_KEYS_PARAMETER", &keys),
            ("GUESTLIST_CHANNELS", "slack"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otlp.fabrikam.com"),
            ("OTEL_EXPORTER_OTLP_HEADERS_SECRET", &headers),
        ]);
        let (wire, needs) = (Wire::network().unwrap(), Part::Notifications.needs());
        let mut secrets = Secrets::read_first(&environment, needs, &wire, at(0)).await.unwrap();
        Settings::read(&secrets.over(&environment), needs).unwrap();
        emulator::keep_secret(Kept::Secret, &headers, "api-key=hush");
        let newer = secrets.read_again(&wire, at(300), ENOUGH).await.unwrap();
        assert_eq!(newer.changed_since(&secrets), ["OTEL_EXPORTER_OTLP_HEADERS"]);
        Settings::read(&newer.over(&environment), needs).unwrap();
    }

    #[test]
    fn a_setting_of_two_kinds_and_one_of_lambda_alone_are_told() {
        let both = environment(&[("GUESTLIST_READ_CLIENT_SECRET_SECRET", "a"), (READER, "b")]);
        let missing = Settings::read(&both, Part::Assess.needs()).unwrap_err().to_string();
        assert!(
            missing.contains("GUESTLIST_READ_CLIENT_SECRET and GUESTLIST_READ_CLIENT_SECRET_SECRET are both set: unset one of them"),
            "{missing}"
        );
        assert!(Settings::kept_on_aws(&both, Part::Assess.needs()).is_empty());
        let local = Environment::of(vec![("GUESTLIST_READ_CLIENT_SECRET_SECRET".to_owned(), "a".to_owned())]);
        let missing = Settings::read(&local, Part::Assess.needs()).unwrap_err().to_string();
        assert!(
            missing
                .contains("is read by a function on AWS Lambda: set GUESTLIST_READ_CLIENT_SECRET_FILE here"),
            "{missing}"
        );
    }
}
