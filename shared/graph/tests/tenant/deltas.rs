//! Delta queries and lists: everything once, and then exactly what changed.

use std::collections::BTreeSet;

use graph::{ChangedGroup, ChangedLink, ChangedUser, Cursor, DeltaFrom, ListPage, Removed, Sweep, Worthless};
use jiff::SignedDuration;
use model::ObjectId;
use simulator::{NewGroup, contoso};

use crate::world::{World, id, page};

/// All that there is from `from` on, in how many pages, and the cursor at the end. Cursors are kept as texts in between.
async fn users(world: &World, from: DeltaFrom<'_>) -> (Vec<ChangedUser>, usize, Cursor) {
    let (mut items, mut next) = page(world.reader.users_delta(from).await);
    let mut pages = 1;
    loop {
        match next {
            Err(end) => return (items, pages, end),
            Ok(more) => {
                let kept = Cursor::from(more.as_str().to_owned());
                let (found, after) = page(world.reader.users_delta(DeltaFrom::Cursor(&kept)).await);
                items.extend(found);
                next = after;
                pages += 1;
            }
        }
    }
}

async fn groups(world: &World, from: DeltaFrom<'_>) -> (Vec<ChangedGroup>, Cursor) {
    let (mut items, mut next) = page(world.reader.groups_delta(from).await);
    loop {
        match next {
            Err(end) => return (items, end),
            Ok(more) => {
                let (found, after) = page(world.reader.groups_delta(DeltaFrom::Cursor(&more)).await);
                items.extend(found);
                next = after;
            }
        }
    }
}

#[tokio::test]
async fn everybody_is_told_once_and_then_whoever_changed() {
    let world = World::new().await;
    let guest = world.invite("mallory@evil.example");
    world.pages_hold(3);
    let (everybody, pages, end) = users(&world, DeltaFrom::Everything).await;
    let ids: BTreeSet<ObjectId> = everybody.iter().map(|user| user.id).collect();
    let expected = [contoso::ALICE, contoso::BOB, contoso::CAROL, guest].map(id);
    assert_eq!((ids, everybody.len(), pages), (BTreeSet::from(expected), 4, 2));
    assert!(everybody.iter().all(|user| user.removed.is_none()));

    let (nobody, _, end) = users(&world, DeltaFrom::Cursor(&end)).await;
    assert_eq!(nobody, []);
    world.tenant.disable(guest).unwrap();
    world.tenant.set(contoso::BOB, |bob| bob.company_name = Some("Contoso".to_owned())).unwrap();
    let (changed, _, end) = users(&world, DeltaFrom::Cursor(&end)).await;
    assert_eq!(changed, [ChangedUser { id: id(guest), removed: None }], "no rule looks at a company's name");
    world.tenant.delete_user(guest).unwrap();
    let (changed, _, end) = users(&world, DeltaFrom::Cursor(&end)).await;
    assert_eq!(changed, [ChangedUser { id: id(guest), removed: Some(Removed::Restorable) }]);
    world.tenant.restore_user(guest).unwrap();
    let (changed, _, end) = users(&world, DeltaFrom::Cursor(&end)).await;
    assert_eq!(changed, [ChangedUser { id: id(guest), removed: None }]);
    world.tenant.purge_user(guest).unwrap();
    let (changed, _, _) = users(&world, DeltaFrom::Cursor(&end)).await;
    assert_eq!(changed, [ChangedUser { id: id(guest), removed: Some(Removed::ForGood) }]);
}

