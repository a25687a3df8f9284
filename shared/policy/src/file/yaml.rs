//! From text to the file's structs, and the reader's complaints in our own words.

use serde_saphyr::{DuplicateKeyPolicy, Error, MergeKeyPolicy, MessageFormatter, UserMessageFormatter};

use super::keys::{self, Mistake};
use super::located::At;
use super::outline::Node;
use super::shape::File;
use crate::domain::shortened;
use crate::problem::{Problem, Problems};

/// Reads the form of the file.
///
/// # Errors
/// Keys that do not stand where they may, all of them, and the first thing besides that is wrong with the form: the reader
/// cannot go on behind it.
pub(crate) fn read(text: &str, name: &str) -> Result<(File, At<Node>), Problems> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let file = serde_saphyr::from_str_with_options(text, options.clone());
    let outline = serde_saphyr::from_str_with_options(text, options);
    match (file, outline) {
        (Ok(file), Ok(outline)) => Ok((file, outline)),
        (Err(error), Ok(outline)) => Err(with_all_keys(&error, &outline, name)),
        (Err(error), Err(_)) | (Ok(_), Err(error)) => {
            let problem = problem(&error, name);
            Err(Problems(vec![tab_in_indentation(text, &problem).unwrap_or(problem)]))
        }
    }
}

fn with_all_keys(error: &Error, outline: &At<Node>, name: &str) -> Problems {
    let keys = keys::mistakes(outline).into_iter();
    let keys = keys.map(|Mistake { place, message, hint }| Problem {
        file: name.to_owned(),
        line: place.line,
        column: place.column,
        message,
        hint,
    });
    let mut all: Vec<Problem> = keys.collect();
    let first = problem(error, name);
    if !all.iter().any(|problem| (problem.line, problem.column) == (first.line, first.column)) {
        all.push(first);
    }
    all.sort_by_key(|problem| (problem.line, problem.column));
    Problems(all)
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

/// The reader tells of a tab where the value before it starts.
fn tab_in_indentation(text: &str, told: &Problem) -> Option<Problem> {
    if !["found a tab", "tabs disallowed"].iter().any(|words| told.message.contains(words)) {
        return None;
    }
    let from = (1_u64..).zip(text.lines()).skip_while(|(line, _)| *line < told.line);
    let (line, column) = from
        .filter_map(|(line, text)| {
            let mut indentation = (1_u64..).zip(text.chars()).take_while(|(_, c)| c.is_whitespace());
            indentation.find(|(_, c)| *c == '\t').map(|(column, _)| (line, column))
        })
        .next()?;
    let message = "the indentation has a tab".to_owned();
    Some(Problem { line, column, message, hint: Some("indent with spaces".to_owned()), ..told.clone() })
}

fn explain(error: &Error) -> (String, Option<String>) {
    match error {
        // What to do about it is told where all of them are found.
        Error::SerdeUnknownField { field, .. } => (format!("unknown key `{}`", shortened(field)), None),
        Error::SerdeMissingField { field, .. } => {
            let hint = match *field {
                "version" => "add `version: 1`".to_owned(),
                "mode" => "add `mode: observe` (or `ask`, `enforce`)".to_owned(),
                field => format!("add `{field}:`"),
            };
            (format!("key `{field}` is missing"), Some(hint))
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
