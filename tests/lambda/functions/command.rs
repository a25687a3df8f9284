//! The operator's command, as he runs it against a deployment: with its places and his credentials in the environment, and nothing else.

use std::process::Command;

use emulator::proxy::Proxy;
use host::{Environment, Needs, Settings, Store};
use serde_json::Value;
use simulator::contoso;

use crate::stage::Stage;

/// Somebody with a shell.
#[derive(Clone)]
pub(crate) struct Operator {
    environment: Vec<(String, String)>,
}

/// What a command printed, and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Printed {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Printed {
    #[track_caller]
    pub(crate) fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "`{text}` is not in {self:?}");
        self
    }
}

impl Operator {
    /// What `infra/aws/environment` and `aws configure export-credentials` print, and where the emulator is.
    pub(crate) fn of(stage: &Stage) -> Self {
        let known = |name: &str| {
            ["AWS_", "GUESTLIST_TABLE", "GUESTLIST_TENANT_ID", "GUESTLIST_QUEUE_", "GUESTLIST_DEAD_"]
                .iter()
                .any(|one| name.starts_with(one))
        };
        let mut environment = stage.environment("steward");
        environment.retain(|(name, _)| known(name));
        environment.push(("AWS_REGION".to_owned(), emulator::REGION.to_owned()));
        Self { environment }
    }

    /// With this changed; what is empty counts as unset.
    pub(crate) fn with(&self, changed: &[(&str, &str)]) -> Self {
        let mut environment = self.environment.clone();
        environment.retain(|(name, _)| changed.iter().all(|(one, _)| one != name));
        environment.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self { environment }
    }

    /// With this key, and seen by the proxy, through which all but the question who this is goes.
    pub(crate) fn seen_by(&self, proxy: &Proxy, (id, secret): &(String, String)) -> Self {
        self.with(&[
            ("AWS_ENDPOINT_URL", &proxy.address),
            ("AWS_ENDPOINT_URL_STS", emulator::address()),
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ])
    }

    /// With an app of his own that reads, and a policy file.
    pub(crate) fn who_reads(&self, stage: &Stage, policy: &str) -> Self {
        self.with(&[
            ("GUESTLIST_LOGIN_URL", &stage.simulator.url()),
            ("GUESTLIST_GRAPH_URL", &stage.simulator.url()),
            ("GUESTLIST_READ_CLIENT_ID", &contoso::READER.to_string()),
            ("GUESTLIST_READ_CLIENT_SECRET", contoso::READER_SECRET),
            ("GUESTLIST_POLICY", policy),
        ])
    }

    /// What he asks, for a test that looks or writes there itself.
    pub(crate) fn store(&self) -> Store {
        let settings = Settings::read(&Environment::of(self.environment.clone()), Needs::ASKING).unwrap();
        Store::on_aws(&settings.aws.unwrap(), settings.tenant, &host::clock())
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Printed {
        // No test reaches a real service.
        let place = |name: &str| self.environment.iter().find(|(one, _)| one == name).map(|(_, value)| value);
        let is_here = place("AWS_ENDPOINT_URL").is_some_and(|place| place.starts_with("http://127.0.0.1:"));
        assert!(is_here, "AWS_ENDPOINT_URL would be a real service");
        let mut command = Command::new(env!("CARGO_BIN_EXE_lambda-guestlist"));
        command.args(arguments).env_clear().envs(self.environment.iter().cloned());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        Printed {
            code: output.status.code().expect("it ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The answer as JSON, whatever the exit code.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.run(&[arguments, &["--output", "json"]].concat()).await;
        serde_json::from_str(&printed.stdout).unwrap_or_else(|error| panic!("{error}: {printed:?}"))
    }
}

/// The operating system's user who runs the tests, as the record names him.
pub(crate) fn me() -> String {
    let id = |flag| Command::new("id").arg(flag).output().unwrap();
    let (name, number) = (id("-un"), id("-u"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    if name.status.success() { text(name.stdout) } else { format!("uid {}", text(number.stdout)) }
}
