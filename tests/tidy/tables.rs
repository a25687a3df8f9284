//! The tables in the README are what the code declares. `UPDATE_TABLES=1` writes them anew.

use model::Action;

use crate::{read, root};

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

fn table(headings: &[&str], rows: Vec<Vec<String>>) -> String {
    let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let rule: Vec<String> = headings.iter().map(|_| "---".to_owned()).collect();
    let lines: Vec<String> = [headings, rule].iter().chain(rows.iter()).map(|cells| row(cells)).collect();
    lines.join("\n")
}

fn permissions(permissions: &[model::Permission]) -> String {
    let named: Vec<String> = permissions.iter().map(|one| format!("`{one}`")).collect();
    if named.is_empty() { "-".to_owned() } else { named.join(", ") }
}

fn actions() -> String {
    let rows = Action::ALL.into_iter().map(|action| {
        vec![
            format!("`{}`", action.word()),
            action.summary().to_owned(),
            permissions(action.permissions()),
            action.undo().to_owned(),
            action.cannot().to_owned(),
        ]
    });
    let headings = ["action", "does", "permissions of the app that writes", "undo", "cannot act on"];
    table(&headings, rows.collect())
}

fn conditions() -> String {
    let rows = policy::conditions().into_iter().map(|condition| {
        vec![
            format!("`{}`", condition.key),
            condition.summary.to_owned(),
            format!("`{}`", condition.example),
            permissions(condition.permissions),
        ]
    });
    table(&["condition", "holds when", "example", "permissions of the app that reads"], rows.collect())
}

/// As the story that counts them says it.
fn costs() -> String {
    let story = read("tests/stories/costs.rs");
    story
        .lines()
        .filter_map(|line| line.strip_prefix("/// |"))
        .map(|line| format!("|{line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_tables_in_the_readme_are_what_the_code_declares() {
    let before = read("README.md");
    let mut after = before.clone();
    for (name, table) in [("actions", actions()), ("conditions", conditions()), ("costs", costs())] {
        let (begin, end) = (format!("<!-- begin: {name} -->\n"), format!("\n<!-- end: {name} -->"));
        let from = after.find(&begin).unwrap_or_else(|| panic!("README.md has no `{begin}`")) + begin.len();
        let to = from + after[from..].find(&end).unwrap_or_else(|| panic!("README.md has no `{end}`"));
        after.replace_range(from..to, &table);
    }
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(root().join("README.md"), &after).unwrap();
    }
    let mend =
        "the tables in README.md are out of date: UPDATE_TABLES=1 cargo test -p guestlist-tests --test tidy";
    assert!(before == after, "{mend}");
}
