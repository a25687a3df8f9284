//! `guestlist resolve`: ids beside names, in the policy file itself, and nothing else in it changes.

use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;
use simulator::contoso::{FINANCE, MARKETING};
use simulator::{GroupKind, NewGroup};

use crate::tenant::{Printed, Tenant};

const NAMED: &str = r#"# Kept by the security team.
version: 1
mode: observe
partners: { fabrikam: { domains: [fabrikam.com] } }
protect:
  groups: [Finance Board]   # they decide for themselves
scenarios:
  - id: agency-work
    admits: { partners: [fabrikam] }
    joins:
      groups:
        - Marketing
otherwise:
  membership: { then: [notify] }
"#;

fn write(tenant: &Tenant, policy: &str) {
    std::fs::write(tenant.policy(), policy).unwrap();
}

fn read(tenant: &Tenant) -> String {
    std::fs::read_to_string(tenant.policy()).unwrap()
}

/// Standard output and standard error without the folder's name.
fn said(tenant: &Tenant, printed: &Printed) -> String {
    let folder = format!("{}/", tenant.folder.path().display());
    format!("{}--\n{}", printed.stdout, printed.stderr).replace(&folder, "")
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_shown_first_and_then_written_beside_the_names() {
    let tenant = Tenant::start().await;
    write(&tenant, NAMED);
    let shown = tenant.run(&["resolve"]);
    assert_snapshot!(said(&tenant, shown.expect(0)), @"
    policy.yaml:6:12: `Finance Board` is the group 60000000-0000-4000-8000-000000000002
    policy.yaml:12:11: `Marketing` is the group 60000000-0000-4000-8000-000000000001
    --
    would write 2 ids into `policy.yaml`: `--write` does
    ");
    assert_eq!(read(&tenant), NAMED);
    let written = tenant.run(&["resolve", "--write"]);
    assert!(written.expect(0).stderr.starts_with("wrote 2 ids into "), "{written:?}");
    let expected = NAMED
        .replace("[Finance Board]", &format!("[{{ id: {FINANCE}, name: \"Finance Board\" }}]"))
        .replace("- Marketing", &format!("- {{ id: {MARKETING}, name: \"Marketing\" }}"));
    assert_eq!(read(&tenant), expected);
    tenant.run(&["validate"]).expect(0);
    let again = tenant.run(&["resolve", "--write"]);
    assert_snapshot!(said(&tenant, again.expect(0)), @"
    --
    `policy.yaml` names every group by its id
    ");
    assert_eq!(tenant.simulator.take_writes(), [], "it only reads the tenant");
    assert!(!tenant.data().exists(), "it makes no store");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_means_several_groups_or_none_is_listed_with_what_it_may_mean() {
    let tenant = Tenant::start().await;
    let directory = tenant.simulator.tenant();
    let other = NewGroup {
        kind: GroupKind::Team,
        label: Some("Public".to_owned()),
        ..NewGroup::named("finance board")
    };
    let other = directory.create_group(other).to_string();
    write(&tenant, &NAMED.replace("- Marketing", "- Marketing\n        - Marketin"));
    let printed = tenant.run(&["resolve", "--write"]);
    let shown = said(&tenant, printed.expect(3)).replace(&other, "<other>");
    let several = |line: &str| {
        line.starts_with("policy.yaml:6:12: ") && line.contains("2 groups are called `Finance Board`")
    };
    assert!(shown.lines().any(several), "{shown}");
    assert!(shown.contains("policy.yaml:13:11: no group is called `Marketin`"), "{shown}");
    assert!(
        shown.contains("  60000000-0000-4000-8000-000000000002  security group, labelled `Confidential`"),
        "{shown}"
    );
    assert!(shown.contains("  <other>  team, Private, labelled `Public`"), "{shown}");
    assert!(
        read(&tenant)
            .contains(&format!("- {{ id: {MARKETING}, name: \"Marketing\" }}\n        - Marketin\n"))
    );
    let json = tenant.json(&["resolve"]);
    assert_eq!((json["written"].as_bool(), json["changes"].as_array().unwrap().len()), (Some(false), 0));
    assert_eq!(json["unresolved"].as_array().unwrap().len(), 2);
    assert_eq!(json["candidates"]["Finance Board"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_keeps_its_permissions_and_a_link_stays_a_link() {
    let tenant = Tenant::start().await;
    let real = tenant.folder.path().join("kept.yaml");
    std::fs::write(&real, NAMED).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::remove_file(tenant.policy()).unwrap();
    std::os::unix::fs::symlink("kept.yaml", tenant.policy()).unwrap();
    tenant.run(&["resolve", "--write"]).expect(0);
    assert!(std::fs::symlink_metadata(tenant.policy()).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(std::fs::read_to_string(&real).unwrap().contains("name: \"Marketing\""));
    let left: Vec<_> =
        std::fs::read_dir(tenant.folder.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("resolve")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_may_be_given_and_what_is_not_valid_is_not_touched() {
    let tenant = Tenant::start().await;
    let other = tenant.folder.path().join("other.yaml");
    std::fs::write(&other, NAMED).unwrap();
    let path = other.to_str().unwrap();
    tenant.run_with(&[("GUESTLIST_POLICY", "")], &["resolve", "--policy", path, "--write"]).expect(0);
    assert!(std::fs::read_to_string(&other).unwrap().contains("name: \"Marketing\""));
    let wrong = NAMED.replace("[notify]", "[notfy]");
    std::fs::write(&other, &wrong).unwrap();
    let printed = tenant.run(&["resolve", "--policy", path, "--write"]);
    assert!(printed.expect(2).stderr.contains("other.yaml:14:24: "), "{printed:?}");
    assert_eq!(std::fs::read_to_string(&other).unwrap(), wrong);
    tenant.run_with(&[("GUESTLIST_POLICY", "")], &["resolve"]).expect(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_alone_are_told_by_validate_and_held_against_the_tenant_by_doctor() {
    let tenant = Tenant::start().await;
    write(&tenant, NAMED);
    let valid = tenant.run(&["validate"]);
    let first = valid
        .expect(0)
        .stderr
        .lines()
        .next()
        .unwrap()
        .replace(&format!("{}/", tenant.folder.path().display()), "");
    assert_snapshot!(first, @"warning: policy.yaml:6:12: a group is named where its id belongs, and names are not unique: `guestlist resolve --write` writes the id beside it");
    assert_eq!(tenant.json(&["validate"])["names"].as_array().unwrap().len(), 2);
    let well = tenant.run(&["doctor"]);
    assert!(well.stdout.contains("policy: 2 names of groups mean one group each today"), "{well:?}");
    write(&tenant, &NAMED.replace("- Marketing", "- Marketin"));
    let wrong = tenant.run(&["doctor"]);
    assert!(wrong.expect(3).stdout.contains("no group is called `Marketin`"), "{wrong:?}");
    tenant.run(&["resolve", "--write"]).expect(3);
    assert_eq!(tenant.json(&["validate"])["names"].as_array().unwrap().len(), 1);
}
