//! Pillow's bicubic resize, and the three ways to bring a picture to the encoder's shape.
//!
//! The arithmetic is that of Pillow 13 (a = −0.5, support stretched when shrinking, 22-bit weights,
//! each pass rounded to 8 bits), so the result is the same to the last bit, natively and in the
//! browser. Pillow 12 and older differ in the order of passes: columns were always first.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{MAX_PIXELS, Picture};
use crate::{Error, Result};

/// How a picture of any shape is brought to the encoder's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// The whole picture in a square, its aspect ratio ignored, as InternVL treats its tiles.
    Squash,
    /// The short side to the square's, the rest of the long side cut away, as the image processor
    /// shipped with InternViT (`CLIPImageProcessor`) does.
    Crop,
    /// The aspect ratio kept: the short side to the given size, both sides rounded to the nearest
    /// multiple of the patch. The position embeddings are interpolated.
    Native,
}

impl Resize {
    const ALL: [(Resize, &str); 3] =
        [(Resize::Squash, "squash"), (Resize::Crop, "crop"), (Resize::Native, "native")];

    /// Width and height of the result for a picture of `width` × `height` pixels.
    ///
    /// `size` is the side of the square, or the short side for [`Resize::Native`], in pixels;
    /// `patch`, the side of a patch, matters to the latter only.
    pub fn output(self, width: u32, height: u32, size: u32, patch: u32) -> (u32, u32) {
        let patch = f64::from(patch.max(1));
        let scale = f64::from(size) / f64::from(width.min(height).max(1));
        let patches = |side: u32| (f64::from(side) * scale / patch).round().max(1.0);
        match self {
            Resize::Squash | Resize::Crop => (size, size),
            Resize::Native => ((patches(width) * patch) as u32, (patches(height) * patch) as u32),
        }
    }

    /// The rectangle of a picture of `width` × `height` that the result shows, in its pixels:
    /// `[left, top, width, height]`.
    pub fn region(self, width: u32, height: u32, size: u32) -> [f64; 4] {
        if self != Resize::Crop || size == 0 {
            return [0.0, 0.0, width.into(), height.into()];
        }
        let short = u64::from(width.min(height).max(1));
        let span = |side: u32| {
            // The processor truncates the resized side and halves what is too much downwards.
            let resized = u64::from(side) * u64::from(size) / short;
            let start = resized.saturating_sub(size.into()) / 2;
            let pixel = f64::from(side) / resized.max(1) as f64;
            (start as f64 * pixel, f64::from(size) * pixel)
        };
        let ((left, width), (top, height)) = (span(width), span(height));
        [left, top, width, height]
    }

    /// The picture at [`Resize::output`]'s size; `size` and `patch` in pixels.
    ///
    /// # Errors
    /// [`Error::Input`] for a `size` or `patch` of 0, an empty picture, one that has not the bytes that
    /// its sides say, or a result of more than [`MAX_PIXELS`] pixels, as keeping an extreme aspect
    /// ratio can ask for.
    pub fn fit(self, picture: &Picture, size: u32, patch: u32) -> Result<Picture> {
        picture.check()?;
        let Picture { width, height, .. } = *picture;
        if [size, patch, width, height].contains(&0) {
            return Err(Error::input(format!(
                "cannot resize {width} × {height} pixels to size {size} with patches of {patch}: \
                 none of these may be 0"
            )));
        }
        let (columns, rows) = self.output(width, height, size, patch);
        // Between the passes a picture has the new width and up to the old height.
        if u64::from(columns) * u64::from(rows.max(height)) > MAX_PIXELS {
            return Err(Error::input(format!(
                "resizing {width} × {height} pixels ({self}) to {columns} × {rows} would pass \
                 the limit of {MAX_PIXELS} pixels"
            )));
        }
        Ok(resample(picture, self.region(width, height, size), columns, rows))
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(mode, _)| mode == self).map_or("", |(_, name)| name))
    }
}

impl FromStr for Resize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text).map(|(mode, _)| *mode);
        found.ok_or_else(|| {
            Error::input(format!("resize must be squash, crop or native, not \"{text}\""))
        })
    }
}

/// The whole picture at `width` × `height` pixels, as Pillow 13's `resize(…, BICUBIC)` makes it.
///
/// # Errors
/// [`Error::Input`] for an empty picture or result, a picture that has not the bytes that its sides
/// say, or a result of more than [`MAX_PIXELS`] pixels.
pub fn resize(picture: &Picture, width: u32, height: u32) -> Result<Picture> {
    picture.check()?;
    let sides = [picture.width, picture.height, width, height];
    // Between the passes a picture has the new width and up to the old height.
    let pixels = u64::from(width) * u64::from(height.max(picture.height));
    if sides.contains(&0) || pixels > MAX_PIXELS {
        return Err(Error::input(format!(
            "resizing {} × {} pixels to {width} × {height}: expected sides of at least 1 and at \
             most {MAX_PIXELS} pixels",
            picture.width, picture.height
        )));
    }
    let region = Resize::Squash.region(picture.width, picture.height, width);
    Ok(resample(picture, region, width, height))
}

