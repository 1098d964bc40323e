//! Segmentation of photographs that are longer than what a head takes at once: by windows that
//! overlap, whose logits are averaged.

use std::ops::ControlFlow;

use crate::image::{Fit, Picture, Resize};
use crate::model::{HeadSpec, Spec};
use crate::view::{Canvas, window_starts};
use crate::{Encoder, Error, Images, Result};

/// How photographs are covered by windows.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    fit: Fit,
    stride: usize,
    whole: bool,
}

/// A photograph, resized, and the windows over it.
pub struct Cover {
    picture: Picture,
    /// Height and width of a window.
    window: [usize; 2],
    tops: Vec<usize>,
    lefts: Vec<usize>,
    /// Side of a patch.
    patch: usize,
}

impl Windows {
    /// Windows of `side` pixels, the model's own image size without, `stride` pixels apart, 322 of 504
    /// parts of the side without. With `whole`, and for heads that ask for it, one window takes a
    /// photograph whole.
    ///
    /// # Errors
    /// [`Error::Input`] for a side that is no multiple of the patch, and for a stride of 0.
    pub fn new(
        spec: &Spec,
        head: &HeadSpec,
        side: Option<u32>,
        stride: Option<u32>,
        whole: bool,
    ) -> Result<Self> {
        let fit = spec.preprocessing.fit(&spec.sizes, Some(Resize::Native), side);
        let (side, patch) = (fit.size, fit.patch);
        if side == 0 || !side.is_multiple_of(patch) {
            return Err(Error::input(format!("window of {side}: expected a multiple of {patch}")));
        }
        let stride = stride.unwrap_or((side * 322 / 504).max(1)) as usize;
        if stride == 0 {
            return Err(Error::input("stride of windows: expected at least 1"));
        }
        Ok(Self { fit, stride, whole: whole || head.whole })
    }

    /// The photograph with its short side resized to the window's, and the windows over it.
    ///
    /// # Errors
    /// As [`Fit::apply`].
    pub fn cover(&self, photo: &Picture) -> Result<Cover> {
        let picture = self.fit.apply(photo)?;
        let size @ [height, width] = [picture.height as usize, picture.width as usize];
        let window = if self.whole { size } else { [self.fit.size as usize; 2] };
        let tops = window_starts(height, window[0], self.stride);
        let lefts = window_starts(width, window[1], self.stride);
        Ok(Cover { picture, window, tops, lefts, patch: self.fit.patch as usize })
    }
}

impl Cover {
    /// Height and width of the resized photograph.
    pub fn size(&self) -> [usize; 2] {
        [self.picture.height as usize, self.picture.width as usize]
    }

    /// Rows and columns of patches of the resized photograph.
    pub fn patches(&self) -> [usize; 2] {
        self.size().map(|side| side / self.patch)
    }

    /// Bytes of logits that are in memory at once.
    pub fn bytes(&self, head: &HeadSpec) -> u64 {
        let area = |[height, width]: [usize; 2]| height as u64 * width as u64;
        let patch = (self.patch / head.scale()).max(1);
        // Logits of patches: of all windows, and the forms in which those of one are computed.
        let one = 4 * head.classes as u64 * (area(self.window) / area([patch; 2]));
        // Of windows that overlap much sums are kept.
        let all = 4 * (head.classes as u64 + 1) * area(self.size());
        let count = (self.tops.len() * self.lefts.len()) as u64;
        3 * one + one.saturating_mul(count).min(all)
    }

    /// Segments all windows. `progress` is told how many steps of how many are done, and may stop.
    ///
    /// # Errors
    /// As [`Encoder::segment`].
    pub async fn segment(
        &self,
        encoder: &mut Encoder,
        head: &HeadSpec,
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Canvas> {
        let mut canvas = Canvas::new(head.classes, self.size())?;
        let [height, width] = self.window;
        let total = self.tops.len() * self.lefts.len();
        let places = self.tops.iter().flat_map(|top| self.lefts.iter().map(|left| [*top, *left]));
        for (number, [top, left]) in places.enumerate() {
            let part = self.picture.cut([left as u32, top as u32, width as u32, height as u32])?;
            let images = Images::Pictures(std::slice::from_ref(&part));
            let mut on_progress =
                async |done, steps| progress(number * steps + done, total * steps).await;
            let logits = encoder.segment(images, &mut on_progress).await?;
            canvas.add(&logits, [top, left], self.window)?;
        }
        Ok(canvas)
    }
}
