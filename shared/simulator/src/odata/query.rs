//! Query options: read strictly against what a call allows. Unknown, repeated and malformed options are refused, as
//! are advanced queries without `ConsistencyLevel: eventual` (Microsoft Learn, "Advanced query capabilities").
use super::{Filter, Selection, Type};
use crate::graph::refusal::Refusal;

#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(raw: &str, allowed: &[&str]) -> Result<Self, Refusal> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(raw.as_bytes()) {
            let known = allowed.iter().find(|known| canonical(known, &name));
            let Some(known) = known else {
                return Err(Refusal::bad_request(format!(
                    "The query parameter '{name}' is not supported for this request."
                )));
            };
            if pairs.iter().any(|(seen, _)| seen == known) {
                let message = format!("Query option '{known}' was specified more than once.");
                return Err(Refusal::bad_request(message));
            }
            pairs.push(((*known).to_owned(), value.into_owned()));
        }
        Ok(Self { pairs })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `$top`, within what directory collections allow.
    pub(crate) fn top(&self, largest: usize) -> Result<Option<usize>, Refusal> {
        let Some(text) = self.get("$top") else { return Ok(None) };
        let top = text.parse::<usize>().ok().filter(|top| (1..=largest).contains(top));
        let message =
            format!("Invalid page size specified: '{text}'. Must be between 1 and {largest} inclusive.");
        top.map(Some).ok_or_else(|| Refusal::unsupported_query(message))
    }

    pub(crate) fn count(&self) -> Result<bool, Refusal> {
        match self.get("$count") {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => {
                let message = format!("Invalid value '{other}' for $count query option found.");
                Err(Refusal::bad_request(message))
            }
        }
    }

    pub(crate) fn selection(&self, of: Type) -> Result<Selection, Refusal> {
        Selection::parse(of, self.get("$select"), self.get("$expand"))
    }

    /// `$filter` of a directory collection, with the rules for advanced queries.
    pub(crate) fn filter(&self, of: Type, eventual: bool) -> Result<Option<Filter>, Refusal> {
        if self.get("$search").is_some() {
            let message = "The simulator does not search: use $filter with startswith.";
            return Err(Refusal::unsupported_query(message));
        }
        let counts = self.count()?;
        let advanced = |why: &str| {
            Refusal::unsupported_query(format!(
                "{why} needs the header 'ConsistencyLevel: eventual' and $count=true."
            ))
        };
        if counts && !eventual {
            return Err(advanced("$count"));
        }
        let Some(text) = self.get("$filter") else { return Ok(None) };
        let filter = Filter::parse(text, of)?;
        if filter.is_advanced() && !(eventual && counts) {
            return Err(advanced("This $filter"));
        }
        if self.get("$orderby").is_some() && !(eventual && counts) {
            return Err(advanced("$orderby with $filter"));
        }
        Ok(Some(filter))
    }

    /// `$orderby`: the property and whether it descends.
    pub(crate) fn order(&self, of: Type) -> Result<Option<(String, bool)>, Refusal> {
        let Some(text) = self.get("$orderby") else { return Ok(None) };
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let descending = match (words.next(), words.next()) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => return Err(Refusal::bad_request(format!("Syntax error in $orderby '{text}'."))),
        };
        if of.property(name).is_none() {
            return Err(no_property(of, name));
        }
        let sortable = ["displayName", "userPrincipalName", "createdDateTime", "activityDateTime"];
        match sortable.contains(&name) {
            true => Ok(Some((name.to_owned(), descending))),
            false => {
                let message =
                    format!("Sorting by '{name}' is not supported. Use one of: {}.", sortable.join(", "));
                Err(Refusal::unsupported_query(message))
            }
        }
    }
}

pub(crate) fn no_property(of: Type, name: &str) -> Refusal {
    Refusal::bad_request(format!(
        "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type '{}'.",
        of.name()
    ))
}

/// Only the delta and skip tokens are written in two cases in Microsoft's own pages.
fn canonical(known: &str, name: &str) -> bool {
    let relaxed = ["$skiptoken", "$deltatoken", "$orderby"].contains(&known);
    known == name || (relaxed && known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[&str] = &["$select", "$filter", "$top", "$count", "$orderby"];

    #[test]
    fn unknown_and_repeated_options_are_refused() {
        for raw in ["$select=id&$select=mail", "select=id", "$Select=id", "$skip=2", "x=1"] {
            assert_eq!(Query::parse(raw, LIST).unwrap_err().status, 400, "{raw}");
        }
        assert_eq!(Query::parse("%24select=id,mail", LIST).unwrap().get("$select"), Some("id,mail"));
    }

    #[test]
    fn a_page_size_outside_its_range_is_refused() {
        for (raw, good) in [("$top=1", true), ("$top=999", true), ("$top=0", false), ("$top=1000", false)] {
            assert_eq!(Query::parse(raw, LIST).unwrap().top(999).is_ok(), good, "{raw}");
        }
    }

    #[test]
    fn an_advanced_query_needs_its_header_and_count() {
        let check = |raw: &str, eventual: bool| {
            Query::parse(raw, LIST).unwrap().filter(Type::User, eventual).map(|_| ()).is_ok()
        };
        assert!(check("$filter=userType eq 'Guest'", false));
        assert!(!check("$filter=userType ne 'Guest'", false));
        assert!(!check("$filter=userType ne 'Guest'", true));
        assert!(check("$filter=userType ne 'Guest'&$count=true", true));
        assert!(!check("$count=true", false));
    }
}
