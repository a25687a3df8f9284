//! Directory roles: their well-known template ids, who holds them, and whom an app with a role may touch.
//! Facts: Microsoft Learn, "Who can perform sensitive actions" and the list of built-in roles.
use uuid::Uuid;

use super::{Relation, Role, Tenant};

/// Template ids of built-in roles that people write policies about.
const TEMPLATES: &[(&str, &str)] = &[
    ("Global Administrator", "62e90394-69f5-4237-9190-012177145e10"),
    ("Privileged Authentication Administrator", "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"),
    ("User Administrator", "fe930be7-5e62-47db-91af-98c3a49a38b1"),
    ("Guest Inviter", "95e79109-95c0-4d8e-aee3-d01accf2d47b"),
    ("Helpdesk Administrator", "729827e3-9c14-49f7-bb1b-9608f156bbb8"),
    ("Directory Readers", "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"),
    ("Groups Administrator", "fdd7a751-b60b-444a-984c-02652fe8fa1c"),
    ("Message Center Reader", "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b"),
    ("Password Administrator", "966707d0-3269-4727-9be2-8c3a10f19b9d"),
    ("Reports Reader", "4a5d8f65-41da-4de4-8968-e035b65339cf"),
];

/// The roles whose holders a User Administrator may touch.
const LIMITED: &[&str] = &[
    "Directory Readers",
    "Groups Administrator",
    "Guest Inviter",
    "Helpdesk Administrator",
    "Message Center Reader",
    "Password Administrator",
    "Reports Reader",
    "User Administrator",
];

/// How well a user is protected against sensitive writes by apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protection {
    None,
    /// Holds only roles that a User Administrator may touch.
    Limited,
    /// Holds another role, or is member or owner of a role-assignable group.
    Privileged,
}

impl Tenant {
    /// The role of that name, activated if need be.
    pub(crate) fn role_mut(&mut self, name: &str) -> &mut Role {
        let known = TEMPLATES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let name = known.map_or(name, |(known, _)| known).to_owned();
        let template = known.and_then(|(_, id)| Uuid::parse_str(id).ok());
        let (id, spare) = (self.new_id(), self.new_id());
        self.roles.entry(name.clone()).or_insert_with(|| Role {
            id,
            template: template.unwrap_or(spare),
            name,
            holders: std::collections::BTreeSet::new(),
        })
    }

    pub(crate) fn protection_of(&self, user: Uuid) -> Protection {
        let view = self.truth();
        let held = |relation| view.groups_of(user, relation).into_iter().any(|group| group.role_assignable);
        if held(Relation::Member) || held(Relation::Owner) {
            return Protection::Privileged;
        }
        let of_role = |role: &Role| match LIMITED.contains(&role.name.as_str()) {
            true => Protection::Limited,
            false => Protection::Privileged,
        };
        let held = self.roles.values().filter(|role| role.holders.contains(&user));
        held.map(of_role).max().unwrap_or(Protection::None)
    }
}

impl Protection {
    /// Whether an app whose service principal holds `roles` may do a sensitive write.
    pub(crate) fn yields_to(self, roles: &[String]) -> bool {
        let holds = |name: &str| roles.iter().any(|role| role.eq_ignore_ascii_case(name));
        let privileged = holds("Privileged Authentication Administrator") || holds("Global Administrator");
        match self {
            Self::None => true,
            Self::Limited => privileged || holds("User Administrator"),
            Self::Privileged => privileged,
        }
    }
}
