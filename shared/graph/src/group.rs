//! A group as it is read for a judgement, and who is tied to it. What Graph withholds stays unknown here: of a group
//! that the app may not read Graph shows the id alone, and nulls that look like "no"
//! (<https://learn.microsoft.com/graph/permissions-overview#limited-information-returned-for-inaccessible-member-objects>).
//!
//! Never here: which group matters, or what can be written to it.

use model::ObjectId;
use serde_json::{Map, Value};

use crate::loose;
use crate::page::Entry;

/// `None` is unknown, but for the two properties that say otherwise
/// (<https://learn.microsoft.com/graph/api/resources/group>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub id: ObjectId,
    pub display_name: Option<String>,
    /// `Unified` and `DynamicMembership`; empty for an ordinary security group.
    pub group_types: Option<Vec<String>>,
    pub mail_enabled: Option<bool>,
    pub security_enabled: Option<bool>,
    pub is_assignable_to_role: Option<bool>,
    /// `Private`, `Public` or `HiddenMembership`; also `None` on groups that have none, see [`Group::is_whole`].
    pub visibility: Option<String>,
    /// `Team` where a team stands behind the group.
    pub resource_provisioning_options: Option<Vec<String>>,
    /// Also `None` on groups that have none, see [`Group::is_whole`].
    pub membership_rule: Option<String>,
    pub on_premises_sync_enabled: Option<bool>,
    pub is_management_restricted: Option<bool>,
    /// Sensitivity labels.
    pub assigned_labels: Option<Vec<AssignedLabel>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedLabel {
    pub id: String,
    pub name: Option<String>,
}

/// Somebody or something tied to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Linked {
    pub id: ObjectId,
    pub kind: LinkedKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkedKind {
    User,
    ServicePrincipal,
    /// Anything else, and what Graph does not tell the type of.
    Other,
}

impl Group {
    pub(crate) const QUERY: &'static str = "$select=id,displayName,groupTypes,mailEnabled,securityEnabled,\
        isAssignableToRole,visibility,resourceProvisioningOptions,membershipRule,onPremisesSyncEnabled,\
        isManagementRestricted,assignedLabels";
    /// The same of every group in a collection, in the largest pages that Graph gives.
    pub(crate) const QUERY_ALL: &'static str = "$select=id,displayName,groupTypes,mailEnabled,securityEnabled,\
        isAssignableToRole,visibility,resourceProvisioningOptions,membershipRule,onPremisesSyncEnabled,\
        isManagementRestricted,assignedLabels&$top=999";

    /// Whether Graph showed the group and not only its id: every group has a name, and says whether it has mail and
    /// whether it is a security group. Where it did, `None` in `visibility` and `membership_rule` means that there is
    /// none.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.display_name.is_some() && self.mail_enabled.is_some() && self.security_enabled.is_some()
    }

    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let object = value.as_object().ok_or("a group is not an object")?;
        let id = loose::text(object, "id").and_then(|id| id.parse().ok());
        Ok(Self::of(id.ok_or("a group has no id that is a GUID")?, object))
    }

    fn of(id: ObjectId, object: &Map<String, Value>) -> Self {
        let mut group = Self {
            display_name: loose::text(object, "displayName"),
            mail_enabled: loose::flag(object, "mailEnabled"),
            security_enabled: loose::flag(object, "securityEnabled"),
            ..Self::withheld(id)
        };
        // An empty list in an object that is withheld says nothing either.
        if group.display_name.is_some() {
            group.group_types = loose::texts(object, "groupTypes");
            group.visibility = loose::text(object, "visibility");
            group.membership_rule = loose::text(object, "membershipRule");
            group.assigned_labels = loose::list(object, "assignedLabels", AssignedLabel::read);
        }
        if group.is_whole() {
            group.is_assignable_to_role = flag_or_no(object.get("isAssignableToRole"));
            group.on_premises_sync_enabled = flag_or_no(object.get("onPremisesSyncEnabled"));
            // Graph shows it only to those who ask for it: where it is absent, nobody has said no.
            group.is_management_restricted =
                object.get("isManagementRestricted").and_then(|value| flag_or_no(Some(value)));
            group.resource_provisioning_options = match object.get("resourceProvisioningOptions") {
                None | Some(Value::Null) => Some(Vec::new()),
                Some(_) => loose::texts(object, "resourceProvisioningOptions"),
            };
        }
        group
    }

    fn withheld(id: ObjectId) -> Self {
        Self {
            id,
            display_name: None,
            group_types: None,
            mail_enabled: None,
            security_enabled: None,
            is_assignable_to_role: None,
            visibility: None,
            resource_provisioning_options: None,
            membership_rule: None,
            on_premises_sync_enabled: None,
            is_management_restricted: None,
            assigned_labels: None,
        }
    }

    /// The groups of a collection that also holds roles, administrative units, applications and more.
    pub(crate) fn among(items: &[Value]) -> Result<Vec<Self>, String> {
        let mut groups = Vec::new();
        for value in items {
            let Entry { id, kind, fields } = Entry::read(value)?;
            match kind.as_deref() {
                Some("group") => groups.push(Self::of(id, fields)),
                Some(_) => {}
                None => return Err("an item does not tell its type".to_owned()),
            }
        }
        // Pages may overlap.
        groups.sort_by_key(|group| group.id);
        groups.dedup_by_key(|group| group.id);
        Ok(groups)
    }
}

