//! What kind of user an account is. Told from `identities` and `userType`; never from a domain, an address, or the
//! `#EXT#` in a name, all of which somebody can choose. Two server-written properties, `creationType` and
//! `externalUserState`, stand in for the identity that an invited guest gets only when he redeems.

use model::GuestKind;

use crate::domain::{is_one_of, normalise_domain};
use crate::facts::{Facts, Identity};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Host credentials, `userType` Member: nobody that Guestlist judges.
    InternalMember,
    Outsider(GuestKind),
    /// What decides it could not be read, or contradicts itself. An internal member may hide here.
    Unknown {
        /// Never empty.
        could_be: Vec<GuestKind>,
        why: String,
    },
}

/// The rule, from <https://learn.microsoft.com/entra/external-id/user-properties>:
///
/// 1. An identity is *host* when its issuer is one of our verified domains. Else it is *external* when it is federated
///    (whatever the issuer), an e-mail address of another issuer, or of another foreign issuer. A user name or user
///    principal name of a foreign issuer contradicts itself and decides nothing.
/// 2. One external identity makes the account external.
/// 3. Without one: `externalUserState` PendingAcceptance makes it external (invited, not redeemed), and so does
///    `creationType` Invitation or SelfServiceSignUp on a Guest. On a Member those two only say where the account once
///    came from: an account that was converted to an internal one keeps them.
/// 4. Otherwise, host credentials only.
///
/// External and Guest is a guest, external and Member an external member, host and Guest a local guest, host and Member
/// an internal member. `identities` or `userType` unread means unknown.
#[must_use]
pub fn kind_of(facts: &Facts) -> Kind {
    let user_type = UserType::of(facts);
    let external = match is_external(facts, user_type) {
        Ok(external) => external,
        Err(why) => {
            return Kind::Unknown { could_be: user_type.could_be(None), why };
        }
    };
    match (user_type, external) {
        (UserType::Guest, true) => Kind::Outsider(GuestKind::Guest),
        (UserType::Guest, false) => Kind::Outsider(GuestKind::LocalGuest),
        (UserType::Member, true) => Kind::Outsider(GuestKind::ExternalMember),
        (UserType::Member, false) => Kind::InternalMember,
        (UserType::Unread, _) => Kind::Unknown {
            could_be: user_type.could_be(Some(external)),
            why: "`userType` could not be read".to_owned(),
        },
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UserType {
    Guest,
    Member,
    Unread,
}

impl UserType {
    fn of(facts: &Facts) -> Self {
        match facts.user_type.as_deref() {
            Some(text) if text.eq_ignore_ascii_case("Guest") => Self::Guest,
            Some(text) if text.eq_ignore_ascii_case("Member") => Self::Member,
            Some(_) | None => Self::Unread,
        }
    }

    fn could_be(self, external: Option<bool>) -> Vec<GuestKind> {
        match (self, external) {
            (Self::Guest, _) => vec![GuestKind::Guest, GuestKind::LocalGuest],
            (Self::Member, _) => vec![GuestKind::ExternalMember],
            (Self::Unread, Some(true)) => vec![GuestKind::Guest, GuestKind::ExternalMember],
            (Self::Unread, Some(false)) => vec![GuestKind::LocalGuest],
            (Self::Unread, None) => GuestKind::ALL.to_vec(),
        }
    }
}

fn is_external(facts: &Facts, user_type: UserType) -> Result<bool, String> {
    let Some(identities) = &facts.identities else {
        return Err("`identities` could not be read".to_owned());
    };
    let own = facts.verified_domains.as_deref();
    let credentials: Vec<Credential> = identities.iter().map(|identity| credential(identity, own)).collect();
    let pending = is(facts.external_user_state.as_ref(), "PendingAcceptance");
    let came_from_outside = is(facts.creation_type.as_ref(), "Invitation")
        || is(facts.creation_type.as_ref(), "SelfServiceSignUp");
    if credentials.contains(&Credential::External)
        || pending
        || (came_from_outside && user_type == UserType::Guest)
    {
        return Ok(true);
    }
    if credentials.contains(&Credential::Undecided) {
        return Err(match own {
            Some(_) => "the issuer of an identity is neither ours nor foreign".to_owned(),
            None => "the tenant's verified domains could not be read".to_owned(),
        });
    }
    if credentials.is_empty() {
        return Err("`identities` is empty".to_owned());
    }
    Ok(false)
}

fn is(text: Option<&String>, word: &str) -> bool {
    text.is_some_and(|text| text.eq_ignore_ascii_case(word))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credential {
    Host,
    External,
    Undecided,
}

/// Issuers that Microsoft documents, none of which needs the list of our own domains to be told from it.
const FOREIGN_BY_NAME: [&str; 3] = ["ExternalAzureAD", "MicrosoftAccount", "mail"];

fn credential(identity: &Identity, own: Option<&[String]>) -> Credential {
    let issuer = identity.issuer.as_deref();
    // `None`: nobody can say.
    let ours = match (issuer, own) {
        (Some(issuer), _) if FOREIGN_BY_NAME.iter().any(|name| name.eq_ignore_ascii_case(issuer)) => {
            Some(false)
        }
        (Some(issuer), Some(own)) => {
            Some(normalise_domain(issuer).is_some_and(|issuer| is_one_of(own, &issuer)))
        }
        (Some(issuer), None) if normalise_domain(issuer).is_none() => Some(false),
        (Some(_), None) | (None, _) => None,
    };
    let sign_in_type = identity.sign_in_type.as_deref().unwrap_or_default();
    let named = sign_in_type.eq_ignore_ascii_case("userPrincipalName")
        || sign_in_type.eq_ignore_ascii_case("userName");
    let federated = sign_in_type.eq_ignore_ascii_case("federated");
    match ours {
        Some(true) => Credential::Host,
        None if named => Credential::Host,
        Some(false) if named => Credential::Undecided,
        None if federated && issuer.is_none() => Credential::External,
        Some(false) => Credential::External,
        None => Credential::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use model::ObjectId;

    use super::*;

    fn identity(sign_in_type: &str, issuer: &str) -> Identity {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Identity { sign_in_type: text(sign_in_type), issuer: text(issuer), issuer_assigned_id: None }
    }

    fn host() -> Identity {
        identity("userPrincipalName", "contoso.onmicrosoft.com")
    }

    fn facts(user_type: &str, identities: &[Identity]) -> Facts {
        Facts {
            user_type: Some(user_type.to_owned()),
            identities: Some(identities.to_vec()),
            verified_domains: Some(vec!["contoso.com".to_owned(), "Contoso.onmicrosoft.com".to_owned()]),
            ..Facts::unread(ObjectId::from_u128(1))
        }
    }

    fn why(facts: &Facts) -> String {
        match kind_of(facts) {
            Kind::Unknown { why, .. } => why,
            other => panic!("expected an unknown kind, found {other:?}"),
        }
    }

    #[test]
    fn an_external_identity_makes_an_outsider_of_guest_and_member_alike() {
        for (sign_in_type, issuer) in [
            ("federated", "ExternalAzureAD"),
            ("federated", "MicrosoftAccount"),
            ("federated", "google.com"),
            ("federated", "mail"),
            ("federated", "https://idp.fabrikam.com/saml"),
            ("federated", ""),
            ("emailAddress", "fabrikam.com"),
            ("somethingNew", "fabrikam.com"),
            ("", "ExternalAzureAD"),
        ] {
            let identities = [identity(sign_in_type, issuer), host()];
            let case = format!("{sign_in_type} {issuer}");
            assert_eq!(kind_of(&facts("Guest", &identities)), Kind::Outsider(GuestKind::Guest), "{case}");
            assert_eq!(
                kind_of(&facts("Member", &identities)),
                Kind::Outsider(GuestKind::ExternalMember),
                "{case}"
            );
        }
    }

    #[test]
    fn host_credentials_alone_make_a_local_guest_or_an_internal_member() {
        for identities in [
            vec![host()],
            vec![identity("emailAddress", "contoso.onmicrosoft.com")],
            vec![identity("federated", "contoso.com")],
            vec![identity("userName", "CONTOSO.COM."), host()],
        ] {
            assert_eq!(kind_of(&facts("Guest", &identities)), Kind::Outsider(GuestKind::LocalGuest));
            assert_eq!(kind_of(&facts("Member", &identities)), Kind::InternalMember);
        }
    }

    #[test]
    fn an_invited_guest_who_has_not_redeemed_has_only_a_host_identity_and_is_a_guest() {
        let pending = Some("PendingAcceptance".to_owned());
        let invited = Facts { external_user_state: pending.clone(), ..facts("Guest", &[host()]) };
        assert_eq!(kind_of(&invited), Kind::Outsider(GuestKind::Guest));
        let as_member = Facts { external_user_state: pending, ..facts("Member", &[host()]) };
        assert_eq!(kind_of(&as_member), Kind::Outsider(GuestKind::ExternalMember));
        for creation_type in ["Invitation", "SelfServiceSignUp"] {
            let creation_type = Some(creation_type.to_owned());
            let guest = Facts { creation_type: creation_type.clone(), ..facts("Guest", &[host()]) };
            assert_eq!(kind_of(&guest), Kind::Outsider(GuestKind::Guest));
            let converted = Facts { creation_type, ..facts("Member", &[host()]) };
            assert_eq!(kind_of(&converted), Kind::InternalMember);
        }
    }

    #[test]
    fn a_name_with_ext_in_it_says_nothing_about_the_kind() {
        let user_principal_name = Some("mallory_evil.example#EXT#@contoso.onmicrosoft.com".to_owned());
        let facts = Facts {
            user_principal_name,
            mail: Some("mallory@evil.example".to_owned()),
            ..facts("Member", &[host()])
        };
        assert_eq!(kind_of(&facts), Kind::InternalMember);
    }

    #[test]
    fn what_could_not_be_read_leaves_the_kind_unknown() {
        let unread = Facts { identities: None, ..facts("Guest", &[]) };
        assert_eq!(why(&unread), "`identities` could not be read");
        assert_eq!(why(&facts("Guest", &[])), "`identities` is empty");
        let stranger = facts("Guest", &[identity("userPrincipalName", "elsewhere.example")]);
        assert_eq!(why(&stranger), "the issuer of an identity is neither ours nor foreign");
        for user_type in [None, Some("Robot".to_owned())] {
            let facts = Facts { user_type, ..facts("", &[identity("federated", "ExternalAzureAD")]) };
            let could_be = vec![GuestKind::Guest, GuestKind::ExternalMember];
            assert_eq!(
                kind_of(&facts),
                Kind::Unknown { could_be, why: "`userType` could not be read".to_owned() }
            );
        }
    }

    #[test]
    fn without_our_verified_domains_only_what_is_plain_is_decided() {
        let blind = |identities: &[Identity]| Facts { verified_domains: None, ..facts("Guest", identities) };
        let external = blind(&[identity("federated", "ExternalAzureAD"), host()]);
        assert_eq!(kind_of(&external), Kind::Outsider(GuestKind::Guest));
        assert_eq!(kind_of(&blind(&[host()])), Kind::Outsider(GuestKind::LocalGuest));
        let undecided = blind(&[identity("emailAddress", "contoso.com")]);
        assert_eq!(why(&undecided), "the tenant's verified domains could not be read");
    }
}
