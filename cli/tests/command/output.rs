//! Data on standard output, messages on standard error: text for people, JSON for programs, no colours where nobody wants
//! them.

use insta::assert_snapshot;
use serde_json::Value;

use crate::tenant::{Tenant, run};

#[tokio::test(flavor = "multi_thread")]
async fn every_command_answers_in_json_and_says_nothing_else_on_standard_output() {
    let tenant = Tenant::start().await;
    let _serve = tenant.serve().await;
    let nina = tenant.invite("nina@northwind.example");
    let (incident, nina) = (tenant.until_done(nina).await, nina.to_string());
    let commands: [&[&str]; 20] = [
        &["validate"],
        &["check", &nina],
        &["check", "--all"],
        &["doctor"],
        &["status"],
        &["incidents"],
        &["incidents", "show", &incident],
        &["undo", &incident, "--reason", "x"],
        &["undo", &incident, &incident, "--reason", "x"],
        &["approve", &incident, "--reason", "x"],
        &["reject", &incident, "--reason", "x"],
        &["breaker", "show"],
        &["breaker", "reset", "--reason", "x"],
        &["resolve"],
        &["incidents", "--since", "2h"],
        &["stop"],
        &["resume"],
        &["resume"],
        &["dead", "list"],
        &["subscriptions"],
    ];
    for arguments in commands {
        let value = tenant.json(arguments);
        assert!(value.is_object() || value.is_array(), "{arguments:?}: {value}");
    }
}

#[test]
fn the_schema_is_a_json_schema() {
    let schema: Value = serde_json::from_str(&run(&["schema"]).expect(0).stdout).unwrap();
    assert!(schema["$schema"].as_str().unwrap().starts_with("https://json-schema.org/"), "{schema}");
    assert!(schema["properties"]["guardrails"].is_object());
}

#[test]
fn every_shell_has_a_completion_script() {
    for (shell, part) in [
        ("bash", "_guestlist()"),
        ("zsh", "#compdef guestlist"),
        ("fish", "complete -c guestlist"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let script = run(&["completions", shell]);
        assert!(script.expect(0).stdout.contains(part), "{shell}");
        assert!(script.stdout.contains("resume"), "{shell}");
    }
}

#[test]
fn the_help_names_every_command_and_every_exit_code() {
    let help = run(&["--help"]);
    assert_snapshot!(help.expect(0).stdout, @"
    Watches the guests of a Microsoft Entra tenant: every invitation is checked against a policy file,
    and what breaks it is told, disabled, and can be undone

    Usage: guestlist [OPTIONS] <COMMAND>

    Commands:
      demo           Play a story of benign and hostile acts against a simulated tenant, and watch
                     Guestlist catch the guests
      serve          Run every function in one process
      validate       Check the policy file and run its tests
      resolve        Look up the groups that the policy file names, and write their ids beside the names
      check          What would the policy do to one guest, or to all of the tenant's today? Reads only
      doctor         Check settings, credentials, permissions, the clock, the callback, and the ids in
                     the policy
      status         How Guestlist is: queues, subscriptions, channels, dead letters
      incidents      List incidents, or show one
      approve        Let what waits for somebody's decision be carried out, exactly as it is shown here
      reject         Decide that what waits is not to be done, and is not asked for again for a while
      undo           Reverse what was done about incidents, and suspend their rules for the guests
      breaker        The circuit breaker: how many guests may be touched in an hour before everything
                     asks first
      stop           Stop all writes to the tenant. Changes are still received, judged and told
      resume         Allow writes again
      dead           Jobs and notifications that could not be worked on
      subscriptions  The subscriptions at Microsoft Graph that Guestlist keeps
      simulator      Run the simulated tenant alone, with a control API for people who write policies
      schema         Print the JSON Schema of the policy file
      completions    Print a completion script for a shell
      help           Print this message or the help of the given subcommand(s)

    Options:
          --output <OUTPUT>  How data is printed [default: text] [possible values: text, json]
      -h, --help             Print help
      -V, --version          Print version

    Settings are environment variables that start with GUESTLIST_; infra/local/guestlist.env.example
    lists them.

    Exit codes: 0 done and well · 1 failed · 2 wrong usage, settings or policy · 3 something is not well
    · 4 refused, or not there · 5 nobody has answered yet
    ");
    let nothing = run(&[]);
    assert!(nothing.expect(2).stderr.contains("Usage: guestlist"), "{nothing:?}");
}

/// Runs in a terminal, which `script` (of util-linux) provides, and returns what the terminal was sent.
fn in_a_terminal(tenant: &Tenant, changed: &[(&str, &str)]) -> Option<String> {
    let mut script = std::process::Command::new("script");
    script.args([
        "-qec",
        concat!(
            env!("CARGO_BIN_EXE_guestlist"),
            " validate --help >/dev/null; ",
            env!("CARGO_BIN_EXE_guestlist"),
            " status"
        ),
        "/dev/null",
    ]);
    script.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default()).env("TERM", "xterm");
    script.envs(tenant.environment()).envs(changed.iter().copied());
    let output = script.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.contains("QUEUE").then_some(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_for_terminals_whose_user_wants_them() {
    let tenant = Tenant::start().await;
    let mut serve = tenant.serve().await;
    assert_eq!(serve.terminate().code(), Some(0));
    assert!(!tenant.run(&["status"]).stdout.contains('\u{1b}'), "a pipe is no terminal");
    // Without the tool there is no terminal to be had.
    let Some(coloured) = in_a_terminal(&tenant, &[]) else { return };
    assert!(coloured.contains("\u{1b}[31mnobody runs "), "{coloured:?}");
    for plain in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        let text = in_a_terminal(&tenant, &plain).unwrap();
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    use std::process::Stdio;
    for arguments in [["schema"].as_slice(), &["completions", "bash"], &["completions", "zsh"]] {
        let mut command = crate::tenant::command(arguments);
        let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(running.stdout.take());
        let ended = running.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &[][..]), "{arguments:?}");
    }
}
