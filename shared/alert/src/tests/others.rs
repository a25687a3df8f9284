//! Notices and roll-ups.

use insta::assert_snapshot;
use model::{ChannelName, Notice, NoticeKind, RolledUp, Severity};

use super::{at, slack, webhook};
use crate::{about_notice, next_roll_up, roll_up};

const KINDS: [NoticeKind; 21] = [
    NoticeKind::ForgedNotifications,
    NoticeKind::OversizedNotification,
    NoticeKind::UnreadableNotification,
    NoticeKind::GuestVanished,
    NoticeKind::JobBuried,
    NoticeKind::PolicyTaken,
    NoticeKind::PolicyRefused,
    NoticeKind::ChannelBroken,
    NoticeKind::SubscriptionTrouble,
    NoticeKind::CredentialTrouble,
    NoticeKind::BreakerOpened,
    NoticeKind::BreakerReset,
    NoticeKind::AdmissionEnds,
    NoticeKind::AmbiguousName,
    NoticeKind::CanaryLost,
    NoticeKind::CanaryBack,
    NoticeKind::CanaryRefused,
    NoticeKind::ClockWrong,
    NoticeKind::WritesStopped,
    NoticeKind::WritesResumed,
    NoticeKind::Test,
];

fn notice(kind: NoticeKind) -> Notice {
    let channels = [ChannelName("slack".to_owned())];
    Notice::new(
        "forged/10.0.0.1".to_owned(),
        kind,
        "`clientState` did not fit".to_owned(),
        &channels,
        at("10:00:00"),
    )
}

