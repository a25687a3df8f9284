//! What may happen in a history, as data: an act that does not fit when its time comes is none.

use std::fmt;

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
    /// Whoever is of a blocked domain or in a confidential group is deleted; some groups are closed.
    Deleting,
    /// Each thing is asked for by two rules, which do not always speak of the same guests.
    Twice,
    /// It matters who invited somebody.
    Invited,
    /// Everything ends: the partner, a stay, an exception; and whoever does not accept is not waited for.
    Timed,
}

/// Who invites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inviting {
    Sponsor,
    /// Became one a moment ago, or a while.
    NewSponsor(usize),
    /// Was one up to now, or for a while.
    FormerSponsor(usize),
    Guest(usize),
}

/// Guests and groups are numbers, taken modulo how many there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Act {
    Invite {
        domain: &'static str,
        days_ago: u16,
    },
    /// By somebody of whom it matters what he is.
    InviteBy {
        domain: &'static str,
        who: Inviting,
    },
    /// Somebody from outside who is no guest: an external member, or one with credentials of this tenant.
    Outsider {
        domain: &'static str,
        local: bool,
    },
    /// A guest becomes a member, or the other way round.
    Convert(usize),
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
    DeleteGroup(usize),
    RestoreGroup(usize),
    Delete(usize),
    Restore(usize),
    /// For good.
    Purge(usize),
    /// An administrator restores one of those who are deleted, or ends it for good.
    Reclaim {
        deleted: usize,
        purge: bool,
    },
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
    /// The process is stopped, and started with another ceiling.
    Ceiling(Reach),
    Die {
        after_steps: u64,
        back_after_s: u64,
        takes_over: bool,
    },
    /// The clock is put forward.
    Jump {
        minutes: i64,
    },
    /// Our machine's clock is wrong by so much from now on.
    Skew {
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
    /// What Graph says about a subscription.
    Lifecycle {
        subscription: usize,
        event: Event,
    },
    /// Graph forgets the state of the delta queries.
    ForgetDeltas,
    /// Nothing of ours runs for so long.
    Outage {
        hours: i64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Missed,
    Removed,
    Reauthorize,
    /// One that nobody knows yet.
    Unknown,
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
