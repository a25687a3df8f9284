//! Somebody decides: an undo, an approval, a rejection.

use jiff::SignedDuration;
use model::{Answer, Incident, RequestKind, State};
use uuid::Uuid;

use super::super::super::requests;
use super::super::act::{Began, Shown};
use super::super::ending::{Ends, Place};
use super::super::stage::Stage;

const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);

pub(super) async fn undoing(stage: &Stage, adele: Uuid, shown: &mut Vec<Shown>) -> anyhow::Result<()> {
    let tenant = stage.simulator.tenant();
    let finance = stage.groups.finance_eu;
    let there = [Place::member(adele, finance)];
    let what = "adele joins Finance EU, a closed group";
    let act = || Ok(tenant.add_member(finance, adele)?);
    shown.push(stage.watch_group(what, finance, (&there, Ends::Taken), act).await?);
    let done =
        |incident: &Incident| matches!(incident.state, State::Done { .. }) && incident.told_with.is_none();
    let Some(incident) = find(stage, &there, done).await? else { return Ok(()) };
    let kind = RequestKind::Undo { incident: incident.id, suspend_for: WEEK, force: false };
    let what = "carol says: guestlist undo, she closes the books with us";
    let decided = (&there[..], Ends::Undone);
    shown.push(decide(stage, what, (kind, "she closes the books with us"), decided).await?);
    let what = "adele's job title changes, and she stays in Finance EU";
    let titled = |user: &mut simulator::User| {
        user.other.insert("jobTitle".to_owned(), "Accountant".into());
    };
    let [place] = there;
    shown.push(stage.watch_place(what, (place, Ends::Undone), |tenant| tenant.set(adele, titled)).await?);
    Ok(())
}

pub(super) async fn asking(stage: &Stage, adele: Uuid, shown: &mut Vec<Shown>) -> anyhow::Result<()> {
    let tenant = stage.simulator.tenant();
    let (falcon, osprey) = (stage.groups.project_falcon, stage.groups.project_osprey);
    for (group, what) in [
        (falcon, "adele joins Project Falcon: its rule asks first"),
        (osprey, "adele joins Project Osprey: its rule asks first"),
    ] {
        let there = [Place::member(adele, group)];
        let act = || Ok(tenant.add_member(group, adele)?);
        shown.push(stage.watch_group(what, group, (&there, Ends::Waits), act).await?);
    }
    let there = [Place::member(adele, falcon)];
    if let Some(incident) = find(stage, &there, waits).await? {
        let kind = RequestKind::Approve { plan: incident.question(), incident: incident.id };
        let what = "carol says: guestlist approve, she is not on Falcon";
        let decided = (&there[..], Ends::Taken);
        shown.push(decide(stage, what, (kind, "she is not on Falcon"), decided).await?);
    }
    let there = [Place::member(adele, osprey)];
    if let Some(incident) = find(stage, &there, waits).await? {
        let kind = RequestKind::Reject { incident: incident.id, suspend_for: WEEK };
        let what = "carol says: guestlist reject, she works on Osprey";
        let decided = (&there[..], Ends::Rejected);
        shown.push(decide(stage, what, (kind, "she works on Osprey"), decided).await?);
        let what = "adele's department changes, and nobody asks again";
        let moved = |user: &mut simulator::User| {
            user.other.insert("department".to_owned(), "Osprey".into());
        };
        let [place] = there;
        let change = stage.watch_place(what, (place, Ends::Rejected), |tenant| tenant.set(adele, moved));
        shown.push(change.await?);
    }
    Ok(())
}

pub(super) fn waits(incident: &Incident) -> bool {
    matches!(incident.state, State::Waiting { .. })
}

/// The incident about one of these places that somebody decides about. Another policy may have found nothing; under the
/// demo's own, the act before has said so.
pub(super) async fn find(
    stage: &Stage,
    places: &[Place],
    wanted: impl Fn(&Incident) -> bool,
) -> anyhow::Result<Option<Incident>> {
    for place in places {
        if let Some(found) = stage.incidents_at(place).await?.into_iter().find(&wanted) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Asks as the command line does, and waits for what comes of it.
pub(super) async fn decide(
    stage: &Stage,
    what: &str,
    (kind, reason): (RequestKind, &str),
    decided: (&[Place], Ends),
) -> anyhow::Result<Shown> {
    let began = Began::now();
    ask(stage, kind, reason).await?;
    stage.settle(what, decided, began).await
}

pub(super) async fn ask(stage: &Stage, kind: RequestKind, reason: &str) -> anyhow::Result<()> {
    let asked = requests::ask(&stage.settings, &stage.store, kind, reason, 20).await?;
    anyhow::ensure!(
        matches!(asked.answer, Some(Answer::Done { .. } | Answer::Sent { .. })),
        "`{reason}` was answered {:?}",
        asked.answer
    );
    Ok(())
}
