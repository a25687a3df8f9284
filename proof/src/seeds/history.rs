//! A history as data: what happens, and how long after what came before it. It is drawn from the seed before anything runs,
//! so that a failing one can be made smaller by leaving acts out.

use super::acts::{Act, Book, Event, Forgery, Inviting, Timed};
use super::draws::Draws;
use super::reading::Reach;

/// What histories may hold.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub acts: usize,
    /// Reconciliation finds what no notification told: notifications and subscriptions may get lost, and outages last.
    pub reconciles: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { acts: USUAL, reconciles: true }
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

/// A history that is longer than this one has more people in it.
const USUAL: usize = 24;
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
        let mut deletions = Draws::new(seed, "deletions");
        let deletes = deletions.percent(25);
        let (mut book, reach) = (book(&mut draws), reach(&mut draws));
        if deletes {
            book = Book::Deleting;
        }
        let mut inviters = Draws::new(seed, "inviters");
        let invites = !deletes && inviters.percent(15);
        if invites {
            book = Book::Invited;
        }
        let mut slow = Slow::draw(seed);
        let mut rivals = Draws::new(seed, "rivals");
        let fights = !deletes && !invites && rivals.percent(20);
        if fights {
            book = Book::Twice;
        }
        let (protects, edits) = (draws.percent(25), draws.percent(50));
        let of_old = draws.of(&[0, 20, 90]);
        let asks = reach == Reach::Ask || book == Book::Closed { owners_ask: true };
        let kind = Kind { options, edits, asks, of_old };
        let mut acts: Vec<Timed> = Vec::new();
        for _ in 0..4 {
            let act = invite(&mut draws, kind);
            let act = if invites { of_inviters(&mut inviters, act) } else { act };
            acts.push(Timed { after_ms: draws.below(2_000), act });
        }
        if draws.percent(80) {
            acts.push(Timed { after_ms: 0, act: Act::Weather(draws.next()) });
        }
        while acts.len() < options.acts {
            let act = act(&mut draws, kind);
            let act = if deletes { of_deletions(&mut deletions, act) } else { act };
            let act = if invites { of_inviters(&mut inviters, act) } else { act };
            let timed = Timed { after_ms: gap(&mut draws).max(slow.gap()), act };
            acts.push(if fights { of_rivals(&mut rivals, timed) } else { timed });
        }
        acts.extend(slow.end());
        Self { of_old, book, reach, protects, acts }
    }
}

fn book(draws: &mut Draws) -> Book {
    match draws.below(5) {
        0 => Book::Agency,
        1 => Book::Blocked,
        4 => Book::Timed,
        n => Book::Closed { owners_ask: n == 2 },
    }
}

/// Where accounts are deleted, the policy goes back to that, more is a reason for it, and people bring some of them back.
fn of_deletions(draws: &mut Draws, act: Act) -> Act {
    match act {
        Act::Policy { book: Book::Agency | Book::Blocked | Book::Closed { .. }, reach, protects }
            if draws.percent(60) =>
        {
            Act::Policy { book: Book::Deleting, reach, protects }
        }
        Act::Label { group, label: None } => Act::Label { group, label: LABELS[1] },
        Act::Mail { guest, domain: _ } if draws.percent(40) => Act::Mail { guest, domain: "evil.example" },
        act if draws.percent(88) => act,
        _ if draws.percent(60) => Act::Reclaim { deleted: draws.index(4), purge: draws.percent(25) },
        _ => Act::Undo { incident: draws.index(12), force: draws.percent(25) },
    }
}

/// Where it matters who invited somebody, more are invited, and by all sorts of people.
fn of_inviters(draws: &mut Draws, act: Act) -> Act {
    match act {
        Act::Policy { book: _, reach, protects } if draws.percent(60) => {
            Act::Policy { book: Book::Invited, reach, protects }
        }
        Act::Invite { domain, days_ago: 0 } if draws.percent(85) => by_somebody(draws, domain),
        Act::Join { .. } | Act::Own { .. } | Act::Rename { .. } if draws.percent(40) => {
            let domain = draws.of(&DOMAINS);
            by_somebody(draws, domain)
        }
        act => act,
    }
}

fn by_somebody(draws: &mut Draws, domain: &'static str) -> Act {
    let who = match draws.below(8) {
        0 => Inviting::Sponsor,
        1..=3 => Inviting::NewSponsor(draws.index(4)),
        4..=5 => Inviting::FormerSponsor(draws.index(4)),
        _ => Inviting::Guest(draws.index(6)),
    };
    Act::InviteBy { domain, who }
}

