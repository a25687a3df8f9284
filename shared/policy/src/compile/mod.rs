//! From the file's form to a checked policy. Every mistake of meaning is collected with its place, so that one run shows
//! all of them; a policy with any mistake does not exist.

mod cases;
mod exceptions;
mod groups;
mod lists;
mod made_up;
mod partners;
mod people;
mod rules;
mod scenarios;

use std::collections::BTreeSet;

use jiff::civil::Date;
use model::{Mode, ObjectId};
use sha2::{Digest, Sha256};

use crate::domain::{BadPattern, shortened};
use crate::file::{self, At, BadWord, Blank, DateText, File, IdText, Node, Place, Vocabulary, Word, Words};
use crate::policy::{Existing, Policy, start_of};
use crate::problem::{Problem, Problems};

use self::lists::Lists;
use self::rules::{Question, RuleNames};

/// Reads and checks a policy. `text` is the file, `name` what messages call it, and `load` fetches a list file by the
/// path that the policy writes (relative to the policy, if the caller so decides).
///
/// The file's own `tests` are checked for form and not run: see [`Policy::run_tests`].
///
/// # Errors
/// Everything that is wrong. Where the form itself is wrong, no more than the keys that do not stand where they may, and
/// the first such mistake of another sort.
pub fn parse(
    text: &str,
    name: &str,
    load: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<Policy, Problems> {
    let (file, outline) = file::read(text, name)?;
    let mut compiler = Compiler { name, text, problems: Vec::new() };
    let policy = compiler.policy(&file, load);
    compiler.blanks(&outline);
    let mut problems = compiler.problems;
    if problems.is_empty() {
        return Ok(policy);
    }
    problems.sort_by(|a, b| {
        let key =
            |problem: &Problem| (problem.file != name, problem.file.clone(), problem.line, problem.column);
        key(a).cmp(&key(b))
    });
    problems.dedup();
    Err(Problems(problems))
}

struct Compiler<'a> {
    name: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

impl Compiler<'_> {
    fn policy(&mut self, file: &File, load: &mut dyn FnMut(&str) -> Result<String, String>) -> Policy {
        if file.version.value != 1 {
            let message = format!("version {} of the policy language is unknown", file.version.value);
            self.problem(file.version.place, message, Some("write `version: 1`".to_owned()));
        }
        let lists = self.lists(&file.lists, load);
        let partners = self.partners(&file.partners);
        let names = RuleNames::of(file);
        let guardrails = self.guardrails(&file.guardrails, &lists);
        let scenarios = self.scenarios(&file.scenarios, &file.partners);
        self.rule_ids(file);
        let protected_groups = file.protect.groups.as_ref().map(|groups| self.group_refs("groups", groups));
        let mut policy = Policy {
            name: self.name.to_owned(),
            hash: hash(self.text, &lists),
            mode: self.word(&file.mode).unwrap_or(Mode::Observe),
            existing: file.existing.as_ref().and_then(|existing| self.existing(existing)),
            partners,
            protected: self.protected(file),
            protected_groups: protected_groups.unwrap_or_default(),
            guardrails,
            otherwise: self.otherwise(file, Question::Guest, &scenarios),
            otherwise_membership: self.otherwise(file, Question::Membership, &scenarios),
            scenarios,
            exceptions: self.exceptions(&file.exceptions, &names),
            tests: Vec::new(),
        };
        self.otherwise_as_a_whole(file);
        policy.tests = self.tests(&file.tests, &names, &policy);
        policy
    }

    /// Last, because what was said already of a place is more exact.
    fn blanks(&mut self, outline: &At<Node>) {
        for Blank { place, message, hint } in file::blanks(outline) {
            let told = |problem: &Problem| (problem.line, problem.column) == (place.line, place.column);
            if !self.problems.iter().any(|problem| problem.file == self.name && told(problem)) {
                self.problem(place, message, Some(hint.to_owned()));
            }
        }
    }

    fn problem(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        let Place { line, column, offset: _, length: _ } = place;
        self.problems.push(Problem {
            file: self.name.to_owned(),
            line,
            column,
            message: message.into(),
            hint,
        });
    }

    /// The reader knows where a value stands; its key is the nearest such word before it.
    fn place_of_key(&self, key: &str, value: Place) -> Place {
        let before =
            value.offset.and_then(|offset| usize::try_from(offset).ok()).and_then(|end| self.text.get(..end));
        let Some((before, start)) = before.and_then(|before| before.rfind(key).map(|start| (before, start)))
        else {
            return value;
        };
        let until_key = before.get(..start).unwrap_or_default();
        let line_start = until_key.rfind('\n').map_or(0, |newline| newline + 1);
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Place {
            line: 1 + count(until_key.matches('\n').count()),
            column: 1 + count(until_key.get(line_start..).unwrap_or_default().chars().count()),
            offset: u64::try_from(start).ok(),
            length: u64::try_from(key.len()).ok(),
        }
    }

    fn word<V: Vocabulary>(&mut self, word: &Word<V>) -> Option<V> {
        match word.value() {
            Ok(value) => Some(value),
            Err(BadWord { message, hint }) => {
                self.problem(word.text.place, message, hint);
                None
            }
        }
    }

    /// The words in the order of the file. A word that is there twice is a mistake.
    fn words<V: Vocabulary + Ord>(&mut self, words: &Words<Word<V>>) -> Vec<V> {
        let mut values = Vec::new();
        let mut seen = BTreeSet::new();
        for word in &words.items {
            if let Some(value) = self.word(word) {
                if seen.insert(value) {
                    values.push(value);
                } else {
                    let message = format!("{} `{}` is repeated", V::NAME, word.text.value);
                    self.problem(word.text.place, message, Some("remove one of them".to_owned()));
                }
            }
        }
        values
    }

    fn not_empty<T>(&mut self, key: &str, words: &Words<T>, hint: &str) {
        if words.items.is_empty() {
            self.problem(words.place, format!("`{key}` is empty"), Some(hint.to_owned()));
        }
    }

    /// Nothing but four digits, two, two: other forms of a date are read differently by different people.
    fn day(&mut self, DateText(text): &DateText) -> Option<Date> {
        let day = text.value.parse::<Date>().ok().filter(|day| day.to_string() == text.value);
        if day.is_none() {
            let message = format!("`{}` is not a day", shortened(&text.value));
            self.problem(text.place, message, Some("write it as in `2027-06-30`".to_owned()));
        }
        day
    }

    fn object_id(&mut self, IdText(text): &IdText, of: Id) -> Option<ObjectId> {
        match text.value.parse() {
            Ok(id) => Some(id),
            Err(error) => {
                let error: model::ParseIdError = error;
                self.problem(text.place, error.to_string(), Some(of.hint().to_owned()));
                None
            }
        }
    }

    /// The name of a list or of a partner.
    fn name(&mut self, what: &str, name: &At<String>) {
        let legal = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        let text = &name.value;
        if text.is_empty() || text.chars().count() > 64 || !text.chars().all(legal) {
            let message = format!("`{}` is not a {what} name", shortened(text));
            self.problem(name.place, message, Some("use 1 to 64 letters, digits, `-` and `_`".to_owned()));
        }
    }

    fn bad_pattern(&mut self, text: &At<String>, error: &BadPattern) {
        let (message, hint) = error.explain(&text.value);
        self.problem(text.place, message, hint);
    }

    fn existing(&mut self, existing: &file::Existing) -> Option<Existing> {
        let file::Existing { before, mode } = existing;
        let day = self.day(before);
        let mode = match mode {
            Some(mode) => self.word(mode),
            None => Some(Mode::Observe),
        };
        Some(Existing { before: start_of(day?)?, day: day?, mode: mode? })
    }

    fn protected(&mut self, file: &File) -> BTreeSet<ObjectId> {
        let users = file.protect.users.iter().flat_map(|users| &users.items);
        users.filter_map(|id| self.object_id(id, Id::User)).collect()
    }
}

/// Whose id is to be written.
#[derive(Debug, Clone, Copy)]
enum Id {
    User,
    Group,
    Inviter,
}

impl Id {
    fn hint(self) -> &'static str {
        match self {
            Self::User => "copy it from the user's page in the Entra admin center",
            Self::Group => "copy it from the group's page in the Entra admin center",
            Self::Inviter => {
                "copy it from the user's page in the Entra admin center, or from the app's page under enterprise applications"
            }
        }
    }
}

/// Over the text of the file and of all lists, so that a changed list file is a changed policy.
fn hash(text: &str, lists: &Lists) -> String {
    let mut digest = Sha256::new();
    let mut add = |part: &str| {
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        digest.update(part.as_bytes());
    };
    add(text);
    for (name, text) in lists.texts() {
        add(name);
        add(text);
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
