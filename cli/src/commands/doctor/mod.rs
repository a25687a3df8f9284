//! `guestlist doctor`: everything that can be known before the first notification comes.

mod deployed;

use std::collections::BTreeSet;
use std::time::Duration;

use alert::about_notice;
use graph::{Client, Reader};
use host::{AppSettings, Environment, InvalidPolicy, Missing, Needs, Settings, Store, clock};
use jiff::Timestamp;
use model::{Mode, Notice, NoticeKind, ObjectId, Permission, Stop};
use policy::Policy;
use responder::{CanarySettings, SubscriptionKeeper};
use serde::Serialize;
use wire::{Call, Wire};

use super::{named_groups, store_of, words};
use crate::args::{Doctor, Output};
use crate::exit::Exit;
use crate::out::{self, Colour};

/// Seconds that the clock may be off: tokens and signatures allow five minutes.
const MOST_SKEW: i64 = 60;

#[derive(Serialize)]
struct Finding {
    well: bool,
    /// It works, and somebody should know.
    warning: bool,
    what: String,
    /// What is wrong and how to mend it, or what was seen.
    detail: String,
}

#[derive(Default)]
struct Report(Vec<Finding>);

impl Report {
    fn well(&mut self, what: &str, detail: impl Into<String>) {
        self.0.push(Finding { well: true, warning: false, what: what.to_owned(), detail: detail.into() });
    }

    fn warn(&mut self, what: &str, detail: impl Into<String>) {
        self.0.push(Finding { well: true, warning: true, what: what.to_owned(), detail: detail.into() });
    }

    fn wrong(&mut self, what: &str, detail: impl Into<String>) {
        self.0.push(Finding { well: false, warning: false, what: what.to_owned(), detail: detail.into() });
    }
}

pub(crate) async fn run(environment: &Environment, doctor: &Doctor, output: Output) -> anyhow::Result<Exit> {
    let mut report = Report::default();
    let deployed = environment.get("GUESTLIST_TABLE").is_some_and(|table| !table.is_empty());
    let needs = if deployed { Needs::ASKING } else { Needs::everything() };
    match Settings::read(environment, needs) {
        Ok(settings) if deployed => deployed::examine(&settings, doctor, &mut report).await?,
        Ok(settings) => examine(&settings, doctor, &mut report).await?,
        Err(Missing(problems)) => problems.into_iter().for_each(|problem| report.wrong("settings", problem)),
    }
    let well = report.0.iter().all(|finding| finding.well);
    out::show(output, &report.0, |findings| findings.iter().try_for_each(print))?;
    Ok(if well { Exit::Well } else { Exit::NotWell })
}

fn print(finding: &Finding) -> anyhow::Result<()> {
    let mark = match (finding.well, finding.warning) {
        (false, _) => ("WRONG", Colour::Red),
        (true, true) => ("warn ", Colour::Yellow),
        (true, false) => ("ok   ", Colour::Green),
    };
    out::painted(&[mark, (&format!("  {}: {}", finding.what, finding.detail), Colour::Plain)])
}

async fn examine(settings: &Settings, doctor: &Doctor, report: &mut Report) -> anyhow::Result<()> {
    let wire = Wire::network()?;
    report.well("settings", "complete");
    store(settings, report).await;
    ceiling(settings.ceiling, report);
    let policy = policy(settings, report);
    skew(settings, &wire, report).await;
    let reads = SubscriptionKeeper::PERMISSIONS;
    let reader = app(settings, settings.reader.as_ref(), "app that reads", Some(&reads), &wire, report).await;
    let needed: Option<Vec<Permission>> = policy.as_ref().map(|policy| {
        let mut needed = policy.write_permissions();
        needed.extend(settings.canary.iter().flat_map(|_| CanarySettings::PERMISSIONS));
        needed.into_iter().collect()
    });
    app(settings, settings.writer.as_ref(), "app that writes", needed.as_deref(), &wire, report).await;
    if let (Some(reader), Some(policy)) = (reader, policy) {
        tenant(&reader, &policy, report).await;
    }
    callback(settings, &wire, report).await;
    if doctor.send_test {
        send_test(settings, &wire, report).await;
    }
    Ok(())
}

/// A store is not made here: it would belong to whoever asks, not to whoever serves.
async fn store(settings: &Settings, report: &mut Report) {
    let folder = settings.data.display();
    match store_of(settings).await {
        Ok(None) => report.well("store", format!("`{folder}` has none yet: `guestlist serve` makes it")),
        Ok(Some(store)) => {
            report.well("store", format!("`{folder}`"));
            held(&store, report).await;
        }
        Err(error) => report.wrong("store", format!("{error:#}")),
    }
}

