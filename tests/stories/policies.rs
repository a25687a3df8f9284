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
