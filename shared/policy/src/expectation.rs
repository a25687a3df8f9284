//! The policy's own `tests`: made-up guests, and what must be found about each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use model::{Action, Finding, Mode, RuleId};

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
    /// observed can be tested for the day when it is enforced. A finding that is only told (a secondary address,
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
        let found: BTreeMap<&RuleId, &Finding> =
            verdict.findings.iter().map(|finding| (&finding.rule, finding)).collect();
        let mut differences = Vec::new();
        for (rule, actions) in &test.expect {
            match found.get(rule) {
                None => differences.push(format!("`{rule}` finds nothing, expected {}", words(actions))),
                Some(finding) if would_do(finding) != *actions => differences.push(format!(
                    "`{rule}` finds {}, expected {} ({})",
                    words(&would_do(finding)),
                    words(actions),
                    finding.reasons.join("; ")
                )),
                Some(_) => {}
            }
        }
        for (rule, finding) in found {
            if !test.expect.contains_key(rule) {
                differences.push(format!(
                    "`{rule}` finds {}, expected nothing ({})",
                    words(&would_do(finding)),
                    finding.reasons.join("; ")
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

fn would_do(finding: &Finding) -> BTreeSet<Action> {
    if finding.unknown || finding.refused.is_some() {
        return BTreeSet::new();
    }
    finding.actions.iter().copied().collect()
}

fn words(actions: &BTreeSet<Action>) -> String {
    let words: Vec<&str> = actions.iter().map(|action| action.word()).collect();
    format!("[{}]", words.join(", "))
}
