//! What traces show of an event: <https://opentelemetry.io/docs/specs/semconv/faas/aws-lambda/>. The messages of a batch are spans of
//! their own, each with a link to this one, and this one has a link to where each was sent.

use lambda_runtime::Context;
use tracing::Span;

use super::event::Event;
use super::parts::OnQueue;

pub(super) fn invoked<W: OnQueue>(work: &W, event: &Event, context: &Context) -> Span {
    match event {
        Event::Batch(records, _) => {
            let queue = work.worker().queue.name();
            tracing::debug_span!(
                target: trace::TARGET,
                parent: None,
                "batch",
                otel.name = %format_args!("{queue} process"),
                otel.kind = "consumer",
                faas.trigger = "pubsub",
                faas.invocation_id = context.request_id,
                messaging.system = "aws_sqs",
                messaging.operation.name = "process",
                messaging.operation.type = "process",
                messaging.destination.name = queue,
                messaging.batch.message_count = i64::try_from(records.len()).unwrap_or(i64::MAX),
            )
        }
        Event::Tend => tracing::debug_span!(
            target: trace::TARGET,
            parent: None,
            "tend",
            otel.name = %format_args!("{} tend", W::PART.word()),
            otel.kind = "server",
            faas.trigger = "timer",
            faas.invocation_id = context.request_id,
        ),
    }
}
