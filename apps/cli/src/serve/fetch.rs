//! Photographs by their addresses, of those that may be fetched.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::OwnedSemaphorePermit;

use super::asked::{INSTEAD, Input};
use super::embeddings::aside;
use super::refusal::Refusal;
use super::service::Service;

/// The refusal of an address where none is fetched.
pub(super) fn refused(at: usize) -> Refusal {
    Refusal::bad("input", format!("input[{at}]: addresses are not fetched here: {INSTEAD}"))
}

/// Addresses as what lies there, and the room that it takes. All of a request together may have as many bytes as the
/// request itself, and take as long.
pub(super) async fn photographs(
    service: &Arc<Service>,
    inputs: Vec<Input>,
) -> Result<(Vec<Input>, Option<OwnedSemaphorePermit>), Refusal> {
    let Some(first) = inputs.iter().position(|input| matches!(input, Input::Address(_))) else {
        return Ok((inputs, None));
    };
    if service.web.is_none() {
        return Err(refused(first));
    }
    let room = service.room(service.limits.body)?;
    // It is never closed.
    let _turn = service.fetching.acquire().await.ok();
    let given = service.clone();
    Ok((aside(move || fetched(&given, inputs)).await?, Some(room)))
}

fn fetched(service: &Service, inputs: Vec<Input>) -> Result<Vec<Input>, Refusal> {
    let (mut left, start) = (service.limits.body, Instant::now());
    let mut fetch = |(at, input): (usize, Input)| {
        let Input::Address(address) = input else { return Ok(input) };
        let web = service.web.as_ref().ok_or_else(|| refused(at))?;
        let time = service.limits.time.saturating_sub(start.elapsed());
        let bytes = web
            .get(&address, left, time)
            .map_err(|error| Refusal::bad("input", format!("input[{at}]: {error}")))?;
        left -= bytes.len() as u64;
        Ok(Input::Photo(bytes))
    };
    inputs.into_iter().enumerate().map(&mut fetch).collect()
}
