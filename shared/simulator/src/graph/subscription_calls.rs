//! Graph calls on subscriptions, with the validation handshake that a creation waits for.
//! Rules: Microsoft Learn, "Receive change notifications through webhooks" and the subscription reference.
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::permissions;
use super::refusal::Refusal;
use super::subscriptions::{Subscription, Watched};
use crate::dates;
use crate::deliveries::courier;
use crate::odata::Type;
use crate::tenant::ObjectKind;
use crate::world::{State, World};

const SHORTEST: SignedDuration = SignedDuration::from_mins(45);
const LONGEST: SignedDuration = SignedDuration::from_mins(41_760);
const LONGEST_CLIENT_STATE: usize = 128;
/// Of one app in one tenant.
const MOST_SUBSCRIPTIONS: usize = 100;
const HANDSHAKE: Duration = Duration::from_secs(10);

const WRITABLE: &[&str] = &[
    "changeType",
    "notificationUrl",
    "lifecycleNotificationUrl",
    "resource",
    "expirationDateTime",
    "clientState",
    "latestSupportedTlsVersion",
];

/// Validates, shakes hands with both addresses without holding the lock, and only then creates.
pub(crate) async fn create(world: &Arc<World>, call: &Call) -> Result<Answer, Refusal> {
    let mut wanted = requested(call)?;
    world.look(|state, now| {
        state.subscriptions.sweep(now);
        check_room(state, call, &wanted)?;
        wanted.id = state.passing_id();
        Ok(())
    })?;
    for url in [Some(&wanted.notification_url), wanted.lifecycle_url.as_ref()].into_iter().flatten() {
        shake_hands(world, url).await?;
    }
    world.look(|state, _| {
        // Another request may have been faster while hands were shaken.
        check_room(state, call, &wanted)?;
        state.subscriptions.insert(wanted.clone());
        Ok(())
    })?;
    let selection = call.query.selection(Type::Subscription)?;
    let shown = Value::Object(selection.show(Type::Subscription, &document(&wanted)));
    Ok(Answer::entity(201, call.context("subscriptions/$entity"), shown))
}

fn check_room(state: &State, call: &Call, wanted: &Subscription) -> Result<(), Refusal> {
    let app = call.caller.app;
    if let Some(id) = state.subscriptions.duplicate(app, wanted.watched, &wanted.change_type) {
        let message = format!("Subscription Id {id} already exists for the requested combination");
        return Err(Refusal::new(409, "Conflict", message));
    }
    if state.subscriptions.of_app(app).count() >= MOST_SUBSCRIPTIONS {
        let message = "Number of active subscriptions for the application in the tenant has been exceeded.";
        return Err(Refusal::new(403, "ExtensionError", message));
    }
    Ok(())
}

fn requested(call: &Call) -> Result<Subscription, Refusal> {
    let body = call.object_body()?;
    only_writable(body)?;
    let needed = |name: &str| {
        let missing = || invalid(format!("The required property '{name}' is missing."));
        text(body, name)?.ok_or_else(missing)
    };
    let resource = needed("resource")?;
    let watched = Watched::parse(&resource)
        .ok_or_else(|| invalid(format!("Resource '{resource}' is not supported for subscriptions.")))?;
    let may = match watched.kind() {
        ObjectKind::User => permissions::SUBSCRIBE_USERS,
        ObjectKind::Group => permissions::SUBSCRIBE_GROUPS,
    };
    call.caller.must_have_any(&[may])?;
    let change_type = needed("changeType")?;
    for kind in change_type.split(',') {
        if !["updated", "deleted"].contains(&kind.trim()) {
            return Err(invalid(format!("The change type '{kind}' is not supported for this resource.")));
        }
    }
    let client_state = text(body, "clientState")?;
    if client_state.as_ref().is_some_and(|secret| secret.chars().count() > LONGEST_CLIENT_STATE) {
        return Err(invalid("clientState must not be longer than 128 characters.".to_owned()));
    }
    Ok(Subscription {
        id: Uuid::nil(),
        app: call.caller.app,
        resource,
        change_type,
        notification_url: https(needed("notificationUrl")?)?,
        lifecycle_url: text(body, "lifecycleNotificationUrl")?.map(https).transpose()?,
        client_state,
        expires_at: expiry(&needed("expirationDateTime")?, call.now)?,
        held: false,
        watched,
    })
}

