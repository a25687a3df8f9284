//! Where people are told. Only the process that tells holds the channels' secrets; the others know their names.

use alert::{Channel, Slack, Webhook};
use model::ChannelName;
use seal::WebhookSecret;
use secrecy::ExposeSecret as _;

use crate::{Form, Needs};

const CHANNELS: [&str; 2] = ["slack", "webhook"];

/// Where people are told.
#[derive(Debug, Clone)]
pub struct ChannelSettings {
    pub channels: Vec<Channel>,
    /// For a process that tells nobody itself: the names are enough to write down what is to be told.
    pub elsewhere: Vec<ChannelName>,
}

impl ChannelSettings {
    #[must_use]
    pub fn names(&self) -> Vec<ChannelName> {
        let here = self.channels.iter().map(|channel| channel.name().clone());
        here.chain(self.elsewhere.iter().cloned()).collect()
    }
}

pub(crate) fn channels(form: &mut Form<'_>, needs: Needs) -> ChannelSettings {
    let before = form.problems();
    let channels: Vec<Channel> = slack(form).into_iter().chain(webhook(form)).collect();
    let named = channel_names(form);
    if form.problems() > before {
        return ChannelSettings { channels, elsewhere: named };
    }
    let here = |name: &ChannelName| channels.iter().any(|channel| channel.name() == name);
    let elsewhere: Vec<ChannelName> = named.into_iter().filter(|name| !here(name)).collect();
    if needs.tell {
        if channels.is_empty() {
            form.wrong(
                "GUESTLIST_SLACK_WEBHOOK_URL_FILE, or GUESTLIST_WEBHOOK_URL_FILE with GUESTLIST_WEBHOOK_SECRET_FILE, \
                 is not set: where people are told"
                    .to_owned(),
            );
        }
        for name in &elsewhere {
            form.wrong(format!(
                "GUESTLIST_CHANNELS names `{name}`, and this process tells people: set that channel's URL, or leave \
                 the name out everywhere"
            ));
        }
        return ChannelSettings { channels, elsewhere: Vec::new() };
    }
    if needs.told_elsewhere && channels.is_empty() && elsewhere.is_empty() {
        form.wrong(format!(
            "GUESTLIST_CHANNELS is not set: the channels of the process that tells people ({}, with a comma between)",
            CHANNELS.map(|name| format!("`{name}`")).join(", ")
        ));
    }
    ChannelSettings { channels, elsewhere }
}

fn slack(form: &mut Form<'_>) -> Option<Channel> {
    let url = form.secret("GUESTLIST_SLACK_WEBHOOK_URL")?;
    match Slack::new(ChannelName("slack".to_owned()), &url) {
        Ok(slack) => Some(Channel::Slack(slack)),
        Err(error) => {
            form.wrong(format!("GUESTLIST_SLACK_WEBHOOK_URL: failed to {error}"));
            None
        }
    }
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
    match Webhook::new(ChannelName("webhook".to_owned()), &url, secrets) {
        Ok(webhook) => Some(Channel::Webhook(webhook)),
        Err(error) => {
            form.wrong(format!("GUESTLIST_WEBHOOK_URL: failed to {error}"));
            None
        }
    }
}

/// `GUESTLIST_CHANNELS`, for a process that must not have the channels' secrets.
fn channel_names(form: &mut Form<'_>) -> Vec<ChannelName> {
    let value = form.optional("GUESTLIST_CHANNELS").unwrap_or_default();
    let mut names = Vec::new();
    for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if CHANNELS.contains(&name) {
            names.push(ChannelName(name.to_owned()));
        } else {
            form.wrong(format!("GUESTLIST_CHANNELS: `{name}` is not a channel: use {}", CHANNELS.join(", ")));
        }
    }
    names
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
