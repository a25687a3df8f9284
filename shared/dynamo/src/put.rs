//! Writing, all or nothing, and knowing afterwards whether it was written.
//!
//! A put leaves the mark of its call in the item. When a condition turns out not to hold, DynamoDB shows the item in the way:
//! with our own mark, an earlier attempt had succeeded and its answer was lost. A delete leaves no mark, so that it goes as a
//! transaction, whose token DynamoDB knows again for ten minutes
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>); the SDK makes one for each
//! call, the same for all its attempts.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::error::TransactionCanceledException;
use aws_sdk_dynamodb::types::{
    CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};

use crate::attributes::{Attributes, Mark, check, key_of, number, of_key, of_put, version_of};
use crate::fate::Fate;
use crate::pace::Pace;
use crate::{Expect, Key, Table, TableError, Write};

/// How one try ended, if nothing was wrong.
enum End {
    Written,
    /// The first of the writes that did not find what it has to find.
    InTheWay(usize),
    Later(&'static str),
}

const MEETING: &str = "others kept writing the same items";
const THROTTLED: &str = "its throughput was exceeded";

/// Asks for the item in the way.
const SHOW: ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure::AllOld;

fn condition(found: Option<u64>) -> (&'static str, Option<Attributes>) {
    match found {
        None => ("attribute_not_exists(pk)", None),
        Some(version) => ("v = :v", Some(HashMap::from([(":v".to_owned(), number(version))]))),
    }
}

impl Table {
    /// All writes or none. Answers, for each write, the version that was written or deleted.
    ///
    /// # Errors
    /// [`TableError::Conflict`] names the first place whose condition did not hold.
    pub async fn put_all(&self, writes: &[Write]) -> Result<Vec<Option<u64>>, TableError> {
        check(writes)?;
        let mark = Mark::new().map_err(|error| self.other(&error))?;
        let (mut pace, fate) = (Pace::default(), Fate::default());
        loop {
            let (found, was_ours) = self.look(writes, mark).await?;
            let end =
                if was_ours { End::Written } else { self.try_once(writes, &found, mark, &fate).await? };
            let later = match end {
                End::Written => {
                    return Ok(writes.iter().zip(found).map(|(write, found)| write.version(found)).collect());
                }
                End::InTheWay(at) => match writes.get(at) {
                    Some(write) if write.expect() != Expect::Any => {
                        return Err(in_the_way(write.key().clone(), &fate));
                    }
                    // Somebody has written since we looked: we look again.
                    Some(_) | None => MEETING,
                },
                End::Later(why) => why,
            };
            if !pace.again().await {
                return Err(self.busy(later));
            }
        }
    }

    /// Nothing lies there any more. For an item that nobody writes anew once somebody removes it: to remove it twice is to remove it once,
    /// so that this asks for no version, and costs half of what a transaction does.
    ///
    /// # Errors
    /// It may lie there still.
    pub async fn remove(&self, key: &Key) -> Result<(), TableError> {
        let request = self.client.delete_item().table_name(&*self.name).set_key(Some(of_key(key)));
        request.send().await.map(|_| ()).map_err(|error| TableError::of(&self.name, &error))
    }

    /// The version that each write has to find, and whether an earlier try of ours has been here already.
    async fn look(&self, writes: &[Write], mark: Mark) -> Result<(Vec<Option<u64>>, bool), TableError> {
        let any = writes.iter().filter(|write| write.expect() == Expect::Any);
        let any: Vec<Key> = any.map(|write| write.key().clone()).collect();
        let (mut there, mut was_ours) = (HashMap::with_capacity(any.len()), false);
        for found in self.fetch(&any).await? {
            let key = key_of(&found)?;
            let mut version = version_of(&key, &found)?;
            if mark.is_on(&found) {
                // What it had found was one less.
                was_ours = true;
                version = version.saturating_sub(1);
            }
            there.insert(key, version);
        }
        let expected = |write: &Write| match write.expect() {
            Expect::Absent => None,
            Expect::Version(version) => Some(version),
            Expect::Any => there.get(write.key()).copied(),
        };
        Ok((writes.iter().map(expected).collect(), was_ours))
    }

