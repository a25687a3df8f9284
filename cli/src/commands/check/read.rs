//! Reads what a judgement needs, and judges: once as the modes are, and once as if every rule were enforced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use graph::{Reader, User};
use host::{Environment, Store};
use jiff::Timestamp;
use model::{Mode, ObjectId, Snapshot, Suspension};
use policy::{Facts, Kind, Memberships, Named, Policy, Standing, Verdict, kind_of};

use super::super::{ceiling, named_groups, policy_path, reader_of, store_of};
use super::inviters::Audit;
use crate::out;

pub(super) struct Checker {
    pub(super) reader: Reader,
    pub(super) policy: Policy,
    /// The same with every rule enforced.
    enforced: Policy,
    /// And for those too who were there before.
    for_everybody: Policy,
    ceiling: Mode,
    domains: Vec<String>,
    /// What the names in the policy mean today.
    names: BTreeMap<String, Named>,
    store: Option<Store>,
    now: Timestamp,
    audit: Audit,
}

/// What the policy says of one user, in three worlds.
pub(super) struct Looked {
    /// With the modes and the ceiling as they are.
    pub(super) today: Verdict,
    /// With every rule enforced, and without the ceiling.
    pub(super) enforced: Verdict,
    /// The same for those too who were there before.
    pub(super) for_everybody: Verdict,
    pub(super) snapshot: Snapshot,
}

impl Checker {
    pub(super) async fn new(environment: &Environment, policy: Option<&Path>) -> anyhow::Result<Self> {
        // A policy of the command line's own stands in for the setting.
        let (settings, reader) = reader_of(environment, policy.is_none())?;
        let policy = host::load_policy(&policy_path(environment, policy)?)?;
        let now = Timestamp::now();
        let domains = reader.organization().await?.verified_domains;
        let names = named_groups(&reader, &policy).await;
        for problem in policy.unsettled_names(&names) {
            out::message(&format!("warning: {problem}"));
        }
        let store = store_of(&settings).await?;
        let ceiling = match &store {
            Some(store) => ceiling(&settings, store).await?,
            None => settings.ceiling,
        };
        let enforced = policy.with_every_rule_enforced();
        let for_everybody = enforced.without_existing();
        Ok(Self {
            reader,
            policy,
            enforced,
            for_everybody,
            ceiling,
            domains,
            names,
            store,
            now,
            audit: Audit::default(),
        })
    }

    /// Judges users, in their order. The groups of all of them are read together, ten guests in a round trip.
    pub(super) async fn look_at(&self, users: Vec<User>) -> anyhow::Result<Vec<Looked>> {
        let mut all = Vec::with_capacity(users.len());
        for user in users {
            let suspensions: Vec<Suspension> = match &self.store {
                Some(store) => store.ledger.suspensions(user.id).await?,
                None => Vec::new(),
            };
            let mut facts = responder::facts_of(user, &self.domains, suspensions);
            facts.named_groups.clone_from(&self.names);
            all.push(facts);
        }
        if self.policy.looks_at_groups() {
            self.read_memberships(&mut all).await?;
        }
        let mut looked = Vec::with_capacity(all.len());
        for facts in all {
            looked.push(self.judge(facts).await?);
        }
        Ok(looked)
    }

    async fn read_memberships(&self, all: &mut [Facts]) -> anyhow::Result<()> {
        let guests: Vec<&mut Facts> =
            all.iter_mut().filter(|facts| kind_of(facts) != Kind::InternalMember).collect();
        let ids: Vec<ObjectId> = guests.iter().map(|facts| facts.id).collect();
        let read = self.reader.memberships(&ids).await;
        for (facts, (id, read)) in guests.into_iter().zip(read) {
            facts.memberships = match read {
                Ok(read) => {
                    let joined = match &self.store {
                        Some(store) => store.ledger.joined(id).await?,
                        None => Vec::new(),
                    };
                    let new = responder::new_memberships(&joined);
                    responder::memberships_of(read, &new, &BTreeSet::new())
                }
                Err(error) => Memberships::Unreadable { why: error.to_string() },
            };
        }
        Ok(())
    }

    async fn judge(&self, mut facts: Facts) -> anyhow::Result<Looked> {
        // What would be asked, or refused, shows only where an act is thinkable.
        let looks = [(&self.policy, self.ceiling), (&self.for_everybody, Mode::Enforce)];
        let verdicts = looks.map(|(policy, ceiling)| policy::judge(policy, &facts, ceiling, self.now));
        if verdicts.iter().any(|verdict| verdict.wants_inviter) {
            let sources = (&self.reader, self.store.as_ref());
            facts.inviter = self.audit.inviter(sources, &facts, &self.domains, self.now).await?;
        }
        if policy::judge(&self.for_everybody, &facts, Mode::Enforce, self.now).wants_standing {
            facts.standing = match self.reader.standing(facts.id).await {
                Ok(standing) => responder::standing_of(standing),
                Err(error) => Standing::Unreadable { why: error.to_string() },
            };
        }
        Ok(Looked {
            today: policy::judge(&self.policy, &facts, self.ceiling, self.now),
            enforced: policy::judge(&self.enforced, &facts, Mode::Enforce, self.now),
            for_everybody: policy::judge(&self.for_everybody, &facts, Mode::Enforce, self.now),
            snapshot: responder::snapshot_of(&facts),
        })
    }
}
