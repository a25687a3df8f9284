//! Domain names and the patterns that match them. Two names are compared only as A-labels (UTS 46,
//! <https://www.unicode.org/reports/tr46/>), so that a look-alike letter is a different name and letter case is not.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// The one spelling under which a domain name is compared: A-labels, lower case, without a trailing dot. `None` where
/// the text is no domain name.
#[must_use]
pub fn normalise_domain(text: &str) -> Option<Cow<'_, str>> {
    let uts46 = Uts46::new();
    let ascii = uts46
        .to_ascii(text.as_bytes(), AsciiDenyList::URL, Hyphens::Allow, DnsLength::VerifyAllowRootDot)
        .ok()?;
    let name = match ascii {
        Cow::Borrowed(name) => Cow::Borrowed(name.strip_suffix('.').unwrap_or(name)),
        Cow::Owned(mut name) => {
            if name.ends_with('.') {
                name.pop();
            }
            Cow::Owned(name)
        }
    };
    (!name.is_empty()).then_some(name)
}

/// Whether a normalised name is one of the tenant's own. Graph returns those normalised as a rule, so that none is
/// normalised here without need: a tenant may have thousands.
pub(crate) fn is_one_of(own: &[String], name: &str) -> bool {
    own.iter().any(|domain| {
        let plain = domain.is_ascii() && !domain.ends_with('.');
        domain.eq_ignore_ascii_case(name)
            || (!plain && normalise_domain(domain).is_some_and(|own| own == name))
    })
}

/// What a pattern is for decides how wide it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Deny,
    Admit,
}

/// `fabrikam.com` matches itself alone; `*.fabrikam.com` matches the names below it, and not itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    name: Box<str>,
    below: bool,
}

/// Every Microsoft Entra tenant has a name below one of these, so that "below it" means anybody. The public suffix list
/// does not carry them
/// (<https://learn.microsoft.com/entra/fundamentals/custom-domain#what-is-an-onmicrosoftcom-domain>).
const SHARED_BY_ALL_TENANTS: [&str; 3] = ["onmicrosoft.com", "onmicrosoft.us", "partner.onmschina.cn"];

impl Pattern {
    pub(crate) fn parse(text: &str, purpose: Purpose) -> Result<Self, BadPattern> {
        let (name, below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        if text == "*" || (below && name == "*") {
            return Err(BadPattern::Everything);
        }
        if name.contains('*') {
            return Err(BadPattern::MisplacedStar);
        }
        if let Some((_, domain)) = name.rsplit_once('@') {
            return Err(BadPattern::Address { domain: domain.to_owned() });
        }
        let name = normalise_domain(name).ok_or(BadPattern::NotADomain)?;
        let labels = name.matches('.').count();
        if labels == 0 && !below {
            return Err(BadPattern::NoDot);
        }
        if below && too_wide(&name, purpose) {
            return Err(BadPattern::TooWide { name: name.into_owned() });
        }
        // A deny reaches only those whose address is of that very name, so it may stay there: some suffixes have mail.
        if !below && purpose == Purpose::Admit && is_public_suffix(&name) {
            return Err(BadPattern::Suffix);
        }
        Ok(Self { name: name.into(), below })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.name)
    }
}

/// Whether a registry gives out the names below this one. A suffix that an organisation runs (`homeoffice.gov.uk`) is
/// itself a name of that organisation, and its people have mail there.
fn is_public_suffix(name: &str) -> bool {
    psl::suffix(name.as_bytes())
        .is_some_and(|suffix| suffix.as_bytes() == name.as_bytes() && suffix.typ() == Some(psl::Type::Icann))
}

