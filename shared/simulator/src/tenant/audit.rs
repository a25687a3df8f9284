//! The directory audit: rows that invitations, redemptions and the acts of people and apps leave, in the shape of
//! `directoryAudit`. Which rows there are follows public detection rules and Microsoft's audit activity reference.
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Group, LinkChange, Object, OtherKind, Relation, Tenant, User};
use crate::dates;

#[derive(Clone, Debug)]
pub(crate) struct AuditRow {
    pub(crate) at: Timestamp,
    pub(crate) document: Value,
}

/// Who did it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Actor {
    Person(Uuid),
    App(Uuid),
}

/// One row, but for what is the same in all.
struct Row<'a> {
    id: Uuid,
    activity: &'a str,
    service: &'a str,
    category: &'a str,
    operation: &'a str,
    by: Actor,
    targets: Value,
    details: Value,
    correlation: Uuid,
    at: Timestamp,
}

impl Tenant {
    /// The three rows of one invitation: the user is added, invited, and given a sponsor.
    pub(crate) fn audit_invitation(&mut self, guest: Uuid, address: &str, by: Actor, now: Timestamp) {
        let correlation = self.new_id();
        let invitation = self.new_id();
        let details = json!([
            {"key": "oid", "value": match by { Actor::Person(id) | Actor::App(id) => id.to_string() }},
            {"key": "tid", "value": self.id.to_string()},
            {"key": "ipaddr", "value": "192.0.2.10"},
            {"key": "wids", "value": ""},
            {"key": "InvitationId", "value": invitation.to_string()},
            {"key": "invitedUserEmailAddress", "value": address},
        ]);
        let added = |activity, id| Row { id, correlation, ..Row::of_user(activity, "Add", by, now) };
        let id = self.new_id();
        self.audit_user(guest, added("Add user", id));
        let id = self.new_id();
        let invited = Row { service: "Invited Users", details, ..added("Invite external user", id) };
        self.audit_user(guest, invited);
        if matches!(by, Actor::Person(_)) {
            let id = self.new_id();
            self.audit_user(guest, added("Add user sponsor", id));
        }
    }

    pub(crate) fn audit_redemption(&mut self, guest: Uuid, now: Timestamp) {
        let (correlation, id) = (self.new_id(), self.new_id());
        let row = Row::of_user("Redeem external user invite", "Update", Actor::Person(guest), now);
        self.audit_user(guest, Row { id, service: "B2B Auth", correlation, ..row });
    }

    /// What became of an account, told by whoever acts at this moment.
    pub(super) fn audit_account(&mut self, before: &User, after: &User, now: Timestamp) {
        let Some(by) = self.acting else { return };
        let mut activities = Vec::new();
        match (before.enabled, after.enabled) {
            (true, false) => activities.push(("Disable account", "Update")),
            (false, true) => activities.push(("Enable account", "Update")),
            (true, true) | (false, false) => {}
        }
        match (before.deleted_at, after.deleted_at) {
            (None, Some(_)) => activities.push(("Delete user", "Delete")),
            (Some(_), None) => activities.push(("Restore user", "Update")),
            (None, None) | (Some(_), Some(_)) => {}
        }
        for (activity, operation) in activities {
            let (id, correlation) = (self.passing_id(), self.passing_id());
            self.audit_user(after.id, Row { id, correlation, ..Row::of_user(activity, operation, by, now) });
        }
    }

    /// Who came into a group and who left it, told by whoever acts at this moment. The row names the one first and the
    /// group second, and the group once more among the modified properties, as JSON inside a text.
    pub(super) fn audit_links(&mut self, group: &Group, changes: &[LinkChange], now: Timestamp) {
        let Some(by) = self.acting else { return };
        for LinkChange { object, relation, added } in changes {
            let (activity, operation) = match (relation, added) {
                (Relation::Member, true) => ("Add member to group", "Assign"),
                (Relation::Member, false) => ("Remove member from group", "Unassign"),
                (Relation::Owner, true) => ("Add owner to group", "Assign"),
                (Relation::Owner, false) => ("Remove owner from group", "Unassign"),
            };
            let changed = |name: &str, value: &str| {
                let value = json!(json!(value).to_string());
                let (old, new) = if *added { (Value::Null, value) } else { (value, Value::Null) };
                json!({"displayName": name, "oldValue": old, "newValue": new})
            };
            let id = group.id.to_string();
            let named = [changed("Group.ObjectID", &id), changed("Group.DisplayName", &group.display_name)];
            let of = match self.truth().object(*object) {
                Some(Object::Group(_)) => "Group",
                Some(Object::Role(_)) => "Role",
                Some(Object::Other(other)) => match other.kind {
                    OtherKind::ServicePrincipal => "ServicePrincipal",
                    OtherKind::Device => "Device",
                },
                Some(Object::User(_)) | None => "User",
            };
            let upn = self.true_user(*object).map(|user| user.user_principal_name.clone());
            let targets = json!([
                {
                    "id": object.to_string(), "displayName": null, "type": of, "userPrincipalName": upn,
                    "groupType": null, "modifiedProperties": named,
                },
                {
                    "id": id, "displayName": null, "type": "Group", "userPrincipalName": null,
                    "groupType": if group.kind.unified() { "unifiedGroups" } else { "azureAD" },
                    "modifiedProperties": [],
                },
            ]);
            let (id, correlation) = (self.passing_id(), self.passing_id());
            let row = Row::of_user(activity, operation, by, now);
            self.audit(Row { id, category: "GroupManagement", targets, correlation, ..row });
        }
    }

    fn audit_user(&mut self, target: Uuid, row: Row<'_>) {
        let upn = self.true_user(target).map(|user: &User| user.user_principal_name.clone());
        let targets = json!([{
            "id": target.to_string(),
            "displayName": null,
            "type": "User",
            "userPrincipalName": upn,
            "groupType": null,
            "modifiedProperties": [],
        }]);
        self.audit(Row { targets, ..row });
    }

    fn audit(&mut self, row: Row<'_>) {
        let Row { id, activity, service, category, operation, by, targets, details, correlation, at } = row;
        let document = json!({
            "id": format!("{}_{id}", service.replace(' ', "")),
            "category": category,
            "correlationId": correlation.to_string(),
            "result": "success",
            "resultReason": "",
            "activityDisplayName": activity,
            "activityDateTime": dates::ticks(at),
            "loggedByService": service,
            "operationType": operation,
            "initiatedBy": self.initiator(by),
            "targetResources": targets,
            "additionalDetails": details,
        });
        self.audits.push(AuditRow { at, document });
    }

    fn initiator(&self, by: Actor) -> Value {
        match by {
            Actor::Person(id) => {
                let upn = self.true_user(id).map(|user| user.user_principal_name.clone());
                let user = json!({
                    "id": id.to_string(), "displayName": null, "userPrincipalName": upn, "ipAddress": "192.0.2.10",
                });
                json!({"app": null, "user": user})
            }
            Actor::App(id) => {
                let app = json!({
                    "appId": id.to_string(), "displayName": null, "servicePrincipalId": null,
                    "servicePrincipalName": null,
                });
                json!({"app": app, "user": null})
            }
        }
    }
}

impl<'a> Row<'a> {
    /// A row of the directory itself; its ids and its target are filled in where it is written.
    fn of_user(activity: &'a str, operation: &'a str, by: Actor, at: Timestamp) -> Self {
        Self {
            id: Uuid::nil(),
            activity,
            service: "Core Directory",
            category: "UserManagement",
            operation,
            by,
            targets: json!([]),
            details: json!([]),
            correlation: Uuid::nil(),
            at,
        }
    }
}
