//! Guests whom Graph does not show any more: deleted by us, by somebody else, or not known to a replica (yet). And what is
//! known of a deleted account, for the judgement whether it may be restored.
//!
//! Never here: a write. A deletion is taken for ours only where an outcome says that we sent it, and Entra's own moment of it
//! does not say that it came later.

use graph::{Deleted, GraphError, Whereabouts};
use jiff::{SignedDuration, Timestamp};
use model::{Action, Incident, Outcome, Snapshot, State, Step, StepResult};
use policy::{Facts, Kind, Memberships, Standing, kind_of};

use crate::facts::snapshot_of;
use crate::remediate::left_over;
use crate::step::{Progress, Pursuit};
use crate::trouble::{after, is_not_found, to_the_second};
use crate::undo::deleted_by;
use crate::{Remediator, Trouble};

/// What was deleted by somebody else, or nobody knows by whom.
pub(crate) const SOFTLY: &str = "the guest was deleted (soft: it can be restored for 30 days)";

/// How long Entra keeps a deleted account.
pub(crate) fn restorable() -> SignedDuration {
    SignedDuration::from_hours(24 * Action::RESTORABLE_DAYS)
}

/// Whether this may be the deletion that we sent, or read back, at `at`. The two clocks may differ a little.
pub(crate) fn is_the_one_of(at: Timestamp, deleted: Deleted) -> bool {
    deleted.at.is_none_or(|moment| moment <= after(at, Incident::CLOCKS_DIFFER))
}

/// Whether the undo that is under way reverses this deletion, and not one that somebody made since. `None`: none is under way.
pub(crate) fn is_being_reversed(incident: &Incident, deleted: Deleted) -> Option<bool> {
    let (State::Undoing { since, .. }, Some(pending)) = (&incident.state, &incident.undo) else {
        return None;
    };
    Some(match (pending.deleted_at, deleted.at) {
        (Some(ours), Some(at)) => at == ours,
        // It began while a read still showed the account.
        (None, Some(at)) => at <= *since,
        (_, None) => true,
    })
}

/// A look at the guest that an undo is judged by.
pub(crate) struct Looked {
    pub(crate) facts: Facts,
    pub(crate) snapshot: Snapshot,
    /// The account is deleted. Entra's moment of that, where it gives one.
    pub(crate) deleted: Option<Deleted>,
}

/// Tells the deletion that an undo reverses.
pub(crate) type IsOurs<'a> = &'a (dyn Fn(Deleted) -> bool + Sync);

/// Why an undo cannot be judged.
pub(crate) enum NoLook {
    /// Waiting may not mend it, and people are told.
    Because(String),
    Graph(GraphError),
}

impl Remediator {
    /// Graph does not know the guest of a claimed incident.
    pub(crate) async fn not_there(&self, incident: &mut Incident) -> Result<(), Trouble> {
        match self.reader.deleted_user(incident.key.guest).await {
            Ok(Some(deleted)) => self.deleted(incident, deleted).await,
            Ok(None) => {
                self.try_later(incident, "Graph does not know the guest (yet)", None, self.clock.now())
            }
            Err(error) => self.in_trouble(incident, &error, "look among the deleted users").await,
        }
    }

    /// What we have deleted, or done to an account before we deleted it, stays done and can be undone. Anything else ends with
    /// the account.
    async fn deleted(&self, incident: &mut Incident, deleted: Deleted) -> Result<(), Trouble> {
        let (now, guest) = (self.clock.now(), incident.key.guest);
        let delete = Step::Delete { user: guest };
        let snapshot = Snapshot { there: Some(false), ..Snapshot::default() };
        let mut sent = Vec::new();
        for outcome in self.sent(incident).await? {
            if outcome.step == delete && outcome.is_unsettled() && !is_the_one_of(outcome.at, deleted) {
                // Somebody deleted the account long after our write had had its time.
                self.ledger.record(&Outcome { result: StepResult::NeverShown, ..outcome }).await?;
            } else {
                sent.push(outcome);
            }
        }
        self.note_landed(incident, &sent, &snapshot).await?;
        let Some(by) = deleted_by(&self.ledger, guest, deleted).await? else {
            incident.vanish(SOFTLY.to_owned(), &self.rules.routes, now);
            return Ok(());
        };
        if incident.plan().steps.contains(&delete) && !incident.has_achieved(delete) {
            let pursuit = Pursuit::FollowsUp { asked_at: incident.opened_at };
            if let Progress::Seen { found_so } = self.take(incident, delete, &snapshot, pursuit).await? {
                incident.achieve(delete, found_so, now);
            }
        }
        let achieved: Vec<Step> =
            incident.plan().steps.iter().copied().filter(|step| incident.has_achieved(*step)).collect();
        if achieved.is_empty() {
            incident.vanish(ended_by(&by.to_string()), &self.rules.routes, now);
        } else {
            // The rest went with the account.
            incident.finding.plan.steps = achieved;
            incident.finding.by_hand.clear();
            incident.done(left_over(incident), &self.rules.routes, now);
        }
        Ok(())
    }