/// Graph writes "no" as null where nobody has ever said yes.
fn flag_or_no(value: Option<&Value>) -> Option<bool> {
    match value {
        None | Some(Value::Null) => Some(false),
        Some(value) => value.as_bool(),
    }
}

impl AssignedLabel {
    fn read(value: &Value) -> Option<Self> {
        let object = value.as_object()?;
        Some(Self { id: loose::text(object, "labelId")?, name: loose::text(object, "displayName") })
    }
}

impl Linked {
    /// Graph tells the type beside the id, whatever is selected.
    pub(crate) const QUERY: &'static str = "$select=id&$top=999";

    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let Entry { id, kind, fields: _ } = Entry::read(value)?;
        let kind = match kind.as_deref() {
            Some("user") => LinkedKind::User,
            Some("serviceprincipal") => LinkedKind::ServicePrincipal,
            Some(_) | None => LinkedKind::Other,
        };
        Ok(Self { id, kind })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "6AA00000-0000-4000-8000-00000000000F";

    fn read(fields: &Value) -> Group {
        let mut object = json!({"id": ID});
        object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Group::read(&object).unwrap()
    }

    #[test]
    fn a_team_is_read_with_everything_that_was_asked_for() {
        let group = read(&json!({
            "displayName": "Project X", "groupTypes": ["Unified", "DynamicMembership"], "mailEnabled": true,
            "securityEnabled": false, "isAssignableToRole": true, "visibility": "Private",
            "resourceProvisioningOptions": ["Team"], "membershipRule": "user.userType -eq \"Guest\"",
            "onPremisesSyncEnabled": true, "isManagementRestricted": true,
            "assignedLabels": [{"labelId": "l1", "displayName": "Confidential"}, {"labelId": "l2"}],
        }));
        assert_eq!(group.id.to_string(), ID.to_lowercase());
        assert!(group.is_whole());
        assert_eq!(group.group_types.unwrap(), ["Unified", "DynamicMembership"]);
        assert_eq!(group.resource_provisioning_options.unwrap(), ["Team"]);
        assert_eq!((group.visibility.as_deref(), group.is_assignable_to_role), (Some("Private"), Some(true)));
        assert_eq!(
            (group.on_premises_sync_enabled, group.is_management_restricted),
            (Some(true), Some(true))
        );
        assert!(group.membership_rule.unwrap().contains("Guest"));
        let label =
            |id: &str, name: Option<&str>| AssignedLabel { id: id.into(), name: name.map(Into::into) };
        assert_eq!(group.assigned_labels.unwrap(), [label("l1", Some("Confidential")), label("l2", None)]);
    }

