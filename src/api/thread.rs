//! The thread that owns a model's encoder, and what it is asked.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::Receiver;

use futures_channel::oneshot;

use super::{About, PhotoFeatures};
use crate::features::unit;
use crate::image::Picture;
use crate::{Encoder, Error, Images, Result};

/// Photographs of one size that are encoded at once, where nobody says how many.
pub(super) const BATCH: usize = 8;

/// What the thread is asked.
pub(super) enum Request {
    /// Anything; it answers by itself.
    Work(Box<dyn FnOnce(&mut Encoder) + Send>),
    /// The features of a photograph, alone or with others that wait too.
    Photo(Waiting),
}

/// A photograph at the model's size, and who waits for its features.
pub(super) struct Waiting {
    pub(super) name: String,
    pub(super) picture: Picture,
    pub(super) answer: oneshot::Sender<Result<PhotoFeatures>>,
}

/// Answers requests until there is nobody who could send one.
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
                        Ok(Request::Photo(more)) if same_size(&batch[0], &more) => batch.push(more),
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

fn same_size(a: &Waiting, b: &Waiting) -> bool {
    (a.picture.width, a.picture.height) == (b.picture.width, b.picture.height)
}

fn answer(encoder: &mut Encoder, batch: Vec<Waiting>, about: &About) {
    let mut names = Vec::new();
    let mut pictures = Vec::new();
    let mut answers = Vec::new();
    for Waiting { name, picture, answer } in batch {
        names.push(name);
        pictures.push(picture);
        answers.push(answer);
    }
    about.count_run();
    let found = about.noting(encoder, |encoder| encode(encoder, &names, &pictures, &[]));
    match found {
        Ok(all) => {
            for (answer, features) in answers.into_iter().zip(all) {
                let _ = answer.send(Ok(features));
            }
        }
        // The values of one overflow, or there is no memory for all: the others are not to suffer.
        Err(error) if answers.len() > 1 && !matches!(error, Error::Lost(_)) => {
            for ((name, picture), waits) in names.into_iter().zip(pictures).zip(answers) {
                answer(encoder, vec![Waiting { name, picture, answer: waits }], about);
            }
        }
        Err(error) => {
            for answer in answers {
                let _ = answer.send(Err(error.clone()));
            }
        }
    }
}

/// Features of photographs of one size, in their order.
pub(super) fn encode(
    encoder: &mut Encoder,
    names: &[String],
    pictures: &[Picture],
    taps: &[usize],
) -> Result<Vec<PhotoFeatures>> {
    let images = Images::Pictures(pictures);
    let go_on = &mut async |_, _| ControlFlow::Continue(());
    let features = pollster::block_on(encoder.encode(images, taps, go_on))?;
    let joint = features.image_features(encoder.spec().image_features()).map(unit);
    let layers = encoder.spec().sizes.layers;
    let mean = |patches: &[f32], channels: usize| -> Vec<f32> {
        let count = (patches.len() / channels) as f64;
        let of = |at: usize| {
            patches.iter().skip(at).step_by(channels).map(|v| f64::from(*v)).sum::<f64>()
        };
        (0..channels).map(|at| (of(at) / count) as f32).collect()
    };
    let mut list = Vec::new();
    for (at, name) in names.iter().enumerate() {
        // Of each tensor the part of this photograph.
        let part = |values: &[f32]| {
            let one = values.len() / features.batch.max(1);
            values[at * one..][..one].to_vec()
        };
        let mut states = BTreeMap::new();
        for (name, tensor) in &features.tensors {
            states.insert(name.clone(), part(&tensor.values));
        }
        let last = states.remove("last_hidden_state").unwrap_or_default();
        let channels = features.tensors["last_hidden_state"].shape[2];
        let patches = &last[features.prefix * channels..];
        let pooled = states.remove("pooler_output").unwrap_or_else(|| mean(patches, channels));
        let layer = |(name, values): (String, Vec<f32>)| {
            Some((name.strip_prefix("hidden_states.")?.parse::<usize>().ok()?, values))
        };
        list.push(PhotoFeatures {
            name: name.clone(),
            grid: features.grid.unwrap_or_default(),
            prefix: features.prefix,
            channels,
            layers,
            pooled,
            joint: joint.as_ref().map(|joint| part(&joint.values)),
            last,
            hidden: states.into_iter().filter_map(layer).collect(),
        });
    }
    Ok(list)
}
