//! Everything that the simulated Graph answers: one line for each call with its query options, the permissions that
//! allow it, and its cost in resource units (Microsoft Graph throttling limits, identity and access).
use super::permissions as may;
use super::refusal::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ListUsers,
    CountUsers,
    UsersDelta,
    CreateUser,
    GetUser,
    PatchUser,
    DeleteUser,
    RestoreUser,
    RevokeSessions,
    /// A relation of a user as a collection.
    UserRelation(&'static str),
    UserRelationGroups(&'static str),
    AddSponsor,
    RemoveSponsor,
    GetManager,
    ListGroups,
    CountGroups,
    GroupsDelta,
    CreateGroup,
    GetGroup,
    PatchGroup,
    DeleteGroup,
    GroupRelation(&'static str),
    GroupRelationUsers(&'static str),
    CountMembers,
    AddLink(&'static str),
    RemoveLink(&'static str),
    /// DELETE of a member without `/$ref`: the object itself is deleted.
    DeleteLinked,
    Invite,
    ListSubscriptions,
    CreateSubscription,
    GetSubscription,
    RenewSubscription,
    DeleteSubscription,
    Reauthorize,
    GetDeleted,
    ListDeletedUsers,
    ListDeletedGroups,
    Restore,
    Purge,
    GetObject,
    GetByIds,
    ListOrganization,
    GetOrganization,
    ListAudits,
    GetAudit,
}

pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) operation: Operation,
    pub(crate) options: &'static [&'static str],
    pub(crate) permissions: &'static [&'static str],
    pub(crate) cost: u32,
}

const NONE: &[&str] = &[];
const ENTITY: &[&str] = &["$select", "$expand"];
const SELECT: &[&str] = &["$select"];
const COUNT: &[&str] = &["$filter"];
const LIST: &[&str] =
    &["$select", "$expand", "$filter", "$top", "$count", "$orderby", "$search", "$skiptoken"];
const DELTA: &[&str] = &["$select", "$filter", "$skiptoken", "$deltatoken"];
const BY_QUERY: &[&str] = &["@id"];

const fn route(
    method: &'static str,
    path: &'static str,
    operation: Operation,
    options: &'static [&'static str],
    permissions: &'static [&'static str],
    cost: u32,
) -> Route {
    Route { method, path, operation, options, permissions, cost }
}

