//! Where each key of the language stands, taken from the types that read it. A key in a wrong place is told with its
//! right one, and all of them at once, where the reader stops at the first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::located::{At, Place, Refused, Text};
use super::outline::Node;
use super::shape::File;
use crate::domain::shortened;
use crate::nearest;

/// The keys on the way from the top of the file to a mapping.
type Path = Vec<String>;
type Places = BTreeMap<String, BTreeSet<Path>>;
type Form = Map<String, Value>;

/// Stands in a path for a name that the author chooses.
const ANY_NAME: &str = "…";

/// More keys than this are not repeated in a hint.
const MOST_KEYS: usize = 7;

/// What stands where keys with their values are wanted, by the path.
const EXAMPLES: [(&str, &str); 19] = [
    ("existing", "existing: { before: 2026-12-01 }"),
    ("lists", "lists: { blocked: { entries: [evil.example] } }"),
    ("lists.…", "blocked: { entries: [evil.example] }"),
    ("partners", "partners: { fabrikam: { domains: [fabrikam.com] } }"),
    ("partners.…", "fabrikam: { domains: [fabrikam.com] }"),
    ("protect", "protect: { groups: [Board] }"),
    ("guardrails.if", "if: { domain: [evil.example] }"),
    ("guardrails.if.joins", "joins: { name: \"Finance *\" }"),
    ("guardrails.if.joins.any", "any: [ { name: \"Finance *\" }, { label: Confidential } ]"),
    ("guardrails.if.inviter", "inviter: { kind: guest }"),
    ("scenarios.admits", "admits: { partners: [fabrikam] }"),
    ("scenarios.admits.inviters", "inviters: { group: Sponsors }"),
    ("scenarios.joins", "joins: { groups: [Agency] }"),
    ("otherwise", "otherwise: { guest: { then: [disable] } }"),
    ("otherwise.guest", "guest: { then: [disable] }"),
    ("otherwise.membership", "membership: { then: [leave-group] }"),
    ("tests.guest", "guest: { mail: mallory@evil.example }"),
    ("tests.guest.inviter", "inviter: { kind: guest }"),
    ("tests.expect", "expect: { otherwise.guest: [disable] }"),
];

