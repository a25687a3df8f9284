//! `infra/aws/template.yaml` as it is, deployed by the SAM CLI into the AWS emulator, with roles enforced and signatures checked, and
//! stories played through it: Graph posts to the HTTP API, and all that follows is done by the stack itself. Together they use every
//! power that a role grants, and `accounts` fails on one that they do not.
//!
//! What the emulator does not do, seen in ministack 1.5.33:
//!
//! - It knows no conditions on `dynamodb:LeadingKeys`. `powers` holds each request against them.
//! - Its STS signs with HS256, which Entra does not take. The issuer of the tests signs, and the witness leads there; so the condition
//!   on `sts:GetWebIdentityToken` is not looked at.
//! - It wants `sqs:SendMessageBatch` where AWS wants `sqs:SendMessage`. `powers` gives one to whoever has the other.
//! - It makes the HTTP API without the routes in its `Body`. `door` makes them of what SAM has made of the template.
//! - It speaks plain HTTP here, and the bucket of the policy refuses that. The witness says that TLS was spoken.
//! - It reads queues for a function, writes its logs, and calls it by the timer, without asking the role for that power.
//! - CloudFormation there leaves out `ReservedConcurrentExecutions`, the table's TTL and its point-in-time recovery.
//! - It counts invocations for alarms, but nothing of queues, of the table and of the API, and applies no metric filter.
//!
//! `tests/tidy/infra.rs` and `tests/tidy/deployed.rs` read in the template what is not tried here.

mod accounts;
mod before;
mod damage;
mod deployment;
mod door;
mod functions;
mod groups;
mod operators;
mod powers;
mod settings;
mod store;
mod story;
mod telling;
mod trouble;
mod witness;
