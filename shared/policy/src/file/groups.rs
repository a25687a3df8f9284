//! Where the policy file speaks of groups: by id or name, by what they are, and made up for a test.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::located::{At, IdText, Place, Refused, Text, Words};
use super::vocabulary::Word;
use crate::conditions::Visibility;

/// A node that is a text or a mapping.
pub(crate) trait TextOrMapping: Sized {
    type Mapping: for<'de> Deserialize<'de> + JsonSchema;
    const EXPECTED: &'static str;

    fn text(text: &str) -> Self;
    fn mapping(mapping: Self::Mapping) -> Self;
    /// Of the text.
    fn schema() -> Schema;
}

/// One, or a list of them.
#[derive(Debug, Clone)]
pub(crate) struct OneGroupOrMany<T> {
    pub(crate) place: Place,
    pub(crate) items: Vec<At<T>>,
}

struct Item<T>(T);

enum Node<T> {
    One(T),
    Many(Vec<At<Item<T>>>),
}

struct ItemReader<T>(PhantomData<T>);

impl<'de, T: TextOrMapping> Visitor<'de> for ItemReader<T> {
    type Value = Item<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Item<T>, E> {
        Ok(Item(T::text(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item<T>, A::Error> {
        T::Mapping::deserialize(MapAccessDeserializer::new(map)).map(|mapping| Item(T::mapping(mapping)))
    }
}

impl<'de, T: TextOrMapping> Deserialize<'de> for Item<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemReader(PhantomData))
    }
}

struct NodeReader<T>(PhantomData<T>);

impl<'de, T: TextOrMapping> Visitor<'de> for NodeReader<T> {
    type Value = Node<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, or a list of these", T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node<T>, E> {
        Ok(Node::One(T::text(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Node<T>, A::Error> {
        T::Mapping::deserialize(MapAccessDeserializer::new(map)).map(|mapping| Node::One(T::mapping(mapping)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<T>, A::Error> {
        let mut many = Vec::new();
        while let Some(item) = items.next_element()? {
            many.push(item);
        }
        Ok(Node::Many(many))
    }
}

impl<'de, T: TextOrMapping> Deserialize<'de> for Node<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeReader(PhantomData))
    }
}

impl<'de, T: TextOrMapping> Deserialize<'de> for OneGroupOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let At { value, place } = At::<Node<T>>::deserialize(deserializer)?;
        let items = match value {
            Node::One(value) => vec![At { value, place }],
            Node::Many(items) => {
                items.into_iter().map(|At { value: Item(value), place }| At { value, place }).collect()
            }
        };
        Ok(Self { place, items })
    }
}

impl<T: TextOrMapping> JsonSchema for OneGroupOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::Mapping::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (text, mapping) = (T::schema(), generator.subschema_for::<T::Mapping>());
        let one = json_schema!({ "anyOf": [text, mapping] });
        json_schema!({ "anyOf": [text, mapping, { "type": "array", "items": one }] })
    }
}

/// A group that exists, as the author refers to it.
#[derive(Debug, Clone)]
pub(crate) enum Written {
    /// An id or a name.
    Bare(String),
    WithId(GroupWithId),
}

pub(crate) type GroupText = At<Written>;
pub(crate) type Groups = OneGroupOrMany<Written>;

/// The id counts. The name is for people.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupWithId {
    /// Object id.
    pub(crate) id: IdText,
    /// What the group was called when it was written here.
    pub(crate) name: Option<Text>,
}

impl TextOrMapping for Written {
    type Mapping = GroupWithId;
    const EXPECTED: &'static str = "a group (its id, its name, or `{ id: …, name: … }`)";

    fn text(text: &str) -> Self {
        Self::Bare(text.to_owned())
    }

    fn mapping(mapping: GroupWithId) -> Self {
        Self::WithId(mapping)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "description": "The group's id, or its name." })
    }
}

/// What the groups of a guardrail have in common. All of these must hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Joins {
    /// Groups by id, by name, or as `{ id, name }`. A name holds only while one group bears it.
    pub(crate) groups: Option<Groups>,
    /// Patterns of the whole name: `*` stands for any run of characters, `?` for one.
    pub(crate) name: Option<Words<Text>>,
    /// Sensitivity labels by name or id.
    pub(crate) label: Option<Words<Text>>,
    /// It can hold directory roles.
    pub(crate) role_assignable: Option<bool>,
    /// There is a team in Teams behind it.
    pub(crate) team: Option<bool>,
    /// Of a Microsoft 365 group.
    pub(crate) visibility: Option<Words<Word<Visibility>>>,
    /// A rule says who is a member.
    pub(crate) dynamic: Option<bool>,
    /// Alternatives, one of which must hold.
    pub(crate) any: Option<At<Vec<At<Alternative>>>>,
    /// Every group.
    #[schemars(extend("const" = true))]
    pub(crate) any_group: Option<At<bool>>,
}

