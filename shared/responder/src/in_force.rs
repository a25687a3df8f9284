//! Says in the ledger by which policy everybody is judged, so that reconciliation applies a changed one to all. Whoever
//! judges says so, since whoever reconciles may be another process, which knows no policy.
//!
//! Never here: the judging, or the going over.

use std::sync::{Arc, Mutex, PoisonError};

use model::Clock;

use crate::{Rules, Trouble};

/// The policy that this process judges by.
#[derive(Debug, Clone)]
pub struct PolicyInForce {
    pub ledger: ledger::Ledger,
    pub rules: Rules,
    pub clock: Clock,
    /// What this process said last: another that has not seen the changed file yet does not take it back.
    pub said: Arc<Mutex<Option<String>>>,
}

impl PolicyInForce {
    /// To be called at the start, and when the policy may have changed.
    ///
    /// # Errors
    /// The ledger is in trouble: to be called again.
    pub async fn look(&self) -> Result<(), Trouble> {
        let name = self.rules.name_of(&self.rules.policy());
        let was_said = self.said.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&name);
        if was_said {
            return Ok(());
        }
        self.ledger.note_in_force(&name, self.clock.now()).await?;
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(name);
        Ok(())
    }
}
