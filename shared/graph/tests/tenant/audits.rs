//! The directory audit: who invited a guest, and who changed what.

use graph::{Act, Activity, Actor, GraphError, Invitation};
use jiff::SignedDuration;
use simulator::contoso;

use crate::world::{World, id};

#[tokio::test]
async fn the_audit_tells_who_invited_when_its_lag_is_over() {
    let world = World::new().await;
    world.simulator.set_faults(|faults| faults.audit_lag = SignedDuration::from_mins(5));
    let guest = world.invite("mallory@evil.example");
    world.invite("adele@fabrikam.com");
    let at = world.now();
    assert_eq!(world.reader.invitations(id(guest)).await, Ok(vec![]));
    world.pass(SignedDuration::from_mins(5));
    let found = world.reader.invitations(id(guest)).await.unwrap();
    let name = Some("alice@contoso.com".to_owned());
    let inviter = Actor::User { id: id(contoso::ALICE), name };
    assert_eq!(found, [Invitation { inviter, at, address: Some("mallory@evil.example".to_owned()) }]);
    assert_eq!(world.reader.invitations(id(contoso::BOB)).await, Ok(vec![]));
}

#[tokio::test]
async fn all_invitations_of_a_time_come_page_by_page() {
    let world = World::new().await;
    world.invite("before@evil.example");
    world.pass(SignedDuration::from_mins(1));
    let since = world.now();
    let guests: Vec<_> = (0..5).map(|n| id(world.invite(&format!("g{n}@evil.example")))).collect();
    world.simulator.set_faults(|faults| faults.page_at_most = Some(2));
    let (mut found, mut next, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = world.reader.invitations_since(since, next).await.unwrap();
        pages += 1;
        found.extend(page.items.into_iter().map(|(guest, invitation)| {
            assert_eq!(invitation.at, since);
            guest
        }));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(found, guests.into_iter().rev().collect::<Vec<_>>(), "newest first");
}

#[tokio::test]
async fn the_audit_tells_who_took_back_what_we_did() {
    let world = World::new().await;
    let guest = world.invite("mallory@evil.example");
    world.tenant.add_member(contoso::FINANCE, guest).unwrap();
    world.pass(SignedDuration::from_mins(1));
    let since = world.now();
    world.tenant.disable(guest).unwrap();
    world.pass(SignedDuration::from_mins(1));
    let bob = world.tenant.by(contoso::BOB);
    bob.enable(guest).unwrap();
    bob.add_member(contoso::MARKETING, guest).unwrap();
    bob.remove_owner(contoso::MARKETING, contoso::ALICE).unwrap();
    let found = world.reader.acts(id(guest), since).await.unwrap();
    let by = |person, name: &str| Actor::User { id: id(person), name: Some(format!("{name}@contoso.com")) };
    let told: Vec<(Activity, Option<model::ObjectId>, Actor)> =
        found.iter().map(|Act { activity, group, by, at: _ }| (*activity, *group, by.clone())).collect();
    let expected = [
        (Activity::AddMember, Some(id(contoso::MARKETING)), by(contoso::BOB, "bob")),
        (Activity::Enable, None, by(contoso::BOB, "bob")),
        (Activity::Disable, None, by(contoso::CAROL, "carol")),
    ];
    assert_eq!(told, expected);
    assert_eq!(found[2].at, since);
}

#[tokio::test]
async fn without_the_permission_the_audit_is_forbidden() {
    let world = World::new().await;
    assert!(world.simulator.grant(contoso::READER, &["User.Read.All", "Group.Read.All"]));
    let error = world.reader.invitations(id(contoso::BOB)).await.unwrap_err();
    assert!(matches!(error, GraphError::Forbidden { .. }), "{error}");
}
