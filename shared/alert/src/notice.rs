//! The words about Guestlist itself and its surroundings, one set for each kind of notice.
//! Never here: words about a guest's finding.

use model::{Notice, NoticeKind};
use sha2::{Digest, Sha256};

use crate::message::{About, Kind, Message, NoticeReport};
use crate::plain::clean;
use crate::roll_up::sixteen_digits;
use crate::section::Piece;

/// What operators are told about a notice, as it stands now. `sequence` is the delivery's.
#[must_use]
pub fn about_notice(notice: &Notice, sequence: u32) -> Message {
    let Notice { key, kind, text, count, first_at, last_at, deliveries: _ } = notice;
    let Words { headline, must, command } = words(*kind);
    let headline = headline.to_owned();
    Message {
        id: format!("notice-{}-{sequence}", sixteen_digits(&Sha256::digest(key))),
        kind: Kind::Notice,
        severity: kind.severity(),
        headline_pieces: vec![Piece::Words(headline.clone())],
        headline,
        at: *last_at,
        about: About::Notice(NoticeReport {
            key: clean(key, 200),
            notice: *kind,
            text: clean(text, 2_000),
            count: *count,
            first_at: *first_at,
            last_at: *last_at,
            must,
            command,
        }),
    }
}

struct Words {
    headline: &'static str,
    must: Option<&'static str>,
    command: Option<&'static str>,
}

impl Words {
    const fn new(headline: &'static str, must: &'static str, command: &'static str) -> Self {
        Self { headline, must: Some(must), command: Some(command) }
    }
}

fn words(kind: NoticeKind) -> Words {
    match kind {
        NoticeKind::ForgedNotifications => Words::new(
            "Notifications that are not ours were dropped",
            "Somebody knows the address of the receiver. Nothing came of it. If it was another installation of \
             yours, give each its own address or the same keys",
            "guestlist subscriptions",
        ),
        NoticeKind::OversizedNotification => Words::new(
            "A notification was too large and was refused",
            "Microsoft Graph sends far less. If its address is that of Graph, report it to us with the size",
            "guestlist status",
        ),
        NoticeKind::UnreadableNotification => Words::new(
            "A notification could not be read and was laid aside",
            "Look at it, replay it with a newer version, or drop it",
            "guestlist dead list",
        ),
        NoticeKind::GuestVanished => Words {
            headline: "A known guest is gone from the directory",
            must: Some(
                "If nobody of yours deleted the account for good, find out who did in the audit log of Entra",
            ),
            command: Some("guestlist incidents"),
        },
        NoticeKind::DeletedAgain => Words::new(
            "What an undo restored was deleted again",
            "Settle with whoever deleted it (a lifecycle policy, say) that the account is to stay, and restore it in the \
             Entra admin center then: nothing is restored a second time by itself",
            "guestlist incidents",
        ),
        NoticeKind::JobBuried => Words::new(
            "Work failed too often and was laid aside",
            "Mend the cause, then replay it: until then what it was about is not done",
            "guestlist dead list",
        ),
        NoticeKind::PolicyTaken => Words {
            headline: "A changed policy is in force",
            must: None,
            command: Some("guestlist check --all"),
        },
        NoticeKind::PolicyRefused => Words::new(
            "The policy was refused; the one before stays in force",
            "Do what is said above: the policy is looked at again by itself",
            "guestlist validate",
        ),
        NoticeKind::ChannelBroken => Words::new(
            "A channel takes no messages",
            "Correct its URL or secret in the settings. What could not be told there is in the ledger",
            "guestlist doctor",
        ),
        NoticeKind::SubscriptionTrouble => Words::new(
            "Microsoft Graph is not telling us of changes",
            "Until this is mended, changes of guests may go unseen",
            "guestlist subscriptions",
        ),
        NoticeKind::CredentialTrouble => Words::new(
            "Microsoft Graph refuses our credential or a permission",
            "Renew the credential, or grant the permission and consent to it as an administrator",
            "guestlist doctor",
        ),
        NoticeKind::BreakerOpened => Words::new(
            "The circuit breaker is open: every remediation waits for approval",
            "Find out why so many guests were to be touched in an hour. Approve or reject what waits, one by one or by \
             rule; reset the breaker once you know. A reset releases nothing that waits",
            "guestlist breaker show",
        ),
        NoticeKind::BreakerReset => Words::new(
            "The circuit breaker was reset: remediations are carried out again",
            "What waits goes on waiting: approve or reject it",
            "guestlist breaker show",
        ),
        NoticeKind::AdmissionEnds => Words::new(
            "A guest's admission ends soon",
            "If he is to stay, prolong what admits him in the policy; if not, nothing need be done",
            "guestlist check",
        ),
        NoticeKind::AmbiguousName => Words::new(
            "The policy names a group by a name that is not one group's",
            "Write the group's id into the policy. Until then what the name decides is told, and not acted on",
            "guestlist resolve",
        ),
        NoticeKind::CanaryLost => Words::new(
            "The canary has not come back: Microsoft Graph does not tell us of changes in time",
            "Look whether the receiver can be reached and the subscription to groups lives. Until this is mended, changes \
             are found by reconciliation, ten minutes later or more",
            "guestlist status",
        ),
        NoticeKind::CanaryBack => Words {
            headline: "The canary is back: Microsoft Graph tells us of changes again",
            must: None,
            command: Some("guestlist status"),
        },
        NoticeKind::CanaryRefused => Words::new(
            "The canary is not flown: its account or its group is not what it has to be",
            "Mend the account or the group, or unset GUESTLIST_CANARY_USER and GUESTLIST_CANARY_GROUP. Nothing else depends \
             on it",
            "guestlist status",
        ),
        NoticeKind::ClockWrong => Words::new(
            "This machine's clock is wrong",
            "Set it, and keep it set (NTP). Whatever speaks to Microsoft Graph goes by its clock meanwhile; the rest, like what \
             receives notifications and sends messages in processes of their own, goes by this machine's",
            "guestlist status",
        ),
        NoticeKind::WritesStopped => Words::new(
            "All writes to the tenant are stopped",
            "Findings are recorded and told, and nothing is done about them until somebody resumes",
            "guestlist resume",
        ),
        NoticeKind::WritesResumed => Words {
            headline: "Writes to the tenant are resumed",
            must: None,
            command: Some("guestlist status"),
        },
        NoticeKind::Test => {
            Words { headline: "This is a test message", must: None, command: Some("guestlist status") }
        }
    }
}
