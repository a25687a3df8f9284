//! The addresses of a guest, sorted by how much they prove. *Identity* addresses are what he was invited by or signs in
//! with; *secondary* ones are what somebody also wrote down. Our own domains are in neither, and the domain of an
//! `#EXT#` name, which is always ours, is never looked at.

use crate::domain::{is_one_of, normalise_domain, shortened};
use crate::facts::{Facts, Identity};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Mail,
    Identity,
    Invited,
    OtherMail,
    ProxyAddress,
    PrincipalName,
    Inviter,
    Sponsor,
}

impl Source {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Identity => "sign-in address",
            Self::Invited => "invited address",
            Self::OtherMail => "other mail",
            Self::ProxyAddress => "proxy address",
            Self::PrincipalName => "the address in the user principal name,",
            Self::Inviter => "the inviter's address",
            Self::Sponsor => "the sponsor's address",
        }
    }
}

/// A usable address of a domain that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) source: Source,
    text: String,
    at: usize,
}

impl Address {
    /// Normalised: lower case, the domain in A-labels.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }

    /// `None` for what is not one local part, one `@` and one domain name.
    pub(crate) fn parse(source: Source, text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let unfit = |c: char| c.is_whitespace() || c.is_control();
        if local.is_empty() || local.contains(unfit) || domain.contains('@') {
            return None;
        }
        let domain = normalise_domain(domain)?;
        let mut text = local.to_lowercase();
        let at = text.len();
        text.push('@');
        text.push_str(&domain);
        Some(Self { source, text, at })
    }

