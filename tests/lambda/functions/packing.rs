//! What `infra/aws/build` asks the command before it packs a policy, answered by the command itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::stage::POLICY;

/// In the place of `cargo run … -- COMMAND`: the command is built already.
const CARGO: &str =
    "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$GUESTLIST_COMMAND\" \"$@\"\n";
const VALIDATE: &str = "
import importlib.machinery, importlib.util, sys
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader('aws_build', sys.argv[1])
build = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
loader.exec_module(build)
build.validate(sys.argv[2])
";

fn validate(policy: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    std::fs::write(folder.path().join("blocked.txt"), "evil.example\n").unwrap();
    let cargo = folder.path().join("cargo");
    std::fs::write(&cargo, CARGO).unwrap();
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/aws/build");
    Command::new("python3")
        .args(["-c", VALIDATE, &script.display().to_string(), &folder.path().display().to_string()])
        .env("PATH", format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap()))
        .env("GUESTLIST_COMMAND", env!("CARGO_BIN_EXE_lambda-guestlist"))
        .output()
        .unwrap()
}

#[test]
fn a_policy_is_packed_when_the_command_takes_it_and_else_its_problems_are_told() {
    let taken = validate(POLICY);
    assert!(taken.status.success(), "{taken:?}");
    let refused = validate(&POLICY.replace("mode: enforce", "mood: enforce"));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("policy.yaml:3:1") && said.contains("mood"), "{said}");
    assert!(said.contains("(exit code 3); nothing was packed"), "{said}");
}
