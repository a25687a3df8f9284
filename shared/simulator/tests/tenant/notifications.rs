//! What a receiver is told: the shapes of captured notifications, and the manners of delivery.
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::{Delay, Delivery, GroupKind, Invite, Lifecycle, NewGroup, OtherKind, contoso};

use crate::world::World;

#[tokio::test]
async fn an_invitation_arrives_as_an_updated_user() {
    let world = World::new().await;
    let subscription = world.subscribe("/users").await;
    let guest = world.simulator.tenant().invite(Invite::new("mallory@evil.example", contoso::ALICE));
    assert_eq!(world.simulator.deliver_due().await, 1);
    let notices = world.receiver.take();
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert_eq!(notice["changeType"], "updated");
    assert_eq!(notice["resource"], format!("Users/{guest}"));
    assert_eq!(notice["subscriptionId"], subscription["id"]);
    assert_eq!(notice["clientState"], "our-secret");
    assert_eq!(notice["tenantId"], contoso::TENANT.to_string());
    assert!(notice.get("id").is_none());
    let data = &notice["resourceData"];
    assert_eq!(data["@odata.type"], "#Microsoft.Graph.User");
    assert_eq!(data["id"], guest.to_string());
    assert!(data["sequenceNumber"].as_u64().unwrap() > 1 << 53);
}

#[tokio::test]
async fn soft_deletion_and_restoration_are_updates_and_a_purge_is_a_deletion() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE));
    world.subscribe("users").await;
    tenant.delete_user(guest).unwrap();
    tenant.restore_user(guest).unwrap();
    tenant.purge_user(guest).unwrap();
    world.simulator.deliver_due().await;
    let kinds: Vec<Value> = world.receiver.take().iter().map(|notice| notice["changeType"].clone()).collect();
    assert_eq!(kinds, ["updated", "updated", "deleted"]);
}

#[tokio::test]
async fn members_show_in_a_notification_and_owners_and_names_do_not() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let guest = tenant.invite(Invite::new("mallory@evil.example", contoso::ALICE));
    world.subscribe("/groups").await;
    tenant.add_member(contoso::MARKETING, guest).unwrap();
    tenant.remove_member(contoso::MARKETING, guest).unwrap();
    tenant.add_owner(contoso::MARKETING, guest).unwrap();
    tenant.rename_group(contoso::MARKETING, "Marketing & Sales").unwrap();
    tenant.rename_group(contoso::MARKETING, "Marketing & Sales").unwrap();
    world.simulator.deliver_due().await;
    let deltas: Vec<Value> =
        world.receiver.take().iter().map(|notice| notice["resourceData"]["members@delta"].clone()).collect();
    let guest = guest.to_string();
    assert_eq!(
        deltas,
        [json!([{"id": guest}]), json!([{"id": guest, "@removed": "deleted"}]), json!(null), json!(null)]
    );
}

#[tokio::test]
async fn a_member_may_be_a_group_a_device_or_a_service_principal_and_shows_its_id_alone() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let device = tenant.add_object(OtherKind::Device, "Laptop");
    let principal = tenant.add_object(OtherKind::ServicePrincipal, "Backup");
    world.subscribe("/groups").await;
    for member in [device, principal, contoso::FINANCE] {
        tenant.add_member(contoso::MARKETING, member).unwrap();
    }
    tenant.set_label(contoso::MARKETING, Some("Confidential")).unwrap();
    tenant.set_visibility(contoso::MARKETING, "Public").unwrap();
    tenant.remove_owner(contoso::MARKETING, contoso::ALICE).unwrap();
    world.simulator.deliver_due().await;
    let notices = world.receiver.take();
    let ids = [device, principal, contoso::FINANCE].map(|id| json!([{"id": id.to_string()}]));
    let deltas: Vec<&Value> = notices.iter().map(|notice| &notice["resourceData"]["members@delta"]).collect();
    assert_eq!(deltas, [&ids[0], &ids[1], &ids[2], &Value::Null, &Value::Null, &Value::Null]);
    assert!(notices.iter().all(|notice| notice["resource"] == format!("Groups/{}", contoso::MARKETING)));
}

