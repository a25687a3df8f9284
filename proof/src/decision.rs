//! How long one decision takes, with a policy of the size that a large tenant has.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use anyhow::anyhow;
use jiff::Timestamp;
use model::{Mode, ObjectId};
use policy::{Facts, Identity, Policy, Standing};

/// Twenty guardrails, two lists of 10,000 domains, 200 partners.
pub(crate) fn large_policy() -> anyhow::Result<Policy> {
    let mut text =
        "version: 1\nmode: enforce\nlists:\n  blocked: { file: a }\n  consumer: { file: b }\npartners:\n"
            .to_owned();
    for n in 0..200 {
        writeln!(text, "  p{n}: {{ domains: [partner{n}.example, \"*.partner{n}.example\"] }}")?;
    }
    text.push_str("guardrails:\n");
    for n in 0..20 {
        writeln!(
            text,
            "  - id: rule-{n}\n    if: {{ domain: [blocked, consumer, no{n}.example] }}\n    then: [disable]"
        )?;
    }
    text.push_str("scenarios:\n");
    for n in 0..200 {
        writeln!(text, "  - id: s{n}\n    admits: {{ partners: [p{n}] }}")?;
    }
    text.push_str("otherwise:\n  guest: { then: [disable] }\n");
    let list = |name: &str| (0..10_000).map(|n| format!("{name}{n}.example\n")).collect::<String>();
    let mut load = |name: &str| Ok(list(name));
    policy::parse(&text, "large.yaml", &mut load).map_err(|problems| anyhow!("{problems}"))
}

pub(crate) fn guest(mail: &str) -> Facts {
    Facts {
        user_type: Some("Guest".to_owned()),
        identities: Some(vec![Identity {
            sign_in_type: Some("federated".to_owned()),
            issuer: Some("ExternalAzureAD".to_owned()),
            issuer_assigned_id: None,
        }]),
        mail: Some(mail.to_owned()),
        enabled: Some(true),
        verified_domains: Some(vec!["contoso.com".to_owned()]),
        standing: Standing::Known {
            directory_roles: Vec::new(),
            role_assignable_groups: Vec::new(),
            groups: std::collections::BTreeSet::new(),
        },
        ..Facts::unread(ObjectId::from_u128(7))
    }
}

fn moment() -> anyhow::Result<Timestamp> {
    Ok("2026-11-20T09:00:00Z".parse()?)
}

/// So many decisions, for a tool that counts instructions.
pub(crate) fn decide(count: u64) -> anyhow::Result<()> {
    let (policy, now) = (large_policy()?, moment()?);
    let facts = guest("adele@mail.partner77.example");
    let findings: usize = (0..count)
        .map(|_| policy::judge(black_box(&policy), black_box(&facts), Mode::Enforce, now).findings.len())
        .sum();
    println!("{count} decisions, {findings} findings");
    Ok(())
}

pub(crate) fn measure() -> anyhow::Result<()> {
    const COUNT: u32 = 200_000;
    let (policy, now) = (large_policy()?, moment()?);
    for (what, mail) in [
        ("a partner's guest, admitted", "adele@mail.partner77.example"),
        ("a stranger, nothing matches", "nina@northwind.example"),
        ("a blocked guest, every guardrail matches", "mallory@a777.example"),
    ] {
        let facts = guest(mail);
        let began = Instant::now();
        for _ in 0..COUNT {
            black_box(policy::judge(black_box(&policy), black_box(&facts), Mode::Enforce, now));
        }
        println!("{:8.0} ns a decision: {what}", (began.elapsed() / COUNT).as_nanos());
    }
    Ok(())
}
