//! Each part as a process of its own, with what that part needs and nothing else: until it is asked to stop, or, where
//! `AWS_LAMBDA_RUNTIME_API` is set, as a function of AWS Lambda. Ends with 2 where the settings or the policy are wrong, with 1
//! where something else is.
//!
//! Each has a name here and is no argument, so that a binary holds the code of its own part: the linker leaves out the others'.

use std::io::Write as _;
use std::process::ExitCode;

use crate::lambda::{Alert, Approvals, Assess, Notifications, Remediate, Steward, Work};
use crate::{Environment, InvalidPolicy, Missing, Part, Traces};

pub async fn notifications(environment: &Environment) -> ExitCode {
    run::<Notifications>(environment).await
}

pub async fn assess(environment: &Environment) -> ExitCode {
    run::<Assess>(environment).await
}

pub async fn remediate(environment: &Environment) -> ExitCode {
    run::<Remediate>(environment).await
}

pub async fn alert(environment: &Environment) -> ExitCode {
    run::<Alert>(environment).await
}

pub async fn steward(environment: &Environment) -> ExitCode {
    run::<Steward>(environment).await
}

pub async fn approvals(environment: &Environment) -> ExitCode {
    run::<Approvals>(environment).await
}

async fn run<W: Work>(environment: &Environment) -> ExitCode {
    // There each line is looked for by the event that it belongs to, from the first one on.
    let told = if environment.is_lambda() { "info,guestlist_responder::receive=debug" } else { "info" };
    let service = format!("guestlist-{}", W::PART.word());
    let traces = crate::start_logs_and_traces(environment, told, &service);
    let ended = if environment.is_lambda() {
        crate::lambda::run::<W>(environment, traces).await
    } else {
        run_here(W::PART, environment, traces).await
    };
    let Err(error) = ended else {
        return ExitCode::SUCCESS;
    };
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(std::io::stderr().lock(), "error: {error:#}");
    let wrongly_set = error.is::<Missing>() || error.is::<InvalidPolicy>();
    ExitCode::from(if wrongly_set { 2 } else { 1 })
}

#[cfg(feature = "local")]
async fn run_here(part: Part, environment: &Environment, traces: Option<Traces>) -> anyhow::Result<()> {
    crate::process::run_parts(&[part], crate::Settings::read(environment, part.needs())?, traces).await
}

#[cfg(not(feature = "local"))]
async fn run_here(part: Part, _environment: &Environment, _traces: Option<Traces>) -> anyhow::Result<()> {
    let binary = format!("guestlist-{}", part.word());
    let problem = format!(
        "AWS_LAMBDA_RUNTIME_API is not set, and this `{binary}` was built for AWS Lambda alone: start it there, or build it for a \
         machine of your own with `cargo build --release --bin {binary}`"
    );
    Err(Missing(vec![problem]).into())
}
