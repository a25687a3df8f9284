//! What is done about a policy on S3 that changes, is bad, or cannot be read.

use std::sync::Mutex;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use model::{Clock, Notice, Severity};
use wire::Wire;

use super::*;
use crate::aws::tests::settings;

const POLICY: &str = "version: 1\nmode: observe\nlists:\n  blocked: { file: lists/blocked.txt }\nguardrails:\n  - id: blocked\n    why: sanctions\n    severity: high\n    if: { domain: [blocked] }\n    then: [notify]\n";
const KEY: &str = "tenants/contoso/policy.yaml";
const LIST: &str = "tenants/contoso/lists/blocked.txt";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_165_200 + seconds).unwrap()
}

struct Place {
    bucket: String,
    store: Store,
    notices: Notices,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tenant = "c0270500-0000-4000-8000-000000000000".parse().unwrap();
        let store = Store::open(folder.path(), tenant).unwrap();
        let routes = model::Routes(
            vec![(model::ChannelName("slack".to_owned()), Severity::Low)].into_iter().collect(),
        );
        let (ledger, queues) = (store.ledger.clone(), store.queues.clone());
        let notices = Notices { ledger, queues, routes, clock: Clock::new(|| at(0)) };
        Self { bucket: emulator::create_bucket(), store, notices, _folder: folder }
    }

    fn put(&self, key: &str, text: &str) {
        emulator::put_object(&self.bucket, key, text);
    }

    async fn start(&self) -> anyhow::Result<PolicyObject> {
        self.start_with(Aws::new(Wire::network().unwrap(), settings())).await
    }

    async fn start_with(&self, aws: Aws) -> anyhow::Result<PolicyObject> {
        let place = (self.bucket.clone(), KEY.to_owned());
        PolicyObject::start(place, aws, &self.store, self.notices.clone(), at(0)).await
    }

    /// What people are to be told.
    async fn told(&self) -> Vec<String> {
        self.notices_told().await.into_iter().map(|notice| notice.key).collect()
    }

    async fn notices_told(&self) -> Vec<Notice> {
        let notices = self.store.ledger.all::<Notice>("").await.unwrap();
        notices.into_iter().map(|stored| stored.value).collect()
    }

    /// That it was refused, how often this was said, and in which words.
    async fn refusals(&self) -> Vec<(u64, String)> {
        let mut told = self.notices_told().await;
        told.retain(|notice| notice.kind == model::NoticeKind::PolicyRefused);
        told.into_iter().map(|notice| (notice.count, notice.text)).collect()
    }
}

/// S3, which answers so about what lies there now, and still has the versions before.
#[derive(Clone)]
struct Away {
    answer: Arc<dyn Fn() -> Response + Send + Sync>,
    asked: Arc<Mutex<u32>>,
}

impl Away {
    fn answering(answer: impl Fn() -> Response + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(answer), asked: Arc::default() }
    }

    fn refusing(status: u16, code: &'static str) -> Self {
        Self::answering(move || {
            let status = StatusCode::from_u16(status).unwrap();
            (status, format!("<Error><Code>{code}</Code></Error>")).into_response()
        })
    }

    fn aws(&self) -> Aws {
        let Self { answer, asked } = self.clone();
        let serve = move |uri: Uri| {
            let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
            async move {
                if uri.query().is_some_and(|query| query.contains("versionId")) {
                    let is_list = uri.path().ends_with(LIST);
                    return (if is_list { "evil.example\n" } else { POLICY }).into_response();
                }
                *asked.lock().unwrap() += 1;
                answer()
            }
        };
        Aws::new(Wire::InProcess(Router::new().fallback(serve)), settings())
    }
}

#[tokio::test]
async fn a_changed_policy_or_list_is_taken_a_minute_later_and_people_are_told_once() {
    let place = Place::new();
    place.put(KEY, POLICY);
    place.put(LIST, "evil.example\n");
    let (mut one, mut two) = (place.start().await.unwrap(), place.start().await.unwrap());
    let before = one.current.borrow().hash().to_owned();
    assert_eq!(place.told().await, Vec::<String>::new());
    place.put(LIST, "evil.example\nother.example\n");
    one.look(at(59)).await.unwrap();
    assert_eq!(one.current.borrow().hash(), before, "it was looked at less than a minute ago");
    one.look(at(60)).await.unwrap();
    two.look(at(75)).await.unwrap();
    let after = one.current.borrow().hash().to_owned();
    assert_ne!(after, before);
    assert_eq!(two.current.borrow().hash(), after);
    let told = place.told().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with(&format!("policy-taken/{before}/{after}/")), "{told:?}");
}

