//! What is repeated, what is left to the caller, and what is never sent twice.

use std::time::{Duration, Instant};

use graph::{Advice, AlwaysOpen, Gate, GraphError, Reader, Writer};
use jiff::SignedDuration;
use model::Step;
use serde_json::json;

use crate::fake::{Answer, Fake, GUEST, user, user_path};

#[tokio::test]
async fn a_throttled_read_is_repeated_after_the_time_that_graph_names() {
    let fake = Fake::start().await;
    fake.always(&user_path(), user());
    for retry_after in ["0.2", "Fri, 20 Nov 2026 10:00:00 GMT"] {
        fake.next(&user_path(), Answer::busy(429, retry_after));
    }
    let began = Instant::now();
    fake.reader().user(GUEST).await.unwrap();
    assert_eq!(fake.seen(&user_path()).len(), 3);
    assert!((200..3_000).contains(&began.elapsed().as_millis()));
}

#[tokio::test]
async fn a_longer_wait_than_our_patience_is_left_to_the_caller() {
    let fake = Fake::start().await;
    for (status, retry_after, seconds) in
        [(429, "120", 120), (503, "9999", 3600), (429, "Fri, 20 Nov 2026 10:02:00 GMT", 120)]
    {
        fake.next(&user_path(), Answer::busy(status, retry_after));
        let error = fake.reader().user(GUEST).await.unwrap_err();
        let after = Some(SignedDuration::from_secs(seconds));
        assert_eq!(error.advice(), Advice::TryAgain { after }, "{error}");
        assert_eq!(error.trace().request_id.as_deref(), Some("theirs"));
    }
    assert_eq!(fake.seen(&user_path()).len(), 3, "asked once each");
}

#[tokio::test]
async fn without_a_time_the_waits_grow_and_end() {
    let fake = Fake::start().await;
    for status in [500, 502, 504] {
        fake.next(&user_path(), Answer::text(status, "<html>"));
    }
    fake.always(&user_path(), user());
    let client = fake.client(Duration::from_secs(8));
    Reader::new(client).user(GUEST).await.unwrap();
    assert_eq!(fake.seen(&user_path()).len(), 4);

    fake.always(&user_path(), Answer::text(503, ""));
    let error = Reader::new(fake.client(Duration::ZERO)).user(GUEST).await.unwrap_err();
    assert!(matches!(error, GraphError::Unavailable { status: 503, retry_after: None, .. }), "{error}");
    assert_eq!(fake.seen(&user_path()).len(), 5, "no patience, no second try");
}

#[tokio::test]
async fn each_attempt_has_a_request_id_of_its_own_that_the_error_names() {
    let fake = Fake::start().await;
    fake.next(&user_path(), Answer::busy(429, "0"));
    let error = fake.reader().user(GUEST).await.unwrap_err();
    let seen = fake.seen(&user_path());
    assert_eq!(seen.len(), 2);
    let ids = [seen[0].header("client-request-id"), seen[1].header("client-request-id")];
    assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == 36));
    assert_eq!(error.trace().client_request_id.as_deref(), Some(ids[1]));
    assert!(error.to_string().contains(ids[1]) && error.to_string().contains("theirs"), "{error}");
    assert_eq!(error.advice(), Advice::MaybeNotReplicatedYet);
    assert!(seen[0].header("user-agent").starts_with("guestlist/"));
}

#[tokio::test]
async fn a_silent_graph_is_asked_twice_and_no_more() {
    let fake = Fake::start().await;
    fake.always(&user_path(), user().after(Duration::from_secs(30)));
    let client = fake.client(Duration::from_secs(60)).with_timeout(Duration::from_millis(150));
    let error = Reader::new(client).user(GUEST).await.unwrap_err();
    assert!(matches!(error, GraphError::Unreachable { .. }), "{error}");
    assert_eq!(error.advice(), Advice::TryAgain { after: None });
    assert_eq!(fake.seen(&user_path()).len(), 2);
}

#[tokio::test]
async fn nobody_listening_is_an_error_that_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = Fake::start().await.at(format!("http://{}", listener.local_addr().unwrap()));
    drop(listener);
    let error = Reader::new(gone.client(Duration::ZERO)).user(GUEST).await.unwrap_err();
    assert!(error.to_string().starts_with("reach Microsoft: cannot connect to 127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let fake = Fake::start().await;
    let elsewhere = Fake::start().await;
    let answer = Answer::text(302, "").header("location", &format!("{}/v1.0/users/x", elsewhere.url));
    fake.always(&user_path(), answer);
    let error = fake.reader().user(GUEST).await.unwrap_err();
    assert!(matches!(error, GraphError::Rejected { status: 302, .. }), "{error}");
    assert!(matches!(error.advice(), Advice::GiveUp { .. }));
    assert!(elsewhere.seen("GET /v1.0/users/x").is_empty());
}

#[tokio::test]
async fn disabling_is_one_patch_that_may_be_sent_again() {
    let fake = Fake::start().await;
    let patch = format!("PATCH /v1.0/users/{GUEST}");
    fake.next(&patch, Answer::busy(503, "0"));
    fake.next(&patch, Answer::text(500, "").header("retry-after", "0"));
    fake.next(&patch, Answer::text(204, ""));
    let written = fake.writer().apply(Step::Disable { user: GUEST }, &AlwaysOpen).await.unwrap();
    assert_eq!(written.request_id.as_deref(), Some("theirs"));
    let seen = fake.seen(&patch);
    assert_eq!(seen.len(), 3);
    for seen in &seen {
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&seen.body).unwrap(),
            json!({"accountEnabled": false})
        );
        assert_eq!((seen.header("content-type"), seen.query.as_str()), ("application/json", ""));
    }
    fake.next(&patch, Answer::text(204, ""));
    fake.writer().apply(Step::Enable { user: GUEST }, &AlwaysOpen).await.unwrap();
    assert!(fake.seen(&patch)[3].body.contains("true"));
}

struct Closed;

impl Gate for Closed {
    async fn is_open(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn what_may_not_be_done_any_more_is_not_sent_again() {
    let fake = Fake::start().await;
    let patch = format!("PATCH /v1.0/users/{GUEST}");
    let refusals =
        [Answer::busy(429, "0"), Answer::error(401, "InvalidAuthenticationToken"), Answer::busy(503, "0")];
    for (sent, answer) in refusals.into_iter().enumerate() {
        fake.next(&patch, answer);
        let step = Step::Disable { user: GUEST };
        let not_written = fake.writer().apply(step, &Closed).await.unwrap_err();
        assert_eq!((not_written.maybe_done, fake.seen(&patch).len()), (false, sent + 1));
    }
}

#[tokio::test]
async fn what_graph_forbids_is_given_up_with_the_reason() {
    let fake = Fake::start().await;
    let patch = format!("PATCH /v1.0/users/{GUEST}");
    fake.always(&patch, Answer::error(403, "Authorization_RequestDenied"));
    let writer = Writer::new(fake.client(Duration::from_secs(60)));
    let Advice::GiveUp { tell } =
        writer.apply(Step::Disable { user: GUEST }, &AlwaysOpen).await.unwrap_err().error.advice()
    else {
        panic!("a 403 is final");
    };
    assert!(tell.contains("Authorization_RequestDenied") && tell.contains("grant the app"), "{tell}");
    assert_eq!(fake.seen(&patch).len(), 1);
}
