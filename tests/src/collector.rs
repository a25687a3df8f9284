//! A collector of traces as its service: it reads what OTLP says, keeps it, and answers as the story wants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use host::{Environment, Traces};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::Link, span::SpanKind, status::StatusCode as Ended};
use prost::Message as _;
use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::World;

/// A span as it came in. Ids are hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub service: String,
    pub trace: String,
    pub id: String,
    /// Empty: a trace begins here.
    pub parent: String,
    pub name: String,
    pub kind: SpanKind,
    /// The traces and spans that it has to do with.
    pub links: Vec<(String, String)>,
    pub attributes: BTreeMap<String, String>,
    pub failed: bool,
}

#[derive(Debug, Default)]
struct Kept {
    spans: Vec<Seen>,
    headers: Vec<HeaderMap>,
    /// All that came in, as it was.
    bytes: Vec<u8>,
    /// Instead of success. None of the two: nothing, ever.
    answer: Option<Option<StatusCode>>,
    /// Seconds, beside such an answer.
    rest: Option<u32>,
}

#[derive(Debug, Clone)]
pub struct Collector {
    address: String,
    kept: Arc<Mutex<Kept>>,
}

impl Collector {
    pub async fn open() -> Self {
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&kept));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, kept }
    }

    /// As `OTEL_EXPORTER_OTLP_ENDPOINT` has it.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// From now on it takes nothing, and says that.
    pub fn answer_with(&self, status: StatusCode) {
        self.kept.lock().unwrap().answer = Some(Some(status));
    }

    /// From now on it takes nothing, and says that it is too much for it and when to come again.
    pub fn ask_for_rest(&self, seconds: u32) {
        self.answer_with(StatusCode::TOO_MANY_REQUESTS);
        self.kept.lock().unwrap().rest = Some(seconds);
    }

    /// From now on it takes the request and never answers.
    pub fn hang(&self) {
        self.kept.lock().unwrap().answer = Some(None);
    }

    /// What it has, in no order.
    #[must_use]
    pub fn spans(&self) -> Vec<Seen> {
        self.kept.lock().unwrap().spans.clone()
    }

    /// How often it was asked.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.kept.lock().unwrap().headers.len()
    }

    /// Of every request.
    #[must_use]
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.kept.lock().unwrap().headers.clone()
    }

    /// Whether the text stands anywhere in what came in.
    #[must_use]
    pub fn heard(&self, text: &str) -> bool {
        let kept = self.kept.lock().unwrap();
        !text.is_empty() && kept.bytes.windows(text.len()).any(|some| some == text.as_bytes())
    }

    /// The only span of that name.
    #[track_caller]
    #[must_use]
    pub fn only(&self, name: &str) -> Seen {
        let spans = self.spans();
        let found: Vec<&Seen> = spans.iter().filter(|span| span.name == name).collect();
        let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(found.len(), 1, "`{name}` among {names:?}");
        found[0].clone()
    }

    /// The names from this span up to where its trace begins.
    #[must_use]
    pub fn way_up(&self, from: &Seen) -> Vec<String> {
        let (spans, mut names, mut here) = (self.spans(), vec![from.name.clone()], from.clone());
        while let Some(above) = spans.iter().find(|span| span.id == here.parent) {
            assert_eq!(above.trace, from.trace, "{} is of another trace", above.name);
            names.push(above.name.clone());
            here = above.clone();
        }
        assert_eq!(here.parent, "", "the parent of {} was never told", here.name);
        names
    }
}

async fn take(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: Bytes) -> Response {
    let (answer, rest) = {
        let mut kept = kept.lock().unwrap();
        kept.headers.push(headers);
        (kept.answer, kept.rest)
    };
    match answer {
        Some(Some(status)) => {
            let rest = rest.map(|seconds| [(RETRY_AFTER, seconds.to_string())]);
            return rest.map_or_else(|| status.into_response(), |rest| (status, rest).into_response());
        }
        Some(None) => std::future::pending::<()>().await,
        None => {}
    }
    let request = ExportTraceServiceRequest::decode(body.clone()).unwrap();
    let mut kept = kept.lock().unwrap();
    kept.bytes.extend_from_slice(&body);
    for of_one in request.resource_spans {
        let about = attributes(&of_one.resource.unwrap().attributes);
        let service = about.get("service.name").cloned().unwrap_or_default();
        for span in of_one.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            kept.spans.push(seen(span, &service));
        }
    }
    ExportTraceServiceResponse::default().encode_to_vec().into_response()
}

fn seen(span: Span, service: &str) -> Seen {
    let link = |link: &Link| (hex(&link.trace_id), hex(&link.span_id));
    assert!(span.events.is_empty(), "log lines stay in the log: {span:?}");
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:?}");
    Seen {
        service: service.to_owned(),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind: span.kind(),
        links: span.links.iter().map(link).collect(),
        attributes: attributes(&span.attributes),
        failed: span.status.is_some_and(|status| status.code() == Ended::Error),
        name: span.name,
    }
}

fn attributes(all: &[KeyValue]) -> BTreeMap<String, String> {
    let read = |one: &KeyValue| (one.key.clone(), one.value.as_ref().map(text).unwrap_or_default());
    all.iter().map(read).collect()
}

fn text(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Traces of what this thread does, from now on, as the settings of a process would make them.
pub struct Traced {
    pub collector: Collector,
    pub traces: Traces,
    _guard: DefaultGuard,
}

impl Traced {
    pub async fn open() -> Self {
        let collector = Collector::open().await;
        let set = Self::settings(&collector).map(|(name, value)| (name.to_owned(), value));
        let traces = Traces::begin(&Environment::of(set.into()), "guestlist").unwrap();
        // With one subscriber alone in the process, whichever thread is first at a span says for all whether anybody wants it.
        static BESIDE: OnceLock<Dispatch> = OnceLock::new();
        BESIDE.get_or_init(|| Dispatch::new(NoSubscriber::new()));
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(traces.layer()));
        Self { collector, traces, _guard: guard }
    }

    /// For [`crate::Setup::also`].
    #[must_use]
    pub fn settings(collector: &Collector) -> [(&'static str, String); 2] {
        [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address()),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hush%21".to_owned()),
        ]
    }

    /// Sends what the world has done so far, as its process would.
    pub async fn send(&self, world: &World) {
        let settings = world.assembly.settings.traces.clone().unwrap();
        self.traces.send_to(settings, world.assembly.wire.clone());
        self.traces.send(Duration::from_secs(30)).await;
    }
}

impl std::fmt::Debug for Traced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Traced").field("collector", &self.collector.address).finish_non_exhaustive()
    }
}
