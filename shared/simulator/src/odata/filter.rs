//! `$filter`: an expression checked against what the reference documents as filterable, and whether a document meets
//! it. Directory strings are compared without regard to case.
use serde_json::{Map, Value};

use super::filter_parse;
use super::{Form, Type};
use crate::dates;
use crate::graph::refusal::Refusal;

#[derive(Clone, Debug)]
pub(crate) struct Filter {
    expression: Expression,
}

#[derive(Clone, Debug)]
pub(super) enum Expression {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Compare { path: Vec<String>, operator: Operator, value: Literal },
    In { path: Vec<String>, values: Vec<Literal> },
    Any { collection: Vec<String>, variable: String, body: Box<Self> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    StartsWith,
    EndsWith,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Flag(bool),
    Null,
    /// A number, a GUID or a date: written without quotes.
    Bare(String),
}

/// A directory accepts at most this many alternatives in one filter.
const MOST_ALTERNATIVES: usize = 15;

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Self::Equal => "eq",
            Self::NotEqual => "ne",
            Self::AtLeast => "ge",
            Self::AtMost => "le",
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
        }
    }
}

impl Filter {
    pub(crate) fn parse(text: &str, of: Type) -> Result<Self, Refusal> {
        let expression = filter_parse::parse(text)?;
        expression.check(of, None)?;
        let alternatives = expression.alternatives();
        if alternatives > MOST_ALTERNATIVES {
            return Err(Refusal::unsupported_query(format!(
                "Too many child clauses specified in search filter expression containing 'OR' operators: \
                 {alternatives}. Max allowed: {MOST_ALTERNATIVES}."
            )));
        }
        Ok(Self { expression })
    }

    pub(crate) fn is_advanced(&self) -> bool {
        self.expression.is_advanced()
    }

    pub(crate) fn matches(&self, document: &Map<String, Value>) -> bool {
        self.expression.matches(document, None)
    }

    /// The ids of a filter that says nothing but which ids are wanted, as delta queries take it.
    pub(crate) fn ids(text: &str) -> Result<Vec<String>, Refusal> {
        let mut ids = Vec::new();
        let expression = filter_parse::parse(text)?;
        match expression.collect_ids(&mut ids) {
            true => Ok(ids),
            false => Err(Refusal::unsupported_query("Delta queries support $filter on 'id' only.")),
        }
    }
}

impl Expression {
    /// `bound` is the variable of the enclosing `any` with the collection that it ranges over.
    fn check(&self, of: Type, bound: Option<(&str, &str)>) -> Result<(), Refusal> {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.check(of, bound)?;
                right.check(of, bound)
            }
            Self::Not(inner) => inner.check(of, bound),
            Self::In { path, values } => {
                check_path(of, path, "in", bound)?;
                values.iter().try_for_each(|value| check_literal(of, path, value))
            }
            Self::Compare { path, operator, value } => {
                check_path(of, path, operator.name(), bound)?;
                check_literal(of, path, value)
            }
            Self::Any { collection, variable, body } => {
                check_path(of, collection, "eq", bound)?;
                body.check(of, Some((variable, &collection.join("/"))))
            }
        }
    }

    fn alternatives(&self) -> usize {
        match self {
            Self::Or(left, right) => left.alternatives() + right.alternatives(),
            Self::And(left, right) => left.alternatives().max(right.alternatives()),
            Self::Not(inner) => inner.alternatives(),
            Self::In { values, .. } => values.len(),
            Self::Compare { .. } | Self::Any { .. } => 1,
        }
    }

    fn is_advanced(&self) -> bool {
        match self {
            Self::And(left, right) | Self::Or(left, right) => left.is_advanced() || right.is_advanced(),
            Self::Not(_) => true,
            Self::Compare { operator, .. } => matches!(operator, Operator::NotEqual | Operator::EndsWith),
            Self::In { .. } => false,
            Self::Any { body, .. } => body.is_advanced(),
        }
    }

    fn matches(&self, document: &Map<String, Value>, bound: Option<(&str, &Value)>) -> bool {
        match self {
            Self::And(left, right) => left.matches(document, bound) && right.matches(document, bound),
            Self::Or(left, right) => left.matches(document, bound) || right.matches(document, bound),
            Self::Not(inner) => !inner.matches(document, bound),
            Self::Compare { path, operator, value } => {
                compare(&find(document, bound, path), *operator, value)
            }
            Self::In { path, values } => {
                let found = find(document, bound, path);
                values.iter().any(|value| compare(&found, Operator::Equal, value))
            }
            Self::Any { collection, variable, body } => match find(document, bound, collection) {
                Value::Array(items) => {
                    items.iter().any(|item| body.matches(document, Some((variable, item))))
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                    false
                }
            },
        }
    }

    fn collect_ids(&self, ids: &mut Vec<String>) -> bool {
        match self {
            Self::Or(left, right) => left.collect_ids(ids) && right.collect_ids(ids),
            Self::Compare { path, operator: Operator::Equal, value: Literal::Text(id) }
                if path.join("/") == "id" =>
            {
                ids.push(id.clone());
                true
            }
            Self::And(..) | Self::Not(_) | Self::Compare { .. } | Self::In { .. } | Self::Any { .. } => false,
        }
    }
}

