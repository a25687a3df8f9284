//! A batch of messages: each a task of its own, and an answer that names exactly those that have to come again. An empty or
//! unknown name would bring the whole batch back
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).

use std::time::Duration;

use queue::{Answer, Delivery, Received};
use responder::{Flow, Pushed, Worker};
use serde_json::{Value, json};
use tokio::task::JoinError;

use super::Deadline;
use super::event::Record;
use super::underway::Underway;
use crate::process::turns::SIDE_BY_SIDE;

/// The answer, and whether Microsoft refused our credential to any of them.
pub(super) async fn run<F: Flow>(
    worker: &Worker<F>,
    records: Vec<Record>,
    deadline: Deadline,
) -> (Result<Value, String>, bool) {
    let longest = Duration::try_from(worker.lease()).unwrap_or(Duration::MAX);
    if deadline.left() < longest {
        tracing::warn!(
            left_ms = u64::try_from(deadline.left().as_millis()).unwrap_or(u64::MAX),
            "a job may take {} s, and what is not done in time is given up and comes again: set the function's timeout longer",
            longest.as_secs()
        );
    }
    let cloned = worker.clone();
    let ended = work(records, deadline, longest, move |received| {
        let worker = cloned.clone();
        async move { worker.run_pushed(&received).await }
    });
    let Ended { again, unsettled, credential_refused } = ended.await;
    // To answer in time is worth more: what is not put back comes again, too.
    if !unsettled.is_empty()
        && tokio::time::timeout(deadline.left() / 2, worker.put_back(&unsettled)).await.is_err()
    {
        tracing::warn!("failed to have messages shown again soon before the function's time was over");
    }
    let failures: Vec<Value> = again.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
    (Ok(json!({ "batchItemFailures": failures })), credential_refused)
}

/// How a batch ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ended {
    /// Each name once, in the order of the batch.
    again: Vec<String>,
    /// Those of them for which nobody has said when.
    unsettled: Vec<Delivery>,
    credential_refused: bool,
}

/// Works on as many side by side as the local process does. Those with which the event begins are begun whatever time there is,
/// or a timeout that is set too short would let nothing be done for ever; each further one only while there is the time that one
/// job may take at most, which is its lease.
async fn work<F, R>(records: Vec<Record>, deadline: Deadline, longest: Duration, one: F) -> Ended
where
    F: Fn(Received) -> R,
    R: Future<Output = Pushed> + Send + 'static,
{
    let known = |record: &Record| (record.id.clone(), record.received.as_ref().map(Received::delivery));
    let known: Vec<_> = records.iter().map(known).collect();
    let mut batch = Batch { answers: vec![Answer::Failure; known.len()], credential_refused: false };
    let mut underway = Underway::new();
    let mut waiting = records.into_iter().enumerate().filter_map(|(at, record)| Some((at, record.received?)));
    let mut begun = 0_usize;
    loop {
        while underway.len() < SIDE_BY_SIDE
            && (begun < SIDE_BY_SIDE || deadline.left() >= longest)
            && let Some((at, received)) = waiting.next()
        {
            begun = begun.saturating_add(1);
            underway.begin(at, one(received));
        }
        let Some((at, ended)) = underway.next(deadline).await else { break };
        batch.note(at, ended);
    }
    let left = waiting.count().saturating_add(underway.len());
    if left > 0 {
        tracing::warn!(left, "the time is over: these messages come again");
    }
    for (at, ended) in underway.give_up().await {
        batch.note(at, ended);
    }
    batch.end(known)
}

struct Batch {
    answers: Vec<Answer>,
    credential_refused: bool,
}

impl Batch {
    /// A panic costs its own message only.
    fn note(&mut self, at: usize, ended: Result<Pushed, JoinError>) {
        let Pushed { answer, credential_refused } = match ended {
            Ok(pushed) => pushed,
            Err(error) if error.is_panic() => {
                tracing::error!("a job panicked, and its message comes again: {error}");
                return;
            }
            Err(_) => return,
        };
        self.credential_refused |= credential_refused;
        if let Some(noted) = self.answers.get_mut(at) {
            *noted = answer;
        }
    }

