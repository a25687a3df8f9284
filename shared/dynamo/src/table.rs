//! The table, and reading from it. What is read by its key or listed is what was last written; the index alone lags.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder};
use aws_sdk_dynamodb::types::{KeysAndAttributes, Select};
use aws_types::SdkConfig;

use crate::attributes::{Attributes, can_be_class, check_key, due_of, item_of, key_of, number, of_key, text};
use crate::clock::Heard;
use crate::pace::{Pace, patient};
use crate::{Item, Key, Range, TableError};

/// Of `infra/aws/table.json`.
const INDEX: &str = "due";

/// How many keys `BatchGetItem` takes.
const BATCH: usize = 100;

/// One table. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: Arc<str>,
    heard: Option<Heard>,
}

impl Table {
    /// Nothing is asked of AWS yet. `patience` is how long one request may take with all its tries; a single try gets a
    /// third of it. Retries and timeouts of the settings given do not count.
    #[must_use]
    pub fn new(config: &SdkConfig, name: &str, patience: Duration) -> Self {
        Self::of(config, name, patience, None)
    }

    /// The same, and its answers tell by how much the machine's clock, in seconds since 1970, is ahead of AWS's.
    #[must_use]
    pub fn compared(
        config: &SdkConfig,
        name: &str,
        patience: Duration,
        now: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Self {
        Self::of(config, name, patience, Some(Heard::by(now)))
    }

    fn of(config: &SdkConfig, name: &str, patience: Duration, heard: Option<Heard>) -> Self {
        let (retry, timeout) = patient(patience);
        let mut config = Builder::from(config)
            .behavior_version(BehaviorVersion::latest())
            .retry_config(retry)
            .timeout_config(timeout);
        for heard in heard.iter().cloned() {
            config = config.interceptor(heard);
        }
        Self { client: Client::from_conf(config.build()), name: name.into(), heard }
    }

    /// By how many seconds this machine's clock was ahead of AWS's (or, below nothing, behind) when the table answered last. An answer
    /// tells the second, and is a moment on its way. None: it has not answered yet, or nobody compares them.
    #[must_use]
    pub fn ahead(&self) -> Option<i64> {
        self.heard.as_ref()?.ahead()
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The item there. None, too, where none can lie.
    pub async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        if check_key(key).is_err() {
            return Ok(None);
        }
        let request = self.client.get_item().table_name(&*self.name).set_key(Some(of_key(key)));
        let answer = request.consistent_read(true).send().await;
        let answer = answer.map_err(|error| TableError::of(&self.name, &error))?;
        answer.item().map(item_of).transpose()
    }

    /// By sort key, the lowest first.
    pub async fn list(&self, range: &Range) -> Result<Vec<Item>, TableError> {
        let mut items = Vec::new();
        let mut start = match start(range)? {
            Start::Nowhere => return Ok(items),
            Start::First => None,
            Start::After(key) => Some(of_key(&key)),
        };
        let Range { partition, prefix, after: _, limit } = range;
        while items.len() < *limit {
            let request = self
                .client
                .query()
                .table_name(&*self.name)
                .consistent_read(true)
                .expression_attribute_values(":pk", text(partition))
                .set_exclusive_start_key(start)
                .limit(rows(limit.saturating_sub(items.len())));
            let request = if prefix.is_empty() {
                // DynamoDB takes no empty text in the condition on a key.
                request.key_condition_expression("pk = :pk")
            } else {
                request
                    .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
                    .expression_attribute_values(":sk", text(prefix))
            };
            let answer = request.send().await.map_err(|error| TableError::of(&self.name, &error))?;
            for found in answer.items() {
                items.push(item_of(found)?);
            }
            // An answer ends at 1 MB, whatever the limit.
            match answer.last_evaluated_key {
                Some(last) => start = Some(last),
                None => break,
            }
        }
        Ok(items)
    }

    /// How many items of the class are due by then (microseconds since 1970), as the index knows. DynamoDB reads their keys to say so.
    pub async fn count_due(&self, class: &str, until: i64) -> Result<u64, TableError> {
        let (mut count, mut start) = (0_u64, None);
        loop {
            let request = self
                .client
                .query()
                .table_name(&*self.name)
                .index_name(INDEX)
                .select(Select::Count)
                .key_condition_expression("dc = :dc AND da <= :da")
                .expression_attribute_values(":dc", text(class))
                .expression_attribute_values(":da", number(until))
                .set_exclusive_start_key(start);
            let answer = request.send().await.map_err(|error| TableError::of(&self.name, &error))?;
            count = count.saturating_add(u64::try_from(answer.count()).unwrap_or(0));
            match answer.last_evaluated_key {
                Some(last) => start = Some(last),
                None => return Ok(count),
            }
        }
    }

    /// Up to `limit` items of the class that were due by then (microseconds since 1970), the longest due first; of those due
    /// at one moment, any. What was written a moment ago may be missing: it is found the next time. What is no longer due is
    /// never among them.
    pub async fn due(&self, class: &str, until: i64, limit: usize) -> Result<Vec<Item>, TableError> {
        let (mut found, mut seen, mut start) = (Vec::new(), HashSet::new(), None);
        while found.len() < limit && can_be_class(class) {
            let request = self
                .client
                .query()
                .table_name(&*self.name)
                .index_name(INDEX)
                .key_condition_expression("dc = :dc AND da <= :da")
                .expression_attribute_values(":dc", text(class))
                .expression_attribute_values(":da", number(until))
                .set_exclusive_start_key(start)
                .limit(rows(limit.saturating_sub(found.len()).min(BATCH)));
            let answer = request.send().await.map_err(|error| TableError::of(&self.name, &error))?;
            let mut keys = answer.items().iter().map(key_of).collect::<Result<Vec<_>, _>>()?;
            // An item that moves while the index is read may be met twice.
            keys.retain(|key| seen.insert(key.clone()));
            for attributes in self.fetch(&keys).await? {
                // The index lags behind the items, which alone are true.
                if let Some(due) = due_of(&attributes)
                    && due.class == class
                    && due.at <= until
                {
                    found.push((due.at, item_of(&attributes)?));
                }
            }
            match answer.last_evaluated_key {
                Some(last) => start = Some(last),
                None => break,
            }
        }
        found.sort_by(|(at, item), (than, other)| at.cmp(than).then_with(|| item.key.cmp(&other.key)));
        Ok(found.into_iter().map(|(_, item)| item).collect())
    }

    /// What lies at these keys, in no order. DynamoDB may leave some for another request, when they are large or it is busy.
    pub(crate) async fn fetch(&self, keys: &[Key]) -> Result<Vec<Attributes>, TableError> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH) {
            let keys = keys.iter().map(of_key).collect();
            let mut wanted = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .consistent_read(true)
                .build()
                .map_err(|error| self.other(&error))?;
            let mut pace = Pace::default();
            loop {
                let request = self.client.batch_get_item().request_items(&*self.name, wanted);
                let answer = request.send().await.map_err(|error| TableError::of(&self.name, &error))?;
                let before = found.len();
                found.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
                let left = answer.unprocessed_keys.unwrap_or_default();
                let Some((_, left)) = left.into_iter().find(|(_, left)| !left.keys().is_empty()) else {
                    break;
                };
                wanted = left;
                // As long as it goes on, there is no need to slow down.
                if found.len() == before && !pace.again().await {
                    return Err(self.busy("it keeps leaving reads undone"));
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn other(&self, error: &impl std::fmt::Display) -> TableError {
        TableError::Other { table: self.name.to_string(), why: error.to_string() }
    }

    pub(crate) fn busy(&self, why: &str) -> TableError {
        TableError::Busy { table: self.name.to_string(), why: why.to_owned() }
    }
}

enum Start {
    Nowhere,
    First,
    After(Key),
}

/// Where a list begins. DynamoDB refuses keys that cannot be, and a start that the prefix does not admit.
fn start(range: &Range) -> Result<Start, TableError> {
    let Range { partition, prefix, after, limit: _ } = range;
    let key = |sort: &str| Key { partition: partition.clone(), sort: sort.to_owned() };
    if check_key(&key(if prefix.is_empty() { "any" } else { prefix })).is_err() {
        return Ok(Start::Nowhere);
    }
    match after {
        Some(after) if !after.is_empty() && after.starts_with(prefix) => {
            let after = key(after);
            check_key(&after)?;
            Ok(Start::After(after))
        }
        // Behind all that starts with the prefix.
        Some(after) if after > prefix => Ok(Start::Nowhere),
        Some(_) | None => Ok(Start::First),
    }
}

fn rows(limit: usize) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}
