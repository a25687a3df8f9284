//! Where people are told, and how bad something has to be to be told there. Only the process that tells holds the channels'
//! secrets; the others know names and severities.
//! Never here: how one channel is set up (`channels/places.rs`).

mod places;
#[cfg(test)]
mod tests;

use alert::Channel;
use model::{ChannelName, Routes, Severity};

use crate::{Form, Needs};

/// A channel that there may be, once.
struct Known {
    name: &'static str,
    /// The setting that says how bad something has to be.
    from: &'static str,
    /// What holds while that is not set: a pager is for what cannot wait.
    from_default: Severity,
    /// The setting without which there is none.
    needs: &'static str,
}

const KNOWN: [Known; 4] = [
    Known {
        name: "slack",
        from: "GUESTLIST_SLACK_FROM",
        from_default: Severity::Low,
        needs: "GUESTLIST_SLACK_WEBHOOK_URL_FILE or GUESTLIST_SLACK_BOT_TOKEN_FILE",
    },
    Known {
        name: "teams",
        from: "GUESTLIST_TEAMS_FROM",
        from_default: Severity::Low,
        needs: "GUESTLIST_TEAMS_WEBHOOK_URL_FILE",
    },
    Known {
        name: "pagerduty",
        from: "GUESTLIST_PAGERDUTY_FROM",
        from_default: Severity::High,
        needs: "GUESTLIST_PAGERDUTY_ROUTING_KEY_FILE",
    },
    Known {
        name: "webhook",
        from: "GUESTLIST_WEBHOOK_FROM",
        from_default: Severity::Low,
        needs: "GUESTLIST_WEBHOOK_URL_FILE with GUESTLIST_WEBHOOK_SECRET_FILE",
    },
];

/// Where people are told.
#[derive(Debug, Clone)]
pub struct ChannelSettings {
    /// Those that this process tells. One that tells nobody has none: routes are enough to write down what is to be told.
    pub channels: Vec<Channel>,
    routes: Routes,
}

impl ChannelSettings {
    /// Every channel, be it of this process or of the one that tells, with the lowest severity that goes there.
    #[must_use]
    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }
}

/// One of [`KNOWN`] as the settings have it.
struct Found {
    known: &'static Known,
    is_here: bool,
    /// In `GUESTLIST_CHANNELS`, perhaps with a severity.
    named: Option<Option<Severity>>,
    from: Option<Severity>,
}

pub(crate) fn channels(form: &mut Form<'_>, needs: Needs) -> ChannelSettings {
    let before = form.problems();
    let channels = places::all(form);
    let named = named(form);
    let found = KNOWN.each_ref().map(|known| Found {
        known,
        is_here: channels.iter().any(|channel| channel.name().0 == known.name),
        named: named.iter().find(|(name, _)| *name == known.name).map(|(_, from)| *from),
        from: severity(form, known.from),
    });
    let routes = Routes(found.iter().filter_map(|found| route(form, found)).collect());
    if form.problems() == before {
        complete(form, needs, &found);
    }
    ChannelSettings { channels, routes }
}

fn severity(form: &mut Form<'_>, name: &str) -> Option<Severity> {
    let value = form.optional(name);
    form.parsed(name, value, str::parse::<Severity>)
}

fn route(form: &mut Form<'_>, found: &Found) -> Option<(ChannelName, Severity)> {
    let Found { known, is_here, named, from } = found;
    if !is_here && named.is_none() {
        return None;
    }
    let said = named.flatten();
    if let (Some(said), Some(from)) = (said, *from)
        && said != from
    {
        let (name, setting) = (known.name, known.from);
        form.wrong(format!(
            "GUESTLIST_CHANNELS says `{name}:{said}` and {setting} says `{from}`: let both say the same, or unset one"
        ));
    }
    Some((ChannelName(known.name.to_owned()), said.or(*from).unwrap_or(known.from_default)))
}

/// `GUESTLIST_CHANNELS`, for a process that must not have the channels' secrets: `slack,pagerduty:high`.
fn named(form: &mut Form<'_>) -> Vec<(&'static str, Option<Severity>)> {
    let value = form.optional("GUESTLIST_CHANNELS").unwrap_or_default();
    let mut named: Vec<(&'static str, Option<Severity>)> = Vec::new();
    for entry in value.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, from) = entry.split_once(':').map_or((entry, None), |(name, from)| (name, Some(from)));
        let Some(known) = KNOWN.iter().find(|known| known.name == name) else {
            form.wrong(format!(
                "GUESTLIST_CHANNELS: `{name}` is not a channel: use {}",
                names(str::to_owned)
            ));
            continue;
        };
        if named.iter().any(|(other, _)| *other == name) {
            form.wrong(format!("GUESTLIST_CHANNELS names `{name}` twice: name it once"));
            continue;
        }
        let from =
            from.map(|from| form.parsed("GUESTLIST_CHANNELS", Some(from.to_owned()), str::parse::<Severity>));
        named.push((known.name, from.flatten()));
    }
    named
}

fn names(each: impl Fn(&str) -> String) -> String {
    KNOWN.iter().map(|known| each(known.name)).collect::<Vec<_>>().join(", ")
}

/// Whether there is what a process needs that tells, or that leaves it to another.
fn complete(form: &mut Form<'_>, needs: Needs, found: &[Found]) {
    if needs.tell {
        return complete_to_tell(form, found);
    }
    if needs.told_elsewhere && !found.iter().any(|found| found.is_here || found.named.is_some()) {
        form.wrong(format!(
            "GUESTLIST_CHANNELS is not set: the channels of the process that tells people ({}, with a comma between)",
            names(|name| format!("`{name}`"))
        ));
    }
}

fn complete_to_tell(form: &mut Form<'_>, found: &[Found]) {
    if !found.iter().any(|found| found.is_here) {
        let all: Vec<&str> = KNOWN.iter().map(|known| known.needs).collect();
        form.wrong(format!("none of these is set, and people have to be told somewhere: {}", all.join("; ")));
    }
    for Found { known, is_here, named, from } in found {
        let Known { name, from: setting, from_default: _, needs } = known;
        if *is_here {
            continue;
        }
        if named.is_some() {
            form.wrong(format!(
                "GUESTLIST_CHANNELS names `{name}`, and this process tells people: set {needs}, or leave the name out \
                 everywhere"
            ));
        }
        if from.is_some() {
            form.wrong(format!(
                "{setting} is set, and there is no channel `{name}`: set {needs}, or unset it"
            ));
        }
    }
}
