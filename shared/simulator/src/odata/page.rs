//! Paging: which part of a list an answer carries, and the opaque token that leads to the next part.
//! A token belongs to one query; used with another one it is refused.
use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::graph::refusal::Refusal;

pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// The token of the next page; none on the last.
    pub(crate) next: Option<String>,
}

/// Cuts one page out of `items`, which are sorted by their key. With `by_position` the key is the position instead,
/// for lists in an order of their own.
pub(crate) fn cut<T>(
    items: Vec<(u64, T)>,
    size: usize,
    token: Option<&str>,
    question: &str,
    by_position: bool,
) -> Result<Page<T>, Refusal> {
    let after = token.map(|token| open(token, question)).transpose()?;
    let keyed = (1u64..).zip(items).map(|(at, (key, item))| (if by_position { at } else { key }, item));
    let mut rest = keyed.filter(|(key, _)| after.is_none_or(|after| *key > after));
    let mut page = Vec::new();
    let mut last = None;
    for (key, item) in rest.by_ref().take(size.max(1)) {
        last = Some(key);
        page.push(item);
    }
    let next = rest.next().and(last).map(|last| seal(last, question));
    Ok(Page { items: page, next })
}

fn seal(after: u64, question: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{after}.{:x}", digest(question)))
}

fn open(token: &str, question: &str) -> Result<u64, Refusal> {
    let invalid =
        || Refusal::new(400, "Directory_ExpiredPageToken", "The specified page token value is invalid.");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
    let text = String::from_utf8(bytes).map_err(|_| invalid())?;
    let (after, of) = text.split_once('.').ok_or_else(invalid)?;
    if of != format!("{:x}", digest(question)) {
        return Err(invalid());
    }
    after.parse().map_err(|_| invalid())
}

fn digest(question: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    question.hash(&mut hasher);
    hasher.finish()
}

/// The query string without `$skiptoken`: what a token belongs to, and what the next link repeats.
pub(crate) fn without_token(raw: &str) -> String {
    let kept = raw.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        !pair.is_empty() && name != "$skiptoken" && name != "%24skiptoken"
    });
    kept.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<(u64, char)> {
        (10u64..).zip('a'..='e').collect()
    }

    #[test]
    fn pages_cover_the_list_once_and_the_last_has_no_token() {
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let page = cut(items(), 2, token.as_deref(), "q", false).unwrap();
            seen.extend(page.items);
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, vec!['a', 'b', 'c', 'd', 'e']);
    }

    #[test]
    fn a_token_of_another_query_is_refused() {
        let page = cut(items(), 2, None, "q", false).unwrap();
        assert!(cut(items(), 2, page.next.as_deref(), "other", false).is_err());
        assert!(cut(items(), 2, Some("!"), "q", false).is_err());
    }

    #[test]
    fn the_token_is_taken_out_of_the_query_that_the_link_repeats() {
        assert_eq!(without_token("$top=2&$skiptoken=abc&$select=id"), "$top=2&$select=id");
        assert_eq!(without_token("%24skiptoken=abc"), "");
    }
}
