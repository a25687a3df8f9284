//! Takes jobs from a queue, hands each to its flow, and ends it: acknowledged, later, or buried. The one place where a
//! job becomes a batch with partial failures.

use jiff::{SignedDuration, Timestamp};
use model::{Clock, Job, NoticeKind};
use queue::{Accepted, Answer, Claimed, Delivery, Queue, Received};
use tokio::task::{JoinError, JoinSet};
use tracing::{Instrument as _, Span, field};

use crate::trouble::after;
use crate::{End, Flow, Handler, Notices, Trouble};

/// One queue and its flow.
#[derive(Debug, Clone)]
pub struct Worker<F = Handler> {
    pub name: &'static str,
    pub queue: Queue,
    pub handler: F,
    pub notices: Notices,
    pub clock: Clock,
}

/// How a message ended that SQS has pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    pub answer: Answer,
    /// Microsoft did not take our credential, or a channel what it was sent with.
    pub credential_refused: bool,
}

impl Pushed {
    #[must_use]
    pub fn answered(answer: Answer) -> Self {
        Self { answer, credential_refused: false }
    }
}

impl<F: Flow> Worker<F> {
    /// Failures in a row before a job goes to the dead letters: with the doubling waits, about six hours. Races that were lost between
    /// them count, and are no reason to bury it.
    const TRIES: u32 = 30;
    /// Where Graph stays away for longer than that, nothing is buried.
    const GRAPH_AWAY: SignedDuration = SignedDuration::from_mins(15);

    /// Takes over what a process that died had claimed: its leases end now, in the queue and in the ledger. Only where no
    /// other process runs this worker. Returns how many there were.
    ///
    /// # Errors
    /// The queue or the ledger is in trouble. What is not taken over comes back when its lease ends.
    pub async fn take_over(&self) -> Result<usize, Trouble> {
        let now = self.clock.now();
        let incidents = self.handler.take_over(now).await?;
        Ok(self.queue.release_claims(now).await?.saturating_add(incidents))
    }

    /// Claims what is due and runs it, at most `most` jobs side by side. Returns how many there were.
    ///
    /// # Errors
    /// The queue could not be read. What was claimed runs again when its lease ends.
    pub async fn run_due(&self, most: usize) -> Result<usize, Trouble> {
        let mut running = JoinSet::new();
        let count = self.start_due(&mut running, most).await?;
        while let Some(ended) = running.join_next().await {
            self.note(ended);
        }
        Ok(count)
    }

    /// Claims what is due, at most `most` jobs, and starts each as a task of its own. Returns how many there were.
    ///
    /// # Errors
    /// The queue could not be read.
    pub async fn start_due(&self, running: &mut JoinSet<()>, most: usize) -> Result<usize, Trouble> {
        let claimed = self.queue.claim(self.clock.now(), self.lease(), most).await?;
        let count = claimed.len();
        for one in claimed {
            let worker = self.clone();
            running.spawn(async move {
                worker.run_claimed(one).await;
            });
        }
        Ok(count)
    }

    /// Runs what SQS has pushed, and says what to answer. A panic is the caller's to catch: the message comes again, and
    /// waits until the lease ends.
    pub async fn run_pushed(&self, received: &Received) -> Pushed {
        match self.queue.accept(received, self.clock.now(), self.lease()).await {
            Ok(Accepted::Run(claimed)) => {
                // What has to do with a batch is known by its messages.
                claimed.trace.into_iter().for_each(trace::link);
                self.run_claimed(claimed).await
            }
            Ok(Accepted::Done) => Pushed::answered(Answer::Success),
            Err(error) => {
                let message = &received.message_id;
                tracing::error!(
                    worker = self.name,
                    message.id = message,
                    "failed to accept a message: {error}"
                );
                Pushed::answered(Answer::Failure)
            }
        }
    }

    /// Has SQS show again soon what it has pushed and nobody has settled. Where that fails, they come again all the same, later.
    pub async fn put_back(&self, deliveries: &[Delivery]) {
        if let Err(error) = self.queue.put_back(deliveries).await {
            let count = deliveries.len();
            tracing::warn!(worker = self.name, count, "failed to have messages shown again soon: {error}");
        }
    }

    /// What is not settled comes back: when its lease ends, or when SQS shows it again.
    async fn run_claimed(&self, claimed: Claimed) -> Pushed {
        let job = serde_json::from_str::<Job>(&claimed.body);
        let span = self.working(&claimed, job.as_ref().ok());
        async {
            match self.run_one(claimed, job).await {
                Ok(pushed) => pushed,
                Err(trouble) => {
                    trace::failed("unsettled");
                    tracing::error!(worker = self.name, "failed to end a job: {trouble}");
                    Pushed::answered(Answer::Failure)
                }
            }
        }
        .instrument(span)
        .await
    }

    /// As <https://opentelemetry.io/docs/specs/semconv/messaging/sqs/> has it for one message of a batch. It goes on with the trace
    /// in which it was sent, unless it is a look that nobody waits for: those are many, and each is a trace of its own with a link.
    fn working(&self, claimed: &Claimed, job: Option<&Job>) -> Span {
        let alone = job.is_some_and(is_background);
        macro_rules! span {
            ($($parent:tt)*) => {
                tracing::debug_span!(
                    target: trace::TARGET,
                    $($parent)*
                    "process",
                    otel.name = %format_args!("{} process", self.queue.name()),
                    otel.kind = "consumer",
                    messaging.system = self.queue.system(),
                    messaging.operation.name = "process",
                    messaging.operation.type = "process",
                    messaging.destination.name = self.queue.name(),
                    job.deliveries = i64::from(claimed.deliveries),
                    job.key = claimed.key,
                    correlation = job.and_then(Job::correlation).map(field::display),
                )
            };
        }
        let span = if alone { span!(parent: None,) } else { span!() };
        let batch = trace::current();
        match claimed.trace {
            Some(there) if alone => trace::linked_to(&span, there),
            Some(there) => trace::child_of(&span, there),
            None if alone => {}
            None => return span,
        }
        batch.into_iter().for_each(|batch| trace::linked_to(&span, batch));
        span
    }

