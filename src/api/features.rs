//! What is asked of photographs.

use std::path::Path;
use std::sync::Arc;

use super::thread::features;
use super::{Cancel, FeatureSet, KeptFeatures, Model, PhotoSource};
use crate::app::Shape;
use crate::image::{Picture, Resize};
use crate::many::{BATCH, Batches, PhotoFeatures, ReadAhead, Ready, Together};
use crate::{Error, Images, Result, model, photos};

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
            cancel: model.cancel.clone(),
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
        let names: Vec<String> = (0..photos.len()).map(|i| i.to_string()).collect();
        let ready = photos.iter().zip(&names);
        let ready = ready.map(|(photo, name)| Ready::new(name.clone(), photo, &shape));
        self.run(&names, &taps, ready)
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
        let names: Vec<String> = photos.iter().map(PhotoSource::name).collect();
        let from = budget.clone();
        let read = move |photo: &PhotoSource| {
            photo.with(&from, |picture| Ready::new(photo.name(), picture, &shape))
        };
        let ahead = ReadAhead::new(photos, PhotoSource::name, &shape, &budget, read);
        self.run(&names, &taps, ahead)
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
        let (picture, cancel) = (shape.fit.apply(photo)?, self.cancel);
        let held = self.model.with(move |encoder| {
            let images = Images::Pictures(std::slice::from_ref(&picture));
            let go_on = &mut async |_, _| cancel.flow();
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

    /// Encodes photographs of these names as they come, those of one size together.
    fn run(
        mut self,
        names: &[String],
        taps: &[usize],
        photos: impl Iterator<Item = Result<Ready>>,
    ) -> Result<FeatureSet> {
        let (mut set, mut done, total) = (FeatureSet::default(), 0, names.len());
        for batch in Batches::new(photos, self.batch) {
            if self.cancel.flow().is_break() {
                return Err(Error::Cancelled);
            }
            let names = &names[done..][..batch.len()];
            done += batch.len();
            self.encode(names, taps, batch, &mut set)?;
            (self.progress)(done, total);
        }
        Ok(set)
    }

    /// Encodes what has been gathered.
    fn encode(
        &self,
        names: &[String],
        taps: &[usize],
        batch: Vec<Result<Ready>>,
        set: &mut FeatureSet,
    ) -> Result<()> {
        let mut ready = Vec::new();
        for (name, photo) in names.iter().zip(batch) {
            match photo {
                Ok(photo) => ready.push(photo),
                Err(error) => set.failed.push((name.clone(), error)),
            }
        }
        if ready.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = ready.iter().map(|photo| photo.name.clone()).collect();
        let (taps, bare, cancel) = (taps.to_vec(), !self.patches, self.cancel.clone());
        let encoded = self.model.with(move |encoder| {
            let together = Together { taps: &taps, bare, go_on: &|| cancel.flow(), run: &|| () };
            features(encoder, ready, &together)
        })?;
        for (name, features) in names.into_iter().zip(encoded) {
            match features {
                Ok(features) => set.photos.push(features),
                Err(error) => set.failed.push((name, error)),
            }
        }
        Ok(())
    }
}
