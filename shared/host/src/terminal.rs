//! What a terminal would obey, and what makes a line show something else than it says. Guests write part of what is
//! printed and logged.

use std::io::{self, Write};

/// Control characters act on a terminal; direction marks and characters that show as nothing make text lie
/// (Unicode Standard Annex 9).
#[must_use]
pub fn misleads(c: char) -> bool {
    let lies = matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    );
    c.is_control() || lies
}

/// The character as JSON writes it where it may not stand as it is.
#[must_use]
pub fn in_json(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Passes on whole events, in which whatever misleads is shown by its code: a line's end in the middle, too.
#[derive(Debug)]
pub(crate) struct Harmless<W> {
    pub(crate) to: W,
    /// Colours are ours: the formatter has shown the escapes of others by their codes already.
    pub(crate) coloured: bool,
}

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let (event, end) = text.strip_suffix('\n').map_or((text.as_ref(), ""), |event| (event, "\n"));
        let shown = |c| {
            let ours = self.coloured && c == '\u{1b}';
            if misleads(c) && !ours { in_json(c) } else { c.to_string() }
        };
        let shown: String = event.chars().map(shown).collect();
        self.to.write_all(format!("{shown}{end}").as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_line_shows_what_it_says() {
        let mut lines = Harmless { to: Vec::new(), coloured: false };
        lines.write_all(b"one\nforged\n").unwrap();
        assert_eq!(std::mem::take(&mut lines.to), b"one\\u000aforged\n");
        lines.write_all("{\"a\":\"x\u{202e}y\u{e0041}\u{9b}é\"}\n".as_bytes()).unwrap();
        let line = String::from_utf8(lines.to).unwrap();
        assert_eq!(line, "{\"a\":\"x\\u202ey\\udb40\\udc41\\u009bé\"}\n");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["a"], "x\u{202e}y\u{e0041}\u{9b}é", "as JSON it is what it was");
    }
}
