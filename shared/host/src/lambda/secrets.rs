//! The secrets that lie on AWS: read before the first event, and again when they may have changed. What cannot be read stays as it
//! was; a text is never told to anybody.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use wire::Wire;

use crate::aws::{Aws, AwsSettings, aws};
use crate::form::{KeptSecret, SecretPlace};
use crate::{Environment, Form, Needs, Settings};

/// A secret that was replaced is good for longer than that with everybody who replaces them in two steps.
const OLD_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// Of reads that somebody else sets off.
const AT_MOST_EVERY: SignedDuration = SignedDuration::from_secs(10);

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
    /// One of them cannot be read.
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
        secrets.texts = secrets.read(wire).await?;
        Ok(secrets)
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

    /// None: they are what they were.
    ///
    /// # Errors
    /// One of them cannot be read. It is tried again as if they had been read now.
    pub(super) async fn read_again(&mut self, wire: &Wire, now: Timestamp) -> anyhow::Result<Option<Self>> {
        self.read_at = now;
        let texts = self.read(wire).await?;
        let open = |texts: &BTreeMap<String, SecretString>| -> Vec<(String, String)> {
            texts.iter().map(|(name, text)| (name.clone(), text.expose_secret().to_owned())).collect()
        };
        let same = open(&texts) == open(&self.texts);
        Ok((!same).then(|| Self { texts, ..self.clone() }))
    }

    async fn read(&self, wire: &Wire) -> anyhow::Result<BTreeMap<String, SecretString>> {
        let mut texts = BTreeMap::new();
        let Some(settings) = &self.aws else { return Ok(texts) };
        let aws = Aws::new(wire.clone(), settings.clone());
        let mut problems = Vec::new();
        for KeptSecret { name, place } in &self.kept {
            let (setting, id, read) = match place {
                SecretPlace::Secret(id) => (format!("{name}_SECRET"), id, aws.secret(id).await),
                SecretPlace::Parameter(id) => (format!("{name}_PARAMETER"), id, aws.parameter(id).await),
            };
            match read {
                Ok(text) if text.expose_secret().trim().is_empty() => {
                    problems.push(format!("{setting}: `{id}` is empty: write the secret into it"));
                }
                Ok(text) => {
                    texts.insert(name.clone(), SecretString::from(text.expose_secret().trim().to_owned()));
                }
                Err(error) => problems.push(format!(
                    "{setting}: cannot read `{id}`: {error}; see that it is there, in this region, and that the function's role may read it"
                )),
            }
        }
        if problems.is_empty() { Ok(texts) } else { anyhow::bail!("{}", problems.join("\n  ")) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use emulator::Kept;

    use super::*;
    use crate::Part;

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
        assert!(secrets.read_again(&wire, at(300)).await.unwrap().is_none(), "nothing has changed");
        assert!(!secrets.are_old(at(301)));
        emulator::keep_secret(Kept::Secret, &secret, "newer");
        let newer = secrets.read_again(&wire, at(600)).await.unwrap().unwrap();
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
