//! Groups, who invited whom, and how they go.

use guestlist_tests::Guest;
use jiff::SignedDuration;
use simulator::{Failure, Fault, NewGroup};
use uuid::Uuid;

use crate::deployment::Deployment;
use crate::story::{is_disabled, is_met};

pub(crate) async fn a_guest_joins_a_closed_group_and_goes_for_good(stack: &Deployment) {
    let directory = &stack.tenant.0;
    let guest = who_invited_him_is_learnt_when_the_audit_knows(stack).await;
    let group = directory.create_group(NewGroup::named("Finance Trips"));
    directory.add_member(group, guest.0).unwrap();
    is_no_member(stack, guest, group).await;
    is_met(stack, guest, "closed-groups").await;
    let known = async || stack.store.ledger.known_group(group_id(group)).await.unwrap();
    stack.until("the group is known", known).await;

    directory.delete_user(guest.0).unwrap();
    stack.until_used(("assess", "Query", "outcome")).await;
    directory.purge_user(guest.0).unwrap();
    let is_forgotten = async || stack.store.ledger.known(guest.id()).await.unwrap().is_none().then_some(());
    stack.until("the guest is forgotten", is_forgotten).await;
    directory.delete_group(group).unwrap();
    let is_forgotten =
        async || stack.store.ledger.known_group(group_id(group)).await.unwrap().is_none().then_some(());
    stack.until("the group is forgotten", is_forgotten).await;
}

async fn who_invited_him_is_learnt_when_the_audit_knows(stack: &Deployment) -> Guest {
    stack.simulator.set_faults(|faults| faults.audit_lag = SignedDuration::from_hours(1));
    let guest = stack.tenant.invite("friend@partner.example");
    stack.until_used(("assess", "PutItem", "inviter-sought")).await;
    stack.simulator.set_faults(|faults| faults.audit_lag = SignedDuration::ZERO);
    let proven = async || responder::proven_inviter(&stack.store.ledger, guest.id()).await.unwrap();
    stack.until("the audit has told who invited him", proven).await;
    guest
}

async fn is_no_member(stack: &Deployment, guest: Guest, group: Uuid) {
    let is_out = async || (!stack.tenant.0.is_member(group, guest.0)).then_some(());
    stack.until("he is taken out of the group", is_out).await;
}

fn group_id(group: Uuid) -> model::ObjectId {
    Guest(group).id()
}

pub(crate) async fn a_guest_whom_no_replica_knows_yet_is_looked_for_again(stack: &Deployment) {
    let guest = stack.tenant.invite("fresh@evil.example");
    let unknown = Fault::new("GET", &format!("/users/{}", guest.0), Failure::NotFound);
    stack.simulator.set_faults(|faults| faults.next(unknown));
    stack.until_used(("assess", "SendMessage", "Changes")).await;
    is_disabled(stack, guest).await;
}

pub(crate) async fn the_canary_comes_back(stack: &Deployment) {
    let back = async || stack.store.ledger.canary().await.unwrap()?.value.last_back;
    stack.until("the canary is back", back).await;
    assert!(stack.tenant.0.is_member(stack.canary.group, stack.canary.user));
}
