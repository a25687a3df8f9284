//! What operators ask for: approvals, rejections, undos, the breaker's reset. A request goes into the store, as the command
//! line puts it there.

use jiff::SignedDuration;
use model::{Incident, Job, Request, RequestId, RequestKind, RequestState, State};
use queue::Collapse;
use uuid::Uuid;

use super::acts::Act;
use super::witness::Witness;
use super::world::World;

const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);

pub(super) async fn operate(world: &mut World, witness: &mut Witness, act: Act) -> anyhow::Result<()> {
    let now = world.clock.now();
    let incidents = current(world).await?;
    let waiting: Vec<&Incident> = incidents.iter().filter(|one| one.state.waits().is_some()).collect();
    let whose = |incident: &Incident| incident.key.guest.to_string().parse::<Uuid>().unwrap_or_default();
    let kind = match act {
        Act::Approve(n) => {
            let Some(one) = waiting.get(n % waiting.len().max(1)) else { return Ok(()) };
            witness.approved.entry(whose(one)).or_default().push(now);
            RequestKind::Approve { incident: one.id.clone(), plan: one.question() }
        }
        Act::Reject(n) => {
            let Some(one) = waiting.get(n % waiting.len().max(1)) else { return Ok(()) };
            witness.rejected.entry(whose(one)).or_insert(now);
            RequestKind::Reject { incident: one.id.clone(), suspend_for: WEEK }
        }
        Act::Undo { incident: n, force } => {
            // Mostly of what was done, sometimes of whatever it is.
            let acted = |one: &&Incident| !matches!(one.state, State::Open | State::Waiting { .. });
            let acted: Vec<&Incident> = incidents.iter().filter(acted).collect();
            let chosen = if acted.is_empty() || n == 0 { incidents.iter().collect() } else { acted };
            let Some(one) = chosen.get(n % chosen.len().max(1)) else { return Ok(()) };
            witness.undone.entry(whose(one)).or_insert(now);
            RequestKind::Undo { incident: one.id.clone(), suspend_for: WEEK, force }
        }
        _ => {
            witness.resets.push(now);
            RequestKind::ResetBreaker
        }
    };
    let request = RequestId(format!("request-{}", world.seam.trace().exchanges));
    let asked = Request {
        id: request.clone(),
        kind,
        by: "carol".to_owned(),
        reason: "she has looked at it".to_owned(),
        asked_at: now,
        state: RequestState::Waiting,
    };
    // Asked twice at one moment: once is enough.
    if world.store.ledger.request(&request).await?.is_some() {
        return Ok(());
    }
    world.store.ledger.insert(asked).await?;
    let job = Job::Serve { request: request.clone() };
    let wake = responder::move_of(format!("request/{request}"), &job, now, Collapse::Earliest)?;
    world.store.queues.remediations.send(vec![wake]).await?;
    world.look();
    Ok(())
}

/// The incidents that stand in their slots.
pub(super) async fn current(world: &World) -> anyhow::Result<Vec<Incident>> {
    let filter = ledger::IncidentFilter::default();
    let page = world.store.ledger.incidents(&filter, None, 10_000).await?;
    Ok(page.incidents.into_iter().map(|stored| stored.value).collect())
}
