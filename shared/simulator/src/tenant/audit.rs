//! The directory audit: rows that an invitation and its redemption leave, in the shape of `directoryAudit`.
//! Which rows there are follows public detection rules and Microsoft's audit activity reference.
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Tenant, User};
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
        self.audit(guest, "Add user", "Core Directory", "Add", by, json!([]), correlation, now);
        self.audit(guest, "Invite external user", "Invited Users", "Add", by, details, correlation, now);
        if matches!(by, Actor::Person(_)) {
            self.audit(guest, "Add user sponsor", "Core Directory", "Add", by, json!([]), correlation, now);
        }
    }

    pub(crate) fn audit_redemption(&mut self, guest: Uuid, now: Timestamp) {
        let correlation = self.new_id();
        let by = Actor::Person(guest);
        let activity = "Redeem external user invite";
        self.audit(guest, activity, "B2B Auth", "Update", by, json!([]), correlation, now);
    }

    #[expect(clippy::too_many_arguments, reason = "one column of the row each, used in this file only")]
    fn audit(
        &mut self,
        target: Uuid,
        activity: &str,
        service: &str,
        operation: &str,
        by: Actor,
        details: Value,
        correlation: Uuid,
        now: Timestamp,
    ) {
        let row = self.new_id();
        let upn = self.true_user(target).map(|user: &User| user.user_principal_name.clone());
        let document = json!({
            "id": format!("{}_{row}", service.replace(' ', "")),
            "category": "UserManagement",
            "correlationId": correlation.to_string(),
            "result": "success",
            "resultReason": "",
            "activityDisplayName": activity,
            "activityDateTime": dates::ticks(now),
            "loggedByService": service,
            "operationType": operation,
            "initiatedBy": self.initiator(by),
            "targetResources": [{
                "id": target.to_string(),
                "displayName": null,
                "type": "User",
                "userPrincipalName": upn,
                "groupType": null,
                "modifiedProperties": [],
            }],
            "additionalDetails": details,
        });
        self.audits.push(AuditRow { at: now, document });
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
