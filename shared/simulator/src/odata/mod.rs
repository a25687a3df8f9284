//! The OData part of Graph: which properties an answer shows, `$filter`, paging. Knows types and documents, not HTTP.
pub(crate) mod filter;
mod filter_parse;
pub(crate) mod page;
pub(crate) mod query;
pub(crate) mod schema;
mod schema_group;
mod schema_small;
mod schema_user;
pub(crate) mod select;

pub(crate) use filter::Filter;
pub(crate) use query::Query;
pub(crate) use schema::{Form, Type};
pub(crate) use select::Selection;