#[tokio::test]
async fn a_bad_policy_changes_nothing_and_a_cold_start_reads_the_versions_that_were_good() {
    let place = Place::new();
    place.put(KEY, POLICY);
    place.put(LIST, "evil.example\n");
    let mut one = place.start().await.unwrap();
    let good = one.current.borrow().hash().to_owned();
    place.put(KEY, "version: 1\nmood: observe\n");
    place.put(LIST, "other.example\n");
    one.look(at(60)).await.unwrap();
    assert_eq!(one.current.borrow().hash(), good);
    let two = place.start().await.unwrap();
    assert_eq!(two.current.borrow().hash(), good, "the list, too, is what it was");
    let told = place.told().await;
    assert!(told.len() == 1 && told[0].starts_with("policy-refused/"), "{told:?}");
    place.put(KEY, POLICY);
    place.put(LIST, "evil.example\n");
    one.look(at(120)).await.unwrap();
    assert_eq!(one.current.borrow().hash(), good);
    let told = place.told().await;
    assert!(told.iter().any(|key| key.starts_with(&format!("policy-taken/{good}/{good}/"))), "{told:?}");
}

#[tokio::test]
async fn without_one_that_was_good_a_bad_policy_and_a_missing_list_are_errors_that_name_the_place() {
    let place = Place::new();
    place.put(KEY, POLICY);
    let error = format!("{:#}", place.start().await.unwrap_err());
    assert!(error.contains("none is known that was valid before"), "{error}");
    assert!(
        error.contains(&format!("cannot read `s3://{}/{LIST}`: AWS answers 404 NoSuchKey", place.bucket)),
        "{error}"
    );
    place.put(KEY, "version: 1\nmood: observe\n");
    let error = format!("{:#}", place.start().await.unwrap_err());
    assert!(error.contains(&format!("s3://{}/{KEY}:2", place.bucket)), "{error}");
}

#[tokio::test]
async fn one_that_was_deleted_is_told_at_once_and_once_and_so_is_its_return() {
    let place = Place::new();
    place.put(KEY, POLICY);
    place.put(LIST, "evil.example\n");
    let mut one = place.start().await.unwrap();
    let good = one.current.borrow().hash().to_owned();
    emulator::delete_object(&place.bucket, KEY);
    for seconds in [60, 120, 180] {
        let error = one.look(at(seconds)).await.unwrap_err().to_string();
        assert!(error.contains("AWS answers 404"), "{error}");
    }
    let told = place.refusals().await;
    let name = format!("s3://{}/{KEY}", place.bucket);
    let words = format!(
        "the policy cannot be read, and the policy `{good}` stays in force:\nfailed to read `{name}`: AWS answers 404 NoSuchKey; \
         put it there again, or bring back the version before"
    );
    assert_eq!(told, [(1, words.clone())]);
    assert_eq!(one.current.borrow().hash(), good);
    // Another reason is told, and whoever starts meanwhile says what was said.
    place.put(KEY, "version: 1\nmood: observe\n");
    one.look(at(240)).await.unwrap();
    emulator::delete_object(&place.bucket, KEY);
    let two = place.start().await.unwrap();
    assert_eq!(two.current.borrow().hash(), good);
    let told = place.refusals().await;
    assert!(told.len() == 2 && told.contains(&(2, words)), "{told:?}");
    assert!(*one.refused.borrow() && *two.refused.borrow());
    place.put(KEY, POLICY);
    let mut two = two;
    two.look(at(300)).await.unwrap();
    assert!(!*two.refused.borrow());
    let told = place.notices_told().await;
    let back = told.iter().find(|notice| notice.kind == model::NoticeKind::PolicyTaken).unwrap();
    assert_eq!(
        back.text,
        format!("the policy can be read again; it is the policy `{good}`, which stayed in force")
    );
}

