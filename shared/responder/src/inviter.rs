//! Who invited a guest: learnt from the directory audit once, and kept for life. Its rows come late, go after a month at
//! most, and may be asked for five times in ten seconds
//! (<https://learn.microsoft.com/graph/throttling-limits>).
//!
//! Never here: what an inviter means for a guest, which is the policy's.

mod kept;

use graph::{GraphError, Invitation, Reader};
use jiff::{SignedDuration, Timestamp};
use ledger::{Document, Ledger, LedgerError};
use model::{NoticeKind, ObjectId};
use policy::{Facts, InvitedBy, Inviter};
use serde::{Deserialize, Serialize};

use self::kept::Invited;
use crate::trouble::{after, is_not_found};
use crate::{Assessor, Trouble, facts_of, standing_of};

/// The audit had no row yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sought {
    guest: ObjectId,
    tries: u32,
    again_at: Timestamp,
}

impl Document for Sought {
    const KIND: &'static str = "inviter-sought";

    fn sort(&self) -> String {
        self.guest.to_string()
    }

    fn due(&self) -> Option<Timestamp> {
        None
    }
}

/// With Entra ID P1 the audit keeps its rows so long, and without it for 7 days
/// (<https://learn.microsoft.com/entra/identity/monitoring-health/reference-reports-data-retention>).
pub const AUDIT_KEEPS: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Why nothing is known where Graph refuses the rows.
pub const AUDIT_IS_HIDDEN: &str =
    "the app that reads may not see the directory audit: grant it `AuditLog.Read.All`";

const FIRST_TRY_AGAIN_SECONDS: i64 = 15;
const LONGEST_TRY_AGAIN: SignedDuration = SignedDuration::from_hours(6);

/// After so many tries in vain.
fn try_again(tries: u32) -> SignedDuration {
    SignedDuration::from_secs(FIRST_TRY_AGAIN_SECONDS << tries.min(11)).min(LONGEST_TRY_AGAIN)
}

/// What can be said of a guest's inviter now.
pub(crate) enum Learnt {
    Is(Inviter),
    /// The audit has not told, and may have then.
    Hint {
        is: Inviter,
        proven_at: Timestamp,
    },
    /// Who it was is proven, and more of what he was may be known then.
    SoFar {
        is: Inviter,
        more_at: Timestamp,
        /// What is missing may be late, and nothing is told before of what hangs on it.
        early: bool,
    },
    /// The audit may know more then, and nothing is told of what hangs on it until then.
    Later {
        at: Timestamp,
    },
}

/// What was proven before.
///
/// # Errors
/// The ledger is in trouble.
pub async fn proven_inviter(ledger: &Ledger, guest: ObjectId) -> Result<Option<Inviter>, LedgerError> {
    let stored = ledger.get::<Invited>(&guest.to_string()).await?;
    Ok(stored.map(|stored| Inviter::Audit(stored.value.by())))
}

impl Assessor {
    /// So long after a guest's creation a row that is missing is believed to be late.
    const ROWS_LAG: SignedDuration = SignedDuration::from_mins(15);

    pub(crate) async fn inviter(&self, facts: &Facts, background: bool) -> Result<Learnt, Trouble> {
        let (id, now) = (facts.id, self.clock.now());
        if let Some(stored) = self.ledger.get::<Invited>(&id.to_string()).await? {
            return self.known(stored.value).await;
        }
        let age = facts.created_at.map(|created_at| now.duration_since(created_at));
        let Some(age) = age.filter(|age| *age < AUDIT_KEEPS) else {
            return Ok(Learnt::Is(self.hint(facts).await?));
        };
        let sought = self.ledger.get::<Sought>(&id.to_string()).await?.map(|stored| stored.value);
        let waits = age < Self::ROWS_LAG;
        // What is further off was put off by a clock that was ahead.
        let in_time = |again_at: Timestamp| again_at > now && again_at <= after(now, LONGEST_TRY_AGAIN);
        if let Some(Sought { again_at, .. }) = sought.as_ref().filter(|sought| in_time(sought.again_at)) {
            return self.not_yet(facts, waits, *again_at).await;
        }
        if let Err(at) = self.directory.audit_turn(id, background, now) {
            return Ok(Learnt::Later { at });
        }
        match self.reader.invitations(id).await {
            Ok(mut rows) => match rows.pop() {
                // Whoever invited him first let him in.
                Some(first) => {
                    let invited = Invited::by_row(id, first, now);
                    // Kept before he is read: his row is not asked for twice.
                    self.ledger.put(&invited).await?;
                    self.known(invited).await
                }
                None => {
                    let tries = sought.map_or(0, |sought| sought.tries);
                    let again_at = after(now, try_again(tries));
                    let tries = tries.saturating_add(1);
                    self.ledger.put(&Sought { guest: id, tries, again_at }).await?;
                    self.not_yet(facts, waits, again_at).await
                }
            },
            Err(GraphError::Forbidden { .. }) => {
                let text = format!("who invited a guest is not known: {AUDIT_IS_HIDDEN}");
                self.notices.raise(NoticeKind::CredentialTrouble, "credential/audit", text, 1).await?;
                Ok(Learnt::Is(Inviter::Unreadable { why: AUDIT_IS_HIDDEN.to_owned() }))
            }
            Err(error) => match error.advice() {
                graph::Advice::GiveUp { tell } => Ok(Learnt::Is(Inviter::Unreadable { why: tell })),
                graph::Advice::FixCredential { tell: _ }
                | graph::Advice::TryAgain { after: _ }
                | graph::Advice::MaybeNotReplicatedYet => Err(error.into()),
            },
        }
    }

