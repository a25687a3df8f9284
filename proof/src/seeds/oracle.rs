//! After everything has settled: is the tenant in the state that the policy demands, and does the ledger say why where it is
//! not? Reads the tenant's true state, and of our code only the ledger.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use model::{DeliveryStatus, Incident, Outcome, State, Step, StepResult, Suspension};
use simulator::User;
use uuid::Uuid;

use super::reading::{Demand, Reach, Taken};
use super::witness::{Change, Witness};
use super::world::{World, id};
use super::{budget, inviting, rounds, telling};

pub(super) async fn judge(world: &World, witness: &mut Witness) -> anyhow::Result<()> {
    let all = all_incidents(world).await?;
    let mut outcomes = Vec::new();
    for incident in &all {
        outcomes.extend(world.store.ledger.outcomes(&incident.id).await?);
    }
    let mut latest: BTreeMap<String, &Incident> = BTreeMap::new();
    for incident in &all {
        let slot = latest.entry(incident.id.slot.to_string()).or_insert(incident);
        if incident.id.generation > slot.id.generation {
            *slot = incident;
        }
    }
    let current: Vec<&Incident> = latest.into_values().collect();
    demands_are_met(world, witness, &current).await?;
    nobody_else_was_touched(world, witness);
    writes_are_accounted_for(witness, &all, &outcomes);
    deletions_can_be_undone(world, witness, &all, &outcomes);
    people_were_told(world, witness, &all);
    telling::judge(world, witness, &all, &outcomes);
    budget::judge(world, witness);
    rounds::judge(witness, &outcomes);
    nothing_is_stuck(world, witness, &all).await?;
    the_policy_was_applied(world, witness).await
}

/// Those too that others have followed.
pub(super) async fn all_incidents(world: &World) -> anyhow::Result<Vec<Incident>> {
    let filter = ledger::IncidentFilter { archived: true, ..ledger::IncidentFilter::default() };
    let page = world.store.ledger.incidents(&filter, None, 100_000).await?;
    Ok(page.incidents.into_iter().map(|stored| stored.value).collect())
}

async fn demands_are_met(world: &World, witness: &mut Witness, current: &[&Incident]) -> anyhow::Result<()> {
    let people = world.simulator.tenant();
    let groups = people.groups();
    for guest in &world.guests {
        let Some(user) = people.user(*guest) else { continue };
        let now = world.clock.now();
        let demands = world.policy.demands(&user, (&groups, &[]), &world.roles, now);
        for demand in &demands {
            if !is_there(world, &user, demand.taken) {
                continue;
            }
            let incident = current.iter().find(|one| is_about(one, *guest, demand)).copied();
            let incident = incident.map(|one| speaker_of(one, current).unwrap_or(one));
            if let Some(why) = unexcused(world, witness, *guest, demand, incident).await? {
                witness.complain(format!("{demand:?} of {guest} is not met: {why}"));
            }
        }
        let idle = |one: &&&Incident| {
            let mine = one.key.guest == id(*guest);
            let lives = matches!(one.state, State::Open | State::Waiting { .. });
            mine && lives && !demands.iter().any(|demand| is_about(one, *guest, demand))
        };
        for incident in current.iter().filter(idle) {
            let (name, state) = (&incident.key.rule, incident.state.word());
            let object = incident.key.object;
            witness.complain(format!(
                "{guest} does not break `{name}` in {object:?}, and its incident is {state}"
            ));
        }
    }
    Ok(())
}

/// What a demand would take is still there.
fn is_there(world: &World, user: &User, taken: Taken) -> bool {
    let people = world.simulator.tenant();
    match taken {
        Taken::SignIn => user.enabled,
        Taken::Account => user.deleted_at.is_none(),
        Taken::Membership(group) => people.is_member(group, user.id),
        Taken::Ownership(group) => people.is_owner(group, user.id),
    }
}

