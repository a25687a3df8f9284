//! One file a command. Each returns the exit code that its answer deserves.

mod asker;
mod breaker;
mod chat;
mod check;
mod choice;
mod dead;
mod decide;
mod demo;
mod doctor;
mod incidents;
mod requests;
mod resolve;
mod simulator;
mod status;
mod stop;
mod subscriptions;
mod undo;
mod validate;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::CommandFactory as _;
use graph::{Client, Reader};
use host::{Environment, Missing, Needs, Settings, Store};
use model::Mode;
use policy::{Named, Policy};
use wire::Wire;

use self::asker::asker;
use crate::args::{Arguments, Command};
use crate::exit::Exit;
use crate::out;

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let environment = Environment::of_the_process();
    let output = arguments.output;
    let logged = logged(&environment, &arguments.command);
    let traces = if matches!(arguments.command, Command::Serve) {
        host::start_logs_and_traces(&environment, &logged, "guestlist")
    } else {
        host::start_logs(&environment, &logged);
        None
    };
    match arguments.command {
        Command::Demo(demo) => demo::run(demo, output).await,
        Command::Serve => {
            host::serve(&environment, traces).await?;
            Ok(Exit::Well)
        }
        Command::Validate(validate) => validate::run(&environment, &validate, output),
        Command::Resolve(resolve) => resolve::run(&environment, &resolve, output).await,
        Command::Check(check) => check::run(&environment, &check, output).await,
        Command::Doctor(doctor) => doctor::run(&environment, &doctor, output).await,
        Command::Status => status::run(&environment, output).await,
        Command::Incidents(incidents) => incidents::run(&environment, incidents, output).await,
        Command::Approve(approve) => decide::approve(&environment, approve, output).await,
        Command::Reject(reject) => decide::reject(&environment, reject, output).await,
        Command::Undo(undo) => undo::run(&environment, undo, output).await,
        Command::Breaker(breaker) => breaker::run(&environment, breaker, output).await,
        Command::Stop(stop) => stop::stop(&environment, stop, output).await,
        Command::Resume(stop) => stop::resume(&environment, stop, output).await,
        Command::Dead(dead) => dead::run(&environment, dead, output).await,
        Command::Subscriptions => subscriptions::run(&environment, output).await,
        Command::Simulator(simulator) => simulator::run(simulator, output).await,
        Command::Schema => {
            out::json(&policy::json_schema())?;
            Ok(Exit::Well)
        }
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            // Into memory first: the generator panics where nobody reads.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "guestlist", &mut script);
            out::script(&script)?;
            Ok(Exit::Well)
        }
    }
}

/// What is logged unless `GUESTLIST_LOG` says otherwise. The demo's story is told without: what it provokes is told in it.
fn logged(environment: &Environment, command: &Command) -> String {
    if matches!(command, Command::Demo(_)) {
        let asked_for = environment.get("RUST_LOG").filter(|filter| !filter.is_empty());
        return asked_for.unwrap_or_else(|| "off".to_owned());
    }
    let serves = matches!(command, Command::Serve);
    if serves { "info" } else { "error" }.to_owned()
}

/// The settings and the store, for a command that needs no credential of Graph.
async fn open(environment: &Environment) -> anyhow::Result<(Settings, Store)> {
    let settings = Settings::read(environment, Needs::ASKING)?;
    let Some(store) = store_of(&settings).await? else {
        let path = Store::path(&settings.data);
        let what = "GUESTLIST_DATA: there is no store at";
        let mend = "set it to the folder of the running `guestlist serve`, or see `infra/aws` for a deployment on AWS";
        return Err(Missing(vec![format!("{what} `{}`; {mend}", path.display())]).into());
    };
    Ok((settings, store))
}

/// The store that the settings name. `None`: nobody has made it on this machine yet, and a command does not.
async fn store_of(settings: &Settings) -> anyhow::Result<Option<Store>> {
    if let Some(aws) = &settings.aws {
        let store = Store::on_aws(aws, settings.tenant, &host::clock());
        store.reach(aws).await?;
        return Ok(Some(store));
    }
    let there = Store::path(&settings.data).exists();
    if there { Store::open(&settings.data, settings.tenant).map(Some) } else { Ok(None) }
}

/// The operator's. Of a deployment on AWS it is what whoever judges was told, and as long as nobody has judged, what is set here.
async fn ceiling(settings: &Settings, store: &Store) -> anyhow::Result<Mode> {
    let judges = if store.is_on_aws() { store.ledger.in_force().await? } else { None };
    Ok(judges.and_then(|stored| status::ceiling_of(&stored.value)).unwrap_or(settings.ceiling))
}

/// The settings and Graph, for a command that only reads the tenant. With `policy`, `GUESTLIST_POLICY` has to be set.
fn reader_of(environment: &Environment, policy: bool) -> anyhow::Result<(Settings, Reader)> {
    let settings = Settings::read(environment, Needs { read: true, policy, ..Needs::ASKING })?;
    let Some(reader) = &settings.reader else { anyhow::bail!("the app that reads is not set") };
    let client = Client::new(
        Wire::network()?,
        settings.endpoints.clone(),
        reader.app.clone(),
        host::clock(),
        Duration::from_secs(120),
    );
    let reader = Reader::new(client);
    Ok((settings, reader))
}

/// What the groups' names in the policy mean today.
async fn named_groups(reader: &Reader, policy: &Policy) -> BTreeMap<String, Named> {
    let mut all = BTreeMap::new();
    for name in policy.group_names() {
        let named = match reader.groups_named(&name).await {
            Ok(ids) => match ids.as_slice() {
                [] => Named::Nobody,
                [id] => Named::One(*id),
                _several => Named::Several(ids),
            },
            Err(error) => Named::Unread { why: error.to_string() },
        };
        all.insert(name, named);
    }
    all
}

/// The queues under the names that `dead` and `status` use.
fn queues(store: &Store) -> [(&'static str, &queue::Queue); 4] {
    let Store { queues, .. } = store;
    let [changes, remediations, alerts, chores] = crate::args::QUEUES;
    [
        (changes, &queues.changes),
        (remediations, &queues.remediations),
        (alerts, &queues.alerts),
        (chores, &queues.chores),
    ]
}

/// The policy's path, from the command line or the settings.
fn policy_path(
    environment: &Environment,
    given: Option<&std::path::Path>,
) -> anyhow::Result<std::path::PathBuf> {
    match given {
        Some(path) => Ok(path.to_owned()),
        None => environment
            .get("GUESTLIST_POLICY")
            .filter(|path| !path.is_empty())
            .map(std::path::PathBuf::from)
            .ok_or_else(|| {
                let what = "GUESTLIST_POLICY is not set: the path of the policy file, which may be given as an argument, too";
                Missing(vec![what.to_owned()]).into()
            }),
    }
}
