//! One Graph call from its text to its answer: route, options, permission, injected failure, and the room that knows
//! it. A `$batch` comes here once for each of its requests; the HTTP round trip around it is in `gate`.
use std::sync::Arc;

use http::{HeaderMap, header};
use serde_json::Value;

use super::call::{Answer, Call, Caller, Payload};
use super::refusal::Refusal;
use super::routes::{self, Operation, Route};
use super::{
    audits, deleted, delta, directory_objects, group_writes, groups, invitations, links, organization,
    subscription_calls, user_writes, users,
};
use crate::faults::Failure;
use crate::odata::{Query, Type};
use crate::quota::Priority;
use crate::tenant::{Actor, ObjectKind};
use crate::traffic::{self, Logged, Read, Write};
use crate::world::{Sight, State, World};

/// A call as text: as it came over HTTP, or as a batch described it.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) method: &'a str,
    /// Below the version, with a leading slash.
    pub(crate) path: &'a str,
    pub(crate) raw_query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) base: &'a str,
    pub(crate) in_batch: bool,
}

/// An answer that is ready to be written: errors already have their body.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) answer: Answer,
    pub(crate) request_id: String,
    pub(crate) client_request_id: String,
    pub(crate) units: u32,
}

pub(crate) async fn perform(world: &Arc<World>, caller: &Caller, incoming: &Incoming<'_>) -> Finished {
    let (mut units, mut sight) = (1, None);
    let result = attempt(world, caller, incoming, (&mut units, &mut sight)).await;
    let (status, body) = match &result {
        Ok((answer, call)) => (answer.status, call.body.clone()),
        Err((refusal, body)) => (refusal.status, body.clone()),
    };
    world.look(|state, at| {
        state.traffic.resource_units += u64::from(units);
        let path = incoming.path.to_owned();
        let method = incoming.method.to_owned();
        state.traffic.log(Logged { method, path, status, in_batch: incoming.in_batch });
        if incoming.method == "GET" && matches!(status, 200 | 404) {
            note_read(state, caller, incoming, (sight, status), at);
        }
        if is_write(incoming) {
            state.traffic.writes += 1;
            let (method, path) = (incoming.method.to_owned(), incoming.path.to_owned());
            if state.writes.len() == traffic::KEPT_AT_MOST {
                state.writes.remove(0);
            }
            state.writes.push(Write { method, path, app: caller.app, body, status, at });
        }
    });
    finish(world, incoming, result.map(|(answer, _)| answer).map_err(|(refusal, _)| refusal), units)
}

/// A 404 that was injected shows nothing.
fn note_read(
    state: &mut State,
    caller: &Caller,
    incoming: &Incoming<'_>,
    (sight, status): (Option<Sight>, u16),
    at: jiff::Timestamp,
) {
    let Some(Sight { seen_until, settled_until: _ }) = sight else { return };
    let (path, query) = (incoming.path.to_owned(), incoming.raw_query.to_owned());
    if state.reads.len() == traffic::KEPT_AT_MOST {
        state.reads.pop_front();
    }
    state.reads.push_back(Read { path, query, app: caller.app, status, at, shows: seen_until.unwrap_or(at) });
}

/// POSTs that only read are no writes.
fn is_write(incoming: &Incoming<'_>) -> bool {
    let reading = ["/directoryObjects/getByIds"].contains(&incoming.path);
    incoming.method != "GET" && !reading
}

/// Gives an answer its ids, and an error its body.
pub(crate) fn finish(
    world: &World,
    incoming: &Incoming<'_>,
    result: Result<Answer, Refusal>,
    units: u32,
) -> Finished {
    let (now, request_id) = world.look(|state, now| (now, state.passing_id().to_string()));
    let echoed = incoming.headers.get("client-request-id").and_then(|id| id.to_str().ok());
    let client_request_id = echoed.map_or_else(|| request_id.clone(), str::to_owned);
    let answer = result.unwrap_or_else(|refusal| Answer {
        status: refusal.status,
        body: Payload::Json(refusal.body(now, &request_id, &client_request_id)),
        headers: refusal.headers.clone(),
    });
    Finished { answer, request_id, client_request_id, units }
}

type Attempt = Result<(Answer, Call), (Refusal, Option<Value>)>;

