//! What AWS calls the time: it says so in the `Date` of each answer, to the second
//! (<https://www.rfc-editor.org/rfc/rfc9110#name-date>).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};

/// By how many seconds this machine's clock was ahead when an answer came last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Option<i64>>>);

impl Heard {
    pub(crate) fn ahead(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, date: &str) {
        let there = DateTime::from_str(date, DateTimeFormat::HttpDate);
        let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_secs());
        let (Ok(there), Ok(here)) = (there, here.map(i64::try_from)) else { return };
        let ahead = here.map(|here| here.saturating_sub(there.secs()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ahead.ok();
    }
}

impl Intercept for Heard {
    fn name(&self) -> &'static str {
        "Heard"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.response().headers().get("date").into_iter().for_each(|date| self.hear(date));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_moment_says_nothing() {
        let heard = Heard::default();
        heard.hear("yesterday");
        assert_eq!(heard.ahead(), None);
        heard.hear("Thu, 01 Jan 1970 00:00:09 GMT");
        assert!(heard.ahead().is_some_and(|ahead| ahead > 1_700_000_000));
    }
}