/// Whether anybody can register a name below this one. A suffix that a company runs (`github.io`) may be denied as a
/// whole, and admits nobody.
fn too_wide(name: &str, purpose: Purpose) -> bool {
    let suffix = psl::suffix(name.as_bytes()).filter(|suffix| suffix.as_bytes() == name.as_bytes());
    let public = match suffix.map(|suffix| suffix.typ()) {
        Some(Some(psl::Type::Private)) => purpose == Purpose::Admit,
        Some(Some(psl::Type::Icann) | None) => true,
        None => false,
    };
    public || (purpose == Purpose::Admit && SHARED_BY_ALL_TENANTS.contains(&name))
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadPattern {
    Everything,
    MisplacedStar,
    Address { domain: String },
    NotADomain,
    NoDot,
    TooWide { name: String },
    Suffix,
}

impl BadPattern {
    /// Message and hint for a text that was written where a pattern belongs.
    pub(crate) fn explain(&self, text: &str) -> (String, Option<String>) {
        let text = shortened(text);
        match self {
            Self::Everything => {
                (format!("pattern `{text}` would match everybody"), Some("name the domains".to_owned()))
            }
            Self::MisplacedStar => (
                format!("pattern `{text}` has a `*` that does not stand for whole names"),
                Some("a `*` stands only first and before a dot, as in `*.fabrikam.com`".to_owned()),
            ),
            Self::Address { domain } => (
                format!("`{text}` is an address, not a domain"),
                Some(format!("write `{}`", shortened(domain))),
            ),
            Self::NotADomain => (
                format!("`{text}` is not a domain name"),
                Some("write it as in `fabrikam.com` or `*.fabrikam.com`".to_owned()),
            ),
            Self::NoDot => (
                format!("`{text}` is not a whole domain name: it has no dot"),
                Some("write it as in `fabrikam.com`".to_owned()),
            ),
            Self::TooWide { name } => (
                format!(
                    "pattern `{text}` is wider than one organisation: anybody can have a name below `{name}`"
                ),
                Some("name the organisation's own domain".to_owned()),
            ),
            Self::Suffix => (
                format!("`{text}` is a public suffix, not the domain of one organisation"),
                Some("name the organisation's own domain".to_owned()),
            ),
        }
    }
}

pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    let mut short: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}

/// Patterns, each with a value, found by a hash of the name and of each of its suffixes: the cost of a look-up depends
/// on the number of its labels, never on the number of patterns.
#[derive(Debug, Clone)]
pub(crate) struct DomainMap<T> {
    itself: HashMap<Box<str>, T>,
    below: HashMap<Box<str>, T>,
}

impl<T> Default for DomainMap<T> {
    fn default() -> Self {
        Self { itself: HashMap::new(), below: HashMap::new() }
    }
}

impl<T: Default> DomainMap<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.itself.is_empty() && self.below.is_empty()
    }

    pub(crate) fn entry(&mut self, pattern: Pattern) -> &mut T {
        let map = if pattern.below { &mut self.below } else { &mut self.itself };
        map.entry(pattern.name).or_default()
    }

    /// The patterns that match a normalised domain name, the narrowest first.
    pub(crate) fn matches<'a>(&'a self, domain: &'a str) -> impl Iterator<Item = (Matched<'a>, &'a T)> {
        let itself = self.itself.get(domain).map(|value| (Matched { name: domain, below: false }, value));
        let suffixes = domain.match_indices('.').filter_map(|(dot, _)| domain.get(dot + 1..));
        let below = suffixes
            .filter_map(|name| self.below.get(name).map(|value| (Matched { name, below: true }, value)));
        itself.into_iter().chain(below)
    }
}

/// The pattern that matched, as it reads in a policy file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Matched<'a> {
    name: &'a str,
    below: bool,
}

