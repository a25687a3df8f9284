//! How several stories begin, and what they ask of an answer.

use guestlist_tests::{Guest, World};
use model::{Answer, IncidentId};

use crate::policies::PARTNERS_ONLY;

/// A guest whom nobody admits, disabled, and the team told.
pub(crate) async fn disabled() -> (World, Guest, IncidentId) {
    let mut world = World::with_policy(PARTNERS_ONLY).await;
    let sam = world.tenant.invite("sam@northwind.example");
    world.settle().await;
    world.expect_disabled(sam);
    assert_eq!(world.slack.read_all().len(), 1);
    let id = world.incident(sam).await.id;
    (world, sam, id)
}

/// Why it was refused.
#[track_caller]
pub(crate) fn refused(answer: Answer) -> String {
    match answer {
        Answer::Refused { why } => why,
        Answer::Done { .. } | Answer::Sent { .. } | Answer::Failed { .. } => panic!("{answer:?}"),
    }
}
