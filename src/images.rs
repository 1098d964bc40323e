//! What an encoder takes, checked against its spec and brought into a plan's input slots.

use std::borrow::Cow;

use crate::features::first_not_finite;
use crate::image::{Picture, pixel_values};
use crate::model::{Relative, Rope, Spec};
use crate::plan::{Host, Input, Plan, SlotId, Value};
use crate::{Error, Result};

/// What an encoder takes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Images<'a> {
    /// Pictures of one size, both sides multiples of the patch.
    Pictures(&'a [Picture]),
    /// Normalised pixels `[batch, 3, height, width]`.
    PixelValues {
        /// The four lengths.
        shape: [usize; 4],
        /// Row-major.
        values: &'a [f32],
    },
    /// Embeddings `[batch, tokens, C]`, class token and positions included.
    PixelEmbeds {
        /// The three lengths.
        shape: [usize; 3],
        /// Row-major.
        values: &'a [f32],
    },
}

impl<'a> Images<'a> {
    /// One picture of the batch.
    pub(crate) fn only(self, picture: usize) -> Self {
        let part = |values: &'a [f32], one: usize| &values[picture * one..][..one];
        match self {
            Self::Pictures(list) => Self::Pictures(&list[picture..=picture]),
            Self::PixelValues { shape: [_, c, h, w], values } => {
                Self::PixelValues { shape: [1, c, h, w], values: part(values, c * h * w) }
            }
            Self::PixelEmbeds { shape: [_, tokens, c], values } => {
                Self::PixelEmbeds { shape: [1, tokens, c], values: part(values, tokens * c) }
            }
        }
    }

    /// Whether all values given are numbers.
    pub(crate) fn finite(self) -> bool {
        match self {
            Self::Pictures(_) => true,
            Self::PixelValues { values, .. } | Self::PixelEmbeds { values, .. } => {
                first_not_finite(values).is_none()
            }
        }
    }
}

/// Whether there are values that bytes do not hold.
fn is_exact(pictures: &[Picture]) -> bool {
    pictures.iter().any(|picture| !picture.exact.is_empty())
}

/// What goes into the input slots for some pictures of a batch.
pub(crate) enum PlanInputs<'a> {
    Rgba(Vec<u8>),
    F32(&'static str, Cow<'a, [f32]>),
}

impl<'a> PlanInputs<'a> {
    pub(crate) fn new(images: Images<'a>, spec: &Spec, first: usize, batch: usize) -> Result<Self> {
        let part =
            |values: &'a [f32], one: usize| values[first * one..(first + batch) * one].into();
        Ok(match images {
            Images::Pictures(list) if is_exact(list) => {
                let list = &list[first..first + batch];
                Self::F32("pixels", pixel_values(list, &spec.preprocessing.normal)?.into())
            }
            Images::Pictures(list) => Self::Rgba(crate::image::rgba(&list[first..first + batch])?),
            Images::PixelValues { shape, values } => {
                Self::F32("pixels", part(values, shape[1..].iter().product()))
            }
            Images::PixelEmbeds { shape, values } => {
                Self::F32("pixel_embeds", part(values, shape[1..].iter().product()))
            }
        })
    }

    pub(crate) fn inputs(&self, plan: &Plan, host: &'a [Host]) -> Vec<(SlotId, Value<'_>)> {
        let (name, value) = match self {
            Self::Rgba(bytes) => ("pixels", Value::Rgba(bytes)),
            Self::F32(name, values) => (*name, Value::F32(values)),
        };
        let host = host.iter().map(|made| (made.slot.as_str(), Value::F32(&made.values)));
        [(name, value)]
            .into_iter()
            .chain(host)
            .filter_map(|(name, value)| Some((plan.slot(name)?, value)))
            .collect()
    }
}

