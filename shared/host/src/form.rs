//! Reads settings like a form: every problem is noted, so that all are told at once, each with its fix.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::Environment;

/// All that is missing or wrong among the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing(pub Vec<String>);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let word = if count == 1 { "setting is" } else { "settings are" };
        write!(f, "{count} {word} missing or wrong:")?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Missing {}

/// The environment, and what was found wrong with it so far.
pub struct Form<'a> {
    environment: &'a Environment,
    problems: Vec<String>,
}

impl fmt::Debug for Form<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").field("problems", &self.problems).finish_non_exhaustive()
    }
}

impl<'a> Form<'a> {
    #[must_use]
    pub fn new(environment: &'a Environment) -> Self {
        Self { environment, problems: Vec::new() }
    }

    pub fn wrong(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// How many were noted so far.
    #[must_use]
    pub fn problems(&self) -> usize {
        self.problems.len()
    }

    /// An empty variable is an unset one.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        self.environment.get(name).filter(|value| !value.is_empty())
    }

    pub fn required(&mut self, name: &str, what: &str) -> Option<String> {
        let value = self.optional(name);
        if value.is_none() {
            self.wrong(format!("{name} is not set: {what}"));
        }
        value
    }

    /// Parses a value that is there.
    pub fn parsed<T, E: fmt::Display>(
        &mut self,
        name: &str,
        value: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(&value?) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.wrong(format!("{name}: {error}"));
                None
            }
        }
    }

    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.optional(name).map(PathBuf::from)
    }

    /// A secret: in the variable itself, or better in the file that `NAME_FILE` names.
    pub fn secret(&mut self, name: &str) -> Option<SecretString> {
        let file = format!("{name}_FILE");
        match (self.optional(name), self.path(&file)) {
            (Some(_), Some(_)) => {
                self.wrong(format!("{name} and {file} are both set: unset one of them"));
                None
            }
            (Some(value), None) => Some(SecretString::from(value)),
            (None, Some(path)) => {
                let text = self.read(&file, &path)?;
                if text.trim().is_empty() {
                    self.wrong(format!("{file}: `{}` is empty: write the secret into it", path.display()));
                    return None;
                }
                Some(SecretString::from(text.trim().to_owned()))
            }
            (None, None) => None,
        }
    }

    /// A file's text.
    pub fn read(&mut self, name: &str, path: &Path) -> Option<String> {
        match std::fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) => {
                self.wrong(format!("{name}: cannot read `{}`: {error}", path.display()));
                None
            }
        }
    }

    /// The settings, if nothing was wrong.
    ///
    /// # Errors
    /// All that was wrong.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, Missing> {
        match settings {
            Some(settings) if self.problems.is_empty() => Ok(settings),
            Some(_) | None => Err(Missing(self.problems)),
        }
    }
}
