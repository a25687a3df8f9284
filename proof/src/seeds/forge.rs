//! Notifications that the tenant did not send: from somebody who guesses, and from somebody who knows the `clientState`.

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use uuid::Uuid;

use super::acts::Forgery;
use super::world::World;

pub(super) async fn post(world: &World, how: Forgery, guest: Uuid) {
    let subscriptions = world.simulator.subscriptions();
    let wanted = if how == Forgery::Members { "/groups" } else { "/users" };
    let Some(one) = subscriptions.iter().find(|one| one.resource == wanted) else { return };
    let Some(receiver) = world.process.as_ref().and_then(|process| process.parts.receiver.clone()) else {
        return;
    };
    let right = one.client_state.clone().unwrap_or_default();
    let item = |state: &str, id: Uuid, kind: &str, more: Value| {
        let (set, name) = if wanted == "/groups" { ("Groups", "Group") } else { ("Users", "User") };
        let mut data = json!({
            "@odata.type": format!("#Microsoft.Graph.{name}"),
            "@odata.id": format!("{set}/{id}"),
            "id": id,
            "organizationId": simulator::contoso::TENANT,
            "sequenceNumber": 638_059_995_676_961_300_u64,
        });
        if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
            data.extend(more);
        }
        json!({
            "changeType": kind,
            "clientState": state,
            "resource": format!("{set}/{id}"),
            "resourceData": data,
            "subscriptionExpirationDateTime": one.expires_at.to_string(),
            "subscriptionId": one.id,
            "tenantId": simulator::contoso::TENANT,
        })
    };
    let item = match how {
        Forgery::WrongState => item("gl1.guessed", guest, "updated", json!({})),
        Forgery::Nobody => {
            item(&right, Uuid::from_u128(u128::from(world.seed) | 7 << 100), "updated", json!({}))
        }
        Forgery::Colleague => item(&right, world.dave, "updated", json!({})),
        Forgery::Deleted => item(&right, guest, "deleted", json!({})),
        Forgery::Members => {
            let members = json!([
                { "id": world.dave },
                { "id": guest, "@removed": "deleted" },
                { "id": simulator::contoso::BOB, "@removed": "deleted" },
            ]);
            let group = world.groups.last().copied().unwrap_or_default();
            item(&right, group, "updated", json!({ "members@delta": members }))
        }
    };
    let body = json!({ "value": [item] }).to_string();
    let request = Request::post("/graph/notifications")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body));
    // A receiver that has died in the middle never answers.
    let Ok(request) = request else { return };
    let patience = std::time::Duration::from_secs(3);
    let _answer = tokio::time::timeout(patience, receiver.router().oneshot(request)).await;
}