    /// What is kept of a guest goes with him.
    pub(crate) async fn forget(&self, guest: ObjectId) -> Result<(), Trouble> {
        let sort = guest.to_string();
        self.ledger.remove::<Invited>(&sort).await?;
        self.ledger.remove::<Sought>(&sort).await?;
        // Last: whoever dies before finds him known, and forgets him at the next look.
        self.ledger.forget(guest).await?;
        Ok(())
    }

    /// What is kept of him, after another read where that may show more.
    async fn known(&self, invited: Invited) -> Result<Learnt, Trouble> {
        let now = self.clock.now();
        let mut invited = invited;
        if invited.more_at(now).is_some_and(|at| at <= now) {
            let domains = self.directory.verified_domains(&self.reader, now).await?;
            invited = Inviters { reader: &self.reader, domains: &domains }.read(invited, now).await?;
            self.ledger.put(&invited).await?;
        }
        let is = Inviter::Audit(invited.by());
        Ok(match invited.more_at(now) {
            None => Learnt::Is(is),
            Some(more_at) => Learnt::SoFar { is, more_at, early: invited.is_early(now) },
        })
    }

    async fn not_yet(&self, facts: &Facts, waits: bool, again_at: Timestamp) -> Result<Learnt, Trouble> {
        if waits {
            return Ok(Learnt::Later { at: again_at });
        }
        Ok(Learnt::Hint { is: self.hint(facts).await?, proven_at: again_at })
    }

    async fn hint(&self, facts: &Facts) -> Result<Inviter, Trouble> {
        let domains = self.directory.verified_domains(&self.reader, self.clock.now()).await?;
        Ok(Inviters { reader: &self.reader, domains: &domains }.hinted(facts).await?)
    }
}

/// What can be said of whoever the audit, or the account itself, names.
#[derive(Debug, Clone, Copy)]
pub struct Inviters<'a> {
    pub reader: &'a Reader,
    /// Our own, verified.
    pub domains: &'a [String],
}

impl Inviters<'_> {
    /// Whom this row names, as he is now. Whoever is gone already is known by his id alone.
    ///
    /// # Errors
    /// Any but that Graph does not know him.
    pub async fn proven(
        self,
        guest: ObjectId,
        row: Invitation,
        now: Timestamp,
    ) -> Result<Inviter, GraphError> {
        let read = self.read(Invited::by_row(guest, row, now), now).await?;
        Ok(Inviter::Audit(read.by()))
    }

    /// What is kept of who invited this guest, after another read where that may show more. Keeps nothing of that.
    ///
    /// # Errors
    /// The ledger or Graph is in trouble.
    pub async fn kept(
        self,
        ledger: &Ledger,
        guest: ObjectId,
        now: Timestamp,
    ) -> Result<Option<Inviter>, Trouble> {
        let Some(stored) = ledger.get::<Invited>(&guest.to_string()).await? else { return Ok(None) };
        let invited = stored.value;
        let is_due = invited.more_at(now).is_some_and(|at| at <= now);
        let invited = if is_due { self.read(invited, now).await? } else { invited };
        Ok(Some(Inviter::Audit(invited.by())))
    }

    async fn read(self, invited: Invited, now: Timestamp) -> Result<Invited, GraphError> {
        let Some(id) = invited.inviter() else { return Ok(invited) };
        let read = match self.reader.user_and_standing(id).await {
            Ok((user, standing)) => {
                let mut facts = facts_of(user, self.domains, Vec::new());
                facts.standing = standing_of(standing);
                Some(InvitedBy::user(&facts))
            }
            Err(error) if is_not_found(&error) => None,
            Err(error) => return Err(error),
        };
        Ok(invited.after_read(read, now))
    }

    /// The sponsors, of whom one may have invited him: Entra makes the inviter one, unless he chose somebody else
    /// (<https://learn.microsoft.com/entra/external-id/b2b-sponsors>).
    ///
    /// # Errors
    /// Any but that Graph does not know one of them.
    pub async fn hinted(&self, facts: &Facts) -> Result<Inviter, GraphError> {
        let Some(sponsors) = &facts.sponsors else {
            let why =
                "neither the directory audit nor the sponsors of the account tell who invited it".to_owned();
            return Ok(Inviter::Unreadable { why });
        };
        let ids: Vec<ObjectId> = sponsors.iter().map(|sponsor| sponsor.id).collect();
        let mut all = Vec::with_capacity(ids.len());
        let read = if ids.is_empty() { Vec::new() } else { self.reader.users(&ids).await };
        for ((id, read), sponsor) in read.into_iter().zip(sponsors) {
            all.push(match read {
                Ok(user) => InvitedBy::user(&facts_of(user, self.domains, Vec::new())),
                // A group can be a sponsor, too.
                Err(error) if is_not_found(&error) => {
                    InvitedBy { id: Some(id), name: sponsor.name.clone(), ..InvitedBy::unread() }
                }
                Err(error) => return Err(error),
            });
        }
        Ok(Inviter::Sponsors(all))
    }
}
