//! The directory audit. Rows lag: `Faults::audit_lag` says how long they stay invisible.
use serde_json::{Map, Value};

use super::call::{Answer, Call};
use super::refusal::Refusal;
use crate::odata::{Filter, Type, page};
use crate::world::State;

const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

fn visible<'a>(state: &'a State, call: &Call) -> Vec<&'a Map<String, Value>> {
    let until = call.now.checked_sub(state.faults.audit_lag).unwrap_or(call.now);
    let rows = state.tenant.audits.iter().filter(|row| row.at <= until);
    rows.filter_map(|row| row.document.as_object()).collect()
}

/// Newest first unless `$orderby` says otherwise.
pub(crate) fn list(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let selection = call.query.selection(Type::Audit)?;
    let filter = call.query.get("$filter").map(|text| Filter::parse(text, Type::Audit)).transpose()?;
    let mut rows = visible(state, call);
    rows.retain(|row| filter.as_ref().is_none_or(|filter| filter.matches(row)));
    match call.query.order(Type::Audit)? {
        Some((_, false)) => {}
        Some((_, true)) | None => rows.reverse(),
    }
    let size = call.query.top(LARGEST_PAGE)?.unwrap_or(PAGE);
    let size = size.min(state.faults.page_at_most.unwrap_or(LARGEST_PAGE));
    let question = format!("{}?{}", call.path, page::without_token(&call.raw_query));
    let placed = (1u64..).zip(rows).collect();
    let page = page::cut(placed, size, call.query.get("$skiptoken"), &question, true)?;
    let value = page.items.into_iter().map(|row| Value::Object(selection.show(Type::Audit, row))).collect();
    let context = call.context(&format!("auditLogs/directoryAudits{}", selection.context_suffix()));
    Ok(Answer::collection(context, None, page.next.map(|token| call.next_link(&token)), value))
}

pub(crate) fn get(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let selection = call.query.selection(Type::Audit)?;
    let rows = visible(state, call);
    let row = rows.into_iter().find(|row| row.get("id").and_then(Value::as_str) == Some(call.key(0)));
    let row = row.ok_or_else(|| Refusal::not_found(call.key(0)))?;
    let shown = Value::Object(selection.show(Type::Audit, row));
    let context = format!("auditLogs/directoryAudits{}/$entity", selection.context_suffix());
    Ok(Answer::entity(200, call.context(&context), shown))
}
