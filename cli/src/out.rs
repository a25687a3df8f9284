//! The only place that prints. Data goes to standard output as text or JSON, messages to standard error. What would make a
//! terminal act or a line lie is shown as its code: much of the text comes from guests.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

use host::misleads;
use serde::Serialize;

use crate::args::Output;

/// A message to a person, of one line or more.
pub(crate) fn message(text: &str) {
    let lines: Vec<String> = text.split('\n').map(harmless).collect();
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{}", lines.join("\n"));
}

/// Asks for a yes on the terminal. `None`: there is nobody to ask.
pub(crate) fn confirm(question: &str) -> anyhow::Result<Option<bool>> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{} [y/N] ", harmless(question))?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
}

/// One line of data.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    painted(&[(text, Colour::Plain)])
}

/// Lines of our own making, whose other parts were made fit before.
pub(crate) fn lines(text: &str) -> anyhow::Result<()> {
    text.split('\n').try_for_each(line)
}

/// One line of data in colours.
pub(crate) fn painted(pieces: &[(&str, Colour)]) -> anyhow::Result<()> {
    let coloured = wants_colour();
    let mut text = String::new();
    for (piece, colour) in pieces {
        let piece = harmless(piece);
        match colour.code().filter(|_| coloured) {
            Some(code) => write!(text, "\u{1b}[{code}m{piece}\u{1b}[0m")?,
            None => text.push_str(&piece),
        }
    }
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{}", in_json(value)?)?)
}

/// A script for a shell, of our own making.
pub(crate) fn script(text: &[u8]) -> anyhow::Result<()> {
    Ok(std::io::stdout().lock().write_all(text)?)
}

/// The value as JSON, or what `text` prints of it.
pub(crate) fn show<T: Serialize>(
    output: Output,
    value: &T,
    text: impl FnOnce(&T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    match output {
        Output::Json => json(value),
        Output::Text => text(value),
    }
}

/// What was done, as JSON; a person reads the message beside it.
pub(crate) fn done(output: Output, value: &impl Serialize, text: &str) -> anyhow::Result<()> {
    message(text);
    show(output, value, |_| Ok(()))
}

/// Rows under headings.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> anyhow::Result<()> {
    aligned(headings, rows).iter().try_for_each(|row| line(row))
}

/// The same as a message.
pub(crate) fn table_message(headings: &[&str], rows: &[Vec<String>]) {
    aligned(headings, rows).iter().for_each(|row| message(row));
}

/// Each column as wide as its widest cell.
fn aligned(headings: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let shown = |row: &Vec<String>| row.iter().map(|cell| harmless(cell)).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = std::iter::once(&headings).chain(rows).map(shown).collect();
    let mut widths = vec![0; headings.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let in_line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(in_line).collect()
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Colour {
    Plain,
    Red,
    Yellow,
    Green,
    Dim,
}

impl Colour {
    fn code(self) -> Option<u8> {
        match self {
            Self::Plain => None,
            Self::Red => Some(31),
            Self::Yellow => Some(33),
            Self::Green => Some(32),
            Self::Dim => Some(2),
        }
    }
}

/// On a terminal, unless `NO_COLOR` is set (<https://no-color.org>) or the terminal is too plain for it.
fn wants_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let plain = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !refused && !plain && std::io::stdout().is_terminal()
}

fn harmless(text: &str) -> String {
    text.chars().map(|c| if misleads(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// Outside its strings JSON has no character to escape but the line's end, so each of the others is within one.
fn in_json(value: &impl Serialize) -> anyhow::Result<String> {
    let mut text = String::new();
    for c in serde_json::to_string_pretty(value)?.chars() {
        if c != '\n' && misleads(c) { text.push_str(&host::in_json(c)) } else { text.push(c) }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that moves the cursor, colours, turns the line around, starts a line, and hides a tag character.
    const HOSTILE: &str = "a\u{1b}[2J\u{9b}31m\u{202e}b\nc\td\u{7f}\u{e0041}é\u{200d}";

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        let shown = harmless(HOSTILE);
        assert_eq!(
            shown,
            r"a\u{1b}[2J\u{9b}31m\u{202e}b\u{a}c\u{9}d\u{7f}\u{e0041}é".to_owned() + "\u{200d}"
        );
    }

    #[test]
    fn json_says_the_same_without_a_character_that_a_terminal_would_obey() {
        let text = in_json(&[HOSTILE]).unwrap();
        assert!(!text.chars().any(|c| c != '\n' && misleads(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [HOSTILE]);
    }
}