#[test]
fn a_notice_says_what_happened_what_to_do_and_where_to_look() {
    let mut forged = notice(NoticeKind::ForgedNotifications);
    forged.again(
        "12 POSTs from one address had a `clientState` that is not ours".to_owned(),
        11,
        &[],
        at("10:05:00"),
    );
    let message = about_notice(&forged, 1);
    assert_snapshot!(slack(&message), @"
    [text] Notifications that are not ours were dropped
    [header] Notifications that are not ours were dropped
    [section] *What happened*
    12 POSTs from one address had a `clientState` that is not ours
    [section] *What to do*
    Somebody knows the address of the receiver. Nothing came of it. If it was another installation of yours, give each its own address or the same keys
    [section] Look: `guestlist subscriptions`
    [context] notice · medium severity · 12 times from 2026-11-20 10:00:00 UTC to 2026-11-20 10:05:00 UTC
    ");
    assert_snapshot!(serde_json::to_string_pretty(&webhook(&message)).unwrap(), @r#"
    {
      "data": {
        "headline": "Notifications that are not ours were dropped",
        "id": "notice-8270542f6a92ee99-1",
        "notice": {
          "command": "guestlist subscriptions",
          "count": 12,
          "first_at": "2026-11-20T10:00:00Z",
          "key": "forged/10.0.0.1",
          "kind": "forged-notifications",
          "last_at": "2026-11-20T10:05:00Z",
          "text": "12 POSTs from one address had a `clientState` that is not ours",
          "what_to_do": "Somebody knows the address of the receiver. Nothing came of it. If it was another installation of yours, give each its own address or the same keys"
        },
        "schema": 1,
        "severity": "medium",
        "truncated": false
      },
      "timestamp": "2026-11-20T10:05:00Z",
      "type": "guestlist.notice"
    }
    "#);
}

#[test]
fn each_kind_of_notice_has_a_headline_of_its_own_and_the_kinds_severity() {
    let mut headlines: Vec<String> = KINDS
        .map(|kind| {
            let message = about_notice(&notice(kind), 1);
            assert_eq!(message.severity, kind.severity());
            message.headline
        })
        .to_vec();
    headlines.sort();
    headlines.dedup();
    assert_eq!(headlines.len(), KINDS.len());
}

#[test]
fn a_notices_id_can_be_signed_whatever_its_key() {
    for key in ["policy.yaml", "a b", "", &"x".repeat(5_000)] {
        let id = about_notice(&Notice { key: key.to_owned(), ..notice(NoticeKind::Test) }, 3).id;
        assert!(id.len() < 60 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{id}");
    }
    let of = |key: &str, sequence| {
        about_notice(&Notice { key: key.to_owned(), ..notice(NoticeKind::Test) }, sequence).id
    };
    assert_ne!(of("a", 1), of("b", 1));
    assert_ne!(of("a", 1), of("a", 2));
}

fn line(about: &str, headline: &str, severity: Severity) -> RolledUp {
    RolledUp { about: about.to_owned(), headline: headline.to_owned(), severity }
}

#[test]
fn a_roll_up_counts_and_puts_the_worst_first() {
    let lines = [
        line("policy", "A changed policy is in force", Severity::Low),
        line(
            "9f2c41d05be07a13-1",
            "Disabled guest mallory@evil.example: blocked-domain (high)",
            Severity::High,
        ),
        line("9f2c41d05be07a14-1", "Disabled guest <!channel>: blocked-domain (high)", Severity::High),
    ];
    let message = roll_up(&lines, 0, at("10:05:00"), at("10:05:02"));
    assert_snapshot!(slack(&message), @"
    [text] 3 more alerts: 2 high, 1 low
    [header] 3 more alerts: 2 high, 1 low
    [section] *What happened*
    • high · `Disabled guest mallory@evil.example: blocked-domain (high)` · `9f2c41d05be07a13-1`
    • high · `Disabled guest &lt;!channel&gt;: blocked-domain (high)` · `9f2c41d05be07a14-1`
    • low · `A changed policy is in force`
    [section] All of them: `guestlist incidents`
    [context] roll-up of 2026-11-20 10:05:00 UTC
    ");
    assert_eq!(message.severity, Severity::High);
    let event = webhook(&message);
    assert_eq!(event["type"], "guestlist.roll_up");
    assert_eq!(event["data"]["roll_up"]["count"], 3);
    assert_eq!(event["data"]["roll_up"]["alerts"][0]["about"], "9f2c41d05be07a13-1");
}

#[test]
fn a_roll_up_keeps_its_id_over_retries() {
    let lines = [line("a", "x", Severity::Low)];
    let id = roll_up(&lines, 0, at("10:05:00"), at("10:05:02")).id;
    assert_eq!(roll_up(&lines, 0, at("10:05:00"), at("10:09:00")).id, id);
    assert_ne!(roll_up(&lines, 0, at("10:10:00"), at("10:10:00")).id, id);
    assert!(!id.contains('.'));
}

#[test]
fn of_thousands_a_roll_up_names_whom_it_can_and_says_how_many_follow() {
    let lines: Vec<RolledUp> = (0..5_000)
        .map(|n| line(&format!("{n:016x}-1"), &"& found a guest ".repeat(40), Severity::Medium))
        .collect();
    let told = next_roll_up(&lines);
    assert_eq!(told.len(), 9);
    let message = roll_up(&told, lines.len() - told.len(), at("10:05:00"), at("10:05:00"));
    super::hostile::expect_within_limits(&message);
    let shown = slack(&message);
    assert!(shown.contains("9 more alerts: 9 medium") && shown.contains("• 4991 more follow"), "{shown}");
    for one in &told {
        assert!(shown.contains(&one.about), "{} is not named: {shown}", one.about);
    }
    assert_eq!(webhook(&message)["data"]["roll_up"]["count"], 9);
}

#[test]
fn a_roll_up_begins_with_the_worst_and_holds_one_line_however_long_it_is() {
    let mut lines: Vec<RolledUp> =
        (0..40).map(|n| line(&format!("{n:016x}-1"), "Resolved", Severity::Low)).collect();
    lines.push(line("worst", &"x".repeat(5_000), Severity::Critical));
    let told = next_roll_up(&lines);
    assert_eq!((told.len(), told[0].about.as_str()), (25, "worst"));
    assert_eq!(next_roll_up(&[]), []);
}