    fn end(self, known: Vec<(String, Option<Delivery>)>) -> Ended {
        let mut ended = Ended { credential_refused: self.credential_refused, ..Ended::default() };
        for ((name, delivery), answer) in known.into_iter().zip(self.answers) {
            match answer {
                Answer::Success => continue,
                Answer::Later => {}
                Answer::Failure => ended.unsettled.extend(delivery),
            }
            if !ended.again.contains(&name) {
                ended.again.push(name);
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// How a message of the test ends.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum End {
        Success,
        Later,
        Failure,
        CredentialRefused,
        Panic,
        Never,
        Unusable,
    }

    fn record(at: usize, id: &str, end: End) -> Record {
        let received = Received {
            message_id: id.to_owned(),
            receipt_handle: at.to_string(),
            body: String::new(),
            receive_count: 1,
        };
        Record { id: id.to_owned(), received: (end != End::Unusable).then_some(received) }
    }

    async fn play(batch: Vec<(String, End)>, time: Duration, longest: Duration) -> Ended {
        let records = batch.iter().enumerate().map(|(at, (id, end))| record(at, id, *end)).collect();
        let ends: Vec<End> = batch.iter().map(|(_, end)| *end).collect();
        work(records, Deadline::in_time(time), longest, move |received| {
            let end = ends[received.receipt_handle.parse::<usize>().unwrap()];
            async move {
                match end {
                    End::Success => Pushed::answered(Answer::Success),
                    End::Later => Pushed::answered(Answer::Later),
                    End::Failure => Pushed::answered(Answer::Failure),
                    End::CredentialRefused => Pushed { answer: Answer::Later, credential_refused: true },
                    End::Panic => panic!("a job of the test"),
                    End::Never | End::Unusable => std::future::pending().await,
                }
            }
        })
        .await
    }

    fn paused() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn whatever_becomes_of_a_batch_the_answer_names_exactly_what_did_not_succeed(
            batch in prop::collection::vec(
                (
                    "[a-f0-9]{1,3}",
                    prop::sample::select(vec![
                        End::Success, End::Success, End::Later, End::Failure, End::CredentialRefused, End::Panic, End::Never,
                        End::Unusable,
                    ]),
                ),
                0..60,
            ),
            enough in any::<bool>(),
        ) {
            // Only those that never end take time, and they take all of it.
            let longest = Duration::from_secs(if enough { 60 } else { 600 });
            let ended = paused().block_on(play(batch.clone(), Duration::from_secs(300), longest));
            let never = batch.iter().filter(|(_, end)| *end == End::Never).count();
            let workable = batch.iter().filter(|(_, end)| *end != End::Unusable).count();
            let failed = |(_, end): &&(String, End)| *end != End::Success;
            let must: BTreeSet<_> = batch.iter().filter(failed).map(|(id, _)| id.clone()).collect();
            let named: BTreeSet<_> = ended.again.iter().cloned().collect();
            prop_assert_eq!(named.len(), ended.again.len(), "a name twice");
            prop_assert!(must.is_subset(&named));
            prop_assert!(named.iter().all(|name| batch.iter().any(|(id, _)| id == name)));
            // Whoever is settled is left as he is, and what cannot be received cannot be shown again either.
            let unsettled: BTreeSet<_> = ended.unsettled.iter().map(|one| one.receipt_handle.clone()).collect();
            let ends_so = |ends: &[End]| -> BTreeSet<String> {
                let so = batch.iter().enumerate().filter(|(_, (_, end))| ends.contains(end));
                so.map(|(at, _)| at.to_string()).collect()
            };
            prop_assert!(ends_so(&[End::Failure, End::Panic, End::Never]).is_subset(&unsettled));
            prop_assert!(ends_so(&[End::Unusable]).is_disjoint(&unsettled));
            if workable <= SIDE_BY_SIDE || (enough && never < SIDE_BY_SIDE) {
                prop_assert_eq!(named, must, "something that could be done was not");
                prop_assert_eq!(unsettled, ends_so(&[End::Failure, End::Panic, End::Never]));
            }
        }
    }

    #[test]
    fn with_too_little_time_the_first_ones_are_done_and_the_others_come_again() {
        let batch: Vec<_> = (0..SIDE_BY_SIDE + 3).map(|n| (n.to_string(), End::Success)).collect();
        let longest = Duration::from_secs(180);
        let ended = paused().block_on(play(batch.clone(), Duration::from_secs(30), longest));
        let rest: Vec<_> = (SIDE_BY_SIDE..SIDE_BY_SIDE + 3).map(|n| n.to_string()).collect();
        assert_eq!(ended.again, rest);
        let put_back: Vec<_> = ended.unsettled.into_iter().map(|one| one.receipt_handle).collect();
        assert_eq!(put_back, rest);
        let ended = paused().block_on(play(batch, Duration::from_secs(300), longest));
        assert_eq!(ended.again, Vec::<String>::new());
    }

    #[test]
    fn a_refused_credential_is_known_and_a_panic_costs_only_its_own() {
        let batch = [("a", End::CredentialRefused), ("b", End::Success), ("c", End::Panic)];
        let batch = batch.map(|(id, end)| (id.to_owned(), end)).to_vec();
        let ended = paused().block_on(play(batch, Duration::from_secs(300), Duration::from_secs(180)));
        let again = vec!["a".to_owned(), "c".to_owned()];
        let unsettled = vec![Delivery { receipt_handle: "2".to_owned(), receive_count: 1 }];
        assert_eq!(ended, Ended { again, unsettled, credential_refused: true });
    }
}
