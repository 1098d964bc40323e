//! From a segmentation head's logits to labels and pictures.

use crate::features::Tensor;
use crate::image::Picture;
use crate::{Error, Result};

/// Logits summed over windows of a larger picture.
pub struct Canvas {
    classes: usize,
    size: [usize; 2],
    sums: Vec<f32>,
    counts: Vec<f32>,
}

/// The first rows or columns of windows of `side` pixels with `stride` over `length` pixels; the
/// last is shifted back inside. A stride of 0 counts as 1.
pub fn window_starts(length: usize, side: usize, stride: usize) -> Vec<usize> {
    let (last, stride) = (length.saturating_sub(side), stride.max(1));
    (0..last.div_ceil(stride) + 1).map(|i| (i * stride).min(last)).collect()
}

impl Canvas {
    /// An empty canvas of height and width `size`.
    ///
    /// # Errors
    /// [`Error::Input`] where it is empty, or larger than any memory.
    pub fn new(classes: usize, [height, width]: [usize; 2]) -> Result<Self> {
        let area = height.checked_mul(width).filter(|area| *area > 0);
        let all = area.and_then(|area| area.checked_mul(classes)).filter(|all| *all > 0);
        let (Some(area), Some(all)) = (area, all.filter(|all| *all <= isize::MAX as usize / 4))
        else {
            return Err(Error::input(format!(
                "a map of {classes} classes and {height} × {width} pixels: expected at least 1 of \
                 each, and no more than memory holds"
            )));
        };
        Ok(Self { classes, size: [height, width], sums: vec![0.0; all], counts: vec![0.0; area] })
    }

    /// Adds one window's logits `[1, classes, h', w']`, resized to the window's `[height, width]`,
    /// at `[top, left]`.
    ///
    /// # Errors
    /// [`Error::Input`] where the logits are not of these classes, or the window is not inside.
    pub fn add(
        &mut self,
        logits: &Tensor,
        [top, left]: [usize; 2],
        window: [usize; 2],
    ) -> Result<()> {
        let [classes, height, width] = map_shape(logits)?;
        let inside = |start: usize, length: usize, side: usize| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= side)
        };
        let [rows, cols] = window;
        if classes != self.classes
            || !inside(top, rows, self.size[0])
            || !inside(left, cols, self.size[1])
        {
            return Err(Error::input(format!(
                "a window of {rows} × {cols} pixels at row {top}, column {left} with {classes} \
                 classes: the map has {:?} pixels and {} classes",
                self.size, self.classes
            )));
        }
        let area = self.size[0] * self.size[1];
        for (class, plane) in planes(logits).enumerate() {
            let resized = resize_plane(plane, [height, width], window);
            for (y, row) in resized.chunks_exact(cols).enumerate() {
                let at = class * area + (top + y) * self.size[1] + left;
                self.sums[at..at + cols].iter_mut().zip(row).for_each(|(s, v)| *s += v);
            }
        }
        for y in top..top + rows {
            let at = y * self.size[1] + left;
            self.counts[at..at + cols].iter_mut().for_each(|n| *n += 1.0);
        }
        Ok(())
    }

    /// The mean logits `[1, classes, height, width]`.
    pub fn finish(mut self) -> Tensor {
        for plane in self.sums.chunks_exact_mut(self.counts.len()) {
            plane.iter_mut().zip(&self.counts).for_each(|(s, n)| *s /= n.max(1.0));
        }
        let [height, width] = self.size;
        Tensor { shape: vec![1, self.classes, height, width], values: self.sums }
    }
}

/// The class with the largest logit for each pixel of a picture of height and width `size`, logits
/// resized bilinearly first (half-pixel centres, border clamped). The first of equals wins.
///
/// # Errors
/// [`Error::Input`] where the logits are not `[1, classes, h, w]`, none of them 0.
pub fn labels(logits: &Tensor, size: [usize; 2]) -> Result<Vec<i32>> {
    let [_, height, width] = map_shape(logits)?;
    let from = [height, width];
    let mut best = vec![f32::NEG_INFINITY; size[0] * size[1]];
    let mut labels = vec![0; best.len()];
    for (class, plane) in planes(logits).enumerate() {
        let resized = resize_plane(plane, from, size);
        for ((value, best), label) in resized.iter().zip(&mut best).zip(&mut labels) {
            if value > best {
                *best = *value;
                *label = class as i32;
            }
        }
    }
    Ok(labels)
}

/// Each class's share of the picture, in percent.
///
/// # Errors
/// [`Error::Input`] where a label is not one of the classes.
pub fn shares(labels: &[i32], classes: usize) -> Result<Vec<f64>> {
    let mut counts = vec![0usize; classes];
    for label in labels {
        let count = usize::try_from(*label).ok().and_then(|label| counts.get_mut(label));
        let wrong = || Error::input(format!("label {label}: there are {classes} classes"));
        *count.ok_or_else(wrong)? += 1;
    }
    Ok(counts.iter().map(|n| *n as f64 * 100.0 / labels.len().max(1) as f64).collect())
}