#[tokio::test]
async fn changes_of_one_group_within_a_short_time_can_come_as_one_notification() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    world.subscribe("/groups").await;
    let gathers = Delay { by: SignedDuration::from_secs(20), chance: 1.0 };
    world.simulator.set_faults(|faults| faults.notifications.coalesced = Some(gathers));
    tenant.add_member(contoso::MARKETING, contoso::BOB).unwrap();
    tenant.add_member(contoso::FINANCE, contoso::ALICE).unwrap();
    world.pass(SignedDuration::from_secs(10));
    tenant.remove_member(contoso::MARKETING, contoso::BOB).unwrap();
    tenant.rename_group(contoso::MARKETING, "Sales").unwrap();
    tenant.add_member(contoso::MARKETING, contoso::CAROL).unwrap();
    tenant.add_member(contoso::MARKETING, contoso::BOB).unwrap();
    assert_eq!(world.simulator.deliver_due().await, 0, "it waits");
    world.pass(SignedDuration::from_secs(10));
    assert_eq!(world.simulator.deliver_due().await, 2);
    let notices = world.receiver.take();
    let of = |group: uuid::Uuid| {
        let found = notices.iter().find(|notice| notice["resource"] == format!("Groups/{group}"));
        found.unwrap()["resourceData"]["members@delta"].as_array().unwrap().clone()
    };
    let (bob, carol) = (contoso::BOB.to_string(), contoso::CAROL.to_string());
    let marketing = of(contoso::MARKETING);
    assert_eq!(marketing.len(), 3, "{marketing:?}");
    for member in [json!({"id": bob}), json!({"id": bob, "@removed": "deleted"}), json!({"id": carol})] {
        assert!(marketing.contains(&member), "{member}");
    }
    assert_eq!(of(contoso::FINANCE), [json!({"id": contoso::ALICE.to_string()})]);
    // What has left takes nothing up, and an end is never mixed with anything.
    tenant.remove_member(contoso::MARKETING, contoso::BOB).unwrap();
    tenant.delete_group(contoso::FINANCE).unwrap();
    tenant.rename_group(contoso::MARKETING, "Sales & Co").unwrap();
    world.pass(SignedDuration::from_secs(20));
    assert_eq!(world.simulator.deliver_due().await, 2);
    let kinds: Vec<Value> = world.receiver.take().iter().map(|notice| notice["changeType"].clone()).collect();
    assert!(kinds.contains(&json!("updated")) && kinds.contains(&json!("deleted")), "{kinds:?}");
}

#[tokio::test]
async fn each_subscription_has_its_own_items_and_only_its_own() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let bob = format!("/users/{}", contoso::BOB);
    let members = format!("/groups/{}/members", contoso::MARKETING);
    for resource in ["users", "groups", &bob, &members] {
        world.subscribe(resource).await;
    }
    tenant.disable(contoso::ALICE).unwrap();
    assert_eq!(world.simulator.deliver_due().await, 1);
    tenant.disable(contoso::BOB).unwrap();
    assert_eq!(world.simulator.deliver_due().await, 2);
    tenant.rename_group(contoso::MARKETING, "Sales").unwrap();
    assert_eq!(world.simulator.deliver_due().await, 1);
    tenant.add_member(contoso::MARKETING, contoso::BOB).unwrap();
    assert_eq!(world.simulator.deliver_due().await, 2);
    let posts = world.receiver.posts.lock().unwrap().len();
    assert_eq!(posts, 4, "items of one moment travel together");
}

#[tokio::test]
async fn a_deleted_group_is_an_update_when_it_can_be_restored() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    let unified =
        tenant.create_group(NewGroup { kind: GroupKind::Microsoft365, ..NewGroup::named("Unified") });
    world.subscribe("groups").await;
    tenant.delete_group(unified).unwrap();
    tenant.delete_group(contoso::FINANCE).unwrap();
    world.simulator.deliver_due().await;
    let kinds: Vec<Value> = world.receiver.take().iter().map(|notice| notice["changeType"].clone()).collect();
    assert_eq!(kinds, ["updated", "deleted"]);
    assert!(tenant.group(contoso::FINANCE).is_none());
}

#[tokio::test]
async fn what_is_refused_is_tried_again_for_four_hours() {
    let world = World::new().await;
    world.subscribe("users").await;
    world.simulator.tenant().disable(contoso::BOB).unwrap();
    world.receiver.statuses.lock().unwrap().extend([503, 404]);
    assert_eq!(world.simulator.deliver_due().await, 1);
    assert_eq!(world.simulator.deliver_due().await, 0);
    assert_eq!(world.simulator.next_delivery(), Some(world.now() + SignedDuration::from_secs(10)));
    world.pass(SignedDuration::from_secs(10));
    assert_eq!(world.simulator.deliver_due().await, 1);
    world.pass(SignedDuration::from_secs(20));
    assert_eq!(world.simulator.deliver_due().await, 1);
    assert_eq!(world.receiver.take().len(), 1);
    assert_eq!(world.simulator.next_delivery(), None);
    world.simulator.tenant().enable(contoso::BOB).unwrap();
    world.receiver.statuses.lock().unwrap().extend([500; 40]);
    let mut last = world.now();
    let first = world.now();
    while let Some(due) = world.simulator.next_delivery() {
        last = due;
        world.pass(due.duration_since(world.now()));
        world.simulator.deliver_due().await;
    }
    assert!(
        last.duration_since(first) <= SignedDuration::from_hours(4)
            && last.duration_since(first) > SignedDuration::from_hours(3)
    );
    assert_eq!(world.simulator.traffic().notifications_given_up, 1);
    assert!(world.receiver.take().is_empty());
}

