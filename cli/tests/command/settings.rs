//! Settings: what is missing or wrong is told all at once, each with its fix.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use host::{Environment, Needs, Part, Settings};
use insta::assert_snapshot;

use crate::tenant::{POLICY, Tenant, run};

/// What the settings that `changed` changes are told, below a folder that is left out.
#[track_caller]
fn told(tenant: &Tenant, changed: &[(&str, &str)]) -> String {
    let printed = tenant.run_with(changed, &["serve"]);
    assert_eq!(printed.expect(2).stdout, "");
    printed.stderr.replace(&format!("{}/", tenant.folder.path().display()), "")
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    assert_snapshot!(run(&["serve"]).expect(2).stderr, @"
    error: 8 settings are missing or wrong:
      GUESTLIST_TENANT_ID is not set: the tenant's id, from the overview page of Entra
      GUESTLIST_PUBLIC_URL is not set: the https address under which Microsoft Graph reaches this receiver, like `https://guestlist.contoso.com`
      GUESTLIST_READ_CLIENT_ID is not set: the application (client) id of the app registration
      GUESTLIST_READ_CERTIFICATE_FILE with GUESTLIST_READ_KEY_FILE, GUESTLIST_READ_ASSERTION_FILE, or GUESTLIST_READ_CLIENT_SECRET_FILE, is not set: the app's credential
      GUESTLIST_WRITE_CLIENT_ID is not set: the application (client) id of the app registration
      GUESTLIST_WRITE_CERTIFICATE_FILE with GUESTLIST_WRITE_KEY_FILE, GUESTLIST_WRITE_ASSERTION_FILE, or GUESTLIST_WRITE_CLIENT_SECRET_FILE, is not set: the app's credential
      GUESTLIST_POLICY is not set: the path of the policy file
      none of these is set, and people have to be told somewhere: GUESTLIST_SLACK_WEBHOOK_URL_FILE or GUESTLIST_SLACK_BOT_TOKEN_FILE; GUESTLIST_TEAMS_WEBHOOK_URL_FILE; GUESTLIST_PAGERDUTY_ROUTING_KEY_FILE; GUESTLIST_WEBHOOK_URL_FILE with GUESTLIST_WEBHOOK_SECRET_FILE
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_is_told_at_once() {
    let tenant = Tenant::start().await;
    let wrong = [
        ("GUESTLIST_TENANT_ID", "contoso.onmicrosoft.com"),
        ("GUESTLIST_CLOUD", "mars"),
        ("GUESTLIST_PUBLIC_URL", "http://guestlist.example/hooks"),
        ("GUESTLIST_LISTEN", "8080"),
        ("GUESTLIST_ADMIN_LISTEN", "9464"),
        ("GUESTLIST_CANARY_USER", "guestlist-canary@contoso.com"),
        ("GUESTLIST_CANARY_GROUP", "guestlist-canary"),
        ("GUESTLIST_CANARY_WITHIN", "2h"),
        ("GUESTLIST_POLICY", "/not/there.yaml"),
        ("GUESTLIST_READ_CLIENT_ID", "guestlist-reader"),
        ("GUESTLIST_AT_MOST", "everything"),
        ("GUESTLIST_SLACK_WEBHOOK_URL", "hooks.slack.com/services/x"),
        ("GUESTLIST_CHANNELS", "email"),
        ("GUESTLIST_LOG", "loud=="),
        ("GUESTLIST_LOG_FORMAT", "xml"),
    ];
    assert_snapshot!(told(&tenant, &wrong), @r#"
    error: 15 settings are missing or wrong:
      GUESTLIST_TENANT_ID: `contoso.onmicrosoft.com` is not a tenant id (a GUID of 36 characters)
      GUESTLIST_LISTEN: `8080` is not an address and port, like `127.0.0.1:8080`
      GUESTLIST_ADMIN_LISTEN: `9464` is not an address and port, like `127.0.0.1:9464`
      GUESTLIST_PUBLIC_URL: `http://guestlist.example/hooks` is not https, and Microsoft Graph sends to nothing else
      GUESTLIST_CLOUD: `mars` is not a cloud: use `global`, `us-gov`, `us-gov-dod` or `china`
      GUESTLIST_READ_CLIENT_ID: `guestlist-reader` is not an application (client) id (a GUID of 36 characters)
      GUESTLIST_POLICY: cannot read `/not/there.yaml`: No such file or directory (os error 2)
      GUESTLIST_AT_MOST: `everything` is not one of `observe`, `ask`, `enforce`
      GUESTLIST_SLACK_WEBHOOK_URL: failed to use the URL of the channel `slack`: it is not a URL; it starts with `https://`
      GUESTLIST_CHANNELS: `email` is not a channel: use slack, teams, pagerduty, webhook
      GUESTLIST_CANARY_USER: `guestlist-canary@contoso.com` is not an object id (a GUID of 36 characters)
      GUESTLIST_CANARY_GROUP: `guestlist-canary` is not an object id (a GUID of 36 characters)
      GUESTLIST_CANARY_WITHIN: `2h` is not a time between `1m` and `60m`
      GUESTLIST_LOG: `loud==` is not a filter like `info` or `info,guestlist_graph=debug` (invalid filter directive: too many '=' in filter directive, expected 0 or 1)
      GUESTLIST_LOG_FORMAT: `xml` is not a format of logs: use `text` or `json`
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_would_show_credentials_is_refused() {
    let tenant = Tenant::start().await;
    let wrong = [
        ("GUESTLIST_GRAPH_URL", "http://graph.microsoft.com"),
        ("GUESTLIST_PUBLIC_URL", "https://a.example/x"),
    ];
    assert_snapshot!(told(&tenant, &wrong), @"
    error: 2 settings are missing or wrong:
      GUESTLIST_PUBLIC_URL: `https://a.example/x` has a path or query: leave it at the host
      GUESTLIST_LOGIN_URL or GUESTLIST_GRAPH_URL: `http://graph.microsoft.com` is not safe: write `https://` (plain `http://` is taken for this machine alone)
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn monitoring_is_answered_on_this_machine_alone_and_half_a_canary_is_told() {
    let tenant = Tenant::start().await;
    let id = "ca201000-0000-4000-8000-000000000003";
    let wrong = [("GUESTLIST_ADMIN_LISTEN", "0.0.0.0:9464"), ("GUESTLIST_CANARY_USER", id)];
    assert_snapshot!(told(&tenant, &wrong), @"
    error: 2 settings are missing or wrong:
      GUESTLIST_ADMIN_LISTEN: `0.0.0.0:9464` is not of this machine alone, and whoever asks there is answered: use 127.0.0.1 or [::1], with an agent or a proxy of yours on this machine that asks who it is
      GUESTLIST_CANARY_GROUP is not set: the object id of the group that GUESTLIST_CANARY_USER joins and leaves
    ");
    let wrong = [("GUESTLIST_ADMIN_LISTEN", "[2001:db8::1]:9464"), ("GUESTLIST_CANARY_GROUP", id)];
    assert_snapshot!(told(&tenant, &wrong), @"
    error: 2 settings are missing or wrong:
      GUESTLIST_ADMIN_LISTEN: `[2001:db8::1]:9464` is not of this machine alone, and whoever asks there is answered: use 127.0.0.1 or [::1], with an agent or a proxy of yours on this machine that asks who it is
      GUESTLIST_CANARY_USER is not set: the object id of the account that joins and leaves GUESTLIST_CANARY_GROUP
    ");
    assert_snapshot!(told(&tenant, &[("GUESTLIST_CANARY_WITHIN", "0m")]), @"
    error: 2 settings are missing or wrong:
      GUESTLIST_CANARY_WITHIN is set, and there is no canary: set GUESTLIST_CANARY_USER and GUESTLIST_CANARY_GROUP, too
      GUESTLIST_CANARY_WITHIN: `0m` is not a time between `1m` and `60m`
    ");
    let pair = [("GUESTLIST_CANARY_USER", id), ("GUESTLIST_CANARY_GROUP", id)];
    for within in ["0m", "61m", "2h", "30", "m", "-5m", "30s", "99999999999999999999m"] {
        let said = told(&tenant, &[pair[0], pair[1], ("GUESTLIST_CANARY_WITHIN", within)]);
        let expected = format!("GUESTLIST_CANARY_WITHIN: `{within}` is not a time between `1m` and `60m`");
        assert!(said.contains(&expected), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_has_one_place_and_can_be_read_there() {
    let tenant = Tenant::start().await;
    let (secret, empty) = (tenant.folder.path().join("secret"), tenant.folder.path().join("empty"));
    std::fs::write(&secret, "reader-secret-of-the-simulator\n").unwrap();
    std::fs::write(&empty, "\n").unwrap();
    let wrong = [
        ("GUESTLIST_READ_CLIENT_SECRET_FILE", secret.to_str().unwrap()),
        ("GUESTLIST_WRITE_CLIENT_SECRET", ""),
        ("GUESTLIST_WRITE_CLIENT_SECRET_FILE", "/not/there"),
        ("GUESTLIST_SLACK_WEBHOOK_URL", ""),
        ("GUESTLIST_SLACK_WEBHOOK_URL_FILE", empty.to_str().unwrap()),
        ("GUESTLIST_WEBHOOK_SECRET", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
    ];
    assert_snapshot!(told(&tenant, &wrong), @"
    error: 4 settings are missing or wrong:
      GUESTLIST_READ_CLIENT_SECRET and GUESTLIST_READ_CLIENT_SECRET_FILE are both set: unset one of them
      GUESTLIST_WRITE_CLIENT_SECRET_FILE: cannot read `/not/there`: No such file or directory (os error 2)
      GUESTLIST_SLACK_WEBHOOK_URL_FILE: `empty` is empty: write the secret into it
      GUESTLIST_WEBHOOK_URL_FILE is not set: where the messages go that GUESTLIST_WEBHOOK_SECRET signs
    ");
    let right = [
        ("GUESTLIST_READ_CLIENT_SECRET", ""),
        ("GUESTLIST_READ_CLIENT_SECRET_FILE", secret.to_str().unwrap()),
    ];
    tenant.run_with(&right, &["check", "--all"]).expect(0);
}

fn fixture(name: &str) -> String {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("shared/simulator/tests/fixtures");
    folder.join(name).to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_and_its_key_serve_as_well_and_a_half_of_them_is_told() {
    let certificate = fixture("test-only-certificate.pem");
    let pem = std::fs::read_to_string(&certificate).unwrap();
    let tenant = Tenant::with(|options| options.apps[0].certificate_pem = Some(pem)).await;
    let key = fixture("test-only-key.pem");
    let both = [
        ("GUESTLIST_READ_CLIENT_SECRET", ""),
        ("GUESTLIST_READ_CERTIFICATE_FILE", certificate.as_str()),
        ("GUESTLIST_READ_KEY_FILE", key.as_str()),
    ];
    tenant.run_with(&both, &["check", "--all"]).expect(0);
    let without_key = [both[0], both[1]];
    assert_snapshot!(told(&tenant, &without_key), @"
    error: 1 setting is missing or wrong:
      GUESTLIST_READ_KEY_FILE is not set: the private key of GUESTLIST_READ_CERTIFICATE_FILE
    ");
    let without_certificate = [both[0], both[2]];
    assert_snapshot!(told(&tenant, &without_certificate), @"
    error: 1 setting is missing or wrong:
      GUESTLIST_READ_CERTIFICATE_FILE is not set: the certificate of GUESTLIST_READ_KEY_FILE
    ");
    assert_snapshot!(told(&tenant, &[both[1], both[2]]), @"
    error: 1 setting is missing or wrong:
      GUESTLIST_READ_CLIENT_SECRET and GUESTLIST_READ_CERTIFICATE_FILE are both set: unset one of them
    ");
    let swapped = [both[0], ("GUESTLIST_READ_CERTIFICATE_FILE", key.as_str()), both[2]];
    assert_snapshot!(told(&tenant, &swapped), @"
    error: 1 setting is missing or wrong:
      GUESTLIST_READ_CERTIFICATE_FILE with GUESTLIST_READ_KEY_FILE: the certificate has no `-----BEGIN CERTIFICATE-----` block: give it in PEM form
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_an_issuer_that_the_app_trusts_is_read_from_its_file_when_it_is_needed() {
    let tenant = Tenant::start().await;
    let file = tenant.folder.path().join("assertion");
    let path = file.to_str().unwrap();
    let federated = [("GUESTLIST_READ_CLIENT_SECRET", ""), ("GUESTLIST_READ_ASSERTION_FILE", path)];
    assert!(told(&tenant, &federated).contains("GUESTLIST_READ_ASSERTION_FILE: cannot read `"));
    std::fs::write(&file, "not a token\n").unwrap();
    assert_snapshot!(told(&tenant, &[federated[1]]), @"
    error: 1 setting is missing or wrong:
      GUESTLIST_READ_CLIENT_SECRET and GUESTLIST_READ_ASSERTION_FILE are both set: unset one of them
    ");
    let refused = tenant.run_with(&federated, &["check", "--all"]);
    assert!(refused.stderr.contains("AADSTS700027"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_aws_are_for_a_function_and_an_address_of_pages_is_a_short_one_of_https() {
    let tenant = Tenant::start().await;
    let long = format!("https://{}.contoso.com", "a".repeat(120));
    assert_snapshot!(told(&tenant, &[
        ("GUESTLIST_READ_CLIENT_SECRET", ""),
        ("GUESTLIST_READ_FEDERATION", "aws-sts"),
        ("GUESTLIST_WRITE_FEDERATION", "aws"),
        ("GUESTLIST_APPROVALS_URL", "http://guestlist.contoso.com"),
    ]), @"
    error: 3 settings are missing or wrong:
      GUESTLIST_APPROVALS_URL: `http://guestlist.contoso.com` is not https, and a page shows personal data
      GUESTLIST_READ_FEDERATION: `aws-sts` is for a function on AWS Lambda, which has a role: set GUESTLIST_READ_CERTIFICATE_FILE or GUESTLIST_READ_ASSERTION_FILE here
      GUESTLIST_WRITE_FEDERATION: `aws` is no issuer of tokens: use `aws-sts`, or unset it
    ");
    let said = told(&tenant, &[("GUESTLIST_APPROVALS_URL", &long)]);
    assert!(said.contains("GUESTLIST_APPROVALS_URL: it is longer than 120 characters"), "{said}");
    let said = told(&tenant, &[("GUESTLIST_APPROVALS_URL", "https://contoso.com/guests")]);
    assert!(said.contains("has a path or query: leave it at the host"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_needs_no_credential_asks_for_none() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve().await;
    assert_eq!(serve.terminate().code(), Some(0));
    let few = ["READ_CLIENT_ID", "READ_CLIENT_SECRET", "WRITE_CLIENT_ID", "WRITE_CLIENT_SECRET", "POLICY"];
    let unset: Vec<String> = few.iter().map(|name| format!("GUESTLIST_{name}")).collect();
    let unset: Vec<(&str, &str)> = unset.iter().map(|name| (name.as_str(), "")).collect();
    tenant.run_with(&unset, &["incidents"]).expect(0);
    tenant.run_with(&unset, &["status"]).expect(3);
    tenant.run_with(&unset, &["stop"]).expect(0);
    tenant.run_with(&unset, &["check", "--all"]).expect(2);
}

/// Every name that the settings ask for, whatever is set.
fn asked() -> BTreeSet<String> {
    let names = Arc::new(Mutex::new(BTreeSet::new()));
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, POLICY).unwrap();
    let kept = Arc::clone(&names);
    for on_lambda in [false, true] {
        let (kept, policy) = (Arc::clone(&kept), policy.clone());
        let environment = Environment::from_fn(move |name| {
            kept.lock().unwrap().insert(name.to_owned());
            match name {
                "GUESTLIST_POLICY" => Some(policy.display().to_string()),
                "AWS_LAMBDA_RUNTIME_API" if on_lambda => Some("127.0.0.1:9001".to_owned()),
                _ => None,
            }
        });
        let needs = Part::ALL.map(Part::needs);
        for needs in needs.into_iter().chain([Needs::everything(), Needs::ASKING]) {
            Settings::read(&environment, needs).unwrap_err();
        }
    }
    let names = names.lock().unwrap();
    names.iter().filter(|name| name.starts_with("GUESTLIST_")).cloned().collect()
}

/// `NAME=` at the start of a line, be it commented out or not.
fn described() -> BTreeSet<String> {
    let files = ["local", "aws"].map(|place| {
        let path = format!("../infra/{place}/guestlist.env.example");
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    });
    let text = files.join("\n");
    let names =
        text.lines().filter_map(|line| Some(line.trim_start_matches('#').split_once('=')?.0.to_owned()));
    names.filter(|name| name.starts_with("GUESTLIST_") && !name.contains(' ')).collect()
}

/// Of a secret one place where it may lie stands for all of them.
fn with_the_places_of_secrets(described: &BTreeSet<String>) -> BTreeSet<String> {
    let places = ["_FILE", "_SECRET", "_PARAMETER"];
    let secrets =
        described.iter().filter_map(|name| places.iter().find_map(|place| name.strip_suffix(place)));
    let all = secrets
        .flat_map(|name| places.iter().map(move |place| format!("{name}{place}")).chain([name.to_owned()]));
    all.chain(described.iter().cloned()).collect()
}

#[test]
fn every_setting_is_described_in_the_example_and_nothing_else_is() {
    let (asked, described) = (asked(), described());
    assert!(asked.len() > 20, "{asked:?}");
    let known = with_the_places_of_secrets(&described);
    let undescribed: Vec<_> = asked.difference(&known).collect();
    assert!(undescribed.is_empty(), "infra/*/guestlist.env.example lack {undescribed:?}");
    let unknown: Vec<_> = described.difference(&asked).collect();
    assert!(unknown.is_empty(), "infra/*/guestlist.env.example describe {unknown:?}, which nobody reads");
}

#[test]
fn no_setting_is_read_or_named_but_those_that_are_described() {
    let described = with_the_places_of_secrets(&described());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<_> =
        ["cli/src", "functions", "shared", "infra"].map(|name| root.join(name)).to_vec();
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("tests") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            files += 1;
            for (at, _) in text.match_indices("GUESTLIST_") {
                let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
                let name = &text[at..at + text[at..].find(|c| !legal(c)).unwrap_or(text.len() - at)];
                // The start of several names.
                let prefix = described.iter().any(|one| one.starts_with(name));
                assert!(prefix, "{} names {name}", path.display());
            }
        }
    }
    assert!(files > 100);
}
