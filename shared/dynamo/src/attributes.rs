//! How an item looks to DynamoDB, how large it is there, and what DynamoDB would refuse.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::{Due, Item, Key, TableError, Write};

pub(crate) const PARTITION: &str = "pk";
pub(crate) const SORT: &str = "sk";
pub(crate) const VERSION: &str = "v";
pub(crate) const BODY: &str = "b";
pub(crate) const MARK: &str = "w";
pub(crate) const CLASS: &str = "dc";
pub(crate) const DUE: &str = "da";
/// Known to the table as the attribute of its time to live.
pub(crate) const EXPIRES: &str = "ttl";

// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const PARTITION_BYTES: usize = 2048;
const SORT_BYTES: usize = 1024;
const TRANSACTION_ITEMS: usize = 100;
const TRANSACTION_BYTES: usize = 4 * 1024 * 1024;
/// The most that DynamoDB counts for a number.
const NUMBER_BYTES: usize = 21;

pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// Says which write made an item: whoever meets his own has succeeded, though he was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark([u8; 16]);

impl Mark {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    pub(crate) fn is_on(self, found: &Attributes) -> bool {
        found.get(MARK).and_then(|mark| mark.as_b().ok()).is_some_and(|mark| mark.as_ref() == self.0)
    }
}

pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(crate) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(crate) fn of_key(key: &Key) -> Attributes {
    HashMap::from([(PARTITION.to_owned(), text(&key.partition)), (SORT.to_owned(), text(&key.sort))])
}

/// What a put sends.
pub(crate) fn of_put(
    key: &Key,
    version: u64,
    due: Option<&Due>,
    expires: Option<i64>,
    body: &str,
    mark: Mark,
) -> Attributes {
    let mut attributes = of_key(key);
    attributes.insert(VERSION.to_owned(), number(version));
    attributes.insert(BODY.to_owned(), text(body));
    attributes.insert(MARK.to_owned(), AttributeValue::B(Blob::new(mark.0)));
    if let Some(Due { class, at }) = due {
        attributes.insert(CLASS.to_owned(), text(class));
        attributes.insert(DUE.to_owned(), number(at));
    }
    if let Some(expires) = expires {
        attributes.insert(EXPIRES.to_owned(), number(expires));
    }
    attributes
}

pub(crate) fn key_of(found: &Attributes) -> Result<Key, TableError> {
    match (text_of(found, PARTITION), text_of(found, SORT)) {
        (Some(partition), Some(sort)) => Ok(Key { partition, sort }),
        _ => {
            let why = "it has no key".to_owned();
            Err(TableError::Unreadable { key: "an item".to_owned(), why })
        }
    }
}

pub(crate) fn item_of(found: &Attributes) -> Result<Item, TableError> {
    let key = key_of(found)?;
    let version = version_of(&key, found)?;
    let body = text_of(found, BODY).ok_or_else(|| unreadable(&key, BODY, "a text"))?;
    Ok(Item { version, body, expires: number_of(found, EXPIRES), key })
}

pub(crate) fn version_of(key: &Key, found: &Attributes) -> Result<u64, TableError> {
    number_of(found, VERSION).ok_or_else(|| unreadable(key, VERSION, "a whole number"))
}

fn unreadable(key: &Key, name: &str, what: &str) -> TableError {
    TableError::Unreadable {
        key: key.to_string(),
        why: format!("its attribute `{name}` is missing or not {what}"),
    }
}

pub(crate) fn due_of(found: &Attributes) -> Option<Due> {
    Some(Due { class: text_of(found, CLASS)?, at: number_of(found, DUE)? })
}

fn text_of(found: &Attributes, name: &str) -> Option<String> {
    found.get(name).and_then(|value| value.as_s().ok()).cloned()
}

fn number_of<N: std::str::FromStr>(found: &Attributes, name: &str) -> Option<N> {
    found.get(name).and_then(|value| value.as_n().ok()).and_then(|number| number.parse().ok())
}

/// No item can lie where this says an error.
pub(crate) fn check_key(key: &Key) -> Result<(), TableError> {
    for (what, value, most) in
        [("partition key", &key.partition, PARTITION_BYTES), ("sort key", &key.sort, SORT_BYTES)]
    {
        let bytes = value.len();
        if bytes == 0 || bytes > most {
            let why =
                format!("its {what} has {bytes} bytes, and DynamoDB takes 1 to {most}; choose another name");
            return Err(TableError::BadKey { key: key.clone(), why });
        }
    }
    Ok(())
}

/// It is the partition key of the index.
pub(crate) fn can_be_class(class: &str) -> bool {
    (1..=PARTITION_BYTES).contains(&class.len())
}

/// What DynamoDB would refuse, with words that it does not have: it names no item.
pub(crate) fn check(writes: &[Write]) -> Result<(), TableError> {
    let (mut keys, mut all) = (HashSet::with_capacity(writes.len()), 0_usize);
    let too_much = |why: &str| {
        let first = writes.first().map(|write| write.key().clone());
        let first = first.unwrap_or_else(|| Key { partition: String::new(), sort: String::new() });
        Err(TableError::TooMuch { first, writes: writes.len(), why: why.to_owned() })
    };
    for write in writes {
        check_key(write.key())?;
        if let Some(due) = write.due()
            && !can_be_class(&due.class)
        {
            let bytes = due.class.len();
            let why = format!(
                "the class it is due in has {bytes} bytes, and DynamoDB takes 1 to {PARTITION_BYTES}"
            );
            return Err(TableError::BadKey { key: write.key().clone(), why });
        }
        let bytes = size(write);
        if bytes > TableError::ITEM_BYTES {
            return Err(TableError::TooLarge { key: write.key().clone(), bytes });
        }
        all = all.saturating_add(bytes);
        if !keys.insert(write.key()) {
            return too_much(&format!("`{}` is among them twice, which DynamoDB does not take", write.key()));
        }
    }
    if writes.len() > TRANSACTION_ITEMS {
        return too_much(&format!(
            "DynamoDB takes {TRANSACTION_ITEMS} in one transaction; make them fewer, one after the other"
        ));
    }
    if all > TRANSACTION_BYTES {
        return too_much(&format!(
            "they have {all} bytes, and DynamoDB takes {TRANSACTION_BYTES} in one transaction; make them fewer, one after \
             the other"
        ));
    }
    Ok(())
}

/// An upper bound that is less than a hundred bytes too high:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
fn size(write: &Write) -> usize {
    let key = |key: &Key| PARTITION.len() + key.partition.len() + SORT.len() + key.sort.len();
    match write {
        Write::Put { key: at, expect: _, fresh: _, due, expires, body } => {
            let due = due.as_ref().map_or(0, |due| CLASS.len() + due.class.len() + DUE.len() + NUMBER_BYTES);
            let expires = expires.map_or(0, |_| EXPIRES.len() + NUMBER_BYTES);
            let version = VERSION.len() + NUMBER_BYTES;
            key(at) + version + BODY.len() + body.len() + MARK.len() + size_of::<Mark>() + due + expires
        }
        Write::Delete { key: at, expect: _ } => key(at),
    }
}
