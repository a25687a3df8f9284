//! What becomes of spans whose collector takes them, refuses them, or says nothing. Time is the test's, and nothing goes over the
//! network.

use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

/// How the collector answers; None: never.
type Answer = Option<Response>;
type Answers = Arc<Mutex<Box<dyn FnMut() -> Answer + Send>>>;

struct Stage {
    traces: Traces,
    /// What the machine calls the time. Only a test sets it, unlike the clock of the timers.
    wall: Arc<Mutex<Timestamp>>,
    answers: Answers,
    /// Spans of each request that was answered with success.
    taken: Arc<Mutex<Vec<usize>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Stage {
    fn set() -> Self {
        let to = ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), "http://127.0.0.1:4318".to_owned());
        let environment = Environment::of(vec![to]);
        let wall = Arc::new(Mutex::new(Timestamp::from_second(1_795_165_200).unwrap()));
        let told = Arc::clone(&wall);
        let clock = Clock::new(move || *told.lock().unwrap());
        let traces = Traces::begin_by(clock, &environment, "guestlist").unwrap();
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(traces.layer()));
        let answers: Answers = Arc::new(Mutex::new(Box::new(|| Some(StatusCode::OK.into_response()))));
        let taken: Arc<Mutex<Vec<usize>>> = Arc::default();
        let take = |State((answers, taken)): State<(Answers, Arc<Mutex<Vec<usize>>>)>, body: Bytes| async move {
            let answer = (answers.lock().unwrap())();
            let Some(answer) = answer else { return std::future::pending().await };
            if answer.status().is_success() {
                let request = ExportTraceServiceRequest::decode(body).unwrap();
                let scopes = request.resource_spans.iter().flat_map(|one| &one.scope_spans);
                taken.lock().unwrap().push(scopes.map(|scope| scope.spans.len()).sum());
            }
            answer
        };
        let state = (Arc::clone(&answers), Arc::clone(&taken));
        let router = Router::new().route("/v1/traces", post(take)).with_state(state);
        let settings = traces_of(&environment);
        traces.send_to(settings, Wire::InProcess(router));
        Self { traces, wall, answers, taken, _guard: guard }
    }

    fn answer(&self, answer: impl FnMut() -> Answer + Send + 'static) {
        *self.answers.lock().unwrap() = Box::new(answer);
    }

    /// The machine's clock alone goes on, as it does while a function is frozen.
    fn pass(&self, seconds: i64) {
        let mut wall = self.wall.lock().unwrap();
        *wall += SignedDuration::from_secs(seconds);
    }

    fn taken(&self) -> Vec<usize> {
        self.taken.lock().unwrap().clone()
    }
}

fn traces_of(environment: &Environment) -> TraceSettings {
    traces(&mut Form::new(environment)).unwrap()
}

fn end(spans: usize) {
    for _ in 0..spans {
        drop(tracing::debug_span!(target: trace::TARGET, "work").entered());
    }
}

