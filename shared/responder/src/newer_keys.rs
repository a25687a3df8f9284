//! Keys are replaced while a process goes on. Whoever feeds a router, and can read the keys again, says so with the request, and hears
//! with the answer that it may help.

use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

/// Goes with a request, as an extension: what no key of ours fits is answered with [`NoKeyFits`], and otherwise left alone.
#[derive(Debug, Clone, Copy)]
pub struct KeysMayBeOld;

/// Goes with an answer, as an extension: nothing was taken, counted or told. Whoever was answered asks again, without
/// [`KeysMayBeOld`], and that answer counts.
#[derive(Debug, Clone, Copy)]
pub struct NoKeyFits;

/// A status that would lose nothing, if somebody passed it on.
pub(crate) fn no_key_fits() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Extension(NoKeyFits)).into_response()
}
