//! What a picture may show.

use crate::order::sort_by;

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