/// One of several alternatives. All of these must hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alternative {
    /// Groups by id, by name, or as `{ id, name }`. A name holds only while one group bears it.
    pub(crate) groups: Option<Groups>,
    /// Patterns of the whole name: `*` stands for any run of characters, `?` for one.
    pub(crate) name: Option<Words<Text>>,
    /// Sensitivity labels by name or id.
    pub(crate) label: Option<Words<Text>>,
    /// It can hold directory roles.
    pub(crate) role_assignable: Option<bool>,
    /// There is a team in Teams behind it.
    pub(crate) team: Option<bool>,
    /// Of a Microsoft 365 group.
    pub(crate) visibility: Option<Words<Word<Visibility>>>,
    /// A rule says who is a member.
    pub(crate) dynamic: Option<bool>,
    #[serde(default)]
    pub(crate) any: Refused,
    #[serde(default)]
    pub(crate) any_group: Refused,
}

impl Joins {
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Groups> {
        let alternatives = self.any.iter().flat_map(|any| &any.value);
        self.groups.iter().chain(alternatives.filter_map(|one| one.value.groups.as_ref()))
    }

    /// What it shares with an alternative.
    pub(crate) fn properties(&self) -> Properties<'_> {
        let Self { groups, name, label, role_assignable, team, visibility, dynamic, any: _, any_group: _ } =
            self;
        Properties {
            groups: groups.as_ref(),
            name: name.as_ref(),
            label: label.as_ref(),
            role_assignable: *role_assignable,
            team: *team,
            visibility: visibility.as_ref(),
            dynamic: *dynamic,
        }
    }
}

impl Alternative {
    pub(crate) fn properties(&self) -> Properties<'_> {
        let Self { groups, name, label, role_assignable, team, visibility, dynamic, any: _, any_group: _ } =
            self;
        Properties {
            groups: groups.as_ref(),
            name: name.as_ref(),
            label: label.as_ref(),
            role_assignable: *role_assignable,
            team: *team,
            visibility: visibility.as_ref(),
            dynamic: *dynamic,
        }
    }
}

/// What can be asked about a group itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Properties<'a> {
    pub(crate) groups: Option<&'a Groups>,
    pub(crate) name: Option<&'a Words<Text>>,
    pub(crate) label: Option<&'a Words<Text>>,
    pub(crate) role_assignable: Option<bool>,
    pub(crate) team: Option<bool>,
    pub(crate) visibility: Option<&'a Words<Word<Visibility>>>,
    pub(crate) dynamic: Option<bool>,
}

impl Properties<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { groups, name, label, role_assignable, team, visibility, dynamic } = self;
        let flags = [role_assignable, team, dynamic].iter().all(|flag| flag.is_none());
        flags && groups.is_none() && name.is_none() && label.is_none() && visibility.is_none()
    }
}

/// The groups that a scenario covers. Only who is named is admitted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScenarioJoins {
    /// Groups by id, by name, or as `{ id, name }`. A name holds only while one group bears it.
    pub(crate) groups: Option<Groups>,
    #[serde(default)]
    name: Refused,
    #[serde(default)]
    label: Refused,
    #[serde(default)]
    role_assignable: Refused,
    #[serde(default)]
    team: Refused,
    #[serde(default)]
    visibility: Refused,
    #[serde(default)]
    dynamic: Refused,
    #[serde(default)]
    any: Refused,
    #[serde(default)]
    any_group: Refused,
}

impl ScenarioJoins {
    /// Keys that are for guardrails alone, with the places of their values.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (&'static str, Place)> {
        let Self { groups: _, name, label, role_assignable, team, visibility, dynamic, any, any_group } =
            self;
        let keys = [
            ("name", name),
            ("label", label),
            ("role_assignable", role_assignable),
            ("team", team),
            ("visibility", visibility),
            ("dynamic", dynamic),
            ("any", any),
            ("any_group", any_group),
        ];
        keys.into_iter().filter_map(|(key, value)| value.0.map(|place| (key, place)))
    }
}

/// A group of a test.
#[derive(Debug, Clone)]
pub(crate) enum WrittenTestGroup {
    Id(String),
    MadeUp(Box<TestGroup>),
}

pub(crate) type TestGroups = OneGroupOrMany<WrittenTestGroup>;

/// What is not written is not so: no label, no team, not dynamic.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestGroup {
    /// Object id. Not needed where the policy names the group, or where only what the group is matters.
    pub(crate) id: Option<IdText>,
    pub(crate) name: Option<Text>,
    /// Its sensitivity labels.
    pub(crate) label: Option<Words<Text>>,
    pub(crate) role_assignable: Option<bool>,
    pub(crate) team: Option<bool>,
    pub(crate) visibility: Option<Word<Visibility>>,
    pub(crate) dynamic: Option<bool>,
    /// From an on-premises directory.
    pub(crate) synced: Option<bool>,
    /// A distribution list or a mail-enabled security group.
    pub(crate) mail_enabled: Option<bool>,
}

impl TextOrMapping for WrittenTestGroup {
    type Mapping = TestGroup;
    const EXPECTED: &'static str = "a group (its id, or `{ name: … }` and its like)";

    fn text(text: &str) -> Self {
        Self::Id(text.to_owned())
    }

    fn mapping(mapping: TestGroup) -> Self {
        Self::MadeUp(Box::new(mapping))
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "format": "uuid" })
    }
}
