//! A function on AWS Lambda: the same assembly as in the local process, fed by events. The process is frozen as soon as it has
//! answered, so that whatever an event sets off has come to its end before.
//!
//! A function's timeout should be longer than a job may take (`Worker::lease`: three minutes, eight for `remediate`), and its
//! queue's visibility timeout six times that.

mod batch;
mod emf;
mod event;
mod function;
mod http;
mod judging;
mod parts;
mod policy_object;
mod request;
mod scheduled;
mod secrets;
mod traced;
mod underway;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::{Environment, Traces};
use event::Event;
use function::{Built, Function};
use parts::OnQueue;

pub use request::is_request;

pub(crate) use parts::{Alert, Approvals, Assess, Notifications, Remediate, Steward, Work};

/// Answers events until Lambda ends the process.
///
/// # Errors
/// A setting or secret is missing, the policy is not valid and none was before, or Lambda cannot be reached.
pub(crate) async fn run<W: Work>(environment: &Environment, traces: Option<Traces>) -> anyhow::Result<()> {
    let function = Arc::new(Function::<W>::start(environment.clone(), traces).await?);
    let ended = W::answer(function).await;
    ended.map_err(|error| anyhow::anyhow!("failed to go on asking Lambda for events: {error}"))
}

/// Batches of a queue, and the word of a timer.
async fn answer<W: OnQueue>(function: Arc<Function<W>>) -> Result<(), lambda_runtime::Error> {
    let handle = service_fn(move |event: LambdaEvent<Value>| {
        let function = Arc::clone(&function);
        async move { function.handle(event).await }
    });
    lambda_runtime::run(handle).await
}

impl<W: OnQueue> Function<W> {
    /// One event. An error counts as such with AWS, and the event comes again.
    async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        let LambdaEvent { payload, context } = event;
        let deadline = Deadline::of(&context);
        let event = Event::read(W::PART, payload).map_err(|why| failed("UnknownEvent", &why))?;
        let built = self.begin(deadline).await;
        let span = traced::invoked(&built.work, &event, &context);
        let answer = self.work_on(event, &built, deadline).instrument(span).await;
        // Its span has ended by now.
        self.send_traces(deadline.share(Traces::BEFORE_AN_ANSWER)).await;
        answer
    }

    async fn work_on(&self, event: Event, built: &Built<W>, deadline: Deadline) -> Result<Value, Diagnostic> {
        let (answer, credential_refused) = match event {
            Event::Batch(records, nameless) => {
                let (answer, refused) = batch::run(built.work.worker(), records, deadline).await;
                // No answer can name it: all come again, and those that are done are known.
                (nameless.map_or(answer, Err), refused)
            }
            Event::Tend => {
                let tended = scheduled::run(W::chores(built), deadline).await;
                // What is measured is worth no second try.
                let telling = self.tell_state(built, W::TELLS_STATE);
                if tokio::time::timeout(deadline.left() / 2, telling).await.is_err() {
                    tracing::warn!("failed to tell what is measured before the function's time was over");
                }
                tended
            }
        };
        self.end(built, credential_refused).await;
        answer.map_err(|why| {
            trace::failed("NotAllDone");
            failed("NotAllDone", &why)
        })
    }
}

fn failed(kind: &str, why: &str) -> Diagnostic {
    tracing::error!("{why}");
    Diagnostic { error_type: kind.to_owned(), error_message: why.to_owned() }
}

/// Until when this event has to be answered.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    /// When what is still under way is given up, so that the rest can be answered for.
    cut_off: Instant,
}

impl Deadline {
    const TO_ANSWER: Duration = Duration::from_secs(2);

    fn of(context: &Context) -> Self {
        Self::in_time(context.deadline().duration_since(SystemTime::now()).unwrap_or_default())
    }

    fn in_time(left: Duration) -> Self {
        let now = Instant::now();
        let to_answer = Self::TO_ANSWER.min(left / 10);
        Self { at: now + left, cut_off: now + left.saturating_sub(to_answer) }
    }

    fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// For what is done beside the work itself: so long at most, and never more than a quarter of what is left.
    fn share(&self, most: Duration) -> Duration {
        most.min(self.left() / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_done_beside_the_work_never_takes_more_than_a_quarter_of_the_time() {
        let most = Duration::from_secs(2);
        for (left, share) in [(15_000, 2_000), (8_000, 2_000), (4_000, 1_000), (0, 0)] {
            let deadline = Deadline::in_time(Duration::from_millis(left));
            assert_eq!(deadline.share(most), Duration::from_millis(share));
        }
    }
}