/// The name of a property, and somebody who changes it.
type Change<T> = (&'static str, fn(&mut T));

#[tokio::test]
async fn every_property_that_a_judgement_looks_at_is_tracked() {
    let world = World::new().await;
    let guest = world.invite("mallory@evil.example");
    let (_, _, mut end) = users(&world, DeltaFrom::Now).await;
    let changes: [Change<simulator::User>; 10] = [
        ("mail", |user| user.mail = None),
        ("otherMails", |user| user.other_mails.clear()),
        ("proxyAddresses", |user| user.proxy_addresses.clear()),
        ("identities", |user| user.identities.clear()),
        ("userPrincipalName", |user| user.user_principal_name.push('x')),
        ("userType", |user| user.user_type = None),
        ("creationType", |user| user.creation_type = None),
        ("externalUserState", |user| user.external_user_state = None),
        ("accountEnabled", |user| user.enabled = false),
        ("onPremisesSyncEnabled", |user| user.on_premises_sync_enabled = Some(true)),
    ];
    for (name, change) in changes {
        world.tenant.set(guest, change).unwrap();
        let (changed, _, next) = users(&world, DeltaFrom::Cursor(&end)).await;
        assert_eq!(changed.len(), 1, "{name}");
        end = next;
    }
    let group = world.tenant.create_group(NewGroup::named("Sales"));
    let (_, mut end) = groups(&world, DeltaFrom::Now).await;
    let changes: [Change<simulator::Group>; 6] = [
        ("displayName", |group| group.display_name = "Finance".to_owned()),
        ("isAssignableToRole", |group| group.role_assignable = true),
        ("visibility", |group| group.visibility = Some("Public".to_owned())),
        ("groupTypes", |group| group.kind = simulator::GroupKind::Team),
        ("membershipRule", |group| group.membership_rule = Some("user.userType -eq \"Guest\"".to_owned())),
        ("onPremisesSyncEnabled", |group| group.on_premises_sync_enabled = Some(true)),
    ];
    for (name, change) in changes {
        world.tenant.set_group(group, change).unwrap();
        let (changed, next) = groups(&world, DeltaFrom::Cursor(&end)).await;
        assert_eq!(
            changed,
            [ChangedGroup { id: id(group), removed: None, members: vec![], owners: vec![] }],
            "{name}"
        );
        end = next;
    }
    world.tenant.set_label(group, Some("Confidential")).unwrap();
    assert_eq!(groups(&world, DeltaFrom::Cursor(&end)).await.0.len(), 1, "assignedLabels");
}

#[tokio::test]
async fn a_large_group_comes_in_parts_and_then_who_came_and_who_went() {
    let world = World::new().await;
    let guests: Vec<uuid::Uuid> = (0..5).map(|n| world.invite(&format!("g{n}@fabrikam.com"))).collect();
    let sales = NewGroup { members: guests.clone(), owners: vec![contoso::BOB], ..NewGroup::named("Sales") };
    let sales = world.tenant.create_group(sales);
    world.pages_hold(2);
    let (all, end) = groups(&world, DeltaFrom::Everything).await;
    let parts: Vec<&ChangedGroup> = all.iter().filter(|group| group.id == id(sales)).collect();
    assert!(parts.len() > 1, "{parts:?}");
    let members = parts.iter().flat_map(|part| &part.members);
    let members: BTreeSet<(ObjectId, bool)> = members.map(|link| (link.id, link.removed)).collect();
    assert_eq!(members, guests.iter().map(|guest| (id(*guest), false)).collect());
    let owners: Vec<ChangedLink> = parts.iter().flat_map(|part| part.owners.clone()).collect();
    assert_eq!(owners, [ChangedLink { id: id(contoso::BOB), removed: false }]);

    world.tenant.remove_member(sales, guests[0]).unwrap();
    world.tenant.add_owner(sales, guests[1]).unwrap();
    let (changed, end) = groups(&world, DeltaFrom::Cursor(&end)).await;
    let link = |guest, removed| ChangedLink { id: id(guest), removed };
    let mut seen = ChangedGroup { id: id(sales), removed: None, members: vec![], owners: vec![] };
    for part in changed {
        seen.members.extend(part.members);
        seen.owners.extend(part.owners);
    }
    assert_eq!((seen.members, seen.owners), (vec![link(guests[0], true)], vec![link(guests[1], false)]));
    world.tenant.delete_group(sales).unwrap();
    let (changed, _) = groups(&world, DeltaFrom::Cursor(&end)).await;
    assert_eq!(changed[0].removed, Some(Removed::ForGood), "a security group cannot be restored");
}

#[tokio::test]
async fn from_now_on_tells_nothing_of_before() {
    let world = World::new().await;
    let (nobody, pages, end) = users(&world, DeltaFrom::Now).await;
    assert_eq!((nobody, pages), (vec![], 1));
    let (nothing, group_end) = groups(&world, DeltaFrom::Now).await;
    assert_eq!(nothing, []);
    let guest = world.invite("mallory@evil.example");
    world.tenant.add_member(contoso::MARKETING, guest).unwrap();
    let (changed, _, _) = users(&world, DeltaFrom::Cursor(&end)).await;
    assert_eq!(changed, [ChangedUser { id: id(guest), removed: None }]);
    let (changed, _) = groups(&world, DeltaFrom::Cursor(&group_end)).await;
    let member = ChangedLink { id: id(guest), removed: false };
    let marketing = id(contoso::MARKETING);
    let expected = ChangedGroup { id: marketing, removed: None, members: vec![member], owners: vec![] };
    assert_eq!(changed, [expected]);
}

#[tokio::test]
async fn a_cursor_of_last_week_is_worth_nothing_and_beginning_anew_works() {
    let world = World::new().await;
    let (_, _, end) = users(&world, DeltaFrom::Everything).await;
    world.pass(SignedDuration::from_hours(7 * 24 + 1));
    let found = world.reader.users_delta(DeltaFrom::Cursor(&end)).await.unwrap();
    let Sweep::StartAnew(Worthless::Refused { status: 410, code, trace: _ }) = found else {
        panic!("{found:?}");
    };
    assert_eq!(code, "syncStateNotFound");
    let (everybody, _, end) = users(&world, DeltaFrom::Everything).await;
    assert_eq!(everybody.len(), 3);
    world.simulator.expire_delta_tokens();
    let found = world.reader.users_delta(DeltaFrom::Cursor(&end)).await.unwrap();
    assert!(matches!(found, Sweep::StartAnew(Worthless::Refused { status: 410, .. })), "{found:?}");
}

#[tokio::test]
async fn a_cursor_serves_one_tenant_address_and_one_query() {
    let (world, other) = (World::new().await, World::new().await);
    let (_, _, end) = users(&world, DeltaFrom::Now).await;
    let found = other.reader.users_delta(DeltaFrom::Cursor(&end)).await.unwrap();
    assert_eq!(found, Sweep::StartAnew(Worthless::NotOurs));
    let found = world.reader.groups_delta(DeltaFrom::Cursor(&end)).await.unwrap();
    assert_eq!(found, Sweep::StartAnew(Worthless::NotOurs));
    let made_up = Cursor::from(format!("{}/v1.0/users/delta?$deltatoken=x", world.simulator.url()));
    let found = world.reader.users_delta(DeltaFrom::Cursor(&made_up)).await.unwrap();
    assert!(matches!(found, Sweep::StartAnew(Worthless::Refused { status: 400, .. })), "{found:?}");
}

#[tokio::test]
async fn lists_hold_everything_once_whatever_the_size_of_a_page() {
    let world = World::new().await;
    let guest = world.invite("mallory@evil.example");
    world.pages_hold(3);
    let mut ids = Vec::new();
    let mut from: Option<Cursor> = None;
    loop {
        let found = world.reader.list_users(from.as_ref()).await.unwrap();
        let Sweep::Page(ListPage { items, next }) = found else { panic!("{found:?}") };
        assert!(items.iter().all(|user| user.identities.is_some() && user.user_type.is_some()));
        ids.extend(items.iter().map(|user| user.id));
        match next {
            Some(next) => from = Some(Cursor::from(next.as_str().to_owned())),
            None => break,
        }
    }
    assert_eq!(ids, [contoso::ALICE, contoso::BOB, contoso::CAROL, guest].map(id));
    let (mut found, mut from) = (0, None);
    loop {
        let page = world.reader.list_groups(from.as_ref()).await.unwrap();
        let Sweep::Page(ListPage { items, next }) = page else { panic!("{page:?}") };
        assert!(items.iter().all(graph::Group::is_whole));
        found += items.len();
        from = next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(found, world.tenant.groups().len());
}