async fn attempt(
    world: &Arc<World>,
    caller: &Caller,
    incoming: &Incoming<'_>,
    (units, shown): (&mut u32, &mut Option<Sight>),
) -> Attempt {
    if let Some(refusal) = world.look(|state, now| injected(state, incoming, now)) {
        return Err((refusal, None));
    }
    let (route, keys) = routes::find(incoming.method, incoming.path).map_err(|refusal| (refusal, None))?;
    let query = Query::parse(incoming.raw_query, route.options).map_err(|refusal| (refusal, None))?;
    *units = routes::cost(route, &query);
    let priority = Priority::of(incoming.headers).map_err(|refusal| (refusal, None))?;
    let charged = world.look(|state, now| charge(state, caller, (route, *units), priority, now));
    charged.map_err(|refusal| (refusal, None))?;
    let body = body(incoming).map_err(|refusal| (refusal, None))?;
    let (now, sight) = world.look(|state, now| (now, state.sight(now)));
    *shown = Some(sight);
    let call = Call {
        operation: route.operation,
        keys,
        query,
        raw_query: incoming.raw_query.to_owned(),
        path: incoming.path.to_owned(),
        eventual: header_is(incoming.headers, "consistencylevel", "eventual"),
        minimal: header_is(incoming.headers, "prefer", "return=minimal"),
        body,
        caller: caller.clone(),
        base: incoming.base.to_owned(),
        now,
        sight,
    };
    match carry_out(world, route, &call).await {
        Ok(answer) => Ok((answer, call)),
        Err(refusal) => Err((refusal, call.body)),
    }
}

