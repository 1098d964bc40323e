//! `POST /v1/embeddings`

use std::io::Cursor;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use internvit::budget::picture_pixels;
use internvit::error::short;
use internvit::session::Words;
use serde::Serialize;

use super::asked::{Asked, INSTEAD, Input};
use super::refusal::Refusal;
use super::service::Service;
use super::{body, fetch, multipart, routes};

#[derive(Serialize)]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Row>,
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Row {
    object: &'static str,
    index: usize,
    embedding: Values,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Values {
    Numbers(Vec<f32>),
    /// The base64 of their bytes, the lowest first.
    Packed(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

/// How many photographs and texts an answer is about, for the log.
#[derive(Clone, Copy)]
pub(super) struct Inputs(pub(super) usize);

pub(super) async fn embed(State(service): State<Arc<Service>>, request: Request) -> Response {
    let (head, mut body) = request.into_parts();
    match answer(&service, &head.headers, &mut body).await {
        Ok(response) => response,
        Err(refusal) => {
            body::drain(body).await;
            refusal.into_response()
        }
    }
}

async fn answer(
    service: &Arc<Service>,
    headers: &HeaderMap,
    body: &mut Body,
) -> Result<Response, Refusal> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = multipart::boundary(kind)?;
    let is_json = kind
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if boundary.is_none() && !is_json {
        let text = format!(
            "content-type {:?}: expected application/json or multipart/form-data",
            short(kind, 100)
        );
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", text));
    }
    let (bytes, room) = body::read(service, headers, body).await?;
    let asked = match boundary {
        Some(boundary) => multipart::read(bytes, boundary).await?,
        None => aside(move || Asked::of_json(&bytes)).await?,
    };
    suits(service, &asked)?;
    let (packed, count) = (asked.packed, asked.inputs.len());
    let places = service.places(count)?;
    let (inputs, fetched) = fetch::photographs(service, asked.inputs).await?;
    let start = Instant::now();
    let given = service.clone();
    let inputs = aside(move || prepared(&given, inputs)).await?;
    let (data, tokens) = computed(service, inputs, packed).await?;
    service.took(start.elapsed());
    drop((places, room, fetched));
    let usage = Usage { prompt_tokens: tokens, total_tokens: tokens };
    let answer = Answer { object: "list", data, model: &service.name, usage };
    let mut response = routes::json(&answer);
    response.extensions_mut().insert(Inputs(count));
    Ok(response)
}

/// Does what takes a while on another thread, so that others are answered meanwhile.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let failed = |_| {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "reading the request failed")
    };
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

/// That it is this model and what it gives that are asked for.
fn suits(service: &Service, asked: &Asked) -> Result<(), Refusal> {
    if let Some(model) = asked.model.as_ref().filter(|model| **model != service.name) {
        return Err(unknown(service, model));
    }
    match asked.dimensions {
        Some(dimensions) if dimensions != service.width as u64 => {
            let text = format!(
                "dimensions {dimensions}: this model's embeddings have {} values, and are not cut",
                service.width
            );
            Err(Refusal::bad("dimensions", text))
        }
        _ => Ok(()),
    }
}

pub(super) fn unknown(service: &Service, model: &str) -> Refusal {
    let text = format!("model {:?}: this server has {:?}", short(model, 200), service.name);
    Refusal::new(StatusCode::NOT_FOUND, "model_not_found", text)
}

/// What the model takes.
enum Prepared {
    Photo(Vec<u8>),
    Text(Words),
}

/// Photographs of which none is too large, texts as tokens.
fn prepared(service: &Service, inputs: Vec<Input>) -> Result<Vec<Prepared>, Refusal> {
    let prepare = |(at, input): (usize, Input)| match input {
        Input::Photo(bytes) => {
            let (pixels, most) = (picture_pixels(Cursor::new(&bytes)), service.limits.pixels);
            if pixels > most {
                let text = format!(
                    "input[{at}]: a photograph of {pixels} pixels, this server takes {most}"
                );
                let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_pixels", text);
                return Err(refusal);
            }
            Ok(Prepared::Photo(bytes))
        }
        Input::Address(_) => Err(fetch::refused(at)),
        Input::Text(text) => {
            let Some(tokenizer) = &service.tokenizer else {
                let name = &service.name;
                let text = format!("input[{at}]: a text, and {name} reads none here: {INSTEAD}");
                return Err(Refusal::bad("input", text));
            };
            let words = tokenizer.read(&text);
            words
                .map(Prepared::Text)
                .map_err(|e| Refusal::bad("input", format!("input[{at}]: {e}")))
        }
    };
    inputs.into_iter().enumerate().map(prepare).collect()
}

/// Embeddings that the model was asked for, of inputs with these places, and how many tokens they took.
type Wait = Pin<Box<dyn Future<Output = internvit::Result<(Vec<Vec<f32>>, usize)>> + Send>>;

/// Asks the model for all, then waits for each. Where the client goes away, so does what waits.
async fn computed(
    service: &Service,
    inputs: Vec<Prepared>,
    packed: bool,
) -> Result<(Vec<Row>, usize), Refusal> {
    let (count, mut waits, mut texts) =
        (inputs.len(), Vec::<(Vec<usize>, Wait)>::new(), Vec::new());
    for (at, input) in inputs.into_iter().enumerate() {
        match input {
            Prepared::Photo(bytes) => {
                let features = service.model.spawn_features(format!("input[{at}]"), bytes);
                let wait = async {
                    let features = features.await?;
                    Ok((vec![features.embedding().to_vec()], features.token_count()))
                };
                waits.push((vec![at], Box::pin(wait)));
            }
            Prepared::Text(words) => texts.push((at, words)),
        }
    }
    service.counts.photographs.fetch_add(waits.len() as u64, Ordering::Relaxed);
    service.counts.texts.fetch_add(texts.len() as u64, Ordering::Relaxed);
    // A few at a time, so that photographs of others come in between.
    for some in texts.chunks(service.limits.batch) {
        let (places, words): (Vec<usize>, Vec<Words>) = some.iter().cloned().unzip();
        let tokens = words.iter().map(|words| words.ids.len()).sum();
        let texts = service.model.spawn_text(words);
        let wait = async move {
            let rows = texts.await?.embeddings();
            let width = rows.shape.last().copied().unwrap_or(1).max(1);
            Ok((rows.values.chunks(width).map(<[f32]>::to_vec).collect(), tokens))
        };
        waits.push((places, Box::pin(wait)));
    }
    let (mut data, mut tokens) = (Vec::with_capacity(count), 0);
    for (places, wait) in waits {
        let (rows, more) = wait.await.map_err(|error| service.failed(&places, &error))?;
        tokens += more;
        data.extend(places.into_iter().zip(rows).map(|(index, row)| Row::new(index, row, packed)));
    }
    data.sort_by_key(|row| row.index);
    Ok((data, tokens))
}

impl Row {
    fn new(index: usize, values: Vec<f32>, packed: bool) -> Self {
        let bytes = || values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let embedding = match packed {
            true => Values::Packed(BASE64_STANDARD.encode(bytes())),
            false => Values::Numbers(values),
        };
        Self { object: "embedding", index, embedding }
    }
}