/// The part `region` of the picture (`[left, top, width, height]`) at `width` × `height` pixels.
///
/// Pixels outside the region take part near its edges: cutting and resizing at once gives the
/// bits that resizing everything and cutting afterwards would give.
fn resample(picture: &Picture, region: [f64; 4], width: u32, height: u32) -> Picture {
    if (width, height) == (picture.width, picture.height) && region[..2] == [0.0; 2] {
        return picture.clone();
    }
    let [left, top, across, down] = region;
    let columns = taps(left, across, picture.width, width);
    let mut rows = taps(top, down, picture.height, height);
    let (wide, tall) = (whole(across, picture.width, width), whole(down, picture.height, height));
    if rows_first((picture.width, picture.height), (wide, tall)) {
        squeeze_columns(&squeeze_rows(picture, &rows), &columns)
    } else {
        let end = rows.last().map_or(0, |taps| taps.first + taps.weights.len());
        let first = rows.first().map_or(0, |taps| taps.first).min(end);
        let stride = picture.width as usize * 3;
        let rgb = picture.rgb[first * stride..end * stride].to_vec();
        let used = Picture { width: picture.width, height: (end - first) as u32, rgb };
        for taps in &mut rows {
            taps.first -= first;
        }
        squeeze_rows(&squeeze_columns(&used, &columns), &rows)
    }
}

/// The side that the whole picture would get, where `extent` of its `inputs` pixels get `outputs`.
fn whole(extent: f64, inputs: u32, outputs: u32) -> i64 {
    (f64::from(inputs) * f64::from(outputs) / extent).round() as i64
}

/// Whether Pillow 13 resizes `from` to `to` (width, height) rows first: where it takes away rows, and
/// more than twice as many as columns.
fn rows_first(from: (u32, u32), to: (i64, i64)) -> bool {
    let (columns, rows) = (i64::from(from.0) - to.0, i64::from(from.1) - to.1);
    rows > 0 && rows > 2 * columns
}

/// Each row at as many pixels as there are taps.
fn squeeze_columns(picture: &Picture, columns: &[Taps]) -> Picture {
    let mut rgb = Vec::with_capacity(columns.len() * 3 * picture.height as usize);
    for row in picture.rows() {
        for taps in columns {
            let mut sums = [HALF; 3];
            for (pixel, weight) in row[taps.first * 3..].chunks_exact(3).zip(&taps.weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*value) * weight;
                }
            }
            rgb.extend(sums.map(round));
        }
    }
    Picture { width: columns.len() as u32, height: picture.height, rgb }
}

/// Each column at as many pixels as there are taps.
fn squeeze_rows(picture: &Picture, rows: &[Taps]) -> Picture {
    let stride = (picture.width as usize * 3).max(1);
    let mut rgb = Vec::with_capacity(stride * rows.len());
    let mut sums = vec![HALF; stride];
    for taps in rows {
        sums.fill(HALF);
        let lines = picture.rgb[taps.first * stride..].chunks_exact(stride);
        for (line, weight) in lines.zip(&taps.weights) {
            for (sum, value) in sums.iter_mut().zip(line) {
                *sum += i32::from(*value) * weight;
            }
        }
        rgb.extend(sums.iter().map(|sum| round(*sum)));
    }
    Picture { width: picture.width, height: rows.len() as u32, rgb }
}

/// Fractional bits of a weight: 32, less 8 of the pixel and 2 of headroom for the overshoot.
const FRACTION: u32 = 22;

/// One half, in the weights' units: what a sum starts from to be rounded.
const HALF: i32 = 1 << (FRACTION - 1);

fn round(sum: i32) -> u8 {
    (sum >> FRACTION).clamp(0, 255) as u8
}

/// The consecutive input pixels that make one output pixel.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// The taps of `outputs` pixels that show `start .. start + extent` of `inputs` pixels.
fn taps(start: f64, extent: f64, inputs: u32, outputs: u32) -> Vec<Taps> {
    let scale = extent / f64::from(outputs);
    let stretch = scale.max(1.0);
    let support = 2.0 * stretch;
    let one = |output: u32| {
        let centre = start + (f64::from(output) + 0.5) * scale;
        let first = (centre - support + 0.5) as u32;
        let end = ((centre + support + 0.5) as u32).min(inputs);
        let weight = |input: u32| bicubic((f64::from(input) - centre + 0.5) / stretch);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let unit = f64::from(1 << FRACTION) / weights.iter().sum::<f64>();
        let weights = weights.iter().map(|weight| (weight * unit).round() as i32).collect();
        Taps { first: first as usize, weights }
    };
    (0..outputs).map(one).collect()
}

/// Keys' cubic with a = −0.5.
fn bicubic(x: f64) -> f64 {
    match x.abs() {
        x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        x if x < 2.0 => ((2.5 - 0.5 * x) * x - 4.0) * x + 2.0,
        _ => 0.0,
    }
}
