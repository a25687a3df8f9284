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
    kept_on_aws: Vec<KeptSecret>,
}

/// A secret that lies on AWS: the setting, and where its text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptSecret {
    /// Without its ending.
    pub(crate) name: String,
    pub(crate) place: SecretPlace,
    /// As long as it cannot be read, the process goes on without it.
    pub(crate) is_optional: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretPlace {
    /// In Secrets Manager, by its name or ARN.
    Secret(String),
    /// In the parameter store of Systems Manager, by its name.
    Parameter(String),
}

#[derive(Debug)]
pub(crate) enum OptionalSecret {
    /// Or wrong, which the form knows then.
    NotSet,
    /// It lies on AWS.
    NotRead,
    Text(SecretString),
}

impl fmt::Debug for Form<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").field("problems", &self.problems).finish_non_exhaustive()
    }
}

impl<'a> Form<'a> {
    #[must_use]
    pub fn new(environment: &'a Environment) -> Self {
        Self { environment, problems: Vec::new(), kept_on_aws: Vec::new() }
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

    /// Whether this process is a function on AWS Lambda.
    #[must_use]
    pub fn is_on_lambda(&self) -> bool {
        self.environment.is_lambda()
    }

    /// How many problems were told so far, and how many secrets lie on AWS: what is set moves one of them.
    pub(crate) fn so_far(&self) -> (usize, usize) {
        (self.problems(), self.kept_on_aws.len())
    }

    /// The secrets that were asked for and lie on AWS.
    pub(crate) fn kept_on_aws(self) -> Vec<KeptSecret> {
        self.kept_on_aws
    }

    /// A secret: in the variable itself, or better in the file that `NAME_FILE` names. A function on Lambda has it from
    /// AWS, where `NAME_SECRET` or `NAME_PARAMETER` says; then it is in the variable when the settings are read.
    pub fn secret(&mut self, name: &str) -> Option<SecretString> {
        let file = format!("{name}_FILE");
        let on_aws = [format!("{name}_SECRET"), format!("{name}_PARAMETER")];
        let all = [name, &file].into_iter().chain(on_aws.iter().map(String::as_str));
        let set: Vec<&str> = all.filter(|one| self.optional(one).is_some()).collect();
        if set.len() > 1 {
            let problem = match set.as_slice() {
                [one, other] => format!("{one} and {other} are both set: unset one of them"),
                more => format!("{} are all set: unset all but one of them", more.join(", ")),
            };
            self.wrong(problem);
            return None;
        }
        let [secret, parameter] = on_aws;
        if let Some(place) = self.optional(&secret) {
            return self.lying_on_aws(name, &secret, SecretPlace::Secret(place));
        }
        if let Some(place) = self.optional(&parameter) {
            return self.lying_on_aws(name, &parameter, SecretPlace::Parameter(place));
        }
        match (self.optional(name), self.path(&file)) {
            (Some(value), _) => Some(SecretString::from(value)),
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

    /// A secret without which the process can go on, and does where it lies on AWS and could not be read.
    pub(crate) fn optional_secret(&mut self, name: &str) -> OptionalSecret {
        let before = self.kept_on_aws.len();
        let text = self.secret(name);
        match (text, self.kept_on_aws.get_mut(before)) {
            (Some(text), _) => OptionalSecret::Text(text),
            (None, Some(kept)) => {
                kept.is_optional = true;
                OptionalSecret::NotRead
            }
            (None, None) => OptionalSecret::NotSet,
        }
    }

    fn lying_on_aws(&mut self, name: &str, setting: &str, place: SecretPlace) -> Option<SecretString> {
        if self.is_on_lambda() {
            let kept = KeptSecret { name: name.to_owned(), place, is_optional: false };
            self.kept_on_aws.push(kept);
        } else {
            self.wrong(format!("{setting} is read by a function on AWS Lambda: set {name}_FILE here"));
        }
        None
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