/// Whoever wonders why nothing is done finds it here.
async fn held(store: &Store, report: &mut Report) {
    match store.ledger.stop().await {
        Ok(None) => report.well("writes", "they are not stopped"),
        Ok(Some(Stop { since, by, reason, ended: _ })) => {
            let since = words::seconds(since);
            let said =
                format!("stopped since {since} by {by}: {reason}; `guestlist resume` allows them again");
            report.warn("writes", said);
        }
        Err(error) => report.wrong("writes", format!("failed to read whether they are stopped: {error}")),
    }
}

fn ceiling(ceiling: Mode, report: &mut Report) {
    match ceiling {
        Mode::Observe => {
            report.warn("ceiling", "GUESTLIST_AT_MOST is `observe`: nothing is written to the tenant");
        }
        Mode::Ask | Mode::Enforce => {
            report.well("ceiling", format!("GUESTLIST_AT_MOST is `{ceiling}`: no rule goes further"));
        }
    }
}

fn policy(settings: &Settings, report: &mut Report) -> Option<Policy> {
    let path = settings.policy.as_ref()?.file()?;
    match host::load_policy(path) {
        Ok(policy) => {
            report.well("policy", format!("`{}`, {} rules", policy.hash(), policy.rules().len()));
            Some(policy)
        }
        Err(InvalidPolicy { problems }) => {
            problems.into_iter().for_each(|problem| report.wrong("policy", problem));
            None
        }
    }
}

/// Whether the app gets a token, and with which roles. Microsoft calls access tokens opaque: what is read from one here
/// is a hint, never a decision.
async fn app(
    settings: &Settings,
    app: Option<&AppSettings>,
    what: &str,
    needed: Option<&[Permission]>,
    wire: &Wire,
    report: &mut Report,
) -> Option<Reader> {
    let app = app?.app.clone();
    let endpoints = settings.endpoints.clone();
    let client = Client::new(wire.clone(), endpoints, app, clock(), Duration::from_secs(5));
    let granted: BTreeSet<String> = match client.granted_roles().await {
        Ok(Some(roles)) => roles.into_iter().collect(),
        Ok(None) => {
            report.well(what, "gets a token, whose roles cannot be read here");
            return Some(Reader::new(client));
        }
        Err(error) => {
            report.wrong(what, format!("failed to {error}"));
            return None;
        }
    };
    match needed {
        Some(needed) => compare(needed, &granted, is_shared(settings), what, report),
        None => report.well(what, format!("has {}; what it needs is in the policy", listed(&granted))),
    }
    Some(Reader::new(client))
}

fn compare(needed: &[Permission], granted: &BTreeSet<String>, shared: bool, what: &str, report: &mut Report) {
    let missing: Vec<&str> = needed.iter().map(|one| one.0).filter(|role| !covered(role, granted)).collect();
    if missing.is_empty() {
        report.well(what, format!("has {}", listed(granted)));
    } else {
        report.wrong(
            what,
            format!(
                "lacks {}: grant it as an application permission, with admin consent",
                missing.join(", ")
            ),
        );
    }
    let more: BTreeSet<String> =
        granted.iter().filter(|role| !needed.iter().any(|one| one.0 == role.as_str())).cloned().collect();
    if !more.is_empty() && !shared {
        report.warn(what, format!("has more than it needs: {}", listed(&more)));
    }
}