fn check_path(of: Type, path: &[String], operator: &str, bound: Option<(&str, &str)>) -> Result<(), Refusal> {
    let Some((first, inner)) = path.split_first() else {
        return Err(Refusal::bad_request("Invalid filter clause."));
    };
    if let Some((variable, collection)) = bound
        && variable == first
    {
        return check_inner(collection, inner);
    }
    let Some(property) = of.property(first) else { return Err(no_property(of.name(), first)) };
    check_inner(first, inner)?;
    // The audit documents filters on what lies inside `initiatedBy` without saying so at the property.
    let audited = of == Type::Audit && first == "initiatedBy";
    if property.supports(operator) || audited {
        return Ok(());
    }
    let message =
        format!("Unsupported or invalid query filter clause specified for property '{first}': {operator}.");
    Err(Refusal::unsupported_query(message))
}

/// What lies inside the structured properties that can be filtered; texts have nothing inside.
fn check_inner(property: &str, inner: &[String]) -> Result<(), Refusal> {
    let inner: Vec<&str> = inner.iter().map(String::as_str).collect();
    let known = match (property, inner.as_slice()) {
        ("identities", [name]) => ["signInType", "issuer", "issuerAssignedId"].contains(name),
        ("targetResources", [name]) => ["id", "displayName", "type", "userPrincipalName"].contains(name),
        ("initiatedBy", ["user", name]) => ["id", "displayName", "userPrincipalName"].contains(name),
        ("initiatedBy", ["app", name]) => ["appId", "displayName", "servicePrincipalId"].contains(name),
        (_, inner) => inner.is_empty(),
    };
    match known {
        true => Ok(()),
        false => Err(no_property(property, &inner.join("/"))),
    }
}

fn no_property(of: &str, name: &str) -> Refusal {
    let message = format!("Invalid filter clause: Could not find a property named '{name}' on type '{of}'.");
    Refusal::bad_request(message)
}

fn check_literal(of: Type, path: &[String], value: &Literal) -> Result<(), Refusal> {
    let [name] = path else { return Ok(()) };
    let fits = match (of.property(name).map(|property| property.form), value) {
        (None, _) | (Some(_), Literal::Null) => true,
        (Some(Form::Flag), Literal::Flag(_)) => true,
        (Some(Form::Text | Form::Texts), Literal::Text(_)) => true,
        (Some(Form::Date), Literal::Bare(text)) => dates::parse(text).is_some(),
        (Some(Form::Number), Literal::Bare(text)) => text.parse::<i64>().is_ok(),
        (Some(_), _) => false,
    };
    match fits {
        true => Ok(()),
        false => Err(Refusal::bad_request(format!(
            "Invalid filter clause: the value for '{name}' has the wrong type (texts need single quotes)."
        ))),
    }
}

fn find(document: &Map<String, Value>, bound: Option<(&str, &Value)>, path: &[String]) -> Value {
    let Some((first, rest)) = path.split_first() else { return Value::Null };
    let start = match bound {
        Some((variable, item)) if variable == first => Some(item),
        Some(_) | None => document.get(first),
    };
    let found = start.and_then(|start| rest.iter().try_fold(start, |value, name| value.get(name)));
    found.cloned().unwrap_or(Value::Null)
}

fn compare(found: &Value, operator: Operator, wanted: &Literal) -> bool {
    if let Value::Array(items) = found {
        return items.iter().any(|item| compare(item, operator, wanted));
    }
    match operator {
        Operator::Equal => equal(found, wanted),
        Operator::NotEqual => !equal(found, wanted),
        Operator::AtLeast => order(found, wanted).is_some_and(std::cmp::Ordering::is_ge),
        Operator::AtMost => order(found, wanted).is_some_and(std::cmp::Ordering::is_le),
        Operator::StartsWith => texts(found, wanted).is_some_and(|(have, want)| have.starts_with(&want)),
        Operator::EndsWith => texts(found, wanted).is_some_and(|(have, want)| have.ends_with(&want)),
    }
}

fn equal(found: &Value, wanted: &Literal) -> bool {
    match wanted {
        Literal::Null => found.is_null(),
        Literal::Flag(flag) => found.as_bool() == Some(*flag),
        Literal::Text(_) | Literal::Bare(_) => order(found, wanted) == Some(std::cmp::Ordering::Equal),
    }
}

fn order(found: &Value, wanted: &Literal) -> Option<std::cmp::Ordering> {
    let (have, want) = texts(found, wanted)?;
    match (wanted, dates::parse(&have.to_uppercase()), dates::parse(&want.to_uppercase())) {
        (Literal::Bare(_), Some(have), Some(want)) => Some(have.cmp(&want)),
        _ => Some(have.cmp(&want)),
    }
}

fn texts(found: &Value, wanted: &Literal) -> Option<(String, String)> {
    let have = match found {
        Value::String(text) => text.to_lowercase(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    match wanted {
        Literal::Text(text) | Literal::Bare(text) => Some((have, text.to_lowercase())),
        Literal::Flag(_) | Literal::Null => None,
    }
}
