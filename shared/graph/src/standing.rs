//! What protects an account from an app without a directory role: roles, and groups to which roles can be assigned
//! (<https://learn.microsoft.com/entra/identity/role-based-access-control/privileged-roles-permissions>).

use std::collections::BTreeSet;

use model::ObjectId;
use serde_json::Value;

use crate::loose;
use crate::page::Entry;

/// Active roles over the whole tenant. Roles that are only eligible (PIM), and roles that are assigned over an
/// administrative unit, are not seen: `transitiveMemberOf` names neither
/// (<https://learn.microsoft.com/graph/api/user-list-transitivememberof>).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// Names of directory roles, held directly or through a group.
    pub directory_roles: Vec<String>,
    /// As member (however deep) or as owner.
    pub role_assignable_groups: Vec<ObjectId>,
    /// Groups of which Graph shows the id alone, because the app may not read groups: any of them may be
    /// role-assignable.
    pub hidden_groups: Vec<ObjectId>,
    /// Every group of which he is a member, however deep, those of which only the id is shown included. Groups that
    /// hide their members are missing where the app lacks `Member.Read.Hidden`.
    pub groups: BTreeSet<ObjectId>,
}

impl Standing {
    /// `isAssignableToRole` is null on ordinary groups, so that only a missing name tells that it was withheld.
    pub(crate) const QUERY: &'static str = "$select=id,displayName,isAssignableToRole&$top=999";

    pub(crate) fn read(member_of: &[Value], owned: &[Value]) -> Result<Self, String> {
        let mut roles = Vec::new();
        let (mut assignable, mut hidden) = (BTreeSet::new(), BTreeSet::new());
        let mut groups = BTreeSet::new();
        let as_member = member_of.iter().map(|value| (value, true));
        for (value, is_member) in as_member.chain(owned.iter().map(|value| (value, false))) {
            let Entry { id, kind, fields } = Entry::read(value)?;
            if is_member && matches!(kind.as_deref(), Some("group") | None) {
                groups.insert(id);
            }
            let name = loose::text(fields, "displayName");
            match kind.as_deref() {
                Some("directoryrole") => roles.push(name.unwrap_or_else(|| id.to_string())),
                _other if loose::flag(fields, "isAssignableToRole") == Some(true) => {
                    assignable.insert(id);
                }
                Some("group") | None if name.is_none() => {
                    hidden.insert(id);
                }
                Some(_) | None => {}
            }
        }
        roles.sort();
        roles.dedup();
        Ok(Self {
            directory_roles: roles,
            role_assignable_groups: assignable.into_iter().collect(),
            hidden_groups: hidden.into_iter().collect(),
            groups,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn roles_and_role_assignable_groups_are_found_as_member_and_as_owner() {
        let id = |n: u128| ObjectId::from_u128(n);
        let object = |n: u128, kind: &str, name: Option<&str>, assignable: Option<bool>| {
            let kind = format!("#microsoft.graph.{kind}");
            json!({"@odata.type": kind, "id": id(n), "displayName": name, "isAssignableToRole": assignable})
        };
        let member_of = [
            object(1, "directoryRole", Some("User Administrator"), None),
            object(2, "group", Some("Admins"), Some(true)),
            object(3, "group", Some("Sales"), None),
            object(4, "administrativeUnit", None, None),
            object(5, "group", None, None),
        ];
        let owned = [
            object(6, "group", Some("Owners"), Some(true)),
            object(2, "group", Some("Admins"), Some(true)),
            object(7, "application", Some("App"), None),
        ];
        let expected = Standing {
            directory_roles: vec!["User Administrator".into()],
            role_assignable_groups: vec![id(2), id(6)],
            hidden_groups: vec![id(5)],
            groups: BTreeSet::from([id(2), id(3), id(5)]),
        };
        assert_eq!(Standing::read(&member_of, &owned), Ok(expected));
        assert!(Standing::read(&[json!({"id": "x"})], &[]).is_err());
    }
}
