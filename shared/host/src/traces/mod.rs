//! Traces, where an endpoint of OTLP is set: the spans that the crates below open are kept until there is time to send them. In the
//! local process that is every few seconds, in a function on Lambda before each answer, because the process is frozen after it.
//!
//! Whoever takes them may be slow, full or away: nothing but spans is lost by that, and those are counted.

mod bridge;
mod outbox;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use model::Clock;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use prost::Message as _;
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;
use wire::{Call, Reply, Wire, WireError};

use crate::server::stopped;
use crate::{Environment, Form};
use outbox::Outbox;

pub use settings::TraceSettings;
pub(crate) use settings::traces;

/// The traces that a process makes. Clones share them.
#[derive(Debug, Clone)]
pub struct Traces(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tracer: SdkTracer,
    resource: Resource,
    outbox: Outbox,
    sent: AtomicU64,
    /// Where they go. A secret of it may be read later than the first span is made.
    place: Mutex<Option<(TraceSettings, Wire)>>,
    sending: tokio::sync::Mutex<Sending>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Sending {
    /// What was taken from the outbox and is not with the collector yet.
    pending: Option<Batch>,
    failures: u32,
    /// Meanwhile nobody waits for a collector that did not answer.
    rest: Option<Rest>,
}

/// By the machine's clock: any other may stand still while a function is frozen.
#[derive(Debug, Clone, Copy)]
struct Rest {
    since: Timestamp,
    until: Timestamp,
}

impl Rest {
    fn from(since: Timestamp, rest: Duration) -> Self {
        let until = SignedDuration::try_from(rest).ok().and_then(|rest| since.checked_add(rest).ok());
        Self { since, until: until.unwrap_or(Timestamp::MAX) }
    }

    /// Of a clock that was set back nobody knows how long ago it began.
    fn is_over(&self, now: Timestamp) -> bool {
        now >= self.until || now < self.since
    }
}

#[derive(Debug)]
struct Batch {
    body: Bytes,
    spans: u64,
}

/// What became of a batch.
enum Told {
    /// So many of them were not taken.
    Taken {
        rejected: u64,
    },
    /// No other try will help.
    Refused {
        why: String,
    },
    Later {
        after: Option<Duration>,
        why: String,
    },
}

impl Traces {
    const EVERY: Duration = Duration::from_secs(5);
    /// With a function's answer, who sends waits so long at most.
    pub(crate) const BEFORE_AN_ANSWER: Duration = Duration::from_secs(2);
    /// Microsoft Graph counts how long it waits.
    pub(crate) const BEFORE_A_RESPONSE: Duration = Duration::from_secs(1);
    const AT_THE_END: Duration = Duration::from_secs(5);
    const SHORTEST_REST: Duration = Duration::from_secs(5);
    const LONGEST_REST: Duration = Duration::from_mins(5);

    /// None: nobody wants any, or what is set is wrong, which is told with the other settings. `service` is who makes them, unless
    /// `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` say so.
    #[must_use]
    pub fn begin(environment: &Environment, service: &str) -> Option<Self> {
        Self::begin_by(Clock::new(Timestamp::now), environment, service)
    }

    fn begin_by(clock: Clock, environment: &Environment, service: &str) -> Option<Self> {
        let mut form = Form::new(environment);
        let settings = traces(&mut form).filter(|_| form.problems() == 0)?;
        let (resource, outbox) = (resource(environment, &settings, service), Outbox::default());
        let provider = SdkTracerProvider::builder()
            .with_sampler(settings.sampler)
            .with_resource(resource.clone())
            .with_span_processor(outbox.clone())
            .build();
        Some(Self(Arc::new(Shared {
            tracer: provider.tracer("guestlist"),
            resource,
            outbox,
            sent: AtomicU64::new(0),
            place: Mutex::default(),
            sending: tokio::sync::Mutex::default(),
            clock,
        })))
    }

    /// Of spans alone, and of no log line: see [`trace::TARGET`].
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let wanted = filter_fn(|about| about.is_span() && about.target() == trace::TARGET);
        let spans = tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer.clone())
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_level(false);
        // In this order: right above a registry the level of the outer one alone counts.
        bridge::BRIDGE.layer().and_then(spans.with_filter(wanted.with_max_level_hint(LevelFilter::DEBUG)))
    }

    /// From now on there is somewhere to send them; unless what proves who sends could not be read, because nobody would take them.
    pub fn send_to(&self, settings: TraceSettings, wire: Wire) {
        if settings.headers.is_none() {
            return;
        }
        *self.0.place.lock().unwrap_or_else(PoisonError::into_inner) = Some((settings, wire));
    }

    /// How many spans the collector has, and how many nobody will have.
    #[must_use]
    pub fn counted(&self) -> (u64, u64) {
        (self.0.sent.load(Ordering::Relaxed), self.0.outbox.lost())
    }

    /// Every few seconds, and sooner when there are many, until the process is to stop.
    pub(crate) async fn send_on(self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(Self::EVERY) => {}
                () = self.0.outbox.many() => {}
                () = stopped(&mut stop) => return,
            }
            // What is on its way when the process is to stop is sent once more by `finish`, within its own time.
            tokio::select! {
                () = self.send(TraceSettings::timeout_of(&self.place())) => {}
                () = stopped(&mut stop) => return,
            }
        }
    }

    /// The process ends. What is not taken now is lost.
    pub(crate) async fn finish(&self) {
        self.0.sending.lock().await.rest = None;
        self.send(Self::AT_THE_END).await;
        let pending = self.0.sending.lock().await.pending.take().map_or(0, |batch| batch.spans);
        let left = pending.saturating_add(self.0.outbox.lose_all());
        if left > 0 {
            tracing::warn!(spans = left, "spans that nobody has taken are lost with the end of the process");
        }
        self.0.outbox.lose(pending);
    }

    /// Sends what has ended, and takes no longer than this. What the collector does not take is kept for the next time, and while it
    /// is away nobody waits for it.
    pub async fn send(&self, within: Duration) {
        let until = Instant::now() + within;
        let (Some((settings, wire)), Ok(mut sending)) = (self.place(), self.0.sending.try_lock()) else {
            return;
        };
        if sending.rest.is_some_and(|rest| !rest.is_over(self.0.clock.now())) {
            return;
        }
        loop {
            if sending.pending.is_none() {
                sending.pending = self.next_batch();
            }
            let left = until.saturating_duration_since(Instant::now());
            let Some(Batch { body, spans }) = sending.pending.as_ref().filter(|_| !left.is_zero()) else {
                return;
            };
            let (body, spans) = (body.clone(), *spans);
            match tell(&settings, &wire, body, left).await {
                Told::Taken { rejected } => {
                    if rejected > 0 {
                        tracing::warn!(rejected, "the collector of traces took not all of the spans");
                    }
                    self.0.outbox.lose(rejected);
                    self.0.sent.fetch_add(spans.saturating_sub(rejected), Ordering::Relaxed);
                    *sending = Sending::default();
                }
                Told::Refused { why } => {
                    self.0.outbox.lose(spans);
                    tracing::warn!(spans, "the collector of traces refuses spans, and they are lost: {why}");
                    sending.pending = None;
                }
                Told::Later { after, why } => {
                    let rest = Self::SHORTEST_REST.saturating_mul(1 << sending.failures.min(6));
                    let rest = after.unwrap_or(rest).clamp(Self::SHORTEST_REST, Self::LONGEST_REST);
                    sending.failures = sending.failures.saturating_add(1);
                    sending.rest = Some(Rest::from(self.0.clock.now(), rest));
                    let again_in_s = rest.as_secs();
                    tracing::warn!(spans, again_in_s, "failed to send spans, which is tried again: {why}");
                    return;
                }
            }
        }
    }

    fn place(&self) -> Option<(TraceSettings, Wire)> {
        self.0.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn next_batch(&self) -> Option<Batch> {
        let ended = self.0.outbox.take();
        let spans = u64::try_from(ended.len()).unwrap_or(u64::MAX);
        let resource_spans = group_spans_by_resource_and_scope(ended, &(&self.0.resource).into());
        let body = Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
        (spans > 0).then_some(Batch { body, spans })
    }
}

