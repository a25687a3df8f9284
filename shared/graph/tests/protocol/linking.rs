//! Writes to groups: the link and never the person, and what a caller is given to look into.

use std::fs;
use std::path::{Path, PathBuf};

use graph::{Advice, AlwaysOpen, GraphError};
use model::Step;
use serde_json::{Value, json};

use crate::fake::{Answer, Fake, GROUP, GUEST};

const REMOVE: [(Step, &str); 2] = [
    (Step::RemoveMember { user: GUEST, group: GROUP }, "members"),
    (Step::RemoveOwner { user: GUEST, group: GROUP }, "owners"),
];

fn removal(relation: &str) -> String {
    format!("DELETE /v1.0/groups/{GROUP}/{relation}/{GUEST}/$ref")
}

fn addition(relation: &str) -> String {
    format!("POST /v1.0/groups/{GROUP}/{relation}/$ref")
}

#[tokio::test]
async fn taking_somebody_out_of_a_group_deletes_the_reference() {
    for (step, relation) in REMOVE {
        let fake = Fake::start().await;
        let what = removal(relation);
        fake.next(&what, Answer::busy(429, "0"));
        fake.next(&what, Answer::text(204, ""));
        let written = fake.writer().apply(step, &AlwaysOpen).await.unwrap();
        assert_eq!(written.request_id.as_deref(), Some("theirs"));
        let seen = fake.seen(&what);
        assert_eq!(seen.len(), 2, "nothing was done after a 429");
        assert!(seen.iter().all(|seen| seen.body.is_empty() && seen.query.is_empty()));
        assert_eq!(fake.all_writes(), 2, "and nothing else was sent");
    }
}

#[tokio::test]
async fn who_was_no_member_is_left_to_a_confirming_read() {
    for (step, relation) in REMOVE {
        let fake = Fake::start().await;
        fake.always(&removal(relation), Answer::error(404, "Request_ResourceNotFound"));
        let error = fake.writer().apply(step, &AlwaysOpen).await.unwrap_err().error;
        assert!(matches!(error, GraphError::NotFound { .. }), "{error}");
        assert_eq!(error.advice(), Advice::MaybeNotReplicatedYet);
    }
}

#[tokio::test]
async fn adding_back_names_the_person_at_the_graph_in_use() {
    for (step, relation) in REMOVE {
        let fake = Fake::start().await;
        let what = addition(relation);
        fake.next(&what, Answer::busy(429, "0"));
        fake.next(&what, Answer::text(204, ""));
        fake.writer().apply(step.undo(), &AlwaysOpen).await.unwrap();
        let seen = fake.seen(&what);
        assert_eq!(seen.len(), 2, "nothing was done after a 429");
        let expected = json!({"@odata.id": format!("{}/v1.0/directoryObjects/{GUEST}", fake.url)});
        assert_eq!(serde_json::from_str::<Value>(&seen[1].body).unwrap(), expected);
        assert_eq!(seen[1].header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn what_may_have_been_done_to_a_group_is_not_repeated_before_somebody_looked() {
    for (step, relation) in REMOVE {
        for (step, what) in [(step, removal(relation)), (step.undo(), addition(relation))] {
            let status = 504;
            let fake = Fake::start().await;
            fake.always(&what, Answer::text(status, "").header("retry-after", "0"));
            let error = fake.writer().apply(step, &AlwaysOpen).await.unwrap_err().error;
            assert!(matches!(error, GraphError::Unavailable { .. }), "{error}");
            assert!(matches!(error.advice(), Advice::TryAgain { .. }));
            assert_eq!(fake.all_writes(), 1, "{status}");
        }
    }
}

#[tokio::test]
async fn who_is_a_member_already_is_a_rejection_that_only_a_read_can_tell_from_others() {
    for (step, relation) in REMOVE {
        let fake = Fake::start().await;
        fake.always(&addition(relation), Answer::error(400, "Request_BadRequest"));
        let error = fake.writer().apply(step.undo(), &AlwaysOpen).await.unwrap_err().error;
        assert!(matches!(error, GraphError::Rejected { status: 400, .. }), "{error}");
        let Advice::GiveUp { tell } = error.advice() else { panic!("a 400 is final") };
        assert!(tell.contains("Request_BadRequest"), "{tell}");
        assert_eq!(fake.all_writes(), 1);
    }
}

#[tokio::test]
async fn a_group_that_an_app_may_not_write_is_forbidden_and_asked_once() {
    for (step, relation) in REMOVE {
        let fake = Fake::start().await;
        fake.always(&removal(relation), Answer::error(403, "Authorization_RequestDenied"));
        fake.always(&addition(relation), Answer::error(403, "Authorization_RequestDenied"));
        for step in [step, step.undo()] {
            let error = fake.writer().apply(step, &AlwaysOpen).await.unwrap_err().error;
            assert!(matches!(error, GraphError::Forbidden { .. }), "{error}");
            assert!(matches!(error.advice(), Advice::GiveUp { .. }));
        }
        assert_eq!(fake.all_writes(), 2);
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    found.collect()
}

/// The lines of this crate that hold `text`, tests left out, as `file: line`.
fn lines_with(text: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for path in sources(&root) {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        if name.contains("tests") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();
        let lines = code.lines().map(str::trim).filter(|line| !line.starts_with("//") && line.contains(text));
        found.extend(lines.map(|line| format!("{name}: {line}")));
    }
    found.sort();
    found
}

#[test]
fn nothing_is_deleted_but_links_subscriptions_and_one_account() {
    let deleted = lines_with("DELETE");
    let [subscription, account, link] = deleted.as_slice() else { panic!("another DELETE: {deleted:#?}") };
    assert!(
        subscription.starts_with("subscription.rs: ") && subscription.contains("Target::subscription(id)")
    );
    assert_eq!(link, "write.rs: let mut request = self.0.request(Method::DELETE, &link.to(user));");
    assert_eq!(account, "write.rs: let mut request = self.0.request(Method::DELETE, &Target::user(user));");
    let named = lines_with("Method::from_bytes");
    assert_eq!(named, [] as [String; 0], "a method that is not written out");
}

#[test]
fn one_line_makes_every_path_to_a_link() {
    let lines = lines_with("$ref");
    let [line] = lines.as_slice() else { panic!("another: {lines:#?}") };
    assert!(line.starts_with("target.rs: ") && line.contains("{user}/$ref\""), "{line}");
    let groups: Vec<String> = lines_with("/groups/{").into_iter().filter(|found| found != line).collect();
    let reads = [
        "target.rs: Self::below(format!(\"/groups/{id}\"))",
        "target.rs: Self::below(format!(\"/groups/{id}/{}\", relation.segment()))",
    ];
    assert_eq!(groups, reads, "a path into a group that may name a member");
}
