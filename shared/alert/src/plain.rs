//! Text that somebody outside wrote, made fit to be looked at: nothing in it is invisible, turns the line around,
//! starts a new one, or runs on for ever. Every text of a message has come through here.
//! Never here: the markup of a product.

/// Stands where text was left out.
pub(crate) const CUT: &str = "… [cut]";

/// A base character with more marks than this is there to smear over its neighbours.
const MOST_COMBINING: usize = 4;

/// One line of at most `most` characters, in which every character shows.
pub(crate) fn clean(text: &str, most: usize) -> String {
    let keep = most.saturating_sub(CUT.chars().count());
    let mut shown = String::with_capacity(text.len().min(most));
    let (mut count, mut kept_bytes) = (0_usize, 0_usize);
    let mut combining = 0_usize;
    let mut before = ' ';
    for c in text.chars() {
        combining = if is_combining(c) { combining.saturating_add(1) } else { 0 };
        if combining > MOST_COMBINING {
            continue;
        }
        let seen = visible(c, before);
        before = c;
        count = count.saturating_add(seen.chars().count());
        if count > most {
            shown.truncate(kept_bytes);
            shown.push_str(CUT);
            return shown;
        }
        shown.push_str(&seen);
        if count <= keep {
            kept_bytes = shown.len();
        }
    }
    shown
}

/// The text in backticks, as values are quoted in our sentences.
pub(crate) fn quoted(text: &str, most: usize) -> String {
    format!("`{}`", clean(text, most).replace('`', "'"))
}

fn visible(c: char, before: char) -> String {
    match u32::from(c) {
        // Unicode has a picture for each of these.
        code @ 0..=0x1F => char::from_u32(0x2400 | code).unwrap_or('\u{FFFD}').to_string(),
        0x7F => '\u{2421}'.to_string(),
        code if is_hidden(c, before) => format!("[U+{code:04X}]"),
        _ if c.is_whitespace() => ' '.to_string(),
        _ => c.to_string(),
    }
}

/// Characters that show as nothing or that reorder others (Unicode Standard Annex 9 and chapter 23). Joiners are left
/// where scripts and emoji need them, which is after something that is not ASCII.
fn is_hidden(c: char, before: char) -> bool {
    match u32::from(c) {
        0x200C | 0x200D | 0xFE0F => before.is_ascii(),
        0x80..=0x9F
        | 0xAD
        | 0x34F
        | 0x61C
        | 0x115F
        | 0x1160
        | 0x17B4
        | 0x17B5
        | 0x180B..=0x180F
        | 0x200B
        | 0x200E
        | 0x200F
        | 0x2028..=0x202E
        | 0x2060..=0x206F
        | 0x2800
        | 0x3164
        | 0xE000..=0xF8FF
        | 0xFE00..=0xFE0E
        | 0xFEFF
        | 0xFFA0
        | 0xFFF0..=0xFFFB
        | 0xE0000..=0x10_FFFF => true,
        // The last two of each plane are for ever no characters.
        code => code & 0xFFFE == 0xFFFE,
    }
}

fn is_combining(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36F | 0x483..=0x489 | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF
        | 0xFE20..=0xFE2F)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown() {
        for (text, expected) in [
            ("Mallory", "Mallory"),
            ("Zoë Müller 山田 太郎", "Zoë Müller 山田 太郎"),
            ("a\nb\r\tc", "a␊b␍␉c"),
            ("nul\0", "nul␀"),
            ("\u{7f}\u{9b}31m", "␡[U+009B]31m"),
            ("invoice\u{202e}fdp.exe", "invoice[U+202E]fdp.exe"),
            ("\u{2066}x\u{2069}", "[U+2066]x[U+2069]"),
            ("ad\u{200b}min \u{feff}", "ad[U+200B]min [U+FEFF]"),
            ("ad\u{200d}min", "ad[U+200D]min"),
            ("👩\u{200d}💻 می\u{200c}خواهم", "👩\u{200d}💻 می\u{200c}خواهم"),
            ("a\u{2028}b\u{a0}c", "a[U+2028]b c"),
            ("\u{fffe}\u{10ffff}\u{e0041}", "[U+FFFE][U+10FFFF][U+E0041]"),
            ("e\u{301}", "e\u{301}"),
        ] {
            assert_eq!(clean(text, 100), expected, "{text:?}");
        }
    }

    #[test]
    fn marks_do_not_pile_up() {
        let zalgo = format!("Z{}!", "\u{301}".repeat(500));
        assert_eq!(clean(&zalgo, 100), format!("Z{}!", "\u{301}".repeat(4)));
    }

    #[test]
    fn a_long_text_is_cut_with_a_mark_and_one_that_just_fits_is_not() {
        assert_eq!(clean(&"x".repeat(20), 20), "x".repeat(20));
        assert_eq!(clean(&"x".repeat(21), 20), format!("{}… [cut]", "x".repeat(13)));
        assert_eq!(clean(&"é".repeat(10_000), 50).chars().count(), 50);
    }

    #[test]
    fn a_quoted_value_cannot_end_its_quotes() {
        assert_eq!(quoted("a`b", 10), "`a'b`");
    }

    proptest! {
        #[test]
        fn nothing_hidden_and_nothing_too_long_comes_out(text in "\\PC*|[\\x00-\\u{2fff}]*|.*", most in 10_usize..200) {
            let shown = clean(&text, most);
            prop_assert!(shown.chars().count() <= most);
            prop_assert!(!shown.chars().any(char::is_control), "{shown:?}");
            prop_assert!(!shown.chars().any(|c| is_hidden(c, 'é')), "{shown:?}");
        }
    }
}