/// Whoever is spoken for stands where that one stands.
fn speaker_of<'a>(incident: &Incident, current: &[&'a Incident]) -> Option<&'a Incident> {
    let rule = incident.told_with.as_ref()?;
    let place = |one: &Incident| (one.key.guest, one.key.object);
    let speaks = |one: &&&Incident| one.key.rule == *rule && place(one) == place(incident);
    current.iter().find(speaks).filter(|one| !one.state.is_closed()).copied()
}

fn is_about(incident: &Incident, guest: Uuid, demand: &Demand) -> bool {
    let key = &incident.key;
    key.guest == id(guest) && key.rule.as_str() == demand.rule && key.object == demand.object.map(id)
}

/// Why what the policy demands may be undone, said by an incident; or what is wrong.
async fn unexcused(
    world: &World,
    witness: &Witness,
    guest: Uuid,
    demand: &Demand,
    incident: Option<&Incident>,
) -> anyhow::Result<Option<String>> {
    let now = world.clock.now();
    let suspensions = world.store.ledger.suspensions(id(guest)).await?;
    let covers = |one: &Suspension| {
        let here = one.object.is_none() || one.object == demand.object.map(id);
        one.until > now && one.rule.as_str() == demand.rule && here
    };
    let suspended = suspensions.iter().any(covers);
    let asked = witness.undone.contains_key(&guest) || witness.rejected.contains_key(&guest);
    let Some(incident) = incident else {
        // Whoever undid something with force suspended every rule that would object.
        let fine = suspended && asked;
        return Ok((!fine).then(|| "there is no incident".to_owned()));
    };
    let state = incident.state.word();
    let held = incident.waits_because.is_some();
    let fine = match demand.reach {
        _ if suspended && asked => true,
        // A replica that was behind showed him as a sponsor: whether he left before he invited nobody can say, and people decide.
        _ if demand.rule == "otherwise.guest" && inviting::by_who_left(world, guest) => {
            !matches!(incident.state, State::Resolved { .. })
        }
        // Beside what waits for an approver, or for nobody.
        _ if demand.by_hand => match incident.state {
            State::Waiting { .. } | State::Expired { .. } => held || world.policy.asks(),
            State::Open | State::Partly { .. } | State::Refused { .. } | State::Failed { .. } => true,
            _ => false,
        },
        // What was done before the policy went back to observing stays; whoever is protected is for a person.
        Reach::Observe => matches!(
            incident.state,
            State::Open
                | State::Done { .. }
                | State::Partly { .. }
                | State::Failed { .. }
                | State::Refused { .. }
        ),
        Reach::Ask => match incident.state {
            State::Waiting { .. } | State::Expired { .. } => true,
            // What was approved of was tried, and people know how it went.
            State::Failed { .. } => witness.approved.contains_key(&guest),
            State::Refused { ref why } | State::Partly { ref why, at: _ } => {
                was_last_owner(why, demand.taken)
            }
            _ => false,
        },
        // What the breaker held back is released by nobody but an approver; Graph lets nobody take the last owner away.
        Reach::Enforce => match incident.state {
            State::Waiting { .. } | State::Expired { .. } => held,
            State::Refused { ref why } | State::Partly { ref why, at: _ } => {
                was_last_owner(why, demand.taken)
            }
            _ => false,
        },
    };
    let told =
        || format!("its incident {} is {state} ({:?}), suspended: {suspended}", incident.id, incident.state);
    Ok((!fine).then(told))
}

/// Graph lets nobody take the last owner away. People were told to give the group another owner, and to end it themselves.
fn was_last_owner(why: &str, taken: Taken) -> bool {
    matches!(taken, Taken::Ownership(_)) && why.contains("last owner")
}

fn nobody_else_was_touched(world: &World, witness: &mut Witness) {
    let people = world.simulator.tenant();
    let dave = people.user(world.dave);
    if !dave.is_some_and(|dave| dave.enabled && dave.deleted_at.is_none()) {
        witness.complain("a colleague was disabled or deleted".to_owned());
    }
    for group in &world.groups {
        let is_there = people.group(*group).is_some_and(|group| group.deleted_at.is_none());
        if is_there && !people.is_member(*group, world.dave) {
            witness.complain(format!("a colleague was taken out of {group}"));
        }
    }
    for whom in witness.everybody_written_to() {
        if !world.guests.contains(&whom) {
            witness.complain(format!("{whom} was written to, who is no guest of this run"));
        }
    }
}

