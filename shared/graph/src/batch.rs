//! Several reads in one round trip (<https://learn.microsoft.com/graph/json-batching>). Each has a status of its own,
//! and nobody repeats a throttled one for us.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::background::{LOW, PRIORITY_NAME, Urgency};
use crate::client::{Client, Document};
use crate::error::{Failure, GraphError, Happened, Trace, plain};
use crate::target::Target;

#[derive(Serialize)]
struct Requests {
    requests: Vec<Part>,
}

#[derive(Serialize)]
struct Part {
    id: String,
    method: &'static str,
    url: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'static str, &'static str>,
}

#[derive(Deserialize)]
struct Replies {
    responses: Vec<Reply>,
}

#[derive(Deserialize)]
struct Reply {
    id: String,
    status: u16,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    #[serde(default)]
    body: Value,
}

/// What Graph takes in one batch.
const MOST: usize = 20;

enum Slot {
    Open,
    Again(Failure),
    Closed(Result<Document, GraphError>),
}

impl Client {
    /// Reads all of `targets`, each with its own result, in their order. Only those that were turned away are asked
    /// again.
    pub(crate) async fn batch<const N: usize>(
        &self,
        targets: [Target; N],
    ) -> Result<[Result<Document, GraphError>; N], GraphError> {
        const { assert!(N <= MOST, "Graph takes twenty requests in a batch") };
        let mut slots = [const { Slot::Open }; N];
        self.read_into(&targets, &mut slots).await?;
        Ok(slots.map(Slot::close))
    }

    /// The same for any number of targets, twenty in a round trip. What befalls a whole batch befalls everything in it
    /// that is not answered yet, and all that would come after it: a Graph that is away is not asked again for each.
    pub(crate) async fn batch_all(&self, targets: &[Target]) -> Vec<Result<Document, GraphError>> {
        let mut results = Vec::with_capacity(targets.len());
        let mut broken: Option<GraphError> = None;
        for targets in targets.chunks(MOST) {
            let mut slots: Vec<Slot> = targets.iter().map(|_| Slot::Open).collect();
            if broken.is_none() {
                broken = self.read_into(targets, &mut slots).await.err();
            }
            results.extend(slots.into_iter().map(|slot| match &broken {
                Some(error) => slot.close_after(error),
                None => slot.close(),
            }));
        }
        results
    }

    async fn read_into(&self, targets: &[Target], slots: &mut [Slot]) -> Result<(), GraphError> {
        let mut patience = self.patience();
        let mut renewed = false;
        loop {
            let mut request = self.request(Method::POST, &Target::new("/$batch"));
            request.body = Some(body(targets, slots, self.urgency()));
            let answer = self.ask_within(&request, &mut patience).await?.document()?;
            self.fill(slots, answer)?;
            let waiting = || slots.iter().filter_map(Slot::failure);
            if waiting().next().is_none() {
                return Ok(());
            }
            waiting().for_each(|failure| self.heed(failure));
            if waiting().any(|failure| failure.happened == Happened::Unauthorized) {
                if renewed {
                    return Ok(());
                }
                renewed = true;
                self.renew_token().await?;
                continue;
            }
            let told = waiting().map(Failure::retry_after).max().flatten();
            let Some(wait) = patience.wait(told, false) else {
                return Ok(());
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn fill(&self, slots: &mut [Slot], answer: Document) -> Result<(), GraphError> {
        let Document { value, trace } = answer;
        let Replies { mut responses } = serde_json::from_value(value).map_err(|error| {
            GraphError::unreadable(format!("it is not the answer to a batch ({error})"), &trace)
        })?;
        for (id, slot) in slots.iter_mut().enumerate().filter(|(_, slot)| slot.is_open()) {
            let id = id.to_string();
            let place = responses.iter().position(|reply| reply.id == id);
            *slot = match place.map(|place| responses.swap_remove(place)) {
                Some(reply) => self.slot(reply, trace.clone()),
                None => {
                    Slot::Closed(Err(GraphError::unreadable("a part of the batch has no answer", &trace)))
                }
            };
        }
        Ok(())
    }

    fn slot(&self, reply: Reply, mut trace: Trace) -> Slot {
        let Reply { id: _, status, headers, body } = reply;
        let headers = headers.as_ref().map(header_map).unwrap_or_default();
        if let Some(own) = headers.get("request-id").and_then(|id| id.to_str().ok()) {
            trace.request_id = Some(plain(own));
        }
        let Ok(status) = StatusCode::from_u16(status) else {
            return Slot::Closed(Err(GraphError::unreadable("a part of the batch has no status", &trace)));
        };
        tracing::debug!(
            graph.status = status.as_u16(),
            graph.request_id = trace.request_id,
            "part of a batch"
        );
        if status.is_success() {
            return Slot::Closed(Ok(Document { value: body, trace }));
        }
        let failure = Failure::of_answer(status, &headers, Some(&body), trace, self.clock().now());
        match failure.happened {
            Happened::Refused => Slot::Closed(Err(failure.error)),
            Happened::Unauthorized | Happened::NotDone | Happened::Uncertain | Happened::TimedOut => {
                Slot::Again(failure)
            }
        }
    }
}

impl Slot {
    fn is_open(&self) -> bool {
        match self {
            Self::Open | Self::Again(_) => true,
            Self::Closed(_) => false,
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Again(failure) => Some(failure),
            Self::Open | Self::Closed(_) => None,
        }
    }

    /// After `error` ended the batch.
    fn close_after(self, error: &GraphError) -> Result<Document, GraphError> {
        match self {
            Self::Closed(result) => result,
            Self::Open | Self::Again(_) => Err(error.clone()),
        }
    }

    fn close(self) -> Result<Document, GraphError> {
        match self {
            Self::Closed(result) => result,
            Self::Again(failure) => {
                tracing::warn!(graph.error = %failure.error, "gave up on a part of a batch");
                Err(failure.error)
            }
            Self::Open => Err(GraphError::unreadable("a part of the batch has no answer", &Trace::default())),
        }
    }
}

/// Ids are the places in `targets`, so that an answer in another order finds its own. Each part is throttled by itself,
/// and so each names its priority.
fn body(targets: &[Target], slots: &[Slot], urgency: Urgency) -> Bytes {
    let headers = match urgency {
        Urgency::Live => BTreeMap::new(),
        Urgency::Background => BTreeMap::from([(PRIORITY_NAME, LOW)]),
    };
    let open = targets.iter().zip(slots).enumerate().filter(|(_, (_, slot))| slot.is_open());
    let requests = open
        .map(|(id, (target, _))| Part {
            id: id.to_string(),
            method: "GET",
            url: target.relative(),
            headers: headers.clone(),
        })
        .collect();
    Bytes::from(serde_json::to_vec(&Requests { requests }).unwrap_or_default())
}

fn header_map(headers: &Map<String, Value>) -> HeaderMap {
    let pairs = headers.iter().filter_map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    });
    pairs.collect()
}
