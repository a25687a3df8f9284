//! The date forms that the service writes. Parsing what clients send lives here too; nothing here reads a clock.
use jiff::{SignedDuration, Timestamp};

/// Whole seconds with `Z`, as directory objects carry them.
pub(crate) fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Seven fractional digits with `Z`, as subscriptions and audit rows carry them.
pub(crate) fn ticks(at: Timestamp) -> String {
    format!("{}Z", seven_digits(at))
}

/// The three forms that captured notifications show for one and the same instant.
pub(crate) fn as_notified(at: Timestamp, form: u8) -> String {
    match form % 3 {
        0 => ticks(at),
        1 => format!("{}+00:00", seven_digits(at)),
        _ => {
            let west = at.checked_sub(SignedDuration::from_hours(8)).unwrap_or(at);
            format!("{}-08:00", seven_digits(west))
        }
    }
}

fn seven_digits(at: Timestamp) -> String {
    let tenths_of_micros = at.subsec_nanosecond().unsigned_abs() / 100;
    format!("{}.{tenths_of_micros:07}", at.strftime("%Y-%m-%dT%H:%M:%S"))
}

/// A number that grows with time and is larger than a double can hold exactly, as `sequenceNumber` is.
pub(crate) fn sequence_number(at: Timestamp, sequence: u64) -> u64 {
    const TICKS_AT_1970: u64 = 621_355_968_000_000_000;
    let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
    TICKS_AT_1970.saturating_add(millis.saturating_mul(10_000)).saturating_add(sequence)
}

/// A date-time with an offset or `Z`; anything else is none.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok()
}

/// An HTTP date, as in `Date` and `Retry-After` (RFC 9110, section 5.6.7).
pub(crate) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
