//! A request's bytes: how many, how long they may take, and what is done with those that are not wanted.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use internvit::budget::Amount;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::refusal::Refusal;
use super::service::Service;

/// How long a refused request is read on, so that its client comes to read why.
const PATIENCE: Duration = Duration::from_secs(2);

/// The bytes of a request, and the room that they take.
pub(super) async fn read(
    service: &Service,
    headers: &HeaderMap,
    body: &mut Body,
) -> Result<(Vec<u8>, OwnedSemaphorePermit), Refusal> {
    let most = service.limits.body;
    let claimed = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if claimed.is_some_and(|length| length > most) {
        return Err(too_long(most));
    }
    // Of one that does not say how long it is, as long as it may be.
    let room = service.room(claimed.unwrap_or(most))?;
    let read = timeout(service.limits.time, gather(body, claimed.unwrap_or_default(), most)).await;
    let late = |_| {
        let text = format!("the request took longer than {} s", service.limits.time.as_secs());
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", text)
    };
    Ok((read.map_err(late)??, room))
}

async fn gather(body: &mut Body, claimed: u64, most: u64) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::with_capacity(claimed as usize);
    while let Some(frame) = body.frame().await {
        let broken = |e| {
            Refusal::new(StatusCode::BAD_REQUEST, "broken", format!("the request broke off: {e}"))
        };
        if let Ok(data) = frame.map_err(broken)?.into_data() {
            if (bytes.len() + data.len()) as u64 > most {
                return Err(too_long(most));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

fn too_long(most: u64) -> Refusal {
    let text = format!("the request has more than {} ({most} bytes)", Amount(most));
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text)
}

/// Reads on and forgets: a client that still writes when its connection ends never reads the answer.
pub(super) async fn drain(mut body: Body) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    let _ = timeout(PATIENCE, rest).await;
}
