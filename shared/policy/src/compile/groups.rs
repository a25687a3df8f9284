//! Groups: those that the policy names, and those that a guardrail describes.

use std::collections::BTreeSet;

use model::ObjectId;

use super::{Compiler, Id};
use crate::conditions::{BadNamePattern, GroupMatcher, JoinsCondition, LabelText, NamePattern};
use crate::domain::shortened;
use crate::file::{At, Groups, If, Joins, Place, Properties, ScenarioJoins, Text, Word, Words, Written};
use crate::group::Relation;
use crate::reference::{GroupRefs, NameRef};

/// Microsoft Entra allows no longer ones (<https://learn.microsoft.com/graph/api/resources/group#properties>).
const LONGEST_NAME: usize = 256;

impl Compiler<'_> {
    pub(super) fn group_refs(&mut self, key: &str, groups: &Groups) -> GroupRefs {
        if groups.items.is_empty() {
            let hint = "name groups, or remove the key".to_owned();
            self.problem(groups.place, format!("`{key}` is empty"), Some(hint));
        }
        let mut refs = GroupRefs::default();
        for group in &groups.items {
            match &group.value {
                Written::WithId(with_id) => {
                    if let Some(id) = self.object_id(&with_id.id, Id::Group) {
                        let name = with_id.name.as_ref().map(|name| name.value.clone());
                        refs.ids.insert(id, name);
                    }
                }
                Written::Bare(text) => match text.parse::<ObjectId>() {
                    Ok(id) => {
                        refs.ids.entry(id).or_default();
                    }
                    Err(_) => refs.names.extend(self.group_name(text, group.place)),
                },
            }
        }
        refs.names.sort_by(|a, b| a.name.cmp(&b.name));
        refs.names.dedup_by(|a, b| a.name == b.name);
        refs
    }

    /// A name that stands where an id belongs.
    fn group_name(&mut self, text: &str, place: Place) -> Option<NameRef> {
        let shown = shortened(text);
        let (message, hint) = if text.trim().is_empty() {
            (format!("`{shown}` is no group's name"), "write the group's id, or its name")
        } else if is_nearly_an_id(text) {
            (format!("`{shown}` is not an object id (a GUID of 36 characters)"), Id::Group.hint())
        } else if text.contains('*') {
            let hint = "write the group's id; a pattern stands under `joins: { name: … }` of a guardrail";
            (format!("`{shown}` is a pattern, and groups are named one by one here"), hint)
        } else if text.chars().count() > LONGEST_NAME || text.contains(char::is_control) {
            (format!("`{shown}` cannot be the name of a group"), "write the group's id")
        } else {
            return Some(NameRef { name: text.to_owned(), line: place.line, column: place.column });
        };
        self.problem(place, message, Some(hint.to_owned()));
        None
    }

    pub(super) fn joins(&mut self, conditions: &If) -> Option<JoinsCondition> {
        let If { joins, relation, .. } = conditions;
        let relations = relation.as_ref().map(|words| self.relations(words));
        let Some(joins) = joins else {
            if let Some(words) = relation {
                let hint = "write `joins` beside it, or remove it".to_owned();
                self.problem(words.place, "`as` says nothing without `joins`", Some(hint));
            }
            return None;
        };
        let matcher = self.matcher(joins);
        let relations = relations.unwrap_or_else(|| BTreeSet::from([Relation::Member]));
        Some(JoinsCondition { matcher, relations })
    }

    /// Where they were not understood, all of them: what is told about `as` is not told again about `then`.
    fn relations(&mut self, words: &Words<Word<Relation>>) -> BTreeSet<Relation> {
        self.not_empty("as", words, "write `member`, `owner` or both, or remove the key");
        let known = self.words(words);
        let understood = !words.items.is_empty() && words.items.iter().all(|word| word.value().is_ok());
        if understood { known.into_iter().collect() } else { Relation::ALL.into() }
    }

    fn matcher(&mut self, joins: &At<Joins>) -> GroupMatcher {
        let At { value, place } = joins;
        let properties = value.properties();
        let mut matcher = self.properties(&properties);
        if let Some(any) = &value.any {
            if any.value.is_empty() {
                let hint = "write alternatives, or remove the key".to_owned();
                self.problem(any.place, "`any` is empty", Some(hint));
            }
            for alternative in &any.value {
                let properties = alternative.value.properties();
                let (nested, every) = (alternative.value.any.0, alternative.value.any_group.0);
                if let Some(value) = nested {
                    let hint = "write the alternatives side by side".to_owned();
                    self.problem(
                        self.place_of_key("any", value),
                        "`any` does not stand inside `any`",
                        Some(hint),
                    );
                }
                if let Some(value) = every {
                    let hint = "write `any_group: true` directly under `joins`, and nothing else".to_owned();
                    let message = "`any_group` inside `any` leaves the other alternatives nothing to say";
                    self.problem(self.place_of_key("any_group", value), message, Some(hint));
                }
                if properties.is_empty() && nested.is_none() && every.is_none() {
                    let hint = "write a condition, or remove it".to_owned();
                    self.problem(
                        alternative.place,
                        "the alternative is empty and would match every group",
                        Some(hint),
                    );
                }
                matcher.any.push(self.properties(&properties));
            }
        }
        self.any_group(value, *place);
        matcher
    }

    /// That a rule is about every group has to be written: an empty condition may be a slip.
    fn any_group(&mut self, joins: &Joins, place: Place) {
        let asks = !joins.properties().is_empty() || joins.any.is_some();
        match &joins.any_group {
            Some(any_group) if !any_group.value => {
                let hint = "write `any_group: true`, or remove it".to_owned();
                self.problem(any_group.place, "`any_group: false` says nothing", Some(hint));
            }
            Some(any_group) if asks => {
                let hint = "remove `any_group`, or the other conditions".to_owned();
                self.problem(any_group.place, "`any_group` says nothing beside other conditions", Some(hint));
            }
            None if !asks => {
                let hint = "write a condition, or `any_group: true` if every group is meant".to_owned();
                self.problem(place, "`joins` is empty and would match every group", Some(hint));
            }
            Some(_) | None => {}
        }
    }

    fn properties(&mut self, properties: &Properties<'_>) -> GroupMatcher {
        let Properties { groups, name, label, role_assignable, team, visibility, dynamic } = *properties;
        let mut names = name.map(|words| self.name_patterns(words)).unwrap_or_default();
        names.sort_by(|a, b| a.text().cmp(b.text()));
        let mut labels = label.map(|words| self.labels(words)).unwrap_or_default();
        labels.sort_by(|a, b| a.text.cmp(&b.text));
        let visibility = visibility.map(|words| {
            self.not_empty("visibility", words, "write one of the words, or remove the key");
            self.words(words).into_iter().collect()
        });
        GroupMatcher {
            groups: groups.map(|groups| self.group_refs("groups", groups)),
            names,
            labels,
            role_assignable,
            team,
            visibility: visibility.unwrap_or_default(),
            dynamic,
            any: Vec::new(),
        }
    }

    fn name_patterns(&mut self, words: &Words<Text>) -> Vec<NamePattern> {
        self.not_empty("name", words, "write patterns, or remove the key");
        let mut patterns = Vec::new();
        for word in &words.items {
            match NamePattern::parse(&word.value) {
                Ok(pattern) => patterns.push(pattern),
                Err(BadNamePattern::Empty) => {
                    let hint = "write it as in `Finance *`".to_owned();
                    self.problem(word.place, "the pattern is empty", Some(hint));
                }
                Err(BadNamePattern::TooWide) => {
                    let message = format!("pattern `{}` would match every group", shortened(&word.value));
                    let hint = "write `any_group: true` if every group is meant".to_owned();
                    self.problem(word.place, message, Some(hint));
                }
            }
        }
        patterns
    }

    fn labels(&mut self, words: &Words<Text>) -> Vec<LabelText> {
        self.not_empty("label", words, "name labels, or remove the key");
        for word in words.items.iter().filter(|word| word.value.trim().is_empty()) {
            let hint = "write the label's name or id".to_owned();
            self.problem(word.place, "the label is empty", Some(hint));
        }
        words.items.iter().map(|word| LabelText::new(&word.value)).collect()
    }

    /// A scenario admits to groups, and what admits is named: anybody may call a group as a pattern wants it.
    pub(super) fn scenario_joins(&mut self, joins: &At<ScenarioJoins>) -> GroupRefs {
        let mut refused = false;
        for (key, value) in joins.value.refused() {
            refused = true;
            let message = format!("`{key}` does not admit to groups: it is for guardrails");
            let hint = if key == "any_group" {
                "remove `joins`: a scenario without it covers every group"
            } else {
                "name the groups by id, under `groups`"
            };
            self.problem(self.place_of_key(key, value), message, Some(hint.to_owned()));
        }
        if joins.value.groups.is_none() && !refused {
            let hint = "name groups under `groups`, or remove `joins` to cover every group".to_owned();
            self.problem(joins.place, "`joins` is empty and would cover no group", Some(hint));
        }
        joins.value.groups.as_ref().map(|groups| self.group_refs("groups", groups)).unwrap_or_default()
    }
}

/// A text that was an id until somebody copied it badly. No group is called so; and if one were, it could be named by its
/// id.
fn is_nearly_an_id(text: &str) -> bool {
    let length = text.chars().count();
    let hyphens = text.chars().filter(|c| "-‐‑–—".contains(*c)).count();
    let digits = text.chars().filter(char::is_ascii_hexdigit).count();
    let braces = text.chars().filter(|c| "{}".contains(*c)).count();
    let others = length - hyphens - digits - braces;
    let nothing_else = length >= 20 && others == 0;
    nothing_else || (34..=38).contains(&length) && (3..=5).contains(&hyphens) && others <= 2
}