/// By an incident whose rule the guest broke at the time; what was given back, by one that somebody undid.
fn writes_are_accounted_for(witness: &mut Witness, all: &[Incident], outcomes: &[Outcome]) {
    let rule_of: BTreeMap<String, &str> =
        all.iter().map(|one| (one.id.to_string(), one.key.rule.as_str())).collect();
    let mut complaints = Vec::new();
    for change in &witness.changes {
        let step = step(change);
        let accounts = |outcome: &&Outcome| {
            // Somebody changed it back before any read: the outcome says that it was tried, and that nobody saw it.
            let unseen = outcome.result == StepResult::NeverShown;
            let spoken = outcome.result.was_sent() || outcome.found_so || unseen;
            let rule = rule_of.get(&outcome.incident.to_string()).copied().unwrap_or_default();
            let had_a_reason = change.given || witness.was_a_reason(*change, rule);
            outcome.step == step
                && spoken
                && had_a_reason
                && outcome
                    .at
                    .saturating_add(slack() + witness.jumped(change.at) + witness.skewed)
                    .is_ok_and(|at| at >= change.at)
        };
        if !outcomes.iter().any(|outcome| accounts(&outcome)) {
            complaints.push(format!("{}: no incident says that it did `{step}`", change.at));
        }
    }
    for (change, beyond) in &witness.unapproved {
        let Change { guest, taken, at, .. } = change;
        let step = step(change);
        // With one approval, and as long as it was not seen to be done.
        let never_shown = |one: &&Outcome| one.step == step && one.result == StepResult::NeverShown;
        if outcomes.iter().filter(never_shown).count() < *beyond {
            complaints
                .push(format!("{at}: {taken:?} was taken from {guest}, and nobody had approved of that"));
        }
    }
    witness.complaints.extend(complaints);
}

/// Whoever is deleted, and was by us last, is deleted by an incident that can be undone; and no undo says that it restored
/// somebody who is deleted still.
/// Whose deletion it was is told by the moments of Entra's clock and of ours: not where ours was wrong by more than it may be.
fn deletions_can_be_undone(world: &World, witness: &mut Witness, all: &[Incident], outcomes: &[Outcome]) {
    if witness.skewed > Incident::CLOCKS_DIFFER {
        return;
    }
    let people = world.simulator.tenant();
    let mut complaints = Vec::new();
    for guest in &world.guests {
        let Some(at) = people.user(*guest).and_then(|user| user.deleted_at) else { continue };
        let (delete, restore) = (Step::Delete { user: id(*guest) }, Step::Restore { user: id(*guest) });
        let of_account = |change: &&Change| change.guest == *guest && change.taken == Taken::Account;
        let last = witness.changes.iter().rfind(of_account);
        // Nobody else has deleted him since.
        if last.is_some_and(|last| {
            !last.given && last.at.duration_since(at).abs() < SignedDuration::from_secs(1)
        }) {
            let offers = |one: &&Incident| one.key.guest == id(*guest) && one.has_achieved(delete);
            if !all.iter().any(|one| offers(&one)) {
                complaints.push(format!("{guest} was deleted at {at}, and no incident can give him back"));
            }
        }
        let shown = |outcome: &&Outcome| outcome.step == restore && outcome.result == StepResult::Done;
        let slack = slack() + witness.skewed + witness.jumped(at);
        for outcome in outcomes.iter().filter(shown) {
            if outcome.at.duration_since(at) > slack {
                let (name, then) = (&outcome.incident, outcome.at);
                complaints.push(format!("{name} says of {guest}, deleted at {at}, that {then} he was there"));
            }
        }
    }
    witness.complaints.extend(complaints);
}

/// An intent is written before the write arrives.
fn slack() -> SignedDuration {
    SignedDuration::from_secs(60)
}

