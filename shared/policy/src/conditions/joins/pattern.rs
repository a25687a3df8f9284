//! Patterns of group names: `*` stands for any run of characters, `?` for one. They stand for whole names, whatever their
//! case, and for nothing that only looks alike.

use std::str::Chars;

use crate::group::fold;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamePattern {
    text: String,
    folded: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadNamePattern {
    Empty,
    /// It would match every name.
    TooWide,
}

impl NamePattern {
    pub(crate) fn parse(text: &str) -> Result<Self, BadNamePattern> {
        if text.trim().is_empty() {
            return Err(BadNamePattern::Empty);
        }
        if text.contains('*') && text.chars().all(|c| matches!(c, '*' | '?') || c.is_whitespace()) {
            return Err(BadNamePattern::TooWide);
        }
        Ok(Self { text: text.to_owned(), folded: fold(text) })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// `name` is folded already. Never slower than the product of both lengths: only the last `*` is tried again.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let mut pattern = self.folded.chars();
        let mut name = name.chars();
        // Behind the last `*`, and what it has not swallowed yet.
        let mut again: Option<(Chars<'_>, Chars<'_>)> = None;
        loop {
            let before = name.clone();
            let fits = match (pattern.next(), name.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    again = Some((pattern.clone(), before.clone()));
                    name = before;
                    true
                }
                (Some('?'), Some(_)) => true,
                (Some(wanted), Some(found)) => wanted == found,
                (None, Some(_)) | (Some(_), None) => false,
            };
            if fits {
                continue;
            }
            let Some((behind_star, mut rest)) = again.take() else {
                return false;
            };
            if rest.next().is_none() {
                return false;
            }
            pattern = behind_star.clone();
            name = rest.clone();
            again = Some((behind_star, rest));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pattern_stands_for_the_whole_name_whatever_its_case() {
        let check = |pattern: &str, name: &str, expected: bool| {
            let matches = NamePattern::parse(pattern).unwrap().matches(&fold(name));
            assert_eq!(matches, expected, "{pattern} {name}");
        };
        check("Finance *", "Finance EU", true);
        check("Finance *", "FINANCE eu", true);
        check("Finance *", "Finance ", true);
        check("Finance *", "Finance", false);
        check("Finance *", "The Finance EU", false);
        check("*finance*", "The Finance EU", true);
        check("Team ?", "Team A", true);
        check("Team ?", "Team AB", false);
        check("Team ?", "Team ü", true);
        check("Team ?", "team İ", true);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-b-b-d", false);
        check("ÄRZTE", "ärzte", true);
        check("Finance", "Fіnance", false);
        check("[a-z]+", "abc", false);
        check("*.*", "a.b", true);
        assert_eq!(NamePattern::parse("* ?*"), Err(BadNamePattern::TooWide));
        assert_eq!(NamePattern::parse(" "), Err(BadNamePattern::Empty));
    }

    #[test]
    fn a_long_name_and_many_stars_take_no_time() {
        let pattern = NamePattern::parse(&format!("{}b", "a*".repeat(120))).unwrap();
        assert!(!pattern.matches(&"a".repeat(256)));
    }

    /// The same rule, written down in the slow and plain way.
    fn plainly(pattern: &[char], name: &[char]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some(('*', rest)), _) => (0..=name.len()).any(|from| plainly(rest, &name[from..])),
            (Some((wanted, rest)), Some((found, others))) => {
                (*wanted == '?' || wanted == found) && plainly(rest, others)
            }
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_it_says(pattern in "[abAB*?]{1,7}", name in "[abAB]{0,8}") {
            if let Ok(parsed) = NamePattern::parse(&pattern) {
                let chars = |text: &str| fold(text).chars().collect::<Vec<char>>();
                prop_assert_eq!(parsed.matches(&fold(&name)), plainly(&chars(&pattern), &chars(&name)));
            }
        }
    }
}
