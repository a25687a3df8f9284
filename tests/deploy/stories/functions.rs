//! What is done to a deployed function by the API of Lambda: its timer goes off, its queue is left alone, its settings change.

use serde_json::{Value, json};

use crate::deployment::STACK;

/// As its timer does, and without waiting for it.
pub(crate) fn tend(function: &str) {
    let _ = emulator::ask_lambda(
        "POST",
        &format!("/functions/{STACK}-{function}/invocations"),
        &json!({ "do": "tend" }),
    );
}

/// Whether it takes anything from its queue.
pub(crate) fn work(function: &str, works: bool) {
    let mine = emulator::ask_lambda(
        "GET",
        &format!("/event-source-mappings?FunctionName={STACK}-{function}"),
        &Value::Null,
    );
    let id = mine["EventSourceMappings"][0]["UUID"].as_str().unwrap_or_else(|| panic!("{mine}")).to_owned();
    let _ =
        emulator::ask_lambda("PUT", &format!("/event-source-mappings/{id}"), &json!({ "Enabled": works }));
}

/// With these settings in the place of what it had: no instance that runs knows of them.
pub(crate) fn start_anew(function: &str, changed: &[(&str, &str)]) {
    let place = format!("/functions/{STACK}-{function}/configuration");
    let mut variables = emulator::ask_lambda("GET", &place, &Value::Null)["Environment"]["Variables"].take();
    for (name, value) in changed {
        assert!(variables[*name].is_string(), "{name} in {variables}");
        variables[*name] = json!(value);
    }
    let _ = emulator::ask_lambda("PUT", &place, &json!({ "Environment": { "Variables": variables } }));
}