pub(super) fn step(change: &Change) -> Step {
    let user = id(change.guest);
    match (change.taken, change.given) {
        (Taken::SignIn, false) => Step::Disable { user },
        (Taken::SignIn, true) => Step::Enable { user },
        (Taken::Account, false) => Step::Delete { user },
        (Taken::Account, true) => Step::Restore { user },
        (Taken::Membership(group), false) => Step::RemoveMember { user, group: id(group) },
        (Taken::Membership(group), true) => Step::AddMember { user, group: id(group) },
        (Taken::Ownership(group), false) => Step::RemoveOwner { user, group: id(group) },
        (Taken::Ownership(group), true) => Step::AddOwner { user, group: id(group) },
    }
}

fn people_were_told(world: &World, witness: &mut Witness, all: &[Incident]) {
    let now = world.clock.now();
    let told = world.chat.told();
    for incident in all {
        let last = incident.deliveries.iter().max_by_key(|delivery| delivery.sequence);
        let (name, state) = (&incident.id, incident.state.word());
        match last.map(|delivery| &delivery.status) {
            Some(DeliveryStatus::Due { at, attempts: _ }) if is_past(*at, now) => {
                witness.complain(format!("a message about {name} ({state}) has been due since {at}"));
            }
            Some(DeliveryStatus::Failed { at: _, why: _ }) if world.chat.was_down() => {}
            Some(DeliveryStatus::Failed { at: _, why }) => {
                witness.complain(format!("nobody was told of {name} ({state}): {why}"));
            }
            Some(DeliveryStatus::Sent { at: _ }) => {
                if !told.iter().any(|(_, text)| text.contains(&name.to_string())) {
                    witness.complain(format!(
                        "the chat never heard of {name} ({state}), and the ledger says so"
                    ));
                }
            }
            Some(
                DeliveryStatus::Due { at: _, attempts: _ }
                | DeliveryStatus::RolledUp { at: _ }
                | DeliveryStatus::Superseded,
            ) => {}
            None if incident.finding.refused.is_some() || is_silent(&incident.state) => {}
            None => {
                if incident.told_with.is_none() {
                    witness.complain(format!("nobody was ever told of {name} ({:?})", incident.state));
                }
            }
        }
    }
}

/// What nobody needs to hear of: it ended before it was told.
fn is_silent(state: &State) -> bool {
    matches!(state, State::Resolved { .. } | State::Rejected { .. } | State::Undone { .. })
}

fn is_past(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) > SignedDuration::from_mins(10)
}

async fn nothing_is_stuck(world: &World, witness: &mut Witness, all: &[Incident]) -> anyhow::Result<()> {
    let now = world.clock.now();
    for incident in all {
        let (name, state) = (&incident.id, &incident.state);
        if matches!(state, State::Claimed { .. } | State::Sent { .. } | State::Undoing { .. }) {
            witness.complain(format!("{name} is still {state:?}"));
        }
        if let Some(due) = incident.due_at().filter(|due| is_past(*due, now)) {
            witness.complain(format!("{name} ({state:?}) has been due since {due}"));
        }
    }
    for queue in world.store.queues.all() {
        for dead in queue.dead(None, 100).await? {
            witness.complain(format!("a dead letter of {}: {} ({})", queue.name(), dead.why, dead.body));
        }
        if let Some(due) = queue.next_due().await?.filter(|due| is_past(*due, now)) {
            witness.complain(format!("a job of {} has been due since {due}", queue.name()));
        }
    }
    for request in world.store.ledger.waiting(100).await? {
        witness.complain(format!("nobody has answered {}", request.value.id));
    }
    Ok(())
}

/// To everybody, and not only so that the ledger says so: that is what the demands are held against.
async fn the_policy_was_applied(world: &World, witness: &mut Witness) -> anyhow::Result<()> {
    let hash = world.in_force.borrow().hash().to_owned();
    match world.store.ledger.in_force().await?.map(|stored| stored.value) {
        Some(one) if one.policy.starts_with(&hash) && one.applied_at.is_some() => {}
        other => witness.complain(format!("the policy {hash} is in force, and the ledger says {other:?}")),
    }
    Ok(())
}
