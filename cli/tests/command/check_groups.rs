//! `guestlist check` of memberships: what the rules about groups find, and what switching one to `enforce` would touch.

use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use simulator::contoso::{ALL_GUESTS, FINANCE, HELPDESK, MARKETING};
use uuid::Uuid;

use crate::tenant::{GROUPS, Tenant, without_ids};

fn write(tenant: &Tenant, policy: &str) {
    std::fs::write(tenant.policy(), policy).unwrap();
}

/// A guest of a partner, who was there a year ago.
fn of_old(tenant: &Tenant, name: &str) -> Uuid {
    let then = Timestamp::now().checked_sub(SignedDuration::from_hours(24 * 365)).unwrap();
    let guest = tenant.invite_as(&format!("{name}@fabrikam.com"), Some(name));
    tenant.simulator.tenant().set(guest, |user| user.created_at = Some(then)).unwrap();
    guest
}

fn masked(text: &str) -> String {
    text.lines().map(without_ids).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_guest_is_told_each_membership_that_a_rule_objects_to() {
    let tenant = Tenant::start().await;
    write(&tenant, GROUPS);
    let adele = tenant.invite_as("adele@fabrikam.com", Some("Adele"));
    let directory = tenant.simulator.tenant();
    tenant.add(FINANCE, adele);
    tenant.add(tenant.group("Project X"), adele);
    directory.add_owner(MARKETING, adele).unwrap();
    directory.rename_group(ALL_GUESTS, "Finance Readers").unwrap();
    tenant.add(ALL_GUESTS, adele);
    let shown = tenant.run(&["check", &adele.to_string()]);
    let mut found: Vec<&str> = shown.expect(0).stdout.lines().skip(2).collect();
    found.sort_unstable();
    assert_snapshot!(masked(&found.join("\n")), @"
      held back: the rule's own mode is `ask`
      would ask somebody, and if approved: take the account out of `Project X` (<id>)
      would be told, and nothing done: `Finance Readers` (<id>): its members are computed by a rule; somebody must change the rule, or the property of the account that the rule asks for
      would take the account out of `Finance Board` (<id>)
      would take the ownership of `Marketing` (<id>) from the account
    breaks `closed-groups` (high) in `Finance Board` (<id>): the account is a member of `Finance Board`, whose name matches `Finance *`
    breaks `closed-groups` (high) in `Finance Readers` (<id>): the account is a member of `Finance Readers`, whose name matches `Finance *`
    breaks `guests-own-nothing` (medium) in `Marketing` (<id>): the account owns `Marketing`
    breaks `project-groups` (medium) in `Project X` (<id>): the account is a member of `Project X`, whose name matches `Project *`
    ");
    let json = tenant.json(&["check", &adele.to_string()]);
    assert_eq!(json["by_rule"]["closed-groups"]["found"], 2, "{json}");
    assert_eq!(json["by_rule"]["closed-groups"]["by_hand"], 1);
    assert_eq!(json["by_rule"]["guests-own-nothing"]["if_enforced"]["ownerships"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn switching_one_rule_is_counted_with_and_without_those_who_were_there_before() {
    let tenant = Tenant::start().await;
    let observed =
        GROUPS.replace("mode: enforce\n", "mode: observe\nexisting: { before: 2026-01-01, mode: observe }\n");
    write(&tenant, &observed);
    let directory = tenant.simulator.tenant();
    let finance = tenant.group("Finance EU");
    let new = tenant.invite("new@fabrikam.com");
    let (old, ancient) = (of_old(&tenant, "old"), of_old(&tenant, "ancient"));
    for guest in [new, old, ancient] {
        tenant.add(FINANCE, guest);
    }
    tenant.add(finance, new);
    directory.add_owner(MARKETING, old).unwrap();
    // Whoever is in a role-assignable group is nobody's to touch.
    tenant.add(HELPDESK, ancient);
    let nina = tenant.invite("nina@northwind.example");
    tenant.invite("eve@northwind.example");
    directory.disable(nina).unwrap();
    tenant.simulator.set_faults(|faults| faults.page_at_most = Some(3));
    let printed = tenant.run_with(&[("GUESTLIST_AT_MOST", "")], &["check", "--all"]);
    let counts = printed.expect(0).stdout.split_once("\n\n").unwrap().1;
    assert_snapshot!(counts, @"
    RULE                FOUND  WOULD ACT  WOULD ASK  PROTECTED  UNKNOWN  BY HAND
    closed-groups       4      0          0          1          0        0
    guests-own-nothing  1      0          0          0          0        0
    otherwise.guest     2      0          0          0          0        0
    project-groups      0      0          0          0          0        0

    What one rule alone would touch, switched to `enforce` (file and GUESTLIST_AT_MOST, too):
    RULE                GUESTS  DISABLED  MEMBERSHIPS  OWNERSHIPS  |  GUESTS  DISABLED  MEMBERSHIPS  OWNERSHIPS
    closed-groups       1       0         2            0           |  2       0         3            0
    guests-own-nothing  0       0         0            0           |  1       0         0            1
    otherwise.guest     1       1         0            0           |  1       1         0            0
    project-groups      0       0         0            0           |  0       0         0            0
    Right of the bar: without `existing`, for those too who were there before.

    8 users, 5 of them guests; 0 without an objection
    ");
    let json = tenant.json(&["check", "--all"]);
    let rule = &json["counts"]["by_rule"]["closed-groups"];
    assert_eq!(rule["would_act"], 0);
    assert_eq!(rule["if_enforced"]["memberships"], 2);
    assert_eq!(rule["if_enforced_for_existing"]["guests"], 2);
    assert_eq!(tenant.simulator.take_writes(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_groups_of_ten_guests_are_read_in_one_round_trip_and_of_members_not_at_all() {
    let tenant = Tenant::start().await;
    write(&tenant, GROUPS);
    for n in 0..20 {
        tenant.invite(&format!("a{n}@fabrikam.com"));
    }
    tenant.simulator.reset_traffic();
    tenant.run(&["check", "--all"]).expect(0);
    let traffic = tenant.simulator.traffic();
    let groups = traffic.log.iter().filter(|call| call.path.ends_with("/memberOf")).count();
    assert_eq!(groups, 20, "three members are asked for nothing");
    assert_eq!(traffic.round_trips, 4, "our own domains, one page, two batches: {:?}", traffic.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_asks_is_counted_apart_and_names_that_mean_nobody_are_told() {
    let tenant = Tenant::start().await;
    let named = GROUPS.replace(
        "admits: { partners: [fabrikam] }",
        "admits: { partners: [fabrikam] }\n    joins: { groups: [Nowhere] }",
    );
    write(&tenant, &format!("{named}  membership: {{ then: [leave-group] }}\n"));
    let adele = tenant.invite("adele@fabrikam.com");
    tenant.add(tenant.group("Project X"), adele);
    let printed = tenant.run(&["check", "--all"]);
    assert!(
        printed.expect(0).stderr.contains("warning: ")
            && printed.stderr.contains("no group is called `Nowhere`"),
        "{printed:?}"
    );
    let json = tenant.json(&["check", "--all"]);
    let by_rule = &json["counts"]["by_rule"];
    assert_eq!(by_rule["project-groups"]["would_ask"], 1);
    assert_eq!(by_rule["project-groups"]["would_act"], 0);
    assert_eq!(by_rule["otherwise.membership"]["unknown"], 1);
    assert_eq!(by_rule["otherwise.membership"]["if_enforced"]["guests"], 0);
    let shown = tenant.run(&["check", &adele.to_string()]);
    assert!(
        shown.stdout.contains("  would ask somebody, and if approved: take the account out of `Project X`"),
        "{shown:?}"
    );
}
