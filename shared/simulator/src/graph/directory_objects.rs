//! Objects whose type the asker does not know: by one id, or by many.
use serde_json::Value;
use uuid::Uuid;

use super::call::{Answer, Call};
use super::lists;
use super::refusal::Refusal;
use crate::odata::select::{show_mixed, type_of};
use crate::odata::{Selection, Type};
use crate::world::State;

const MOST_IDS: usize = 1000;

pub(crate) fn get(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let id = call.id(0)?;
    let view = state.view(call.sight);
    let object = view.object(id).ok_or_else(|| Refusal::not_found(call.key(0)))?;
    lists::one_mixed(call, object)
}

/// Those of `ids` that exist, of the wanted types; unknown ids are left out without a word.
pub(crate) fn by_ids(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let body = call.object_body()?;
    if let Some(unknown) = body.keys().find(|name| !["ids", "types"].contains(&name.as_str())) {
        return Err(Refusal::invalid_property(unknown));
    }
    let ids = body.get("ids").and_then(Value::as_array).filter(|ids| ids.len() <= MOST_IDS);
    let ids = ids.ok_or_else(|| Refusal::directory("'ids' must be a list of at most 1000 object ids."))?;
    let types = match body.get("types") {
        None | Some(Value::Null) => None,
        Some(Value::Array(types)) => Some(types),
        Some(_) => return Err(Refusal::invalid_value("types", "DirectoryObject")),
    };
    let selection = Selection::parse(Type::DirectoryObject, call.query.get("$select"), None)?;
    let view = state.view(call.sight);
    let mut value = Vec::new();
    for id in ids {
        let id = id.as_str().and_then(|id| Uuid::parse_str(id).ok());
        let id = id.ok_or_else(|| Refusal::directory("Invalid object identifier in 'ids'."))?;
        let Some(object) = view.object(id) else { continue };
        let name = type_of(object).name().trim_start_matches("microsoft.graph.");
        let all = |wanted: &Value| wanted == "directoryObject" || wanted == name;
        if types.is_none_or(|types| types.is_empty() || types.iter().any(all)) {
            value.push(show_mixed(object, &selection, &call.caller));
        }
    }
    let context = call.context(&format!("directoryObjects{}", selection.context_suffix()));
    Ok(Answer::collection(context, None, None, value))
}
