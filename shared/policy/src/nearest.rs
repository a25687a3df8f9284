//! The valid name that somebody who mistyped probably meant.

/// "did you mean …" where a name is near enough, else all the names.
pub(crate) fn hint<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.into_iter().collect();
    if let Some(name) = nearest(written, &names) {
        return Some(format!("did you mean `{name}`?"));
    }
    match names.as_slice() {
        [] => None,
        [only] => Some(format!("write `{only}`")),
        [..] if names.len() <= MOST_NAMES => Some(format!("write one of {}", quoted(&names))),
        [..] => None,
    }
}

/// More names than this help nobody.
const MOST_NAMES: usize = 14;

pub(crate) fn quoted<T: std::fmt::Display>(names: &[T]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn nearest<'a>(written: &str, names: &[&'a str]) -> Option<&'a str> {
    let written: Vec<char> = written.to_lowercase().chars().take(64).collect();
    let allowed = (written.len() / 3).clamp(1, 3);
    names
        .iter()
        .map(|name| (distance(&written, &name.to_lowercase().chars().collect::<Vec<_>>()), *name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let mut cost = at(&last, j) + usize::from(a != b);
            cost = cost.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && from.get(i - 1) == Some(b) && to.get(j - 1) == Some(a);
            if swapped {
                cost = cost.min(at(&before_last, j - 1) + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(from.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_proposed_and_else_all_of_them() {
        let names = ["guardrails", "scenarios", "partners"];
        for (written, expected) in [
            ("gaurdrails", "did you mean `guardrails`?"),
            ("Guardrail", "did you mean `guardrails`?"),
            ("partnres", "did you mean `partners`?"),
            ("rules", "write one of `guardrails`, `scenarios`, `partners`"),
            ("", "write one of `guardrails`, `scenarios`, `partners`"),
        ] {
            assert_eq!(hint(written, names).as_deref(), Some(expected), "{written}");
        }
        assert_eq!(hint("x", []), None);
    }

    #[test]
    fn a_swap_costs_as_much_as_one_wrong_letter() {
        let distance =
            |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        for (a, b, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("ab", "ba", 1),
            ("kitten", "sitting", 3),
            ("abc", "abc", 0),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