#[rustfmt::skip]
pub(crate) const ROUTES: &[Route] = &[
    route("GET", "users", Operation::ListUsers, LIST, may::READ_USERS, 2),
    route("POST", "users", Operation::CreateUser, NONE, may::WRITE_USERS, 1),
    route("GET", "users/$count", Operation::CountUsers, COUNT, may::READ_USERS, 1),
    route("GET", "users/delta", Operation::UsersDelta, DELTA, may::READ_USERS, 2),
    route("GET", "users/{}", Operation::GetUser, ENTITY, may::READ_USERS, 1),
    route("PATCH", "users/{}", Operation::PatchUser, NONE, may::ENABLE_USERS, 1),
    route("DELETE", "users/{}", Operation::DeleteUser, NONE, may::DELETE_USERS, 1),
    route("POST", "users/{}/restore", Operation::RestoreUser, NONE, may::DELETE_USERS, 1),
    route("POST", "users/{}/revokeSignInSessions", Operation::RevokeSessions, NONE, may::REVOKE, 1),
    route("GET", "users/{}/sponsors", Operation::UserRelation("sponsors"), LIST, may::READ_SPONSORS, 1),
    route("POST", "users/{}/sponsors/$ref", Operation::AddSponsor, NONE, may::WRITE_USERS, 1),
    route("DELETE", "users/{}/sponsors/$ref", Operation::RemoveSponsor, BY_QUERY, may::WRITE_USERS, 1),
    route("DELETE", "users/{}/sponsors/{}/$ref", Operation::RemoveSponsor, NONE, may::WRITE_USERS, 1),
    route("GET", "users/{}/manager", Operation::GetManager, ENTITY, may::READ_USERS, 1),
    route("GET", "users/{}/memberOf", Operation::UserRelation("memberOf"), LIST, may::MEMBER_OF, 2),
    route("GET", "users/{}/memberOf/graph.group", Operation::UserRelationGroups("memberOf"), LIST, may::MEMBER_OF, 2),
    route("GET", "users/{}/transitiveMemberOf", Operation::UserRelation("transitiveMemberOf"), LIST, may::MEMBER_OF, 2),
    route("GET", "users/{}/transitiveMemberOf/graph.group", Operation::UserRelationGroups("transitiveMemberOf"), LIST, may::MEMBER_OF, 2),
    route("GET", "users/{}/ownedObjects", Operation::UserRelation("ownedObjects"), LIST, may::OWNED, 1),
    route("GET", "groups", Operation::ListGroups, LIST, may::READ_GROUPS, 1),
    route("POST", "groups", Operation::CreateGroup, NONE, may::CREATE_GROUPS, 1),
    route("GET", "groups/$count", Operation::CountGroups, COUNT, may::READ_GROUPS, 1),
    route("GET", "groups/delta", Operation::GroupsDelta, DELTA, may::READ_GROUPS, 1),
    route("GET", "groups/{}", Operation::GetGroup, ENTITY, may::READ_GROUPS, 1),
    route("PATCH", "groups/{}", Operation::PatchGroup, NONE, may::WRITE_MEMBERS, 1),
    route("DELETE", "groups/{}", Operation::DeleteGroup, NONE, may::DELETE_GROUPS, 1),
    route("GET", "groups/{}/members", Operation::GroupRelation("members"), LIST, may::READ_MEMBERS, 3),
    route("GET", "groups/{}/members/$count", Operation::CountMembers, NONE, may::READ_MEMBERS, 3),
    route("GET", "groups/{}/members/graph.user", Operation::GroupRelationUsers("members"), LIST, may::READ_MEMBERS, 3),
    route("POST", "groups/{}/members/$ref", Operation::AddLink("members"), NONE, may::WRITE_MEMBERS, 1),
    route("DELETE", "groups/{}/members/$ref", Operation::RemoveLink("members"), BY_QUERY, may::WRITE_MEMBERS, 1),
    route("DELETE", "groups/{}/members/{}/$ref", Operation::RemoveLink("members"), NONE, may::WRITE_MEMBERS, 1),
    route("DELETE", "groups/{}/members/{}", Operation::DeleteLinked, NONE, may::DELETE_USERS, 1),
    route("GET", "groups/{}/transitiveMembers", Operation::GroupRelation("transitiveMembers"), LIST, may::READ_MEMBERS, 5),
    route("GET", "groups/{}/transitiveMembers/graph.user", Operation::GroupRelationUsers("transitiveMembers"), LIST, may::READ_MEMBERS, 5),
    route("GET", "groups/{}/owners", Operation::GroupRelation("owners"), LIST, may::READ_OWNERS, 1),
    route("GET", "groups/{}/owners/graph.user", Operation::GroupRelationUsers("owners"), LIST, may::READ_OWNERS, 1),
    route("POST", "groups/{}/owners/$ref", Operation::AddLink("owners"), NONE, may::WRITE_GROUPS, 1),
    route("DELETE", "groups/{}/owners/$ref", Operation::RemoveLink("owners"), BY_QUERY, may::WRITE_GROUPS, 1),
    route("DELETE", "groups/{}/owners/{}/$ref", Operation::RemoveLink("owners"), NONE, may::WRITE_GROUPS, 1),
    route("DELETE", "groups/{}/owners/{}", Operation::DeleteLinked, NONE, may::DELETE_USERS, 1),
    route("POST", "invitations", Operation::Invite, NONE, may::INVITE, 1),
    route("GET", "subscriptions", Operation::ListSubscriptions, SELECT, may::SUBSCRIBE, 1),
    route("POST", "subscriptions", Operation::CreateSubscription, NONE, may::SUBSCRIBE, 1),
    route("GET", "subscriptions/{}", Operation::GetSubscription, SELECT, may::SUBSCRIBE, 1),
    route("PATCH", "subscriptions/{}", Operation::RenewSubscription, NONE, may::SUBSCRIBE, 1),
    route("DELETE", "subscriptions/{}", Operation::DeleteSubscription, NONE, may::SUBSCRIBE, 1),
    route("POST", "subscriptions/{}/reauthorize", Operation::Reauthorize, NONE, may::SUBSCRIBE, 1),
    route("GET", "directory/deletedItems/graph.user", Operation::ListDeletedUsers, LIST, may::READ_DELETED_USERS, 1),
    route("GET", "directory/deletedItems/graph.group", Operation::ListDeletedGroups, LIST, may::READ_DELETED_GROUPS, 1),
    route("GET", "directory/deletedItems/{}", Operation::GetDeleted, ENTITY, may::READ_DELETED, 1),
    route("DELETE", "directory/deletedItems/{}", Operation::Purge, NONE, may::PURGE, 1),
    route("POST", "directory/deletedItems/{}/restore", Operation::Restore, NONE, may::RESTORE, 1),
    route("POST", "directoryObjects/getByIds", Operation::GetByIds, SELECT, may::READ_OBJECTS, 5),
    route("GET", "directoryObjects/{}", Operation::GetObject, ENTITY, may::READ_OBJECTS, 1),
    route("GET", "organization", Operation::ListOrganization, SELECT, may::READ_ORGANIZATION, 1),
    route("GET", "organization/{}", Operation::GetOrganization, SELECT, may::READ_ORGANIZATION, 1),
    route("GET", "auditLogs/directoryAudits", Operation::ListAudits, LIST, may::READ_AUDIT, 1),
    route("GET", "auditLogs/directoryAudits/{}", Operation::GetAudit, SELECT, may::READ_AUDIT, 1),
];

