//! What AWS calls the time: it says so in the `Date` of each answer, to the second
//! (<https://www.rfc-editor.org/rfc/rfc9110#name-date>).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};

/// Seconds since 1970, by the machine.
type Now = dyn Fn() -> i64 + Send + Sync;

/// By how many seconds this machine's clock was ahead when an answer came last.
#[derive(Clone)]
pub(crate) struct Heard {
    now: Arc<Now>,
    ahead: Arc<Mutex<Option<i64>>>,
}

impl Heard {
    pub(crate) fn by(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), ahead: Arc::default() }
    }

    pub(crate) fn ahead(&self) -> Option<i64> {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, date: &str) {
        let Ok(there) = DateTime::from_str(date, DateTimeFormat::HttpDate) else { return };
        let ahead = (self.now)().saturating_sub(there.secs());
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
    }
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heard").field("ahead", &self.ahead()).finish_non_exhaustive()
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
        let heard = Heard::by(|| 100);
        heard.hear("yesterday");
        assert_eq!(heard.ahead(), None);
        heard.hear("Thu, 01 Jan 1970 00:00:09 GMT");
        assert_eq!(heard.ahead(), Some(91));
    }
}