/// A mistake of form, with what to do about it.
pub(super) struct Mistake {
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// The schema that everybody sees: a key that is read only to be refused is not in it.
pub(super) fn published_schema() -> Value {
    let mut schema = schemars::schema_for!(File).to_value();
    remove_refused(&mut schema);
    schema
}

fn remove_refused(value: &mut Value) {
    match value {
        Value::Object(form) => {
            if let Some(keys) = form.get_mut("properties").and_then(Value::as_object_mut) {
                keys.retain(|_, below| !is_refused(below));
            }
            form.values_mut().for_each(remove_refused);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_refused),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_refused(below: &Value) -> bool {
    below.get(Refused::MARK).is_some()
}

/// Every key that does not stand where it may, and every text, number or list where keys are wanted.
pub(super) fn mistakes(file: &At<Node>) -> Vec<Mistake> {
    let language = Language::new();
    let mut found = Vec::new();
    language.walk(&language.schema, file, &[], &mut found);
    found
}

struct Language {
    schema: Value,
    places: Places,
}

impl Language {
    fn new() -> Self {
        let schema = schemars::schema_for!(File).to_value();
        let mut language = Self { schema, places: Places::new() };
        let mut places = Places::new();
        language.collect(&language.schema, &Path::new(), &mut places);
        language.places = places;
        language
    }

    /// What a value may be.
    fn forms<'a>(&'a self, schema: &'a Value) -> Vec<&'a Form> {
        let Some(form) = schema.as_object() else { return Vec::new() };
        if let Some(name) = form.get("$ref").and_then(Value::as_str) {
            let meant = self.schema.pointer(name.trim_start_matches('#'));
            return meant.map_or_else(Vec::new, |schema| self.forms(schema));
        }
        match form.get("anyOf").and_then(Value::as_array) {
            Some(forms) => forms.iter().flat_map(|form| self.forms(form)).collect(),
            None => vec![form],
        }
    }

    fn collect(&self, schema: &Value, here: &Path, places: &mut Places) {
        for form in self.forms(schema) {
            for (key, below) in keys(form).into_iter().flatten() {
                if !is_refused(below) {
                    places.entry(key.clone()).or_default().insert(here.clone());
                    self.collect(below, &below_key(here, key), places);
                }
            }
            if let Some(named) = named(form) {
                self.collect(named, &below_key(here, ANY_NAME), places);
            }
            if let Some(item) = form.get("items") {
                self.collect(item, here, places);
            }
        }
    }

    fn walk(&self, schema: &Value, node: &At<Node>, here: &[String], found: &mut Vec<Mistake>) {
        let forms = self.forms(schema);
        match &node.value {
            Node::Nothing => {}
            Node::Text | Node::Scalar | Node::List(_) if wants_keys(&forms) => {
                let message = "expected keys with their values".to_owned();
                let path = here.join(".");
                let example = EXAMPLES.iter().find(|(at, _)| *at == path);
                let hint = example.map(|(_, example)| format!("write it as in `{example}`"));
                found.push(Mistake { place: node.place, message, hint });
            }
            Node::Text | Node::Scalar => {}
            Node::List(items) => {
                if let Some(item) = forms.iter().find_map(|form| form.get("items")) {
                    items.iter().for_each(|node| self.walk(item, node, here, found));
                }
            }
            Node::Mapping(entries) => {
                for (key, value) in entries {
                    self.entry(&forms, key, value, here, found);
                }
            }
        }
    }

    fn entry(
        &self,
        forms: &[&Form],
        key: &Text,
        value: &At<Node>,
        here: &[String],
        found: &mut Vec<Mistake>,
    ) {
        if let Some((form, keys)) = forms.iter().find_map(|form| Some((*form, keys(form)?))) {
            match keys.get(&key.value) {
                Some(below) if is_refused(below) => {}
                Some(below) => self.walk(below, value, &below_key(here, &key.value), found),
                None => found.push(self.misplaced(key, &in_order(form, keys), here)),
            }
        } else if let Some(below) = forms.iter().find_map(|form| named(form)) {
            self.walk(below, value, &below_key(here, ANY_NAME), found);
        }
    }

    fn misplaced(&self, key: &Text, keys: &[&str], here: &[String]) -> Mistake {
        let (name, shown) = (key.value.as_str(), shortened(&key.value));
        let (message, hint) = if let Some(meant) = keys.iter().find(|key| one_and_many(key, name)) {
            (format!("unknown key `{shown}`"), Some(format!("did you mean `{meant}`?")))
        } else if let Some(places) = self.places.get(name) {
            let hint = format!("`{shown}` stands {}", where_it_stands(places, keys, here));
            (format!("key `{shown}` does not belong here"), Some(hint))
        } else {
            (format!("unknown key `{shown}`"), nearest::hint(name, keys.iter().copied()))
        };
        Mistake { place: key.place, message, hint }
    }
}

fn keys(form: &Form) -> Option<&Form> {
    form.get("properties").and_then(Value::as_object)
}

/// What stands below each name that the author chooses.
fn named(form: &Form) -> Option<&Value> {
    form.get("additionalProperties").filter(|below| below.is_object())
}

fn wants_keys(forms: &[&Form]) -> bool {
    let nothing = |form: &Form| form.get("type").and_then(Value::as_str) == Some("null");
    let mut forms = forms.iter().filter(|form| !nothing(form)).peekable();
    forms.peek().is_some() && forms.all(|form| keys(form).is_some() || named(form).is_some())
}

fn below_key(here: &[String], key: &str) -> Path {
    here.iter().map(String::as_str).chain([key]).map(str::to_owned).collect()
}

/// Those that have to be there first.
fn in_order<'a>(form: &'a Form, keys: &'a Form) -> Vec<&'a str> {
    let required = form.get("required").and_then(Value::as_array).into_iter().flatten();
    let required: Vec<&str> = required.filter_map(Value::as_str).collect();
    let built = keys.iter().filter(|(_, below)| !is_refused(below)).map(|(key, _)| key.as_str());
    let others: Vec<&str> = built.filter(|key| !required.contains(key)).collect();
    required.into_iter().chain(others).collect()
}

/// `domain` and `domains`: whoever writes one where the other stands means the other.
fn one_and_many(a: &str, b: &str) -> bool {
    a.strip_suffix('s') == Some(b) || b.strip_suffix('s') == Some(a)
}

fn where_it_stands(places: &BTreeSet<Path>, keys: &[&str], here: &[String]) -> String {
    let Some((last, above)) = here.split_last() else {
        return told(places, here);
    };
    if let Some(above) = above.last().filter(|_| places.contains(above)) {
        return format!("beside `{last}` under `{above}`");
    }
    let stands = told(places, here);
    if last == ANY_NAME || keys.len() > MOST_KEYS || places.iter().any(|place| same_section(place, here)) {
        return stands;
    }
    let stand = if keys.len() == 1 { "stands" } else { "stand" };
    format!("{stands}; under `{last}` {stand} {}", nearest::quoted(keys))
}

fn same_section(place: &[String], here: &[String]) -> bool {
    !here.is_empty() && place.first() == here.first()
}

/// The outermost places: of those in the section of `here`, if there are any, and else of each section, the policy's own
/// tests last.
fn told(places: &BTreeSet<Path>, here: &[String]) -> String {
    let near: Vec<&Path> = places.iter().filter(|place| same_section(place, here)).collect();
    let rules = places.iter().filter(|place| place.first().is_none_or(|section| section != "tests"));
    let rules: Vec<&Path> = rules.collect();
    let meant = match (near.is_empty(), rules.is_empty()) {
        (false, _) => near,
        (true, false) => rules,
        (true, true) => places.iter().collect(),
    };
    let outermost = |place: &&&Path| {
        let section = meant.iter().filter(|other| other.first() == place.first());
        section.map(|other| other.len()).min() == Some(place.len())
    };
    let mut places: Vec<&&Path> = meant.iter().filter(outermost).collect();
    places.sort_by_key(|place| place.len());
    let phrases: Vec<String> = places.into_iter().map(|place| phrase(place, here)).collect();
    match phrases.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn phrase(place: &[String], here: &[String]) -> String {
    match place {
        [] => "at the outermost level".to_owned(),
        [section, name] if name == ANY_NAME => format!("under a name in `{section}`"),
        [section, .., last] if !same_section(place, here) => format!("under `{last}` in `{section}`"),
        [.., last] => format!("under `{last}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_has_the_form_that_it_is_an_example_of() {
        let language = Language::new();
        for (path, example) in EXAMPLES {
            let node: At<Node> = serde_saphyr::from_str(example).unwrap();
            let (_, last) = path.rsplit_once('.').unwrap_or(("", path));
            let Node::Mapping(entries) = &node.value else { panic!("{example}") };
            assert_eq!(entries.len(), 1, "{example}");
            assert!(last == ANY_NAME || entries.iter().all(|(key, _)| key.value == last), "{example}");
            let mut schema = &language.schema;
            let above: Vec<&str> = path.split('.').collect();
            for name in &above[..above.len() - 1] {
                schema = below(&language, schema, name);
            }
            let mut found = Vec::new();
            language.walk(item(&language, schema), &node, &[], &mut found);
            let found: Vec<String> = found.into_iter().map(|mistake| mistake.message).collect();
            assert_eq!(found, [""; 0], "{path}: {example}");
        }
    }

    fn item<'a>(language: &'a Language, schema: &'a Value) -> &'a Value {
        language.forms(schema).into_iter().find_map(|form| form.get("items")).unwrap_or(schema)
    }

    fn below<'a>(language: &'a Language, schema: &'a Value, name: &str) -> &'a Value {
        let forms = language.forms(item(language, schema));
        forms.iter().find_map(|form| keys(form)?.get(name)).unwrap()
    }
}
