//! Somebody keeps putting back what is taken away: after a few rounds people decide, and read who it was.
//!
//! Never here: how many rounds that takes, which is the model's.

use graph::{Act, Activity};
use jiff::Timestamp;
use model::{Incident, Step};

use crate::Remediator;
use crate::trouble::to_the_second;
use crate::whose::{Asker, whose_doing};

impl Remediator {
    /// Why it is not taken away once more, with what the directory audit knows. It may know nothing: its rows lag, and the
    /// permission for it may be missing.
    pub(super) async fn who_fights(&self, (step, since): (Step, Timestamp)) -> String {
        let what = format!(
            "somebody has put it back {} times since {}, and nothing is taken away once more without a decision",
            Incident::ROUNDS,
            to_the_second(since)
        );
        let who =
            whose_doing(&self.reader, Asker::Writes, (step.user(), since), |act| puts_back(act, step)).await;
        format!("{what}; {who}")
    }
}

/// The latest comes first.
fn puts_back(act: &Act, step: Step) -> bool {
    let same_group = || act.group.is_none() || act.group == step.group();
    match (step.undo(), act.activity) {
        (Step::Enable { user: _ }, Activity::Enable) | (Step::Restore { user: _ }, Activity::Restore) => true,
        (Step::AddMember { .. }, Activity::AddMember) | (Step::AddOwner { .. }, Activity::AddOwner) => {
            same_group()
        }
        (
            Step::Enable { user: _ }
            | Step::AddMember { .. }
            | Step::AddOwner { .. }
            | Step::Disable { user: _ }
            | Step::RemoveMember { .. }
            | Step::RemoveOwner { .. }
            | Step::Delete { user: _ }
            | Step::Restore { user: _ },
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
