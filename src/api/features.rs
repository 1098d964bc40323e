//! What is asked of photographs.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::thread::{BATCH, Ready, Wanted, encode};
use super::{Cancel, FeatureSet, KeptFeatures, Model, PhotoFeatures, PhotoSource};
use crate::app::Shape;
use crate::image::{Picture, Resize};
use crate::photos::{self, Ahead};
use crate::{Error, Images, Result, model};

/// Threads that decode, at most.
pub(super) const THREADS: usize = 8;

/// What is wanted of photographs. Ends with [`picture`](Self::picture), [`pictures`](Self::pictures),
/// [`files`](Self::files), [`folder`](Self::folder) or [`keep`](Self::keep).
#[must_use]
pub struct FeatureRequest<'a> {
    model: &'a Model,
    layers: Vec<i64>,
    batch: usize,
    size: Option<u32>,
    resize: Option<Resize>,
    progress: Box<dyn FnMut(usize, usize) + 'a>,
    patches: bool,
    cancel: Cancel,
}

impl<'a> FeatureRequest<'a> {
    pub(super) fn new(model: &'a Model) -> Self {
        Self {
            model,
            layers: Vec::new(),
            batch: BATCH,
            size: None,
            resize: None,
            progress: Box::new(|_, _| ()),
            patches: true,
            cancel: Cancel::default(),
        }
    }

    /// The layers wanted besides the last hidden state: 0 is the embedding, i the output of block i,
    /// -1 the last block's.
    pub fn layers(mut self, layers: impl IntoIterator<Item = i64>) -> Self {
        self.layers.extend(layers);
        self
    }

    /// Photographs of one size that are encoded at once, at most; 8 if not called.
    pub fn batch(mut self, photographs: usize) -> Self {
        self.batch = photographs.max(1);
        self
    }

    /// Side of the square, or short side of [`Resize::Native`], in pixels; the model's own if not
    /// called.
    pub fn size(mut self, pixels: u32) -> Self {
        self.size = Some(pixels);
        self
    }

    /// How the aspect ratio is handled; as the model's preprocessing says if not called.
    pub fn resize(mut self, resize: Resize) -> Self {
        self.resize = Some(resize);
        self
    }

    /// Whether the patches of the last hidden state are kept; yes if not called. Without them a
    /// photograph's features are a few kB.
    pub fn patches(mut self, kept: bool) -> Self {
        self.patches = kept;
        self
    }

    /// Calls `report` with the photographs that are done and their number.
    pub fn progress(mut self, report: impl FnMut(usize, usize) + 'a) -> Self {
        self.progress = Box::new(report);
        self
    }

