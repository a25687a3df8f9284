//! The front door, as an HTTP API of AWS is one: each request becomes an event (payload 2.0) and its answer a response.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::function::Function;

#[derive(Clone)]
struct Door {
    function: Arc<Function>,
    encodes: bool,
}

/// Serves on loopback what the function answers, and gives the address. Whether bodies are encoded depends on their kind on AWS;
/// here they all are, or none.
pub(crate) async fn open(function: Arc<Function>, encodes: bool) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(pass).with_state(Door { function, encodes });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn pass(State(Door { function, encodes }): State<Door>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 10 * 1024 * 1024).await.unwrap();
    let mut event = sample();
    let query = head.uri.query().unwrap_or_default();
    event["rawPath"] = head.uri.path().into();
    event["requestContext"]["http"]["path"] = head.uri.path().into();
    event["requestContext"]["http"]["method"] = head.method.as_str().into();
    event["rawQueryString"] = query.into();
    event["queryStringParameters"] = Value::Null;
    for (name, value) in &head.headers {
        event["headers"][name.as_str()] = value.to_str().unwrap().into();
    }
    set_body(&mut event, &body, encodes);
    response(&function.invoke(event).await.unwrap())
}

/// `events/aws/http-plain.json`, of which the tests change what they are about.
pub(crate) fn sample() -> Value {
    crate::sample("http-plain.json")
}

fn set_body(event: &mut Value, body: &Bytes, encodes: bool) {
    event["isBase64Encoded"] = encodes.into();
    event["body"] = if encodes {
        BASE64_STANDARD.encode(body).into()
    } else {
        String::from_utf8(body.to_vec()).unwrap().into()
    };
}

fn response(answer: &Value) -> Response {
    let status = u16::try_from(answer["statusCode"].as_u64().expect("a status")).unwrap();
    let text = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == json!(true) {
        BASE64_STANDARD.decode(text).unwrap()
    } else {
        text.as_bytes().to_vec()
    };
    let mut response = Response::new(axum::body::Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let name: HeaderName = name.parse().unwrap();
        response.headers_mut().insert(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
    }
    response
}
