//! Bodies of writes: every property is known, writable, and of the right form before anything is changed.
use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::odata::{Form, Type};

/// Checks a body against the properties of its type. `besides` are names that the call itself takes care of.
pub(crate) fn check(
    body: &Map<String, Value>,
    of: Type,
    resource: &str,
    besides: &[&str],
) -> Result<(), Refusal> {
    for (name, value) in body {
        if besides.contains(&name.as_str()) {
            continue;
        }
        let Some(property) = of.property(name) else { return Err(Refusal::invalid_property(name)) };
        if !property.writable {
            return Err(Refusal::read_only(name));
        }
        let fits = match (property.form, value) {
            (_, Value::Null) => property.nullable,
            (Form::Text | Form::Date, Value::String(text)) => {
                property.longest.is_none_or(|longest| text.chars().count() <= longest)
            }
            (Form::Flag, Value::Bool(_)) | (Form::Number, Value::Number(_)) => true,
            (Form::Texts, Value::Array(items)) => items.iter().all(Value::is_string),
            (Form::Objects, Value::Array(items)) => items.iter().all(Value::is_object),
            (Form::Object, Value::Object(_)) => true,
            (
                Form::Text
                | Form::Date
                | Form::Flag
                | Form::Number
                | Form::Texts
                | Form::Objects
                | Form::Object,
                _,
            ) => false,
        };
        if !fits {
            return Err(Refusal::invalid_value(name, resource));
        }
    }
    Ok(())
}

pub(crate) fn text(body: &Map<String, Value>, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}

pub(crate) fn flag(body: &Map<String, Value>, name: &str) -> Option<bool> {
    body.get(name).and_then(Value::as_bool)
}

pub(crate) fn texts(body: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let items = body.get(name)?.as_array()?;
    Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// What a creation needs and does not have.
pub(crate) fn need(body: &Map<String, Value>, names: &[&str]) -> Result<(), Refusal> {
    match names.iter().find(|name| body.get(**name).is_none_or(Value::is_null)) {
        Some(name) => {
            Err(Refusal::directory(format!("A value is required for property '{name}' of resource.")))
        }
        None => Ok(()),
    }
}

/// The id at the end of an `@odata.id`, which must be the URL of a directory object.
pub(crate) fn reference(text: &str) -> Result<uuid::Uuid, Refusal> {
    let sets = ["directoryObjects", "users", "groups", "servicePrincipals", "devices"];
    let parsed = url::Url::parse(text).ok().and_then(|url| {
        let parts: Vec<&str> = url.path_segments()?.collect();
        match parts.as_slice() {
            ["v1.0", set, id] if sets.contains(set) => uuid::Uuid::parse_str(id).ok(),
            _ => None,
        }
    });
    parsed.ok_or_else(|| Refusal::directory(format!("Invalid entity reference url is specified: '{text}'.")))
}
