//! The only place that prints. Data goes to standard output as text or JSON, messages to standard error.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

use crate::args::Output;

/// One line to a person. Control characters are shown, not sent: some of the text comes from guests.
pub(crate) fn message(text: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "{}", harmless(text));
}

/// A line of data.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{}", harmless(text))?)
}

pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
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

/// Rows under headings, each column as wide as its widest cell.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> anyhow::Result<()> {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    for row in std::iter::once(&headings).chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Colour {
    Red,
    Green,
    Dim,
}

/// Coloured on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
pub(crate) fn paint(text: &str, colour: Colour) -> String {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if refused || !std::io::stdout().is_terminal() {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Red => 31,
        Colour::Green => 32,
        Colour::Dim => 2,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// A terminal obeys control characters, and direction marks make text lie.
pub(crate) fn harmless(text: &str) -> String {
    let shown = |c: char| -> String {
        let ours = c == '\n' || c == '\t' || c == '\u{1b}';
        let bidi = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (c.is_control() && !ours) || bidi { c.escape_unicode().to_string() } else { c.to_string() }
    };
    text.chars().map(shown).collect()
}
