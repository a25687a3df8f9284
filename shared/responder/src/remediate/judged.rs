//! The judgement without which nothing is sent. [`Judged`] can be made here and nowhere else, and `send` asks for one.
//!
//! Never here: a write, or a transition of an incident.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::{Identity, Incident, RuleId, Step, Suspension};
use policy::{Facts, Standing};

use crate::record::{Spoken, spoken_for};
use crate::{Remediator, Trouble};

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
    HeldBack(Box<Spoken>),
    Refused(Box<Spoken>, String),
    Gone,
}

/// What is asked of an undo's judgement.
pub(crate) struct Reversal {
    pub(crate) step: Step,
    /// Who the account was when we acted.
    pub(crate) identity: Option<Identity>,
    pub(crate) force: bool,
    /// Those that the undo is about to write.
    pub(crate) suspensions: Vec<Suspension>,
}

impl Remediator {
    pub(super) async fn judge_again(
        &self,
        incident: &Incident,
        facts: Facts,
        now: Timestamp,
    ) -> Result<Judgement, Trouble> {
        let facts = self.complete(incident, facts, now).await?;
        let verdict = policy::judge(&self.rules.policy(), &facts, self.rules.ceiling, now);
        let (rule, object) = (&incident.key.rule, incident.key.object);
        let spoken = spoken_for(verdict.findings, incident.key.guest);
        let mut same =
            spoken.into_iter().filter(|one| one.finding.rule == *rule && one.finding.object == object);
        let Some(spoken) = same.next() else { return Ok(Judgement::Gone) };
        if let Some(why) = spoken.finding.refused.clone() {
            return Ok(Judgement::Refused(Box::new(spoken), why));
        }
        if !spoken.finding.acts(incident.key.guest) {
            return Ok(Judgement::HeldBack(Box::new(spoken)));
        }
        let identity = verdict.subject.map(|subject| subject.identity());
        let judged = Judged { steps: spoken.finding.plan(incident.key.guest).steps, identity };
        Ok(Judgement::Acts(Box::new(spoken), judged))
    }

    /// Whether the undo may be sent, and the rules that object and that it must suspend, too; or why it is refused.
    pub(crate) fn may_reverse(
        &self,
        incident: &Incident,
        facts: &Facts,
        reversal: &Reversal,
        now: Timestamp,
    ) -> Result<(Judged, BTreeSet<RuleId>), String> {
        let mut lifted = facts.clone();
        lifted.suspensions.extend(reversal.suspensions.iter().cloned());
        let verdict = policy::judge(&self.rules.policy(), &lifted, self.rules.ceiling, now);
        let protected = match &facts.standing {
            Standing::Known { .. } => policy::protection(&self.rules.policy(), facts),
            Standing::Unread => Some("directory roles have not been read".to_owned()),
            Standing::Unreadable { why } => Some(format!("directory roles could not be read: {why}")),
        };
        if let Some(why) = protected {
            return Err(format!("{why}; `--force` does not override this"));
        }
        let identity = verdict.subject.as_ref().map(model::Subject::identity);
        let same = identity.is_some() && identity == reversal.identity;
        if !same && !reversal.force {
            return Err(
                "the account's identity has changed since; look at it, and use `--force --reason` if it is \
                        right"
                    .to_owned(),
            );
        }
        let objects = |finding: &&model::Finding| finding.acts(incident.key.guest);
        let objecting: BTreeSet<RuleId> =
            verdict.findings.iter().filter(objects).map(|finding| finding.rule.clone()).collect();
        if !objecting.is_empty() && !reversal.force {
            let names: Vec<_> = objecting.iter().map(|rule| format!("`{rule}`")).collect();
            return Err(format!(
                "{} would disable the account again; undo it there, or use `--force --reason`",
                names.join(" and ")
            ));
        }
        Ok((Judged { steps: vec![reversal.step], identity }, objecting))
    }
}
