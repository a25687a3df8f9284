//! From text to the file's structs, and the reader's complaints in our own words.

use serde_saphyr::{DuplicateKeyPolicy, Error, MergeKeyPolicy, MessageFormatter, UserMessageFormatter};

use super::located::At;
use super::outline::Node;
use super::shape::{File, NOT_BUILT_KEYS};
use crate::domain::shortened;
use crate::nearest;
use crate::problem::Problem;

/// Reads the form of the file.
///
/// # Errors
/// The first thing that is wrong with the form: the reader cannot go on behind it.
pub(crate) fn read(text: &str, name: &str) -> Result<(File, At<Node>), Problem> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let file = serde_saphyr::from_str_with_options(text, options.clone());
    let outline = serde_saphyr::from_str_with_options(text, options);
    file.and_then(|file| Ok((file, outline?))).map_err(|error| problem(&error, name))
}

fn problem(error: &Error, name: &str) -> Problem {
    let place = error.location();
    let (message, hint) = explain(error.without_snippet());
    Problem {
        file: name.to_owned(),
        line: place.map_or(1, |place| place.line().max(1)),
        column: place.map_or(1, |place| place.column().max(1)),
        message,
        hint,
    }
}

fn explain(error: &Error) -> (String, Option<String>) {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let built = expected.iter().copied().filter(|key| !NOT_BUILT_KEYS.contains(key));
            (format!("unknown key `{}`", shortened(field)), nearest::hint(field, built))
        }
        Error::SerdeMissingField { field, .. } => {
            (format!("key `{field}` is missing"), Some(format!("add `{field}:`")))
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map_or("a key".to_owned(), |key| format!("key `{}`", shortened(key)));
            (format!("{key} is repeated"), Some("keep one of them".to_owned()))
        }
        Error::SerdeInvalidType { unexpected, expected, .. } => {
            let unexpected = if unexpected == "unit value" { "nothing" } else { unexpected };
            (format!("expected {expected}, found {unexpected}"), None)
        }
        Error::Unexpected { expected, .. } => (format!("expected {}", plain(expected)), None),
        Error::InvalidScalar { ty, .. } => (format!("expected {}", plain(ty)), None),
        Error::InvalidBooleanStrict { .. } => ("expected `true` or `false`".to_owned(), None),
        Error::MergeKeyNotAllowed { .. } => {
            ("merge keys (`<<`) are not allowed".to_owned(), Some("write the keys out".to_owned()))
        }
        Error::NullIntoString { .. } => {
            ("the value is missing".to_owned(), Some("write it after the colon".to_owned()))
        }
        Error::Eof { .. } => ("the policy is empty".to_owned(), Some("start with `version: 1`".to_owned())),
        Error::MultipleDocuments { .. } => {
            ("a second document starts here".to_owned(), Some("remove the `---`".to_owned()))
        }
        other => (UserMessageFormatter.format_message(other).into_owned(), None),
    }
}

/// The reader's names for forms, for people who write YAML and no programs.
fn plain(form: &str) -> &str {
    match form {
        "mapping start" => "keys with their values",
        "sequence start" => "a list",
        "string scalar" => "a text",
        "u64" => "a whole number",
        other => other,
    }
}
