//! The form of the policy file: the structs that it is read into, as they are written, each text with its place. What
//! the texts mean is decided in `compile`; here a key is only known or unknown.

mod groups;
mod keys;
mod located;
mod outline;
mod people;
mod shape;
mod vocabulary;
mod yaml;

pub(crate) use groups::{
    GroupText, Groups, Joins, Properties, ScenarioJoins, TestGroup, TestGroups, Written, WrittenTestGroup,
};
pub(crate) use located::{At, DateText, Entries, IdText, Place, SpanText, Text, Words};
pub(crate) use outline::{Blank, Node, blanks};
pub(crate) use people::{Inviter, InviterSource, TestInviter};
pub(crate) use shape::{
    Admits, Exception, Existing, File, Guardrail, If, ListSource, OtherwiseRule, Partner, Scenario, TestCase,
    TestGuest,
};
pub(crate) use vocabulary::{BadWord, Vocabulary, Word};
pub(crate) use yaml::read;

/// The JSON Schema of the policy file, made of the same types that read it, for editors.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    let mut schema = keys::published_schema();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), "Guestlist policy".into());
    }
    schema
}
