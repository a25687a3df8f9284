//! The items of a delta answer: live objects, what is left of deleted ones, and slices of the links of groups.
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::Call;
use super::delta::Token;
use crate::odata::{Selection, Type};
use crate::tenant::{Change, LinkChange, Object, ObjectKind, Relation, View, documents};

/// One item: an object, or one slice of a large group.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Rises from entry to entry and stays the same from page to page.
    pub(crate) key: u64,
    id: Uuid,
    links: Vec<Link>,
    /// What changed, for `Prefer: return=minimal`.
    properties: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    object: Uuid,
    relation: Relation,
    added: bool,
}

/// What became of one object, with the last word on each of its links.
#[derive(Default)]
struct Changes {
    last: u64,
    properties: Vec<String>,
    links: BTreeMap<(Uuid, &'static str), Link>,
}

/// Slices of one object lie between its own key and the next one.
const SLICES: u64 = 1 << 20;

/// Every live object, in the order of creation.
pub(crate) fn everything(view: &View<'_>, token: &Token, slice: usize) -> Vec<Entry> {
    let mut found: Vec<(u64, Uuid, Vec<Link>)> = match token.kind() {
        ObjectKind::User => view.live_users().map(|(place, user)| (place, user.id, Vec::new())).collect(),
        ObjectKind::Group => view
            .live_groups()
            .map(|(place, group)| {
                let links = wanted(token).flat_map(|relation| {
                    let objects = group.linked(relation).iter();
                    objects.map(move |object| Link { object: *object, relation, added: true })
                });
                (place, group.id, links.collect())
            })
            .collect(),
    };
    found.retain(|(_, id, _)| token.covers(*id));
    found.sort_by_key(|(place, _, _)| *place);
    found.into_iter().flat_map(|(place, id, links)| sliced(place, id, links, Vec::new(), slice)).collect()
}

/// What changed after `since`, in the order of the last change.
pub(crate) fn changed(view: &View<'_>, token: &Token, since: u64, slice: usize) -> Vec<Entry> {
    let log = view.tenant.log.iter().filter(|change| change.of == token.kind() && token.covers(change.id));
    let mut found: BTreeMap<Uuid, Changes> = BTreeMap::new();
    let log = log.filter(|change| change.sequence > since && change.sequence <= token.until);
    for change in log.filter(|change| tracked(change, token)) {
        let Changes { last, properties, links } = found.entry(change.id).or_default();
        *last = change.sequence;
        properties.extend(change.properties.iter().cloned());
        for link in &change.links {
            let now = Link { object: link.object, relation: link.relation, added: link.added };
            if wanted(token).any(|relation| relation == link.relation) {
                links.insert((link.object, link.relation.property()), now);
            }
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(_, changes)| changes.last);
    let entries = found.into_iter().flat_map(|(id, Changes { last, properties, links })| {
        sliced(last, id, links.into_values().collect(), properties, slice)
    });
    entries.collect()
}

/// A delta query with `$select` follows what was selected and nothing else; what is gone, back or new is always told
/// (<https://learn.microsoft.com/graph/delta-query-overview>).
fn tracked(change: &Change, token: &Token) -> bool {
    let Some(selected) = &token.select else { return true };
    let of_life = ["id", "deletedDateTime"];
    let named = |name: &String| selected.contains(name) || of_life.contains(&name.as_str());
    let linked = |link: &LinkChange| wanted(token).any(|relation| relation == link.relation);
    change.purged || change.properties.iter().any(named) || change.links.iter().any(linked)
}

fn wanted(token: &Token) -> impl Iterator<Item = Relation> {
    let all = [Relation::Member, Relation::Owner].into_iter();
    all.filter(|relation| token.links.iter().any(|name| name == relation.property()))
}

fn sliced(place: u64, id: Uuid, links: Vec<Link>, properties: Vec<String>, slice: usize) -> Vec<Entry> {
    let key = |at: u64| place.saturating_mul(SLICES).saturating_add(at);
    if links.is_empty() {
        return vec![Entry { key: key(0), id, links, properties }];
    }
    let slices = (0u64..).zip(links.chunks(slice.max(1)));
    let entry = |(at, links): (u64, &[Link])| Entry {
        key: key(at),
        id,
        links: links.to_vec(),
        properties: properties.clone(),
    };
    slices.map(entry).collect()
}

pub(crate) fn show(view: &View<'_>, call: &Call, token: &Token, entry: Entry) -> Value {
    let Entry { key: _, id, links, properties } = entry;
    let live = match token.kind() {
        ObjectKind::User => view.user(id).map(|user| (Type::User, documents::of_user(user))),
        ObjectKind::Group => view.group(id).map(|group| (Type::Group, documents::of_group(group))),
    };
    let Some((of, document)) = live else { return removed(view, id) };
    let selection = Selection { names: token.select.clone(), expand: None };
    let mut shown = selection.show(of, &document);
    if call.minimal && token.since.is_some() {
        shown.retain(|name, _| properties.contains(name));
    }
    shown.insert("id".to_owned(), json!(id.to_string()));
    for relation in [Relation::Member, Relation::Owner] {
        let of_relation = links.iter().filter(|link| link.relation == relation);
        let items: Vec<Value> = of_relation.map(|link| show_link(view, *link)).collect();
        if !items.is_empty() {
            shown.insert(format!("{}@delta", relation.property()), Value::Array(items));
        }
    }
    Value::Object(shown)
}

/// `changed` = can be restored, `deleted` = gone for good.
fn removed(view: &View<'_>, id: Uuid) -> Value {
    let restorable = view.deleted_user(id).is_some() || view.deleted_group(id).is_some();
    let reason = if restorable { "changed" } else { "deleted" };
    json!({"id": id.to_string(), "@removed": {"reason": reason}})
}

fn show_link(view: &View<'_>, link: Link) -> Value {
    let of = match view.object(link.object) {
        Some(object @ (Object::Group(_) | Object::Role(_) | Object::Other(_) | Object::User(_))) => {
            crate::odata::select::type_of(object)
        }
        None if view.tenant.groups.contains_key(&link.object) => Type::Group,
        None => Type::User,
    };
    let mut shown = Map::new();
    shown.insert("@odata.type".to_owned(), json!(format!("#{}", of.name())));
    shown.insert("id".to_owned(), json!(link.object.to_string()));
    if !link.added {
        shown.insert("@removed".to_owned(), json!({"reason": "deleted"}));
    }
    Value::Object(shown)
}
