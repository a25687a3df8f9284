//! Each channel with its own settings. What is set by half is told with what is missing.
//! Never here: what goes to which channel.

use alert::{Channel, ChannelError, PagerDuty, Slack, SlackBot, Teams, Webhook};
use model::ChannelName;
use seal::WebhookSecret;
use secrecy::{ExposeSecret as _, SecretString};

use crate::Form;

/// Every channel that is set up.
pub(super) fn all(form: &mut Form<'_>) -> Vec<Channel> {
    [slack(form), teams(form), pager_duty(form), webhook(form)].into_iter().flatten().collect()
}

fn named(name: &str) -> ChannelName {
    ChannelName(name.to_owned())
}

/// The channel, or what is wrong with the setting that `blamed` names.
fn made(
    form: &mut Form<'_>,
    made: Result<Channel, ChannelError>,
    blamed: impl Fn(&ChannelError) -> &'static str,
) -> Option<Channel> {
    match made {
        Ok(channel) => Some(channel),
        Err(error) => {
            form.wrong(format!("{}: failed to {error}", blamed(&error)));
            None
        }
    }
}

/// By its webhook, or by a bot: both are the one place that is called `slack`.
fn slack(form: &mut Form<'_>) -> Option<Channel> {
    let before = form.problems();
    let url = form.secret("GUESTLIST_SLACK_WEBHOOK_URL");
    let token = form.secret("GUESTLIST_SLACK_BOT_TOKEN");
    let (channel, api) = (form.optional("GUESTLIST_SLACK_CHANNEL"), form.optional("GUESTLIST_SLACK_API_URL"));
    if form.problems() > before {
        // What is set and cannot be used has been told already.
        return None;
    }
    match (url, token) {
        (Some(_), Some(_)) => {
            form.wrong(
                "GUESTLIST_SLACK_WEBHOOK_URL and GUESTLIST_SLACK_BOT_TOKEN are both set: unset the webhook's URL, \
                 because the bot can do all that it does"
                    .to_owned(),
            );
            None
        }
        (None, Some(token)) => slack_bot(form, &token, channel, api),
        (url, None) => {
            for (name, value) in [("GUESTLIST_SLACK_CHANNEL", channel), ("GUESTLIST_SLACK_API_URL", api)] {
                if value.is_some() {
                    form.wrong(format!(
                        "{name} is set, and GUESTLIST_SLACK_BOT_TOKEN_FILE is not: set the bot's token, or unset it \
                         (a webhook has its channel already)"
                    ));
                }
            }
            let slack = Slack::new(named("slack"), &url?).map(Channel::Slack);
            made(form, slack, |_| "GUESTLIST_SLACK_WEBHOOK_URL")
        }
    }
}

fn slack_bot(
    form: &mut Form<'_>,
    token: &SecretString,
    channel: Option<String>,
    api: Option<String>,
) -> Option<Channel> {
    let Some(channel) = channel else {
        form.wrong(
            "GUESTLIST_SLACK_CHANNEL is not set: the id of the Slack channel in which the bot of \
             GUESTLIST_SLACK_BOT_TOKEN posts, like `C0123456789`"
                .to_owned(),
        );
        return None;
    };
    let api = api.unwrap_or_else(|| SlackBot::API.to_owned());
    let bot = SlackBot::new(named("slack"), token, channel.trim(), &api).map(Channel::SlackBot);
    made(form, bot, |error| match error {
        ChannelError::NotABotToken { .. } => "GUESTLIST_SLACK_BOT_TOKEN",
        ChannelError::NotAChannelId { .. } => "GUESTLIST_SLACK_CHANNEL",
        ChannelError::NotAUrl { .. }
        | ChannelError::NotHttps { .. }
        | ChannelError::Credentials { .. }
        | ChannelError::NotExact { .. }
        | ChannelError::OfficeConnector { .. }
        | ChannelError::NoSecret { .. }
        | ChannelError::NotARoutingKey { .. } => "GUESTLIST_SLACK_API_URL",
    })
}

fn teams(form: &mut Form<'_>) -> Option<Channel> {
    let url = form.secret("GUESTLIST_TEAMS_WEBHOOK_URL")?;
    made(form, Teams::new(named("teams"), &url).map(Channel::Teams), |_| "GUESTLIST_TEAMS_WEBHOOK_URL")
}

fn pager_duty(form: &mut Form<'_>) -> Option<Channel> {
    let before = form.problems();
    let key = form.secret("GUESTLIST_PAGERDUTY_ROUTING_KEY");
    let url = form.optional("GUESTLIST_PAGERDUTY_URL");
    let Some(key) = key else {
        if url.is_some() && form.problems() == before {
            form.wrong(
                "GUESTLIST_PAGERDUTY_URL is set, and GUESTLIST_PAGERDUTY_ROUTING_KEY_FILE is not: set the key, or unset \
                 it"
                .to_owned(),
            );
        }
        return None;
    };
    // That it is missing is told with the other settings.
    let tenant = form.optional("GUESTLIST_TENANT_ID").unwrap_or_default();
    let url = url.unwrap_or_else(|| PagerDuty::URL.to_owned());
    let pager = PagerDuty::new(named("pagerduty"), &key, &url, &tenant).map(Channel::PagerDuty);
    made(form, pager, |error| match error {
        ChannelError::NotARoutingKey { .. } => "GUESTLIST_PAGERDUTY_ROUTING_KEY",
        ChannelError::NotAUrl { .. }
        | ChannelError::NotHttps { .. }
        | ChannelError::Credentials { .. }
        | ChannelError::NotExact { .. }
        | ChannelError::OfficeConnector { .. }
        | ChannelError::NoSecret { .. }
        | ChannelError::NotABotToken { .. }
        | ChannelError::NotAChannelId { .. } => "GUESTLIST_PAGERDUTY_URL",
    })
}

fn webhook(form: &mut Form<'_>) -> Option<Channel> {
    let problems = form.problems();
    let url = form.secret("GUESTLIST_WEBHOOK_URL");
    let secrets = webhook_secrets(form);
    let (url, secrets) = match (url, secrets) {
        (Some(url), Some(secrets)) => (url, secrets),
        (None, None) => return None,
        // What is set and cannot be used has been told already.
        _ if form.problems() > problems => return None,
        (Some(_), None) => {
            form.wrong(
                "GUESTLIST_WEBHOOK_SECRET_FILE is not set: the secret that signs messages, `whsec_` and 24 to 64 \
                 bytes in base64"
                    .to_owned(),
            );
            return None;
        }
        (None, Some(_)) => {
            form.wrong(
                "GUESTLIST_WEBHOOK_URL_FILE is not set: where the messages go that GUESTLIST_WEBHOOK_SECRET signs"
                    .to_owned(),
            );
            return None;
        }
    };
    let webhook = Webhook::new(named("webhook"), &url, secrets).map(Channel::Webhook);
    made(form, webhook, |_| "GUESTLIST_WEBHOOK_URL")
}

/// One secret a line: while one replaces another, both sign.
fn webhook_secrets(form: &mut Form<'_>) -> Option<Vec<WebhookSecret>> {
    let secrets = form.secret("GUESTLIST_WEBHOOK_SECRET")?;
    let mut parsed = Vec::new();
    for secret in secrets.expose_secret().split_whitespace() {
        match WebhookSecret::parse(secret) {
            Ok(secret) => parsed.push(secret),
            Err(error) => form.wrong(format!("GUESTLIST_WEBHOOK_SECRET: {error}")),
        }
    }
    Some(parsed)
}
