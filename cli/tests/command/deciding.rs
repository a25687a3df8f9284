//! `guestlist approve` and `guestlist reject`: people decide here, and the process that serves acts.

use host::Store;
use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use model::{Answer, IncidentId, ObjectId, RequestId, RequestState, State, Step, TenantId};
use simulator::contoso;
use uuid::Uuid;

use crate::tenant::{GROUPS, Printed, Tenant, command, me, without_ids};

/// Guests who joined `Project Falcon`, each with the incident that waits.
async fn who_joined(tenant: &Tenant, names: &[&str]) -> (Uuid, Vec<(Uuid, String)>) {
    let falcon = tenant.group("Project Falcon");
    let mut joined = Vec::new();
    for name in names {
        let guest = tenant.invite_as(&format!("{}@fabrikam.com", name.to_lowercase()), Some(name));
        tenant.add(falcon, guest);
        joined.push((guest, tenant.until_state(guest, "waiting").await));
    }
    (falcon, joined)
}

/// The store of a tenant that nobody serves.
fn store(tenant: &Tenant) -> Store {
    let id: TenantId = contoso::TENANT.to_string().parse().unwrap();
    Store::open(&tenant.data(), id).unwrap()
}

fn masked(printed: &str) -> String {
    printed.lines().map(without_ids).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_shows_the_plan_is_carried_out_and_is_kept_with_name_and_reason() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve_under(GROUPS).await;
    let (falcon, joined) = who_joined(&tenant, &["Adele"]).await;
    let (adele, incident) = &joined[0];
    assert!(tenant.is_member(falcon, *adele), "nobody has decided");
    let another = tenant.run(&["approve", incident, "--plan", "0123456789abcdef", "--reason", "x"]);
    assert!(another.expect(4).stdout.contains("changed since"), "{another:?}");
    let no_plan = tenant.run(&["approve", incident, "--plan", "yes", "--reason", "x"]);
    assert!(no_plan.expect(2).stderr.contains("a plan's hash"), "{no_plan:?}");
    let approved = tenant.run(&["approve", incident, "--reason", "she left the project"]);
    assert_eq!(approved.expect(0).stdout, "approved; it is judged once more, and carried out\n");
    assert_snapshot!(masked(&approved.stderr), @"
    <id>  project-groups (medium)
      who    Adele (guest), adele@fabrikam.com
      would  take the account out of `Project Falcon` (<id>)
      why    the project's owner decides who works on it; the account is a member of `Project Falcon`, whose name matches `Project *`
      waits  because the mode is `ask`; since <when>, until <when>
    ");
    tenant.until("taken out", || !tenant.is_member(falcon, *adele)).await;
    assert_eq!(tenant.until_state(*adele, "done").await, *incident);
    let shown = tenant.run(&["incidents", "show", incident]).stdout;
    assert!(
        shown.contains(&format!("Approved by {} at ", me())) && shown.contains(": she left the project"),
        "{shown}"
    );
    let again = tenant.run(&["approve", incident, "--reason", "she left the project"]);
    assert!(again.expect(4).stdout.contains("waits for nobody's decision"), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_leaves_all_as_it_was_and_nobody_is_asked_again() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve_under(GROUPS).await;
    let (falcon, joined) = who_joined(&tenant, &["Adele"]).await;
    let (adele, incident) = &joined[0];
    drop(tenant.simulator.take_writes());
    let rejected = tenant.run(&["reject", incident, "--reason", "she works there", "--for", "2d"]);
    let said = rejected.expect(0).stdout.split_once("until ").unwrap();
    assert_eq!(said.0, "rejected; the rule is suspended for it ");
    let in_two_days = Timestamp::now().checked_add(SignedDuration::from_hours(48)).unwrap();
    let until: Timestamp = said.1.trim().parse().unwrap();
    assert!(until.duration_since(in_two_days).abs() < SignedDuration::from_mins(1), "{until}");
    tenant.until("told", || tenant.told_with("she works there") == 1).await;
    let titled =
        |user: &mut simulator::User| drop(user.other.insert("jobTitle".to_owned(), "Falconer".into()));
    let seen = tenant.simulator.traffic().requests;
    tenant.simulator.tenant().set(*adele, titled).unwrap();
    tenant.until("looked at", || tenant.simulator.traffic().requests > seen).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(tenant.until_state(*adele, "rejected").await, *incident);
    assert_eq!(tenant.incidents_of(*adele).len(), 1);
    assert!(tenant.is_member(falcon, *adele));
    assert_eq!(tenant.simulator.take_writes(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_listed_and_decided_together_once_somebody_says_yes() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve_under(GROUPS).await;
    let (falcon, joined) = who_joined(&tenant, &["Adele", "Lee"]).await;
    let nobody = tenant.run(&["approve", "--rule", "project-groups", "--reason", "the project is over"]);
    assert_eq!(nobody.expect(2).stdout, "");
    let last = nobody.stderr.lines().last().unwrap();
    assert_snapshot!(last, @"nothing was asked for: there is no terminal to ask on whether to approve these 2 incidents; name their ids, or say `--yes`");
    let rows: Vec<String> = nobody.stderr.lines().take(3).map(without_ids).collect();
    assert_snapshot!(rows.join("\n"), @"
    INCIDENT                RULE            WHAT                   WHO                 WHERE
    <id>  project-groups  take out of the group  adele@fabrikam.com  Project Falcon
    <id>  project-groups  take out of the group  lee@fabrikam.com    Project Falcon
    ");
    assert!(joined.iter().all(|(guest, _)| tenant.is_member(falcon, *guest)));
    let other = tenant.run(&["undo", "--rule", "project-groups", "--reason", "x", "--yes"]);
    assert_eq!(other.expect(4).stderr, "there is nothing to undo: see `guestlist incidents`\n");
    let line = ["approve", "--rule", "project-groups", "--since", "1h", "--yes", "--reason", "it is over"];
    let approved = tenant.run(&line);
    assert_snapshot!(masked(&approved.expect(0).stdout), @"
    INCIDENT                GUEST               RULE            ANSWER  WHAT
    <id>  adele@fabrikam.com  project-groups  done    approved; it is judged once more, and carried out
    <id>  lee@fabrikam.com    project-groups  done    approved; it is judged once more, and carried out
    ");
    for (guest, incident) in &joined {
        tenant.until("taken out", || !tenant.is_member(falcon, *guest)).await;
        assert_eq!(tenant.until_state(*guest, "done").await, *incident);
    }
    tenant.run(&line).expect(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_of_many_answers_is_the_worst_and_an_unknown_id_stops_all() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve_under(GROUPS).await;
    let (_, joined) = who_joined(&tenant, &["Adele", "Lee"]).await;
    let [(_, adele), (_, lee)] = joined.as_slice() else { panic!("two joined") };
    let unknown = tenant.run(&["approve", adele, "9f2c41d05be07a13-1", "--reason", "x"]);
    assert_eq!(unknown.expect(4).stdout, "");
    assert_snapshot!(unknown.stderr, @"there is no incident `9f2c41d05be07a13-1`: see `guestlist incidents`");
    assert_eq!(tenant.json(&["incidents", "--state", "waiting"]).as_array().unwrap().len(), 2);
    tenant.run(&["reject", adele, "--reason", "she works there"]).expect(0);
    let both =
        tenant.run(&["reject", adele, lee, adele, "--reason", "he works there, too", "--output", "json"]);
    let answers: serde_json::Value = serde_json::from_str(&both.expect(4).stdout).unwrap();
    let answers: Vec<(&str, &str)> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["incident"].as_str().unwrap(), one["answer"]["answer"].as_str().unwrap()))
        .collect();
    assert_eq!(answers, [(adele.as_str(), "refused"), (lee.as_str(), "done")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_for_the_plan_that_was_shown_and_for_no_other() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve_under(GROUPS).await;
    let (falcon, joined) = who_joined(&tenant, &["Adele"]).await;
    let (adele, incident) = &joined[0];
    assert_eq!(serve.terminate().code(), Some(0));
    let asked = tenant.run(&["approve", incident, "--reason", "x", "--wait", "0", "--output", "json"]);
    assert!(asked.expect(5).stderr.contains("nobody has answered within 0 s"), "{asked:?}");
    let asked: serde_json::Value = serde_json::from_str(&asked.stdout).unwrap();
    let request = RequestId(asked["request"].as_str().unwrap().to_owned());
    let store = store(&tenant);
    let id: IncidentId = incident.parse().unwrap();
    let mut stored = store.ledger.incident(&id).await.unwrap().unwrap();
    let user = stored.value.key.guest;
    stored.value.finding.plan.steps.push(Step::Disable { user });
    store.ledger.replace(stored).await.unwrap();
    store.close();
    let _serve = tenant.serve().await;
    let id: TenantId = contoso::TENANT.to_string().parse().unwrap();
    let store = Store::open(&tenant.data(), id).unwrap();
    let answer = loop {
        let stored = store.ledger.request(&request).await.unwrap().unwrap();
        match stored.value.state {
            RequestState::Answered { at: _, answer } => break answer,
            RequestState::Waiting => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    };
    let Answer::Refused { why } = answer else { panic!("{answer:?}") };
    assert!(why.starts_with("its plan or the account has changed since it was looked at"), "{why}");
    assert!(tenant.is_member(falcon, *adele) && tenant.is_enabled(*adele));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_chooses_those_that_wait_since_then_and_what_is_over_is_not_chosen() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve_under(GROUPS).await;
    let (_, joined) = who_joined(&tenant, &["Adele", "Lee"]).await;
    assert_eq!(serve.terminate().code(), Some(0));
    let store = store(&tenant);
    let now = Timestamp::now();
    let hours = |hours: i64| now.checked_add(SignedDuration::from_hours(hours)).unwrap();
    for ((_, incident), (since, until)) in
        joined.iter().zip([(hours(-2), hours(100)), (hours(-200), hours(-32))])
    {
        let id: IncidentId = incident.parse().unwrap();
        let mut stored = store.ledger.incident(&id).await.unwrap().unwrap();
        stored.value.state = State::Waiting { since, until };
        store.ledger.replace(stored).await.unwrap();
    }
    store.close();
    let reject = |since: &str| {
        tenant.run(&["reject", "--since", since, "--yes", "--reason", "x", "--wait", "0", "--output", "json"])
    };
    reject("1h").expect(4);
    let chosen = reject("3h");
    let chosen: serde_json::Value = serde_json::from_str(&chosen.expect(5).stdout).unwrap();
    assert_eq!(chosen.as_array().unwrap().len(), 1);
    assert_eq!(chosen[0]["incident"], joined[0].1.as_str());
    let two = [joined[0].1.as_str(), joined[1].1.as_str()];
    let asked = tenant.run(&["reject", two[0], two[1], "--reason", "x", "--wait", "0"]);
    assert_snapshot!(asked.expect(5).stderr.lines().last().unwrap(), @"nobody has answered within 0 s: `guestlist serve` is not running. 2 requests stay in the store, and are served as soon as somebody can");
    assert_eq!(asked.stdout.matches("not answered yet").count(), 2, "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_are_chosen_twenty_are_listed_and_the_others_counted() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve_under(GROUPS).await;
    let (_, joined) = who_joined(&tenant, &["Adele"]).await;
    assert_eq!(serve.terminate().code(), Some(0));
    let store = store(&tenant);
    let id: IncidentId = joined[0].1.parse().unwrap();
    let one = store.ledger.incident(&id).await.unwrap().unwrap().value;
    for n in 1..=24 {
        let mut other = one.clone();
        other.key.guest = ObjectId::from_u128(n);
        if n % 12 == 0 {
            other.key.rule = "other-groups".parse().unwrap();
        }
        other.id = IncidentId { slot: other.key.slot(), generation: 1 };
        other.opened_at =
            one.opened_at.checked_add(SignedDuration::from_secs(n.try_into().unwrap())).unwrap();
        store.ledger.open(other, None).await.unwrap();
    }
    store.close();
    let nobody = tenant.run(&["reject", "--since", "1h", "--reason", "x"]);
    let lines: Vec<&str> = nobody.expect(2).stderr.lines().collect();
    assert!(lines[0].starts_with("INCIDENT"), "{nobody:?}");
    assert!(lines[1..=20].iter().all(|line| line.contains("take out of the group")), "{nobody:?}");
    assert_snapshot!(lines[21..].join("\n"), @"
    and 5 more: 1 other-groups, 4 project-groups
    nothing was asked for: there is no terminal to ask on whether to reject these 25 incidents; name their ids, or say `--yes`
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_no_incident_ever_had_is_told_to_be_one() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve_under(GROUPS).await;
    let nina = tenant.invite("nina@northwind.example");
    tenant.until_done(nina).await;
    assert_eq!(serve.terminate().code(), Some(0));
    let said = "no incident ever had the rule `nosuch`: `guestlist validate` lists the rules\n";
    for command in ["approve", "reject", "undo"] {
        let printed = tenant.run(&[command, "--rule", "nosuch", "--reason", "x", "--yes"]);
        assert_eq!(printed.expect(4).stderr, said, "{command}");
    }
    assert_eq!(tenant.run(&["incidents", "--rule", "nosuch"]).expect(0).stderr, said);
    let other = tenant.run(&["incidents", "--rule", "otherwise.guest", "--state", "failed"]);
    assert_eq!(other.expect(0).stderr, "there are no such incidents\n");
}

/// Answers in a terminal, which `script` (of util-linux) provides. `None`: there is no such tool.
fn in_a_terminal(tenant: &Tenant, arguments: &str, answer: &str) -> Option<(Option<i32>, String)> {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &format!("{} {arguments}", env!("CARGO_BIN_EXE_guestlist")), "/dev/null"]);
    script.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default()).envs(tenant.environment());
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = script.spawn().ok()?;
    running.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let ended = running.wait_with_output().unwrap();
    Some((ended.status.code(), String::from_utf8_lossy(&ended.stdout).into_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_somebody_is_asked_and_only_a_yes_is_one() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve_under(GROUPS).await;
    let (falcon, joined) = who_joined(&tenant, &["Adele"]).await;
    let (adele, _) = &joined[0];
    let line = "approve --rule project-groups --reason over";
    for no in ["n\n", "\n", "approve\n"] {
        let Some((code, text)) = in_a_terminal(&tenant, line, no) else { return };
        assert_eq!(code, Some(4), "{text}");
        assert!(
            text.contains("approve this one incident? [y/N]") && text.contains("nothing was asked for"),
            "{text}"
        );
    }
    assert!(tenant.is_member(falcon, *adele));
    let (code, text) = in_a_terminal(&tenant, line, "y\n").unwrap();
    assert_eq!(code, Some(0), "{text}");
    tenant.until("taken out", || !tenant.is_member(falcon, *adele)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_or_an_owner_wrote_makes_no_line_of_the_list() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve_under(GROUPS).await;
    let group = tenant.group("Project \u{1b}[2J\u{202e}X\n  would  nothing at all");
    let guest = tenant.invite_as("adele@fabrikam.com", Some("A\n  would  nothing at all\u{9b}31m"));
    tenant.add(group, guest);
    let incident = tenant.until_state(guest, "waiting").await;
    // Dropping the tenant looks for what a terminal would obey.
    let printed: Printed = tenant.run(&["reject", &incident, "--reason", "x"]);
    let would: Vec<&str> =
        printed.expect(0).stderr.lines().filter(|line| line.starts_with("  would")).collect();
    assert_eq!(would.len(), 1, "{printed:?}");
    assert!(would[0].contains("take the account out of `Project"), "{would:?}");
    let unreachable = command(&["approve", &incident, "--reason", "x"]).output().unwrap();
    assert_eq!(unreachable.status.code(), Some(2), "without settings");
}
