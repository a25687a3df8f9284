//! The rules of the ledger, one by one, each on every store that it can lie in.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

/// Runs each rule on every store. Who leaves one out hears of it: it is never used then.
macro_rules! on_both {
    ($($rule:ident),+ $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    super::$rule(crate::given::Store::sqlite()).await;
                }
            )+
        }

        mod on_dynamo {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    super::$rule(crate::given::Store::dynamo()).await;
                }
            )+
        }
    };
}

mod alike;
mod breaker;
mod documents;
mod given;
mod health;
mod incidents;
mod limits;
mod records;
