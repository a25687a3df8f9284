//! Policies that several stories share.

/// Partners may come in; blocked domains and everybody else are disabled.
pub(crate) const PARTNERS_ONLY: &str = r#"
version: 1
mode: enforce
lists:
  blocked: { entries: [evil.example, "*.evil.example"] }
partners:
  fabrikam: { domains: [fabrikam.com, "*.fabrikam.com"], owner: anna@contoso.com, until: 2027-06-30 }
guardrails:
  - id: blocked-domain
    why: organisations under sanctions
    severity: high
    if: { domain: [blocked] }
    then: [disable]
scenarios:
  - id: agency-work
    owner: marketing@contoso.com
    admits: { partners: [fabrikam] }
otherwise:
  guest: { severity: medium, then: [disable] }
"#;

/// Partners may come in. Some groups are closed to everybody from outside, and guests own nothing.
pub(crate) const CLOSED_GROUPS: &str = r#"
version: 1
mode: enforce
partners:
  fabrikam: { domains: [fabrikam.com, "*.fabrikam.com"], owner: anna@contoso.com, until: 2027-06-30 }
guardrails:
  - id: closed-groups
    why: figures are for employees
    severity: high
    if: { joins: { any: [ { name: "Finance *" }, { label: Confidential } ] } }
    then: [leave-group]
  - id: guests-own-nothing
    if: { joins: { any_group: true }, as: owner }
    then: [drop-ownership]
scenarios:
  - id: agency-work
    owner: marketing@contoso.com
    admits: { partners: [fabrikam] }
otherwise:
  guest: { severity: medium, then: [disable] }
"#;

/// An agency works in one group, and whoever is from outside belongs to no other.
pub(crate) const AGENCY: &str = r#"
version: 1
mode: enforce
partners:
  fabrikam: { domains: [fabrikam.com, "*.fabrikam.com"], owner: anna@contoso.com, until: 2027-06-30 }
scenarios:
  - id: agency-work
    owner: marketing@contoso.com
    admits: { partners: [fabrikam] }
    joins: { groups: [ { id: 60000000-0000-4000-8000-000000000001, name: Marketing } ] }
otherwise:
  membership: { severity: medium, then: [leave-group] }
"#;

/// One guardrail about groups, and nothing else.
pub(crate) fn closing(condition: &str, then: &str) -> String {
    format!(
        "version: 1\nmode: enforce\nguardrails:\n  - id: closed\n    severity: high\n    if: {condition}\n    then: [{then}]\n"
    )
}

/// The same, and everything asks first.
pub(crate) fn asking(policy: &str) -> String {
    policy.replace("mode: enforce", "mode: ask")
}
