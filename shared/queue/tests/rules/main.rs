//! The rules of a queue, one by one: those that hold on every backend, those that differ, and what a network does to SQS.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

/// Runs each rule on every backend. Who leaves one out hears of it: it is never used then.
macro_rules! on_both {
    ($($rule:ident),+ $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    super::$rule(crate::given::Given::local()).await;
                }
            )+
        }

        mod on_sqs {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    super::$rule(crate::given::Given::sqs().await).await;
                }
            )+
        }
    };
}

mod alike;
mod deaths;
mod differing;
mod faults;
mod given;
mod histories;
mod later;
mod letters;
mod local;
mod mapping;
mod never_later;
mod owed;
