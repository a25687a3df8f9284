//! What has truly changed in the tenant and when, for whoever asks whether somebody has noticed. How Graph tells of it is
//! in `deliveries` and in the delta queries.
use jiff::Timestamp;
use uuid::Uuid;

use crate::directory::Directory;
use crate::tenant::{Change, ObjectKind, Relation};

/// One thing that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// By the tenant's clock.
    pub at: Timestamp,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The account itself: it was created, written, deleted or restored.
    User(Uuid),
    /// The group itself, without who belongs to it.
    Group(Uuid),
    /// Somebody came into the group, or left it.
    Member { group: Uuid, object: Uuid },
    /// Somebody came to own the group, or does no more.
    Owner { group: Uuid, object: Uuid },
}

impl Change {
    fn told(&self) -> impl Iterator<Item = Changed> + use<'_> {
        let Self { sequence: _, at, of, id, purged, properties, links } = self;
        let (at, id) = (*at, *id);
        let itself = match of {
            ObjectKind::User => What::User(id),
            ObjectKind::Group => What::Group(id),
        };
        let itself = (*purged || !properties.is_empty()).then_some(itself);
        let links = links.iter().map(move |link| match link.relation {
            Relation::Member => What::Member { group: id, object: link.object },
            Relation::Owner => What::Owner { group: id, object: link.object },
        });
        itself.into_iter().chain(links).map(move |what| Changed { at, what })
    }
}

impl Directory {
    /// What changed after the change of this number (0: everything), oldest first, and the number of the last one.
    pub fn changed_after(&self, sequence: u64) -> (Vec<Changed>, u64) {
        self.world.look(|state, _| {
            let log = &state.tenant.log;
            let from = log.partition_point(|change| change.sequence <= sequence);
            let changed = log.get(from..).unwrap_or_default().iter().flat_map(Change::told).collect();
            (changed, state.tenant.sequence)
        })
    }
}