    #[test]
    fn null_means_no_on_a_group_that_graph_shows() {
        let nulls = json!({
            "displayName": "Sales", "groupTypes": [], "mailEnabled": false, "securityEnabled": true,
            "isAssignableToRole": null, "visibility": null, "resourceProvisioningOptions": null,
            "membershipRule": null, "onPremisesSyncEnabled": null, "isManagementRestricted": null,
            "assignedLabels": [],
        });
        let absent = json!({"displayName": "Sales", "mailEnabled": false, "securityEnabled": true});
        for fields in [&nulls, &absent] {
            let group = read(fields);
            assert!(group.is_whole());
            assert_eq!(
                (group.is_assignable_to_role, group.on_premises_sync_enabled),
                (Some(false), Some(false))
            );
            assert_eq!(group.resource_provisioning_options.as_deref(), Some(&[] as &[String]));
        }
        let (nulls, absent) = (read(&nulls), read(&absent));
        assert_eq!((nulls.is_management_restricted, nulls.assigned_labels), (Some(false), Some(Vec::new())));
        assert_eq!(
            (absent.is_management_restricted, absent.assigned_labels, absent.group_types),
            (None, None, None)
        );
    }

    #[test]
    fn nothing_is_known_of_a_group_that_graph_withholds() {
        let withheld = json!({
            "displayName": null, "groupTypes": [], "mailEnabled": null, "securityEnabled": null,
            "isAssignableToRole": null, "visibility": null, "resourceProvisioningOptions": [],
            "membershipRule": null, "onPremisesSyncEnabled": null, "isManagementRestricted": null,
            "assignedLabels": [],
        });
        for fields in [&withheld, &json!({})] {
            let group = read(fields);
            assert!(!group.is_whole());
            assert_eq!(group, Group::withheld(group.id));
        }
    }

    #[test]
    fn a_name_alone_does_not_turn_nulls_into_no() {
        let group = read(&json!({"displayName": "Basic", "isAssignableToRole": null, "mailEnabled": null}));
        assert!(!group.is_whole());
        assert_eq!((group.is_assignable_to_role, group.on_premises_sync_enabled), (None, None));
        assert_eq!(group.resource_provisioning_options, None);
    }

    #[test]
    fn an_oddly_typed_property_is_unknown_and_spoils_nothing_else() {
        let group = read(&json!({
            "displayName": "Odd", "mailEnabled": true, "securityEnabled": false, "isAssignableToRole": "no",
            "onPremisesSyncEnabled": 0, "isManagementRestricted": "x", "resourceProvisioningOptions": "Team",
            "groupTypes": ["Unified", 7], "assignedLabels": [{"displayName": "Confidential"}],
        }));
        assert_eq!((group.is_assignable_to_role, group.on_premises_sync_enabled), (None, None));
        assert_eq!(
            (group.is_management_restricted, group.resource_provisioning_options.as_ref()),
            (None, None)
        );
        assert_eq!((group.group_types, group.assigned_labels), (None, None));
        assert_eq!(group.display_name.as_deref(), Some("Odd"));
    }

    #[test]
    fn only_groups_are_taken_from_a_mixed_collection_each_once() {
        let item = |n: u128, kind: &str| json!({"@odata.type": format!("#microsoft.graph.{kind}"), "id": ObjectId::from_u128(n), "displayName": "x"});
        let items = [
            item(2, "group"),
            item(3, "directoryRole"),
            item(4, "administrativeUnit"),
            item(5, "application"),
            item(1, "Group"),
            item(2, "group"),
        ];
        let ids: Vec<_> = Group::among(&items).unwrap().into_iter().map(|group| group.id).collect();
        assert_eq!(ids, [ObjectId::from_u128(1), ObjectId::from_u128(2)]);
        assert!(Group::among(&[json!({"id": ID})]).is_err(), "an item without a type might be a group");
        assert!(Group::among(&[json!({"@odata.type": "#microsoft.graph.group", "id": "x"})]).is_err());
    }

    #[test]
    fn one_group_and_all_groups_are_asked_for_the_same_properties() {
        assert_eq!(Group::QUERY_ALL, format!("{}&$top=999", Group::QUERY));
    }
}
