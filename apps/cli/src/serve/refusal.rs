//! What was not done, as OpenAI's clients read it.

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use internvit::Error;
use internvit::error::one_line;
use serde_json::json;

/// A status, and `{"error": {"message", "type", "param", "code"}}`.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    code: &'static str,
    /// The field of the request.
    param: Option<&'static str>,
    message: String,
    /// Seconds after which it may be tried again.
    after: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl ToString) -> Self {
        let message = one_line(message.to_string());
        Self { status, code, param: None, message, after: None }
    }

    /// A field of the request that cannot be taken so.
    pub(super) fn bad(param: &'static str, message: impl ToString) -> Self {
        let refusal = Self::new(StatusCode::BAD_REQUEST, "invalid_value", message);
        Self { param: Some(param), ..refusal }
    }

    /// A photograph or text that the library does not take, or cannot compute, and its place.
    pub(super) fn of(error: &Error, place: &str) -> Self {
        let (status, code) = match error {
            Error::Image { .. } => (StatusCode::BAD_REQUEST, "invalid_image"),
            Error::Input(_) => (StatusCode::BAD_REQUEST, "invalid_value"),
            Error::NotFinite(_) => (StatusCode::UNPROCESSABLE_ENTITY, "not_finite"),
            Error::Device(_) | Error::Lost(_) => (StatusCode::SERVICE_UNAVAILABLE, "device"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let param = status.is_client_error().then_some("input");
        Self { param, ..Self::new(status, code, format!("{place}{error}")) }
    }

    /// With the seconds after which it may be tried again.
    pub(super) fn after(self, seconds: u64) -> Self {
        Self { after: Some(seconds), ..self }
    }

    /// OpenAI's word for a status.
    fn kind(&self) -> &'static str {
        match self.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "permission_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": {
            "message": self.message, "type": self.kind(), "param": self.param, "code": self.code,
        }});
        let mut response = (self.status, super::routes::json(&body)).into_response();
        let headers = response.headers_mut();
        headers.extend(self.after.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