    /// As it is told: ``mail `mallory@evil.example` ``.
    pub(crate) fn told(&self) -> String {
        format!("{} `{}`", self.source.words(), self.text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Addresses {
    pub(crate) identity: Vec<Address>,
    /// Without those that are identity addresses, too.
    pub(crate) secondary: Vec<Address>,
    /// What stands where an identity address should, and is none. It may hide one.
    pub(crate) unusable: Vec<String>,
}

impl Addresses {
    pub(crate) fn of(facts: &Facts) -> Self {
        let mut addresses = Self::default();
        if let Some(mail) = written(facts.mail.as_ref()) {
            addresses.add_identity(Source::Mail, mail, facts);
        }
        for identity in facts.identities.as_deref().unwrap_or_default() {
            if let Some(id) = mail_shaped(identity) {
                addresses.add_identity(Source::Identity, id, facts);
            }
        }
        if let Some(invited) = written(facts.invited_address.as_ref()) {
            addresses.add_identity(Source::Invited, invited, facts);
        }
        for mail in facts.other_mails.as_deref().unwrap_or_default() {
            addresses.add_secondary(Source::OtherMail, mail, facts);
        }
        for proxy in facts.proxy_addresses.as_deref().unwrap_or_default() {
            if let Some((kind, address)) = proxy.split_once(':')
                && kind.eq_ignore_ascii_case("smtp")
            {
                addresses.add_secondary(Source::ProxyAddress, address, facts);
            }
        }
        if let Some(address) = facts.user_principal_name.as_deref().and_then(address_before_ext) {
            addresses.add_secondary(Source::PrincipalName, &address, facts);
        }
        addresses
    }

    /// Sorted, so that the order in which Graph returns them is no change of identity.
    pub(crate) fn identity_texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = self.identity.iter().map(|address| address.text().to_owned()).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    fn add_identity(&mut self, source: Source, text: &str, facts: &Facts) {
        match Address::parse(source, text) {
            None => {
                self.unusable.push(format!("{} `{}` is not a mail address", source.words(), shortened(text)))
            }
            Some(address) if is_ours(&address, facts) || contains(&self.identity, &address) => {}
            Some(address) => self.identity.push(address),
        }
    }

    fn add_secondary(&mut self, source: Source, text: &str, facts: &Facts) {
        if let Some(address) = Address::parse(source, text)
            && !contains(&self.identity, &address)
            && !contains(&self.secondary, &address)
            && !is_ours(&address, facts)
        {
            self.secondary.push(address);
        }
    }
}

/// By which a user signs in and gets mail, of our own domains, too. `None` where nothing was read about him.
pub(crate) fn inviter_addresses(facts: &Facts) -> Option<Vec<String>> {
    let identities = facts.identities.as_deref()?;
    let name = written(facts.user_principal_name.as_ref()).filter(|name| !is_ext_name(name));
    let all =
        written(facts.mail.as_ref()).into_iter().chain(name).chain(identities.iter().filter_map(mail_shaped));
    let mut addresses: Vec<String> = Vec::new();
    for address in all {
        if !addresses.iter().any(|known| known.eq_ignore_ascii_case(address)) {
            addresses.push(address.to_owned());
        }
    }
    Some(addresses)
}

/// The domain of such a name is always ours, whoever bears it.
pub(crate) fn is_ext_name(name: &str) -> bool {
    before_ext(name).is_some()
}

fn contains(addresses: &[Address], address: &Address) -> bool {
    addresses.iter().any(|known| known.text == address.text)
}

fn is_ours(address: &Address, facts: &Facts) -> bool {
    facts.verified_domains.as_deref().is_some_and(|own| is_one_of(own, address.domain()))
}

fn written(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// A user name or principal name is a name in this tenant, not an address of another.
fn mail_shaped(identity: &Identity) -> Option<&str> {
    let sign_in_type = identity.sign_in_type.as_deref().unwrap_or_default();
    let named = ["userPrincipalName", "userName"].iter().any(|name| name.eq_ignore_ascii_case(sign_in_type));
    let id = written(identity.issuer_assigned_id.as_ref())?;
    (!named && id.contains('@') && before_ext(id).is_none()).then_some(id)
}

fn before_ext(name: &str) -> Option<&str> {
    let start = name.to_ascii_uppercase().find("#EXT#")?;
    name.get(..start)
}

/// Entra writes the invited address with its `@` as `_`. Where the domain itself has an underscore this reads it
/// wrongly, which is one reason why the result is only a secondary address.
fn address_before_ext(name: &str) -> Option<String> {
    let (local, domain) = before_ext(name)?.rsplit_once('_')?;
    Some(format!("{local}@{domain}"))
}

#[cfg(test)]
mod tests {
    use model::ObjectId;

    use super::*;

    fn facts() -> Facts {
        Facts {
            identities: Some(Vec::new()),
            verified_domains: Some(vec!["contoso.com".to_owned(), "contoso.onmicrosoft.com".to_owned()]),
            ..Facts::unread(ObjectId::from_u128(1))
        }
    }

    fn texts(addresses: &[Address]) -> Vec<&str> {
        addresses.iter().map(Address::text).collect()
    }

    #[track_caller]
    fn check_mail(mail: &str, expected: Option<&str>) {
        let addresses = Addresses::of(&Facts { mail: Some(mail.to_owned()), ..facts() });
        assert_eq!(texts(&addresses.identity), expected.into_iter().collect::<Vec<_>>(), "{mail:?}");
    }

    #[test]
    fn an_address_is_one_local_part_and_one_domain() {
        check_mail("alice@fabrikam.com", Some("alice@fabrikam.com"));
        check_mail("Alice@FABRIKAM.com.", Some("alice@fabrikam.com"));
        check_mail("alice+news@fabrikam.com", Some("alice+news@fabrikam.com"));
        check_mail("alice@bücher.example", Some("alice@xn--bcher-kva.example"));
        check_mail("alice@fаbrikam.com", Some("alice@xn--fbrikam-2fg.com"));
        check_mail("alice@localhost", Some("alice@localhost"));
        for unusable in [
            "a@b@c.example",
            "@fabrikam.com",
            "alice@",
            "alice",
            "a b@fabrikam.com",
            "alice@fabrikam..com",
            " ",
        ] {
            check_mail(unusable, None);
            let addresses = Addresses::of(&Facts { mail: Some(unusable.to_owned()), ..facts() });
            assert_eq!(addresses.unusable, [format!("mail `{unusable}` is not a mail address")]);
        }
        check_mail("", None);
        assert_eq!(Addresses::of(&Facts { mail: Some(String::new()), ..facts() }), Addresses::default());
    }

    #[test]
    fn our_own_domains_are_ignored_wherever_they_stand() {
        let addresses = Addresses::of(&Facts {
            mail: Some("alice@Contoso.com".to_owned()),
            other_mails: Some(vec!["alice@contoso.com.".to_owned(), "alice@sub.contoso.com".to_owned()]),
            proxy_addresses: Some(vec!["SMTP:alice@contoso.onmicrosoft.com".to_owned()]),
            ..facts()
        });
        assert_eq!(
            (texts(&addresses.identity), texts(&addresses.secondary)),
            (vec![], vec!["alice@sub.contoso.com"])
        );
        assert!(addresses.unusable.is_empty());
    }

    #[test]
    fn identity_addresses_are_mail_sign_in_addresses_and_the_invited_one() {
        let identity = |sign_in_type: &str, id: &str| Identity {
            sign_in_type: Some(sign_in_type.to_owned()),
            issuer: Some("mail".to_owned()),
            issuer_assigned_id: Some(id.to_owned()),
        };
        let addresses = Addresses::of(&Facts {
            mail: Some("a@fabrikam.com".to_owned()),
            identities: Some(vec![
                identity("federated", "b@fabrikam.com"),
                identity("federated", "A@Fabrikam.com"),
                identity("federated", "0a1b2c"),
                identity("federated", "x_evil.example#EXT#@contoso.onmicrosoft.com"),
                identity("userPrincipalName", "y@elsewhere.example"),
            ]),
            invited_address: Some("c@fabrikam.com".to_owned()),
            ..facts()
        });
        assert_eq!(texts(&addresses.identity), ["a@fabrikam.com", "b@fabrikam.com", "c@fabrikam.com"]);
    }

    #[test]
    fn secondary_addresses_are_other_mails_smtp_proxies_and_what_stands_before_ext() {
        let addresses = Addresses::of(&Facts {
            mail: Some("a@fabrikam.com".to_owned()),
            other_mails: Some(["o@fabrikam.com", "A@fabrikam.com", "nonsense"].map(str::to_owned).to_vec()),
            proxy_addresses: Some(
                [
                    "SMTP:p@fabrikam.com",
                    "smtp:q@fabrikam.com",
                    "x500:/o=r@fabrikam.com",
                    "SIP:s@fabrikam.com",
                ]
                .map(str::to_owned)
                .to_vec(),
            ),
            user_principal_name: Some("al_ice_northwind.example#ext#@contoso.onmicrosoft.com".to_owned()),
            ..facts()
        });
        let expected = ["o@fabrikam.com", "p@fabrikam.com", "q@fabrikam.com", "al_ice@northwind.example"];
        assert_eq!(texts(&addresses.secondary), expected);
    }

    #[test]
    fn the_domain_of_an_ext_name_is_never_an_address() {
        for name in
            ["mallory#EXT#@evil.example", "#EXT#@evil.example", "_#EXT#@evil.example", "mallory@evil.example"]
        {
            let addresses = Addresses::of(&Facts { user_principal_name: Some(name.to_owned()), ..facts() });
            assert_eq!(addresses, Addresses::default(), "{name}");
        }
    }
}