/// <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>
async fn tell(settings: &TraceSettings, wire: &Wire, body: Bytes, within: Duration) -> Told {
    let mut call = Call::post(settings.endpoint.clone(), body)
        .header(CONTENT_TYPE, "application/x-protobuf")
        .timeout(settings.timeout.min(within));
    for (name, value) in settings.headers.iter().flatten() {
        let (name, value) = (HeaderName::try_from(name), HeaderValue::try_from(value.expose_secret()));
        if let (Ok(name), Ok(mut value)) = (name, value) {
            value.set_sensitive(true);
            call.headers.insert(name, value);
        }
    }
    call.max_reply = 64 * 1024;
    match wire.send(call).await {
        Ok(Reply { status, headers: _, body }) if status.is_success() => {
            let answer = ExportTraceServiceResponse::decode(body).unwrap_or_default();
            let rejected = answer.partial_success.map_or(0, |partly| partly.rejected_spans);
            Told::Taken { rejected: u64::try_from(rejected).unwrap_or(0) }
        }
        Ok(Reply { status, headers, body: _ }) => {
            let why = format!("it answers {status}");
            let passes = matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            );
            if passes { Told::Later { after: told(&headers), why } } else { Told::Refused { why } }
        }
        Err(error @ (WireError::TooLarge { .. } | WireError::Setup { .. })) => {
            Told::Refused { why: error.to_string() }
        }
        Err(error) => Told::Later { after: None, why: error.to_string() },
    }
}

/// Whoever gives a date is asked again as if he had said nothing.
fn told(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// <https://opentelemetry.io/docs/specs/semconv/resource/>. What is set goes before what we know.
fn resource(environment: &Environment, settings: &TraceSettings, service: &str) -> Resource {
    let known = [("service.name", service), ("service.version", env!("CARGO_PKG_VERSION"))];
    let mut attributes: Vec<_> =
        known.into_iter().map(|(name, value)| KeyValue::new(name, value.to_owned())).collect();
    if environment.is_lambda() {
        attributes
            .extend([KeyValue::new("cloud.provider", "aws"), KeyValue::new("cloud.platform", "aws_lambda")]);
        for (name, variable) in [
            ("cloud.region", "AWS_REGION"),
            ("faas.name", "AWS_LAMBDA_FUNCTION_NAME"),
            ("faas.version", "AWS_LAMBDA_FUNCTION_VERSION"),
            ("faas.instance", "AWS_LAMBDA_LOG_STREAM_NAME"),
        ] {
            attributes.extend(environment.get(variable).map(|value| KeyValue::new(name, value)));
        }
    }
    let set = settings.attributes.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    attributes.extend(set);
    attributes.extend(settings.service.clone().map(|name| KeyValue::new("service.name", name)));
    let builder = Resource::builder_empty().with_detector(Box::new(TelemetryResourceDetector));
    builder.with_attributes(attributes).build()
}

impl TraceSettings {
    fn timeout_of(place: &Option<(Self, Wire)>) -> Duration {
        place.as_ref().map_or(Duration::ZERO, |(settings, _)| settings.timeout)
    }
}
