//! From what Graph says of a user to the facts that the policy judges.

use graph::User;
use model::{SponsorName, Suspension};
use policy::{Facts, Identity, Standing};

/// The facts about a user, without his standing.
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
        verified_domains: Some(verified_domains.to_vec()),
        on_premises_synced: user.on_premises_sync_enabled == Some(true),
        management_restricted: user.is_management_restricted == Some(true),
        standing: Standing::Unread,
        suspensions,
    }
}

/// A group of which Graph shows nothing but the id may be role-assignable: then the standing is not known.
#[must_use]
pub fn standing_of(standing: graph::Standing) -> Standing {
    let graph::Standing { directory_roles, role_assignable_groups, hidden_groups } = standing;
    let plain = directory_roles.is_empty() && role_assignable_groups.is_empty();
    if plain && !hidden_groups.is_empty() {
        let why = "the app may not read the guest's groups: grant it `GroupMember.Read.All`".to_owned();
        return Standing::Unreadable { why };
    }
    Standing::Known { directory_roles, role_assignable_groups }
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
