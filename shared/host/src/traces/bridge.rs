//! What the crates below see of the traces: `trace`'s words, said in those of OpenTelemetry.

use opentelemetry::trace::{
    SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use trace::{Bridge, TraceContext};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

pub(super) const BRIDGE: Bridge = Bridge { current, child_of, linked_to, link, failed };

fn current() -> Option<TraceContext> {
    Context::map_current(|here| {
        let span = here.span();
        let here = span.span_context();
        TraceContext::new(
            u128::from_be_bytes(here.trace_id().to_bytes()),
            u64::from_be_bytes(here.span_id().to_bytes()),
            here.trace_flags().to_u8(),
        )
    })
}

fn far(there: TraceContext) -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes(there.trace().to_be_bytes()),
        SpanId::from_bytes(there.span().to_be_bytes()),
        TraceFlags::new(there.flags()),
        true,
        TraceState::default(),
    )
}

/// Of a span that was entered already nobody asks it.
fn child_of(span: &Span, there: TraceContext) {
    span.set_parent(Context::new().with_remote_span_context(far(there))).ok();
}

fn linked_to(span: &Span, there: TraceContext) {
    span.add_link(far(there));
}

fn link(there: TraceContext) {
    Context::map_current(|here| here.span().add_link(far(there), Vec::new()));
}

fn failed(why: &'static str) {
    Context::map_current(|here| {
        let span = here.span();
        span.set_attribute(KeyValue::new("error.type", why));
        span.set_status(Status::error(""));
    });
}
