//! Whether an incident may begin what it asks for, with regard to the guest's others: one of them may speak for it, or may have
//! asked somebody already. Whoever begins has a voice.
//!
//! Never here: a write, or what a judgement says.

use model::{Incident, Snapshot};

use crate::{Remediator, Trouble};

/// What lets an incident act, whatever becomes of the others.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    /// Something of its own may be on its way.
    pub(super) goes_on: bool,
    /// Somebody has approved of what it asks for.
    pub(super) approved: bool,
}

impl Remediator {
    /// Whether this one is to send what is missing of its plan; if not, it has been moved to what it waits for.
    pub(super) async fn may_begin(
        &self,
        incident: &mut Incident,
        snapshot: &Snapshot,
        Begun { goes_on, approved }: Begun,
    ) -> Result<bool, Trouble> {
        let (now, routes) = (self.clock.now(), &self.rules.routes);
        let beside = self.beside(incident, snapshot).await?;
        if let Some(speaker) = incident.speaker(&beside, approved).filter(|_| !goes_on) {
            incident.follow(speaker, routes, now);
            return Ok(false);
        }
        incident.told_with = None;
        if goes_on || approved {
            return Ok(true);
        }
        let because = match incident.fought_over(&beside, snapshot, now) {
            Some(fought) => Some(self.who_fights(fought).await),
            None => incident.held_beside(&beside, snapshot),
        };
        if because.is_some() {
            incident.ask(because, routes, now);
            return Ok(false);
        }
        Ok(true)
    }

    /// The guest's other incidents, as this read shows what they did.
    async fn beside(&self, incident: &Incident, snapshot: &Snapshot) -> Result<Vec<Incident>, Trouble> {
        let now = self.clock.now();
        let all = self.ledger.incidents_of(incident.key.guest).await?.into_iter().map(|stored| stored.value);
        let others = all.filter(|one| one.id.slot != incident.id.slot);
        Ok(others
            .map(|mut one| {
                one.saw(snapshot, now);
                one
            })
            .collect())
    }
}
