//! What lowers a finding: modes, guests who were there before, protection, exceptions and suspensions.

use guestlist_policy::{Facts, Standing, judge, protection};
use insta::assert_snapshot;
use model::{Mode, ObjectId, Suspension};

use crate::world::*;

#[test]
fn the_effective_mode_is_the_lowest_and_says_what_lowered_it() {
    let check = |file: &str, rule: &str, ceiling: Mode, expected: Mode| {
        let text = format!("version: 1\nmode: {file}\n{BLOCKED}    mode: {rule}\n");
        let verdict = judge(&policy(&text), &guest("m@evil.example"), ceiling, now());
        let finding = &verdict.findings[0];
        assert_eq!(
            (finding.mode, finding.held_back.is_empty()),
            (expected, expected == Mode::Enforce),
            "{file} {rule}"
        );
    };
    check("enforce", "enforce", Mode::Enforce, Mode::Enforce);
    check("observe", "enforce", Mode::Enforce, Mode::Observe);
    check("enforce", "observe", Mode::Enforce, Mode::Observe);
    check("enforce", "enforce", Mode::Observe, Mode::Observe);
    check("enforce", "enforce", Mode::Ask, Mode::Ask);
    check("observe", "enforce", Mode::Ask, Mode::Observe);
    let text = format!(
        "version: 1\nmode: observe\nexisting: {{ before: 2026-12-01 }}\n{BLOCKED}    mode: observe\n"
    );
    let verdict = judge(&policy(&text), &guest("m@evil.example"), Mode::Observe, now());
    assert_snapshot!(told(&verdict), @"
    blocked-domain (high, observe) [disable]
      mail `m@evil.example` matches `evil.example` in list `blocked`
      why: sanctions
      held back: the rule's own mode is `observe`
      held back: the policy's mode is `observe`
      held back: the account was created before 2026-12-01: `existing` allows at most `observe`
      held back: the operator allows at most `observe` (`GUESTLIST_AT_MOST`)
    ");
    // Nothing is held back where nothing would be written.
    let verdict = judge(
        &policy(&text.replace("[disable]", "[notify]")),
        &guest("m@evil.example"),
        Mode::Observe,
        now(),
    );
    assert_eq!(verdict.findings[0].held_back, [""; 0]);
}

#[test]
fn guests_who_were_there_before_get_at_most_what_existing_says() {
    let policy = rules(&format!("existing: {{ before: 2026-12-01, mode: observe }}\n{BLOCKED}"));
    for (created_at, expected) in [
        (Some("2026-11-30T23:59:59Z"), Mode::Observe),
        (Some("2026-12-01T00:00:00Z"), Mode::Enforce),
        (None, Mode::Observe),
    ] {
        let facts = Facts { created_at: created_at.map(at), ..guest("m@evil.example") };
        assert_eq!(judged(&policy, &facts).findings[0].mode, expected, "{created_at:?}");
    }
    let none = rules(BLOCKED);
    assert_eq!(
        judged(&none, &Facts { created_at: None, ..guest("m@evil.example") }).findings[0].mode,
        Mode::Enforce
    );
}

#[test]
fn a_protected_account_is_never_acted_on_and_a_person_is_told_what_to_do() {
    let plain = rules(BLOCKED);
    let protects = rules(&format!("protect: {{ users: [{ALICE}] }}\n{BLOCKED}"));
    let mallory = || guest("m@evil.example");
    let group = ObjectId::from_u128(0x77aa);
    let standing = |roles: &[&str], groups: &[ObjectId]| Standing::Known {
        directory_roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        role_assignable_groups: groups.to_vec(),
        groups: groups.iter().copied().collect(),
    };
    let mut lines = Vec::new();
    for (policy, facts) in [
        (&protects, mallory()),
        (&plain, Facts { standing: standing(&["User Administrator", "Reports Reader"], &[]), ..mallory() }),
        (&plain, Facts { standing: standing(&[], &[group]), ..mallory() }),
        (&plain, Facts { management_restricted: true, ..mallory() }),
        (&plain, Facts { on_premises_synced: true, ..mallory() }),
        (&plain, Facts { standing: Standing::Unread, ..mallory() }),
        (&plain, Facts { standing: Standing::Unreadable { why: "403 from Graph".to_owned() }, ..mallory() }),
        (&protects, Facts { standing: standing(&["User Administrator"], &[]), ..mallory() }),
    ] {
        let verdict = judged(policy, &facts);
        assert_eq!(acting(&verdict), [""; 0]);
        assert_eq!(verdict.wants_standing, facts.standing == Standing::Unread);
        // What could not be checked stops a finding, and is no protection.
        let checked = matches!(facts.standing, Standing::Known { .. });
        assert_eq!(protection(policy, &facts), verdict.findings[0].refused.clone().filter(|_| checked));
        lines.push(verdict.findings[0].refused.clone().unwrap());
    }
    assert_eq!(protection(&plain, &mallory()), None);
    assert_snapshot!(lines.join("\n"), @"
    the policy protects this account (`protect.users`): a person must decide
    the account holds the directory role `User Administrator`, `Reports Reader`: a Privileged Authentication Administrator must take it away or disable the account
    the account is a member or an owner of the role-assignable group `00000000-0000-0000-0000-0000000077aa`: a Privileged Authentication Administrator must take it out or disable the account
    the account is in a restricted management administrative unit: somebody with a role in that unit must disable it
    the account is synchronised from an on-premises directory: it must be disabled there
    directory roles have not been read
    directory roles could not be read (403 from Graph): a person must look whether the account holds one, and disable it
    the policy protects this account (`protect.users`): a person must decide; the account holds the directory role `User Administrator`: a Privileged Authentication Administrator must take it away or disable the account
    ");
}

#[test]
fn the_standing_is_wanted_only_where_something_would_be_done() {
    let unread = |mail: &str| Facts { standing: Standing::Unread, ..guest(mail) };
    let wants = |policy: &_, facts: &Facts, ceiling| judge(policy, facts, ceiling, now()).wants_standing;
    let policy = rules(BLOCKED);
    assert!(wants(&policy, &unread("m@evil.example"), Mode::Enforce));
    assert!(!wants(&policy, &unread("m@evil.example"), Mode::Observe));
    assert!(!wants(&policy, &unread("a@fabrikam.com"), Mode::Enforce));
    let tells = rules(&BLOCKED.replace("[disable]", "[notify]"));
    assert!(!wants(&tells, &unread("m@evil.example"), Mode::Enforce));
    let observed = judge(&policy, &unread("m@evil.example"), Mode::Observe, now());
    assert_eq!(observed.findings[0].refused, None);
    // Known to be protected already: no request is spent on it.
    let synced = Facts { on_premises_synced: true, ..unread("m@evil.example") };
    assert!(!wants(&policy, &synced, Mode::Enforce));
}

fn suspension(rule: &str, until: &str) -> Suspension {
    Suspension {
        guest: ALICE,
        rule: rule.parse().unwrap(),
        object: None,
        identity: None,
        until: at(until),
        by: "bob@contoso.com".to_owned(),
        reason: "a mistake".to_owned(),
        written_at: now(),
        looked_at: None,
    }
}

#[test]
fn an_exception_and_a_suspension_hold_a_finding_back_in_the_same_way_until_they_end() {
    let exception = format!(
        "exceptions:\n  - guest: {ALICE}\n    from: [blocked-domain]\n    until: 2026-11-30\n    ticket: SEC-123\n    \
         approved_by: ciso@contoso.com\n"
    );
    let end = at("2026-12-01T00:00:00Z");
    let last = at("2026-11-30T23:59:59.999Z");
    let by_policy = (rules(&format!("{BLOCKED}{exception}")), guest("m@evil.example"));
    let suspended = vec![suspension("blocked-domain", "2026-12-01T00:00:00Z")];
    let by_ledger = (rules(BLOCKED), Facts { suspensions: suspended, ..guest("m@evil.example") });
    let mut held = Vec::new();
    for (policy, facts) in [by_policy, by_ledger] {
        let before = judge(&policy, &facts, Mode::Enforce, last);
        assert_eq!((before.findings.len(), before.suspended.len(), before.changes_at), (0, 1, Some(end)));
        held.push(format!(
            "{} by {}: {}",
            before.suspended[0].until, before.suspended[0].by, before.suspended[0].reason
        ));
        let after = judge(&policy, &facts, Mode::Enforce, end);
        assert_eq!(
            (acting(&after), after.suspended.len(), after.changes_at),
            (vec!["blocked-domain"], 0, None)
        );
    }
    assert_snapshot!(held.join("\n"), @"
    2026-12-01T00:00:00Z by ciso@contoso.com: exception until 2026-11-30 (SEC-123)
    2026-12-01T00:00:00Z by bob@contoso.com: a mistake
    ");
}

#[test]
fn a_suspension_holds_one_rule_of_one_guest_and_the_longest_counts() {
    let policy = rules(&format!("{BLOCKED}{PARTNERS}"));
    let facts = |suspensions| Facts { suspensions, ..guest("m@evil.example") };
    let one = judged(&policy, &facts(vec![suspension("otherwise.guest", "2027-01-01T00:00:00Z")]));
    assert_eq!(acting(&one), ["blocked-domain"]);
    let stranger =
        Suspension { guest: ObjectId::from_u128(9), ..suspension("otherwise.guest", "2027-01-01T00:00:00Z") };
    assert_eq!(acting(&judged(&policy, &facts(vec![stranger]))).len(), 2);
    let two = vec![
        suspension("otherwise.guest", "2027-01-01T00:00:00Z"),
        suspension("otherwise.guest", "2027-02-01T00:00:00Z"),
    ];
    assert_eq!(judged(&policy, &facts(two)).changes_at, Some(at("2027-02-01T00:00:00Z")));
}