fn only_writable(body: &Map<String, Value>) -> Result<(), Refusal> {
    for (name, value) in body {
        match Type::Subscription.property(name) {
            None => return Err(Refusal::invalid_property(name)),
            Some(property) if !property.writable => return Err(Refusal::read_only(name)),
            Some(_) if !WRITABLE.contains(&name.as_str()) && !value.is_null() => {
                return Err(invalid(format!("'{name}' is not supported for users and groups.")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(invalid(format!("'{name}' must be a string."))),
    }
}

fn invalid(message: String) -> Refusal {
    Refusal::new(400, "InvalidRequest", message)
}

fn https(url: String) -> Result<String, Refusal> {
    let parsed = url::Url::parse(&url).ok();
    match parsed.is_some_and(|parsed| parsed.scheme() == "https" && parsed.fragment().is_none()) {
        true => Ok(url),
        false => Err(invalid(format!("The URL '{url}' must be an absolute https URL."))),
    }
}

/// Less than 45 minutes ahead is raised to that without a word; more than 29 days is refused.
fn expiry(text: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    let wanted = dates::parse(text)
        .ok_or_else(|| invalid(format!("expirationDateTime '{text}' is not a date-time with an offset.")))?;
    let at = |ahead: SignedDuration| now.checked_add(ahead).unwrap_or(now);
    if wanted > at(LONGEST) {
        let message = "Subscription expiration can only be 41760 minutes in the future.";
        return Err(invalid(message.to_owned()));
    }
    if wanted <= now {
        return Err(invalid("expirationDateTime must be in the future.".to_owned()));
    }
    Ok(wanted.max(at(SHORTEST)))
}

/// The receiver must give the decoded token back as plain text within ten seconds.
async fn shake_hands(world: &Arc<World>, url: &str) -> Result<(), Refusal> {
    let token = world.look(|state, _| {
        let id = state.passing_id();
        // Signs that change when they are decoded twice or not at all.
        format!(
            "Validation: Testing client application reachability for subscription Request-Id: {id} +/=%20"
        )
    });
    let pair =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("validationToken", &token).finish();
    let separator = if url.contains('?') { '&' } else { '?' };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let target = format!("{url}{separator}{pair}");
    let reply = courier::post(world, &target, headers, Bytes::new(), HANDSHAKE, false).await;
    let failed = |why: String| {
        let message = format!("Subscription validation request failed. {why}");
        Err(Refusal::new(400, "ValidationError", message))
    };
    let Some(reply) = reply else {
        return failed(format!("The notification endpoint '{url}' could not be reached or did not answer."));
    };
    if reply.status != 200 {
        let why = "Notification endpoint must respond with 200 OK to validation request.";
        return failed(why.to_owned());
    }
    if !reply.is_plain_text() {
        return failed("The Content-Type of the reply must be text/plain.".to_owned());
    }
    match reply.body == token.as_bytes() {
        true => Ok(()),
        false => failed("The reply must be the URL-decoded validation token.".to_owned()),
    }
}

pub(crate) fn list(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    state.subscriptions.sweep(call.now);
    let selection = call.query.selection(Type::Subscription)?;
    let mine = state.subscriptions.of_app(call.caller.app);
    let value = mine.map(|one| Value::Object(selection.show(Type::Subscription, &document(one)))).collect();
    let context = call.context(&format!("subscriptions{}", selection.context_suffix()));
    Ok(Answer::collection(context, None, None, value))
}

pub(crate) fn get(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let selection = call.query.selection(Type::Subscription)?;
    let subscription = mine(state, call)?;
    let shown = Value::Object(selection.show(Type::Subscription, &document(subscription)));
    let context = format!("subscriptions{}/$entity", selection.context_suffix());
    Ok(Answer::entity(200, call.context(&context), shown))
}

/// PATCH of the expiry; it also renews the authorization, so that what was held back is delivered.
pub(crate) fn renew(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let body = call.object_body()?;
    if let Some(other) = body.keys().find(|name| *name != "expirationDateTime") {
        return Err(match Type::Subscription.property(other) {
            None => Refusal::invalid_property(other),
            Some(_) => invalid(format!("'{other}' cannot be changed: delete and create the subscription.")),
        });
    }
    let wanted = body.get("expirationDateTime").and_then(Value::as_str);
    let wanted = wanted.ok_or_else(|| invalid("expirationDateTime must be a string.".to_owned()))?;
    let expires_at = expiry(wanted, call.now)?;
    let subscription = mine(state, call)?;
    subscription.expires_at = expires_at;
    subscription.held = false;
    let all = call.query.selection(Type::Subscription)?;
    let shown = Value::Object(all.show(Type::Subscription, &document(subscription)));
    Ok(Answer::entity(200, call.context("subscriptions/$entity"), shown))
}

pub(crate) fn reauthorize(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    mine(state, call)?.held = false;
    Ok(Answer::nothing())
}

pub(crate) fn delete(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let id = mine(state, call)?.id;
    state.subscriptions.remove(id);
    Ok(Answer::nothing())
}

/// An app sees its own subscriptions only.
fn mine<'a>(state: &'a mut State, call: &Call) -> Result<&'a mut Subscription, Refusal> {
    state.subscriptions.sweep(call.now);
    let gone = || Refusal::new(404, "ResourceNotFound", "The object was not found.");
    let id = Uuid::parse_str(call.key(0)).map_err(|_| gone())?;
    let found = state.subscriptions.get_mut(id).filter(|found| found.app == call.caller.app);
    found.ok_or_else(gone)
}

fn document(subscription: &Subscription) -> Map<String, Value> {
    let Subscription {
        id,
        app,
        resource,
        change_type,
        notification_url,
        lifecycle_url,
        client_state,
        expires_at,
        held: _,
        watched: _,
    } = subscription;
    // The object id of the app's service principal: stable, and no app id.
    let principal = Uuid::from_u128(app.as_u128().rotate_left(64));
    let document = json!({
        "id": id.to_string(),
        "applicationId": app.to_string(),
        "creatorId": principal.to_string(),
        "resource": resource,
        "changeType": change_type,
        "notificationUrl": notification_url,
        "lifecycleNotificationUrl": lifecycle_url,
        "clientState": client_state,
        "expirationDateTime": dates::ticks(*expires_at),
        "latestSupportedTlsVersion": "v1_2",
    });
    match document {
        Value::Object(document) => document,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
