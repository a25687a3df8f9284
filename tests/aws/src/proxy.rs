//! A proxy on loopback between the client and the emulator, which does to requests and answers what networks do.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What becomes of one request.
pub enum Fault {
    None,
    /// It never arrives; the connection breaks.
    LoseRequest,
    /// It is carried out, then that happens, then the connection breaks.
    LoseAnswer(Then),
    /// It is carried out, and the service says that something went wrong.
    SayInternalError,
    /// It never arrives, and this is the answer.
    Answer(u16, String),
    /// Nobody ever answers.
    Hang,
    /// It is carried out, and the answer says that it is another time.
    Dated(String),
    /// It arrives with this body instead of its own, and that happens.
    Changed(Value, Box<Fault>),
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::LoseRequest => "LoseRequest",
            Self::LoseAnswer(_) => "LoseAnswer",
            Self::SayInternalError => "SayInternalError",
            Self::Answer(_, _) => "Answer",
            Self::Hang => "Hang",
            Self::Dated(_) => "Dated",
            Self::Changed(_, _) => "Changed",
        })
    }
}

pub type Then = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Fault {
    pub fn lose_answer() -> Self {
        Self::LoseAnswer(Box::pin(async {}))
    }

    pub fn refuse(code: &str) -> Self {
        let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"in a test"}}"#);
        Self::Answer(400, body)
    }
}

/// What a random history draws.
#[derive(Debug, Clone, Copy)]
pub enum Mishap {
    Nothing,
    LostRequest,
    LostAnswer,
    InternalError,
    Throttled,
}

impl From<Mishap> for Fault {
    fn from(mishap: Mishap) -> Self {
        match mishap {
            Mishap::Nothing => Self::None,
            Mishap::LostRequest => Self::LoseRequest,
            Mishap::LostAnswer => Self::lose_answer(),
            Mishap::InternalError => Self::SayInternalError,
            Mishap::Throttled => Self::refuse("ThrottlingException"),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Request {
    pub operation: String,
    /// How many of this operation came before it.
    pub before: usize,
    pub body: Value,
}

/// Each connection ends with the test's runtime.
#[derive(Debug)]
pub struct Proxy {
    pub address: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Proxy {
    pub async fn start(script: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (seen, script) = (Arc::default(), Arc::new(script));
        let requests = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&requests));
                tokio::spawn(async move { serve(client, &*script, &seen).await });
            }
        });
        Self { address, seen }
    }

    /// All that came, in the order in which it came.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    pub fn count(&self, operation: &str) -> usize {
        self.seen().iter().filter(|request| request.operation == operation).count()
    }
}

async fn serve(
    mut client: TcpStream,
    script: &(impl Fn(&Request) -> Fault + ?Sized),
    seen: &Mutex<Vec<Request>>,
) {
    while let Some(mut message) = read(&mut client).await {
        let request = note(&message, seen);
        let mut fault = script(&request);
        while let Fault::Changed(body, then) = fault {
            message = message.with(&body);
            fault = *then;
        }
        let Some(answer) = answer_to(&message, fault).await else { return };
        if client.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// Nothing: the connection breaks.
async fn answer_to(message: &Message, fault: Fault) -> Option<Vec<u8>> {
    match fault {
        Fault::None | Fault::Changed(_, _) => Some(pass(&message.bytes).await),
        Fault::LoseRequest => None,
        Fault::LoseAnswer(then) => {
            pass(&message.bytes).await;
            then.await;
            None
        }
        Fault::SayInternalError => {
            pass(&message.bytes).await;
            Some(answer(500, r#"{"__type":"InternalServerError","message":"in a test"}"#))
        }
        Fault::Answer(status, body) => Some(answer(status, &body)),
        Fault::Hang => std::future::pending().await,
        Fault::Dated(date) => Some(dated(pass(&message.bytes).await, &date)),
    }
}

fn note(message: &Message, seen: &Mutex<Vec<Request>>) -> Request {
    let operation = message.header("x-amz-target").unwrap();
    let operation = operation.rsplit('.').next().unwrap().to_owned();
    let body = serde_json::from_slice(&message.bytes[message.head..]).unwrap();
    let mut seen = seen.lock().unwrap();
    let before = seen.iter().filter(|request| request.operation == operation).count();
    let request = Request { operation, before, body };
    seen.push(request.clone());
    request
}

fn answer(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn dated(mut answer: Vec<u8>, date: &str) -> Vec<u8> {
    let first = answer.windows(2).position(|two| two == b"\r\n").unwrap();
    // Before the service's own: whoever reads takes the first.
    let _ = answer.splice(first..first, format!("\r\nDate: {date}").into_bytes());
    answer
}

async fn pass(request: &[u8]) -> Vec<u8> {
    let host = crate::address().trim_start_matches("http://");
    let mut server = TcpStream::connect(host).await.unwrap();
    server.write_all(request).await.unwrap();
    read(&mut server).await.unwrap().bytes
}

struct Message {
    bytes: Vec<u8>,
    /// The length of its first line and headers.
    head: usize,
}

impl Message {
    fn with(&self, body: &Value) -> Self {
        let body = body.to_string();
        let head = String::from_utf8_lossy(&self.bytes[..self.head]).into_owned();
        let is_length = |line: &str| line.to_ascii_lowercase().starts_with("content-length:");
        let mut lines: Vec<_> =
            head.trim_end().lines().filter(|line| !is_length(line)).map(str::to_owned).collect();
        lines.push(format!("Content-Length: {}\r\n\r\n", body.len()));
        let head = lines.join("\r\n");
        Self { bytes: [head.as_bytes(), body.as_bytes()].concat(), head: head.len() }
    }

    fn header(&self, name: &str) -> Option<String> {
        let head = String::from_utf8_lossy(&self.bytes[..self.head]).into_owned();
        let mut pairs = head.lines().filter_map(|line| line.split_once(':'));
        let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned())
    }
}

/// One message with a `Content-Length`, or nothing where the connection has ended.
async fn read(stream: &mut TcpStream) -> Option<Message> {
    let mut bytes = Vec::new();
    let end = b"\r\n\r\n";
    let head = loop {
        if let Some(at) = bytes.windows(end.len()).position(|window| window == end) {
            break at + end.len();
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut message = Message { bytes, head };
    let length: usize = message.header("content-length")?.parse().unwrap();
    while message.bytes.len() < head + length {
        if stream.read_buf(&mut message.bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(message)
}
