//! As little of AWS as the start of a function asks for, from memory: what answers at once says how long the function takes, and not
//! the service.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

/// `openssl rand -base64 32` would make such a key.
pub(super) const KEYS: &str = "k1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";

type Items = Arc<Mutex<HashMap<String, Value>>>;

/// Where it serves.
pub(super) async fn serve() -> anyhow::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let router = Router::new().route("/", post(answer)).with_state(Items::default());
    tokio::spawn(async move {
        // It ends with this measurement.
        let _ = axum::serve(listener, router).await;
    });
    Ok(address)
}

async fn answer(State(items): State<Items>, headers: HeaderMap, body: Bytes) -> (StatusCode, Json<Value>) {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default();
    match of(&items, operation, &asked) {
        Some(answer) => (StatusCode::OK, Json(answer)),
        None => (
            StatusCode::BAD_REQUEST,
            Json(json!({ "__type": "UnknownOperationException", "message": target })),
        ),
    }
}

fn of(items: &Items, operation: &str, asked: &Value) -> Option<Value> {
    let mut items = items.lock().ok()?;
    Some(match operation {
        "GetItem" => match items.get(&place(&asked["Key"])) {
            Some(item) => json!({ "Item": item }),
            None => json!({}),
        },
        "PutItem" => {
            items.insert(place(&asked["Item"]), asked["Item"].clone());
            json!({})
        }
        "BatchGetItem" => json!({ "Responses": {}, "UnprocessedKeys": {} }),
        "Query" => json!({ "Items": [], "Count": 0, "ScannedCount": 0 }),
        "TransactWriteItems" => json!({}),
        "SendMessage" => json!({ "MessageId": "5fea7756-0ea4-451a-a703-a558b933e274" }),
        "SendMessageBatch" => {
            let entries = asked["Entries"].as_array()?;
            let sent = entries.iter().map(|entry| json!({ "Id": entry["Id"], "MessageId": entry["Id"] }));
            json!({ "Successful": sent.collect::<Vec<_>>(), "Failed": [] })
        }
        "GetParameter" => {
            json!({ "Parameter": { "Name": asked["Name"], "Value": secret(asked["Name"].as_str()?) } })
        }
        _ => return None,
    })
}

fn place(of: &Value) -> String {
    format!("{} {}", of["pk"], of["sk"])
}

fn secret(name: &str) -> &'static str {
    match name {
        "/keys" => KEYS,
        "/slack" => "https://hooks.slack.com/services/T00000000/B00000000/measured",
        _ => "a-client-secret",
    }
}