    async fn try_once(
        &self,
        writes: &[Write],
        found: &[Option<u64>],
        mark: Mark,
        fate: &Fate,
    ) -> Result<End, TableError> {
        match (writes, found) {
            // There is nothing to write, or nothing to delete.
            ([], _) | ([Write::Delete { key: _, expect: Expect::Any }], [None]) => return Ok(End::Written),
            ([one], [found]) => {
                if let Some(item) = attributes(one, *found, mark) {
                    return self.put_one(item, *found, mark, fate).await;
                }
            }
            _ => {}
        }
        let parts = writes.iter().zip(found).map(|(write, found)| self.part(write, *found, mark));
        self.transact(parts.collect::<Result<_, _>>()?, writes, mark, fate).await
    }

    async fn put_one(
        &self,
        item: Attributes,
        found: Option<u64>,
        mark: Mark,
        fate: &Fate,
    ) -> Result<End, TableError> {
        let (expression, values) = condition(found);
        let request = self.client.put_item().table_name(&*self.name).set_item(Some(item));
        let request = request.condition_expression(expression).set_expression_attribute_values(values);
        let request = request.return_values_on_condition_check_failure(SHOW);
        let Err(error) = request.customize().interceptor(fate.clone()).send().await else {
            return Ok(End::Written);
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let ours = failed.item().is_some_and(|item| mark.is_on(item));
                Ok(if ours { End::Written } else { End::InTheWay(0) })
            }
            Some(PutItemError::TransactionConflictException(_)) => Ok(End::Later(MEETING)),
            Some(_) | None => Err(TableError::of(&self.name, &error)),
        }
    }

    async fn transact(
        &self,
        parts: Vec<TransactWriteItem>,
        writes: &[Write],
        mark: Mark,
        fate: &Fate,
    ) -> Result<End, TableError> {
        let request = self.client.transact_write_items().set_transact_items(Some(parts));
        let Err(error) = request.customize().interceptor(fate.clone()).send().await else {
            return Ok(End::Written);
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                let end = why_cancelled(cancelled, writes, mark);
                end.ok_or_else(|| TableError::of(&self.name, &error))
            }
            Some(_) | None => Err(TableError::of(&self.name, &error)),
        }
    }

    fn part(&self, write: &Write, found: Option<u64>, mark: Mark) -> Result<TransactWriteItem, TableError> {
        let (expression, values) = condition(found);
        let whole = TransactWriteItem::builder();
        let built = match attributes(write, found, mark) {
            Some(item) => Put::builder()
                .table_name(&*self.name)
                .set_item(Some(item))
                .condition_expression(expression)
                .set_expression_attribute_values(values)
                .return_values_on_condition_check_failure(SHOW)
                .build()
                .map(|put| whole.put(put).build()),
            None => Delete::builder()
                .table_name(&*self.name)
                .set_key(Some(of_key(write.key())))
                .condition_expression(expression)
                .set_expression_attribute_values(values)
                .build()
                .map(|delete| whole.delete(delete).build()),
        };
        built.map_err(|error| self.other(&error))
    }
}

/// What a put leaves there; nothing, for a delete.
fn attributes(write: &Write, found: Option<u64>, mark: Mark) -> Option<Attributes> {
    match write {
        Write::Put { key, expect: _, fresh: _, due, expires, body } => {
            let version = write.version(found)?;
            Some(of_put(key, version, due.as_ref(), *expires, body, mark))
        }
        Write::Delete { key: _, expect: _ } => None,
    }
}

fn in_the_way(key: Key, fate: &Fate) -> TableError {
    // Ours may have been written, and written over.
    if fate.is_unknown() { TableError::Unsure { key } } else { TableError::Conflict { key } }
}

/// There is a reason for each write, in their order. `None`: it is none that passes.
fn why_cancelled(cancelled: &TransactionCanceledException, writes: &[Write], mark: Mark) -> Option<End> {
    let reasons = cancelled.cancellation_reasons();
    if reasons.iter().any(|reason| reason.item().is_some_and(|item| mark.is_on(item))) {
        return Some(End::Written);
    }
    let is = |reason: &CancellationReason, code| reason.code() == Some(code);
    let failed = |any: bool| {
        writes.iter().zip(reasons).position(|(write, reason)| {
            is(reason, "ConditionalCheckFailed") && (write.expect() == Expect::Any) == any
        })
    };
    if let Some(at) = failed(false).or_else(|| failed(true)) {
        return Some(End::InTheWay(at));
    }
    let later = [
        ("TransactionConflict", MEETING),
        ("ProvisionedThroughputExceeded", THROTTLED),
        ("ThrottlingError", THROTTLED),
    ];
    let met = later.into_iter().find(|(code, _)| reasons.iter().any(|reason| is(reason, code)));
    met.map(|(_, why)| End::Later(why))
}
