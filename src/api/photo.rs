//! Features of photographs, as a program reads them.

use std::collections::BTreeMap;
use std::ops::Index;

use super::Model;
use crate::features::Summary;
use crate::gpu::Buffer;
use crate::session::DeviceFeatures;
use crate::view::similarity;
use crate::{Error, Result, Tensor, model};

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
    /// texts, `[P]` of length 1, which [`super::Texts::embeddings`] are compared with; of others
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
    /// ([`FeatureRequest::patches`](super::FeatureRequest::patches)).
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

/// Features of several photographs, and why others have none.
#[derive(Clone, Debug, Default)]
pub struct FeatureSet {
    pub(super) photos: Vec<PhotoFeatures>,
    pub(super) failed: Vec<(String, Error)>,
    pub(super) left_out: Vec<String>,
}

impl FeatureSet {
    /// The photographs that were encoded, and those that could not be read.
    pub fn into_parts(self) -> (Vec<PhotoFeatures>, Vec<(String, Error)>) {
        (self.photos, self.failed)
    }

    /// Photographs that were encoded.
    pub fn len(&self) -> usize {
        self.photos.len()
    }

    /// Whether none was encoded.
    pub fn is_empty(&self) -> bool {
        self.photos.is_empty()
    }

    /// Photographs that could not be read: their names, and why.
    pub fn failed(&self) -> &[(String, Error)] {
        &self.failed
    }

    /// What of a folder was left out, a sentence each.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, PhotoFeatures> {
        self.photos.iter()
    }

    /// The `count` photographs whose pooled features are most like `query` `[C]`: their numbers, and
    /// the cosine, the largest first.
    ///
    /// # Errors
    /// [`Error::Input`] where `query` has another width.
    pub fn nearest(&self, query: &[f32], count: usize) -> Result<Vec<(usize, f32)>> {
        let rows: Vec<f32> = self.photos.iter().flat_map(|photo| photo.pooled()).copied().collect();
        let mut all: Vec<(usize, f32)> =
            similarity(query, &rows)?.into_iter().enumerate().collect();
        all.sort_by(|(i, a), (j, b)| b.total_cmp(a).then(i.cmp(j)));
        all.truncate(count);
        Ok(all)
    }
}

impl Index<usize> for FeatureSet {
    type Output = PhotoFeatures;

    fn index(&self, at: usize) -> &PhotoFeatures {
        &self.photos[at]
    }
}

impl<'a> IntoIterator for &'a FeatureSet {
    type Item = &'a PhotoFeatures;
    type IntoIter = std::slice::Iter<'a, PhotoFeatures>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Features of one photograph that stay on the device.
pub struct KeptFeatures {
    pub(super) model: Model,
    pub(super) held: Option<DeviceFeatures>,
}

impl KeptFeatures {
    /// The buffer of a tensor on a GPU, f32 `[1, tokens, C]`: `last_hidden_state`, or
    /// `hidden_states.{i}` of a layer that was asked for. Shaders can read it, and copies can be made of it. It lives as
    /// long as this.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such tensor, [`Error::Device`] where the CPU computes.
    pub fn buffer(&self, name: &str) -> Result<&Buffer> {
        self.held.as_ref().ok_or_else(super::stopped)?.buffer(name)
    }

    /// Reads a tensor, `[1, tokens, C]`.
    ///
    /// # Errors
    /// As [`DeviceFeatures::tensor`].
    pub fn tensor(&mut self, name: &str) -> Result<Tensor> {
        let held = self.held.take().ok_or_else(super::stopped)?;
        let name = name.to_string();
        // The held features visit the thread that owns their device.
        let (held, tensor) = self.model.with(move |encoder| {
            let tensor = pollster::block_on(held.tensor(encoder, &name));
            Ok((held, tensor))
        })?;
        self.held = Some(held);
        tensor
    }
}
