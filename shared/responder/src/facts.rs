//! From what Graph says of a user and his groups to the facts that the policy judges.

use std::collections::{BTreeMap, BTreeSet};

use graph::{MembershipsRead, User};
use ledger::{Joined, Stored};
use model::{ObjectId, Snapshot, SponsorName, Suspension};
use policy::{Facts, Group, Identity, Inviter, Label, Membership, Memberships, Relation, Standing};

/// The facts about a user, without his standing and his groups.
#[must_use]
pub fn facts_of(user: User, verified_domains: &[String], suspensions: Vec<Suspension>) -> Facts {
    let identity = |identity: graph::Identity| Identity {
        sign_in_type: identity.sign_in_type,
        issuer: identity.issuer,
        issuer_assigned_id: identity.issuer_assigned_id,
    };
    let sponsor = |sponsor: graph::Sponsor| SponsorName { id: sponsor.id, name: sponsor.name };
    Facts {
        id: user.id,
        name: user.display_name,
        user_type: user.user_type,
        identities: user.identities.map(|all| all.into_iter().map(identity).collect()),
        mail: user.mail,
        other_mails: user.other_mails,
        proxy_addresses: user.proxy_addresses,
        user_principal_name: user.user_principal_name,
        invited_address: None,
        creation_type: user.creation_type,
        external_user_state: user.external_user_state,
        enabled: user.account_enabled,
        created_at: user.created_at,
        sponsors: user.sponsors.map(|all| all.into_iter().map(sponsor).collect()),
        inviter: Inviter::Unread,
        verified_domains: Some(verified_domains.to_vec()),
        on_premises_synced: user.on_premises_sync_enabled == Some(true),
        management_restricted: user.is_management_restricted == Some(true),
        standing: Standing::Unread,
        suspensions,
        memberships: Memberships::Unread,
        named_groups: BTreeMap::new(),
    }
}

/// What Graph says of a group.
#[must_use]
pub fn group_of(group: graph::Group) -> Group {
    let whole = group.is_whole();
    let has = |words: Option<&Vec<String>>, word: &str| {
        words.map(|words| words.iter().any(|one| one.eq_ignore_ascii_case(word)))
    };
    let label = |label: graph::AssignedLabel| Label { id: label.id, name: label.name };
    let by_rule = has(group.group_types.as_ref(), "DynamicMembership");
    Group {
        id: group.id,
        team: has(group.resource_provisioning_options.as_ref(), "Team"),
        unified: has(group.group_types.as_ref(), "Unified"),
        dynamic: by_rule.map(|by_rule| by_rule || group.membership_rule.is_some()),
        // A security group has none, and that is not the same as one that was not read.
        visibility: group.visibility.or_else(|| whole.then(|| NO_VISIBILITY.to_owned())),
        name: group.display_name,
        labels: group.assigned_labels.map(|labels| labels.into_iter().map(label).collect()),
        role_assignable: group.is_assignable_to_role,
        on_premises_synced: group.on_premises_sync_enabled,
        mail_enabled: group.mail_enabled,
        management_restricted: group.is_management_restricted,
    }
}

/// What anybody looks at who decides whether a guest may be in a group: its text is equal as long as that is.
pub(crate) fn as_seen(group: &Group) -> String {
    let yes = |flag: Option<bool>| flag.map_or("unread", |flag| if flag { "yes" } else { "no" });
    let name = group.name.as_deref().unwrap_or("unread");
    let labels = group.labels.as_ref().map_or_else(
        || "unread".to_owned(),
        |labels| {
            let mut texts: Vec<&str> =
                labels.iter().map(|label| label.name.as_deref().unwrap_or(&label.id)).collect();
            texts.sort_unstable();
            if texts.is_empty() { "none".to_owned() } else { format!("`{}`", texts.join("`, `")) }
        },
    );
    let visibility = group.visibility.as_deref().unwrap_or("unread");
    format!("name `{name}`, label {labels}, visibility {visibility}, team {}", yes(group.team))
}

