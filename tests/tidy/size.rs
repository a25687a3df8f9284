//! Rooms stay small, exceptions name their reason, samples and fixtures are used.

use crate::{files, read, root};

const MOST_LINES: usize = 420;

#[test]
fn no_file_is_larger_than_a_room() {
    for path in files(".rs") {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines: split it", path.display());
    }
}

#[test]
fn every_module_says_what_lives_there() {
    for path in files(".rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//! "),
            "{} does not start with a line that says what lives there",
            path.display()
        );
    }
}

#[test]
fn an_exception_to_a_lint_names_its_reason() {
    for path in files(".rs") {
        let text = std::fs::read_to_string(&path).unwrap();
        let silent = concat!("#[", "allow(");
        assert!(!text.contains(silent), "{}: write `expect` with a reason", path.display());
    }
}

#[test]
fn a_function_is_about_twenty_lines() {
    let mains: Vec<_> =
        files("main.rs").into_iter().filter(|path| path.starts_with(root().join("functions"))).collect();
    assert_eq!(mains.len(), 6);
    for path in mains {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 20, "{} has {lines} lines", path.display());
    }
}

#[test]
fn every_sample_is_used_by_a_test_and_described() {
    let (stories, described) = (read("tests/stories/samples.rs"), read("events/README.md"));
    let of_aws = files(".rs").into_iter().filter(|path| path.starts_with(root().join("tests/lambda")));
    let of_aws: String = of_aws.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let samples: Vec<_> =
        files(".json").into_iter().filter(|path| path.starts_with(root().join("events"))).collect();
    assert!(samples.len() >= 13);
    for sample in samples {
        let name = sample.file_name().unwrap().to_string_lossy().into_owned();
        let is_of_aws = sample.parent().unwrap().ends_with("aws");
        let used = if is_of_aws { &of_aws } else { &stories };
        assert!(used.contains(&name), "{name} is used by no test");
        let family = name.split('-').next().unwrap();
        let full = if is_of_aws { format!("aws/{name}") } else { name.clone() };
        let told = described.contains(&full) || described.contains(&format!("{family}-*.json"));
        assert!(told, "{name} is not described in events/README.md");
    }
}
