//! Writes the id beside each group's name in the text of a policy, and leaves everything else as it was, byte for byte.

use model::ObjectId;

use crate::domain::shortened;
use crate::file::{self, File, GroupText, Written};
use crate::group::Named;
use crate::problem::{Problem, Problems};

/// A policy's text in which names that mean one group have ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub text: String,
    /// In the order of the file.
    pub changes: Vec<Settled>,
    /// Names that still stand alone, with what to do about each.
    pub unresolved: Vec<Problem>,
}

/// A name that now has an id beside it. The place is that in the text before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub line: u64,
    pub column: u64,
    pub name: String,
    pub id: ObjectId,
}

/// Turns each bare name under `protect.groups`, `joins.groups` and a scenario's `joins.groups` into `{ id, name }`, where
/// it means one group. `lookup` says what a name means; `name` is what messages call the file.
///
/// # Errors
/// The text has not the form of a policy: see [`crate::parse`], which says more.
pub fn resolve(text: &str, name: &str, lookup: &dyn Fn(&str) -> Named) -> Result<Resolved, Problems> {
    let (file, _) = file::read(text, name)?;
    let mut edits = Vec::new();
    let mut unresolved = Vec::new();
    for group in groups_in_order(&file) {
        let Some(bare) = bare_name(group) else { continue };
        match lookup(bare) {
            Named::One(id) => match Edit::new(text, group, bare, id) {
                Some(edit) => edits.push(edit),
                None => unresolved.push(by_hand(name, group, bare, id)),
            },
            named @ (Named::Nobody | Named::Several(_) | Named::Unread { .. }) => {
                unresolved.push(open(name, group, bare, &named));
            }
        }
    }
    let (edits, refused) = those_that_hold(text, name, edits);
    unresolved.extend(refused.iter().map(|edit| by_hand(name, &edit.group, &edit.name, edit.id)));
    unresolved.sort_by_key(|problem| (problem.line, problem.column));
    let changes = edits.iter().map(Edit::settled).collect();
    Ok(Resolved { text: apply(text, &edits), changes, unresolved })
}

fn groups_in_order(file: &File) -> Vec<&GroupText> {
    let mut all: Vec<&GroupText> = file.groups().into_iter().flat_map(|groups| &groups.items).collect();
    all.sort_by_key(|group| (group.place.offset, group.place.line, group.place.column));
    all
}

fn bare_name(group: &GroupText) -> Option<&str> {
    match &group.value {
        Written::Bare(text) if text.parse::<ObjectId>().is_err() => Some(text),
        Written::Bare(_) | Written::WithId(_) => None,
    }
}

fn problem(file: &str, group: &GroupText, message: String, hint: String) -> Problem {
    let (line, column) = (group.place.line, group.place.column);
    Problem { file: file.to_owned(), line, column, message, hint: Some(hint) }
}

/// All candidates are listed: this is where somebody chooses one.
fn open(file: &str, group: &GroupText, name: &str, named: &Named) -> Problem {
    let shown = shortened(name);
    let (message, hint) = match named {
        Named::Several(ids) => {
            let ids: Vec<String> = ids.iter().map(|id| format!("`{id}`")).collect();
            let message = format!("{} groups are called `{shown}`: {}", ids.len(), ids.join(", "));
            (message, "write the id of the one that is meant")
        }
        Named::Unread { why } => {
            let message = format!("which group is called `{shown}` could not be read ({})", shortened(why));
            (message, "try again")
        }
        Named::Nobody | Named::One(_) => {
            (format!("no group is called `{shown}`"), "correct the name, or write the group's id")
        }
    };
    problem(file, group, message, hint.to_owned())
}

fn by_hand(file: &str, group: &GroupText, name: &str, id: ObjectId) -> Problem {
    let message = format!("`{}` is written in a way that cannot be changed in place", shortened(name));
    problem(file, group, message, format!("write `{{ id: {id}, name: {} }}` by hand", quoted(name)))
}

#[derive(Debug, Clone)]
struct Edit {
    group: GroupText,
    name: String,
    id: ObjectId,
    /// In bytes.
    from: usize,
    to: usize,
}

impl Edit {
    /// `None` where the bytes at the place do not spell the name by themselves: an alias, or a tag before it.
    fn new(text: &str, group: &GroupText, name: &str, id: ObjectId) -> Option<Self> {
        let from = usize::try_from(group.place.offset?).ok()?;
        let to = from.checked_add(usize::try_from(group.place.length?).ok()?)?;
        // The reader may count the end of the line to the value.
        let written = text.get(from..to)?.trim_end();
        let to = from + written.len();
        let spelled: String = serde_saphyr::from_str(written).ok()?;
        (spelled == name).then(|| Self { group: group.clone(), name: name.to_owned(), id, from, to })
    }

    fn settled(&self) -> Settled {
        let Self { group, name, id, from: _, to: _ } = self;
        Settled { line: group.place.line, column: group.place.column, name: name.clone(), id: *id }
    }
}

fn apply(text: &str, edits: &[Edit]) -> String {
    let mut result = String::with_capacity(text.len() + 64 * edits.len());
    let mut done = 0;
    for Edit { group: _, name, id, from, to } in edits {
        result.push_str(text.get(done..*from).unwrap_or_default());
        result.push_str(&format!("{{ id: {id}, name: {} }}", quoted(name)));
        done = *to;
    }
    result.push_str(text.get(done..).unwrap_or_default());
    result
}

/// The edits after which the file still reads as the same policy, and those after which it would not: a name with an
/// anchor, for example, that something else in the file stands on.
fn those_that_hold(text: &str, file: &str, edits: Vec<Edit>) -> (Vec<Edit>, Vec<Edit>) {
    if holds(text, file, &edits) {
        return (edits, Vec::new());
    }
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for edit in edits {
        good.push(edit);
        if !holds(text, file, &good) {
            bad.extend(good.pop());
        }
    }
    (good, bad)
}

fn holds(text: &str, file: &str, edits: &[Edit]) -> bool {
    let Ok((before, _)) = file::read(text, file) else {
        return false;
    };
    let Ok((after, _)) = file::read(&apply(text, edits), file) else {
        return false;
    };
    let edited = |group: &GroupText| {
        let from = group.place.offset.and_then(|offset| usize::try_from(offset).ok());
        edits.iter().find(|edit| Some(edit.from) == from)
    };
    let expected: Vec<Meant> = groups_in_order(&before)
        .into_iter()
        .map(|group| match edited(group) {
            Some(edit) => Meant { id: Some(edit.id.to_string()), name: Some(edit.name.clone()) },
            None => meant(group),
        })
        .collect();
    let found: Vec<Meant> = groups_in_order(&after).into_iter().map(meant).collect();
    found == expected
}

#[derive(Debug, PartialEq, Eq)]
struct Meant {
    id: Option<String>,
    name: Option<String>,
}

fn meant(group: &GroupText) -> Meant {
    match &group.value {
        Written::Bare(text) => Meant { id: None, name: Some(text.clone()) },
        Written::WithId(group) => Meant {
            id: Some(group.id.0.value.clone()),
            name: group.name.as_ref().map(|name| name.value.clone()),
        },
    }
}

/// As a double-quoted scalar (<https://yaml.org/spec/1.2.2/#57-escaped-characters>).
fn quoted(text: &str) -> String {
    use std::fmt::Write as _;
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}'
            | '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}' => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