const NO_VISIBILITY: &str = "none";

/// What a guest belongs to. `joined` names the memberships that are new; those in `unsettled` are left out, because what
/// was read of them contradicts what Graph has just told.
#[must_use]
pub fn memberships_of(
    read: MembershipsRead,
    joined: &BTreeSet<(ObjectId, Relation)>,
    unsettled: &BTreeSet<ObjectId>,
) -> Memberships {
    let MembershipsRead { member_of, owner_of } = read;
    let member_of = member_of.into_iter().map(|group| (group, Relation::Member));
    let all = member_of.chain(owner_of.into_iter().map(|group| (group, Relation::Owner)));
    let membership = |(group, relation): (graph::Group, Relation)| {
        let new = joined.contains(&(group.id, relation));
        Membership { group: group_of(group), relation, new }
    };
    let settled = |(group, relation): &(graph::Group, Relation)| {
        *relation == Relation::Owner || !unsettled.contains(&group.id)
    };
    Memberships::Known(all.filter(settled).map(membership).collect())
}

/// The new memberships, as the ledger has them.
#[must_use]
pub fn new_memberships(joined: &[Stored<Joined>]) -> BTreeSet<(ObjectId, Relation)> {
    let new = |Stored { value, .. }: &Stored<Joined>| {
        (value.group, if value.owner { Relation::Owner } else { Relation::Member })
    };
    joined.iter().map(new).collect()
}

/// What these facts show of all that a step can change.
#[must_use]
pub fn snapshot_of(facts: &Facts) -> Snapshot {
    let of = |wanted: Relation| match &facts.memberships {
        Memberships::Known(all) => {
            Some(all.iter().filter(|one| one.relation == wanted).map(|one| one.group.id).collect())
        }
        Memberships::Unread | Memberships::Unreadable { why: _ } => None,
    };
    let (member_of, owner_of) = (of(Relation::Member), of(Relation::Owner));
    Snapshot { there: Some(true), enabled: facts.enabled, member_of, owner_of, unsettled: BTreeSet::new() }
}

/// A group of which Graph shows nothing but the id may be role-assignable: then the standing is not known.
#[must_use]
pub fn standing_of(standing: graph::Standing) -> Standing {
    let graph::Standing { directory_roles, role_assignable_groups, hidden_groups, groups } = standing;
    let plain = directory_roles.is_empty() && role_assignable_groups.is_empty();
    if plain && !hidden_groups.is_empty() {
        let why = "the app may not read the guest's groups: grant it `GroupMember.Read.All`".to_owned();
        return Standing::Unreadable { why };
    }
    Standing::Known { directory_roles, role_assignable_groups, groups }
}

#[cfg(test)]
mod tests {
    use model::ObjectId;

    use super::*;

    fn user(other_mails: Option<Vec<String>>, proxy_addresses: Option<Vec<String>>) -> User {
        User {
            id: ObjectId::from_u128(1),
            display_name: None,
            user_principal_name: None,
            mail: Some("sam@fabrikam.com".to_owned()),
            other_mails,
            proxy_addresses,
            identities: None,
            user_type: None,
            creation_type: None,
            external_user_state: None,
            external_user_state_changed_at: None,
            account_enabled: None,
            created_at: None,
            on_premises_sync_enabled: None,
            is_management_restricted: None,
            company_name: None,
            sponsors: None,
        }
    }

    #[test]
    fn addresses_that_were_not_read_are_not_an_empty_list() {
        let facts = facts_of(user(None, Some(Vec::new())), &[], Vec::new());
        assert_eq!((facts.other_mails, facts.proxy_addresses), (None, Some(Vec::new())));
        let facts = facts_of(user(Some(vec!["x@y.example".to_owned()]), None), &[], Vec::new());
        assert_eq!((facts.other_mails, facts.proxy_addresses), (Some(vec!["x@y.example".to_owned()]), None));
    }
}
