//! What an answer to a POST of ours means: taken, to be tried again, or never. The same for every channel.
//! Never here: when it is tried again if the answer does not say so.

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use wire::{Reply, WireError};

use crate::SendError;

/// However long a channel asks us to wait, it is tried again every six hours, like one that takes nothing.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(6);

/// Nothing came back. `who` is a word for the other side; its URL is a secret.
pub(crate) fn no_reply(who: &str, error: &WireError) -> SendError {
    let why = match error {
        WireError::Timeout { host: _, limit } => format!("{who} did not answer within {} s", limit.as_secs()),
        WireError::Connect { host: _, why } => format!("{who} could not be reached: {why}"),
        WireError::TooLarge { host: _, limit } => format!("{who} answered with more than {limit} bytes"),
        WireError::Broken { host: _, why } => format!("{who} broke off: {why}"),
        WireError::Setup { why } => format!("the HTTP client could not be set up: {why}"),
    };
    SendError::Later { after: None, why }
}

/// What an answer that is not a success means. `word` is what the other side said about it, if it is fit to be shown.
pub(crate) fn refusal(who: &str, reply: &Reply, word: Option<&str>, now: Timestamp) -> SendError {
    let status = reply.status;
    let said = word.map_or_else(String::new, |word| format!(" `{word}`"));
    let answered = format!("{who} answered {}{said}", status.as_u16());
    if status.is_redirection() {
        return SendError::Broken {
            why: format!("{answered}; redirects are not followed, configure the final URL"),
        };
    }
    let later = status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_EARLY
                | StatusCode::LOCKED
        );
    if later {
        SendError::Later { after: retry_after(&reply.headers, now), why: answered }
    } else {
        SendError::Broken { why: answered }
    }
}

/// `Retry-After` in seconds, decimals included, or as an HTTP date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 => SignedDuration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT),
        Ok(_) => return None,
        Err(_) => {
            static DATES: DateTimeParser = DateTimeParser::new();
            DATES.parse_timestamp(value).ok()?.duration_since(now)
        }
    };
    Some(wait.clamp(SignedDuration::ZERO, LONGEST_WAIT))
}

/// An error word as products answer them: short, lower-case, and certainly no URL or secret of ours.
pub(crate) fn word(text: &str) -> Option<&str> {
    let text = text.trim();
    let legal = |c: char| c.is_ascii_lowercase() || c == '_';
    ((1..=40).contains(&text.len()) && text.chars().all(legal)).then_some(text)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        for (value, expected) in [
            ("30", Some(SignedDuration::from_secs(30))),
            ("1.5", Some(SignedDuration::from_millis(1_500))),
            ("0", Some(SignedDuration::ZERO)),
            ("Fri, 20 Nov 2026 10:02:00 GMT", Some(SignedDuration::from_secs(120))),
            ("Fri, 20 Nov 2026 09:00:00 GMT", Some(SignedDuration::ZERO)),
            ("99999999999999999999999", Some(LONGEST_WAIT)),
            ("inf", Some(LONGEST_WAIT)),
            ("NaN", None),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
            assert_eq!(retry_after(&headers, now), expected, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn only_a_plain_word_of_an_answer_is_repeated() {
        assert_eq!(word(" no_service\n"), Some("no_service"));
        for text in ["", "No", "https://hooks.example/x", "a b", &"a".repeat(41)] {
            assert_eq!(word(text), None, "{text}");
        }
    }
}
