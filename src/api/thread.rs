//! The thread that owns a model's encoder, and what it is asked.

use std::slice::from_ref;
use std::sync::mpsc::Receiver;

use futures_channel::oneshot;

use super::{About, Cancel, PhotoFeatures};
use crate::image::{Fit, Picture};
use crate::{Encoder, Error, Images, Result};

/// Photographs of one size that are encoded at once, where no number is given.
pub(super) const BATCH: usize = 8;

/// What the thread is asked.
pub(super) enum Request {
    /// Anything; it answers by itself.
    Work(Box<dyn FnOnce(&mut Encoder) + Send>),
    /// The features of a photograph, alone or with others that wait too.
    Photo(Waiting),
}

/// A photograph at the model's size.
pub(super) struct Ready {
    pub(super) name: String,
    pub(super) picture: Picture,
    /// Width and height that it had before.
    size: [u32; 2],
}

impl Ready {
    pub(super) fn new(name: String, photo: &Picture, fit: &Fit) -> Result<Self> {
        let size = [photo.width, photo.height];
        Ok(Self { name, picture: fit.apply(photo)?, size })
    }

    pub(super) fn same_size(&self, other: &Self) -> bool {
        let size = |picture: &Picture| (picture.width, picture.height);
        size(&self.picture) == size(&other.picture)
    }
}

/// What is wanted of photographs.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    /// Hidden states besides the last.
    pub(super) taps: Vec<usize>,
    /// The patches of the last hidden state are let go.
    pub(super) bare: bool,
    pub(super) cancel: Cancel,
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
    let count = || about.count_run();
    let found =
        about.noting(encoder, |encoder| encode(encoder, photos, &Wanted::default(), &count));
    let mut all = found.map(Vec::into_iter);
    for answer in answers {
        let _ = answer.send(match &mut all {
            Ok(all) => all.next().unwrap_or_else(|| Err(super::stopped())),
            Err(error) => Err(error.clone()),
        });
    }
}

/// Features of photographs of one size, in their order. One that cannot be encoded costs only itself. `run` is
/// called for each time that some are encoded.
pub(super) fn encode(
    encoder: &mut Encoder,
    photos: Vec<Ready>,
    wanted: &Wanted,
    run: &dyn Fn(),
) -> Result<Vec<Result<PhotoFeatures>>> {
    let (about, pictures): (Vec<_>, Vec<_>) =
        photos.into_iter().map(|photo| ((photo.name, photo.size), photo.picture)).unzip();
    run();
    match together(encoder, &about, &pictures, wanted) {
        Ok(all) => Ok(all.into_iter().map(Ok).collect()),
        // The values of one overflow, or there is no memory for all: the others are not to suffer.
        Err(error) if pictures.len() > 1 && !matches!(error, Error::Lost(_) | Error::Cancelled) => {
            let mut each = Vec::new();
            for (about, picture) in about.iter().zip(&pictures) {
                run();
                match together(encoder, from_ref(about), from_ref(picture), wanted) {
                    Ok(one) => each.extend(one.into_iter().map(Ok)),
                    Err(stop @ (Error::Lost(_) | Error::Cancelled)) => return Err(stop),
                    Err(error) => each.push(Err(error)),
                }
            }
            Ok(each)
        }
        Err(error @ Error::NotFinite(_)) => Ok(vec![Err(error)]),
        Err(other) => Err(other),
    }
}

/// Features of photographs of which is known what they are called and how large they were.
fn together(
    encoder: &mut Encoder,
    about: &[(String, [u32; 2])],
    pictures: &[Picture],
    wanted: &Wanted,
) -> Result<Vec<PhotoFeatures>> {
    let go_on = &mut async |_, _| wanted.cancel.flow();
    let images = Images::Pictures(pictures);
    let features = pollster::block_on(encoder.encode(images, &wanted.taps, go_on))?;
    let layers = encoder.spec().sizes.layers;
    let summaries = features.summaries(encoder.spec().image_features());
    let channels = features.tensors["last_hidden_state"].shape[2];
    let mut list = Vec::new();
    for (at, ((name, size), summary)) in about.iter().zip(summaries).enumerate() {
        // Of each tensor the part of this photograph.
        let part = |name: &str| {
            let values = features.tensors.get(name).map_or(&[][..], |tensor| &tensor.values);
            let one = values.len() / features.batch.max(1);
            values[at * one..][..one].to_vec()
        };
        let mut last = part("last_hidden_state");
        if wanted.bare {
            last.truncate(features.prefix * channels);
            last.shrink_to_fit();
        }
        let state = |layer: &usize| (*layer, part(&format!("hidden_states.{layer}")));
        list.push(PhotoFeatures {
            name: name.clone(),
            size: *size,
            grid: features.grid.unwrap_or_default(),
            prefix: features.prefix,
            channels,
            layers,
            summary,
            last,
            hidden: wanted.taps.iter().map(state).collect(),
        });
    }
    Ok(list)
}
