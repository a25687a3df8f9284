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
    ("guestlist-trace", &[]),
    ("guestlist-embedded", &[]),
    ("guestlist-dynamo", &[]),
    // Floor 1.
    ("guestlist-graph", &["model", "trace", "wire"]),
    ("guestlist-alert", &["model", "seal", "trace", "wire"]),
    ("guestlist-queue", &["dynamo", "embedded", "trace"]),
    ("guestlist-ledger", &["dynamo", "embedded", "model"]),
    // Floor 2.
    (
        "guestlist-responder",
        &["alert", "graph", "ledger", "model", "policy", "queue", "seal", "trace", "wire"],
    ),
    // Floor 3.
    (
        "guestlist-host",
        &[
            "alert",
            "dynamo",
            "embedded",
            "graph",
            "ledger",
            "model",
            "policy",
            "queue",
            "responder",
            "seal",
            "trace",
            "wire",
        ],
    ),
    // Floor 4.
    ("guestlist-function-notifications", &["host"]),
    ("guestlist-function-assess", &["host"]),
    ("guestlist-function-remediate", &["host"]),
    ("guestlist-function-alert", &["host"]),
    ("guestlist-function-steward", &["host"]),
    ("guestlist-function-approvals", &["host"]),
    (
        "guestlist",
        &["alert", "graph", "host", "ledger", "model", "policy", "queue", "responder", "simulator", "wire"],
    ),
    // Beside the floors: one error cannot hide on both sides.
    ("guestlist-simulator", &[]),
    ("guestlist-emulator", &[]),
    // The functions' own sources and the command's, as binaries.
    (
        "guestlist-lambda-tests",
        &["alert", "graph", "host", "ledger", "model", "policy", "queue", "responder", "simulator", "wire"],
    ),
    ("guestlist-tests-deploy", &["host"]),
    // Beside ours, and nothing of it.
    ("guestlist-proof-empty", &[]),
    ("guestlist-proof-minimal", &[]),
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
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        manifest(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    };
    files("Cargo.toml").into_iter().map(read).collect()
}

/// What a section of a manifest is about.
#[derive(Clone, PartialEq)]
enum Section {
    Package,
    Dependencies,
    /// A section of its own for one dependency.
    Dependency,
    /// Nothing that the product is built from.
    Other,
}

/// `[target.….dependencies]` builds the product on some machine. Only what tests alone need is left out.
fn section(header: &str, dependencies: &mut BTreeSet<String>) -> Result<Section, String> {
    let unknown = || format!("the section `{header}` is not understood");
    let name = header.strip_prefix("[[").and_then(|name| name.strip_suffix("]]"));
    if let Some(name) = name {
        let known = ["bin", "test", "bench", "example"].contains(&name);
        return if known { Ok(Section::Other) } else { Err(unknown()) };
    }
    let name = header.strip_prefix('[').and_then(|name| name.strip_suffix(']')).ok_or_else(unknown)?;
    match name {
        "package" => return Ok(Section::Package),
        "lib" | "lints" | "lints.rust" | "lints.clippy" | "features" | "dev-dependencies" => {
            return Ok(Section::Other);
        }
        _ => {}
    }
    // The middle of `target.'cfg(…)'.dependencies` may hold anything but this.
    let table = match name.strip_prefix("target.") {
        Some(rest) => rest.rsplit_once("dependencies").map(|(_, one)| one),
        None => name.strip_prefix("build-dependencies").or_else(|| name.strip_prefix("dependencies")),
    };
    match table.ok_or_else(unknown)? {
        "" => Ok(Section::Dependencies),
        one => {
            let one = one.strip_prefix('.').filter(|one| !one.contains('.')).ok_or_else(unknown)?;
            dependencies.insert(one.trim_matches(['"', '\'']).to_owned());
            Ok(Section::Dependency)
        }
    }
}

