//! Pillow's resize with its antialiasing filters.
//!
//! The arithmetic is that of Pillow 13 (support stretched when shrinking, 22-bit weights, each pass
//! rounded to 8 bits), so the result is the same to the last bit, natively and in the browser. Pillow
//! 12 and older differ in the order of passes: columns were always first.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{MAX_PIXELS, Picture};
use crate::{Error, Result};

/// What weighs the pixels of which a resized one is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Keys' cubic with a = −0.5.
    #[default]
    Bicubic,
    /// A triangle.
    Bilinear,
    /// A sinc within a sinc of three zeros.
    Lanczos,
    /// The mean.
    Box,
    /// A sinc within Hamming's window.
    Hamming,
}

impl Filter {
    /// All of them.
    pub const ALL: [Filter; 5] =
        [Self::Bicubic, Self::Bilinear, Self::Lanczos, Self::Box, Self::Hamming];

    /// Its name in Pillow, in small letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bicubic => "bicubic",
            Self::Bilinear => "bilinear",
            Self::Lanczos => "lanczos",
            Self::Box => "box",
            Self::Hamming => "hamming",
        }
    }

    /// Beyond this many pixels it is 0.
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The weight at `x` pixels from the middle.
    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Bicubic => bicubic(x),
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Box if x > -0.5 && x <= 0.5 => 1.0,
            Self::Hamming if x.abs() < 1.0 => {
                sinc(x) * (0.54 + 0.46 * (x.abs() * std::f64::consts::PI).cos())
            }
            Self::Lanczos | Self::Box | Self::Hamming => 0.0,
        }
    }
}

/// The whole picture at `width` × `height` pixels, as Pillow 13's `resize(…, BICUBIC)` makes it.
///
/// # Errors
/// [`Error::Input`] for an empty picture or result, a picture that has not the bytes that its sides
/// say, or a result of more than [`MAX_PIXELS`] pixels.
pub fn resize(picture: &Picture, width: u32, height: u32) -> Result<Picture> {
    resize_by(picture, width, height, Filter::Bicubic)
}

/// As [`resize`], with another filter of Pillow's.
pub(super) fn resize_by(
    picture: &Picture,
    width: u32,
    height: u32,
    filter: Filter,
) -> Result<Picture> {
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
    let region = [0.0, 0.0, picture.width.into(), picture.height.into()];
    Ok(resample(picture, region, [width, height], filter, false))
}

/// The part `region` of the picture (`[left, top, width, height]`) at `width` × `height` pixels.
///
/// Pixels outside the region take part near its edges: cutting and resizing at once gives the
/// bits that resizing everything and cutting afterwards would give. With `exact` nothing is rounded in
/// between, and the result has its values before they are, as torchvision makes them of floats.
pub(super) fn resample(
    picture: &Picture,
    region: [f64; 4],
    [width, height]: [u32; 2],
    filter: Filter,
    exact: bool,
) -> Picture {
    if (width, height) == (picture.width, picture.height) && region[..2] == [0.0; 2] {
        return picture.clone();
    }
    let [left, top, across, down] = region;
    let columns = taps(left, across, picture.width, width, filter);
    let mut rows = taps(top, down, picture.height, height, filter);
    if exact {
        let exact = unrounded(picture, &columns, &rows);
        let rgb = exact.iter().map(|value| value.round_ties_even() as u8).collect();
        return Picture { width, height, rgb, exact };
    }
    let (wide, tall) = (whole(across, picture.width, width), whole(down, picture.height, height));
    if rows_first((picture.width, picture.height), (wide, tall)) {
        let squeezed = squeeze_rows(picture, &rows);
        squeeze_columns(&squeezed, 0..squeezed.height as usize, &columns)
    } else {
        let end = rows.last().map_or(0, |taps| taps.first + taps.weights.len());
        let first = rows.first().map_or(0, |taps| taps.first).min(end);
        for taps in &mut rows {
            taps.first -= first;
        }
        squeeze_rows(&squeeze_columns(picture, first..end, &columns), &rows)
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

/// Each of the rows `used` at as many pixels as there are taps.
fn squeeze_columns(picture: &Picture, used: Range<usize>, columns: &[Taps]) -> Picture {
    let mut rgb = Vec::with_capacity(columns.len() * 3 * used.len());
    for row in picture.rows().skip(used.start).take(used.len()) {
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
    Picture::of(columns.len() as u32, used.len() as u32, rgb)
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
    Picture::of(picture.width, rows.len() as u32, rgb)
}

/// Columns, then rows, of which nothing is rounded: `[rows, columns, 3]`.
fn unrounded(picture: &Picture, columns: &[Taps], rows: &[Taps]) -> Vec<f32> {
    let share = |weight: &i32| *weight as f32 / (1 << FRACTION) as f32;
    let stride = 3 * columns.len();
    let mut wide = Vec::with_capacity(stride * picture.height as usize);
    for row in picture.rows() {
        for taps in columns {
            let mut sums = [0.0f32; 3];
            for (pixel, weight) in row[taps.first * 3..].chunks_exact(3).zip(&taps.weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += f32::from(*value) * share(weight);
                }
            }
            wide.extend(sums);
        }
    }
    let mut values = vec![0.0f32; stride * rows.len()];
    for (taps, line) in rows.iter().zip(values.chunks_exact_mut(stride.max(1))) {
        let lines = wide[taps.first * stride..].chunks_exact(stride.max(1));
        for (from, weight) in lines.zip(&taps.weights) {
            for (sum, value) in line.iter_mut().zip(from) {
                *sum += value * share(weight);
            }
        }
    }
    values
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
fn taps(start: f64, extent: f64, inputs: u32, outputs: u32, filter: Filter) -> Vec<Taps> {
    let scale = extent / f64::from(outputs);
    let stretch = scale.max(1.0);
    let (support, shrink) = (filter.support() * stretch, 1.0 / stretch);
    let one = |output: u32| {
        let centre = start + (f64::from(output) + 0.5) * scale;
        let first = (centre - support + 0.5) as u32;
        let end = ((centre + support + 0.5) as u32).min(inputs);
        let weight = |input: u32| filter.weight((f64::from(input) - centre + 0.5) * shrink);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let (sum, unit) = (weights.iter().sum::<f64>(), f64::from(1 << FRACTION));
        let weights = weights.iter().map(|weight| (weight / sum * unit).round() as i32).collect();
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

/// sin(πx) / πx.
fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}
