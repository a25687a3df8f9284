//! The closed word lists of the policy file: modes, severities, actions, kinds. One list serves the reader, the error
//! with the nearest word, and the schema.

use std::borrow::Cow;
use std::marker::PhantomData;

use model::{Action, GuestKind, Mode, Severity};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer};

use super::located::Text;
use crate::conditions::Visibility;
use crate::group::Relation;
use crate::nearest;

pub(crate) trait Vocabulary: Sized + Copy {
    /// What one of them is called.
    const NAME: &'static str;
    /// Words of the language that this version does not know yet.
    const NOT_BUILT: &'static [&'static str];

    fn all() -> Vec<(String, Self)>;
}

impl Vocabulary for Mode {
    const NAME: &'static str = "mode";
    const NOT_BUILT: &'static [&'static str] = &[];

    fn all() -> Vec<(String, Self)> {
        [Self::Observe, Self::Ask, Self::Enforce].map(|mode| (mode.to_string(), mode)).to_vec()
    }
}

impl Vocabulary for Severity {
    const NAME: &'static str = "severity";
    const NOT_BUILT: &'static [&'static str] = &[];

    fn all() -> Vec<(String, Self)> {
        [Self::Low, Self::Medium, Self::High, Self::Critical]
            .map(|severity| (severity.to_string(), severity))
            .to_vec()
    }
}

impl Vocabulary for Action {
    const NAME: &'static str = "action";
    const NOT_BUILT: &'static [&'static str] = &["revoke-sessions"];

    fn all() -> Vec<(String, Self)> {
        Self::ALL.map(|action| (action.word().to_owned(), action)).to_vec()
    }
}

impl Vocabulary for GuestKind {
    const NAME: &'static str = "kind";
    const NOT_BUILT: &'static [&'static str] = &[];

    fn all() -> Vec<(String, Self)> {
        Self::ALL.map(|kind| (kind.word().to_owned(), kind)).to_vec()
    }
}

impl Vocabulary for Relation {
    const NAME: &'static str = "relation";
    const NOT_BUILT: &'static [&'static str] = &[];

    fn all() -> Vec<(String, Self)> {
        Self::ALL.map(|relation| (relation.word().to_owned(), relation)).to_vec()
    }
}

impl Vocabulary for Visibility {
    const NAME: &'static str = "visibility";
    const NOT_BUILT: &'static [&'static str] = &[];

    fn all() -> Vec<(String, Self)> {
        Self::ALL.map(|visibility| (visibility.word().to_owned(), visibility)).to_vec()
    }
}

/// A word that should be one of `V`.
#[derive(Debug, Clone)]
pub(crate) struct Word<V> {
    pub(crate) text: Text,
    vocabulary: PhantomData<V>,
}

pub(crate) struct BadWord {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl<V: Vocabulary> Word<V> {
    pub(crate) fn value(&self) -> Result<V, BadWord> {
        let text = self.text.value.as_str();
        let all = V::all();
        if let Some((_, value)) = all.iter().find(|(word, _)| word == text) {
            return Ok(*value);
        }
        let name = V::NAME;
        let words: Vec<&str> = all.iter().map(|(word, _)| word.as_str()).collect();
        if V::NOT_BUILT.contains(&text) {
            let hint = format!("write one of {}", nearest::quoted(&words));
            return Err(BadWord { message: format!("{name} `{text}` is not built yet"), hint: Some(hint) });
        }
        let message = format!("unknown {name} `{}`", crate::domain::shortened(text));
        Err(BadWord { message, hint: nearest::hint(text, words) })
    }
}

impl<V> From<Text> for Word<V> {
    fn from(text: Text) -> Self {
        Self { text, vocabulary: PhantomData }
    }
}

impl<'de, V> Deserialize<'de> for Word<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(Self::from)
    }
}

impl<V: Vocabulary> JsonSchema for Word<V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        V::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<String> = V::all().into_iter().map(|(word, _)| word).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}
