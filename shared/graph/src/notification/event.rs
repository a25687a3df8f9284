//! What one item says: which object changed and how, or what became of a subscription.

use model::{ChangeKind, MemberHint, ObjectId, ResourceKind, SubscriptionId, TenantId};

use super::fields::Fields;
use super::{Event, Lifecycle, Unreadable, quote};

pub(super) fn read(item: &Fields<'_>) -> Result<Event, Unreadable> {
    item.each_once()?;
    item.text("clientState")?;
    guid::<SubscriptionId>(item, "subscriptionId")?;
    guid::<TenantId>(item, "tenantId")?;
    if let Some(event) = item.text("lifecycleEvent")? {
        return Ok(Event::Lifecycle(Lifecycle::read(&event)));
    }
    let kind = change(item)?;
    let path = item.text("resource")?.map(|text| Path::read(&text)).transpose()?;
    let Some(data) = item.object("resourceData")? else {
        let named = path.and_then(|path| Some((path.resource, path.id?)));
        let (resource, id) = named.ok_or_else(|| wrong("it names no object"))?;
        return Ok(Event::Changed { resource, id, kind, members: Vec::new(), sequence: None });
    };
    data.each_once()?;
    if let (Some(tenant), Some(of_object)) =
        (guid::<TenantId>(item, "tenantId")?, guid::<TenantId>(&data, "organizationId")?)
        && tenant != of_object
    {
        return Err(wrong("tenantId and organizationId name different tenants"));
    }
    let resource = resource(path.as_ref(), &data)?;
    let id = id(path.as_ref(), &data)?;
    let members = match resource {
        ResourceKind::Group => members(&data)?,
        ResourceKind::User => Vec::new(),
    };
    Ok(Event::Changed { resource, id, kind, members, sequence: sequence(&data) })
}

fn wrong(why: &str) -> Unreadable {
    Unreadable(why.to_owned())
}

fn guid<T: std::str::FromStr>(fields: &Fields<'_>, key: &str) -> Result<Option<T>, Unreadable> {
    let Some(text) = fields.text(key)? else {
        return Ok(None);
    };
    let read = text.parse().map(Some);
    read.map_err(|_| Unreadable(format!("`{key}` is `{}`, which is not a GUID", quote(&text))))
}

impl Lifecycle {
    fn read(event: &str) -> Self {
        match event.to_ascii_lowercase().as_str() {
            "missed" => Self::Missed,
            "subscriptionremoved" => Self::SubscriptionRemoved,
            "reauthorizationrequired" => Self::ReauthorizationRequired,
            _unheard_of => Self::Other(quote(event)),
        }
    }
}

fn change(item: &Fields<'_>) -> Result<ChangeKind, Unreadable> {
    let text =
        item.text("changeType")?.ok_or_else(|| wrong("it has neither changeType nor lifecycleEvent"))?;
    match text.to_ascii_lowercase().as_str() {
        "updated" => Ok(ChangeKind::Updated),
        "deleted" => Ok(ChangeKind::Deleted),
        _other => Err(Unreadable(format!("the change type `{}` is not updated or deleted", quote(&text)))),
    }
}

/// `Users/{id}`, with or without a slash before it, `users('{id}')`, or the collection alone.
struct Path {
    resource: ResourceKind,
    id: Option<ObjectId>,
}

impl Path {
    fn read(text: &str) -> Result<Self, Unreadable> {
        let unknown = || Unreadable(format!("the resource `{}` is not a user or a group", quote(text)));
        let bare = text.strip_prefix('/').unwrap_or(text);
        let (collection, id) = match bare.split_once(['/', '(']) {
            None => (bare, None),
            Some((collection, rest)) if bare.contains('(') => {
                let id = rest.strip_prefix('\'').and_then(|rest| rest.strip_suffix("')"));
                (collection, Some(id.ok_or_else(unknown)?))
            }
            Some((collection, rest)) => (collection, Some(rest)),
        };
        let resource = match collection.to_ascii_lowercase().as_str() {
            "users" => ResourceKind::User,
            "groups" => ResourceKind::Group,
            _other => return Err(unknown()),
        };
        let id = id.map(str::parse).transpose().map_err(|_| unknown())?;
        Ok(Self { resource, id })
    }
}

fn resource(path: Option<&Path>, data: &Fields<'_>) -> Result<ResourceKind, Unreadable> {
    let typed = data.text("@odata.type")?;
    let kind = match typed.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None => None,
        Some("#microsoft.graph.user") => Some(ResourceKind::User),
        Some("#microsoft.graph.group") => Some(ResourceKind::Group),
        Some(other) => {
            return Err(Unreadable(format!("an object of type `{}` is not a user or a group", quote(other))));
        }
    };
    match (path.map(|path| path.resource), kind) {
        (Some(path), Some(kind)) if path != kind => {
            Err(wrong("resource and resourceData name different types"))
        }
        (Some(either), _) | (None, Some(either)) => Ok(either),
        (None, None) => Err(wrong("it names neither a resource nor a type")),
    }
}

fn id(path: Option<&Path>, data: &Fields<'_>) -> Result<ObjectId, Unreadable> {
    match (path.and_then(|path| path.id), guid(data, "id")?) {
        (Some(path), Some(id)) if path != id => Err(wrong("resource and resourceData name different ids")),
        (Some(either), _) | (None, Some(either)) => Ok(either),
        (None, None) => Err(wrong("it names no object")),
    }
}

/// A number or a text; anything that is not 64 bits is as good as none, because nothing is decided by it.
fn sequence(data: &Fields<'_>) -> Option<u64> {
    data.get("sequenceNumber").ok()??.get().trim_matches('"').parse().ok()
}

/// Undocumented, and seen with `"@removed": "deleted"`; delta queries write `{"reason": "deleted"}`.
fn members(data: &Fields<'_>) -> Result<Vec<MemberHint>, Unreadable> {
    let member = |member: Fields<'_>| {
        member.each_once()?;
        let id = guid(&member, "id")?.ok_or_else(|| wrong("a member has no id"))?;
        let removed = match member.get("@removed")?.map(|raw| raw.get().as_bytes()) {
            None => false,
            Some([b'"' | b'{', ..]) => true,
            Some(_) => return Err(wrong("a member's `@removed` is neither a text nor an object")),
        };
        Ok(MemberHint { id, removed })
    };
    data.objects("members@delta")?.into_iter().map(member).collect()
}