/// Where two rules ask for the same, somebody gives back what they take, again and again, mostly when nobody doubts it any
/// more.
fn of_rivals(draws: &mut Draws, timed: Timed) -> Timed {
    match timed.act {
        Act::Policy { book: _, reach, protects } if draws.percent(60) => {
            Timed { act: Act::Policy { book: Book::Twice, reach, protects }, ..timed }
        }
        Act::Mail { guest, domain: _ } if draws.percent(60) => {
            Timed { act: Act::Mail { guest, domain: "evil.example" }, ..timed }
        }
        _ if draws.percent(35) => Timed {
            after_ms: draws.within(60_000, 1_200_000),
            act: Act::Contradict(if draws.percent(70) { 0 } else { draws.index(3) }),
        },
        _ => timed,
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

/// Some histories go slowly, so that bad weather lasts for as long as replicas may lag, and nobody does anything meanwhile.
struct Slow {
    draws: Draws,
    is_slow: bool,
}

impl Slow {
    fn draw(seed: u64) -> Self {
        let mut draws = Draws::new(seed, "slow");
        Self { is_slow: draws.percent(30), draws }
    }

    fn gap(&mut self) -> u64 {
        if self.is_slow && self.draws.percent(60) { self.draws.within(60_000, 900_000) } else { 0 }
    }

    /// The weather may be bad for longer than anything happens.
    fn end(&mut self) -> Option<Timed> {
        let after_ms = self.draws.within(300_000, 2_400_000);
        self.draws.percent(40).then_some(Timed { after_ms, act: Act::Calm })
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

/// Mostly ordinary groups; some of those that no app can change, and one whose members are protected.
fn group(draws: &mut Draws) -> usize {
    if draws.percent(80) { draws.index(5) } else { draws.within(5, 8) as usize }
}

fn act(draws: &mut Draws, kind: Kind) -> Act {
    let Kind { options, edits, asks, of_old: _ } = kind;
    if asks && draws.percent(15) {
        return if draws.percent(70) { Act::Approve(draws.index(6)) } else { Act::Reject(draws.index(6)) };
    }
    if draws.percent(8) {
        return Act::Contradict(draws.index(4));
    }
    let people = if options.acts > USUAL { 12 } else { 6 };
    let guest = draws.index(people);
    match draws.below(108) {
        0..=59 => of_people(draws, kind, guest),
        60..=63 => Act::Enable(guest),
        64 => Act::Disable(guest),
        65..=66 => Act::Role { guest, has: draws.percent(50) },
        67..=69 if edits => {
            Act::Policy { book: book(draws), reach: reach(draws), protects: draws.percent(25) }
        }
        67..=71 => Act::Approve(draws.index(6)),
        72..=73 => Act::Reject(draws.index(6)),
        74..=78 => Act::Undo { incident: draws.index(12), force: draws.percent(25) },
        79 => Act::ResetBreaker,
        80..=84 => Act::Weather(draws.next()),
        85 if draws.percent(50) => Act::Calm,
        85 => Act::Stop(draws.percent(40)),
        86 => Act::Chat { down: draws.percent(50) },
        87 => Act::RevokeTokens,
        88..=89 => Act::Forge { how: forgery(draws), guest },
        90..=96 => Act::Die {
            after_steps: if draws.percent(70) { draws.below(60) } else { draws.below(600) },
            back_after_s: if draws.percent(60) { draws.below(5) } else { draws.below(900) },
            takes_over: draws.percent(60),
        },
        97 => Act::Ceiling(draws.of(&[Reach::Observe, Reach::Ask, Reach::Enforce, Reach::Enforce])),
        98 => Act::Skew { minutes: draws.of(&[-11_520, -240, -20, -3, 0, 2, 15, 180, 11_520]) },
        99..=100 => Act::Lifecycle { subscription: draws.index(2), event: event(draws) },
        n => of_time(draws, options, n),
    }
}

/// What people of the tenant do.
fn of_people(draws: &mut Draws, kind: Kind, guest: usize) -> Act {
    let group = group(draws);
    match draws.below(66) {
        0..=3 => invite(draws, kind),
        4..=5 => Act::Outsider { domain: draws.of(&DOMAINS), local: draws.percent(40) },
        6..=8 => Act::Redeem(guest),
        9..=13 => Act::Mail { guest, domain: draws.of(&DOMAINS) },
        14..=29 => Act::Join { guest, group },
        30..=34 => Act::Leave { guest, group },
        35..=40 => Act::Own { guest, group },
        41..=42 => Act::Disown { guest, group },
        43..=44 => Act::Colleague { group },
        45..=50 => Act::Rename { group, name: draws.of(&NAMES) },
        51..=54 => Act::Label { group, label: draws.of(&LABELS) },
        55 => Act::DeleteGroup(group),
        56 => Act::RestoreGroup(group),
        57..=58 => Act::Delete(guest),
        59..=61 => Act::Restore(guest),
        62 => Act::Purge(guest),
        63..=64 => Act::Convert(guest),
        _ => Act::Abandon { group },
    }
}

fn forgery(draws: &mut Draws) -> Forgery {
    draws.of(&[Forgery::WrongState, Forgery::Nobody, Forgery::Colleague, Forgery::Members, Forgery::Deleted])
}

fn event(draws: &mut Draws) -> Event {
    draws.of(&[Event::Missed, Event::Removed, Event::Reauthorize, Event::Unknown])
}

fn of_time(draws: &mut Draws, options: Options, n: u64) -> Act {
    match n % if options.reconciles { 7 } else { 3 } {
        0 => Act::Jump { minutes: draws.of(&[1, 6, 20, 90]) },
        1 => Act::Jump { minutes: draws.of(&[300, 700, 1_100]) },
        2 => Act::Days(draws.of(&[2, 9])),
        3 => Act::Lose(draws.percent(60)),
        4 => Act::LoseSubscription,
        5 => Act::ForgetDeltas,
        _ => Act::Outage { hours: draws.of(&[3, 8, 60, 200]) },
    }
}
