//! The one way in which collections are answered: filter, order, count, page, show. Also single objects.
use serde_json::Value;

use super::call::{Answer, Call};
use super::refusal::Refusal;
use crate::odata::select::{show_mixed, show_plain, type_of};
use crate::odata::{Filter, Selection, Type, page};
use crate::tenant::{Object, View, documents};

const PAGE: usize = 100;
const LARGEST_PAGE: usize = 999;

/// What a collection is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Objects of one type that the caller may read.
    Own(Type),
    /// Mixed types, each with its `@odata.type`; those that the caller may not read show their id only.
    Mixed,
    /// The objects of one type out of a mixed collection.
    Cast(Type),
}

impl Shape {
    fn type_of_items(self) -> Type {
        match self {
            Self::Own(of) | Self::Cast(of) => of,
            Self::Mixed => Type::DirectoryObject,
        }
    }

    fn set(self) -> &'static str {
        match self.type_of_items() {
            Type::User => "users",
            Type::Group => "groups",
            Type::DirectoryObject | Type::Role | Type::ServicePrincipal | Type::Device => "directoryObjects",
            Type::Organization => "organization",
            Type::Audit => "auditLogs/directoryAudits",
            Type::Subscription => "subscriptions",
        }
    }
}

/// Answers a list of objects, which carry their place in the order of creation.
pub(crate) fn answer(
    call: &Call,
    view: &View<'_>,
    mut items: Vec<(u64, Object<'_>)>,
    shape: Shape,
    page_at_most: Option<usize>,
) -> Result<Answer, Refusal> {
    let of = shape.type_of_items();
    let selection = call.query.selection(of)?;
    let filter = call.query.filter(of, call.eventual)?;
    let order = call.query.order(of)?;
    if let Shape::Cast(wanted) = shape {
        items.retain(|(_, object)| type_of(*object) == wanted);
    }
    if let Some(filter) = &filter {
        items.retain(|(_, object)| filter.matches(&documents::of_object(*object)));
    }
    items.sort_by_key(|(place, _)| *place);
    if let Some((name, descending)) = &order {
        let key = |object: &Object<'_>| {
            let document = documents::of_object(*object);
            document.get(name).and_then(Value::as_str).unwrap_or_default().to_lowercase()
        };
        items.sort_by_cached_key(|(_, object)| key(object));
        if *descending {
            items.reverse();
        }
    }
    let count = call.query.count()?.then_some(items.len());
    let size = call.query.top(LARGEST_PAGE)?.unwrap_or(PAGE).min(page_at_most.unwrap_or(LARGEST_PAGE));
    let question = format!("{}?{}", call.path, page::without_token(&call.raw_query));
    let page = page::cut(items, size, call.query.get("$skiptoken"), &question, order.is_some())?;
    let shown = page.items.into_iter().map(|object| match shape {
        Shape::Own(_) => show_plain(object, &selection, view, &call.caller),
        Shape::Mixed => show_mixed(object, &selection, &call.caller),
        Shape::Cast(_) => untyped(show_mixed(object, &selection, &call.caller)),
    });
    let value = shown.collect();
    let context = call.context(&format!("{}{}", shape.set(), selection.context_suffix()));
    Ok(Answer::collection(context, count, page.next.map(|token| call.next_link(&token)), value))
}

fn untyped(mut shown: Value) -> Value {
    if let Value::Object(map) = &mut shown {
        map.remove("@odata.type");
    }
    shown
}

/// Each has a place of its own, so that a page goes on behind the last object of the one before, whichever replica answers.
pub(crate) fn placed<'a>(objects: Vec<Object<'a>>) -> Vec<(u64, Object<'a>)> {
    let place = |object: &Object<'_>| {
        let (first, second) = object.id().as_u64_pair();
        (first ^ second.rotate_left(32)).max(1)
    };
    objects.into_iter().map(|object| (place(&object), object)).collect()
}

pub(crate) fn one(call: &Call, view: &View<'_>, object: Object<'_>) -> Result<Answer, Refusal> {
    let of = type_of(object);
    let selection = call.query.selection(of)?;
    let shown = show_plain(object, &selection, view, &call.caller);
    let context = format!("{}{}/$entity", Shape::Own(of).set(), selection.context_suffix());
    Ok(Answer::entity(200, call.context(&context), shown))
}

/// One object under a path that does not say its type.
pub(crate) fn one_mixed(call: &Call, object: Object<'_>) -> Result<Answer, Refusal> {
    let selection = call.query.selection(Type::DirectoryObject)?;
    let shown = show_mixed(object, &selection, &call.caller);
    let context = format!("directoryObjects{}/$entity", selection.context_suffix());
    Ok(Answer::entity(200, call.context(&context), shown))
}

/// A bare number; `$count` as a path segment is an advanced query.
pub(crate) fn count(
    call: &Call,
    of: Type,
    documents: impl Iterator<Item = documents::Document>,
) -> Result<Answer, Refusal> {
    if !call.eventual {
        let message = "$count as a segment needs the header 'ConsistencyLevel: eventual'.";
        return Err(Refusal::unsupported_query(message));
    }
    let filter = call.query.get("$filter").map(|text| Filter::parse(text, of)).transpose()?;
    let counted = documents.filter(|document| filter.as_ref().is_none_or(|filter| filter.matches(document)));
    Ok(Answer::plain(counted.count().to_string()))
}

/// What a restoration answers: the object with its type, whatever the app may read.
pub(crate) fn one_restored(call: &Call, object: Object<'_>) -> Result<Answer, Refusal> {
    let of = type_of(object);
    let mut shown = serde_json::Map::new();
    shown.insert("@odata.type".to_owned(), Value::String(format!("#{}", of.name())));
    shown.extend(Selection::default().show(of, &documents::of_object(object)));
    Ok(Answer::entity(200, call.context("directoryObjects/$entity"), Value::Object(shown)))
}
