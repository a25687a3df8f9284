//! Delta queries on users and groups: a full enumeration first, then what changed since a token. Links are opaque,
//! pages may repeat objects, large groups come in slices. What one item looks like is in `delta_items`.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::delta_items::{Entry, changed, everything, show};
use super::refusal::Refusal;
use crate::odata::query::no_property;
use crate::odata::{Filter, Type};
use crate::tenant::ObjectKind;
use crate::world::State;

const PAGE: usize = 100;
const MOST_IDS: usize = 50;
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a token remembers: the options of the first call are encoded in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Token {
    generation: u64,
    issued_at: Timestamp,
    pub(crate) of_groups: bool,
    /// None = everything; else what changed after this sequence number.
    pub(crate) since: Option<u64>,
    pub(crate) until: u64,
    /// Entries up to this key were answered.
    after: u64,
    pub(crate) select: Option<Vec<String>>,
    /// `members` and `owners`, if selected.
    pub(crate) links: Vec<String>,
    pub(crate) ids: Option<Vec<Uuid>>,
}

impl Token {
    fn seal(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    pub(crate) fn kind(&self) -> ObjectKind {
        if self.of_groups { ObjectKind::Group } else { ObjectKind::User }
    }

    pub(crate) fn covers(&self, id: Uuid) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.contains(&id))
    }
}

pub(crate) fn answer(state: &mut State, call: &Call, kind: ObjectKind) -> Result<Answer, Refusal> {
    let given = call.query.get("$skiptoken").or_else(|| call.query.get("$deltatoken"));
    let visible = visible_sequence(state, call);
    let (token, latest) = match given {
        None => (first(state, call, kind, visible)?, false),
        Some("latest") => (first(state, call, kind, visible)?, true),
        // The link that a 410 hands out: start over.
        Some("") => (first(state, call, kind, visible)?, false),
        Some(text) => {
            let mut token = open(state, call, kind, text)?;
            if call.query.get("$deltatoken").is_some() {
                token.since = Some(token.until);
                token.until = visible.max(token.until);
                token.after = 0;
            }
            (token, false)
        }
    };
    let entries = if latest { Vec::new() } else { entries(state, call, &token) };
    page(state, call, &token, entries)
}

fn page(state: &State, call: &Call, token: &Token, entries: Vec<Entry>) -> Result<Answer, Refusal> {
    let size = state.faults.page_at_most.unwrap_or(PAGE).clamp(1, PAGE);
    let mut rest = entries.into_iter().filter(|entry| entry.key > token.after).peekable();
    let mut value = Vec::new();
    let mut after = token.after;
    for entry in rest.by_ref().take(size) {
        after = entry.key;
        value.push(show(&state.view(call.sight), call, token, entry));
    }
    let more = rest.peek().is_some();
    let sealed = Token { issued_at: call.now, after, ..token.clone() }.seal();
    let (set, link, name) = match (token.kind(), more) {
        (ObjectKind::User, true) => ("users", "@odata.nextLink", "$skiptoken"),
        (ObjectKind::User, false) => ("users", "@odata.deltaLink", "$deltatoken"),
        (ObjectKind::Group, true) => ("groups", "@odata.nextLink", "$skiptoken"),
        (ObjectKind::Group, false) => ("groups", "@odata.deltaLink", "$deltatoken"),
    };
    let mut body = Map::new();
    let selected = token.select.as_ref().map(|names| format!("({})", names.join(","))).unwrap_or_default();
    body.insert("@odata.context".to_owned(), json!(call.context(&format!("{set}{selected}"))));
    body.insert(link.to_owned(), json!(format!("{}/v1.0/{set}/delta?{name}={sealed}", call.base)));
    body.insert("value".to_owned(), Value::Array(value));
    Ok(Answer::json(200, Value::Object(body)))
}

fn entries(state: &State, call: &Call, token: &Token) -> Vec<Entry> {
    let slice = state.faults.page_at_most.unwrap_or(PAGE).clamp(1, PAGE);
    match token.since {
        None => everything(&state.view(call.sight), token, slice),
        Some(since) => changed(&state.view(call.sight), token, since, slice),
    }
}

/// The last change that the answering replica has seen.
fn visible_sequence(state: &State, call: &Call) -> u64 {
    let seen = state.tenant.log.iter().rev();
    // A token never passes over what the replica does not show yet.
    let until = [call.sight.seen_until, call.sight.settled_until].into_iter().flatten().min();
    let mut seen = seen.filter(|change| until.is_none_or(|until| change.at <= until));
    seen.next().map_or(0, |change| change.sequence)
}

fn first(state: &State, call: &Call, kind: ObjectKind, until: u64) -> Result<Token, Refusal> {
    let of = match kind {
        ObjectKind::User => Type::User,
        ObjectKind::Group => Type::Group,
    };
    let (mut select, mut links) = (None, Vec::new());
    if let Some(text) = call.query.get("$select") {
        let mut names = Vec::new();
        for name in text.split(',').map(str::trim) {
            match (kind, name) {
                (ObjectKind::Group, "members" | "owners") => links.push(name.to_owned()),
                _ if of.property(name).is_some() => names.push(name.to_owned()),
                _ => return Err(no_property(of, name)),
            }
        }
        select = Some(names);
    }
    let ids = call.query.get("$filter").map(Filter::ids).transpose()?;
    if ids.as_ref().is_some_and(|ids| ids.len() > MOST_IDS) {
        return Err(Refusal::unsupported_query("Delta queries track at most 50 objects by $filter."));
    }
    let ids = ids.map(|ids| ids.iter().filter_map(|id| Uuid::parse_str(id).ok()).collect());
    Ok(Token {
        generation: state.delta_generation,
        issued_at: call.now,
        of_groups: kind == ObjectKind::Group,
        since: None,
        until,
        after: 0,
        select,
        links,
        ids,
    })
}

fn open(state: &State, call: &Call, kind: ObjectKind, text: &str) -> Result<Token, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let token = bytes.and_then(|bytes| serde_json::from_slice::<Token>(&bytes).ok());
    let token = token.filter(|token| token.kind() == kind);
    let token = token.ok_or_else(|| Refusal::bad_request("Badly formed token."))?;
    if call.query.get("$select").is_some() || call.query.get("$filter").is_some() {
        let message =
            "Query options belong to the first delta request; afterwards they are part of the token.";
        return Err(Refusal::bad_request(message));
    }
    let end = token.issued_at.checked_add(TOKEN_LIFE).unwrap_or(token.issued_at);
    if token.generation != state.delta_generation || call.now > end {
        let again = format!("{}/v1.0{}?$deltatoken=", call.base, call.path);
        let message = "The sync state generation is not found; continue sync from the beginning.";
        return Err(Refusal::new(410, "syncStateNotFound", message).with_header("Location", again));
    }
    Ok(token)
}
