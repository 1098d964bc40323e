//! Features of photographs, as a program reads them.

use std::ops::Index;

use super::{Model, PhotoFeatures};
use crate::gpu::Buffer;
use crate::session::DeviceFeatures;
use crate::view::nearest;
use crate::{Error, Result, Tensor};

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
        nearest(query, &rows, count)
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
            let tensor = pollster::block_on(held.tensor(encoder.session(), &name));
            Ok((held, tensor))
        })?;
        self.held = Some(held);
        tensor
    }
}
