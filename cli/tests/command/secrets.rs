//! No secret is ever an argument: other users of the machine can read those.

use crate::tenant::{Printed, command, run};

fn help(path: &[&str]) -> Printed {
    run(&[path, &["--help"]].concat())
}

/// The names under `Commands:` in a help text.
fn below(help: &str) -> Vec<String> {
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| line.starts_with("  "));
    let named = commands.filter(|line| line.len() > 2 && !line.starts_with("   "));
    named
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_argument_of_any_command_takes_a_secret() {
    let mut paths: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = 0;
    while let Some(path) = paths.pop() {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let text = help(&words).expect(0).stdout.to_lowercase();
        for word in ["secret", "password", "token", "credential=", "api-key", "webhook-url", "private key"] {
            let flags =
                text.lines().filter(|line| line.trim_start().starts_with('-') || line.starts_with("usage:"));
            assert!(!flags.clone().any(|line| line.contains(word)), "{words:?} takes a {word}");
        }
        seen += 1;
        for name in below(&help(&words).stdout) {
            paths.push([path.clone(), vec![name]].concat());
        }
    }
    assert!(seen >= 20, "{seen} commands");
}

#[test]
fn a_secret_that_is_given_as_an_argument_is_refused() {
    for flag in ["--client-secret", "--secret", "--token", "--password", "--slack-webhook-url"] {
        let printed = run(&["serve", flag, "whsec_hush"]);
        assert!(!printed.expect(2).stderr.contains("whsec_hush"), "{printed:?}");
    }
}

#[test]
fn a_wrong_setting_that_is_a_secret_is_not_repeated() {
    let mut serve = command(&["serve"]);
    serve.env("GUESTLIST_SLACK_WEBHOOK_URL", "not-an-url-but-hush");
    serve
        .env("GUESTLIST_WEBHOOK_URL", "http://hooks.example/hush")
        .env("GUESTLIST_WEBHOOK_SECRET", "whsec_hush!");
    let output = serve.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("GUESTLIST_SLACK_WEBHOOK_URL: ") && text.contains("GUESTLIST_WEBHOOK_"), "{text}");
    assert!(!text.contains("hush"), "{text}");
}
