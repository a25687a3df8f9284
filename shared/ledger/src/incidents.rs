//! Incidents: the current one of each slot, and the closed ones before it in an archive of their own.

use std::fmt;

use jiff::Timestamp;
use model::{Incident, IncidentId, IncidentKey, ObjectId, RuleId, Slot};

use crate::document::{read, write};
use crate::items::{Expect, Range};
use crate::{Document as _, Ledger, LedgerError, Place, Stored};

const ARCHIVE: &str = "archive";
const PAGE: usize = 200;

/// Which incidents are listed. What is not said admits all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// A state's word, as [`model::State::word`] gives it.
    pub state: Option<String>,
    pub guest: Option<ObjectId>,
    pub rule: Option<RuleId>,
    /// Those about this group.
    pub object: Option<ObjectId>,
    /// Those that something has happened to since.
    pub since: Option<Timestamp>,
    /// Those too that another incident of the same guest, rule and object has followed.
    pub archived: bool,
}

impl IncidentFilter {
    fn admits(&self, incident: &Incident) -> bool {
        let Self { state, guest, rule, object, since, archived: _ } = self;
        state.as_ref().is_none_or(|state| state == incident.state.word())
            && guest.is_none_or(|guest| guest == incident.key.guest)
            && rule.as_ref().is_none_or(|rule| *rule == incident.key.rule)
            && object.is_none_or(|object| incident.key.object == Some(object))
            && since.is_none_or(|since| incident.updated_at >= since)
    }
}

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    archive: bool,
    after: Option<String>,
}

/// Some incidents, in no order that means anything. Without a cursor, that was all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentPage {
    pub incidents: Vec<Stored<Incident>>,
    pub next: Option<Cursor>,
}

impl Ledger {
    /// The incident that is open for this key, or the last one that was.
    ///
    /// # Errors
    /// [`LedgerError::Collision`] where the slot holds an incident of another key.
    pub async fn current(&self, key: &IncidentKey) -> Result<Option<Stored<Incident>>, LedgerError> {
        let stored: Option<Stored<Incident>> = self.get(key.slot().as_str()).await?;
        match stored {
            Some(stored) if stored.value.key != *key => Err(collision(key, &stored.value.key)),
            stored => Ok(stored),
        }
    }

    /// The incident of this id, current or archived.
    pub async fn incident(&self, id: &IncidentId) -> Result<Option<Stored<Incident>>, LedgerError> {
        let current: Option<Stored<Incident>> = self.get(id.slot.as_str()).await?;
        match current {
            Some(current) if current.value.id == *id => Ok(Some(current)),
            // Looked for even without a current one: an archived incident stays, whatever becomes of its slot.
            Some(_) | None => self.items.get(&self.archived(id)).await?.map(read).transpose(),
        }
    }

    /// Writes a new incident. The closed one before it goes to the archive in the same transaction.
    ///
    /// # Errors
    /// [`LedgerError::NotNext`] where the one before is not closed or not the one before, or the tenant is another;
    /// [`LedgerError::Conflict`] where somebody else has written the slot in the meantime.
    pub async fn open(
        &self,
        incident: Incident,
        before: Option<Stored<Incident>>,
    ) -> Result<Stored<Incident>, LedgerError> {
        if incident.key.tenant != self.tenant() {
            return Err(LedgerError::NotNext { id: incident.id, why: "it belongs to another tenant" });
        }
        check_next(&incident, before.as_ref().map(|before| &before.value))?;
        let place = self.place::<Incident>(&incident.sort());
        let class = self.partition(Incident::KIND);
        let mut writes = Vec::with_capacity(2);
        let expect = match before {
            None => Expect::Absent,
            Some(before) => {
                // Messages about its end may still be due: it is found with those of the current ones.
                let archived = self.archived(&before.value.id);
                writes.push(write(&before.value, archived, class.clone(), Expect::Absent)?);
                Expect::Version(before.version)
            }
        };
        writes.push(write(&incident, place.clone(), class, expect)?);
        let versions = self.items.put_all(writes).await?;
        let version = versions.last().copied().flatten().unwrap_or_default();
        Ok(Stored { value: incident, version, place })
    }

    /// The current incidents of a guest, open or closed.
    pub async fn incidents_of(&self, guest: ObjectId) -> Result<Vec<Stored<Incident>>, LedgerError> {
        let mut incidents: Vec<Stored<Incident>> = self.all(&Slot::prefix(guest)).await?;
        // Guests may share a prefix.
        incidents.retain(|stored| stored.value.key.guest == guest);
        Ok(incidents)
    }

    /// The incidents that somebody has to look at, current and archived, the longest due first.
    pub async fn due_incidents(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Stored<Incident>>, LedgerError> {
        self.due(now, limit).await
    }

    /// Up to `limit` incidents that the filter admits, after the cursor.
    pub async fn incidents(
        &self,
        filter: &IncidentFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<IncidentPage, LedgerError> {
        let mut cursor = after.unwrap_or(Cursor { archive: false, after: None });
        let mut incidents = Vec::new();
        while incidents.len() < limit {
            let items = self.items.list(self.range(filter, &cursor)).await?;
            let was_last = items.len() < PAGE;
            for item in items {
                if incidents.len() == limit {
                    return Ok(IncidentPage { incidents, next: Some(cursor) });
                }
                let stored: Stored<Incident> = read(item)?;
                cursor.after = Some(stored.place.sort.clone());
                if filter.admits(&stored.value) {
                    incidents.push(stored);
                }
            }
            if was_last {
                if cursor.archive || !filter.archived {
                    return Ok(IncidentPage { incidents, next: None });
                }
                cursor = Cursor { archive: true, after: None };
            }
        }
        Ok(IncidentPage { incidents, next: Some(cursor) })
    }

    fn range(&self, filter: &IncidentFilter, cursor: &Cursor) -> Range {
        Range {
            partition: self.partition(if cursor.archive { ARCHIVE } else { Incident::KIND }),
            prefix: filter.guest.map(Slot::prefix).unwrap_or_default(),
            after: cursor.after.clone(),
            limit: PAGE,
        }
    }

    fn archived(&self, id: &IncidentId) -> Place {
        Place { partition: self.partition(ARCHIVE), sort: id.to_string() }
    }
}

fn check_next(incident: &Incident, before: Option<&Incident>) -> Result<(), LedgerError> {
    let refuse = |why| Err(LedgerError::NotNext { id: incident.id.clone(), why });
    if let Some(before) = before {
        if before.key != incident.key {
            return Err(collision(&incident.key, &before.key));
        }
        if !before.state.is_closed() {
            return refuse("the one before it is not closed");
        }
    }
    let generation = before.map_or(0, |before| before.id.generation).saturating_add(1);
    if incident.id != (IncidentId { slot: incident.key.slot(), generation }) {
        return refuse("its number does not follow the one before it");
    }
    Ok(())
}

fn collision(wanted: &IncidentKey, found: &IncidentKey) -> LedgerError {
    LedgerError::Collision {
        slot: wanted.slot(),
        wanted: Words(wanted).to_string(),
        found: Words(found).to_string(),
    }
}

struct Words<'a>(&'a IncidentKey);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IncidentKey { tenant: _, guest, rule, object } = self.0;
        write!(f, "guest {guest} under rule `{rule}`")?;
        object.map_or(Ok(()), |object| write!(f, " in group {object}"))
    }
}
