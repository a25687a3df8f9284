//! What was counted stands in `infra/aws/README.md`, between two marks. `UPDATE_TABLES=1` writes it anew.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// What hangs on how fast the machine is, because the lines of a log say how long something took, by its head: it may be one off.
const ABOUT: [&str; 2] = ["KB of logs", "$ a million"];
/// Two tests write into one page.
static PAGE: Mutex<()> = Mutex::new(());

#[track_caller]
pub(crate) fn expect_on_the_page(mark: &str, heads: &[&str], rows: &[String]) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/aws/README.md");
    let mut table = vec![format!("| {} |", heads.join(" | ")), format!("|{}", " --- |".repeat(heads.len()))];
    table.extend_from_slice(rows);
    let counted = table.join("\n");
    let _alone = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = std::fs::read_to_string(&page).unwrap();
    let (from, to) = (format!("<!-- begin: {mark} -->\n"), format!("\n<!-- end: {mark} -->"));
    let (head, rest) = text.split_once(&from).expect("the mark of the beginning");
    let (said, tail) = rest.split_once(&to).expect("the mark of the end");
    if is_alike(heads, said, &counted) {
        return;
    }
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(&page, format!("{head}{from}{counted}{to}{tail}")).unwrap();
    }
    panic!("what was counted is\n{counted}\nUPDATE_TABLES=1 writes it into the page");
}

fn is_alike(heads: &[&str], said: &str, counted: &str) -> bool {
    let cells = |text: &str| -> Vec<Vec<String>> {
        text.lines().map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
    };
    let (said, counted) = (cells(said), cells(counted));
    let same_cell = |(n, (one, other)): (usize, (&String, &String))| {
        // A row begins with a mark.
        let is_about = n.checked_sub(1).and_then(|n| heads.get(n)).is_some_and(|head| ABOUT.contains(head));
        let number = |cell: &String| cell.parse::<f64>().ok();
        let near = number(one).zip(number(other)).is_some_and(|(one, other)| (one - other).abs() <= 1.0);
        one == other || (is_about && near)
    };
    let same_row = |(one, other): (&Vec<String>, &Vec<String>)| {
        one.len() == other.len() && one.iter().zip(other).enumerate().all(same_cell)
    };
    said.len() == counted.len() && said.iter().zip(&counted).all(same_row)
}

#[test]
fn a_kilobyte_more_or_less_is_the_machine_and_anything_else_is_not() {
    let heads = ["event", "units read", "KB of logs"];
    let alike = |said: &str, counted: &str| is_alike(&heads, said, counted);
    let said = "| event | units read | KB of logs |\n| --- | --- | --- |\n| he changes | 11 | 3 |";
    let with = |read: &str, logged: &str| said.replace("11 | 3", &format!("{read} | {logged}"));
    assert!(alike(said, said) && alike(said, &with("11", "4")) && alike(said, &with("11", "2")));
    assert!(!alike(said, &with("11", "5")), "two KB");
    assert!(!alike(said, &with("12", "3")), "a unit");
    assert!(!alike(said, &with("11", "many")), "no number");
    assert!(!alike(said, &said.replace("he changes", "she changes")));
    assert!(!alike(said, &format!("{said}\n| another | 1 | 1 |")), "a row");
}
