//! Made-up guests and policies, in as few words as a test can say them.

use guestlist_policy::{Facts, Identity, Policy, Standing, Verdict, judge, parse};
use jiff::Timestamp;
use model::{Finding, Mode, ObjectId};

pub(crate) const ALICE: ObjectId = ObjectId::from_u128(0x5c1e_0000_0000_4000_8000_0000_0000_0001);

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A day on which nothing in the tests has ended.
pub(crate) fn now() -> Timestamp {
    at("2026-11-20T12:00:00Z")
}

#[track_caller]
pub(crate) fn policy(text: &str) -> Policy {
    let mut load = |path: &str| match path {
        "lists/consumer.txt" => {
            Ok("\u{feff}# mail for everybody\r\nmail.example\r\n\r\n  webmail.example # too\r\n".to_owned())
        }
        _ => Err("no such file".to_owned()),
    };
    parse(text, "policy.yaml", &mut load).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A policy in `enforce` with these rules.
#[track_caller]
pub(crate) fn rules(text: &str) -> Policy {
    policy(&format!("version: 1\nmode: enforce\n{text}"))
}

pub(crate) fn identity(sign_in_type: &str, issuer: &str, id: Option<&str>) -> Identity {
    Identity {
        sign_in_type: Some(sign_in_type.to_owned()),
        issuer: Some(issuer.to_owned()),
        issuer_assigned_id: id.map(str::to_owned),
    }
}

pub(crate) fn host() -> Identity {
    identity("userPrincipalName", "contoso.onmicrosoft.com", Some("x_y.example#EXT#@contoso.onmicrosoft.com"))
}

/// A redeemed B2B guest of whom everything was read.
pub(crate) fn guest(mail: &str) -> Facts {
    Facts {
        name: Some("Alice".to_owned()),
        user_type: Some("Guest".to_owned()),
        identities: Some(vec![identity("federated", "ExternalAzureAD", None), host()]),
        mail: (!mail.is_empty()).then(|| mail.to_owned()),
        other_mails: Some(Vec::new()),
        proxy_addresses: Some(Vec::new()),
        creation_type: Some("Invitation".to_owned()),
        external_user_state: Some("Accepted".to_owned()),
        enabled: Some(true),
        created_at: Some(at("2026-11-01T00:00:00Z")),
        sponsors: Some(Vec::new()),
        verified_domains: Some(vec!["contoso.com".to_owned(), "contoso.onmicrosoft.com".to_owned()]),
        standing: Standing::Known { directory_roles: Vec::new(), role_assignable_groups: Vec::new() },
        ..Facts::unread(ALICE)
    }
}

pub(crate) fn external_member(mail: &str) -> Facts {
    Facts { user_type: Some("Member".to_owned()), ..guest(mail) }
}

pub(crate) fn local_guest(mail: &str) -> Facts {
    Facts {
        identities: Some(vec![identity("userPrincipalName", "contoso.com", Some("alice@contoso.com"))]),
        creation_type: None,
        external_user_state: None,
        ..guest(mail)
    }
}

pub(crate) fn judged(policy: &Policy, facts: &Facts) -> Verdict {
    judge(policy, facts, Mode::Enforce, now())
}

/// One finding as a line: what it would do, whether it does, and why.
pub(crate) fn line(finding: &Finding) -> String {
    let Finding { rule, object, severity, why, reasons, mode, held_back, actions, unknown, refused } =
        finding;
    assert!(object.is_none() && !reasons.is_empty());
    let actions: Vec<&str> = actions.iter().map(|action| action.word()).collect();
    let mut line = format!("{rule} ({severity}, {mode}) [{}]", actions.join(", "));
    if *unknown {
        line.push_str(" unknown");
    }
    line.push_str(&format!("\n  {}", reasons.join("\n  ")));
    for (label, texts) in
        [("why", why.as_slice()), ("held back", held_back.as_slice()), ("refused", refused.as_slice())]
    {
        for text in texts {
            line.push_str(&format!("\n  {label}: {text}"));
        }
    }
    line
}

pub(crate) fn told(verdict: &Verdict) -> String {
    let lines: Vec<String> = verdict.findings.iter().map(line).collect();
    lines.join("\n")
}

/// The rules that would write something now.
pub(crate) fn acting(verdict: &Verdict) -> Vec<&str> {
    verdict
        .findings
        .iter()
        .filter(|finding| finding.acts(ALICE))
        .map(|finding| finding.rule.as_str())
        .collect()
}

/// One guardrail on domains.
pub(crate) const BLOCKED: &str = "
lists:
  blocked: { entries: [evil.example, '*.evil.example', bücher.example] }
guardrails:
  - id: blocked-domain
    why: sanctions
    severity: high
    if: { domain: [blocked, competitor.example] }
    then: [disable]
";

/// Two partners, one scenario, and what happens otherwise.
pub(crate) const PARTNERS: &str = "
partners:
  fabrikam: { domains: [fabrikam.com, '*.fabrikam.com'], owner: anna@contoso.com, until: 2027-06-30 }
  northwind: { domains: [northwind.example] }
scenarios:
  - id: agency-work
    admits: { partners: [fabrikam, northwind] }
otherwise:
  guest: { then: [disable] }
";