    /// How long nobody else gets the key of a job: longer than the job may take.
    #[must_use]
    pub fn lease(&self) -> SignedDuration {
        self.handler.lease()
    }

    /// A panic costs its own job only: the lease ends, and the job runs again until it is buried.
    pub fn note(&self, ended: Result<(), JoinError>) {
        if let Err(panic) = ended {
            tracing::error!(worker = self.name, "a job panicked: {panic}");
        }
    }

    async fn run_one(
        &self,
        claimed: Claimed,
        job: Result<Job, serde_json::Error>,
    ) -> Result<Pushed, Trouble> {
        if claimed.deliveries > Self::TRIES {
            return self.bury(&claimed, &format!("it failed {} times", claimed.deliveries)).await;
        }
        let job = match job {
            Ok(job) => job,
            Err(error) => return self.bury(&claimed, &format!("it cannot be read: {error}")).await,
        };
        let span = tracing::info_span!(
            "job",
            job.key = claimed.key,
            correlation = job.correlation().map(field::display),
            trace_id = trace::current().map(|here| here.trace_id()),
        );
        self.run_job(claimed, job).instrument(span).await
    }

    async fn run_job(&self, claimed: Claimed, job: Job) -> Result<Pushed, Trouble> {
        let handled = self.handler.handle(job).await;
        let was_refused = self.handler.was_refused();
        let answer = match handled {
            Ok(None) => {
                return self.bury(&claimed, &format!("it is not a job for `{}`", self.name)).await;
            }
            Ok(Some(End::Done)) => self.queue.ack(&claimed).await?.answer(),
            Ok(Some(End::Again { at, job })) => {
                // A body makes it as new: waiting is no failure, and must not end among the dead letters.
                let body = match job {
                    Some(job) => serde_json::to_string(&job).map_err(Trouble::now)?,
                    None => claimed.body.clone(),
                };
                self.queue.delay(&claimed, at, Some(body)).await?.answer()
            }
            Ok(Some(End::Bury { why })) => return self.bury(&claimed, &why).await,
            Err(trouble) => {
                trace::failed(if trouble.is_a_race() { "race" } else { "later" });
                let answer = self.later(&claimed, &trouble).await?;
                let credential_refused = was_refused || trouble.is_of_the_credential();
                return Ok(Pushed { answer, credential_refused });
            }
        };
        Ok(Pushed { answer, credential_refused: was_refused })
    }

    async fn later(&self, claimed: &Claimed, trouble: &Trouble) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        let wait = trouble.wait(claimed.deliveries);
        if trouble.is_a_race() {
            tracing::debug!(worker = self.name, job.key = claimed.key, "somebody else was faster: {trouble}");
        } else {
            tracing::warn!(
                worker = self.name,
                job.key = claimed.key,
                job.deliveries = claimed.deliveries,
                job.wait_ms = u64::try_from(wait.as_millis()).unwrap_or(0),
                "a job is tried again: {trouble}",
            );
        }
        let (at, anew) = if claimed.deliveries < Self::TRIES {
            (after(now, wait), None)
        } else if trouble.passes_with_graph() {
            (after(now, wait.max(Self::GRAPH_AWAY)), Some(claimed.body.clone()))
        } else if trouble.is_a_race() {
            // Whatever failed before has passed.
            tracing::warn!(
                worker = self.name,
                job.key = claimed.key,
                "others are faster again and again: {trouble}"
            );
            (after(now, wait), Some(claimed.body.clone()))
        } else {
            (after(now, wait), None)
        };
        Ok(self.queue.delay(claimed, at, anew).await?.answer())
    }

    async fn bury(&self, claimed: &Claimed, why: &str) -> Result<Pushed, Trouble> {
        trace::failed("buried");
        let job = serde_json::from_str::<Job>(&claimed.body).ok();
        if let Some(job) = &job {
            self.handler.bury(job, why).await?;
        }
        let then = match job {
            // It was answered: nobody serves it once more.
            Some(Job::Serve { request: _ }) => {
                "whoever asked for it has an answer, and may ask again; then `dead drop`"
            }
            Some(
                Job::Assess { .. }
                | Job::Reread { .. }
                | Job::Remediate { .. }
                | Job::Tell { .. }
                | Job::Lifecycle { .. },
            )
            | None => "then `dead replay` or `dead drop`",
        };
        let hold = self.queue.bury(claimed, why, self.clock.now()).await?;
        let text = format!(
            "a job of `{}` went to the dead letters: {why}; see `guestlist dead list`, {then}",
            self.name
        );
        self.notices.raise(NoticeKind::JobBuried, &format!("buried/{}", self.name), text, 1).await?;
        Ok(Pushed::answered(hold.answer()))
    }

    /// When the next job of this queue falls due.
    ///
    /// # Errors
    /// The queue could not be read.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, Trouble> {
        Ok(self.queue.next_due().await?)
    }
}

/// One of very many looks that can wait: of a listing, at the guests of a changed group, because a date has come.
fn is_background(job: &Job) -> bool {
    match job {
        Job::Assess { change, missing: _ } => change.background,
        Job::Reread { .. }
        | Job::Remediate { .. }
        | Job::Serve { .. }
        | Job::Tell { .. }
        | Job::Lifecycle { .. } => false,
    }
}
