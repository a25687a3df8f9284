//! `$select` and `$expand`: what an answer shows of a document. Without `$select` only what the reference returns by
//! default; of objects whose type the caller may not read, only type and id (Microsoft Graph permissions overview).
use serde_json::{Map, Value};
use uuid::Uuid;

use super::query::no_property;
use super::{Form, Type};
use crate::graph::call::Caller;
use crate::graph::permissions;
use crate::graph::refusal::Refusal;
use crate::tenant::{Group, Object, OtherKind, Relation, View, documents};

#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) names: Option<Vec<String>>,
    pub(crate) expand: Option<Box<Expansion>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Expansion {
    pub(crate) relation: String,
    pub(crate) selection: Selection,
}

/// An expanded relation of a directory object is cut off here, without a link to the rest.
const EXPANDED_AT_MOST: usize = 20;

impl Selection {
    pub(crate) fn parse(of: Type, select: Option<&str>, expand: Option<&str>) -> Result<Self, Refusal> {
        let names = select.map(|text| Self::names_of(of, text)).transpose()?;
        let expand = expand.map(|text| Expansion::parse(of, text)).transpose()?.map(Box::new);
        Ok(Self { names, expand })
    }

    fn names_of(of: Type, text: &str) -> Result<Vec<String>, Refusal> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        match names.iter().find(|name| of.property(name).is_none()) {
            Some(unknown) => Err(no_property(of, unknown)),
            None => Ok(names),
        }
    }

    pub(crate) fn names(&self, name: &str) -> bool {
        self.names.as_ref().is_some_and(|names| names.iter().any(|known| known == name))
    }

    /// The `(a,b)` that the context of an answer carries.
    pub(crate) fn context_suffix(&self) -> String {
        self.names.as_ref().map(|names| format!("({})", names.join(","))).unwrap_or_default()
    }

    /// What is shown of `document`, an instance of `of`.
    pub(crate) fn show(&self, of: Type, document: &Map<String, Value>) -> Map<String, Value> {
        let wanted = of.properties().filter(|property| match &self.names {
            Some(names) => names.iter().any(|name| name == property.name),
            None => property.default,
        });
        let mut shown = Map::new();
        for property in wanted {
            let found = document.get(property.name).cloned().unwrap_or(Value::Null);
            let empty_list = matches!(property.form, Form::Texts | Form::Objects);
            match (found, empty_list) {
                (Value::Null, true) => drop(shown.insert(property.name.to_owned(), Value::Array(Vec::new()))),
                (Value::Null, false) if !property.nullable || property.name == "signInActivity" => {}
                (value, _) => drop(shown.insert(property.name.to_owned(), value)),
            }
        }
        shown
    }

    /// Type and id only, the rest null: the caller may not read this type.
    fn show_limited(&self, of: Type, id: Uuid) -> Map<String, Value> {
        let mut nothing = Map::new();
        nothing.insert("id".to_owned(), Value::String(id.to_string()));
        let mut shown = self.show(of, &nothing);
        shown.insert("id".to_owned(), Value::String(id.to_string()));
        shown
    }
}

impl Expansion {
    fn parse(of: Type, text: &str) -> Result<Self, Refusal> {
        let (relation, options) = match text.trim().split_once('(') {
            Some((relation, rest)) => {
                let inner = rest.strip_suffix(')');
                (relation, Some(inner.ok_or_else(|| Refusal::bad_request("Syntax error in $expand."))?))
            }
            None => (text.trim(), None),
        };
        if relation.contains(',') || options.is_some_and(|inner| inner.contains(')')) {
            let message = "Only one property can be expanded in a single query.";
            return Err(Refusal::unsupported_query(message));
        }
        if !of.relations().contains(&relation) {
            return Err(no_property(of, relation));
        }
        let mut selection = Selection::default();
        if let Some(inner) = options {
            let names = inner.trim().strip_prefix("$select=").filter(|names| !names.contains(';'));
            let names = names.ok_or_else(|| {
                Refusal::unsupported_query("Only $select is supported within $expand of directory objects.")
            })?;
            selection.names = Some(Selection::names_of(Type::DirectoryObject, names)?);
        }
        Ok(Self { relation: relation.to_owned(), selection })
    }
}