    /// Ends the work where `cancel` says so.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.cancel = cancel.clone();
        self
    }

    /// Features of one photograph.
    ///
    /// # Errors
    /// [`Error::Input`] for layers and sizes that the model does not have, and as
    /// [`crate::Encoder::encode`].
    pub fn picture(self, photo: &Picture) -> Result<PhotoFeatures> {
        let mut set = self.pictures(std::slice::from_ref(photo))?;
        match set.failed.pop() {
            Some((_, error)) => Err(error),
            None => set.photos.pop().ok_or_else(|| Error::input("no photograph was given")),
        }
    }

    /// Features of photographs in memory, in their order. Their names are their numbers, from 0.
    ///
    /// # Errors
    /// As [`FeatureRequest::picture`].
    pub fn pictures(self, photos: &[Picture]) -> Result<FeatureSet> {
        let (shape, taps) = self.checked()?;
        let named = photos.iter().enumerate().map(|(i, photo)| {
            let name = i.to_string();
            (name.clone(), Ready::new(name, photo, &shape.fit))
        });
        self.run(photos.len(), taps, named)
    }

    /// Features of files. One that cannot be read costs only itself: [`FeatureSet::failed`].
    ///
    /// # Errors
    /// As [`FeatureRequest::picture`].
    pub fn files(self, paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<FeatureSet> {
        let photo = |path: &dyn AsRef<Path>| PhotoSource::File(path.as_ref().to_path_buf());
        self.all(paths.into_iter().map(|path| photo(&path)).collect())
    }

    /// Features of photographs in whatever form, in their order. They are decoded ahead, on threads of
    /// their own. One that cannot be read costs only itself: [`FeatureSet::failed`].
    ///
    /// # Errors
    /// As [`FeatureRequest::picture`].
    pub fn photos(self, photos: impl IntoIterator<Item = PhotoSource>) -> Result<FeatureSet> {
        self.all(photos.into_iter().collect())
    }

    fn all(self, photos: Arc<[PhotoSource]>) -> Result<FeatureSet> {
        let (shape, taps) = self.checked()?;
        // Threads that decode share the memory that the machine has.
        let budget = self.model.about.budget.clone();
        let ready = move |photo: &PhotoSource| {
            photo.with(&budget, |picture| Ready::new(photo.name(), picture, &shape.fit))
        };
        let named = |(ready, photo): (Option<Result<Ready>>, &PhotoSource)| {
            let stopped = || Err(Error::image(photo.name(), "decoding stopped"));
            (photo.name(), ready.unwrap_or_else(stopped))
        };
        let ahead = Ahead::new(photos.clone(), THREADS, ready);
        self.run(photos.len(), taps, ahead.zip(photos.iter()).map(named))
    }

    /// Features of the photographs in a folder and below it, by the order of their paths. Files of
    /// other kinds and hidden ones are left out: [`FeatureSet::left_out`].
    ///
    /// # Errors
    /// As [`FeatureRequest::picture`]; [`Error::Io`] where the folder cannot be read, [`Error::Image`]
    /// where it has no photographs.
    pub fn folder(self, path: impl AsRef<Path>) -> Result<FeatureSet> {
        self.below(path.as_ref())
    }

    fn below(self, folder: &Path) -> Result<FeatureSet> {
        let found = photos::folder(folder)?;
        let set = self.files(found.photos)?;
        Ok(FeatureSet { left_out: found.left_out, ..set })
    }

    /// Features of one photograph that stay on the device, for a program's own shaders.
    ///
    /// # Errors
    /// As [`FeatureRequest::picture`].
    pub fn keep(self, photo: &Picture) -> Result<KeptFeatures> {
        let (shape, taps) = self.checked()?;
        let picture = shape.fit.apply(photo)?;
        let held = self.model.with(move |encoder| {
            let images = Images::Pictures(std::slice::from_ref(&picture));
            let go_on = &mut async |_, _| ControlFlow::Continue(());
            pollster::block_on(encoder.encode_to(
                images,
                &taps,
                crate::session::Residency::Device,
                go_on,
            ))
        })?;
        Ok(KeptFeatures { model: self.model.clone(), held: Some(held) })
    }

    /// The way to the model's size, and the layers as they are counted from 0.
    fn checked(&self) -> Result<(Shape, Vec<usize>)> {
        let spec = self.model.spec();
        let shape = Shape::new(spec, self.size, self.resize, 1)?;
        let layer = |layer: &i64| model::layer(spec.sizes.layers, 0, *layer);
        let mut taps = self.layers.iter().map(layer).collect::<Result<Vec<_>>>()?;
        taps.sort_unstable();
        taps.dedup();
        Ok((shape, taps))
    }

    /// Encodes photographs as they come, those of one size together.
    fn run(
        mut self,
        count: usize,
        taps: Vec<usize>,
        photos: impl Iterator<Item = (String, Result<Ready>)>,
    ) -> Result<FeatureSet> {
        let wanted = Wanted { taps, bare: !self.patches, cancel: self.cancel.clone() };
        let (mut set, mut batch): (_, Vec<Ready>) = (FeatureSet::default(), Vec::new());
        for (name, photo) in photos {
            let photo = match photo {
                Ok(photo) => photo,
                Err(error) => {
                    set.failed.push((name, error));
                    continue;
                }
            };
            let other = batch.last().is_some_and(|last| !last.same_size(&photo));
            if other || batch.len() == self.batch {
                self.flush(&mut batch, &wanted, &mut set, count)?;
            }
            batch.push(photo);
        }
        self.flush(&mut batch, &wanted, &mut set, count)?;
        Ok(set)
    }

    /// Encodes what has been gathered.
    fn flush(
        &mut self,
        batch: &mut Vec<Ready>,
        wanted: &Wanted,
        set: &mut FeatureSet,
        count: usize,
    ) -> Result<()> {
        let batch = std::mem::take(batch);
        if self.cancel.flow().is_break() {
            return Err(Error::Cancelled);
        }
        if !batch.is_empty() {
            let wanted = wanted.clone();
            let names: Vec<String> = batch.iter().map(|photo| photo.name.clone()).collect();
            let encoded =
                self.model.with(move |encoder| encode(encoder, batch, &wanted, &|| ()))?;
            for (name, features) in names.into_iter().zip(encoded) {
                match features {
                    Ok(features) => set.photos.push(features),
                    Err(error) => set.failed.push((name, error)),
                }
            }
        }
        (self.progress)(set.photos.len() + set.failed.len(), count);
        Ok(())
    }
}
