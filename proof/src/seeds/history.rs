//! A history as data: what happens, and how long after what came before it. It is drawn from the seed before anything runs,
//! so that a failing one can be made smaller by leaving acts out.

use std::fmt;

use super::draws::Draws;
use super::reading::Reach;

/// Which kind of policy is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Book {
    /// Partners come in; some groups are closed; nobody from outside owns one.
    Closed { owners_ask: bool },
    /// Partners may be in one group.
    Agency,
    /// A blocked domain; whoever was there before is left alone.
    Blocked,
}

/// Guests and groups are numbers, taken modulo how many there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Act {
    Invite {
        domain: &'static str,
        days_ago: u16,
    },
    Redeem(usize),
    Mail {
        guest: usize,
        domain: &'static str,
    },
    Join {
        guest: usize,
        group: usize,
    },
    Leave {
        guest: usize,
        group: usize,
    },
    Own {
        guest: usize,
        group: usize,
    },
    Disown {
        guest: usize,
        group: usize,
    },
    /// One of the tenant's own people, who is nobody's target.
    Colleague {
        group: usize,
    },
    Rename {
        group: usize,
        name: &'static str,
    },
    Label {
        group: usize,
        label: Option<&'static str>,
    },
    Delete(usize),
    Restore(usize),
    Enable(usize),
    Disable(usize),
    /// The guest gets a directory role, or loses it.
    Role {
        guest: usize,
        has: bool,
    },
    Policy {
        book: Book,
        reach: Reach,
        protects: bool,
    },
    /// Somebody gives back what we took a moment ago, or takes again what we gave back.
    Contradict(usize),
    Approve(usize),
    Reject(usize),
    Undo {
        incident: usize,
        force: bool,
    },
    ResetBreaker,
    /// All writes are stopped, or go on.
    Stop(bool),
    /// Everything that may go wrong on the way, drawn from this number.
    Weather(u64),
    Calm,
    Chat {
        down: bool,
    },
    RevokeTokens,
    Forge {
        how: Forgery,
        guest: usize,
    },
    Die {
        after_steps: u64,
        back_after_s: u64,
        takes_over: bool,
    },
    /// The clock is put forward.
    Jump {
        minutes: i64,
    },
    /// So many quiet days: what waits for somebody expires, and what was suspended is not any more.
    Days(u32),
    /// The owner who is one of the tenant's own goes, or comes back.
    Abandon {
        group: usize,
    },
    /// Notifications get lost from now on, or no longer.
    Lose(bool),
    LoseSubscription,
    /// Nothing of ours runs for so long.
    Outage {
        hours: i64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// A clientState that is not ours.
    WrongState,
    /// Ours, about somebody who is not there.
    Nobody,
    /// Ours, about one of the tenant's own people.
    Colleague,
    /// Ours, saying that members came or went.
    Members,
    /// Ours, saying that a guest was deleted.
    Deleted,
}

/// An act, and how long it waits after the one before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timed {
    pub after_ms: u64,
    pub act: Act,
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{:>8.1} s  {:?}", std::time::Duration::from_millis(self.after_ms).as_secs_f64(), self.act)
    }
}

/// What histories may hold.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub acts: usize,
    /// Reconciliation finds what no notification told: notifications and subscriptions may get lost, and outages last.
    pub reconciles: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { acts: 24, reconciles: true }
    }
}

/// Where a run begins, and what happens then.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// How many in a hundred guests were there long before.
    pub of_old: u64,
    pub book: Book,
    pub reach: Reach,
    pub protects: bool,
    pub acts: Vec<Timed>,
}

const NAMES: [&str; 6] = ["Sales", "Finance EU", "finance board", "Finances", "Plans", "FINANCE Q3"];
const LABELS: [Option<&str>; 3] = [None, Some("Confidential"), Some("Public")];
const DOMAINS: [&str; 6] = [
    "fabrikam.com",
    "eu.fabrikam.com",
    "northwind.example",
    "evil.example",
    "sub.evil.example",
    "notfabrikam.com",
];

impl History {
    #[must_use]
    pub fn draw(seed: u64, options: Options) -> Self {
        let mut draws = Draws::new(seed, "history");
        let (book, reach) = (book(&mut draws), reach(&mut draws));
        let (protects, edits) = (draws.percent(25), draws.percent(50));
        let of_old = draws.of(&[0, 20, 90]);
        let asks = reach == Reach::Ask || book == Book::Closed { owners_ask: true };
        let kind = Kind { options, edits, asks, of_old };
        let mut acts: Vec<Timed> = Vec::new();
        for _ in 0..4 {
            acts.push(Timed { after_ms: draws.below(2_000), act: invite(&mut draws, kind) });
        }
        if draws.percent(80) {
            acts.push(Timed { after_ms: 0, act: Act::Weather(draws.next()) });
        }
        while acts.len() < options.acts {
            let act = act(&mut draws, kind);
            acts.push(Timed { after_ms: gap(&mut draws), act });
        }
        Self { of_old, book, reach, protects, acts }
    }
}