/// Whether a permission was granted, or a broader one that includes it.
fn covered(needed: &str, granted: &BTreeSet<String>) -> bool {
    let broader: &[&str] = match needed {
        "GroupMember.ReadWrite.All" => &["Group.ReadWrite.All", "Directory.ReadWrite.All"],
        "Group.ReadWrite.All" => &["Directory.ReadWrite.All"],
        "User.EnableDisableAccount.All" => &["User.ReadWrite.All", "Directory.ReadWrite.All"],
        "User.DeleteRestore.All" => &["User.ReadWrite.All"],
        "User.Read.All" => &["User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
        "Group.Read.All" => &["Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
        "GroupMember.Read.All" => &[
            "GroupMember.ReadWrite.All",
            "Group.Read.All",
            "Group.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
        _ => &[],
    };
    granted.contains(needed) || broader.iter().any(|one| granted.contains(*one))
}

/// On one machine one app registration may serve both, and then each has what the other needs.
fn is_shared(settings: &Settings) -> bool {
    match (&settings.reader, &settings.writer) {
        (Some(reader), Some(writer)) => reader.app.client_id == writer.app.client_id,
        (None | Some(_), None | Some(_)) => false,
    }
}

fn listed(roles: &BTreeSet<String>) -> String {
    if roles.is_empty() {
        "no application permission".to_owned()
    } else {
        roles.iter().cloned().collect::<Vec<_>>().join(", ")
    }
}

async fn tenant(reader: &Reader, policy: &Policy, report: &mut Report) {
    match reader.organization().await {
        Ok(organization) => {
            let name = organization.display_name.unwrap_or_else(|| "(no name)".to_owned());
            report.well("tenant", format!("{name}, {}", organization.verified_domains.join(", ")));
        }
        Err(error) => report.wrong("tenant", format!("failed to {error}")),
    }
    for id in policy.protected_users() {
        named(reader, *id, "protected user", "protect", report).await;
    }
    for id in policy.excepted_guests() {
        named(reader, id, "excepted guest", "exceptions", report).await;
    }
    let ids: Vec<ObjectId> = policy.group_ids().into_iter().collect();
    for (id, read) in reader.groups(&ids).await {
        match read {
            Ok(_) => report.well("policy", format!("group {id} is there")),
            Err(graph::GraphError::NotFound { code: _, trace: _ }) => {
                report.wrong(
                    "policy",
                    format!("group {id} is not in the tenant: mend its place in the policy"),
                );
            }
            Err(error) => report.wrong("policy", format!("group {id}: failed to {error}")),
        }
    }
    groups(reader, policy, report).await;
}

/// A group's name that means nobody in particular admits nobody, and protects nobody for certain.
async fn groups(reader: &Reader, policy: &Policy, report: &mut Report) {
    let names = policy.group_names();
    if names.is_empty() {
        return;
    }
    let unsettled = policy.unsettled_names(&named_groups(reader, policy).await);
    for problem in &unsettled {
        report.wrong("policy", problem.to_string());
    }
    if unsettled.is_empty() {
        let detail = "of groups mean one group each today: `guestlist resolve --write` keeps it so";
        report.well("policy", format!("{} names {detail}", names.len()));
    }
}

/// An id in the policy that names nobody protects nobody.
async fn named(reader: &Reader, id: ObjectId, what: &str, place: &str, report: &mut Report) {
    match reader.user(id).await {
        Ok(_) => report.well("policy", format!("{what} {id} is there")),
        Err(graph::GraphError::NotFound { code: _, trace: _ }) => {
            report.wrong("policy", format!("{what} {id} is not in the tenant: mend `{place}`"));
        }
        Err(error) => report.wrong("policy", format!("{what} {id}: failed to {error}")),
    }
}

async fn skew(settings: &Settings, wire: &Wire, report: &mut Report) {
    let host = settings.endpoints.login.host_str().unwrap_or("the sign-in service").to_owned();
    let reply = match wire.send(Call::get(settings.endpoints.login.clone())).await {
        Ok(reply) => reply,
        Err(error) => return report.wrong("clock", error.to_string()),
    };
    let date = reply.headers.get(http::header::DATE).and_then(|date| date.to_str().ok());
    let there = date.and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
    match there {
        None => report.wrong("clock", format!("{host} tells no time")),
        Some(there) => {
            let off = Timestamp::now().duration_since(there).as_secs();
            if off.abs() <= MOST_SKEW {
                report.well("clock", format!("{} s off that of {host}", off.abs()));
            } else {
                report
                    .wrong("clock", format!("{} s off that of {host}: set this machine's clock", off.abs()));
            }
        }
    }
}

/// Does what Graph does when a subscription is made.
async fn callback(settings: &Settings, wire: &Wire, report: &mut Report) {
    const TOKEN: &str = "guestlist doctor: is anybody there?";
    let Some(receivers) = settings.receivers() else { return };
    let host = settings.public_url.as_ref().and_then(|url| url.host_str());
    if let Some(host) = host.filter(|host| host.ends_with(".example")) {
        return report
            .warn("callback", format!("`{host}` is a made-up name (RFC 2606): it was not looked up"));
    }
    let (passed_on, behind) = if settings.aws.is_some() {
        ("is the stack's parameter PublicUrl right?", "is the stack's parameter PublicUrl right?")
    } else {
        ("does your proxy pass it on to GUESTLIST_LISTEN?", "is `guestlist serve` running behind your proxy?")
    };
    for url in [receivers.notifications, receivers.lifecycle] {
        let asked = url::Url::parse_with_params(&url, [("validationToken", TOKEN)]);
        let Ok(asked) = asked else { continue };
        match wire.send(Call::post(asked, "")).await {
            Ok(reply) if reply.status == http::StatusCode::OK && reply.body.as_ref() == TOKEN.as_bytes() => {
                report.well("callback", format!("{url} answers"));
            }
            Ok(reply) => report.wrong("callback", format!("{url} answered {}: {passed_on}", reply.status)),
            Err(error) => report.wrong("callback", format!("{url}: {error}; {behind}")),
        }
    }
}

async fn send_test(settings: &Settings, wire: &Wire, report: &mut Report) {
    let now = Timestamp::now();
    let text = "a test message of `guestlist doctor`".to_owned();
    let key = format!("test/{}", now.as_second());
    let notice = Notice::new(key, NoticeKind::Test, text, &[], now);
    let message = about_notice(&notice, 0);
    for channel in &settings.channels.channels {
        let what = format!("channel `{}`", channel.name());
        match channel.send(wire, &message, None, now).await {
            Ok(_) => report.well(&what, format!("took a test message: {}", channel.taken_means())),
            Err(error) => report.wrong(&what, format!("took no test message: {error}")),
        }
    }
}
