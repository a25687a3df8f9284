//! Delta queries: everything once, then exactly what changed.
use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::{Invite, Stale, contoso};

use crate::world::{World, read};

/// Follows links to the end; gives back the items and the delta link.
async fn follow(world: &World, token: &str, link: &str) -> (Vec<Value>, String) {
    let mut link = link.to_owned();
    let mut items = Vec::new();
    loop {
        let page = world.get(token, &link).await;
        page.expect(200);
        items.extend(page.values().iter().cloned());
        let next = |name: &str| page.body.get(name).and_then(Value::as_str).map(str::to_owned);
        assert_ne!(next("@odata.nextLink").is_some(), next("@odata.deltaLink").is_some());
        match next("@odata.nextLink") {
            Some(next) => link = next,
            None => return (items, next("@odata.deltaLink").unwrap()),
        }
    }
}

#[tokio::test]
async fn users_come_once_and_then_only_what_changed() {
    let world = World::new().await;
    let token = world.reader().await;
    let tenant = world.simulator.tenant();
    world.simulator.set_faults(|faults| faults.page_at_most = Some(2));
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE));
    let (all, link) = follow(&world, &token, "/users/delta?$select=displayName,accountEnabled").await;
    assert_eq!(all.len(), 4);
    assert_eq!(
        all[0],
        json!({"id": contoso::ALICE.to_string(), "displayName": "Alice", "accountEnabled": true})
    );
    let (none, link) = follow(&world, &token, &link).await;
    assert!(none.is_empty());
    tenant.disable(contoso::BOB).unwrap();
    tenant.delete_user(guest).unwrap();
    let (changed, link) = follow(&world, &token, &link).await;
    assert_eq!(changed[0]["accountEnabled"], false);
    assert_eq!(changed[1], json!({"id": guest.to_string(), "@removed": {"reason": "changed"}}));
    tenant.purge_user(guest).unwrap();
    let (changed, _) = follow(&world, &token, &link).await;
    assert_eq!(changed, [json!({"id": guest.to_string(), "@removed": {"reason": "deleted"}})]);
}

#[tokio::test]
async fn groups_carry_their_members_in_slices_and_removals_as_objects() {
    let world = World::new().await;
    let token = world.reader().await;
    let tenant = world.simulator.tenant();
    let guests: Vec<uuid::Uuid> =
        (0..5).map(|n| tenant.invite(Invite::new(&format!("g{n}@fabrikam.com"), contoso::ALICE))).collect();
    for guest in &guests {
        tenant.add_member(contoso::MARKETING, *guest).unwrap();
    }
    world.simulator.set_faults(|faults| faults.page_at_most = Some(2));
    let (all, link) = follow(&world, &token, "/groups/delta?$select=displayName,members").await;
    let marketing = contoso::MARKETING.to_string();
    let slices: Vec<&Value> = all.iter().filter(|group| group["id"] == marketing).collect();
    assert_eq!(slices.len(), 3, "five members in slices of two");
    let members: usize = slices.iter().map(|slice| slice["members@delta"].as_array().unwrap().len()).sum();
    assert_eq!(members, 5);
    tenant.remove_member(contoso::MARKETING, guests[0]).unwrap();
    let (changed, _) = follow(&world, &token, &link).await;
    assert_eq!(
        changed[0]["members@delta"],
        json!([{"@odata.type": "#microsoft.graph.user", "id": guests[0].to_string(), "@removed": {"reason": "deleted"}}])
    );
}

#[tokio::test]
async fn latest_starts_now_and_minimal_shows_what_changed() {
    let world = World::new().await;
    let token = world.reader().await;
    let (none, link) =
        follow(&world, &token, "/users/delta?$deltatoken=latest&$select=displayName,accountEnabled").await;
    assert!(none.is_empty());
    world.simulator.tenant().disable(contoso::BOB).unwrap();
    let minimal = read(world.request(&token, "GET", &link, None).header("prefer", "return=minimal")).await;
    assert_eq!(minimal.values(), &vec![json!({"id": contoso::BOB.to_string(), "accountEnabled": false})]);
}

