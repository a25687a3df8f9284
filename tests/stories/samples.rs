//! Every sample in `events/`, and the domain values that it becomes.

use graph::{Item, parse};
use insta::assert_snapshot;

/// One line for each item: what it is about, or why it cannot be read.
fn shown(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(name);
    let body = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let items = parse(&body).unwrap();
    items.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn line(item: &Item) -> String {
    let expires = item.expires_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    let subscription = item.subscription.map_or_else(|| "none".to_owned(), |id| id.to_string());
    let head = format!("{} until {expires}", subscription.get(..8).unwrap_or("none"));
    match &item.event {
        Ok(event) => format!("{head}: {event:?}"),
        Err(unreadable) => format!("{head}: unreadable, failed to {unreadable}"),
    }
}

#[test]
fn what_graph_says_of_a_user() {
    assert_snapshot!(shown("user-updated.json"), @"7f105c7d until 2026-11-22T09:00:00Z: Changed { resource: User, id: ObjectId(87d349ed-44d7-43e1-9a83-5f2406dee5bd), kind: Updated, members: [], sequence: Some(638059995676961300) }");
    assert_snapshot!(shown("user-deleted-for-good.json"), @"7f105c7d until 2026-11-22T09:00:00Z: Changed { resource: User, id: ObjectId(87d349ed-44d7-43e1-9a83-5f2406dee5bd), kind: Deleted, members: [], sequence: Some(638059995676961300) }");
}

#[test]
fn what_graph_says_of_a_group() {
    assert_snapshot!(shown("group-updated.json"), @"0fc0d6db until 2026-11-22T09:00:00Z: Changed { resource: Group, id: ObjectId(02bd9fd6-8f93-4758-87c3-1fb73740a315), kind: Updated, members: [], sequence: Some(638059995676961300) }");
    assert_snapshot!(shown("group-deleted-for-good.json"), @"0fc0d6db until 2026-11-22T09:00:00Z: Changed { resource: Group, id: ObjectId(02bd9fd6-8f93-4758-87c3-1fb73740a315), kind: Deleted, members: [], sequence: Some(638059995676961300) }");
    assert_snapshot!(shown("group-member-added.json"), @"0fc0d6db until 2026-11-22T09:00:00Z: Changed { resource: Group, id: ObjectId(02bd9fd6-8f93-4758-87c3-1fb73740a315), kind: Updated, members: [MemberHint { id: ObjectId(f1a9c7a2-0a44-4f4c-8a7b-0f0e1f8d2b11), removed: false }], sequence: Some(638059995676961300) }");
    assert_snapshot!(shown("group-member-removed.json"), @"0fc0d6db until 2026-11-22T09:00:00Z: Changed { resource: Group, id: ObjectId(02bd9fd6-8f93-4758-87c3-1fb73740a315), kind: Updated, members: [MemberHint { id: ObjectId(f1a9c7a2-0a44-4f4c-8a7b-0f0e1f8d2b11), removed: true }], sequence: Some(638059995676961300) }");
    assert_snapshot!(shown("group-members-added-and-removed.json"), @"0fc0d6db until 2026-11-22T09:00:00Z: Changed { resource: Group, id: ObjectId(02bd9fd6-8f93-4758-87c3-1fb73740a315), kind: Updated, members: [MemberHint { id: ObjectId(f1a9c7a2-0a44-4f4c-8a7b-0f0e1f8d2b11), removed: false }, MemberHint { id: ObjectId(f1a9c7a2-0a44-4f4c-8a7b-0f0e1f8d2b11), removed: true }, MemberHint { id: ObjectId(3c1be4f5-5f63-4e0a-9d54-2f9f8a3f8a22), removed: true }], sequence: Some(638059995676961300) }");
}

#[test]
fn one_post_speaks_of_several_subscriptions() {
    assert_snapshot!(shown("several-subscriptions-in-one-post.json"), @"
    7f105c7d until 2026-11-22T09:00:00Z: Changed { resource: User, id: ObjectId(87d349ed-44d7-43e1-9a83-5f2406dee5bd), kind: Updated, members: [], sequence: Some(638059995676961300) }
    0fc0d6db until 2026-11-22T09:00:00Z: Changed { resource: Group, id: ObjectId(02bd9fd6-8f93-4758-87c3-1fb73740a315), kind: Updated, members: [], sequence: Some(638059995676961300) }
    7f105c7d until 2026-11-22T09:00:00Z: Changed { resource: User, id: ObjectId(f1a9c7a2-0a44-4f4c-8a7b-0f0e1f8d2b11), kind: Updated, members: [], sequence: Some(638059995676961300) }
    ");
}

#[test]
fn one_unreadable_item_does_not_spoil_the_others() {
    assert_snapshot!(shown("unreadable-among-readable.json"), @"
    7f105c7d until 2026-11-22T09:00:00Z: Changed { resource: User, id: ObjectId(87d349ed-44d7-43e1-9a83-5f2406dee5bd), kind: Updated, members: [], sequence: Some(638059995676961300) }
    7f105c7d until 2026-11-22T09:00:00Z: unreadable, failed to the resource `Users/somebody` is not a user or a group
    7f105c7d until 2026-11-22T09:00:00Z: Changed { resource: User, id: ObjectId(f1a9c7a2-0a44-4f4c-8a7b-0f0e1f8d2b11), kind: Updated, members: [], sequence: Some(638059995676961300) }
    ");
}

#[test]
fn what_graph_says_of_a_subscription() {
    assert_snapshot!(shown("lifecycle-reauthorization-required.json"), @"7f105c7d until 2026-11-20T17:45:00Z: Lifecycle(ReauthorizationRequired)");
    assert_snapshot!(shown("lifecycle-subscription-removed.json"), @"7f105c7d until 2026-11-20T17:45:00Z: Lifecycle(SubscriptionRemoved)");
    assert_snapshot!(shown("lifecycle-missed.json"), @"7f105c7d until 2026-11-20T17:45:00Z: Lifecycle(Missed)");
    assert_snapshot!(shown("lifecycle-not-yet-known.json"), @r#"7f105c7d until 2026-11-20T17:45:00Z: Lifecycle(Other("somethingThatDoesNotExistYet"))"#);
}
