//! The thread that owns a model's encoder, and what it is asked.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::Receiver;

use super::PhotoFeatures;
use crate::image::Picture;
use crate::{Encoder, Images, Result};

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
    pub(super) answer: Box<dyn FnOnce(Result<PhotoFeatures>) + Send>,
}

/// Answers requests until there is nobody who could send one.
pub(super) fn serve(encoder: &mut Encoder, inbox: &Receiver<Request>) {
    // A request that was taken while a batch was gathered and does not belong to it.
    let mut kept = None;
    while let Some(request) = kept.take().or_else(|| inbox.recv().ok()) {
        match request {
            Request::Work(work) => work(encoder),
            Request::Photo(first) => {
                let mut batch = vec![first];
                while batch.len() < BATCH {
                    match inbox.try_recv() {
                        Ok(Request::Photo(more)) if same_size(&batch[0], &more) => batch.push(more),
                        other => {
                            kept = other.ok();
                            break;
                        }
                    }
                }
                answer(encoder, batch);
            }
        }
    }
}

fn same_size(a: &Waiting, b: &Waiting) -> bool {
    (a.picture.width, a.picture.height) == (b.picture.width, b.picture.height)
}

fn answer(encoder: &mut Encoder, batch: Vec<Waiting>) {
    let mut names = Vec::new();
    let mut pictures = Vec::new();
    let mut answers = Vec::new();
    for Waiting { name, picture, answer } in batch {
        names.push(name);
        pictures.push(picture);
        answers.push(answer);
    }
    let mut all = encode(encoder, &names, &pictures, &[]).map(Vec::into_iter);
    for answer in answers {
        answer(match &mut all {
            Ok(all) => all.next().ok_or_else(super::stopped),
            Err(error) => Err(error.clone()),
        });
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
            last,
            hidden: states.into_iter().filter_map(layer).collect(),
        });
    }
    Ok(list)
}
