//! The story: people of Contoso invite guests, guests change and join groups, somebody forges, somebody errs, and somebody
//! decides.

mod burst;
mod groups;
mod guests;
mod people;

use uuid::Uuid;

use super::act::{Began, Shown};
use super::ending::Ends;
use super::stage::Stage;
use simulator::{Directory, Invite, contoso};

pub(super) async fn play(stage: &Stage) -> anyhow::Result<Vec<Shown>> {
    let mut shown = Vec::new();
    let adele = guests::partners(stage, &mut shown).await?;
    guests::intruders(stage, &mut shown).await?;
    guests::borderline(stage, &mut shown).await?;
    shown.push(guests::forgery(stage).await?);
    guests::second_thoughts(stage, &mut shown).await?;
    groups::joining(stage, adele, &mut shown).await?;
    groups::changing(stage, adele, &mut shown).await?;
    people::undoing(stage, adele, &mut shown).await?;
    people::asking(stage, adele, &mut shown).await?;
    burst::play(stage, &mut shown).await?;
    Ok(shown)
}

/// Invites somebody and waits for Guestlist.
async fn invite(
    stage: &Stage,
    address: &str,
    name: &str,
    ends: Ends,
    what: &str,
) -> anyhow::Result<(Uuid, Shown)> {
    let began = Began::now();
    let name = Some(name.to_owned());
    let guest = stage.simulator.tenant().invite(Invite { name, ..Invite::new(address, contoso::ALICE) });
    let shown = stage.watch_new(what, guest, ends, began).await?;
    Ok((guest, shown))
}

/// Lets a user change and waits for Guestlist.
async fn change(
    stage: &Stage,
    what: &str,
    user: Uuid,
    ends: Ends,
    change: impl FnOnce(&Directory) -> Result<(), simulator::DirectoryError>,
) -> anyhow::Result<Shown> {
    let tenant = stage.simulator.tenant();
    stage.watch(what, user, ends, || Ok(change(&tenant)?)).await
}