/// Labels in the palette's colours over the photograph; `opacity` from 0 to 1. A label
/// past the palette's end begins it anew.
///
/// # Errors
/// [`Error::Input`] where there is not one label a pixel, one is negative, the palette is empty, or
/// the photograph has not the bytes that its sides say.
pub fn paint_labels(
    labels: &[i32],
    palette: &[[u8; 3]],
    photo: &Picture,
    opacity: f32,
) -> Result<Picture> {
    photo.check()?;
    if labels.len() != photo.rgb.len() / 3 || palette.is_empty() || labels.iter().any(|l| *l < 0) {
        return Err(Error::input(format!(
            "{} labels in {} colours over {} × {} pixels: expected a label of at least 0 for each \
             pixel, and a colour",
            labels.len(),
            palette.len(),
            photo.width,
            photo.height
        )));
    }
    let mix = |under: u8, over: u8| {
        (f32::from(under) + (f32::from(over) - f32::from(under)) * opacity).round() as u8
    };
    let pixels = photo.rgb.as_chunks::<3>().0.iter().zip(labels);
    let rgb = pixels.flat_map(|(under, label)| {
        let over = palette[*label as usize % palette.len()];
        std::array::from_fn::<u8, 3, _>(|i| mix(under[i], over[i]))
    });
    Ok(Picture { width: photo.width, height: photo.height, rgb: rgb.collect() })
}

/// Okabe and Ito's colours, which people with any colour vision can tell apart, ordered such that
/// the first two differ most.
const OKABE_ITO: [[u8; 3]; 7] = [
    [230, 159, 0],
    [0, 114, 178],
    [0, 158, 115],
    [204, 121, 167],
    [86, 180, 233],
    [213, 94, 0],
    [240, 228, 66],
];

/// Distinct colours for any number of classes: Okabe and Ito's seven, then hues at the golden angle
/// in three lightnesses.
pub fn default_palette(classes: usize) -> Vec<[u8; 3]> {
    let more = (OKABE_ITO.len()..classes).map(|i| {
        let hue = (i as f32 * 137.508) % 360.0;
        let light = [0.55, 0.4, 0.7][i % 3];
        let chroma = (1.0 - (2.0 * light - 1.0f32).abs()) * 0.75;
        [0.0, 8.0, 4.0].map(|n: f32| {
            let k = (n + hue / 30.0) % 12.0;
            let part = (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
            ((light - chroma / 2.0 * part) * 255.0).round() as u8
        })
    });
    OKABE_ITO.into_iter().take(classes).chain(more).collect()
}

/// Classes, height and width of logits `[1, classes, h, w]` that hold what their shape says.
fn map_shape(logits: &Tensor) -> Result<[usize; 3]> {
    let values = logits.shape.iter().try_fold(1usize, |n, side| n.checked_mul(*side));
    match logits.shape[..] {
        [1, classes, h, w] if !logits.values.is_empty() && values == Some(logits.values.len()) => {
            Ok([classes, h, w])
        }
        _ => Err(Error::input(format!(
            "logits of shape {:?} and {} values: expected [1, classes, height, width], none of \
             them 0",
            logits.shape,
            logits.values.len()
        ))),
    }
}

fn planes(logits: &Tensor) -> impl Iterator<Item = &[f32]> {
    logits.values.chunks_exact(logits.shape[2] * logits.shape[3]).take(logits.shape[1])
}

fn resize_plane(plane: &[f32], [h, w]: [usize; 2], [height, width]: [usize; 2]) -> Vec<f32> {
    if [h, w] == [height, width] {
        return plane.to_vec();
    }
    let (rows, cols) = (taps(h, height), taps(w, width));
    let mut out = Vec::with_capacity(height * width);
    for (top, bottom, down) in &rows {
        for (left, right, across) in &cols {
            let upper = mix(plane[top * w + left], plane[top * w + right], *across);
            let lower = mix(plane[bottom * w + left], plane[bottom * w + right], *across);
            out.push(mix(upper, lower, *down));
        }
    }
    out
}

fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// For each of `to` outputs the two inputs it lies between, and how far along.
fn taps(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    (0..to)
        .map(|i| {
            let at = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
            let low = at as usize;
            (low, (low + 1).min(from - 1), (at - low as f64) as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Starts as mmseg's slide inference places windows of 504 with stride 322.
    #[test]
    fn windows_cover_the_picture() {
        assert_eq!(window_starts(504, 504, 322), [0]);
        assert_eq!(window_starts(672, 504, 322), [0, 168]);
        assert_eq!(window_starts(1200, 504, 322), [0, 322, 644, 696]);
        assert_eq!(window_starts(100, 504, 322), [0]);
    }

    #[test]
    fn overlapping_windows_are_averaged() {
        let window = |value: f32| Tensor { shape: vec![1, 1, 1, 1], values: vec![value] };
        let mut canvas = Canvas::new(1, [1, 3]).unwrap();
        canvas.add(&window(1.0), [0, 0], [1, 2]).unwrap();
        canvas.add(&window(3.0), [0, 1], [1, 2]).unwrap();
        assert_eq!(canvas.finish().values, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn the_largest_logit_wins() {
        let logits = Tensor { shape: vec![1, 2, 1, 2], values: vec![1.0, 0.0, 0.0, 1.0] };
        assert_eq!(labels(&logits, [1, 4]).unwrap(), [0, 0, 1, 1]);
        assert_eq!(shares(&[0, 0, 1, 1], 3).unwrap(), [50.0, 50.0, 0.0]);
    }

    #[test]
    fn colours_differ() {
        let mut palette = default_palette(150);
        palette.sort_unstable();
        palette.dedup();
        assert!(palette.len() > 140, "{}", palette.len());
    }
}
