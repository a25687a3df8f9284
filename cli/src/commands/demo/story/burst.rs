//! Too many guests of long standing break a rule at once: the circuit breaker opens, and people decide.

use jiff::SignedDuration;
use model::{Incident, NoticeKind, RequestKind, State};
use uuid::Uuid;

use super::super::act::{Began, Shown};
use super::super::ending::{At, Ends, Place};
use super::super::stage::Stage;
use super::people::{ask, decide, waits};

/// How many established guests may be touched in an hour in a tenant as small as this.
const BUDGET: usize = 3;

pub(super) async fn play(stage: &Stage, shown: &mut Vec<Shown>) -> anyhow::Result<()> {
    let places: Vec<Place> =
        stage.veterans.iter().map(|user| Place { user: *user, at: At::Account }).collect();
    let began = Began::now();
    move_all(stage).await?;
    let (taken, waiting) = sorted(stage, &places).await?;
    let done = format!("{} disabled, {} wait", taken, waiting.len());
    let what = "five guests of a year ago change their mail at once";
    let as_expected = !stage.own_policy || (taken == BUDGET && waiting.len() == places.len() - BUDGET);
    let verdict = "breaks otherwise.guest: the breaker opens";
    shown.push(stage.show_plain((what, verdict, &done), began, as_expected)?);
    let Some(((first, one), others)) = waiting.split_first() else { return Ok(()) };
    shown.push(alarm(stage).await?);
    let kind = RequestKind::Approve { incident: one.id.clone(), plan: one.question() };
    let what = "carol says: guestlist approve, of one that waits";
    shown.push(decide(stage, what, (kind, "that one is right"), (&[*first], Ends::Taken)).await?);
    shown.push(reset(stage, &places, others.len()).await?);
    for (place, other) in others {
        let suspend_for = SignedDuration::from_hours(24 * 7);
        let kind = RequestKind::Reject { incident: other.id.clone(), suspend_for };
        let what = "carol says: guestlist reject, of the other";
        shown.push(decide(stage, what, (kind, "they were bought"), (&[*place], Ends::Rejected)).await?);
    }
    Ok(())
}

async fn move_all(stage: &Stage) -> anyhow::Result<()> {
    let tenant = stage.simulator.tenant();
    let looks: Vec<(Uuid, usize)> =
        stage.veterans.iter().map(|user| (*user, stage.looks_at(*user))).collect();
    for (n, user) in stage.veterans.iter().enumerate() {
        tenant.set(*user, |user| user.mail = Some(format!("veteran{n}@northwind.example")))?;
    }
    let what = "five guests change";
    let looked = async || Ok(looks.iter().all(|(user, looks)| stage.looks_at(*user) > *looks));
    stage.until(what, looked).await?;
    stage.until(what, async || stage.at_rest(&stage.veterans).await).await
}

/// How many were disabled, and what waits.
async fn sorted(stage: &Stage, places: &[Place]) -> anyhow::Result<(usize, Vec<(Place, Incident)>)> {
    let (mut taken, mut waiting) = (0_usize, Vec::new());
    for place in places {
        let incidents = stage.incidents_at(place).await?;
        let done = incidents.iter().any(|incident| matches!(incident.state, State::Done { .. }));
        taken = taken.saturating_add(usize::from(done && !stage.holds(place)?));
        waiting.extend(incidents.into_iter().find(waits).map(|incident| (*place, incident)));
    }
    Ok((taken, waiting))
}

/// One loud alert, not one a guest.
async fn alarm(stage: &Stage) -> anyhow::Result<Shown> {
    let began = Began::now();
    let notices = stage.store.ledger.all::<model::Notice>("").await?;
    let opened = notices.iter().filter(|stored| stored.value.kind == NoticeKind::BreakerOpened);
    let told: Vec<usize> = opened.map(|stored| stored.value.deliveries.len()).collect();
    let said =
        ("security is told once, at the highest severity", "the breaker is open", "everything asks first");
    stage.show_plain(said, began, told == [1])
}

/// Releases nothing that waits.
async fn reset(stage: &Stage, places: &[Place], others: usize) -> anyhow::Result<Shown> {
    let began = Began::now();
    ask(stage, RequestKind::ResetBreaker, "a merger, we know").await?;
    let open = stage.store.ledger.breaker().await?.is_some_and(|stored| stored.value.opened.is_some());
    let (_, waiting) = sorted(stage, places).await?;
    let done = format!("{} goes on waiting", waiting.len());
    let said = ("carol says: guestlist breaker reset, a merger", "the breaker is closed", done.as_str());
    stage.show_plain(said, began, !open && waiting.len() == others)
}
