//! What is asked of photographs.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::thread::{BATCH, encode};
use super::{Cancel, FeatureSet, KeptFeatures, Model, PhotoFeatures};
use crate::app::Shape;
use crate::image::{Picture, Resize, decode};
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

    /// What becomes of the aspect ratio; as the model's preprocessing says if not called.
    pub fn resize(mut self, resize: Resize) -> Self {
        self.resize = Some(resize);
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
        let named =
            photos.iter().enumerate().map(|(i, photo)| (i.to_string(), shape.fit.apply(photo)));
        self.run(photos.len(), &taps, named)
    }

    /// Features of files. One that cannot be read costs only itself: [`FeatureSet::failed`].
    ///
    /// # Errors
    /// As [`FeatureRequest::picture`].
    pub fn files(self, paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<FeatureSet> {
        let paths: Arc<[PathBuf]> = paths.into_iter().map(|p| p.as_ref().to_path_buf()).collect();
        let (shape, taps) = self.checked()?;
        // Threads that decode share the memory that the machine has.
        let budget = self.model.about.budget.clone();
        let read = move |path: &PathBuf| {
            let (bytes, _share) = photos::read(path, &budget)?;
            shape.fit.apply(&decode(&path.display().to_string(), &bytes)?)
        };
        let named = |(photo, path): (Option<Result<Picture>>, &PathBuf)| {
            let name = path.display().to_string();
            let stopped = || Err(Error::image(&name, "decoding stopped"));
            let photo = photo.unwrap_or_else(stopped);
            (name, photo)
        };
        let ahead = Ahead::new(paths.clone(), THREADS, read);
        self.run(paths.len(), &taps, ahead.zip(paths.iter()).map(named))
    }

    /// Features of the photographs in a folder and below it, by the order of their paths. Files of
    /// other kinds and hidden ones are left out: [`FeatureSet::left_out`].
    ///
    /// # Errors
    /// As [`FeatureRequest::picture`]; [`Error::Io`] where the folder cannot be read, [`Error::Image`]
    /// where it has no photographs.
    pub fn folder(self, path: impl AsRef<Path>) -> Result<FeatureSet> {
        let found = photos::folder(path.as_ref())?;
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
        taps: &[usize],
        photos: impl Iterator<Item = (String, Result<Picture>)>,
    ) -> Result<FeatureSet> {
        let mut set = FeatureSet::default();
        let (mut names, mut pictures): (Vec<String>, Vec<Picture>) = Default::default();
        for (name, photo) in photos {
            let photo = match photo {
                Ok(photo) => photo,
                Err(error) => {
                    set.failed.push((name, error));
                    continue;
                }
            };
            let size = |photo: &Picture| (photo.width, photo.height);
            let other = pictures.last().is_some_and(|last| size(last) != size(&photo));
            if other || pictures.len() == self.batch {
                self.flush(&mut names, &mut pictures, taps, &mut set, count)?;
            }
            names.push(name);
            pictures.push(photo);
        }
        self.flush(&mut names, &mut pictures, taps, &mut set, count)?;
        Ok(set)
    }

    /// Encodes what has been gathered.
    fn flush(
        &mut self,
        names: &mut Vec<String>,
        pictures: &mut Vec<Picture>,
        taps: &[usize],
        set: &mut FeatureSet,
        count: usize,
    ) -> Result<()> {
        let (names, pictures) = (std::mem::take(names), std::mem::take(pictures));
        if self.cancel.flow().is_break() {
            return Err(Error::Cancelled);
        }
        if !pictures.is_empty() {
            let taps = taps.to_vec();
            let encoded =
                self.model.with(move |encoder| encode(encoder, &names, &pictures, &taps))?;
            set.photos.extend(encoded);
        }
        (self.progress)(set.photos.len() + set.failed.len(), count);
        Ok(())
    }
}
