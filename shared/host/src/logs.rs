//! Logs go to standard error, so that standard output carries nothing but data.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::terminal::Harmless;
use crate::{Environment, Form, Traces};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    /// One JSON object a line.
    Json,
}

/// Notes what is wrong with the settings of the logs. Logging itself starts before, with what it is used to.
pub(crate) fn check(form: &mut Form<'_>) {
    let filter = form.optional("GUESTLIST_LOG");
    form.parsed("GUESTLIST_LOG", filter, |text| {
        text.parse::<Targets>().map_err(|error| {
            format!("`{text}` is not a filter like `info` or `info,guestlist_graph=debug` ({error})")
        })
    });
    let format = form.optional("GUESTLIST_LOG_FORMAT");
    form.parsed("GUESTLIST_LOG_FORMAT", format, |text| match text {
        "text" | "json" => Ok(()),
        other => Err(format!("`{other}` is not a format of logs: use `text` or `json`")),
    });
}

/// Starts logging as `GUESTLIST_LOG` (a filter like `info,graph=debug`) and `GUESTLIST_LOG_FORMAT` (`text`, `json`)
/// say. A second call changes nothing.
pub fn start_logs(environment: &Environment, default: &str) {
    start(environment, default, None);
}

/// As [`start_logs`], for a process that also makes traces where OpenTelemetry's variables say so, in the name of `service`.
#[must_use]
pub fn start_logs_and_traces(environment: &Environment, default: &str, service: &str) -> Option<Traces> {
    let traces = Traces::begin(environment, service);
    start(environment, default, traces.as_ref());
    traces
}

fn start(environment: &Environment, default: &str, traces: Option<&Traces>) {
    let set = |name| environment.get(name).filter(|value| !value.is_empty());
    // What cannot be read is told with the other settings.
    let filter: Option<Targets> = set("GUESTLIST_LOG").and_then(|filter| filter.parse().ok());
    let filter = filter.or_else(|| default.parse().ok()).unwrap_or_default();
    // What is opened for traces is no business of the log, whatever its level.
    let filter = filter.with_target(trace::TARGET, LevelFilter::OFF);
    let format = match set("GUESTLIST_LOG_FORMAT").as_deref() {
        Some("json") => LogFormat::Json,
        Some(_) => LogFormat::Text,
        None if std::io::stderr().is_terminal() => LogFormat::Text,
        None => LogFormat::Json,
    };
    let wanted = environment.get("NO_COLOR").is_none_or(|value| value.is_empty());
    let coloured = format == LogFormat::Text && wanted && std::io::stderr().is_terminal();
    let writer = move || Harmless { to: std::io::stderr(), coloured };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(coloured).with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let lines = tracing_subscriber::registry().with(lines.with_filter(filter));
    drop(match traces {
        Some(traces) => lines.with(traces.layer()).try_init(),
        None => lines.try_init(),
    });
}
