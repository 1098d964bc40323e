//! The thread that owns a model's encoder, and what it is asked.

use std::ops::ControlFlow;
use std::sync::mpsc::Receiver;

use futures_channel::oneshot;

use super::About;
use crate::many::{PhotoFeatures, Ready, Together};
use crate::{Encoder, Result};

/// What the thread is asked.
pub(super) enum Request {
    /// Anything; it answers by itself.
    Work(Box<dyn FnOnce(&mut Encoder) + Send>),
    /// The features of a photograph, alone or with others that wait too.
    Photo(Waiting),
}

/// A photograph, and who waits for its features.
pub(super) struct Waiting {
    pub(super) photo: Ready,
    pub(super) answer: oneshot::Sender<Result<PhotoFeatures>>,
}

/// Answers requests until no sender is left.
pub(super) fn serve(encoder: &mut Encoder, inbox: &Receiver<Request>, about: &About) {
    // A request that was taken while a batch was gathered and does not belong to it.
    let mut kept = None;
    while let Some(request) = kept.take().or_else(|| inbox.recv().ok()) {
        match request {
            Request::Work(work) => work(encoder),
            // Who waited has gone.
            Request::Photo(first) if first.answer.is_canceled() => {}
            Request::Photo(first) => {
                let mut batch = vec![first];
                while batch.len() < about.batch {
                    match inbox.try_recv() {
                        Ok(Request::Photo(gone)) if gone.answer.is_canceled() => {}
                        Ok(Request::Photo(more)) if batch[0].photo.same_size(&more.photo) => {
                            batch.push(more);
                        }
                        other => {
                            kept = other.ok();
                            break;
                        }
                    }
                }
                answer(encoder, batch, about);
            }
        }
    }
}

fn answer(encoder: &mut Encoder, batch: Vec<Waiting>, about: &About) {
    let (photos, answers): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.photo, waiting.answer)).unzip();
    let (go_on, run) = (&|| ControlFlow::Continue(()), &|| about.count_run());
    let together = Together { taps: &[], bare: false, go_on, run };
    let found = about.noting(encoder, |encoder| features(encoder, photos, &together));
    let mut all = found.map(Vec::into_iter);
    for answer in answers {
        let _ = answer.send(match &mut all {
            Ok(all) => all.next().unwrap_or_else(|| Err(super::stopped())),
            Err(error) => Err(error.clone()),
        });
    }
}

/// Features of photographs of one size that are not cut, in their order.
pub(super) fn features(
    encoder: &mut Encoder,
    photos: Vec<Ready>,
    together: &Together<'_>,
) -> Result<Vec<Result<PhotoFeatures>>> {
    let one = |mut rows: Vec<PhotoFeatures>| rows.pop().ok_or_else(super::stopped);
    let encoded = pollster::block_on(together.encode(encoder, photos))?;
    Ok(encoded.into_iter().map(|rows| rows.and_then(one)).collect())
}
