//! Whether whoever asks would rather have text than HTML (`Accept`, RFC 9110, section 12.5.1).

use axum::http::header::{ACCEPT, HeaderMap};

/// HTML is for whoever says nothing, or that both are alike to him.
pub(crate) fn is_text(headers: &HeaderMap) -> bool {
    let said: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|said| said.split(','))
        .collect();
    liking(&said, "plain") > liking(&said, "html")
}

/// In thousandths. The most precise of what was said about `text/<kind>` counts.
fn liking(said: &[&str], kind: &str) -> u32 {
    let of_kind = format!("text/{kind}");
    let ranges = [of_kind.as_str(), "text/*", "*/*"];
    ranges.iter().find_map(|range| said.iter().find_map(|one| weight(one, range))).unwrap_or(0)
}

fn weight(one: &str, range: &str) -> Option<u32> {
    let mut parts = one.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(range) {
        return None;
    }
    let q = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some(q.map_or(1000, thousandths))
}

/// `0.8` is 800. What is no such number says that it is not wanted.
fn thousandths(q: &str) -> u32 {
    let (whole, rest) = q.split_once('.').unwrap_or((q, ""));
    let digits: String = rest.chars().chain("000".chars()).take(3).collect();
    match (whole.parse::<u32>(), digits.parse::<u32>()) {
        (Ok(0), Ok(rest)) => rest,
        (Ok(1), Ok(_)) => 1000,
        (Ok(_) | Err(_), _) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_for_who_prefers_it() {
        for (accept, expected) in [
            ("text/plain", true),
            ("text/plain, */*;q=0.1", true),
            ("TEXT/PLAIN;charset=utf-8", true),
            ("text/html;q=0.5, text/plain;q=0.501", true),
            ("text/*, text/html;q=0", true),
            ("text/html,application/xhtml+xml,*/*;q=0.8", false),
            ("*/*", false),
            ("text/*", false),
            ("text/html, text/plain", false),
            ("text/plain;q=0", false),
            ("text/plain;q=x", false),
            ("application/json", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            assert_eq!(is_text(&headers), expected, "{accept}");
        }
        assert!(!is_text(&HeaderMap::new()));
    }
}
