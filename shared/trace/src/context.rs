//! The `traceparent` of W3C Trace Context (<https://www.w3.org/TR/trace-context/#traceparent-header>), as it travels with a message.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

/// A span as others name it: its trace, itself, and whether it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: NonZeroU128,
    span: NonZeroU64,
    flags: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "read a traceparent: it is not two hexadecimal digits of a version, then 32, 16 and 2, with `-` between them"
)]
pub struct NotAContext;

impl TraceContext {
    /// None: an id of nothing but zeros names nothing.
    #[must_use]
    pub fn new(trace: u128, span: u64, flags: u8) -> Option<Self> {
        Some(Self { trace: NonZeroU128::new(trace)?, span: NonZeroU64::new(span)?, flags })
    }

    #[must_use]
    pub fn trace(self) -> u128 {
        self.trace.get()
    }

    #[must_use]
    pub fn span(self) -> u64 {
        self.span.get()
    }

    #[must_use]
    pub fn flags(self) -> u8 {
        self.flags
    }

    /// As traces are looked for: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, flags } = self;
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

impl FromStr for TraceContext {
    type Err = NotAContext;

    /// A later version may have more behind what is known of it; version 255 is none.
    fn from_str(text: &str) -> Result<Self, NotAContext> {
        let mut parts = text.splitn(5, '-');
        let mut digits = |count: usize| {
            let part = parts.next().filter(|part| part.len() == count).ok_or(NotAContext)?;
            let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
            if part.bytes().all(is_digit) { Ok(part) } else { Err(NotAContext) }
        };
        let (version, trace, span, flags) = (digits(2)?, digits(32)?, digits(16)?, digits(2)?);
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return Err(NotAContext);
        }
        let trace = u128::from_str_radix(trace, 16).map_err(|_| NotAContext)?;
        let span = u64::from_str_radix(span, 16).map_err(|_| NotAContext)?;
        let flags = u8::from_str_radix(flags, 16).map_err(|_| NotAContext)?;
        Self::new(trace, span, flags).ok_or(NotAContext)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_the_standard_allows_is_read_and_nothing_else() {
        let read: TraceContext = GOOD.parse().unwrap();
        assert_eq!((read.to_string().as_str(), read.flags()), (GOOD, 1));
        assert_eq!(read.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        let later = format!("cc{}-what-comes", GOOD.strip_prefix("00").unwrap());
        assert_eq!(later.parse(), Ok(read), "a later version has more behind it");
        for damaged in [
            "",
            "00",
            "nonsense",
            &GOOD.to_uppercase(),
            &format!("{GOOD}-more"),
            &format!("{GOOD} "),
            &GOOD.replace("00-", "ff-"),
            &GOOD.replace("0af7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"),
            &GOOD.replace("b7ad6b7169203331", "0000000000000000"),
            &GOOD.replace("0af7", "+af7"),
            GOOD.strip_suffix('1').unwrap(),
        ] {
            assert_eq!(damaged.parse::<TraceContext>(), Err(NotAContext), "{damaged}");
        }
    }

    proptest! {
        #[test]
        fn a_context_is_what_it_was_when_it_is_read_again(trace in 1_u128.., span in 1_u64.., flags: u8) {
            let context = TraceContext::new(trace, span, flags).unwrap();
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }

        #[test]
        fn no_text_makes_the_reading_panic(text in ".{0,70}") {
            if let Ok(context) = text.parse::<TraceContext>() {
                prop_assert_ne!(context.trace(), 0);
            }
        }
    }
}
