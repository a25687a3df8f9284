//! Whether every attempt of a request was answered. The SDK sends a request again whose answer was lost, and the second one may
//! then meet what the first one wrote.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

/// Clones share it: one goes with the request, the other is asked afterwards.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fate {
    unknown: Arc<AtomicBool>,
}

impl Fate {
    /// An attempt may have been carried out though nobody was told so.
    pub(crate) fn is_unknown(&self) -> bool {
        self.unknown.load(Ordering::Relaxed)
    }
}

impl Intercept for Fate {
    fn name(&self) -> &'static str {
        "Fate"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // DynamoDB says 4xx when it has not done as it was asked; 5xx and a broken answer may mean either.
        let refused = context.response().is_some_and(|response| response.status().is_client_error());
        let done = matches!(context.output_or_error(), Some(Ok(_)));
        if !refused && !done {
            self.unknown.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
