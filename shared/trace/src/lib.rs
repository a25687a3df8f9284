//! Where a piece of work belongs in a trace. Whoever has something to show there opens a span of `tracing` with [`TARGET`]; whoever
//! sends a message writes [`current`] on it; whoever works on that message says [`child_of`] or [`linked_to`] of his span.
//!
//! Nothing of this is made or costs anything unless the process has a [`Bridge`] among the layers of its subscriber.
//! Never here: how spans are kept, and to whom they are told.

mod context;

use tracing::{Span, Subscriber, dispatcher};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::registry::LookupSpan;

pub use context::{NotAContext, TraceContext};

/// The target of every span that traces show, and of no other: what a log line says in its own spans stays in the log. Their fields
/// hold object ids at most, and no address.
pub const TARGET: &str = "guestlist::trace";

/// What the process knows of the traces that it makes, as a layer that sees neither spans nor events.
#[derive(Debug, Clone, Copy)]
pub struct Bridge {
    /// Of the innermost span that was entered.
    pub current: fn() -> Option<TraceContext>,
    /// Before the span is entered for the first time.
    pub child_of: fn(&Span, TraceContext),
    pub linked_to: fn(&Span, TraceContext),
    /// To the innermost span that was entered.
    pub link: fn(TraceContext),
    /// Of the innermost span that was entered. One word of a few.
    pub failed: fn(&'static str),
}

impl<S: Subscriber> Layer<S> for Bridge {}

impl Bridge {
    /// To be put beside the layer that keeps the spans.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(self) -> impl Layer<S> {
        self.with_filter(LevelFilter::OFF)
    }

    fn of_the_process() -> Option<Self> {
        dispatcher::get_default(|subscriber| subscriber.downcast_ref::<Self>().copied())
    }
}

/// Where the work that is being done belongs. None: no traces are made.
#[must_use]
pub fn current() -> Option<TraceContext> {
    Bridge::of_the_process().and_then(|bridge| (bridge.current)())
}

/// This span goes on with what was begun there. Before it is entered.
pub fn child_of(span: &Span, there: TraceContext) {
    if let Some(bridge) = Bridge::of_the_process() {
        (bridge.child_of)(span, there);
    }
}

/// This span has to do with what was done there, and is no part of it.
pub fn linked_to(span: &Span, there: TraceContext) {
    if let Some(bridge) = Bridge::of_the_process() {
        (bridge.linked_to)(span, there);
    }
}

/// As [`linked_to`], of what is being done.
pub fn link(there: TraceContext) {
    if let Some(bridge) = Bridge::of_the_process() {
        (bridge.link)(there);
    }
}

/// What is being done has failed: `why` is the `error.type` of the semantic conventions, a word of a few.
pub fn failed(why: &'static str) {
    if let Some(bridge) = Bridge::of_the_process() {
        (bridge.failed)(why);
    }
}

/// A span of the log that says to which trace its lines belong, or none where there is no trace.
#[must_use]
pub fn in_the_log() -> Span {
    match current() {
        Some(here) => tracing::info_span!("trace", trace_id = %here.trace_id()),
        None => Span::none(),
    }
}
