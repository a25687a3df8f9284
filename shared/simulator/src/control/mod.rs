//! The control API, for people who try out policies: the acts of a tenant as small POSTs, and its true state. It
//! shares the port with Graph and needs no token. The acts themselves are in `acts` and `group_acts`.
mod acts;
mod group_acts;
mod shown;

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};

use crate::directory::Directory;
use crate::world::World;

/// What was wrong, with the fix.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    text: String,
}

impl Problem {
    pub(crate) fn wrong(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    pub(crate) fn missing(text: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, text: text.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.text}))).into_response()
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::wrong(format!(
            "{}; send JSON with Content-Type: application/json, fields as GET /control/acts lists them",
            rejection.body_text()
        ))
    }
}

pub(crate) type Done = Result<Json<Value>, Problem>;

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/control/invite", post(acts::invite))
        .route("/control/redeem", post(acts::redeem))
        .route("/control/add-user", post(acts::add_user))
        .route("/control/add-member", post(group_acts::add_member))
        .route("/control/remove-member", post(group_acts::remove_member))
        .route("/control/add-owner", post(group_acts::add_owner))
        .route("/control/remove-owner", post(group_acts::remove_owner))
        .route("/control/group", post(group_acts::group))
        .route("/control/rename-group", post(group_acts::rename_group))
        .route("/control/label", post(group_acts::label))
        .route("/control/visibility", post(group_acts::visibility))
        .route("/control/delete-group", post(group_acts::delete_group))
        .route("/control/restore-group", post(group_acts::restore_group))
        .route("/control/add-object", post(group_acts::add_object))
        .route("/control/disable", post(acts::disable))
        .route("/control/enable", post(acts::enable))
        .route("/control/promote", post(acts::promote))
        .route("/control/delete", post(acts::delete))
        .route("/control/restore", post(acts::restore))
        .route("/control/purge", post(acts::purge))
        .route("/control/role", post(acts::role))
        .route("/control/faults", get(shown::faults).post(acts::faults))
        .route("/control/users", get(shown::users))
        .route("/control/groups", get(shown::groups))
        .route("/control/subscriptions", get(shown::subscriptions))
        .route("/control/acts", get(shown::acts))
}

pub(crate) fn directory(world: &State<Arc<World>>) -> Directory {
    Directory::new(Arc::clone(world))
}