fn book(draws: &mut Draws) -> Book {
    match draws.below(4) {
        0 => Book::Agency,
        1 => Book::Blocked,
        n => Book::Closed { owners_ask: n == 2 },
    }
}

fn reach(draws: &mut Draws) -> Reach {
    match draws.below(10) {
        0 => Reach::Observe,
        1 | 2 => Reach::Ask,
        _ => Reach::Enforce,
    }
}

/// Most things happen close together, where they meet; some after everything has settled.
fn gap(draws: &mut Draws) -> u64 {
    match draws.below(20) {
        0..=7 => draws.below(1_500),
        8..=13 => draws.within(1_500, 30_000),
        14..=18 => draws.within(30_000, 400_000),
        _ => draws.within(400_000, 1_800_000),
    }
}

/// What sets one history apart from others.
#[derive(Debug, Clone, Copy)]
struct Kind {
    options: Options,
    edits: bool,
    asks: bool,
    of_old: u64,
}

fn invite(draws: &mut Draws, kind: Kind) -> Act {
    Act::Invite { domain: draws.of(&DOMAINS), days_ago: if draws.percent(kind.of_old) { 400 } else { 0 } }
}

fn act(draws: &mut Draws, kind: Kind) -> Act {
    let Kind { options, edits, asks, of_old: _ } = kind;
    if asks && draws.percent(15) {
        return if draws.percent(70) { Act::Approve(draws.index(6)) } else { Act::Reject(draws.index(6)) };
    }
    if draws.percent(8) {
        return Act::Contradict(draws.index(4));
    }
    let (guest, group) = (draws.index(6), draws.index(4));
    match draws.below(100) {
        0..=3 => invite(draws, kind),
        4..=7 => Act::Redeem(guest),
        8..=12 => Act::Mail { guest, domain: draws.of(&DOMAINS) },
        13..=28 => Act::Join { guest, group },
        29..=33 => Act::Leave { guest, group },
        34..=39 => Act::Own { guest, group },
        40..=41 => Act::Disown { guest, group },
        42..=43 => Act::Colleague { group },
        44..=49 => Act::Rename { group, name: draws.of(&NAMES) },
        50..=53 => Act::Label { group, label: draws.of(&LABELS) },
        54..=55 => Act::Delete(guest),
        56..=58 => Act::Restore(guest),
        59..=63 => Act::Enable(guest),
        64 => Act::Disable(guest),
        65..=66 => Act::Role { guest, has: draws.percent(50) },
        67..=68 if edits => {
            Act::Policy { book: book(draws), reach: reach(draws), protects: draws.percent(25) }
        }
        69 if edits => {
            Act::Policy { book: Book::Closed { owners_ask: false }, reach: reach(draws), protects: false }
        }
        67..=71 => Act::Approve(draws.index(6)),
        72..=73 => Act::Reject(draws.index(6)),
        74..=78 => Act::Undo { incident: draws.index(12), force: draws.percent(25) },
        79 => Act::ResetBreaker,
        80..=84 => Act::Weather(draws.next()),
        85 => {
            if draws.percent(50) {
                Act::Calm
            } else {
                Act::Stop(draws.percent(40))
            }
        }
        86 => Act::Chat { down: draws.percent(50) },
        87 => Act::RevokeTokens,
        88..=89 => {
            let all = [
                Forgery::WrongState,
                Forgery::Nobody,
                Forgery::Colleague,
                Forgery::Members,
                Forgery::Deleted,
            ];
            Act::Forge { how: draws.of(&all), guest }
        }
        90..=96 => Act::Die {
            after_steps: if draws.percent(70) { draws.below(60) } else { draws.below(600) },
            back_after_s: if draws.percent(60) { draws.below(5) } else { draws.below(900) },
            takes_over: draws.percent(60),
        },
        _ => match draws.below(if options.reconciles { 7 } else { 4 }) {
            0 => Act::Jump { minutes: draws.of(&[1, 6, 20, 90]) },
            1 => Act::Jump { minutes: draws.of(&[300, 700, 1_100]) },
            2 => Act::Abandon { group },
            3 => Act::Days(draws.of(&[2, 9])),
            4 => Act::Lose(draws.percent(60)),
            5 => Act::LoseSubscription,
            _ => Act::Outage { hours: draws.of(&[3, 8, 60]) },
        },
    }
}