#[tokio::test]
async fn notifications_can_be_lost_doubled_and_late() {
    let world = World::new().await;
    let tenant = world.simulator.tenant();
    world.subscribe("users").await;
    world.simulator.set_faults(|faults| faults.notifications.lost = 1.0);
    tenant.disable(contoso::BOB).unwrap();
    assert_eq!(world.simulator.next_delivery(), None);
    world.simulator.calm();
    world.simulator.set_faults(|faults| faults.notifications.doubled = 1.0);
    tenant.enable(contoso::BOB).unwrap();
    assert_eq!(world.simulator.deliver_due().await, 2);
    world.simulator.calm();
    let late = Delay { by: SignedDuration::from_mins(15), chance: 1.0 };
    world.simulator.set_faults(|faults| faults.notifications.delayed = Some(late));
    tenant.disable(contoso::BOB).unwrap();
    assert_eq!(world.simulator.deliver_due().await, 0);
    world.pass(SignedDuration::from_mins(15));
    assert_eq!(world.simulator.deliver_due().await, 1);
}

#[tokio::test]
async fn lifecycle_events_have_no_change_type_and_their_own_address() {
    let world = World::new().await;
    let created = world.subscribe("users").await;
    let id = created["id"].as_str().unwrap().parse().unwrap();
    for (event, name) in [
        (Lifecycle::ReauthorizationRequired, "reauthorizationRequired"),
        (Lifecycle::SubscriptionRemoved, "subscriptionRemoved"),
        (Lifecycle::Missed, "missed"),
        (Lifecycle::Unknown("somethingNew".to_owned()), "somethingNew"),
    ] {
        assert!(world.simulator.send_lifecycle(id, event));
        world.simulator.deliver_due().await;
        let (path, body) = world.receiver.posts.lock().unwrap().pop().unwrap();
        assert_eq!(path, "/graph/lifecycle");
        assert_eq!(body["value"][0]["lifecycleEvent"], name);
        assert!(body["value"][0].get("changeType").is_none());
    }
    assert!(!world.simulator.send_lifecycle(uuid::Uuid::nil(), Lifecycle::Missed));
}

#[tokio::test]
async fn without_authorization_notifications_wait_and_then_all_come() {
    let world = World::new().await;
    let created = world.subscribe("users").await;
    let id = created["id"].as_str().unwrap();
    assert!(world.simulator.require_reauthorization(id.parse().unwrap()));
    world.simulator.tenant().disable(contoso::BOB).unwrap();
    world.simulator.tenant().enable(contoso::BOB).unwrap();
    world.simulator.deliver_due().await;
    assert_eq!(world.receiver.take().len(), 1, "the lifecycle event alone");
    let token = world.reader().await;
    world.call(&token, "POST", &format!("/subscriptions/{id}/reauthorize"), None).await.expect(204);
    world.simulator.deliver_due().await;
    assert_eq!(world.receiver.take().len(), 2);
}

#[tokio::test]
async fn a_lost_subscription_tells_nobody() {
    let world = World::new().await;
    let created = world.subscribe("users").await;
    assert!(world.simulator.lose_subscription(created["id"].as_str().unwrap().parse().unwrap()));
    world.simulator.tenant().disable(contoso::BOB).unwrap();
    assert_eq!(world.simulator.deliver_due().await, 0);
}

#[tokio::test]
async fn in_the_background_notifications_leave_by_themselves() {
    let world = World::with(|options| options.deliver = Delivery::Background).await;
    world.subscribe("users").await;
    world.simulator.tenant().disable(contoso::BOB).unwrap();
    let arrived = async {
        while world.receiver.posts.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), arrived).await.unwrap();
    assert_eq!(world.receiver.take().len(), 1);
}

#[tokio::test]
async fn the_date_comes_in_all_three_forms_and_means_one_instant() {
    let world = World::new().await;
    world.subscribe("users").await;
    let mut forms = std::collections::BTreeSet::new();
    for round in 0..40 {
        world.simulator.tenant().set(contoso::BOB, |bob| bob.enabled = round % 2 == 1).unwrap();
        world.simulator.deliver_due().await;
    }
    for notice in world.receiver.take() {
        let text = notice["subscriptionExpirationDateTime"].as_str().unwrap().to_owned();
        let at: jiff::Timestamp = text.parse().unwrap();
        assert_eq!(at, world.now() + SignedDuration::from_hours(24));
        forms.insert(text);
    }
    assert_eq!(forms.len(), 3, "{forms:?}");
}
