//! What the control API shows: the true state of the tenant, and a page of help.
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::directory;
use crate::graph::gate;
use crate::tenant::{UserType, documents};
use crate::world::World;

pub(super) async fn users(world: State<Arc<World>>) -> Json<Value> {
    let users = directory(&world).users();
    let shown = users.iter().map(|user| {
        json!({
            "id": user.id.to_string(),
            "name": user.display_name,
            "upn": user.user_principal_name,
            "mail": user.mail,
            "type": user.user_type.map(UserType::as_str),
            "state": user.external_user_state,
            "enabled": user.enabled,
            "deleted": user.deleted_at.is_some(),
            "invited_by": user.invited_by.map(|id| id.to_string()),
            "sponsors": user.sponsors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    Json(shown.collect())
}

pub(super) async fn groups(world: State<Arc<World>>) -> Json<Value> {
    let groups = directory(&world).groups();
    let shown = groups.iter().map(|group| {
        json!({
            "id": group.id.to_string(),
            "name": group.display_name,
            "kind": format!("{:?}", group.kind),
            "label": group.label.as_ref().map(|label| &label.name),
            "visibility": group.visibility,
            "dynamic": group.membership_rule.is_some(),
            "synced": group.on_premises_sync_enabled == Some(true),
            "restricted": group.management_restricted,
            "role_assignable": group.role_assignable,
            "members": group.members.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "owners": group.owners.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "deleted": group.deleted_at.is_some(),
            "graph": documents::of_group(group),
        })
    });
    Json(shown.collect())
}

pub(super) async fn subscriptions(world: State<Arc<World>>) -> Json<Value> {
    let subscriptions = directory(&world).subscriptions();
    let shown = subscriptions.iter().map(|subscription| {
        json!({
            "id": subscription.id.to_string(),
            "app": subscription.app.to_string(),
            "resource": subscription.resource,
            "change_type": subscription.change_type,
            "notification_url": subscription.notification_url,
            "lifecycle_url": subscription.lifecycle_url,
            "expires_at": subscription.expires_at.to_string(),
            "held": subscription.held,
        })
    });
    Json(shown.collect())
}

pub(super) async fn faults(State(world): State<Arc<World>>) -> Json<Value> {
    let faults = world.look(|state, _| state.faults.clone());
    Json(serde_json::to_value(faults).unwrap_or_default())
}

pub(super) async fn acts() -> Json<Value> {
    let graph = gate::described().into_iter().map(|(method, path)| format!("{method} /v1.0/{path}"));
    Json(json!({
        "people": "by id, user principal name, mail or display name",
        "groups": "by id or name",
        "members and owners": "a user, a group, a device or a service principal, by id or name, all of them as `user`",
        "POST": {
            "/control/invite": {"address": "mallory@evil.example", "name": "Mallory (optional)", "by": "alice@contoso.com", "member": false, "days_ago": 0},
            "/control/redeem": {"user": "mallory@evil.example", "with": "entra | microsoft | google | facebook | one-time-passcode"},
            "/control/add-user": {"upn": "dave@contoso.com", "name": "Dave (optional)", "guest": false},
            "/control/add-member": {"group": "Marketing", "user": "mallory@evil.example"},
            "/control/remove-member": {"group": "Marketing", "user": "mallory@evil.example"},
            "/control/add-owner": {"group": "Marketing", "user": "mallory@evil.example"},
            "/control/remove-owner": {"group": "Marketing", "user": "mallory@evil.example"},
            "/control/group": {"name": "Project X", "kind": "security | microsoft365 | team | mail-enabled-security | distribution", "label": "Confidential (optional)", "owner": "alice@contoso.com (optional)", "role_assignable": false, "rule": "for a dynamic group (optional)", "visibility": "Private | Public | HiddenMembership (optional)", "synced": false, "restricted": false},
            "/control/rename-group": {"group": "Project X", "name": "Finance X"},
            "/control/label": {"group": "Project X", "label": "Confidential, or null"},
            "/control/visibility": {"group": "Project X", "visibility": "Private | Public | HiddenMembership"},
            "/control/delete-group": {"group": "Project X"},
            "/control/restore-group": {"group": "Project X"},
            "/control/add-object": {"name": "Laptop 7", "kind": "device | service-principal"},
            "/control/disable": {"user": "mallory@evil.example"},
            "/control/enable": {"user": "mallory@evil.example"},
            "/control/promote": {"user": "mallory@evil.example"},
            "/control/delete": {"user": "mallory@evil.example"},
            "/control/restore": {"user": "mallory@evil.example"},
            "/control/purge": {"user": "mallory@evil.example"},
            "/control/role": {"user": "bob@contoso.com", "role": "User Administrator"},
            "/control/faults": {"stale": {"lag": "PT5S", "chance": 0.3}, "throttle": {"every": 10, "retry_after": {"seconds": 2}}},
        },
        "GET": ["/control/users", "/control/groups", "/control/subscriptions", "/control/faults", "/control/acts"],
        "graph": graph.collect::<Vec<_>>(),
    }))
}
