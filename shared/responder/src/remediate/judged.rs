//! The judgement without which nothing is sent. [`Judged`] can be made here and nowhere else, and `send` asks for one.
//!
//! Never here: a write, or a transition of an incident.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::{Finding, Identity, Incident, Mode, ObjectId, RuleId, Step, Suspension};
use policy::{Facts, Group, Membership, Memberships, Relation, Standing, Verdict};

use crate::Remediator;
use crate::facts::as_seen;
use crate::spoken::{Spoken, spoken_for};

/// These steps were judged a moment ago, on a fresh read, and may be sent.
#[derive(Debug)]
pub(crate) struct Judged {
    steps: Vec<Step>,
    identity: Option<Identity>,
    /// What the groups of the steps are like.
    groups: BTreeMap<ObjectId, String>,
    /// Graph was asked a moment ago, and would not refuse these for what it says of the group.
    possible: BTreeSet<Step>,
}

impl Judged {
    pub(crate) fn covers(&self, step: Step) -> bool {
        self.steps.contains(&step)
    }

    pub(crate) fn is_possible(&self, step: Step) -> bool {
        self.possible.contains(&step)
    }

    pub(super) fn note_possible(&mut self, step: Step) {
        self.possible.insert(step);
    }

    /// Who the account was when it was judged.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// What the group of this step was like when it was judged.
    pub(crate) fn group(&self, step: Step) -> Option<String> {
        step.group().and_then(|id| self.groups.get(&id).cloned())
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
    /// Who the account is.
    pub(crate) identity: Identity,
    pub(crate) force: bool,
    /// Those that the undo is about to write.
    pub(crate) suspensions: Vec<Suspension>,
    /// The account is deleted: its groups and roles cannot be read.
    pub(crate) deleted: bool,
}

impl Reversal {
    /// Whether this step would take away again what is given back. With an account its sign-in comes back, too.
    fn is_taken_by(&self, step: Step, facts: &Facts) -> bool {
        let restores = self.steps.iter().any(|given| matches!(given, Step::Restore { user: _ }));
        let blocks = matches!(step, Step::Disable { user: _ }) && facts.enabled != Some(false);
        self.steps.contains(&step.undo()) || (restores && blocks)
    }

    fn suspends(&self, rule: &RuleId) -> bool {
        self.suspensions.iter().any(|one| one.rule == *rule)
    }
}

/// What a verdict of a moment ago, made of these facts, says about the incident.
pub(super) fn judge_again(incident: &Incident, facts: &Facts, verdict: Verdict) -> Judgement {
    let (rule, object) = (&incident.key.rule, incident.key.object);
    let spoken = spoken_for(verdict.findings);
    let mut same = spoken.into_iter().filter(|one| one.finding.rule == *rule && one.finding.object == object);
    let Some(spoken) = same.next() else { return Judgement::Gone };
    if let Some(why) = spoken.finding.refused.clone() {
        return Judgement::Refused(Box::new(spoken), why);
    }
    if incident.may_act_on(&spoken.finding) {
        let identity = verdict.subject.map(|subject| subject.identity());
        let groups = match &facts.memberships {
            Memberships::Known(all) => all.iter().map(|one| (one.group.id, as_seen(&one.group))).collect(),
            Memberships::Unread | Memberships::Unreadable { why: _ } => BTreeMap::new(),
        };
        let steps = spoken.finding.plan.steps.clone();
        let judged = Judged { steps, identity, groups, possible: BTreeSet::new() };
        return Judgement::Acts(Box::new(spoken), judged);
    }
    if spoken.finding.asks() || spoken.finding.acts() {
        Judgement::Asks(Box::new(spoken))
    } else {
        Judgement::HeldBack(Box::new(spoken))
    }
}

impl Remediator {
    /// Who the account is; or why nothing is ever written to it.
    pub(crate) fn who_is(&self, facts: &Facts, now: Timestamp) -> Result<Identity, String> {
        let verdict = policy::judge(&self.rules.policy(), facts, self.rules.ceiling, now);
        verdict.subject.as_ref().map(model::Subject::identity).ok_or_else(|| {
            "the account is not a guest's any more, and only guests are written to; `--force` does not override this"
                .to_owned()
        })
    }

