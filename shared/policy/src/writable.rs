//! Groups that Graph will not let an app change, recognised by their properties before anything is tried. Each comes
//! with what a person must do instead.

use std::fmt;

use crate::group::{Group, Relation};

/// Why an app cannot change who belongs to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Obstacle {
    RoleAssignable,
    ManagementRestricted,
    OnPremises,
    Dynamic,
    MailEnabled,
}

impl Obstacle {
    /// A property that could not be read stands in nobody's way: Graph refuses by itself, and that is told, too.
    ///
    /// Sources: <https://learn.microsoft.com/graph/api/group-delete-members>,
    /// <https://learn.microsoft.com/graph/api/resources/groups-overview>,
    /// <https://learn.microsoft.com/entra/identity/role-based-access-control/admin-units-restricted-management>.
    pub(crate) fn of(group: &Group, relation: Relation) -> Option<Self> {
        let mail_only = group.mail_enabled == Some(true) && group.unified == Some(false);
        let computed = group.dynamic == Some(true) && relation == Relation::Member;
        [
            (group.role_assignable == Some(true), Self::RoleAssignable),
            (group.management_restricted == Some(true), Self::ManagementRestricted),
            (group.on_premises_synced == Some(true), Self::OnPremises),
            (computed, Self::Dynamic),
            (mail_only, Self::MailEnabled),
        ]
        .into_iter()
        .find_map(|(there, obstacle)| there.then_some(obstacle))
    }

    fn why(self) -> &'static str {
        match self {
            Self::RoleAssignable => {
                "it is role-assignable, and Guestlist never holds the permission to change such a group"
            }
            Self::ManagementRestricted => "it is in a restricted management administrative unit",
            Self::OnPremises => "it is synchronised from an on-premises directory",
            Self::Dynamic => "its members are computed by a rule",
            Self::MailEnabled => {
                "it is a distribution list or a mail-enabled security group, which Graph cannot change"
            }
        }
    }

    fn what_to_do(self, relation: Relation) -> String {
        let change = match relation {
            Relation::Member => "take the account out of it",
            Relation::Owner => "take the ownership from the account",
        };
        match self {
            Self::RoleAssignable => format!("a Privileged Role Administrator must {change}"),
            Self::ManagementRestricted => format!("somebody with a role in that unit must {change}"),
            Self::OnPremises => format!("somebody must {change} there"),
            Self::Dynamic => {
                "somebody must change the rule, or the property of the account that the rule asks for"
                    .to_owned()
            }
            Self::MailEnabled => format!("an Exchange administrator must {change}"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RoleAssignable => "role-assignable",
            Self::ManagementRestricted => "management-restricted",
            Self::OnPremises => "on-premises",
            Self::Dynamic => "dynamic",
            Self::MailEnabled => "mail-enabled",
        })
    }
}

/// Why Graph will not let an app change this relation of anybody to the group, and what a person must do.
#[must_use]
pub fn unwritable(group: &Group, relation: Relation) -> Option<String> {
    let obstacle = Obstacle::of(group, relation)?;
    Some(format!("{}; {}", obstacle.why(), obstacle.what_to_do(relation)))
}

#[cfg(test)]
mod tests {
    use model::ObjectId;

    use super::*;

    fn plain() -> Group {
        let no = Some(false);
        Group {
            dynamic: no,
            role_assignable: no,
            on_premises_synced: no,
            mail_enabled: no,
            unified: no,
            management_restricted: no,
            ..Group::unread(ObjectId::from_u128(7))
        }
    }

    #[test]
    fn what_graph_will_not_change_is_known_before_it_is_tried() {
        use Relation::{Member, Owner};
        let yes = Some(true);
        let check = |group: &Group, member: Option<Obstacle>, owner: Option<Obstacle>| {
            assert_eq!(
                (Obstacle::of(group, Member), Obstacle::of(group, Owner)),
                (member, owner),
                "{group:?}"
            );
            assert_eq!(unwritable(group, Member).is_some(), member.is_some());
        };
        let both = |group: Group, obstacle| check(&group, Some(obstacle), Some(obstacle));
        check(&plain(), None, None);
        check(&Group::unread(ObjectId::from_u128(7)), None, None);
        // Microsoft 365 groups have mail, and can be changed.
        check(&Group { mail_enabled: yes, unified: yes, ..plain() }, None, None);
        // A rule says who is a member; who owns the group is still somebody's decision.
        check(&Group { dynamic: yes, ..plain() }, Some(Obstacle::Dynamic), None);
        both(Group { mail_enabled: yes, ..plain() }, Obstacle::MailEnabled);
        both(Group { on_premises_synced: yes, mail_enabled: yes, ..plain() }, Obstacle::OnPremises);
        both(Group { management_restricted: yes, ..plain() }, Obstacle::ManagementRestricted);
        both(Group { role_assignable: yes, management_restricted: yes, ..plain() }, Obstacle::RoleAssignable);
    }

    #[test]
    fn a_person_is_told_why_and_what_to_do() {
        let synced = Group { on_premises_synced: Some(true), ..plain() };
        assert_eq!(
            unwritable(&synced, Relation::Owner).as_deref(),
            Some(
                "it is synchronised from an on-premises directory; somebody must take the ownership from the account \
                 there"
            )
        );
        let dynamic = Group { dynamic: Some(true), ..plain() };
        assert_eq!(
            unwritable(&dynamic, Relation::Member).as_deref(),
            Some(
                "its members are computed by a rule; somebody must change the rule, or the property of the account \
                 that the rule asks for"
            )
        );
    }
}