/// What the call costs goes to its kind, and to the account of its app.
fn charge(
    state: &mut State,
    caller: &Caller,
    (route, units): (&'static Route, u32),
    priority: Priority,
    now: jiff::Timestamp,
) -> Result<(), Refusal> {
    let kind = state.traffic.kinds.entry((route.method, route.path)).or_default();
    kind.requests += 1;
    kind.resource_units += u64::from(units);
    kind.of_low_priority += u64::from(priority == Priority::Low);
    if let Some(quota) = state.faults.quota {
        let spent = state.spent.charge(quota, (caller.app, state.tenant.id), units, priority, now)?;
        state.traffic.most_spent = state.traffic.most_spent.max(spent);
    }
    Ok(())
}

async fn carry_out(world: &Arc<World>, route: &Route, call: &Call) -> Result<Answer, Refusal> {
    call.caller.must_have_any(route.permissions)?;
    if call.body.is_some() && call.operation != Operation::GetByIds && route.method == "GET" {
        return Err(Refusal::bad_request("A GET request has no body."));
    }
    match call.operation {
        Operation::CreateSubscription => subscription_calls::create(world, call).await,
        _ => world.act(|state, _| state.act_as(Actor::App(call.caller.app), |state| dispatch(state, call))),
    }
}

fn dispatch(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    match call.operation {
        Operation::ListUsers => users::list(state, call),
        Operation::CountUsers => users::count(state, call),
        Operation::UsersDelta => delta::answer(state, call, ObjectKind::User),
        Operation::CreateUser => user_writes::create(state, call),
        Operation::GetUser => users::get(state, call),
        Operation::PatchUser => user_writes::patch(state, call),
        Operation::DeleteUser => user_writes::delete(state, call),
        Operation::RevokeSessions => user_writes::revoke_sessions(state, call),
        Operation::UserRelation(relation) => users::relation(state, call, relation, false),
        Operation::UserRelationGroups(relation) => users::relation(state, call, relation, true),
        Operation::AddSponsor => user_writes::add_sponsor(state, call),
        Operation::RemoveSponsor => user_writes::remove_sponsor(state, call),
        Operation::GetManager => users::manager(state, call),
        Operation::ListGroups => groups::list(state, call),
        Operation::CountGroups => groups::count(state, call),
        Operation::GroupsDelta => delta::answer(state, call, ObjectKind::Group),
        Operation::CreateGroup => group_writes::create(state, call),
        Operation::GetGroup => groups::get(state, call),
        Operation::PatchGroup => group_writes::patch(state, call),
        Operation::DeleteGroup => group_writes::delete(state, call),
        Operation::GroupRelation(relation) => groups::relation(state, call, relation, false),
        Operation::GroupRelationUsers(relation) => groups::relation(state, call, relation, true),
        Operation::CountMembers => groups::count_members(state, call),
        Operation::AddLink(relation) => links::add(state, call, relation),
        Operation::RemoveLink(relation) => links::remove(state, call, relation),
        Operation::DeleteLinked => user_writes::delete_linked(state, call),
        Operation::Invite => invitations::create(state, call),
        Operation::ListSubscriptions => subscription_calls::list(state, call),
        Operation::GetSubscription => subscription_calls::get(state, call),
        Operation::RenewSubscription => subscription_calls::renew(state, call),
        Operation::DeleteSubscription => subscription_calls::delete(state, call),
        Operation::Reauthorize => subscription_calls::reauthorize(state, call),
        Operation::GetDeleted => deleted::get(state, call),
        Operation::ListDeletedUsers => deleted::list(state, call, Type::User),
        Operation::ListDeletedGroups => deleted::list(state, call, Type::Group),
        Operation::Restore | Operation::RestoreUser => deleted::restore(state, call),
        Operation::Purge => deleted::purge(state, call),
        Operation::GetObject => directory_objects::get(state, call),
        Operation::GetByIds => directory_objects::by_ids(state, call),
        Operation::ListOrganization => organization::list(state, call),
        Operation::GetOrganization => organization::get(state, call),
        Operation::ListAudits => audits::list(state, call),
        Operation::GetAudit => audits::get(state, call),
        // It waits for the receiver and must not hold the lock: see `carry_out`.
        Operation::CreateSubscription => Err(Refusal::method()),
    }
}

/// The failure that was asked for, as an answer.
pub(crate) fn injected(state: &mut State, incoming: &Incoming<'_>, now: jiff::Timestamp) -> Option<Refusal> {
    let failure = state.faults.strike(incoming.method, incoming.path, false, &mut state.luck)?;
    let (refusal, retry_after) = match failure {
        Failure::Throttled(wait) => {
            (Refusal::new(429, "TooManyRequests", "Too many requests."), wait.header(now))
        }
        Failure::Status(status, wait) => {
            let (code, message) = match status {
                500 => ("InternalServerError", "An internal server error occurred."),
                502 => ("BadGateway", "The gateway received an invalid answer."),
                503 => ("ServiceUnavailable", "The service is temporarily unavailable."),
                504 => ("GatewayTimeout", "The gateway timed out."),
                _ => ("UnknownError", "An error occurred."),
            };
            (Refusal::new(status, code, message), wait.header(now))
        }
        Failure::NotFound => {
            let key = incoming.path.split('/').nth(2).unwrap_or_default();
            (Refusal::not_found(key), None)
        }
        Failure::Unauthorized => {
            let message = "Lifetime validation failed, the token is expired.";
            (Refusal::new(401, "InvalidAuthenticationToken", message), None)
        }
        Failure::Delay(_) | Failure::Hang | Failure::Reset | Failure::LostAnswer => return None,
    };
    Some(match retry_after {
        Some(wait) => refusal.with_header("Retry-After", wait),
        None => refusal,
    })
}

/// The JSON body. Writes with a body must say what it is; DELETE takes none.
fn body(incoming: &Incoming<'_>) -> Result<Option<Value>, Refusal> {
    if incoming.body.is_empty() {
        return Ok(None);
    }
    let kind = incoming.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    match kind.map(str::to_ascii_lowercase) {
        Some(kind) if kind.starts_with("application/json") => {}
        Some(_) => {
            let message = "The Content-Type of the request is not supported: use application/json.";
            return Err(Refusal::new(415, "RequestBodyRead", message));
        }
        None => {
            let message =
                "Write requests (excluding DELETE) must contain the Content-Type header declaration.";
            return Err(Refusal::bad_request(message));
        }
    }
    let parsed = serde_json::from_slice(incoming.body);
    parsed.map(Some).map_err(|_| Refusal::bad_request("Unable to read JSON request payload."))
}

fn header_is(headers: &HeaderMap, name: &str, wanted: &str) -> bool {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.split([',', ';']).any(|part| part.trim().eq_ignore_ascii_case(wanted)))
}