/// Pixels with zeros at the right and bottom up to whole patches, where a model of windows is given others;
/// other models leave out what is beyond the last whole patch.
pub(crate) fn padded(images: Images<'_>, spec: &Spec) -> Option<([usize; 4], Vec<f32>)> {
    let Images::PixelValues { shape: [batch, channels, height, width], values } = images else {
        return None;
    };
    let [rows, cols] = [height, width].map(|side| side.next_multiple_of(spec.sizes.patch));
    let fits = values.len() == batch * channels * height * width && width > 0;
    if spec.windows.is_none() || [rows, cols] == [height, width] || !fits {
        return None;
    }
    let mut all = Vec::with_capacity(batch * channels * rows * cols);
    for plane in values.chunks_exact(height * width) {
        let end = all.len() + rows * cols;
        for row in plane.chunks_exact(width) {
            all.extend_from_slice(row);
            all.extend(std::iter::repeat_n(0.0, cols - width));
        }
        all.resize(end, 0.0);
    }
    Some(([batch, channels, rows, cols], all))
}

/// Checks an input against the spec; what it is and how many pictures.
pub(crate) fn check(images: Images<'_>, taps: &[usize], spec: &Spec) -> Result<(Input, usize)> {
    let (s, layers) = (&spec.sizes, spec.sizes.layers);
    if let Some(tap) = taps.iter().find(|tap| **tap > layers) {
        return Err(Error::input(format!("hidden state {tap}: expected 0 to {layers}")));
    }
    let whole = |height: usize, width: usize| {
        // Pixels beyond the last whole patch take no part.
        if height >= s.patch && width >= s.patch {
            return Ok(());
        }
        Err(Error::input(format!(
            "pixel_values of {height} × {width} pixels: expected at least a patch of {}",
            s.patch
        )))
    };
    let sides = |height: usize, width: usize| {
        // Of the model's own size what is beyond the last whole patch takes no part.
        let good = |side: usize| side > 0 && side.is_multiple_of(s.patch) || side == s.image;
        if good(height) && good(width) {
            return Ok(());
        }
        Err(Error::input(format!(
            "pictures of {height} × {width} pixels: expected multiples of {}",
            s.patch
        )))
    };
    let values = |found: usize, shape: &[usize]| {
        // The product of a shape may pass a usize; such a one fits no values.
        let product = shape.iter().try_fold(1usize, |product, side| product.checked_mul(*side));
        match product {
            Some(expected) if expected == found && found > 0 => Ok(()),
            Some(expected) => Err(Error::input(format!(
                "shape {shape:?}: expected {expected} values, at least one; found {found}"
            ))),
            None => Err(Error::input(format!("shape {shape:?}: more values than memory holds"))),
        }
    };
    match images {
        Images::Pictures(list) => {
            let Some(first) = list.first() else { return Err(Error::input("no pictures")) };
            let (height, width) = (first.height as usize, first.width as usize);
            sides(height, width)?;
            list.iter().try_for_each(Picture::check)?;
            match list.iter().find(|p| (p.width, p.height) != (first.width, first.height)) {
                None if is_exact(list) => Ok((Input::PixelValues { height, width }, list.len())),
                None => Ok((Input::Rgba { height, width }, list.len())),
                Some(other) => Err(Error::input(format!(
                    "pictures of one batch: expected {width} × {height}, found {} × {}",
                    other.width, other.height
                ))),
            }
        }
        Images::PixelValues { shape, values: v } => {
            let [batch, channels, height, width] = shape;
            if channels != s.channels {
                return Err(Error::input(format!(
                    "pixel_values of shape {shape:?}: expected {} channels",
                    s.channels
                )));
            }
            whole(height, width)?;
            values(v.len(), &shape)?;
            Ok((Input::PixelValues { height, width }, batch))
        }
        Images::PixelEmbeds { shape, values: v } => {
            let [batch, tokens, c] = shape;
            if c != s.hidden {
                return Err(Error::input(format!(
                    "pixel_embeds of shape {shape:?}: expected {} channels",
                    s.hidden
                )));
            }
            if spec.rope != Rope::None || spec.relative != Relative::None {
                return Err(Error::input(
                    "pixel_embeds: this model needs to know the grid of patches; give pixel_values",
                ));
            }
            values(v.len(), &shape)?;
            Ok((Input::PixelEmbeds { tokens }, batch))
        }
    }
}