/// The type of a live object.
pub(crate) fn type_of(object: Object<'_>) -> Type {
    match object {
        Object::User(_) => Type::User,
        Object::Group(_) => Type::Group,
        Object::Role(_) => Type::Role,
        Object::Other(other) => match other.kind {
            OtherKind::ServicePrincipal => Type::ServicePrincipal,
            OtherKind::Device => Type::Device,
        },
    }
}

/// One object of a collection of mixed types, with its `@odata.type`.
pub(crate) fn show_mixed(object: Object<'_>, selection: &Selection, caller: &Caller) -> Value {
    let of = type_of(object);
    let shown = match caller.has_any(permissions::readers_of(of)) {
        true => selection.show(of, &documents::of_object(object)),
        false => selection.show_limited(of, object.id()),
    };
    let mut tagged = Map::new();
    tagged.insert("@odata.type".to_owned(), Value::String(format!("#{}", of.name())));
    tagged.extend(shown);
    Value::Object(tagged)
}

/// One object of a collection of its own type, with what `$expand` adds.
pub(crate) fn show_plain(
    object: Object<'_>,
    selection: &Selection,
    view: &View<'_>,
    caller: &Caller,
) -> Value {
    let of = type_of(object);
    let mut shown = selection.show(of, &documents::of_object(object));
    if let Some(expansion) = &selection.expand {
        let related = related(object, &expansion.relation, view, caller);
        let mut values: Vec<Value> = related
            .into_iter()
            .take(EXPANDED_AT_MOST)
            .map(|object| show_mixed(object, &expansion.selection, caller))
            .collect();
        let value = match expansion.relation.as_str() {
            "manager" => values.pop(),
            _ => Some(Value::Array(values)),
        };
        shown.extend(value.map(|value| (expansion.relation.clone(), value)));
    }
    Value::Object(shown)
}

/// Who is in a group with `visibility: HiddenMembership` is told to those alone who have this beside the permission to
/// read members. The others are not refused: they see no members, and do not see the group among somebody's groups.
const HIDDEN: &str = "Member.Read.Hidden";

pub(crate) fn hides_members(group: &Group, caller: &Caller) -> bool {
    group.visibility.as_deref() == Some("HiddenMembership") && !caller.has(HIDDEN)
}

/// The objects of a navigation property, as far as the caller may know of them.
pub(crate) fn related<'a>(
    object: Object<'a>,
    relation: &str,
    view: &View<'a>,
    caller: &Caller,
) -> Vec<Object<'a>> {
    let id = object.id();
    let known = |mut found: Vec<Object<'a>>| {
        found.retain(|object| !matches!(object, Object::Group(group) if hides_members(group, caller)));
        found
    };
    match (relation, object) {
        ("members" | "transitiveMembers", Object::Group(group)) if hides_members(group, caller) => Vec::new(),
        ("memberOf", _) => known(view.member_of(id)),
        ("transitiveMemberOf", _) => known(view.transitive_member_of(id)),
        ("ownedObjects", Object::User(_)) => {
            view.groups_of(id, Relation::Owner).into_iter().map(Object::Group).collect()
        }
        ("sponsors", Object::User(user)) => user.sponsors.iter().filter_map(|id| view.object(*id)).collect(),
        ("manager", Object::User(user)) => user.manager.and_then(|id| view.object(id)).into_iter().collect(),
        ("members", Object::Group(group)) => view.linked(group, Relation::Member),
        ("owners", Object::Group(group)) => view.linked(group, Relation::Owner),
        ("transitiveMembers", Object::Group(group)) => view.transitive_members(group),
        (_, Object::User(_) | Object::Group(_) | Object::Role(_) | Object::Other(_)) => Vec::new(),
    }
}
