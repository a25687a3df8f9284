//! What is wrong with a policy file, and where. A problem names its line and column, quotes what was written, and
//! says what would be right.

use std::fmt;

/// One mistake in the policy file, or in a list file that it names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct Problem {
    pub file: String,
    /// From 1.
    pub line: u64,
    /// In characters, from 1.
    pub column: u64,
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, hint } = self;
        in_one_line(&format!("{file}:{line}:{column}: {message}"), f)?;
        match hint {
            Some(hint) => in_one_line(&format!(": {hint}"), f),
            None => Ok(()),
        }
    }
}

/// What was written in the policy is quoted here, and may hold anything: a terminal gets no control character.
fn in_one_line(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write as _;
    for c in text.chars() {
        if c.is_control() {
            write!(f, "{}", c.escape_debug())?;
        } else {
            f.write_char(c)?;
        }
    }
    Ok(())
}

/// All that was found wrong. A mistake in the form of the YAML (a wrong indentation, a repeated key) hides what comes
/// after it; unknown keys are all here at once, and so are, where the form is right, all mistakes of meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}