    /// What an undo is judged by. Of a deleted account that is what it was: its own properties from the deleted items, and its
    /// sponsors as they were found. `is_ours` tells the deletion that is to be
    /// reversed, and when we made it; `None` where none is.
    pub(crate) async fn look_for_undo(
        &self,
        incident: &Incident,
        is_ours: Option<(Timestamp, IsOurs<'_>)>,
        in_groups: bool,
    ) -> Result<Result<Looked, NoLook>, Trouble> {
        let guest = incident.key.guest;
        match self.read(guest, in_groups).await? {
            Ok(facts) => {
                let snapshot = snapshot_of(&facts);
                return Ok(Ok(Looked { facts, snapshot, deleted: None }));
            }
            Err(error) if is_not_found(&error) => {}
            Err(error) => return Ok(Err(NoLook::Graph(error))),
        }
        let because = |why: String| Ok(Err(NoLook::Because(why)));
        let deleted = match self.reader.whereabouts(guest).await {
            Ok(Whereabouts::Deleted(deleted)) => deleted,
            Ok(Whereabouts::Here(_)) => return because(NOT_YET.to_owned()),
            Err(error) if is_not_found(&error) => {
                return because(no_trace(is_ours.map(|(at, _)| at), self.clock.now()));
            }
            Err(error) => return Ok(Err(NoLook::Graph(error))),
        };
        let Some((_, is_ours)) = is_ours else {
            let by = deleted_by(&self.ledger, guest, deleted).await?;
            return because(by.map_or_else(
                || format!("{SOFTLY}: restore the account first, and ask again then"),
                |by| format!("`{by}` has deleted the account: undo that one first"),
            ));
        };
        if !is_ours(deleted) {
            return because(format!(
                "somebody has deleted the account{} after it had been restored, and what others delete is not ours to \
                 restore: do it in the Entra admin center if it is right",
                moment(deleted)
            ));
        }
        let user = match self.reader.deleted_properties(guest).await {
            Ok(Some(user)) => user,
            Ok(None) => return because(NOT_YET.to_owned()),
            Err(error) => return Ok(Err(NoLook::Graph(error))),
        };
        let mut facts = self.facts_about(user).await?;
        facts.sponsors = Some(incident.subject.sponsors.clone());
        // It had none when it was deleted, or it would not have been, and nobody gets one while he is deleted.
        facts.standing = Standing::Known {
            directory_roles: Vec::new(),
            role_assignable_groups: Vec::new(),
            groups: std::collections::BTreeSet::new(),
        };
        facts.memberships = Memberships::Unreadable { why: "the account is deleted".to_owned() };
        if let Kind::Unknown { could_be: _, why } = kind_of(&facts) {
            return because(format!(
                "the deleted account cannot be read well enough to judge whether it may come back ({why}): restore it in \
                 the Entra admin center if it is right"
            ));
        }
        let snapshot = Snapshot { there: Some(false), enabled: facts.enabled, ..Snapshot::default() };
        Ok(Ok(Looked { facts, snapshot, deleted: Some(deleted) }))
    }
}

const NOT_YET: &str = "replicas of the directory do not agree on whether the account is deleted (yet): ask again in a few minutes";

/// Why an incident ends that had done nothing yet when we deleted the account for another.
pub(crate) fn ended_by(by: &str) -> String {
    format!("the guest was deleted by `{by}`, and is judged again if that is undone")
}

fn moment(deleted: Deleted) -> String {
    deleted.at.map_or_else(String::new, |at| format!(" at {}", to_the_second(at)))
}

/// Neither in the directory nor among the deleted users. `at`: when we deleted it, if we did.
fn no_trace(at: Option<Timestamp>, now: Timestamp) -> String {
    let Some(at) = at else { return "the guest is not in the directory (any more)".to_owned() };
    let days = Action::RESTORABLE_DAYS;
    if now >= after(at, restorable()) {
        return format!(
            "the account was deleted at {}, and Entra keeps it for {days} days: nobody can restore it any more; invite the \
             guest again",
            to_the_second(at)
        );
    }
    format!(
        "the account is not among the deleted users any more: somebody has deleted it for good before its {days} days were \
         over, and nobody can restore it; invite the guest again (if that cannot be, ask again in a few minutes: replicas \
         lag)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_that_came_after_ours_had_settled_is_somebody_else_s() {
        let ours: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
        let deleted = |at: &str| Deleted { at: Some(at.parse().unwrap()) };
        assert!(is_the_one_of(ours, deleted("2026-11-20T08:59:58Z")));
        assert!(is_the_one_of(ours, deleted("2026-11-20T09:04:00Z")));
        assert!(!is_the_one_of(ours, deleted("2026-11-20T09:04:01Z")));
        assert!(is_the_one_of(ours, Deleted { at: None }), "Entra does not say when");
    }

    #[test]
    fn what_is_not_among_the_deleted_users_was_purged_or_its_days_are_over() {
        let at: Timestamp = "2026-11-20T09:00:00Z".parse().unwrap();
        let told = |days: i64| no_trace(Some(at), after(at, SignedDuration::from_hours(24 * days)));
        assert!(told(29).contains("somebody has deleted it for good"), "{}", told(29));
        assert!(told(30).contains("Entra keeps it for 30 days"), "{}", told(30));
        assert_eq!(no_trace(None, at), "the guest is not in the directory (any more)");
    }
}