#[tokio::test]
async fn what_stays_as_it_is_is_told_at_once_and_what_may_pass_at_the_second_look() {
    const TOO_LONG: usize = 4 * 1024 * 1024 + 1;
    let text = |text: Vec<u8>| Away::answering(move || text.clone().into_response());
    for (away, at_once, asked, says) in [
        (Away::refusing(404, "NoSuchKey"), true, 1, "AWS answers 404 NoSuchKey; put it there again"),
        (Away::refusing(403, "AccessDenied"), true, 1, "has to be allowed to read it (s3:GetObject)"),
        (Away::refusing(301, "PermanentRedirect"), true, 1, "in a bucket of the function's region"),
        (
            text(vec![b' '; TOO_LONG]),
            true,
            1,
            "longer than 4194304 bytes, which is more than is read; put a text",
        ),
        (text(vec![0xff]), true, 1, "it is not text in UTF-8; put a text in UTF-8 of at most 4 MiB there"),
        (
            Away::refusing(500, "InternalError"),
            false,
            3,
            "AWS answers 500 InternalError; it is read again every minute",
        ),
        (Away::refusing(503, "SlowDown"), false, 3, "AWS answers 503 SlowDown"),
        (Away::refusing(400, "ThrottlingException"), false, 3, "AWS answers 400 ThrottlingException"),
    ] {
        let place = Place::new();
        place.put(KEY, POLICY);
        place.put(LIST, "evil.example\n");
        let mut one = place.start().await.unwrap();
        one.aws = away.aws();
        one.look(at(60)).await.unwrap_err();
        assert_eq!(*away.asked.lock().unwrap(), asked, "{says}");
        assert_eq!(place.refusals().await.len(), usize::from(at_once), "{says}");
        assert_eq!(*one.refused.borrow(), at_once, "{says}");
        one.look(at(120)).await.unwrap_err();
        one.look(at(180)).await.unwrap_err();
        let told = place.refusals().await;
        assert!(told.len() == 1 && told[0].0 == 1 && told[0].1.contains(says), "{says}: {told:?}");
        assert!(*one.refused.borrow(), "{says}");
        // At a cold start the same, by the versions that were good.
        let place = Place { bucket: one.bucket.clone(), ..place };
        let two = place.start_with(away.aws()).await.unwrap();
        assert_eq!(two.current.borrow().hash(), one.current.borrow().hash(), "{says}");
        assert_eq!(place.refusals().await[0].0, 1 + u64::from(at_once), "{says}");
    }
}

#[tokio::test]
async fn a_trouble_that_passes_by_the_next_look_is_told_to_nobody() {
    let place = Place::new();
    place.put(KEY, POLICY);
    place.put(LIST, "evil.example\n");
    let mut one = place.start().await.unwrap();
    let (well, away) = (one.aws.clone(), Away::refusing(503, "SlowDown").aws());
    for minute in 1..=6 {
        let is_away = minute % 2 == 1;
        one.aws = if is_away { away.clone() } else { well.clone() };
        assert_eq!(one.look(at(60 * minute)).await.is_err(), is_away);
    }
    assert_eq!(place.told().await, Vec::<String>::new());
    assert!(!*one.refused.borrow());
}

/// Who cannot write down that he told it has told it to nobody.
#[tokio::test]
async fn what_could_not_be_told_is_told_at_the_next_look() {
    let place = Place::new();
    place.put(KEY, POLICY);
    place.put(LIST, "evil.example\n");
    let mut one = place.start().await.unwrap();
    let database = place.store.database.clone().unwrap();
    let run = |sql: &'static str| database.write(move |db| db.execute_batch(sql));
    run("CREATE TRIGGER full BEFORE INSERT ON ledger_items BEGIN SELECT RAISE(ABORT, 'no space'); END")
        .await
        .unwrap();
    one.aws = Away::refusing(403, "AccessDenied").aws();
    one.look(at(60)).await.unwrap_err();
    assert!(place.refusals().await.is_empty());
    assert!(*one.refused.borrow(), "monitoring sees it all the same");
    run("DROP TRIGGER full").await.unwrap();
    one.look(at(120)).await.unwrap_err();
    assert_eq!(place.refusals().await.len(), 1);
}
