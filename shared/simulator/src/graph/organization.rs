//! The tenant itself, with its verified domains.
use serde_json::{Map, Value, json};

use super::call::{Answer, Call};
use super::refusal::Refusal;
use crate::odata::Type;
use crate::tenant::Tenant;
use crate::world::State;

pub(crate) fn list(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let selection = call.query.selection(Type::Organization)?;
    let shown = selection.show(Type::Organization, &document(&state.tenant));
    let context = call.context(&format!("organization{}", selection.context_suffix()));
    Ok(Answer::collection(context, None, None, vec![Value::Object(shown)]))
}

pub(crate) fn get(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    if call.id(0)? != state.tenant.id {
        return Err(Refusal::not_found(call.key(0)));
    }
    let selection = call.query.selection(Type::Organization)?;
    let shown = selection.show(Type::Organization, &document(&state.tenant));
    let context = format!("organization{}/$entity", selection.context_suffix());
    Ok(Answer::entity(200, call.context(&context), Value::Object(shown)))
}

fn document(tenant: &Tenant) -> Map<String, Value> {
    let domains = tenant.domains.iter().map(|name| {
        json!({
            "name": name,
            "capabilities": "Email, OfficeCommunicationsOnline",
            "isDefault": name == tenant.default_domain(),
            "isInitial": name == tenant.initial_domain(),
            "type": "Managed",
        })
    });
    let domains: Vec<Value> = domains.collect();
    let mut document = Map::new();
    document.insert("id".to_owned(), json!(tenant.id.to_string()));
    document.insert("displayName".to_owned(), json!(tenant.name));
    document.insert("tenantType".to_owned(), json!("AAD"));
    document.insert("verifiedDomains".to_owned(), Value::Array(domains));
    document
}
