//! Features of one photograph among many.

use std::collections::BTreeMap;

use crate::features::Summary;
use crate::{Error, Result, model};

/// Tokens of one photograph, `[rows, columns, C]`.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    pub(super) shape: [usize; 3],
    pub(super) values: &'a [f32],
}

impl<'a> Tokens<'a> {
    /// Rows and columns of patches, and channels.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// All values, row by row of patches.
    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    /// The channels of one patch; `None` outside the grid.
    pub fn at(&self, row: usize, column: usize) -> Option<&'a [f32]> {
        let [rows, columns, c] = self.shape;
        let inside = row < rows && column < columns;
        inside.then(|| &self.values[(row * columns + column) * c..][..c])
    }
}

/// Features of one photograph.
#[derive(Clone, Debug)]
pub struct PhotoFeatures {
    pub(super) name: String,
    pub(super) size: [u32; 2],
    pub(super) grid: [usize; 2],
    /// Tokens before the patches.
    pub(super) prefix: usize,
    /// Channels of a token.
    pub(super) channels: usize,
    /// Blocks of the model.
    pub(super) layers: usize,
    pub(super) summary: Summary,
    pub(super) last: Vec<f32>,
    pub(super) hidden: BTreeMap<usize, Vec<f32>>,
}

impl PhotoFeatures {
    /// The file's path, or the number of a photograph in memory.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Width and height of the photograph, upright, in pixels.
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Rows and columns of patches.
    pub fn grid(&self) -> [usize; 2] {
        self.grid
    }

    /// What stands for the whole photograph, `[C]`: what the model pools, for most the class token of the
    /// last hidden state; of models that pool nothing the mean of the patches.
    pub fn pooled(&self) -> &[f32] {
        &self.summary.pooled
    }

    /// What a store of vectors keeps of the photograph: `image_embeds` of models that were taught beside
    /// texts, `[P]` of length 1, which [`crate::Texts::embeddings`] are compared with; of others
    /// [`pooled`](Self::pooled) as it is.
    pub fn embedding(&self) -> &[f32] {
        match self.summary.embeds.is_empty() {
            true => self.pooled(),
            false => &self.summary.embeds,
        }
    }

    /// Tokens that were computed: those before the patches, and the patches.
    pub fn token_count(&self) -> usize {
        self.prefix + self.grid.iter().product::<usize>()
    }

    /// The class token of the last hidden state, `[C]`; of models without one the same as
    /// [`Self::pooled`].
    pub fn cls(&self) -> &[f32] {
        if self.prefix == 0 { self.pooled() } else { &self.last[..self.channels] }
    }

    /// What stands for the whole photograph in tables of many.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The patches of the last hidden state; `[0, 0, C]` where they were not wanted
    /// ([`FeatureRequest::patches`](crate::FeatureRequest::patches)).
    pub fn patches(&self) -> Tokens<'_> {
        match self.last.len() > self.prefix * self.channels {
            true => self.tokens(&self.last),
            false => Tokens { shape: [0, 0, self.channels], values: &[] },
        }
    }

    /// All tokens of the last hidden state, `[prefix + rows · columns, C]`, and of each layer that was asked
    /// for, by their numbers. Takes them without a copy.
    pub fn into_tokens(self) -> (Vec<f32>, BTreeMap<usize, Vec<f32>>) {
        (self.last, self.hidden)
    }

    /// The patches of a layer that was asked for: 0 is the embedding, i the output of block i, -1 the
    /// last block's.
    ///
    /// # Errors
    /// [`Error::Input`] for a layer that was not asked for.
    pub fn hidden(&self, layer: i64) -> Result<Tokens<'_>> {
        let place = model::layer(self.layers, 0, layer)?;
        let known = crate::error::list(self.hidden.keys());
        let missing = || Error::input(format!("layer {layer}: asked for were {known}"));
        Ok(self.tokens(self.hidden.get(&place).ok_or_else(missing)?))
    }

    /// The tokens before the patches, of the last hidden state, `[prefix, C]`: class token, registers.
    pub fn prefix(&self) -> &[f32] {
        &self.last[..self.prefix * self.channels]
    }

    fn tokens<'a>(&self, values: &'a [f32]) -> Tokens<'a> {
        let ([rows, columns], c) = (self.grid, self.channels);
        Tokens { shape: [rows, columns, c], values: &values[self.prefix * c..] }
    }
}
