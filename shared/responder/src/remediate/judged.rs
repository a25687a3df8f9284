//! The judgement without which nothing is sent. [`Judged`] can be made here and nowhere else, and `send` asks for one.
//!
//! Never here: a write, or a transition of an incident.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::{Finding, Identity, Incident, ObjectId, RuleId, Step, Suspension};
use policy::{Facts, Group, Membership, Memberships, Relation, Standing};

use crate::Remediator;
use crate::record::{Spoken, spoken_for};

/// These steps were judged a moment ago, on a fresh read, and may be sent.
#[derive(Debug)]
pub(crate) struct Judged {
    steps: Vec<Step>,
    identity: Option<Identity>,
}

impl Judged {
    pub(crate) fn covers(&self, step: Step) -> bool {
        self.steps.contains(&step)
    }

    /// Who the account was when it was judged.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }
}

/// What a fresh look at the guest says about an incident.
pub(crate) enum Judgement {
    Acts(Box<Spoken>, Judged),
    /// Somebody has to approve first, or has to approve of what it has become.
    Asks(Box<Spoken>),
    HeldBack(Box<Spoken>),
    Refused(Box<Spoken>, String),
    Gone,
}

/// What is asked of an undo's judgement.
pub(crate) struct Reversal {
    /// In the order in which they are taken.
    pub(crate) steps: Vec<Step>,
    /// The groups that he is to be put back into.
    pub(crate) groups: Vec<Group>,
    /// Who the account was when we acted.
    pub(crate) identity: Option<Identity>,
    pub(crate) force: bool,
    /// Those that the undo is about to write.
    pub(crate) suspensions: Vec<Suspension>,
}

impl Remediator {
    pub(super) fn judge_again(&self, incident: &Incident, facts: &Facts, now: Timestamp) -> Judgement {
        let verdict = policy::judge(&self.rules.policy(), facts, self.rules.ceiling, now);
        let (rule, object) = (&incident.key.rule, incident.key.object);
        let spoken = spoken_for(verdict.findings);
        let mut same =
            spoken.into_iter().filter(|one| one.finding.rule == *rule && one.finding.object == object);
        let Some(spoken) = same.next() else { return Judgement::Gone };
        if let Some(why) = spoken.finding.refused.clone() {
            return Judgement::Refused(Box::new(spoken), why);
        }
        if incident.may_act_on(&spoken.finding) {
            let identity = verdict.subject.map(|subject| subject.identity());
            let judged = Judged { steps: spoken.finding.plan.steps.clone(), identity };
            return Judgement::Acts(Box::new(spoken), judged);
        }
        if spoken.finding.asks() || spoken.finding.acts() {
            Judgement::Asks(Box::new(spoken))
        } else {
            Judgement::HeldBack(Box::new(spoken))
        }
    }

    /// Whether the undo may be sent, and the findings that object and that it must suspend, too; or why it is refused.
    pub(crate) fn may_reverse(
        &self,
        incident: &Incident,
        facts: &Facts,
        reversal: &Reversal,
        now: Timestamp,
    ) -> Result<(Judged, BTreeSet<Objecting>), String> {
        let policy = self.rules.policy();
        let protected = match &facts.standing {
            Standing::Known { .. } => policy::protection(&policy, facts),
            Standing::Unread => Some("directory roles have not been read".to_owned()),
            Standing::Unreadable { why } => Some(format!("directory roles could not be read: {why}")),
        };
        if let Some(why) = protected {
            return Err(format!("{why}; `--force` does not override this"));
        }
        for group in &reversal.groups {
            self.still_fits(group, &reversal.steps)?;
        }
        let verdict = policy::judge(&policy, &as_after(facts, reversal), self.rules.ceiling, now);
        let identity = verdict.subject.as_ref().map(model::Subject::identity);
        let same = identity.is_some() && identity == reversal.identity;
        if !same && !reversal.force {
            return Err(
                "the account's identity has changed since; look at it, and use `--force --reason` if it is \
                        right"
                    .to_owned(),
            );
        }
        let objects = |finding: &&Finding| {
            let contrary = |step: &Step| reversal.steps.contains(&step.undo());
            (finding.acts() || finding.asks()) && finding.plan.steps.iter().any(contrary)
        };
        let objecting: BTreeSet<Objecting> = verdict
            .findings
            .iter()
            .filter(objects)
            .map(|finding| (finding.rule.clone(), finding.object))
            .collect();
        if !objecting.is_empty() && !reversal.force {
            let names: BTreeSet<String> = objecting.iter().map(|(rule, _)| format!("`{rule}`")).collect();
            let names: Vec<String> = names.into_iter().collect();
            return Err(format!(
                "{} would take away again what this undo of `{}` gives back; undo it there, or use `--force --reason`",
                names.join(" and "),
                incident.key.rule
            ));
        }
        Ok((Judged { steps: reversal.steps.clone(), identity }, objecting))
    }

    /// A group that has become dynamic, synchronised or role-assignable since takes nobody back.
    fn still_fits(&self, group: &Group, steps: &[Step]) -> Result<(), String> {
        let relations =
            steps.iter().filter(|step| step.group() == Some(group.id)).map(|step| relation(*step));
        for relation in relations.flatten() {
            if let Some(why) = policy::unwritable(group, relation) {
                return Err(format!("{why}; `--force` does not override this"));
            }
        }
        Ok(())
    }
}

/// A rule that would take away again, everywhere or in one group.
pub(crate) type Objecting = (RuleId, Option<ObjectId>);

fn relation(step: Step) -> Option<Relation> {
    match step {
        Step::Disable { user: _ } | Step::Enable { user: _ } => None,
        Step::RemoveMember { user: _, group: _ } | Step::AddMember { user: _, group: _ } => {
            Some(Relation::Member)
        }
        Step::RemoveOwner { user: _, group: _ } | Step::AddOwner { user: _, group: _ } => {
            Some(Relation::Owner)
        }
    }
}

/// The guest as he will be: with what he gets back, and with the suspensions that the undo writes.
fn as_after(facts: &Facts, reversal: &Reversal) -> Facts {
    let mut after = facts.clone();
    after.suspensions.extend(reversal.suspensions.iter().cloned());
    if let Memberships::Known(all) = &mut after.memberships {
        for step in &reversal.steps {
            let group = reversal.groups.iter().find(|group| Some(group.id) == step.group());
            if let (Some(group), Some(relation)) = (group, relation(*step)) {
                all.push(Membership { group: group.clone(), relation, new: true });
            }
        }
    }
    after
}
