//! Where the model looked: `--attention`.

use std::path::Path;

use internvit::weights::{Values, write_safetensors};
use internvit::{Result, Tensor};

/// The attention of each word of an answer to the visual tokens of all photographs.
pub(super) struct Looked {
    /// Where visual tokens stand in the conversation.
    places: Vec<usize>,
    words: usize,
    /// Layers and heads.
    sides: [usize; 2],
    values: Vec<f32>,
}

impl Looked {
    pub(super) fn new(places: Vec<usize>) -> Self {
        Self { places, words: 0, sides: [0; 2], values: Vec::new() }
    }

    /// Takes a word's, `[layers, heads, tokens]`.
    pub(super) fn push(&mut self, attention: &Tensor) {
        let &[layers, heads, tokens] = attention.shape.as_slice() else { return };
        self.words += 1;
        self.sides = [layers, heads];
        let rows = attention.values.chunks_exact(tokens);
        self.values.extend(rows.flat_map(|row| self.places.iter().map(|place| row[*place])));
    }

    pub(super) fn write(&self, out: &Path) -> Result<()> {
        let [layers, heads] = self.sides;
        let shape = vec![self.words, layers, heads, self.places.len()];
        write_safetensors(out, &[("attention".into(), shape, Values::F32(&self.values))])
    }
}