#[tokio::test]
async fn an_old_or_withdrawn_token_means_to_start_over() {
    let world = World::new().await;
    let token = world.reader().await;
    let (_, link) = follow(&world, &token, "/users/delta").await;
    world.get(&token, &format!("{link}&$select=id")).await.expect(400);
    world.simulator.expire_delta_tokens();
    let gone = world.get(&token, &link).await;
    gone.expect_error(410, "syncStateNotFound");
    let again = gone.headers["location"].to_str().unwrap().to_owned();
    let (all, link) = follow(&world, &token, &again).await;
    assert_eq!(all.len(), 3);
    world.pass(SignedDuration::from_hours(7 * 24 + 1));
    let fresh = world.reader().await;
    world.get(&fresh, &link).await.expect(410);
    world.get(&fresh, "/users/delta?$deltatoken=made-up").await.expect(400);
    world.get(&fresh, "/users/delta?$top=5").await.expect(400);
}

#[tokio::test]
async fn a_lagging_replica_delivers_its_changes_with_the_next_delta() {
    let world = World::new().await;
    let token = world.reader().await;
    let (_, link) = follow(&world, &token, "/users/delta?$select=accountEnabled").await;
    world.pass(SignedDuration::from_mins(1));
    world.simulator.tenant().disable(contoso::BOB).unwrap();
    let lag = SignedDuration::from_secs(30);
    world.simulator.set_faults(|faults| faults.stale = Some(Stale { lag, chance: 1.0 }));
    let (none, link) = follow(&world, &token, &link).await;
    assert!(none.is_empty(), "{none:?}");
    world.pass(lag);
    let (changed, _) = follow(&world, &token, &link).await;
    assert_eq!(changed.len(), 1);
}

#[tokio::test]
async fn a_delta_can_follow_a_few_ids() {
    let world = World::new().await;
    let token = world.reader().await;
    let path = format!("/users/delta?$select=displayName&$filter=id eq '{}'", contoso::BOB);
    let (one, link) = follow(&world, &token, &path).await;
    assert_eq!(one.len(), 1);
    world.simulator.tenant().set(contoso::ALICE, |alice| alice.display_name = "Alicia".to_owned()).unwrap();
    assert!(follow(&world, &token, &link).await.0.is_empty());
    world.get(&token, "/users/delta?$filter=userType eq 'Guest'").await.expect(400);
}

#[tokio::test]
async fn only_what_was_selected_is_tracked_but_a_life_that_ends_or_goes_on_always_is() {
    let world = World::new().await;
    let token = world.reader().await;
    let tenant = world.simulator.tenant();
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE));
    let (_, users) = follow(&world, &token, "/users/delta?$select=accountEnabled").await;
    let (_, everything) = follow(&world, &token, "/users/delta").await;
    let (_, members) = follow(&world, &token, "/groups/delta?$select=members").await;
    tenant.set(guest, |guest| guest.company_name = Some("Fabrikam".to_owned())).unwrap();
    tenant.rename_group(contoso::MARKETING, "Sales").unwrap();
    tenant.add_owner(contoso::MARKETING, guest).unwrap();
    let (changed, users) = follow(&world, &token, &users).await;
    assert!(changed.is_empty(), "{changed:?}");
    assert_eq!(follow(&world, &token, &everything).await.0.len(), 1);
    let (changed, members) = follow(&world, &token, &members).await;
    assert!(changed.is_empty(), "{changed:?}");
    tenant.add_member(contoso::MARKETING, guest).unwrap();
    assert_eq!(follow(&world, &token, &members).await.0.len(), 1);
    tenant.delete_user(guest).unwrap();
    let (gone, users) = follow(&world, &token, &users).await;
    assert_eq!(gone[0]["@removed"]["reason"], "changed");
    tenant.restore_user(guest).unwrap();
    let (back, users) = follow(&world, &token, &users).await;
    assert_eq!(back, [json!({"id": guest.to_string(), "accountEnabled": true})]);
    let new = tenant.invite(Invite::new("adele@fabrikam.com", contoso::ALICE));
    let (added, _) = follow(&world, &token, &users).await;
    assert_eq!(added[0]["id"], new.to_string());
}
