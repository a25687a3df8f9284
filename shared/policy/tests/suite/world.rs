//! Made-up guests and policies, in as few words as a test can say them.

use std::collections::BTreeSet;

use guestlist_policy::{
    Facts, Group, Identity, Membership, Memberships, Policy, Relation, Standing, Verdict, judge, parse,
};
use jiff::Timestamp;
use model::{Finding, Mode, ObjectId, Step};

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
        standing: standing(&[]),
        memberships: Memberships::Known(Vec::new()),
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

/// No role, and a member of these groups.
pub(crate) fn standing(groups: &[ObjectId]) -> Standing {
    Standing::Known {
        directory_roles: Vec::new(),
        role_assignable_groups: Vec::new(),
        groups: groups.iter().copied().collect::<BTreeSet<_>>(),
    }
}

pub(crate) fn group_id(number: u128) -> ObjectId {
    ObjectId::from_u128(0x77aa_0000_0000_4000_8000_0000_0000_0000 + number)
}

/// A private Microsoft 365 group without a label, of which everything was read.
pub(crate) fn group(number: u128, name: &str) -> Group {
    let no = Some(false);
    Group {
        name: Some(name.to_owned()),
        labels: Some(Vec::new()),
        role_assignable: no,
        team: no,
        visibility: Some("Private".to_owned()),
        dynamic: no,
        on_premises_synced: no,
        mail_enabled: Some(true),
        unified: Some(true),
        management_restricted: no,
        ..Group::unread(group_id(number))
    }
}

pub(crate) fn member(group: Group) -> Membership {
    Membership { group, relation: Relation::Member, new: true }
}

pub(crate) fn owner(group: Group) -> Membership {
    Membership { group, relation: Relation::Owner, new: true }
}

/// A guest of a partner, in these groups.
pub(crate) fn joined(memberships: Vec<Membership>) -> Facts {
    Facts { memberships: Memberships::Known(memberships), ..guest("alice@fabrikam.com") }
}

/// One finding as a line: what it would do, whether it does, and why.
pub(crate) fn line(finding: &Finding) -> String {
    let Finding {
        rule,
        object,
        severity,
        why,
        reasons,
        mode,
        held_back,
        actions,
        plan,
        by_hand,
        names,
        unknown,
        refused,
    } = finding;
    assert!(!reasons.is_empty());
    let actions: Vec<&str> = actions.iter().map(|action| action.word()).collect();
    let mut line = format!("{rule} ({severity}, {mode}) [{}]", actions.join(", "));
    if let Some(object) = object {
        line.push_str(&format!(" in {}", names.get(object).map_or("?", String::as_str)));
    }
    if *unknown {
        line.push_str(" unknown");
    }
    line.push_str(&format!("\n  {}", reasons.join("\n  ")));
    let steps: Vec<String> = plan.steps.iter().map(step).collect();
    // What only disables says nothing that the actions do not say.
    let steps = if steps == ["disable"] { Vec::new() } else { steps };
    for (label, texts) in [
        ("plan", steps.as_slice()),
        ("by hand", by_hand.as_slice()),
        ("why", why.as_slice()),
        ("held back", held_back.as_slice()),
        ("refused", refused.as_slice()),
    ] {
        for text in texts {
            line.push_str(&format!("\n  {label}: {text}"));
        }
    }
    line
}

fn step(step: &Step) -> String {
    let group = step.group().map(|group| group.to_string()).unwrap_or_default();
    let last = group.trim_start_matches("77aa0000-0000-4000-8000-").trim_start_matches('0');
    match step {
        Step::Disable { .. } => "disable".to_owned(),
        Step::Enable { .. } => "enable".to_owned(),
        Step::RemoveMember { .. } => format!("leave {last}"),
        Step::AddMember { .. } => format!("join {last}"),
        Step::RemoveOwner { .. } => format!("drop {last}"),
        Step::AddOwner { .. } => format!("own {last}"),
        Step::Delete { .. } => "delete".to_owned(),
        Step::Restore { .. } => "restore".to_owned(),
    }
}

pub(crate) fn told(verdict: &Verdict) -> String {
    let lines: Vec<String> = verdict.findings.iter().map(line).collect();
    lines.join("\n")
}

/// The rules that would write something now.
pub(crate) fn acting(verdict: &Verdict) -> Vec<&str> {
    let acting = verdict.findings.iter().filter(|finding| finding.acts());
    acting.map(|finding| finding.rule.as_str()).collect()
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