/// The route of a call and what stands for its `{}`; 400 for an unknown path, 405 for a known one with another verb.
pub(crate) fn find(method: &str, path: &str) -> Result<(&'static Route, Vec<String>), Refusal> {
    let segments = segments(path)?;
    let mut known_path = false;
    for literal_first in [true, false] {
        for route in ROUTES {
            let Some(keys) = fit(route.path, &segments, literal_first) else { continue };
            if route.method == method {
                return Ok((route, keys));
            }
            known_path = true;
        }
    }
    match known_path {
        true => Err(Refusal::method()),
        false => Err(Refusal::no_segment(segments.last().map_or("", String::as_str))),
    }
}

/// The segments below the version, decoded, with `users('x')` and the long names of casts and functions brought to
/// one form.
fn segments(path: &str) -> Result<Vec<String>, Refusal> {
    let mut found = Vec::new();
    for raw in path.trim_start_matches('/').split('/') {
        let decoded = percent_decode(raw)?;
        if decoded.is_empty() {
            return Err(Refusal::bad_request("Invalid request: empty path segment."));
        }
        if let Some((set, key)) = decoded.strip_suffix("')").and_then(|open| open.split_once("('")) {
            found.extend([set.to_owned(), key.to_owned()]);
            continue;
        }
        let short = decoded.strip_prefix("microsoft.").unwrap_or(&decoded);
        found.push(match short {
            "delta()" | "graph.delta" | "graph.delta()" => "delta".to_owned(),
            "graph.user" | "graph.group" => short.to_owned(),
            _ => decoded,
        });
    }
    Ok(found)
}

fn percent_decode(raw: &str) -> Result<String, Refusal> {
    // A plus sign is itself in a path, unlike in a query.
    let safe = raw.replace('+', "%2B");
    let pair = format!("x={}", safe.replace('&', "%26").replace('=', "%3D"));
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned());
    let decoded = decoded.filter(|text| !text.contains(['\u{fffd}', '\0']));
    decoded.ok_or_else(|| Refusal::bad_request("Invalid request: the path is not UTF-8."))
}

/// With `literal_first`, the last segment of a template must not be a key: `users/delta` is no user called delta.
fn fit(template: &str, segments: &[String], literal_first: bool) -> Option<Vec<String>> {
    let parts: Vec<&str> = template.split('/').collect();
    if parts.len() != segments.len() || (literal_first && parts.last() == Some(&"{}")) {
        return None;
    }
    let mut keys = Vec::new();
    for (part, segment) in parts.iter().zip(segments) {
        match *part {
            "{}" if !segment.starts_with('$') => keys.push(segment.clone()),
            literal if literal == segment => {}
            _ => return None,
        }
    }
    Some(keys)
}

/// Resource units of one call: the base cost, less for `$select` and a small `$top`, more for `$expand`, never under
/// one.
pub(crate) fn cost(route: &Route, query: &crate::odata::Query) -> u32 {
    let reads = route.method == "GET" || route.operation == Operation::GetByIds;
    if !reads {
        return route.cost;
    }
    let small = query.get("$top").and_then(|top| top.parse::<u32>().ok()).is_some_and(|top| top < 20);
    let selected = query.get("$select").is_some();
    if route.operation == Operation::GetByIds {
        return if selected { 2 } else { route.cost };
    }
    let more = u32::from(query.get("$expand").is_some());
    let less = u32::from(selected) + u32::from(small);
    (route.cost + more).saturating_sub(less).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_operation_in_every_spelling() {
        for (method, path, operation) in [
            ("GET", "/users/delta()", Operation::UsersDelta),
            ("GET", "/users/delta", Operation::UsersDelta),
            ("GET", "/users/microsoft.graph.delta()", Operation::UsersDelta),
            ("GET", "/users('5')", Operation::GetUser),
            ("GET", "/users/a%2Bb%23EXT%23@contoso.com", Operation::GetUser),
            (
                "GET",
                "/users/1/transitiveMemberOf/microsoft.graph.group",
                Operation::UserRelationGroups("transitiveMemberOf"),
            ),
            ("DELETE", "/groups/1/members/2/$ref", Operation::RemoveLink("members")),
            ("DELETE", "/groups/1/members/2", Operation::DeleteLinked),
        ] {
            assert_eq!(find(method, path).map(|(route, _)| route.operation).ok(), Some(operation), "{path}");
        }
    }

    #[test]
    fn what_is_not_described_is_refused() {
        for (method, path, status) in [
            ("GET", "/people", 400),
            ("GET", "/Users", 400),
            ("GET", "/users//1", 400),
            ("PUT", "/users/1", 405),
            ("POST", "/users/delta", 405),
            ("GET", "/users/$value", 400),
        ] {
            assert_eq!(
                find(method, path).err().map(|refusal| refusal.status),
                Some(status),
                "{method} {path}"
            );
        }
    }

    #[test]
    fn a_selected_user_with_one_expansion_costs_one_unit() {
        let (route, _) = find("GET", "/users/1").unwrap();
        let query = crate::odata::Query::parse("$select=id&$expand=sponsors", route.options).unwrap();
        assert_eq!(cost(route, &query), 1);
    }
}
