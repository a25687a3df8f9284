//! What is set decides where people are told; what is set wrongly or by half is told with its fix.

use alert::Channel;
use model::{ChannelName, Severity};

use super::{ChannelSettings, channels};
use crate::{Environment, Form, Missing, Needs};

const SLACK: (&str, &str) = ("GUESTLIST_SLACK_WEBHOOK_URL", "https://hooks.slack.example/services/topsecret");
const TOKEN: (&str, &str) = ("GUESTLIST_SLACK_BOT_TOKEN", "xoxb-1-topsecret");
const CHANNEL: (&str, &str) = ("GUESTLIST_SLACK_CHANNEL", "C0123456789");
const TEAMS: (&str, &str) = (
    "GUESTLIST_TEAMS_WEBHOOK_URL",
    "https://a.01.environment.api.powerplatform.com:443/workflows/1/triggers/manual/paths/invoke?sp=%2Ft&sig=topsecret",
);
const PAGER: (&str, &str) = ("GUESTLIST_PAGERDUTY_ROUTING_KEY", "0123456789abcdef0123456789abcdef");
const WEBHOOK: (&str, &str) = ("GUESTLIST_WEBHOOK_URL", "https://hooks.contoso.com/guestlist");
const SECRET: (&str, &str) = ("GUESTLIST_WEBHOOK_SECRET", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");

const TELLS: Needs = Needs {
    receive: false,
    read: false,
    write: false,
    subscribe: false,
    tell: true,
    told_elsewhere: false,
    show: false,
    policy: false,
    ask: false,
};
const TOLD_ELSEWHERE: Needs = Needs { tell: false, told_elsewhere: true, ..TELLS };
const NEITHER: Needs = Needs { tell: false, ..TELLS };

fn read(values: &[(&str, &str)], needs: Needs) -> Result<ChannelSettings, Missing> {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let environment = Environment::of(values);
    let mut form = Form::new(&environment);
    let settings = channels(&mut form, needs);
    form.finish(Some(settings))
}

/// `slack:low pagerduty:high`
fn routes(settings: &ChannelSettings) -> String {
    let shown = settings.routes().0.iter().map(|(name, from)| format!("{name}:{from}")).collect::<Vec<_>>();
    shown.join(" ")
}

#[track_caller]
fn check(values: &[(&str, &str)], needs: Needs, expected: &str) {
    assert_eq!(routes(&read(values, needs).unwrap()), expected);
}

#[track_caller]
fn refused(values: &[(&str, &str)], needs: Needs, expected: &[&str]) {
    let Missing(problems) = read(values, needs).map(|settings| routes(&settings)).unwrap_err();
    assert_eq!(problems, expected);
    assert!(!problems.concat().contains("topsecret"), "{problems:?}");
}

#[test]
fn every_channel_takes_everything_but_the_pager_which_is_for_what_cannot_wait() {
    check(&[SLACK, TEAMS, PAGER, WEBHOOK, SECRET], TELLS, "slack:low teams:low pagerduty:high webhook:low");
    check(&[TOKEN, CHANNEL], TELLS, "slack:low");
    let settings = read(&[SLACK, PAGER], TELLS).unwrap().routes();
    let told = |severity| settings.for_severity(severity).len();
    assert_eq!((told(Severity::Medium), told(Severity::High)), (1, 2));
    assert_eq!(settings.all(), ["slack", "pagerduty"].map(|name| ChannelName(name.to_owned())));
}

#[test]
fn how_bad_something_has_to_be_is_set_for_each_channel() {
    let from = [
        ("GUESTLIST_SLACK_FROM", "medium"),
        ("GUESTLIST_TEAMS_FROM", "high"),
        ("GUESTLIST_PAGERDUTY_FROM", "critical"),
        ("GUESTLIST_WEBHOOK_FROM", "low"),
    ];
    let all = [&[SLACK, TEAMS, PAGER, WEBHOOK, SECRET][..], &from].concat();
    check(&all, TELLS, "slack:medium teams:high pagerduty:critical webhook:low");
}

#[test]
fn a_process_that_tells_nobody_knows_the_same_by_name() {
    let named = |value: &'static str| [("GUESTLIST_CHANNELS", value)];
    check(&named("slack,pagerduty:high"), TOLD_ELSEWHERE, "slack:low pagerduty:high");
    check(&named(" teams:critical , webhook "), TOLD_ELSEWHERE, "teams:critical webhook:low");
    check(&[named("pagerduty")[0], ("GUESTLIST_PAGERDUTY_FROM", "low")], TOLD_ELSEWHERE, "pagerduty:low");
    check(&[named("slack:low")[0], SLACK], TELLS, "slack:low");
    check(&[("GUESTLIST_TEAMS_FROM", "high")], NEITHER, "");
    check(&[], NEITHER, "");
}

#[test]
fn slack_is_a_webhook_or_a_bot() {
    let one = |values: &[(&str, &str)]| read(values, TELLS).unwrap().channels.remove(0);
    assert!(matches!(one(&[SLACK]), Channel::Slack(_)));
    assert!(matches!(one(&[TOKEN, CHANNEL]), Channel::SlackBot(_)));
    let gov = ("GUESTLIST_SLACK_API_URL", "https://slack-gov.com/api/");
    assert!(matches!(one(&[TOKEN, CHANNEL, gov]), Channel::SlackBot(_)));
    for channel in [one(&[SLACK]), one(&[TOKEN, CHANNEL])] {
        assert_eq!(channel.name().0, "slack");
    }
    refused(
        &[SLACK, TOKEN, CHANNEL],
        TELLS,
        &[
            "GUESTLIST_SLACK_WEBHOOK_URL and GUESTLIST_SLACK_BOT_TOKEN are both set: unset the webhook's URL, because the \
             bot can do all that it does",
        ],
    );
}

#[test]
fn what_is_set_by_half_is_told_with_what_is_missing() {
    refused(
        &[TOKEN],
        TELLS,
        &["GUESTLIST_SLACK_CHANNEL is not set: the id of the Slack channel in which the bot of \
             GUESTLIST_SLACK_BOT_TOKEN posts, like `C0123456789`"],
    );
    refused(
        &[SLACK, CHANNEL],
        TELLS,
        &[
            "GUESTLIST_SLACK_CHANNEL is set, and GUESTLIST_SLACK_BOT_TOKEN_FILE is not: set the bot's token, or unset it \
             (a webhook has its channel already)",
        ],
    );
    refused(
        &[SLACK, ("GUESTLIST_SLACK_API_URL", "https://slack-gov.com/api/")],
        TELLS,
        &[
            "GUESTLIST_SLACK_API_URL is set, and GUESTLIST_SLACK_BOT_TOKEN_FILE is not: set the bot's token, or unset it \
             (a webhook has its channel already)",
        ],
    );
    refused(
        &[SLACK, ("GUESTLIST_PAGERDUTY_URL", "https://events.eu.pagerduty.com/v2/enqueue")],
        TELLS,
        &[
            "GUESTLIST_PAGERDUTY_URL is set, and GUESTLIST_PAGERDUTY_ROUTING_KEY_FILE is not: set the key, or unset it",
        ],
    );
    refused(
        &[WEBHOOK],
        TELLS,
        &[
            "GUESTLIST_WEBHOOK_SECRET_FILE is not set: the secret that signs messages, `whsec_` and 24 to 64 bytes in \
             base64",
        ],
    );
    refused(
        &[SECRET],
        TELLS,
        &["GUESTLIST_WEBHOOK_URL_FILE is not set: where the messages go that GUESTLIST_WEBHOOK_SECRET signs"],
    );
    refused(
        &[SLACK, ("GUESTLIST_TEAMS_FROM", "high")],
        TELLS,
        &[
            "GUESTLIST_TEAMS_FROM is set, and there is no channel `teams`: set GUESTLIST_TEAMS_WEBHOOK_URL_FILE, or unset \
             it",
        ],
    );
}

#[test]
fn what_is_set_wrongly_is_told_with_the_setting_to_blame() {
    for (name, value, expected) in [
        (
            "GUESTLIST_SLACK_BOT_TOKEN",
            "xoxp-topsecret",
            "use the token of the channel `slack`: it is not a bot's; it starts with `xoxb-` and stands under `OAuth & \
             Permissions` of the Slack app",
        ),
        (
            "GUESTLIST_SLACK_CHANNEL",
            "#alerts",
            "post to `#alerts`: it is not the id of a Slack channel, like `C0123456789`; it stands at the end of the \
             channel's details in Slack",
        ),
        (
            "GUESTLIST_SLACK_API_URL",
            "http://slack.com/api/",
            "use the URL of the channel `slack`: it needs `https://` (plain `http://` only to this machine)",
        ),
        (
            "GUESTLIST_TEAMS_WEBHOOK_URL",
            "https://contoso.webhook.office.com/webhookb2/topsecret",
            "use the URL of the channel `teams`: it is that of an Office 365 connector, which Microsoft has switched off; \
             in Teams open `Workflows`, make one that starts `When a Teams webhook request is received` and posts the \
             card, and use its URL",
        ),
        (
            "GUESTLIST_TEAMS_WEBHOOK_URL",
            "https://a.api.powerplatform.com/x?sig=top secret",
            "use the URL of the channel `teams`: it has a sign in its path or query that would have to be rewritten, and \
             then its signature fails; copy the URL again, whole and without quotes",
        ),
        (
            "GUESTLIST_PAGERDUTY_ROUTING_KEY",
            "topsecret",
            "use the routing key of the channel `pagerduty`: it has 32 letters and digits; it is the integration key of \
             an `Events API v2` integration of a PagerDuty service",
        ),
        (
            "GUESTLIST_PAGERDUTY_URL",
            "events.pagerduty.com",
            "use the URL of the channel `pagerduty`: it is not a URL; it starts with `https://`",
        ),
    ] {
        let right = [TOKEN, CHANNEL, TEAMS, PAGER];
        let others = right.iter().filter(|(other, _)| *other != name).copied();
        let values: Vec<(&str, &str)> = others.chain([(name, value)]).collect();
        refused(&values, TELLS, &[&format!("{name}: failed to {expected}")]);
    }
}

#[test]
fn a_secret_has_one_place() {
    for (secret, other) in [
        (TOKEN, "GUESTLIST_SLACK_BOT_TOKEN_FILE"),
        (TEAMS, "GUESTLIST_TEAMS_WEBHOOK_URL_FILE"),
        (PAGER, "GUESTLIST_PAGERDUTY_ROUTING_KEY_FILE"),
    ] {
        let expected = format!("{} and {other} are both set: unset one of them", secret.0);
        refused(&[SLACK, secret, (other, "/x")], TELLS, &[&expected]);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, format!("{}\n", PAGER.1)).unwrap();
    check(&[("GUESTLIST_PAGERDUTY_ROUTING_KEY_FILE", file.to_str().unwrap())], TELLS, "pagerduty:high");
}

#[test]
fn severities_that_are_none_or_do_not_agree_are_refused() {
    refused(
        &[SLACK, ("GUESTLIST_SLACK_FROM", "urgent")],
        TELLS,
        &["GUESTLIST_SLACK_FROM: `urgent` is not one of `low`, `medium`, `high`, `critical`"],
    );
    refused(
        &[("GUESTLIST_CHANNELS", "slack:urgent")],
        TOLD_ELSEWHERE,
        &["GUESTLIST_CHANNELS: `urgent` is not one of `low`, `medium`, `high`, `critical`"],
    );
    refused(
        &[("GUESTLIST_CHANNELS", "pagerduty:low"), ("GUESTLIST_PAGERDUTY_FROM", "high")],
        TOLD_ELSEWHERE,
        &[
            "GUESTLIST_CHANNELS says `pagerduty:low` and GUESTLIST_PAGERDUTY_FROM says `high`: let both say the same, or \
             unset one",
        ],
    );
}

#[test]
fn channels_that_are_none_or_missing_are_refused() {
    refused(
        &[("GUESTLIST_CHANNELS", "email,slack,slack")],
        TOLD_ELSEWHERE,
        &[
            "GUESTLIST_CHANNELS: `email` is not a channel: use slack, teams, pagerduty, webhook",
            "GUESTLIST_CHANNELS names `slack` twice: name it once",
        ],
    );
    refused(
        &[],
        TOLD_ELSEWHERE,
        &[
            "GUESTLIST_CHANNELS is not set: the channels of the process that tells people (`slack`, `teams`, `pagerduty`, \
             `webhook`, with a comma between)",
        ],
    );
    refused(
        &[],
        TELLS,
        &["none of these is set, and people have to be told somewhere: GUESTLIST_SLACK_WEBHOOK_URL_FILE or \
             GUESTLIST_SLACK_BOT_TOKEN_FILE; GUESTLIST_TEAMS_WEBHOOK_URL_FILE; GUESTLIST_PAGERDUTY_ROUTING_KEY_FILE; \
             GUESTLIST_WEBHOOK_URL_FILE with GUESTLIST_WEBHOOK_SECRET_FILE"],
    );
    refused(
        &[SLACK, ("GUESTLIST_CHANNELS", "slack,teams")],
        TELLS,
        &[
            "GUESTLIST_CHANNELS names `teams`, and this process tells people: set GUESTLIST_TEAMS_WEBHOOK_URL_FILE, or \
             leave the name out everywhere",
        ],
    );
}
