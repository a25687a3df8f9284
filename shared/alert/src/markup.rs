//! Slack's markup made harmless: what others wrote cannot format, mention, link or leave its line. Slack has no escape
//! for most of it, so signs that mean something are shown as signs that look alike
//! (<https://docs.slack.dev/messaging/formatting-message-text>). Lengths are UTF-16 units, the larger way to count.
//! Never here: blocks.

use crate::plain::CUT;
use crate::section::Piece;

/// What is never split: a character with its escape, or one end of a stretch of code.
enum Atom {
    Sign(String),
    Open,
    Close,
}

pub(crate) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The atoms in `most` UTF-16 units, with a mark where some had to be left out, and code always closed.
fn fit(atoms: &[Atom], most: usize) -> String {
    let mark = length(CUT);
    let (mut used, mut in_code) = (0_usize, false);
    // How many atoms stay if the mark is needed, and whether code is open there.
    let mut keep = (0_usize, false);
    for (n, atom) in (1_usize..).zip(atoms) {
        let width = match atom {
            Atom::Sign(sign) => length(sign),
            Atom::Open | Atom::Close => 1,
        };
        used = used.saturating_add(width);
        in_code = match atom {
            Atom::Sign(_) => in_code,
            Atom::Open => true,
            Atom::Close => false,
        };
        if used.saturating_add(mark).saturating_add(usize::from(in_code)) <= most {
            keep = (n, in_code);
        }
    }
    if used <= most {
        return joined(atoms);
    }
    let (kept, open) = keep;
    let close = if open { "`" } else { "" };
    format!("{}{CUT}{close}", joined(atoms.get(..kept).unwrap_or_default()))
}

fn joined(atoms: &[Atom]) -> String {
    let signs = atoms.iter().map(|atom| match atom {
        Atom::Sign(sign) => sign.as_str(),
        Atom::Open | Atom::Close => "`",
    });
    signs.collect()
}

/// A character, with the one before it and what follows.
type Place<'a> = (char, char, &'a str);

fn signs<'a>(
    text: &'a str,
    show: impl Fn(Place<'a>) -> Option<&'static str> + 'a,
) -> impl Iterator<Item = Atom> + 'a {
    let mut before = ' ';
    text.char_indices().map(move |(at, c)| {
        let rest = text.get(at..).unwrap_or_default().strip_prefix(c).unwrap_or_default();
        let sign = show((before, c, rest)).map_or_else(|| entity(c), str::to_owned);
        before = c;
        Atom::Sign(sign)
    })
}

/// Slack asks for these three to be escaped, and for no others.
fn entity(c: char) -> String {
    match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        c => c.to_string(),
    }
}

fn first(rest: &str) -> char {
    rest.chars().next().unwrap_or(' ')
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

fn code(value: &str, into: &mut Vec<Atom>) {
    into.push(Atom::Open);
    let value = if value.trim().is_empty() { "(blank)" } else { value };
    let atoms: Vec<Atom> = signs(value, in_code).collect();
    into.push(Atom::Sign(fit(&atoms, MOST_OF_A_VALUE)));
    into.push(Atom::Close);
}

/// A sentence of ours: what stands between backticks becomes code, and the rest formats nothing.
fn prose(text: &str, into: &mut Vec<Atom>) {
    let mut parts = text.split('`').peekable();
    let mut quoted = false;
    while let Some(part) = parts.next() {
        if quoted && parts.peek().is_some() {
            into.push(Atom::Open);
            into.extend(signs(part, in_code));
            into.push(Atom::Close);
        } else {
            // The backtick before the last part has no partner: it is a sign like any other.
            into.extend(quoted.then(|| Atom::Sign("'".to_owned())));
            into.extend(signs(part, unformatted));
        }
        quoted = !quoted;
    }
}

/// A line as `mrkdwn`, of at most `most` UTF-16 units.
pub(crate) fn mrkdwn(line: &[Piece], most: usize) -> String {
    let mut atoms = Vec::new();
    for piece in line {
        match piece {
            Piece::Words(text) | Piece::Prose(text) => prose(text, &mut atoms),
            Piece::Value(text) => code(text, &mut atoms),
        }
    }
    fit(&atoms, most)
}

/// A line as text without any markup, of at most `most` UTF-16 units.
pub(crate) fn text(line: &[Piece], most: usize) -> String {
    let mut atoms = Vec::new();
    for piece in line {
        match piece {
            Piece::Words(text) => atoms.extend(signs(text, unformatted)),
            Piece::Prose(text) | Piece::Value(text) => atoms.extend(signs(text, defanged)),
        }
    }
    fit(&atoms, most)
}

#[cfg(test)]
mod tests {
    use super::*;

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
