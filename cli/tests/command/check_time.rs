//! `guestlist check` of what hangs on who invited a guest, and on time.

use insta::assert_snapshot;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use simulator::{Invite, contoso};

use crate::tenant::Tenant;

/// Three days from now.
fn last_day() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date().checked_add(SignedDuration::from_hours(72)).unwrap()
}

fn policy(last_day: Date) -> String {
    POLICY.replace("<until>", &last_day.to_string())
}

const POLICY: &str = r#"version: 1
mode: enforce
partners:
  fabrikam: { domains: [fabrikam.com], until: <until> }
guardrails:
  - id: guests-do-not-invite
    severity: high
    if: { inviter: { kind: guest } }
    then: [disable]
scenarios:
  - id: agency-work
    admits: { partners: [fabrikam] }
    notice: 7d
otherwise:
  guest: { severity: medium, then: [disable] }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn who_invited_a_guest_is_asked_of_the_audit_in_one_list() {
    let tenant = Tenant::start().await;
    let last_day = last_day();
    std::fs::write(tenant.policy(), policy(last_day)).unwrap();
    let masked = |text: &str| {
        let end = last_day.tomorrow().unwrap().to_string();
        text.replace(&end, "<the day after>").replace(&last_day.to_string(), "<last day>")
    };
    let adele = tenant.invite("adele@fabrikam.com");
    let friends: Vec<_> = (0..5)
        .map(|n| {
            tenant
                .simulator
                .tenant()
                .invite(Invite::new(&format!("friend{n}@fabrikam.com"), adele))
                .to_string()
        })
        .collect();
    assert_snapshot!(masked(&tenant.run(&["check", &friends[0]]).expect(0).stdout), @"
    friend0 (guest), friend0@fabrikam.com
    admitted by `agency-work`
    no scenario admits it from <the day after>T00:00:00Z on: `agency-work`: partner `fabrikam` ends on <last day>
    breaks `guests-do-not-invite` (high): the inviter `adele@fabrikam.com` is a guest
      would disable the account
    ");
    tenant.simulator.reset_traffic();
    let printed = tenant.run(&["check", "--all"]);
    let asked = tenant.simulator.traffic().log;
    let rows = asked.iter().filter(|call| call.path.ends_with("/auditLogs/directoryAudits")).count();
    assert_eq!(rows, 1, "{printed:?}");
    assert_snapshot!(masked(&printed.expect(0).stdout), @"
    GUEST                                 ADDRESS               RULE                  SEVERITY  WHAT
    ee93087b-b17e-449c-9ef3-7a2398739324  friend0@fabrikam.com  guests-do-not-invite  high      would disable the account
    e4185fe7-bab6-4c66-8eda-96df5344f635  friend1@fabrikam.com  guests-do-not-invite  high      would disable the account
    233ba95d-204a-4dfb-abf0-93eeff15f32b  friend2@fabrikam.com  guests-do-not-invite  high      would disable the account
    710f8bec-101c-4803-b17e-17f5cb703069  friend3@fabrikam.com  guests-do-not-invite  high      would disable the account
    be10aa2b-ea04-47e8-a0d7-804dd1e7d90d  friend4@fabrikam.com  guests-do-not-invite  high      would disable the account

    Admitted, and not for long:
    GUEST                                 ADDRESS               SCENARIO     ENDS AT               WHY
    8cb8b32c-60e4-4bda-9c48-d61efc5aaf2e  adele@fabrikam.com    agency-work  <the day after>T00:00:00Z  partner `fabrikam` ends on <last day>
    ee93087b-b17e-449c-9ef3-7a2398739324  friend0@fabrikam.com  agency-work  <the day after>T00:00:00Z  partner `fabrikam` ends on <last day>
    e4185fe7-bab6-4c66-8eda-96df5344f635  friend1@fabrikam.com  agency-work  <the day after>T00:00:00Z  partner `fabrikam` ends on <last day>
    233ba95d-204a-4dfb-abf0-93eeff15f32b  friend2@fabrikam.com  agency-work  <the day after>T00:00:00Z  partner `fabrikam` ends on <last day>
    710f8bec-101c-4803-b17e-17f5cb703069  friend3@fabrikam.com  agency-work  <the day after>T00:00:00Z  partner `fabrikam` ends on <last day>
    be10aa2b-ea04-47e8-a0d7-804dd1e7d90d  friend4@fabrikam.com  agency-work  <the day after>T00:00:00Z  partner `fabrikam` ends on <last day>

    RULE                  FOUND  WOULD ACT  WOULD ASK  PROTECTED  UNKNOWN  BY HAND
    guests-do-not-invite  5      5          0          0          0        0
    otherwise.guest       0      0          0          0          0        0

    What one rule alone would touch, switched to `enforce` (file and GUESTLIST_AT_MOST, too):
    RULE                  GUESTS  DISABLED  MEMBERSHIPS  OWNERSHIPS
    guests-do-not-invite  5       5         0            0
    otherwise.guest       0       0         0            0

    9 users, 6 of them guests; 1 without an objection
    ");
    let json = tenant.json(&["check", "--all"]);
    assert_eq!(json["counts"]["by_rule"]["guests-do-not-invite"]["would_act"], 5);
    assert_eq!(json["counts"]["ending"], 6);
    assert_eq!(json["ending"][0]["rule"], "agency-work");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_that_is_hidden_is_said_and_hides_nothing_else() {
    let tenant = Tenant::start().await;
    std::fs::write(tenant.policy(), policy(last_day())).unwrap();
    let adele = tenant.invite("adele@fabrikam.com").to_string();
    let mallory = tenant.invite("mallory@evil.example").to_string();
    let reader = contoso::reader();
    let roles: Vec<&str> =
        reader.roles.iter().map(String::as_str).filter(|role| *role != "AuditLog.Read.All").collect();
    assert!(tenant.simulator.grant(reader.client_id, &roles));
    let shown = tenant.run(&["check", &adele]);
    assert!(shown.expect(0).stdout.contains("grant it `AuditLog.Read.All`"), "{shown:?}");
    let counts = &tenant.json(&["check", "--all"])["counts"]["by_rule"];
    assert_eq!(counts["guests-do-not-invite"]["unknown"], 2, "{counts}");
    assert_eq!(counts["otherwise.guest"]["would_act"], 1, "{mallory} is no partner: {counts}");
}
