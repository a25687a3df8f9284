//! `guestlist validate`: the same parse as at start-up, and the policy's own tests.

use std::collections::BTreeMap;

use host::{Environment, InvalidPolicy};
use policy::Problem;
use serde::Serialize;

use super::policy_path;
use crate::args::{Output, Validate};
use crate::exit::Exit;
use crate::out;

#[derive(Serialize)]
struct Report {
    valid: bool,
    problems: Vec<String>,
    hash: Option<String>,
    rules: Vec<Rule>,
    /// What the app that writes needs because of this policy.
    write_permissions: Vec<String>,
    /// Groups that are named where their id belongs, each with its place.
    names: Vec<String>,
}

#[derive(Serialize)]
struct Rule {
    id: String,
    severity: String,
    mode: String,
    then: Vec<String>,
    says: String,
}

pub(crate) fn run(environment: &Environment, validate: &Validate, output: Output) -> anyhow::Result<Exit> {
    let path = policy_path(environment, validate.policy.as_deref())?;
    let report = match host::load_policy(&path) {
        Ok(policy) => Report {
            valid: true,
            problems: Vec::new(),
            hash: Some(policy.hash().to_owned()),
            rules: policy.rules().into_iter().map(rule).collect(),
            write_permissions: policy.write_permissions().iter().map(ToString::to_string).collect(),
            names: policy.unsettled_names(&BTreeMap::new()).iter().map(name_alone).collect(),
        },
        Err(InvalidPolicy { problems }) => {
            let (rules, write_permissions, names) = (Vec::new(), Vec::new(), Vec::new());
            Report { valid: false, problems, hash: None, rules, write_permissions, names }
        }
    };
    out::show(output, &report, print)?;
    Ok(if report.valid { Exit::Well } else { Exit::NotWell })
}

fn name_alone(problem: &Problem) -> String {
    let Problem { file, line, column, .. } = problem;
    format!(
        "{file}:{line}:{column}: a group is named where its id belongs, and names are not unique: `guestlist resolve --write` \
         writes the id beside it"
    )
}

fn rule(rule: policy::RuleSummary) -> Rule {
    Rule {
        id: rule.id.to_string(),
        severity: rule.severity.to_string(),
        mode: rule.mode.to_string(),
        then: rule.actions.iter().map(ToString::to_string).collect(),
        says: rule.description,
    }
}

fn print(report: &Report) -> anyhow::Result<()> {
    for problem in &report.problems {
        out::line(problem)?;
    }
    let Some(hash) = &report.hash else { return Ok(()) };
    let rows: Vec<Vec<String>> = report
        .rules
        .iter()
        .map(|rule| {
            vec![
                rule.id.clone(),
                rule.severity.clone(),
                rule.mode.clone(),
                rule.then.join(", "),
                rule.says.clone(),
            ]
        })
        .collect();
    out::table(&["RULE", "SEVERITY", "MODE", "THEN", "SAYS"], &rows)?;
    for name in &report.names {
        out::message(&format!("warning: {name}"));
    }
    let permissions = if report.write_permissions.is_empty() {
        "nothing: no rule writes".to_owned()
    } else {
        report.write_permissions.join(", ")
    };
    out::message(&format!("the policy `{hash}` is valid; the app that writes needs {permissions}"));
    Ok(())
}