    /// Whether the undo may be sent, and the findings that object and that it must suspend, too; or why it is refused.
    ///
    /// What a rule says counts, whatever its mode: that nothing is taken away today does not mean that it may be given.
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
            self.still_fits(group, facts, &reversal.steps)?;
        }
        let enforced = policy.with_every_rule_enforced().without_existing();
        let verdict = policy::judge(&enforced, &as_after(facts, reversal), Mode::Enforce, now);
        let contrary = |finding: &&Finding| {
            let mut steps = finding.plan.steps.iter();
            finding.mode > Mode::Observe && steps.any(|step| reversal.is_taken_by(*step, facts))
        };
        let objecting = |unknown: bool| -> BTreeSet<Objecting> {
            let found = verdict.findings.iter().filter(contrary).filter(|finding| finding.unknown == unknown);
            found.map(|finding| (finding.rule.clone(), finding.object)).collect()
        };
        let (mut objecting, mut unread) = (objecting(false), objecting(true));
        if !objecting.is_empty() && !reversal.force {
            return Err(format!(
                "{} would take away again what this undo of `{}` gives back; undo it there, or use `--force --reason`",
                named(&objecting),
                incident.key.rule
            ));
        }
        // What hangs on anything else that could not be read holds no undo back: it is judged again when it can be.
        unread.retain(|(rule, _)| reversal.deleted && !reversal.suspends(rule));
        if !unread.is_empty() && !reversal.force {
            return Err(format!(
                "{} cannot be judged while the account is deleted (Graph does not show its groups), and may take it away \
                 again; look at it, and use `--force --reason` if it is right",
                named(&unread)
            ));
        }
        objecting.append(&mut unread);
        let groups = reversal.groups.iter().map(|group| (group.id, as_seen(group))).collect();
        Ok((
            Judged {
                steps: reversal.steps.clone(),
                identity: Some(reversal.identity.clone()),
                groups,
                possible: BTreeSet::new(),
            },
            objecting,
        ))
    }

    /// A group that has become dynamic, synchronised or role-assignable since takes nobody back, and neither does one whose
    /// members the policy protects: whoever is in it is never written to.
    fn still_fits(&self, group: &Group, facts: &Facts, steps: &[Step]) -> Result<(), String> {
        let relations =
            steps.iter().filter(|step| step.group() == Some(group.id)).map(|step| relation(*step));
        for relation in relations.flatten() {
            if let Some(why) = policy::unwritable(group, relation) {
                return Err(format!("{why}; `--force` does not override this"));
            }
        }
        let member = Membership { group: group.clone(), relation: Relation::Member, new: true };
        let inside = Facts { memberships: Memberships::Known(vec![member]), ..facts.clone() };
        if policy::protection(&self.rules.policy(), &inside).is_some() {
            return Err(format!(
                "{} is under `protect.groups`, and whoever is in it is never written to: add the guest by hand if it \
                 must be; `--force` does not override this",
                told(group)
            ));
        }
        Ok(())
    }
}

/// As it reads in a sentence.
pub(crate) fn told(group: &Group) -> String {
    group
        .name
        .as_ref()
        .map_or_else(|| format!("the group {}", group.id), |name| format!("`{name}` ({})", group.id))
}

/// The rules, each once.
pub(crate) fn named(rules: &BTreeSet<Objecting>) -> String {
    let names: BTreeSet<String> = rules.iter().map(|(rule, _)| format!("`{rule}`")).collect();
    names.into_iter().collect::<Vec<_>>().join(" and ")
}

/// A rule that would take away again, everywhere or in one group.
pub(crate) type Objecting = (RuleId, Option<ObjectId>);

fn relation(step: Step) -> Option<Relation> {
    match step {
        Step::Disable { user: _ }
        | Step::Enable { user: _ }
        | Step::Delete { user: _ }
        | Step::Restore { user: _ } => None,
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
    let given = reversal.steps.iter().filter_map(|step| {
        let group = reversal.groups.iter().find(|group| Some(group.id) == step.group())?;
        Some(Membership { group: group.clone(), relation: relation(*step)?, new: true })
    });
    match &mut after.memberships {
        Memberships::Known(all) => all.extend(given),
        // Nothing was asked for that is about groups, or what is given back is all that there is to judge.
        unread @ (Memberships::Unread | Memberships::Unreadable { why: _ }) => {
            let given: Vec<Membership> = given.collect();
            if !given.is_empty() {
                *unread = Memberships::Known(given);
            }
        }
    }
    after
}
