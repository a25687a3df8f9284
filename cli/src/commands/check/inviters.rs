//! Who invited a guest, for `guestlist check`: what `serve` has learnt already, else the directory audit, else his sponsors.
//! Nothing of it is kept.

use std::collections::BTreeMap;

use graph::{GraphError, Invitation, Reader};
use host::Store;
use jiff::Timestamp;
use model::ObjectId;
use policy::{Facts, Inviter};
use responder::{AUDIT_IS_HIDDEN, AUDIT_KEEPS, Inviters};
use tokio::sync::OnceCell;

use crate::out;

/// The first invitation of each guest, or why the audit says nothing.
type Rows = Result<BTreeMap<ObjectId, Invitation>, String>;

#[derive(Default)]
pub(super) struct Audit {
    /// All that it keeps: Graph takes five requests in ten seconds, which is too few to ask for each guest of a tenant
    /// (<https://learn.microsoft.com/graph/throttling-limits>).
    listed: OnceCell<Rows>,
}

impl Audit {
    pub(super) async fn inviter(
        &self,
        (reader, store): (&Reader, Option<&Store>),
        facts: &Facts,
        domains: &[String],
        now: Timestamp,
    ) -> anyhow::Result<Inviter> {
        let inviters = Inviters { reader, domains };
        if let Some(store) = store
            && let Some(kept) = inviters.kept(&store.ledger, facts.id, now).await?
        {
            return Ok(kept);
        }
        // Rows of older invitations are gone.
        let since = now.checked_sub(AUDIT_KEEPS)?;
        if facts.created_at.is_none_or(|created_at| created_at < since) {
            return Ok(inviters.hinted(facts).await?);
        }
        match self.listed.get_or_try_init(|| list(reader, since)).await? {
            Err(why) => Ok(Inviter::Unreadable { why: why.clone() }),
            Ok(rows) => match rows.get(&facts.id) {
                Some(first) => Ok(inviters.proven(facts.id, first.clone(), now).await?),
                None => Ok(inviters.hinted(facts).await?),
            },
        }
    }
}

async fn list(reader: &Reader, since: Timestamp) -> Result<Rows, GraphError> {
    let (mut rows, mut next) = (BTreeMap::new(), None);
    loop {
        let page = match reader.invitations_since(since, next).await {
            Ok(page) => page,
            Err(GraphError::Forbidden { .. }) => return Ok(Err(AUDIT_IS_HIDDEN.to_owned())),
            Err(error) => return Err(error),
        };
        // The newest come first, and whoever invited him first let him in.
        rows.extend(page.items);
        next = page.next;
        if next.is_none() {
            return Ok(Ok(rows));
        }
        out::message(&format!("{} invitations read so far", rows.len()));
    }
}
