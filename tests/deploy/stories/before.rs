//! Those who were there before: gone over by the steward, judged by the policy, and all of it noted.

use guestlist_tests::Guest;
use jiff::SignedDuration;
use model::ResourceKind;

use crate::deployment::Deployment;

/// Before anything is told: while a look is owed, nobody says that all was assessed.
pub(crate) async fn everybody_is_gone_over_and_judged_by_the_policy(stack: &Deployment, guests: &[Guest]) {
    let ledger = &stack.store.ledger;
    let says = async || ledger.in_force().await.unwrap().map(|_| ());
    stack.until_tended("assess", "which policy is in force is said", says).await;
    let are_known = async || {
        for guest in guests {
            ledger.known(guest.id()).await.unwrap().filter(|known| known.judged_by.is_some())?;
        }
        let listing = ledger.listing().await.unwrap()?.value;
        listing.has_met_all().then_some(())
    };
    stack.until_tended("steward", "who was there before is known", are_known).await;
    twenty_minutes_pass(stack).await;
    let is_applied = async || ledger.in_force().await.unwrap()?.value.applied_at;
    stack.until_tended("steward", "the policy has been applied to all", is_applied).await;
    let assessed = ("steward", "PutItem", "assessed");
    let is_noted = async || stack.has_used(assessed).then_some(());
    stack.until_tended("steward", "up to when all was assessed is noted", is_noted).await;
}

/// The delta queries and the first listing began so long ago: another listing makes good what was before them.
async fn twenty_minutes_pass(stack: &Deployment) {
    const SPAN: SignedDuration = SignedDuration::from_mins(20);
    let ledger = &stack.store.ledger;
    let began = async || {
        for resource in [ResourceKind::User, ResourceKind::Group] {
            let mut delta = ledger.delta(resource).await.unwrap()?;
            delta.value.begun_at -= SPAN;
            ledger.replace(delta).await.ok()?;
        }
        Some(())
    };
    stack.until("the delta queries have begun", began).await;
    let listed = async || {
        let mut listing = ledger.listing().await.unwrap()?;
        listing.value.began_at -= SPAN;
        for begun_at in listing.value.answers.values_mut() {
            *begun_at -= SPAN;
        }
        ledger.replace(listing).await.ok()
    };
    stack.until("the first listing has begun", listed).await;
}
