//! Lists of domains, written in the policy or in files of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Compiler;
use crate::domain::{DomainMap, Pattern, Purpose, shortened};
use crate::file::{At, Entries, ListSource, Place, Text};
use crate::problem::Problem;

/// A list that had mistakes is here, too, so that a reference to it is no mistake on top.
#[derive(Debug, Default)]
pub(super) struct Lists(BTreeMap<String, List>);

#[derive(Debug, Default)]
struct List {
    patterns: Arc<DomainMap<()>>,
    /// Of the list's file.
    text: Option<String>,
}

impl Lists {
    pub(super) fn get(&self, name: &str) -> Option<Arc<DomainMap<()>>> {
        self.0.get(name).map(|list| Arc::clone(&list.patterns))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Of the lists that come from files.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, list)| list.text.as_deref().map(|text| (name.as_str(), text)))
    }
}

impl Compiler<'_> {
    pub(super) fn lists(
        &mut self,
        entries: &Entries<At<ListSource>>,
        load: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Lists {
        let mut lists = Lists::default();
        for (name, source) in &entries.0 {
            self.name("list", name);
            let ListSource { entries, file } = &source.value;
            let list = match (entries, file) {
                (Some(entries), None) => {
                    self.not_empty("entries", entries, "name domains, or remove the list");
                    self.written_list(&entries.items)
                }
                (None, Some(file)) => self.list_file(file, load),
                (None, None) => {
                    self.either_or(source.place, &name.value, "has neither `entries` nor `file`");
                    List::default()
                }
                (Some(_), Some(_)) => {
                    self.either_or(source.place, &name.value, "has both `entries` and `file`");
                    List::default()
                }
            };
            lists.0.insert(name.value.clone(), list);
        }
        lists
    }

    fn either_or(&mut self, place: Place, name: &str, what: &str) {
        self.problem(
            place,
            format!("list `{}` {what}", shortened(name)),
            Some("write one of the two".to_owned()),
        );
    }

    fn written_list(&mut self, entries: &[Text]) -> List {
        let mut patterns = DomainMap::default();
        for entry in entries {
            match Pattern::parse(&entry.value, Purpose::Deny) {
                Ok(pattern) => *patterns.entry(pattern) = (),
                Err(error) => self.bad_pattern(entry, &error),
            }
        }
        List { patterns: Arc::new(patterns), text: None }
    }

    fn list_file(&mut self, file: &Text, load: &mut dyn FnMut(&str) -> Result<String, String>) -> List {
        match load(&file.value) {
            Ok(text) => {
                let (patterns, problems) = read_list(&file.value, &text);
                if patterns.is_empty() && problems.is_empty() {
                    let message = format!("list file `{}` has no entry", shortened(&file.value));
                    self.problem(file.place, message, Some("add one, or remove the list".to_owned()));
                }
                self.problems.extend(problems);
                List { patterns: Arc::new(patterns), text: Some(text) }
            }
            Err(why) => {
                let message = format!("list file `{}` could not be read", shortened(&file.value));
                self.problem(file.place, message, Some(why));
                List::default()
            }
        }
    }
}

/// A file that is something else altogether would fill the screen.
const MOST_PROBLEMS: usize = 10;

/// One entry a line. `#` starts a comment; blank lines and a byte order mark are nothing.
fn read_list(file: &str, text: &str) -> (DomainMap<()>, Vec<Problem>) {
    let mut patterns = DomainMap::default();
    let mut problems = Vec::new();
    let mut wrong = 0_usize;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, content) in (1_u64..).zip(text.lines()) {
        let content = content.split_once('#').map_or(content, |(entry, _)| entry);
        let entry = content.trim();
        if entry.is_empty() {
            continue;
        }
        let error = match Pattern::parse(entry, Purpose::Deny) {
            Ok(pattern) => {
                *patterns.entry(pattern) = ();
                continue;
            }
            Err(error) => error,
        };
        wrong += 1;
        let indent = content.chars().take_while(|c| c.is_whitespace()).count();
        let column = u64::try_from(indent).unwrap_or(u64::MAX).saturating_add(1);
        let (message, hint) = error.explain(entry);
        if wrong <= MOST_PROBLEMS {
            problems.push(Problem { file: file.to_owned(), line, column, message, hint });
        }
    }
    if let Some(last) = problems.last_mut()
        && wrong > MOST_PROBLEMS
    {
        let more = format!("and {} lines more are wrong", wrong - MOST_PROBLEMS);
        last.hint = Some(last.hint.take().map_or(more.clone(), |hint| format!("{hint} ({more})")));
    }
    (patterns, problems)
}
