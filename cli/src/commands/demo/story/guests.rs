//! Guests come, change, and are let in again.

use jiff::SignedDuration;
use model::{Answer, Incident, RequestKind, State};
use simulator::contoso::{ALICE, BOB};
use simulator::{NewUser, Redeem};
use url::Url;
use uuid::Uuid;
use wire::{Call, Wire};

use super::super::super::requests;
use super::super::act::{Began, Shown};
use super::super::ending::Ends;
use super::super::stage::Stage;
use super::{change, invite};

/// Returns Adele, of whom the story goes on to tell.
pub(super) async fn partners(stage: &Stage, shown: &mut Vec<Shown>) -> anyhow::Result<Uuid> {
    let what = "alice invites adele@fabrikam.com, of a partner";
    let (adele, one) = invite(stage, "adele@fabrikam.com", "Adele", Ends::LeftAlone, what).await?;
    shown.push(one);
    let what = "adele accepts";
    shown.push(
        change(stage, what, adele, Ends::LeftAlone, |tenant| tenant.redeem(adele, Redeem::Entra)).await?,
    );
    let what = "alice invites lee@sales.fabrikam.com, a subdomain of the partner";
    shown.push(invite(stage, "lee@sales.fabrikam.com", "Lee", Ends::LeftAlone, what).await?.1);
    let what = "bob, a member, changes his job title";
    let titled = |user: &mut simulator::User| {
        user.other.insert("jobTitle".to_owned(), "Buyer".into());
    };
    shown.push(change(stage, what, BOB, Ends::LeftAlone, |tenant| tenant.set(BOB, titled)).await?);
    Ok(adele)
}

pub(super) async fn intruders(stage: &Stage, shown: &mut Vec<Shown>) -> anyhow::Result<()> {
    for (address, name, what) in [
        ("mallory@evil.example", "Mallory", "alice invites mallory@evil.example, a blocked domain"),
        ("eve@notfabrikam.com", "Eve", "alice invites eve@notfabrikam.com, an evil twin of the partner"),
        ("ivan@fаbrikam.com", "Ivan", "alice invites ivan@fаbrikam.com, with a Cyrillic а"),
        ("trudy@FABRIKAM.COM.evil.example", "Trudy", "alice invites trudy@FABRIKAM.COM.evil.example"),
    ] {
        shown.push(invite(stage, address, name, Ends::Taken, what).await?.1);
    }
    let what = "alice invites dana@fabrikam.com, of a partner";
    let (dana, one) = invite(stage, "dana@fabrikam.com", "Dana", Ends::LeftAlone, what).await?;
    shown.push(one);
    let what = "dana's mail becomes dana@evil.example";
    let changed = |user: &mut simulator::User| user.mail = Some("dana@evil.example".to_owned());
    shown.push(change(stage, what, dana, Ends::Taken, |tenant| tenant.set(dana, changed)).await?);
    Ok(())
}

pub(super) async fn borderline(stage: &Stage, shown: &mut Vec<Shown>) -> anyhow::Result<()> {
    let what = "alice invites kim@fabrikam.com, of a partner";
    let (kim, one) = invite(stage, "kim@fabrikam.com", "Kim", Ends::LeftAlone, what).await?;
    shown.push(one);
    let what = "kim adds a private address at evil.example";
    let added = |user: &mut simulator::User| user.other_mails.push("kim@evil.example".to_owned());
    shown.push(change(stage, what, kim, Ends::Told, |tenant| tenant.set(kim, added)).await?);
    let began = Began::now();
    let local = stage.simulator.tenant().add_user(NewUser::local_guest("visitor@contoso.com"));
    let what = "an administrator makes visitor@contoso.com, a local guest";
    shown.push(stage.watch_new(what, local, Ends::Told, began).await?);
    let what = "alice invites olga@fabrikam.com, of a partner";
    let (olga, one) = invite(stage, "olga@fabrikam.com", "Olga", Ends::LeftAlone, what).await?;
    shown.push(one);
    stage.simulator.tenant().assign_role(olga, "User Administrator")?;
    let what = "olga, now a User Administrator, is moved to evil.example";
    let moved = |user: &mut simulator::User| user.mail = Some("olga@evil.example".to_owned());
    shown.push(change(stage, what, olga, Ends::Refused, |tenant| tenant.set(olga, moved)).await?);
    Ok(())
}

/// A notification that Graph never sent.
pub(super) async fn forgery(stage: &Stage) -> anyhow::Result<Shown> {
    let looks = stage.looks_at(ALICE);
    let body = serde_json::json!({"value": [{
        "subscriptionId": Uuid::nil(), "clientState": "v1.k1.forged.forged", "changeType": "updated",
        "tenantId": stage.tenant, "subscriptionExpirationDateTime": "2099-01-01T00:00:00Z",
        "resource": format!("Users/{ALICE}"),
        "resourceData": {"@odata.type": "#Microsoft.Graph.User", "id": ALICE},
    }]});
    let url = Url::parse(&format!("{}/graph/notifications", stage.receiver))?;
    let wire = Wire::network()?;
    let began = Began::now();
    let reply = wire.send(Call::post(url, body.to_string())).await?;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let as_expected = reply.status.as_u16() == 202 && stage.looks_at(ALICE) == looks;
    let said =
        ("mallory posts a notification of her own making", "not from Microsoft Graph", "dropped, counted");
    stage.show_plain(said, began, as_expected)
}

pub(super) async fn second_thoughts(stage: &Stage, shown: &mut Vec<Shown>) -> anyhow::Result<()> {
    let what = "alice invites nina@northwind.example, of nobody's partner";
    let (nina, one) = invite(stage, "nina@northwind.example", "Nina", Ends::Taken, what).await?;
    shown.push(one);
    let incidents = stage.incidents(nina).await?;
    let disabled = |incident: &Incident| matches!(incident.state, State::Done { .. });
    let Some(incident) = incidents.into_iter().find(disabled) else {
        // Another policy may have let her in.
        anyhow::ensure!(!stage.own_policy, "nina was not disabled");
        return Ok(());
    };
    let began = Began::now();
    let kind = RequestKind::Undo {
        incident: incident.id,
        suspend_for: SignedDuration::from_hours(24 * 7),
        force: false,
    };
    let asked = requests::ask(&stage.settings, &stage.store, kind, "she is expected", 20).await?;
    anyhow::ensure!(
        matches!(asked.answer, Some(Answer::Done { .. } | Answer::Sent { .. })),
        "the undo was answered {:?}",
        asked.answer
    );
    let what = "carol says: guestlist undo, she is expected";
    shown.push(stage.watch_new(what, nina, Ends::Undone, began).await?);
    let what = "nina accepts, and stays";
    shown.push(
        change(stage, what, nina, Ends::Undone, |tenant| tenant.redeem(nina, Redeem::Microsoft)).await?,
    );
    Ok(())
}
