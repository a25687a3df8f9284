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
        other_mails: user.other_mails.unwrap_or_default(),
        proxy_addresses: user.proxy_addresses.unwrap_or_default(),
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
