//! Slack's markup made harmless: what others wrote cannot format, mention, link or leave its line. Slack has no escape
//! for most of it, so signs that mean something are shown as signs that look alike
//! (<https://docs.slack.dev/messaging/formatting-message-text>).
//! Never here: blocks.

use crate::atom::{Atom, Place, first, fit, signs, stretches};
use crate::section::Piece;

/// Slack asks for these three to be escaped, and for no others.
fn entity(c: char) -> String {
    match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        c => c.to_string(),
    }
}

/// In code nothing is formatted, and `verbatim` keeps Slack from linking.
fn in_code((_, c, rest): Place<'_>) -> Option<&'static str> {
    match c {
        '`' => Some("'"),
        ':' if rest.starts_with("//") => Some("[:]"),
        _ => None,
    }
}

/// Running text in which no sign formats.
fn unformatted((before, c, rest): Place<'_>) -> Option<&'static str> {
    let next = first(rest);
    match c {
        '*' => Some("∗"),
        '~' => Some("∼"),
        '`' => Some("'"),
        '_' if !(before.is_alphanumeric() && next.is_alphanumeric()) => Some("＿"),
        ':' if rest.starts_with("//") => Some("[:]"),
        // `:name:` would be an emoji.
        ':' if !before.is_ascii_digit() && (next.is_alphanumeric() || next == '+' || next == '-') => {
            Some("∶")
        }
        '@' if !before.is_alphanumeric() => Some("＠"),
        _ => None,
    }
}

/// Text for places where Slack may look for links whatever it is told: the notification and the header. Dots between
/// letters are taken apart as people do with hostile addresses.
fn defanged(place: Place<'_>) -> Option<&'static str> {
    let (before, c, rest) = place;
    if c == '.' && !before.is_whitespace() && first(rest).is_alphanumeric() {
        return Some("[.]");
    }
    unformatted(place)
}

/// The longest that one value may get.
const MOST_OF_A_VALUE: usize = 350;

const TICK: &str = "`";

fn code(value: &str, into: &mut Vec<Atom>) {
    into.push(Atom::Open(TICK));
    let value = if value.trim().is_empty() { "(blank)" } else { value };
    let atoms: Vec<Atom> = signs(value, in_code, entity).collect();
    into.push(Atom::Sign(fit(&atoms, MOST_OF_A_VALUE, TICK)));
    into.push(Atom::Close(TICK));
}

/// A sentence of ours: what stands between backticks becomes code, and the rest formats nothing.
fn prose(text: &str, into: &mut Vec<Atom>) {
    for (quoted, part) in stretches(text) {
        if quoted {
            into.push(Atom::Open(TICK));
            into.extend(signs(&part, in_code, entity));
            into.push(Atom::Close(TICK));
        } else {
            into.extend(signs(&part, unformatted, entity));
        }
    }
}

/// A line as `mrkdwn`, of at most `most` UTF-16 units.
pub(crate) fn mrkdwn(line: &[Piece], most: usize) -> String {
    let mut atoms = Vec::new();
    for piece in line {
        match piece {
            Piece::Words(text) | Piece::Prose(text) => prose(text, &mut atoms),
            Piece::Value(text) => code(text, &mut atoms),
            Piece::Link(address) => atoms.push(Atom::Sign(format!("<{address}>"))),
        }
    }
    fit(&atoms, most, TICK)
}

/// A line as text without any markup, of at most `most` UTF-16 units.
pub(crate) fn text(line: &[Piece], most: usize) -> String {
    let mut atoms = Vec::new();
    for piece in line {
        match piece {
            Piece::Words(text) => atoms.extend(signs(text, unformatted, entity)),
            Piece::Prose(text) | Piece::Value(text) => atoms.extend(signs(text, defanged, entity)),
            Piece::Link(address) => atoms.push(Atom::Sign(address.clone())),
        }
    }
    fit(&atoms, most, TICK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atom::length;
    use crate::plain::CUT;

    #[track_caller]
    fn check_value(value: &str, expected: &str) {
        assert_eq!(mrkdwn(&[Piece::Value(value.to_owned())], 1_000), expected);
    }

    #[test]
    fn a_value_stands_in_code_and_cannot_leave_it() {
        check_value("mallory@evil.example", "`mallory@evil.example`");
        check_value("<!channel> & <@U123>", "`&lt;!channel&gt; &amp; &lt;@U123&gt;`");
        check_value("a` *b* `c", "`a' *b* 'c`");
        check_value("https://evil.example", "`https[:]//evil.example`");
        check_value("  ", "`(blank)`");
    }

    #[test]
    fn a_sentence_formats_only_what_it_quotes() {
        for (text, expected) in [
            ("the domain `evil.example` is *bad*", "the domain `evil.example` is ∗bad∗"),
            ("~a~ _b_ snake_case", "∼a∼ ＿b＿ snake_case"),
            (":skull: at 10:00:00", "∶skull: at 10:00:00"),
            ("@here anna@contoso.com", "＠here anna@contoso.com"),
            ("one ` only *x*", "one ' only ∗x∗"),
            ("`a` `<b>`", "`a` `&lt;b&gt;`"),
            ("see https://evil.example/x", "see https[:]//evil.example/x"),
        ] {
            assert_eq!(mrkdwn(&[Piece::Prose(text.to_owned())], 1_000), expected, "{text}");
        }
    }

    #[test]
    fn a_notification_holds_nothing_that_could_become_a_link() {
        for (value, expected) in [
            ("mallory@evil.example", "mallory@evil[.]example"),
            ("https://evil.example/a.b", "https[:]//evil[.]example/a[.]b"),
            ("@channel *x* `x`", "＠channel ∗x∗ 'x'"),
            ("Dr. Who & Co.", "Dr. Who &amp; Co."),
        ] {
            assert_eq!(text(&[Piece::Value(value.to_owned())], 1_000), expected, "{value}");
        }
    }

    #[test]
    fn cutting_never_splits_an_escape_nor_leaves_code_open() {
        for most in 30..80 {
            let line = [Piece::Words("Name: ".to_owned()), Piece::Value("&<>".repeat(100))];
            for shown in [mrkdwn(&line, most), text(&line, most)] {
                assert!(length(&shown) <= most, "{most}: {shown}");
                assert!(shown.contains(CUT), "{shown}");
                assert_eq!(shown.matches('`').count() % 2, 0, "{shown}");
                let rest = shown.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
                assert!(!rest.contains('&') && !rest.contains(';'), "{shown}");
            }
        }
    }
}
