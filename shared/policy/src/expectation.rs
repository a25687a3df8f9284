//! The policy's own `tests`: made-up guests, and what must be found about each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use model::{Action, Finding, Mode, RuleId, Step};

use crate::facts::Facts;
use crate::judge::judge;
use crate::policy::Policy;

#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) line: u64,
    pub(crate) column: u64,
    pub(crate) facts: Facts,
    pub(crate) now: Timestamp,
    pub(crate) expect: BTreeMap<RuleId, BTreeSet<Action>>,
}

/// A test of the policy that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFailure {
    pub file: String,
    pub line: u64,
    pub column: u64,
    pub name: String,
    /// What is missing or too much, with the reasons of what was found.
    pub differences: Vec<String>,
}

impl fmt::Display for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, name, differences } = self;
        write!(f, "{file}:{line}:{column}: test `{name}` does not hold: {}", differences.join("; "))
    }
}

impl Policy {
    /// Runs the file's `tests`. A test compares what each finding would do, whatever the modes: a policy that is still
    /// observed can be tested for the day when it is enforced. What a rule finds in several groups counts together. A finding that is only told (a secondary address,
    /// something unknown, a protected account) is expected with `[]`.
    #[must_use]
    pub fn run_tests(&self) -> Vec<TestFailure> {
        self.tests.iter().filter_map(|test| self.run(test)).collect()
    }

    /// How many `tests` the file has.
    #[must_use]
    pub fn test_count(&self) -> usize {
        self.tests.len()
    }

    fn run(&self, test: &Test) -> Option<TestFailure> {
        let verdict = judge(self, &test.facts, Mode::Enforce, test.now);
        let mut found = BTreeMap::<&RuleId, Found<'_>>::new();
        for finding in &verdict.findings {
            let Found { actions, reasons } = found.entry(&finding.rule).or_default();
            actions.extend(would_do(finding));
            reasons.extend(finding.reasons.iter().map(String::as_str));
        }
        let mut differences = Vec::new();
        for (rule, actions) in &test.expect {
            match found.get(rule) {
                None => differences.push(format!("`{rule}` finds nothing, expected {}", words(actions))),
                Some(found) if found.actions != *actions => differences.push(format!(
                    "`{rule}` finds {}, expected {} ({})",
                    words(&found.actions),
                    words(actions),
                    found.reasons.join("; ")
                )),
                Some(_) => {}
            }
        }
        for (rule, found) in found {
            if !test.expect.contains_key(rule) {
                differences.push(format!(
                    "`{rule}` finds {}, expected nothing ({})",
                    words(&found.actions),
                    found.reasons.join("; ")
                ));
            }
        }
        (!differences.is_empty()).then(|| TestFailure {
            file: self.name.clone(),
            line: test.line,
            column: test.column,
            name: test.name.clone(),
            differences,
        })
    }
}

/// What one rule finds, in all groups together.
#[derive(Default)]
struct Found<'a> {
    actions: BTreeSet<Action>,
    reasons: Vec<&'a str>,
}

/// An action that is about this group does something only where the plan has a step of it.
fn would_do(finding: &Finding) -> BTreeSet<Action> {
    if finding.unknown || finding.refused.is_some() {
        return BTreeSet::new();
    }
    let removes = |fits: fn(&Step) -> bool| {
        finding.plan.steps.iter().any(|step| fits(step) && step.group() == finding.object)
    };
    let does = |action: &Action| match action {
        Action::LeaveGroup => removes(|step| matches!(step, Step::RemoveMember { .. })),
        Action::DropOwnership => removes(|step| matches!(step, Step::RemoveOwner { .. })),
        Action::Disable | Action::LeaveGroups | Action::Delete | Action::Notify => true,
    };
    finding.actions.iter().copied().filter(does).collect()
}

fn words(actions: &BTreeSet<Action>) -> String {
    let words: Vec<&str> = actions.iter().map(|action| action.word()).collect();
    format!("[{}]", words.join(", "))
}
