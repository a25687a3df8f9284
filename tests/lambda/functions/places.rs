//! Which store a command asks, and what it says where that cannot be: each error names the place and what mends it.

use insta::assert_snapshot;

use crate::command::Operator;
use crate::stage::Stage;

async fn told(operator: &Operator, changed: &[(&str, &str)], arguments: &[&str]) -> String {
    let printed = operator.with(changed).run(arguments).await;
    assert_eq!(printed.expect(2).stdout, "");
    printed.stderr
}

#[tokio::test(flavor = "multi_thread")]
async fn one_store_is_meant_and_a_command_does_not_guess_which() {
    let operator = Operator::of(&Stage::set().await);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    assert_snapshot!(told(&operator, &[("GUESTLIST_DATA", &data)], &["status"]).await, @"
    error: 1 setting is missing or wrong:
      GUESTLIST_DATA and GUESTLIST_TABLE are both set, and there is one store: unset GUESTLIST_DATA to ask the deployment on AWS, or GUESTLIST_TABLE to ask this machine's
    ");
    // Half of a deployment must not lead to the store of this machine.
    assert_snapshot!(told(&operator, &[("GUESTLIST_TABLE", ""), ("GUESTLIST_DATA", &data)], &["stop"]).await, @r#"
    error: 1 setting is missing or wrong:
      GUESTLIST_QUEUE_CHANGES is set, and GUESTLIST_TABLE is not: `eval "$(infra/aws/environment STACK)"` sets all of them, or unset it
    "#);
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing was made there");
    let said = told(&operator, &[], &["serve"]).await;
    let mine = said.lines().find(|line| line.contains("GUESTLIST_TABLE")).unwrap();
    assert_snapshot!(mine, @"  GUESTLIST_TABLE is set, and whoever serves on one machine keeps the store in GUESTLIST_DATA: unset it; `infra/aws` deploys what works on a table");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_shell_lacks_is_told_with_what_sets_it() {
    let operator = Operator::of(&Stage::set().await);
    let nothing = [
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "GUESTLIST_QUEUE_ALERTS",
        "GUESTLIST_TENANT_ID",
    ];
    let nothing = nothing.map(|name| (name, ""));
    assert_snapshot!(told(&operator, &nothing, &["status"]).await, @r#"
    error: 5 settings are missing or wrong:
      GUESTLIST_TENANT_ID is not set: the tenant's id, from the overview page of Entra
      AWS_REGION is not set: the region of the stack, like `eu-central-1`
      AWS_ACCESS_KEY_ID is not set: `eval "$(aws configure export-credentials --format env)"` sets it
      AWS_SECRET_ACCESS_KEY is not set: `eval "$(aws configure export-credentials --format env)"` sets it
      GUESTLIST_QUEUE_ALERTS is not set: the URL of the queue `alerts` on SQS
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_there_and_a_key_that_may_not_are_told() {
    let stage = Stage::set().await;
    let operator = Operator::of(&stage);
    assert_snapshot!(told(&operator, &[("GUESTLIST_TABLE", "another")], &["incidents"]).await, @r#"
    error: 1 setting is missing or wrong:
      GUESTLIST_TABLE: there is no table `another` of this account in `eu-central-1` (AWS_REGION); `eval "$(infra/aws/environment STACK)"` sets all of them
    "#);
    let (id, secret) = emulator::create_user(&[]);
    let key = [("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", secret.as_str())];
    let said = told(&operator, &key, &["approve", "1111111111111111-1", "--reason", "x"]).await;
    assert!(said.contains("AWS_ACCESS_KEY_ID: AWS refuses the table `guestlist-"), "{said}");
    assert!(said.contains("`OperatorReadsArn` allows it") && !said.contains(&secret), "{said}");
    let wrong = [key[0], ("AWS_SECRET_ACCESS_KEY", "another")];
    let said = told(&operator, &wrong, &["stop"]).await;
    assert!(
        said.contains("`eval \"$(aws configure export-credentials --format env)\"` sets it anew"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_there_is_told_and_so_is_aws_where_it_is_away() {
    let operator = Operator::of(&Stage::set().await);
    let nowhere = "http://127.0.0.1:1/000000000000/nowhere";
    let status = operator.with(&[("GUESTLIST_QUEUE_CHORES", nowhere)]).run(&["status"]).await;
    status.expect(1).says("failed to use the queue `chores`: ");
    status.says("(GUESTLIST_QUEUE_CHORES and GUESTLIST_DEAD_CHORES: `eval \"$(infra/aws/environment STACK)\"` sets them)");
    let away = operator.with(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]).run(&["status"]).await;
    away.expect(1).says("error: failed to reach the table `guestlist-").says("check the network");
}
