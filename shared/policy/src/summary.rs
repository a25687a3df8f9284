//! The rules of a policy in words, for `validate`, `check` and the documents.

use model::{Action, Mode, RuleId, Severity};

use crate::conditions::{Condition, JoinsCondition};
use crate::policy::{Head, Otherwise, Policy, Scenario};

/// A rule that makes findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSummary {
    pub id: RuleId,
    pub severity: Severity,
    /// The lower of the rule's and the file's. The operator's ceiling may lower it further.
    pub mode: Mode,
    pub actions: Vec<Action>,
    pub why: Option<String>,
    /// One line.
    pub description: String,
}

/// A scenario: it admits, and makes no finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioSummary {
    pub id: RuleId,
    pub owner: Option<String>,
    /// One line.
    pub description: String,
}

impl Policy {
    /// Guardrails in the order of the file, then `otherwise.guest` and `otherwise.membership`.
    #[must_use]
    pub fn rules(&self) -> Vec<RuleSummary> {
        let guardrails = self.guardrails.iter().map(|guardrail| {
            let mut conditions: Vec<String> =
                guardrail.conditions.iter().filter_map(Condition::describe).collect();
            conditions.extend(guardrail.joins.as_ref().map(JoinsCondition::describe));
            self.summary(&guardrail.head, &format!("if {}", conditions.join(" and ")))
        });
        let otherwise = self.otherwise.as_ref().map(|otherwise| {
            let condition = format!("if no scenario admits the {}", kinds(otherwise));
            self.summary(&otherwise.head, &condition)
        });
        let membership = self.otherwise_membership.as_ref().map(|otherwise| {
            let condition = format!("if no scenario that admits the {} covers the group", kinds(otherwise));
            self.summary(&otherwise.head, &condition)
        });
        guardrails.chain(otherwise).chain(membership).collect()
    }

    /// In the order of the file, which is the order in which they are asked.
    #[must_use]
    pub fn scenarios(&self) -> Vec<ScenarioSummary> {
        self.scenarios.iter().map(|scenario| self.admission(scenario)).collect()
    }

    fn summary(&self, head: &Head, condition: &str) -> RuleSummary {
        let actions: Vec<&str> = head.actions.iter().map(|action| action.word()).collect();
        RuleSummary {
            id: head.id.clone(),
            severity: head.severity,
            mode: head.mode.unwrap_or(self.mode).min(self.mode),
            actions: head.actions.clone(),
            why: head.why.clone(),
            description: format!("{condition}: {}", actions.join(", ")),
        }
    }

    fn admission(&self, scenario: &Scenario) -> ScenarioSummary {
        let kinds: Vec<String> = scenario.kinds.iter().map(ToString::to_string).collect();
        let mut description = format!("admits {}", kinds.join(" or "));
        if let Some(partners) = &scenario.partners {
            let names = partners.iter().filter_map(|index| self.partners.all.get(*index));
            let names: Vec<String> = names
                .map(|partner| match partner.until {
                    Some(until) => format!("`{}` (until {until})", partner.name),
                    None => format!("`{}`", partner.name),
                })
                .collect();
            description.push_str(&format!(" of partner {}", names.join(" or ")));
        }
        if let Some(groups) = &scenario.joins {
            description.push_str(&format!(" to the group {}", groups.told()));
        }
        if let Some(inviters) = &scenario.inviters {
            description.push_str(&format!(", invited by somebody who {}", inviters.describe()));
        }
        if let Some(sponsors) = scenario.sponsors {
            let plural = if sponsors == 1 { "" } else { "s" };
            description.push_str(&format!(", with at least {sponsors} sponsor{plural}"));
        }
        if let Some(stay) = scenario.stay {
            description.push_str(&format!(", for {stay} after the account was created"));
        }
        if let Some(until) = scenario.until {
            description.push_str(&format!(", until {until}"));
        }
        ScenarioSummary { id: scenario.id.clone(), owner: scenario.owner.clone(), description }
    }
}

fn kinds(otherwise: &Otherwise) -> String {
    let kinds: Vec<String> = otherwise.kinds.iter().map(ToString::to_string).collect();
    kinds.join(" or ")
}
