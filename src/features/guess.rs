//! What a picture may show.

use super::{Features, Scale, Tensor, likeness_logits, softmax};
use crate::order::sort_by;
use crate::{Error, Result};

/// A class, or a text, and how probable it is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Guess {
    /// Its number, from 0.
    pub class: usize,
    /// What it is called; its number where it has no name.
    pub name: String,
    /// From 0 to 1. Of a model that judges each text by itself (SigLIP) their sum is not 1.
    pub probability: f32,
}

/// Every class with its probability, the most probable first.
pub fn guesses(names: &[String], probabilities: &[f32]) -> Vec<Guess> {
    let guess = |(class, (name, probability)): (usize, (&String, &f32))| Guess {
        class,
        name: name.clone(),
        probability: *probability,
    };
    let mut all: Vec<Guess> = names.iter().zip(probabilities).enumerate().map(guess).collect();
    sort_by(&mut all, |a, b| b.probability.total_cmp(&a.probability).then(a.class.cmp(&b.class)));
    all
}

impl Features {
    /// What each picture shows, by the model's own classes, which are called `names`: all of them, the most
    /// probable first. None where the model has none.
    pub fn classes(&self, names: &[String]) -> Option<Vec<Vec<Guess>>> {
        let rows = self.tensors.get("logits")?.values.chunks_exact(names.len().max(1));
        Some(rows.map(|row| guesses(names, &softmax(row))).collect())
    }

    /// Which of the texts, called `names`, describes each picture, by the texts' features `[texts, C]`: all
    /// of them, the most probable first. `channels` are as [`Features::image_features`] takes them.
    ///
    /// # Errors
    /// [`Error::Input`] where the model compares no photographs with texts, or with other ones.
    pub fn described(
        &self,
        channels: Option<usize>,
        names: &[String],
        texts: &Tensor,
        scale: &Scale,
    ) -> Result<Vec<Vec<Guess>>> {
        let none = || Error::input("this model compares no photographs with texts");
        let images = self.image_features(channels).ok_or_else(none)?;
        let logits = likeness_logits(images, texts, scale)?;
        let rows = logits.values.chunks_exact(names.len().max(1));
        Ok(rows.map(|row| guesses(names, &scale.probabilities(row))).collect())
    }
}
