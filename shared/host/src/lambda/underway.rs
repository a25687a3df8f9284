//! What one event has set off: tasks side by side, each with a name, until they have ended or the time is over. Nothing of it goes
//! on after the answer, because the process is frozen then.

use std::collections::HashMap;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::sleep_until;
use tracing::Instrument as _;

use super::Deadline;

#[derive(Debug)]
pub(super) struct Underway<N, T> {
    running: JoinSet<T>,
    names: HashMap<Id, N>,
}

impl<N, T: Send + 'static> Underway<N, T> {
    pub(super) fn new() -> Self {
        Self { running: JoinSet::new(), names: HashMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// Its log lines name the event, too.
    pub(super) fn begin(&mut self, name: N, work: impl Future<Output = T> + Send + 'static) {
        let task = self.running.spawn(work.in_current_span());
        self.names.insert(task.id(), name);
    }

    /// The next that ends. None: there is none, or the time is over.
    pub(super) async fn next(&mut self, deadline: Deadline) -> Option<(N, Result<T, JoinError>)> {
        tokio::select! {
            ended = self.running.join_next_with_id() => self.named(ended?),
            () = sleep_until(deadline.cut_off) => None,
        }
    }

    /// Gives up what is left, as if the process had died there. Returns how it ended: some may have come to their end.
    pub(super) async fn give_up(&mut self) -> Vec<(N, Result<T, JoinError>)> {
        self.running.abort_all();
        let mut ended = Vec::with_capacity(self.running.len());
        while let Some(one) = self.running.join_next_with_id().await {
            ended.extend(self.named(one));
        }
        ended
    }

    fn named(&mut self, ended: Result<(Id, T), JoinError>) -> Option<(N, Result<T, JoinError>)> {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        Some((self.names.remove(&id)?, ended.map(|(_, done)| done)))
    }
}
