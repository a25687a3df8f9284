//! The tenant of the proof of size, in a process of its own, so that what is measured beside it holds none of it: a
//! simulated tenant with many users and groups, and the acts that the proof asks for.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulator::{Delivery, Directory, Invite, NewGroup, NewUser, Options, Quota, Simulator, contoso};
use tokio::net::TcpListener;
use uuid::Uuid;

/// What Graph lets one app spend in a tenant of more than 500 users, in ten seconds
/// (<https://learn.microsoft.com/graph/throttling-limits>).
pub(super) const UNITS: u64 = 8_000;
/// One account in so many is a guest's.
pub(super) const A_GUEST_IN: usize = 5;

#[derive(Clone)]
struct Tenant {
    simulator: Simulator,
    now: Arc<AtomicI64>,
    guests: Arc<Vec<Uuid>>,
    groups: Arc<Vec<Uuid>>,
    /// The group of half of everybody.
    large: Uuid,
}

/// Serves until its parent is gone. The first line says where Graph is, and where the acts are.
pub(crate) async fn serve(users: usize, groups: usize) -> anyhow::Result<()> {
    let now = Arc::new(AtomicI64::new(super::BEGINS.as_microsecond()));
    let clock = Arc::clone(&now);
    let moment = move || Timestamp::from_microsecond(clock.load(Ordering::Relaxed)).unwrap_or_default();
    let mut options = Options::contoso(Arc::new(moment));
    options.deliver = Delivery::ByHand;
    options.faults.quota = Some(Quota { units: UNITS, within: SignedDuration::from_secs(10) });
    let simulator = Simulator::start(options).await?;
    let tenant = grow(simulator, now, users, groups);
    let acts = Router::new()
        .route("/clock/{at}", post(set_clock))
        .route("/changes", post(change))
        .route("/lose", post(lose))
        .route("/invite/{number}", post(invite))
        .route("/traffic", get(traffic))
        .route("/chat", post(async || "ok"));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} http://{}", tenant.simulator.url(), listener.local_addr()?);
    let (gone, parent) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let ended = std::io::stdin().read_to_end(&mut Vec::new());
        drop(gone.send(ended));
    });
    tokio::select! {
        served = axum::serve(listener, acts.with_state(tenant)) => served?,
        _ = parent => {}
    }
    Ok(())
}

/// Every fifth account is a guest's, and every twentieth of those is nobody's partner. A group has an owner, eight members
/// of ours and two guests; one in a hundred is closed to guests.
fn grow(simulator: Simulator, now: Arc<AtomicI64>, users: usize, groups: usize) -> Tenant {
    let people = simulator.tenant();
    let (there, groups_there) = (people.users().len(), people.groups().len());
    let (mut members, mut guests) = (Vec::new(), Vec::new());
    for n in there..users {
        if n % A_GUEST_IN == 0 {
            let domain = if n % (20 * A_GUEST_IN) == 0 { "northwind.example" } else { "fabrikam.com" };
            let invite = Invite::new(&format!("guest{n}@{domain}"), contoso::ALICE);
            guests.push(people.invite(Invite { days_ago: 90, ..invite }));
        } else {
            members.push(people.add_user(NewUser::member(&format!("user{n}@contoso.com"))));
        }
    }
    let some = |of: &[Uuid], from: usize, count: usize| -> Vec<Uuid> {
        (from..from + count).filter_map(|at| of.get(at % of.len().max(1)).copied()).collect()
    };
    let mut made = Vec::new();
    for n in groups_there + 1..groups {
        let name = if n % 100 == 0 { format!("Finance {n}") } else { format!("Project {n}") };
        let mut all = some(&members, n * 8, 8);
        all.extend(some(&guests, n * 2, 2));
        let new = NewGroup { owners: some(&members, n, 1), members: all, ..NewGroup::named(&name) };
        made.push(people.create_group(new));
    }
    let half = members.iter().step_by(2).chain(guests.iter().step_by(2)).copied().collect();
    let large = people.create_group(NewGroup { members: half, ..NewGroup::named("Half of everybody") });
    simulator.reset_traffic();
    Tenant { simulator, now, guests: Arc::new(guests), groups: Arc::new(made), large }
}

async fn set_clock(State(tenant): State<Tenant>, Path(at): Path<i64>) {
    tenant.now.store(at, Ordering::Relaxed);
}

/// One account and one group in a hundred change and nobody is told; the group of half of everybody loses one guest in a
/// hundred, and one guest in a thousand is deleted.
async fn change(State(tenant): State<Tenant>) -> Json<Value> {
    let people = tenant.simulator.tenant();
    let (users, groups) = tokio::task::block_in_place(|| change_some(&tenant, &people));
    Json(json!({"users": users, "groups": groups}))
}

fn change_some(tenant: &Tenant, people: &Directory) -> (usize, usize) {
    let mut changed = 0;
    for user in people.users().iter().step_by(100) {
        changed += usize::from(people.set(user.id, |user| user.display_name.push('!')).is_ok());
    }
    let gone: Vec<Uuid> = tenant.guests.iter().skip(1).step_by(1_000).copied().collect();
    for guest in &gone {
        changed += usize::from(people.delete_user(*guest).is_ok());
    }
    let mut groups = 0;
    for group in tenant.groups.iter().step_by(100) {
        groups += usize::from(people.set_group(*group, |group| group.display_name.push('!')).is_ok());
    }
    let out: Vec<Uuid> = tenant.guests.iter().step_by(100).copied().collect();
    let left = people.set_group(tenant.large, |group| group.members.retain(|one| !out.contains(one)));
    (changed, groups + usize::from(left.is_ok()))
}

async fn lose(State(tenant): State<Tenant>) {
    tenant.simulator.expire_delta_tokens();
}

/// One more guest. Answers who it is.
async fn invite(State(tenant): State<Tenant>, Path(number): Path<usize>) -> Json<Value> {
    let invite = Invite::new(&format!("live{number}@fabrikam.com"), contoso::ALICE);
    Json(json!({"id": tenant.simulator.tenant().invite(invite).to_string()}))
}

/// What Graph was asked since the last time.
async fn traffic(State(tenant): State<Tenant>) -> Json<Value> {
    let traffic = tenant.simulator.traffic();
    tenant.simulator.reset_traffic();
    let kinds: Vec<Value> = traffic
        .kinds
        .iter()
        .map(|((method, path), kind)| {
            json!({"what": format!("{method} {path}"), "requests": kind.requests, "units": kind.resource_units, "low": kind.of_low_priority})
        })
        .collect();
    Json(json!({
        "round_trips": traffic.round_trips, "units": traffic.resource_units, "throttled": traffic.throttled,
        "most_spent": traffic.most_spent, "writes": traffic.writes, "kinds": kinds,
    }))
}
