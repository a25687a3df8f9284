//! Several alerts in one message, for an hour in which a channel has had enough single ones.
//! Never here: when an hour has had enough.

use std::cmp::Reverse;

use jiff::Timestamp;
use model::{RolledUp, Severity};
use sha2::{Digest, Sha256};

use crate::message::{About, Kind, Message, RollUpReport};
use crate::plain::clean;
use crate::section::Piece;

/// One message that stands for `lines`, the worst first. `due` is when it was to be told, and stays
/// the same over retries.
#[must_use]
pub fn roll_up(lines: &[RolledUp], due: Timestamp, now: Timestamp) -> Message {
    let id = {
        let mut digest = Sha256::new();
        digest.update(due.to_string());
        for line in lines {
            digest.update([0]);
            digest.update(&line.about);
        }
        format!("roll-up-{}", sixteen_digits(&digest.finalize()))
    };
    let mut lines: Vec<RolledUp> = lines
        .iter()
        .map(|RolledUp { about, headline, severity }| RolledUp {
            about: clean(about, 100),
            headline: clean(headline, 200),
            severity: *severity,
        })
        .collect();
    lines.sort_by_key(|line| Reverse(line.severity));
    let counts = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low]
        .into_iter()
        .map(|severity| (lines.iter().filter(|line| line.severity == severity).count(), severity))
        .filter(|(count, _)| *count > 0)
        .map(|(count, severity)| format!("{count} {severity}"))
        .collect::<Vec<_>>()
        .join(", ");
    let alerts = if lines.len() == 1 { "alert" } else { "alerts" };
    let counts = if counts.is_empty() { counts } else { format!(": {counts}") };
    let headline = format!("{} more {alerts}{counts}", lines.len());
    Message {
        id,
        kind: Kind::RollUp,
        severity: lines.first().map_or(Severity::Low, |line| line.severity),
        headline_pieces: vec![Piece::Words(headline.clone())],
        headline,
        at: now,
        about: About::RollUp(RollUpReport { due, lines }),
    }
}

/// Enough of a digest to tell messages apart.
pub(crate) fn sixteen_digits(digest: &[u8]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
