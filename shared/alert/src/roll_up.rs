//! Several alerts in one message, for an hour in which a channel has had enough single ones.
//! Never here: when an hour has had enough.

use std::cmp::Reverse;

use jiff::Timestamp;
use model::{RolledUp, Severity};
use sha2::{Digest, Sha256};

use crate::message::{About, Kind, Message, RollUpReport};
use crate::plain::clean;
use crate::section::Piece;

/// As many as people read at once, and as every product shows whole.
const MOST: usize = 25;
const CHARACTERS: usize = 2_400;
/// What stands in a line beside its words.
const BESIDE: usize = 24;

/// What the next message can stand for without leaving anything out, the worst first.
#[must_use]
pub fn next_roll_up(lines: &[RolledUp]) -> Vec<RolledUp> {
    let mut lines = lines.to_vec();
    lines.sort_by_key(|line| Reverse(line.severity));
    let mut long = 0_usize;
    let fits = |line: &&RolledUp| {
        let words = clean(&line.headline, 200).len().saturating_add(clean(&line.about, 100).len());
        let first = long == 0;
        long = long.saturating_add(words).saturating_add(BESIDE);
        first || long <= CHARACTERS
    };
    lines.iter().take(MOST).take_while(fits).cloned().collect()
}

/// One message that stands for `lines`, the worst first; so many others follow. `due` is when it was to be told, and stays
/// the same over retries.
#[must_use]
pub fn roll_up(lines: &[RolledUp], follow: usize, due: Timestamp, now: Timestamp) -> Message {
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
        about: About::RollUp(RollUpReport { due, lines, follow }),
    }
}

/// Enough of a digest to tell messages apart.
pub(crate) fn sixteen_digits(digest: &[u8]) -> String {
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
