//! Which address answers what, and what holds for all of them: the key, origins, numbers, the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, ORIGIN,
    VARY,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use internvit::error::short;
use serde::Serialize;
use serde_json::{Value, json as value};

use super::body;
use super::counts::Line;
use super::embeddings::{self, Inputs};
use super::refusal::Refusal;
use super::service::Service;

/// The header of a request's number.
const NUMBER: HeaderName = HeaderName::from_static("x-request-id");

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/v1/embeddings", post(embeddings::embed))
        .route("/v1/models", get(models))
        .route("/v1/models/{*name}", get(model))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(service.clone(), guarded))
        .with_state(service)
}

/// A JSON answer.
pub(super) fn json(value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

fn described(service: &Service) -> Value {
    let inputs = if service.tokenizer.is_some() { vec!["image", "text"] } else { vec!["image"] };
    value!({
        "id": service.name, "object": "model", "created": service.since, "owned_by": "internvit",
        "dimensions": service.width, "inputs": inputs,
    })
}

async fn models(State(service): State<Arc<Service>>) -> Response {
    json(&value!({ "object": "list", "data": [described(&service)] }))
}

async fn model(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    match name == service.name {
        true => Ok(json(&described(&service))),
        false => Err(embeddings::unknown(&service, &name)),
    }
}

/// Whether the device computed what was asked last.
async fn health(State(service): State<Arc<Service>>) -> Response {
    let waiting = service.waiting();
    match service.fault() {
        None => json(&value!({ "status": "ok", "waiting": waiting })),
        Some(why) => {
            let body = value!({ "status": "failing", "reason": why, "waiting": waiting });
            (StatusCode::SERVICE_UNAVAILABLE, json(&body)).into_response()
        }
    }
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], service.counts.page(&service)).into_response()
}

async fn nothing(request: Request) -> Refusal {
    let path = short(request.uri().path(), 200);
    let text = format!(
        "{path}: nothing is here; there are /v1/embeddings, /v1/models, /healthz, /metrics"
    );
    Refusal::new(StatusCode::NOT_FOUND, "not_found", text)
}

async fn wrong_method(request: Request) -> Refusal {
    let text = format!("{}: not of {}", request.method(), request.uri().path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", text)
}

/// What holds for every request.
async fn guarded(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let number = number(&service, request.headers());
    let mut told = Told::new(service.clone(), &request, number.clone());
    let origin = request.headers().get(ORIGIN).cloned();
    let asks_first = request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match admitted(&service, &request, asks_first) {
        Err(refusal) => {
            body::drain(request.into_body()).await;
            refusal.into_response()
        }
        Ok(()) if asks_first => permission(request.headers()),
        Ok(()) => next.run(request).await,
    };
    let headers = response.headers_mut();
    if let Some(origin) = origin.filter(|origin| allows(&service, origin)) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, HeaderValue::from_static("origin"));
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("x-request-id, retry-after"),
        );
    }
    headers.extend(HeaderValue::from_str(&number).ok().map(|number| (NUMBER, number)));
    told.status = response.status().as_u16();
    told.inputs = response.extensions().get::<Inputs>().map_or(0, |inputs| inputs.0);
    response
}

/// Refuses pages of other origins, which may reach what only this machine does, and who has no key.
fn admitted(service: &Service, request: &Request, asks_first: bool) -> Result<(), Refusal> {
    let headers = request.headers();
    if let Some(origin) = headers.get(ORIGIN).filter(|origin| !allows(service, origin)) {
        let origin = short(String::from_utf8_lossy(origin.as_bytes()), 200);
        let text = format!(
            "pages of {origin} may not ask this server: it was not started with --cors {origin}"
        );
        return Err(Refusal::new(StatusCode::FORBIDDEN, "origin", text));
    }
    let open = asks_first || request.uri().path() == "/healthz";
    let Some(key) = service.key.as_ref().filter(|_| !open) else { return Ok(()) };
    let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    if same(given, format!("Bearer {key}").as_bytes()) {
        return Ok(());
    }
    let text = "expected the header \"Authorization: Bearer KEY\" with this server's key";
    Err(Refusal::new(StatusCode::UNAUTHORIZED, "invalid_api_key", text))
}

/// Compares all bytes, so that time tells nothing of the key but its length.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |other, (a, b)| other | (a ^ b)) == 0
}

fn allows(service: &Service, origin: &HeaderValue) -> bool {
    service.origins.iter().any(|known| known == "*" || known.as_bytes() == origin.as_bytes())
}

/// What a page that asks first may send.
fn permission(headers: &HeaderMap) -> Response {
    let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = StatusCode::NO_CONTENT.into_response();
    let given = response.headers_mut();
    given.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    given.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    given.extend(asked.map(|asked| (ACCESS_CONTROL_ALLOW_HEADERS, asked)));
    response
}

/// The client's number of a request where it has one that can be shown, else one of its own.
fn number(service: &Service, headers: &HeaderMap) -> String {
    let given = headers.get(NUMBER).and_then(|number| number.to_str().ok());
    let shown = |number: &&str| {
        (1..=128).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let next =
        || format!("{:x}-{:x}", service.since, service.counts.next.fetch_add(1, Ordering::Relaxed));
    given.filter(shown).map_or_else(next, str::to_string)
}

/// A request that is told when it is over, also where its client went away before.
struct Told {
    service: Arc<Service>,
    number: String,
    method: Method,
    path: String,
    start: Instant,
    status: u16,
    inputs: usize,
}

impl Told {
    fn new(service: Arc<Service>, request: &Request, number: String) -> Self {
        let (method, path) = (request.method().clone(), short(request.uri().path(), 200));
        Self { service, number, method, path, start: Instant::now(), status: 0, inputs: 0 }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.service.counts.count(self.status);
        self.service.log.request(&Line {
            id: &self.number,
            method: self.method.as_str(),
            path: &self.path,
            status: self.status,
            inputs: self.inputs,
            time: self.start.elapsed(),
        });
    }
}