const TWO: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn what_has_ended_is_sent_in_requests_of_a_bearable_size() {
    let stage = Stage::set();
    end(1_100);
    // A line of the log is none, and neither is a span that is not for traces.
    tracing::info_span!("job").in_scope(|| tracing::error!("something"));
    stage.traces.send(TWO).await;
    assert_eq!(stage.taken(), [512, 512, 76]);
    assert_eq!(stage.traces.counted(), (1_100, 0));
    stage.traces.send(TWO).await;
    assert_eq!(stage.taken().len(), 3, "nothing is no request");
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_never_answers_is_waited_for_as_long_as_there_is_time_and_then_left_alone() {
    let stage = Stage::set();
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    stage.answer(move || {
        count.fetch_add(1, Ordering::Relaxed);
        None
    });
    end(3);
    let began = Instant::now();
    stage.traces.send(TWO).await;
    assert_eq!(began.elapsed(), TWO);
    // For five seconds, then for ten.
    for (rest, requests) in [(5, 1), (10, 2)] {
        end(1);
        stage.traces.send(TWO).await;
        assert_eq!(asked.load(Ordering::Relaxed), requests, "nobody waits for it");
        stage.pass(rest);
        stage.traces.send(TWO).await;
        assert_eq!(asked.load(Ordering::Relaxed), requests + 1);
    }
    stage.answer(|| Some(StatusCode::OK.into_response()));
    stage.pass(300);
    stage.traces.send(TWO).await;
    assert_eq!(stage.taken(), [3, 2], "nothing was lost in between");
    assert_eq!(stage.traces.counted(), (5, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_says_when_to_come_back_is_left_alone_until_then() {
    let stage = Stage::set();
    stage.answer(|| Some((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "60")]).into_response()));
    end(1);
    stage.traces.send(TWO).await;
    stage.answer(|| Some(StatusCode::OK.into_response()));
    stage.pass(59);
    stage.traces.send(TWO).await;
    assert_eq!(stage.taken(), Vec::<usize>::new());
    stage.pass(1);
    stage.traces.send(TWO).await;
    assert_eq!(stage.taken(), [1]);
}

#[tokio::test(start_paused = true)]
async fn the_machines_clock_says_how_long_a_collector_is_left_alone_and_one_that_was_set_back_says_nothing() {
    let stage = Stage::set();
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    stage.answer(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Some((StatusCode::TOO_MANY_REQUESTS, [("retry-after", "60")]).into_response())
    });
    end(1);
    stage.traces.send(TWO).await;
    // The clock of the timers may go on by itself, or stand still: it is not asked.
    tokio::time::advance(Duration::from_secs(600)).await;
    stage.traces.send(TWO).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    stage.pass(-1);
    stage.traces.send(TWO).await;
    assert_eq!(asked.load(Ordering::Relaxed), 2, "nobody knows how long ago it began");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_when_the_process_ends_is_counted_as_lost() {
    let stage = Stage::set();
    stage.answer(|| Some(StatusCode::BAD_GATEWAY.into_response()));
    end(600);
    stage.traces.finish().await;
    assert_eq!(stage.traces.counted(), (0, 600), "one request's, and what was behind it");
    stage.answer(|| Some(StatusCode::OK.into_response()));
    stage.traces.finish().await;
    assert_eq!((stage.taken(), stage.traces.counted()), (Vec::new(), (0, 600)));
}

#[tokio::test(start_paused = true)]
async fn without_what_proves_who_sends_nothing_goes_out_until_it_is_there() {
    let stage = Stage::set();
    let mut settings = stage.traces.place().unwrap();
    *stage.traces.0.place.lock().unwrap() = None;
    let headers = settings.0.headers.take();
    stage.traces.send_to(settings.0.clone(), settings.1.clone());
    end(1);
    stage.traces.send(TWO).await;
    assert_eq!(stage.taken(), Vec::<usize>::new());
    settings.0.headers = headers;
    stage.traces.send_to(settings.0, settings.1);
    stage.traces.send(TWO).await;
    assert_eq!(stage.taken(), [1]);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_even_a_collector_that_was_away_is_asked_once_more() {
    let stage = Stage::set();
    stage.answer(|| Some(StatusCode::BAD_GATEWAY.into_response()));
    end(1);
    stage.traces.send(TWO).await;
    stage.answer(|| Some(StatusCode::OK.into_response()));
    stage.traces.finish().await;
    assert_eq!(stage.taken(), [1]);
    // And no longer than it may take, if it says nothing.
    stage.answer(|| None);
    end(1);
    let began = Instant::now();
    stage.traces.finish().await;
    assert_eq!(began.elapsed(), Traces::AT_THE_END);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_will_have_is_counted() {
    let stage = Stage::set();
    stage.answer(|| Some(StatusCode::UNAUTHORIZED.into_response()));
    end(4);
    stage.traces.send(TWO).await;
    assert_eq!(stage.traces.counted(), (0, 4), "refused for good");
    stage.answer(|| {
        let partly = ExportTracePartialSuccess { rejected_spans: 1, error_message: "too old".to_owned() };
        Some(ExportTraceServiceResponse { partial_success: Some(partly) }.encode_to_vec().into_response())
    });
    end(3);
    stage.traces.send(TWO).await;
    assert_eq!(stage.traces.counted(), (2, 5), "one of three was not taken");
    stage.answer(|| Some(StatusCode::OK.into_response()));
    end(2_050);
    stage.traces.send(TWO).await;
    assert_eq!(stage.traces.counted(), (2_050, 7), "there is room for 2,048");
}

#[tokio::test(start_paused = true)]
async fn the_background_sends_every_few_seconds_and_sooner_when_there_are_many() {
    let stage = Stage::set();
    let (stop, stopped) = watch::channel(false);
    let sending = tokio::spawn(stage.traces.clone().send_on(stopped));
    end(1);
    tokio::time::sleep(Traces::EVERY + Duration::from_millis(1)).await;
    assert_eq!(stage.taken(), [1]);
    end(600);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(stage.taken(), [1, 512, 88]);
    // The process is to stop while the collector says nothing: what it did not take is sent once more.
    stage.answer(|| None);
    end(1);
    tokio::time::sleep(Traces::EVERY + Duration::from_millis(1)).await;
    let began = Instant::now();
    stop.send_replace(true);
    sending.await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    stage.answer(|| Some(StatusCode::OK.into_response()));
    stage.traces.finish().await;
    assert_eq!(stage.taken(), [1, 512, 88, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_trace_that_is_not_kept_here_is_kept_by_nobody_after_us() {
    let never =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"), ("OTEL_TRACES_SAMPLER", "always_off")];
    let never = never.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let traces = Traces::begin(&Environment::of(never.into()), "guestlist").unwrap();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(traces.layer()));
    let span = tracing::debug_span!(target: trace::TARGET, "work");
    let here = span.in_scope(trace::current).unwrap();
    assert_eq!(here.flags() & 1, 0, "{here}");
    drop(span);
    assert!(traces.next_batch().is_none());
}

#[test]
fn who_makes_the_traces_is_said_by_what_is_set_or_by_the_function() {
    let of = |values: &[(&str, &str)]| {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let to = ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), "http://127.0.0.1:4318".to_owned());
        let environment = Environment::of(values.chain([to]).collect());
        let resource = resource(&environment, &traces_of(&environment), "guestlist-assess");
        move |name: &'static str| resource.get(&name.into()).map(|value| value.to_string())
    };
    let set =
        of(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=one,team=security"), ("OTEL_SERVICE_NAME", "two")]);
    assert_eq!((set("service.name").as_deref(), set("team").as_deref()), (Some("two"), Some("security")));
    assert_eq!(set("faas.name"), None);
    let on_aws =
        of(&[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"), ("AWS_LAMBDA_FUNCTION_NAME", "guestlist-Assess")]);
    assert_eq!(on_aws("service.name").as_deref(), Some("guestlist-assess"));
    assert_eq!(on_aws("faas.name").as_deref(), Some("guestlist-Assess"));
}
