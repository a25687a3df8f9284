//! Somebody keeps putting back what is taken away: after a few rounds people decide, and read who it was.
//!
//! Never here: how many rounds that takes, which is the model's.

use graph::{Act, Activity, Actor};
use jiff::Timestamp;
use model::{Incident, Step};

use crate::Remediator;
use crate::trouble::{in_words, to_the_second};

impl Remediator {
    /// Why it is not taken away once more, with what the directory audit knows. It may know nothing: its rows lag, and the
    /// permission for it may be missing.
    pub(super) async fn who_fights(&self, (step, since): (Step, Timestamp)) -> String {
        let what = format!(
            "somebody has put it back {} times since {}, and nothing is taken away once more without a decision",
            Incident::ROUNDS,
            to_the_second(since)
        );
        let who = match self.reader.acts(step.user(), since).await {
            Ok(acts) => acts
                .iter()
                .find(|act| puts_back(act, step))
                .map_or_else(|| "the directory audit does not (yet) say who".to_owned(), told),
            Err(graph::GraphError::Forbidden { .. }) => {
                "who it was would stand in the directory audit: grant the app that writes `AuditLog.Read.All`"
                    .to_owned()
            }
            Err(error) => format!("the directory audit could not be read: failed to {}", in_words(&error)),
        };
        format!("{what}; {who}")
    }
}

/// The latest comes first.
fn puts_back(act: &Act, step: Step) -> bool {
    let same_group = || act.group.is_none() || act.group == step.group();
    match (step.undo(), act.activity) {
        (Step::Enable { user: _ }, Activity::Enable) => true,
        (Step::AddMember { .. }, Activity::AddMember) | (Step::AddOwner { .. }, Activity::AddOwner) => {
            same_group()
        }
        (
            Step::Enable { user: _ }
            | Step::AddMember { .. }
            | Step::AddOwner { .. }
            | Step::Disable { user: _ }
            | Step::RemoveMember { .. }
            | Step::RemoveOwner { .. },
            Activity::Enable
            | Activity::Disable
            | Activity::Delete
            | Activity::Restore
            | Activity::AddMember
            | Activity::RemoveMember
            | Activity::AddOwner
            | Activity::RemoveOwner,
        ) => false,
    }
}

fn told(act: &Act) -> String {
    let named = |name: &Option<String>| name.as_ref().map_or_else(String::new, |name| format!("`{name}`"));
    let who = match &act.by {
        Actor::User { id, name } => format!("{} (user {id})", named(name)),
        Actor::App { app_id, service_principal, name } => {
            let id = app_id.map(|id| id.to_string()).or(service_principal.map(|id| id.to_string()));
            id.map_or_else(
                || format!("the app {}", named(name)),
                |id| format!("the app {} ({id})", named(name)),
            )
        }
        Actor::Unknown => {
            return format!("the directory audit does not say who, at {}", to_the_second(act.at));
        }
    };
    format!("the directory audit names {}, at {}", who.trim(), to_the_second(act.at))
}