impl fmt::Display for Matched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_compared_as_lower_case_a_labels_without_a_trailing_dot() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(normalise_domain(text).as_deref(), expected, "{text:?}");
        };
        check("fabrikam.com", Some("fabrikam.com"));
        check("FABRIKAM.Com", Some("fabrikam.com"));
        check("fabrikam.com.", Some("fabrikam.com"));
        check("bücher.example", Some("xn--bcher-kva.example"));
        check("BÜCHER.example", Some("xn--bcher-kva.example"));
        check("XN--bcher-KVA.example", Some("xn--bcher-kva.example"));
        // Cyrillic а (U+0430).
        check("fаbrikam.com", Some("xn--fbrikam-2fg.com"));
        // Full-width letters and the ideographic full stop are other spellings of the same name.
        check("ｆabrikam。com", Some("fabrikam.com"));
        check("faß.example", Some("xn--fa-hia.example"));
        check("under_score.example", Some("under_score.example"));
        check("r3---sn.example", Some("r3---sn.example"));
        check("localhost", Some("localhost"));
    }

    #[test]
    fn what_is_no_domain_name_is_nothing() {
        for text in [
            "",
            ".",
            "..",
            "a..b",
            "fabrikam.com..",
            ".fabrikam.com",
            "a b.com",
            "a/b",
            "[192.0.2.1]",
            "xn--a.example",
            "a@b",
            "fabrikam.com\n",
            "\u{200b}",
            "xn--.example",
            &format!("{}.com", "a".repeat(64)),
            &"a.".repeat(200),
        ] {
            assert_eq!(normalise_domain(text), None, "{text:?}");
        }
    }

    fn matches(pattern: &str, domain: &str) -> bool {
        let mut map = DomainMap::<()>::default();
        map.entry(Pattern::parse(pattern, Purpose::Deny).unwrap());
        let domain = normalise_domain(domain).unwrap();
        map.matches(&domain).next().is_some()
    }

    #[test]
    fn a_plain_pattern_matches_only_itself_and_a_starred_one_only_what_is_below() {
        for (pattern, domain, expected) in [
            ("fabrikam.com", "fabrikam.com", true),
            ("Fabrikam.COM.", "fabrikam.com.", true),
            ("fabrikam.com", "mail.fabrikam.com", false),
            ("fabrikam.com", "notfabrikam.com", false),
            ("fabrikam.com", "fabrikam.com.evil.example", false),
            ("fabrikam.com", "fаbrikam.com", false),
            ("fаbrikam.com", "fаbrikam.com", true),
            ("*.fabrikam.com", "mail.fabrikam.com", true),
            ("*.fabrikam.com", "a.b.c.fabrikam.com", true),
            ("*.fabrikam.com", "fabrikam.com", false),
            ("*.fabrikam.com", "notfabrikam.com", false),
            ("*.fabrikam.com", "evil.notfabrikam.com", false),
            ("*.bücher.example", "shop.xn--bcher-kva.example", true),
            ("fabrikam.co.uk", "fabrikam.co.uk", true),
            ("*.github.io", "mallory.github.io", true),
        ] {
            assert_eq!(matches(pattern, domain), expected, "{pattern} {domain}");
        }
    }

    #[test]
    fn a_pattern_wider_than_a_public_suffix_is_refused() {
        let wide =
            |text: &str, purpose| matches!(Pattern::parse(text, purpose), Err(BadPattern::TooWide { .. }));
        for text in ["*.com", "*.co.uk", "*.COM.", "*.example", "*.xn--p1ai", "*.公司.cn", "*.公司.香港"]
        {
            assert!(wide(text, Purpose::Deny) && wide(text, Purpose::Admit), "{text}");
        }
        for text in ["*.github.io", "*.onmicrosoft.com"] {
            assert!(!wide(text, Purpose::Deny) && wide(text, Purpose::Admit), "{text}");
        }
        for text in ["*.fabrikam.com", "*.fabrikam.co.uk", "*.a.b.example", "*.contoso.onmicrosoft.com"] {
            assert!(!wide(text, Purpose::Deny) && !wide(text, Purpose::Admit), "{text}");
        }
    }

    #[test]
    fn a_public_suffix_itself_is_no_partner_and_may_be_denied() {
        for text in ["co.uk", "CO.UK.", "公司.cn", "com.au"] {
            assert_eq!(Pattern::parse(text, Purpose::Admit), Err(BadPattern::Suffix), "{text}");
            assert!(Pattern::parse(text, Purpose::Deny).is_ok(), "{text}");
        }
        for text in ["fabrikam.co.uk", "fabrikam.com", "homeoffice.gov.uk", "github.io", "a.example"] {
            assert!(Pattern::parse(text, Purpose::Admit).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_mean_anything_is_refused() {
        for (text, expected) in [
            ("*", BadPattern::Everything),
            ("*.*", BadPattern::Everything),
            ("*fabrikam.com", BadPattern::MisplacedStar),
            ("mail.*.com", BadPattern::MisplacedStar),
            ("fabrikam.*", BadPattern::MisplacedStar),
            ("anna@fabrikam.com", BadPattern::Address { domain: "fabrikam.com".to_owned() }),
            ("@fabrikam.com", BadPattern::Address { domain: "fabrikam.com".to_owned() }),
            ("", BadPattern::NotADomain),
            ("*.", BadPattern::NotADomain),
            ("https://fabrikam.com", BadPattern::NotADomain),
            ("fabrikam..com", BadPattern::NotADomain),
            ("fabrikam", BadPattern::NoDot),
        ] {
            assert_eq!(Pattern::parse(text, Purpose::Deny), Err(expected), "{text}");
        }
    }

    #[test]
    fn the_narrowest_pattern_is_named_first() {
        let mut map = DomainMap::<()>::default();
        for pattern in ["*.fabrikam.com", "*.b.fabrikam.com", "a.b.fabrikam.com"] {
            map.entry(Pattern::parse(pattern, Purpose::Deny).unwrap());
        }
        let names: Vec<String> =
            map.matches("a.b.fabrikam.com").map(|(pattern, ())| pattern.to_string()).collect();
        assert_eq!(names, ["a.b.fabrikam.com", "*.b.fabrikam.com", "*.fabrikam.com"]);
    }
}
