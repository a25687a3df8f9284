//! Makes a failing history smaller: leaves acts out for as long as it goes on failing in the same way.

use super::acts::Timed;
use super::history::History;
use super::run::play;

/// The smallest history that was found to fail so, beginning with this one, and what is said of it.
#[must_use]
pub fn shrink(seed: u64, history: &History) -> (History, Vec<String>) {
    let complaints_of = |history: &History| play(seed, history, false).ok().map(|report| report.complaints);
    let mut smallest = history.clone();
    let mut complaints = complaints_of(&smallest).unwrap_or_default();
    let Some(wanted) = complaints.first().map(|first| kind(first)) else { return (smallest, complaints) };
    // Another way to fail may hide in the same history: this one is looked for.
    let fails = |history: &History| {
        complaints_of(history).filter(|all| all.iter().any(|complaint| kind(complaint) == wanted))
    };
    let mut piece = (smallest.acts.len() / 2).max(1);
    loop {
        let mut from = 0;
        let before = smallest.acts.len();
        while from < smallest.acts.len() {
            let tried = without(&smallest, from, piece);
            if let Some(said) = fails(&tried) {
                (smallest, complaints) = (tried, said);
            } else {
                from += piece;
            }
        }
        if piece == 1 && smallest.acts.len() == before {
            return (smallest, complaints);
        }
        piece = (piece / 2).max(1);
    }
}

/// A complaint without its ids and times.
fn kind(complaint: &str) -> String {
    let words = complaint.split(|c: char| !c.is_ascii_alphabetic());
    let kept: Vec<&str> =
        words.filter(|word| word.len() > 1 && !word.chars().all(|c| c.is_ascii_hexdigit())).collect();
    kept.join(" ")
}

/// What waited for the acts that are left out goes on to wait.
fn without(history: &History, from: usize, count: usize) -> History {
    let end = (from + count).min(history.acts.len());
    let gone: u64 = history.acts[from..end].iter().map(|timed| timed.after_ms).sum();
    let mut acts: Vec<Timed> = history.acts[..from].to_vec();
    acts.extend_from_slice(&history.acts[end..]);
    if let Some(next) = acts.get_mut(from) {
        next.after_ms += gone;
    }
    History { acts, ..history.clone() }
}
