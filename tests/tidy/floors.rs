//! Imports go down only, and crates of floor 1 never import each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::{files, read, root};

/// Which of our crates each may import. To add one is to change the architecture: say so in ARCHITECTURE.md.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Floor 0.
    ("guestlist-model", &[]),
    ("guestlist-policy", &["model"]),
    ("guestlist-seal", &["model"]),
    ("guestlist-wire", &[]),
    ("guestlist-embedded", &[]),
    // Floor 1.
    ("guestlist-graph", &["model", "wire"]),
    ("guestlist-alert", &["model", "seal", "wire"]),
    ("guestlist-queue", &["embedded"]),
    ("guestlist-ledger", &["embedded", "model"]),
    // Floor 2.
    ("guestlist-responder", &["alert", "graph", "ledger", "model", "policy", "queue", "seal", "wire"]),
    // Floor 3.
    (
        "guestlist-host",
        &["alert", "embedded", "graph", "ledger", "model", "policy", "queue", "responder", "seal", "wire"],
    ),
    // Floor 4.
    ("guestlist-function-notifications", &["host"]),
    ("guestlist-function-assess", &["host"]),
    ("guestlist-function-remediate", &["host"]),
    ("guestlist-function-alert", &["host"]),
    ("guestlist-function-steward", &["host"]),
    (
        "guestlist",
        &["alert", "graph", "host", "ledger", "model", "policy", "queue", "responder", "simulator", "wire"],
    ),
    // Beside the floors: one error cannot hide on both sides.
    ("guestlist-simulator", &[]),
];

/// These may look at everything.
const EVERYTHING: [&str; 2] = ["guestlist-tests", "guestlist-proof"];

/// What the pure crates must never see.
const IMPURE: [&str; 8] = ["axum", "http", "hyper", "reqwest", "rusqlite", "tokio", "tracing", "getrandom"];

struct Manifest {
    name: String,
    dependencies: BTreeSet<String>,
}

fn manifests() -> Vec<Manifest> {
    let found = files("Cargo.toml").into_iter().map(|path| manifest(&std::fs::read_to_string(path).unwrap()));
    found.collect()
}

/// The manifests of this workspace are plain: one dependency a line.
fn manifest(text: &str) -> Manifest {
    let (mut name, mut dependencies, mut section) = (String::new(), BTreeSet::new(), "");
    for line in text.lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
        } else if let Some((key, value)) = line.split_once('=') {
            let key = key.trim();
            if section == "package" && key == "name" {
                name = value.trim().trim_matches('"').to_owned();
            }
            if section == "dependencies" {
                dependencies.insert(key.split('.').next().unwrap().to_owned());
            }
        }
    }
    Manifest { name, dependencies }
}

/// Our own crates, by the names under which the code imports them.
fn ours() -> BTreeSet<String> {
    let root_manifest = read("Cargo.toml");
    let local = root_manifest.lines().filter(|line| line.contains("path = \"shared/"));
    local.map(|line| line.split_once('=').unwrap().0.trim().to_owned()).collect()
}

#[test]
fn every_crate_imports_what_the_table_allows_and_nothing_else_of_ours() {
    let allowed: BTreeMap<&str, BTreeSet<String>> = MAY_IMPORT
        .iter()
        .map(|(name, crates)| (*name, crates.iter().map(|one| (*one).to_owned()).collect()))
        .collect();
    let ours = ours();
    assert!(ours.contains("model") && ours.contains("simulator"), "{ours:?}");
    let mut seen = BTreeSet::new();
    for manifest in manifests() {
        seen.insert(manifest.name.clone());
        if EVERYTHING.contains(&manifest.name.as_str()) {
            continue;
        }
        let allowed = allowed.get(manifest.name.as_str());
        let allowed = allowed.unwrap_or_else(|| panic!("`{}` is not in the table of floors", manifest.name));
        let imports: BTreeSet<String> = manifest.dependencies.intersection(&ours).cloned().collect();
        assert_eq!(&imports, allowed, "the imports of `{}`", manifest.name);
    }
    for (name, _) in MAY_IMPORT {
        assert!(seen.contains(*name), "`{name}` is in the table and not in the workspace");
    }
}

#[test]
fn the_pure_crates_know_no_io() {
    for manifest in manifests() {
        if ["guestlist-model", "guestlist-policy", "guestlist-seal"].contains(&manifest.name.as_str()) {
            for impure in IMPURE {
                assert!(!manifest.dependencies.contains(impure), "`{}` imports `{impure}`", manifest.name);
            }
        }
    }
}

#[test]
fn the_flows_know_no_environment_no_real_clock_and_no_vendor() {
    for path in files(".rs") {
        let relative = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let product = relative.starts_with("shared/") && !relative.contains("/tests/");
        if !product || relative.starts_with("shared/host/") || relative.starts_with("shared/simulator/") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for forbidden in ["env::var", "Timestamp::now", "SystemTime::now"] {
            assert!(!text.contains(forbidden), "{relative} uses {forbidden}: only `host` may");
        }
    }
}
