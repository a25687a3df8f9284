//! A length of time as the policy writes it: `14d`, `12h`.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

/// Longer ones are a slip.
const MOST_HOURS: u32 = 3650 * 24;

/// Whole hours, at least one. A day is 24 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    hours: u32,
}

impl Span {
    pub(crate) const fn days(days: u32) -> Self {
        Self { hours: days.saturating_mul(24) }
    }

    /// `None` for what is not a number with its unit, and for nothing or more than ten years.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit = match unit {
            "d" => 24,
            "h" => 1,
            _ => return None,
        };
        let plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
        let hours = digits.parse::<u32>().ok().filter(|_| plain)?.checked_mul(unit)?;
        (hours <= MOST_HOURS).then_some(Self { hours })
    }

    /// At least one hour.
    pub(crate) fn half(self) -> Self {
        Self { hours: (self.hours / 2).max(1) }
    }

    pub(crate) fn after(self, from: Timestamp) -> Timestamp {
        from.checked_add(self.length()).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn before(self, end: Timestamp) -> Timestamp {
        end.checked_sub(self.length()).unwrap_or(Timestamp::MIN)
    }

    fn length(self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.hours))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hours.is_multiple_of(24) {
            write!(f, "{}d", self.hours / 24)
        } else {
            write!(f, "{}h", self.hours)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_of_days_or_hours_of_at_most_ten_years() {
        for (text, told) in [("14d", "14d"), ("1h", "1h"), ("48h", "2d"), ("25h", "25h"), ("3650d", "3650d")]
        {
            assert_eq!(Span::parse(text).map(|span| span.to_string()).as_deref(), Some(told), "{text}");
        }
        for text in [
            "",
            "d",
            "0d",
            "014d",
            "+1d",
            "-1d",
            "1",
            "1 d",
            "1.5d",
            "3651d",
            "99999999999d",
            "2w",
            "14D",
            "1é",
            "é",
        ] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_lasts_longer_than_time_does_not_end() {
        let day = Span::days(1);
        assert_eq!((day.after(Timestamp::MAX), day.before(Timestamp::MIN)), (Timestamp::MAX, Timestamp::MIN));
        assert_eq!(day.before(day.after(Timestamp::UNIX_EPOCH)), Timestamp::UNIX_EPOCH);
        assert_eq!(
            (Span::days(7).half().to_string(), Span { hours: 1 }.half().to_string()),
            ("84h".into(), "1h".into())
        );
    }
}
