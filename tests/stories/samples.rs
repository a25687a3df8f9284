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
    assert_snapshot!(shown("user-updated.json"), @"");
    assert_snapshot!(shown("user-deleted-for-good.json"), @"");
}

#[test]
fn what_graph_says_of_a_group() {
    assert_snapshot!(shown("group-updated.json"), @"");
    assert_snapshot!(shown("group-deleted-for-good.json"), @"");
    assert_snapshot!(shown("group-member-added.json"), @"");
    assert_snapshot!(shown("group-member-removed.json"), @"");
    assert_snapshot!(shown("group-members-added-and-removed.json"), @"");
}

#[test]
fn one_post_speaks_of_several_subscriptions() {
    assert_snapshot!(shown("several-subscriptions-in-one-post.json"), @"");
}

#[test]
fn one_unreadable_item_does_not_spoil_the_others() {
    assert_snapshot!(shown("unreadable-among-readable.json"), @"");
}

#[test]
fn what_graph_says_of_a_subscription() {
    assert_snapshot!(shown("lifecycle-reauthorization-required.json"), @"");
    assert_snapshot!(shown("lifecycle-subscription-removed.json"), @"");
    assert_snapshot!(shown("lifecycle-missed.json"), @"");
    assert_snapshot!(shown("lifecycle-not-yet-known.json"), @"");
}