/// The manifests of this workspace are plain: one dependency a line, and every crate of ours by its name.
fn manifest(text: &str) -> Result<Manifest, String> {
    let (mut name, mut dependencies, mut now) = (String::new(), BTreeSet::new(), None);
    for line in text.lines() {
        let line = line.split('#').next().unwrap().trim();
        if line.starts_with('[') {
            now = Some(section(line, &mut dependencies)?);
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let key = key.trim();
        match now {
            None => return Err(format!("`{key}` stands before all sections")),
            Some(Section::Package) if key == "name" => name = value.trim().trim_matches('"').to_owned(),
            Some(Section::Dependencies | Section::Dependency) => {
                let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
                // Under another name, or past the workspace, a crate of ours would not be known as one.
                if words.clone().any(|word| word == "package" || word == "path") {
                    return Err(format!("`{line}` does not take its dependency from the workspace"));
                }
                if now == Some(Section::Dependencies) {
                    dependencies.insert(key.split('.').next().unwrap().trim_matches('"').to_owned());
                }
            }
            Some(Section::Package | Section::Other) => {}
        }
    }
    Ok(Manifest { name, dependencies })
}

#[test]
fn no_form_of_a_section_hides_a_dependency() {
    let read = |text: &str| manifest(&format!("[package]\nname = \"x\"\n{text}"));
    for text in [
        "[dependencies]\ngraph.workspace = true",
        "[dependencies]\ngraph = { workspace = true }",
        "[dependencies] # of the product\n\"graph\".workspace = true",
        "[dependencies.graph]\nworkspace = true",
        "[dependencies.\"graph\"]\nworkspace = true",
        "[build-dependencies]\ngraph.workspace = true",
        "[build-dependencies.graph]\nworkspace = true",
        "[target.'cfg(unix)'.dependencies]\ngraph.workspace = true",
        "[target.x86_64-unknown-linux-gnu.dependencies.graph]\nworkspace = true",
        "[target.'cfg(unix)'.build-dependencies]\ngraph.workspace = true",
    ] {
        let dependencies = read(text).map(|manifest| manifest.dependencies);
        assert_eq!(dependencies, Ok(BTreeSet::from(["graph".to_owned()])), "{text}");
    }
    for text in [
        "[dependencies]\nother = { package = \"guestlist-graph\", version = \"*\" }",
        "[dependencies]\nother.path = \"../graph\"",
        "[dependencies.other]\npackage = \"guestlist-graph\"",
        "[dependencies.graph.more]\nx = 1",
        "[ dependencies ]\ngraph.workspace = true",
        "[\"dependencies\"]\ngraph.workspace = true",
        "[target.'cfg(unix)']\ndependencies = { graph = { workspace = true } }",
        "[dependencies",
        "[[dependencies]]",
        "[patch.crates-io]",
        "[anything]",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
    assert!(manifest("dependencies.graph.workspace = true\n").is_err());
    let tests_alone =
        "[dev-dependencies]\ngraph.workspace = true\n[[test]]\nname = \"y\"\n[lints]\nworkspace = true";
    let Manifest { name, dependencies } = read(tests_alone).unwrap();
    assert_eq!((name.as_str(), dependencies.len()), ("x", 0));
}

/// Our own crates, by the names under which the code imports them.
fn ours() -> BTreeSet<String> {
    let root_manifest = read("Cargo.toml");
    let local = root_manifest.lines().filter(|line| line.contains("path = \""));
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
fn the_sdk_of_aws_is_known_where_it_is_used_and_nowhere_else() {
    let knows = |manifest: &Manifest| manifest.dependencies.iter().any(|name| name.starts_with("aws-"));
    let known: Vec<_> = manifests().into_iter().filter(knows).map(|manifest| manifest.name).collect();
    let ours = ["guestlist-dynamo", "guestlist-host", "guestlist-queue"];
    assert_eq!(known, [&["guestlist-proof-minimal"][..], &ours, &["guestlist-emulator"]].concat());
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
