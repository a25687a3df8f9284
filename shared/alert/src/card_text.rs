//! Text for products that read Markdown and offer no escape that holds on every client: signs that mean something are
//! shown as signs that look alike, and values stand in quotation marks that they cannot end
//! (<https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features>).
//! Never here: cards.

use crate::atom::{Atom, Place, first, fit, signs, stretches};
use crate::section::Piece;

const OPEN: &str = "“";
const CLOSE: &str = "”";

/// The longest that one value may get.
const MOST_OF_A_VALUE: usize = 350;

fn as_it_is(c: char) -> String {
    c.to_string()
}

/// No sign formats, links, mentions, or is taken for an entity, a date or an expression to be filled in.
fn harmless((before, c, rest): Place<'_>) -> Option<&'static str> {
    let next = first(rest);
    match c {
        '*' => Some("∗"),
        '~' => Some("∼"),
        '`' => Some("'"),
        '\\' => Some("＼"),
        '<' => Some("＜"),
        '>' => Some("＞"),
        '&' => Some("＆"),
        '[' => Some("［"),
        ']' => Some("］"),
        '{' => Some("｛"),
        '}' => Some("｝"),
        '_' if !(before.is_alphanumeric() && next.is_alphanumeric()) => Some("＿"),
        ':' if rest.starts_with("//") => Some("[:]"),
        _ => None,
    }
}

/// What others wrote: its dots are taken apart as people do with hostile addresses, so that no client makes a link of it.
fn defanged(place: Place<'_>) -> Option<&'static str> {
    let (before, c, rest) = place;
    match c {
        '.' if !before.is_whitespace() && first(rest).is_alphanumeric() => Some("[.]"),
        '“' | '”' => Some("\""),
        _ => harmless(place),
    }
}

fn quoted(value: &str, into: &mut Vec<Atom>) {
    let value = if value.trim().is_empty() { "(blank)" } else { value };
    let atoms: Vec<Atom> = signs(value, defanged, as_it_is).collect();
    into.extend([Atom::Open(OPEN), Atom::Sign(fit(&atoms, MOST_OF_A_VALUE, CLOSE)), Atom::Close(CLOSE)]);
}

/// Never cut: half of an address leads elsewhere.
fn link(address: &str) -> Atom {
    Atom::Sign(format!("[open it]({address})"))
}

fn prose(text: &str, into: &mut Vec<Atom>) {
    for (is_quoted, part) in stretches(text) {
        if is_quoted {
            into.push(Atom::Open(OPEN));
            into.extend(signs(&part, defanged, as_it_is));
            into.push(Atom::Close(CLOSE));
        } else {
            into.extend(signs(&part, defanged, as_it_is));
        }
    }
}

/// A line of at most `most` UTF-16 units, with values in quotation marks.
pub(crate) fn line(pieces: &[Piece], most: usize) -> String {
    let mut atoms = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Words(text) => atoms.extend(signs(text, harmless, as_it_is)),
            Piece::Prose(text) => prose(text, &mut atoms),
            Piece::Value(text) => quoted(text, &mut atoms),
            Piece::Link(address) => atoms.push(link(address)),
        }
    }
    at_the_start(&fit(&atoms, most, CLOSE))
}

/// A line of at most `most` UTF-16 units in which values stand bare: headlines, and commands to be copied.
pub(crate) fn bare(pieces: &[Piece], most: usize) -> String {
    let mut atoms = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Words(text) => atoms.extend(signs(text, harmless, as_it_is)),
            Piece::Prose(text) | Piece::Value(text) => atoms.extend(signs(text, defanged, as_it_is)),
            Piece::Link(address) => atoms.push(link(address)),
        }
    }
    at_the_start(&fit(&atoms, most, CLOSE))
}

/// Signs that mean something only where a line begins: headings, lists, and the spaces of a block of code.
fn at_the_start(line: &str) -> String {
    let line = line.trim_start();
    let mut rest = line.chars();
    match rest.next() {
        // No product takes a text of nothing.
        None => "(blank)".to_owned(),
        Some('#') => format!("＃{}", rest.as_str()),
        Some('-') => format!("‐{}", rest.as_str()),
        Some('+') => format!("＋{}", rest.as_str()),
        Some('=') => format!("＝{}", rest.as_str()),
        Some(c) if c.is_ascii_digit() => numbered(line),
        Some(_) => line.to_owned(),
    }
}

fn numbered(line: &str) -> String {
    let after = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = line.strip_suffix(after).unwrap_or_default();
    match after.strip_prefix(['.', ')']) {
        Some(rest) if after.starts_with('.') => format!("{digits}․{rest}"),
        Some(rest) => format!("{digits}）{rest}"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atom::length;
    use crate::plain::CUT;

    #[track_caller]
    fn check_value(value: &str, expected: &str) {
        assert_eq!(line(&[Piece::Value(value.to_owned())], 1_000), format!("“{expected}”"));
    }

    #[test]
    fn a_value_stands_in_quotation_marks_and_cannot_leave_them() {
        check_value("mallory@evil.example", "mallory@evil[.]example");
        check_value("“Anna” · account disabled", "\"Anna\" · account disabled");
        check_value("[Approve](https://evil.example)", "［Approve］(https[:]//evil[.]example)");
        check_value("<at>Anna</at> &lt;at&gt;", "＜at＞Anna＜/at＞ ＆lt;at＆gt;");
        check_value("**b** _i_ ~~s~~ `c` \\*", "∗∗b∗∗ ＿i＿ ∼∼s∼∼ 'c' ＼∗");
        check_value("{{DATE(2017-02-14T06:00:00Z)}} ${x}", "｛｛DATE(2017-02-14T06:00:00Z)｝｝ $｛x｝");
        check_value("first_last@x", "first_last@x");
        check_value(" ", "(blank)");
    }

    #[test]
    fn a_line_begins_no_list_heading_or_code() {
        for (text, expected) in [
            ("# head", "＃ head"),
            ("- item", "‐ item"),
            ("+ item", "＋ item"),
            ("12. item", "12․ item"),
            ("1) item", "1） item"),
            ("3 members", "3 members"),
            ("    code", "code"),
            ("===", "＝=="),
            (" ", "(blank)"),
        ] {
            assert_eq!(line(&[Piece::Prose(text.to_owned())], 100), expected, "{text}");
        }
    }

    #[test]
    fn a_sentence_quotes_what_stands_between_its_backticks() {
        let prose = Piece::Prose("the address `a*b@evil.example` is in `blocked` ` lone".to_owned());
        assert_eq!(line(&[prose], 200), "the address “a∗b@evil[.]example” is in “blocked” ' lone");
    }

    #[test]
    fn a_command_can_be_copied() {
        let pieces =
            [Piece::Words("Undo: ".to_owned()), Piece::Value("guestlist undo 2f446fae28c24a7f-1".to_owned())];
        assert_eq!(bare(&pieces, 200), "Undo: guestlist undo 2f446fae28c24a7f-1");
    }

    #[test]
    fn cutting_never_leaves_a_quotation_open() {
        for most in 20..80 {
            let shown = line(&[Piece::Words("Name: ".to_owned()), Piece::Value("&<>".repeat(100))], most);
            assert!(length(&shown) <= most && shown.contains(CUT), "{most}: {shown}");
            assert_eq!(shown.matches(OPEN).count(), shown.matches(CLOSE).count(), "{shown}");
        }
    }
}
