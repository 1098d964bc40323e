//! From a segmentation head's logits to labels, some rows at a time: classes × pixels of a photograph
//! can be more than memory holds, logits of patches are a hundredth of it.

use std::ops::Range;

use crate::cpu::{Tap, taps};
use crate::features::Tensor;
use crate::image::MAX_PIXELS;
use crate::{Error, Result};

/// Logits of windows of a larger picture, whose mean counts where they overlap.
pub struct Canvas {
    classes: usize,
    size: [usize; 2],
    windows: Vec<Window>,
    /// Sums of logits and by how many windows each pixel is seen, where windows overlap so far that
    /// they take less than the windows.
    sums: Option<[Vec<f32>; 2]>,
}

/// The logits `[1, classes, h', w']` of a part of the picture.
struct Window {
    logits: Tensor,
    at: [usize; 2],
    size: [usize; 2],
    /// Of each row of the part the rows of logits that it lies between; likewise columns.
    taps: [Vec<Tap>; 2],
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
        if all.is_none_or(|all| all > isize::MAX as usize / 4) {
            return Err(Error::input(format!(
                "a map of {classes} classes and {height} × {width} pixels: expected at least 1 of \
                 each, and no more than memory holds"
            )));
        }
        Ok(Self { classes, size: [height, width], windows: Vec::new(), sums: None })
    }

    /// Bytes of what [`Canvas::finish`] gives.
    pub fn bytes(&self) -> u64 {
        4 * self.classes as u64 * self.size[0] as u64 * self.size[1] as u64
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
        size: [usize; 2],
    ) -> Result<()> {
        let [classes, height, width] = map_shape(logits)?;
        let inside = |start: usize, length: usize, side: usize| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= side)
        };
        let [rows, cols] = size;
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
        let taps = [taps(height, rows), taps(width, cols)];
        self.windows.push(Window { logits: logits.clone(), at: [top, left], size, taps });
        let bytes = |w: &Window| 4 * w.logits.values.len() as u64;
        if self.sums.is_some() || self.windows.iter().map(bytes).sum::<u64>() > self.bytes() {
            self.gather()?;
        }
        Ok(())
    }

    /// Adds all windows to the sums.
    fn gather(&mut self) -> Result<&mut [Vec<f32>; 2]> {
        let [height, width] = self.size;
        let (area, bytes) = (height * width, self.bytes());
        let sums = match &mut self.sums {
            Some(sums) => sums,
            none => {
                let mut values = Vec::new();
                let room = values.try_reserve_exact(self.classes * area);
                room.map_err(|_| Error::input(format!("a map: no memory for {bytes} bytes")))?;
                values.resize(self.classes * area, 0.0);
                none.insert([values, vec![0.0; area]])
            }
        };
        let [values, counts] = &mut *sums;
        for window in self.windows.drain(..) {
            let ([top, left], [rows, cols]) = (window.at, window.size);
            let at = |y: usize| (top + y) * width + left;
            for (class, plane) in values.chunks_exact_mut(area).enumerate() {
                (0..rows).for_each(|y| window.add(class, y, &mut plane[at(y)..][..cols]));
            }
            (0..rows).for_each(|y| counts[at(y)..][..cols].iter_mut().for_each(|n| *n += 1.0));
        }
        Ok(sums)
    }

    /// The mean logits `[1, classes, height, width]`: [`Canvas::bytes`] of them.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no memory for them.
    pub fn finish(mut self) -> Result<Tensor> {
        let [values, counts] = self.gather()?;
        for plane in values.chunks_exact_mut(counts.len()) {
            plane.iter_mut().zip(&*counts).for_each(|(sum, n)| *sum /= n.max(1.0));
        }
        let values = std::mem::take(values);
        Ok(Tensor { shape: vec![1, self.classes, self.size[0], self.size[1]], values })
    }

    /// The class with the largest mean logit for each pixel of a picture of height and width `size`,
    /// as [`labels`] of [`Canvas::finish`], which is never in memory whole.
    ///
    /// # Errors
    /// [`Error::Input`] for more than [`MAX_PIXELS`] pixels.
    pub fn labels(&self, size: [usize; 2]) -> Result<Vec<i32>> {
        if let Some([values, counts]) = &self.sums {
            let width = self.size[1];
            return largest(self.classes, self.size, size, |class, rows, into| {
                let rows = rows.start * width..rows.end * width;
                let sums = values[class * counts.len()..][rows.clone()].iter();
                let means = sums.zip(&counts[rows]).map(|(sum, n)| sum / n.max(1.0));
                into.iter_mut().zip(means).for_each(|(to, mean)| *to = mean);
            });
        }
        let mut rows = Rows::new(self, 0..0);
        largest(self.classes, self.size, size, |class, range, into| {
            if rows.range != range {
                rows = Rows::new(self, range);
            }
            rows.fill(class, into);
        })
    }
}

/// Some rows of a canvas: by how many windows each pixel is seen, and which windows see a row.
struct Rows<'a> {
    canvas: &'a Canvas,
    range: Range<usize>,
    counts: Vec<f32>,
    windows: Vec<Vec<&'a Window>>,
}

impl<'a> Rows<'a> {
    fn new(canvas: &'a Canvas, range: Range<usize>) -> Self {
        let width = canvas.size[1];
        let mut counts = vec![0.0; range.len() * width];
        let sees = |w: &&Window, y: usize| (w.at[0]..w.at[0] + w.size[0]).contains(&y);
        let list = range.clone().map(|y| canvas.windows.iter().filter(|w| sees(w, y)).collect());
        let windows: Vec<Vec<&Window>> = list.collect();
        for (counts, windows) in counts.chunks_exact_mut(width).zip(&windows) {
            for window in windows {
                let columns = window.at[1]..window.at[1] + window.size[1];
                counts[columns].iter_mut().for_each(|n| *n += 1.0);
            }
        }
        Self { canvas, range, counts, windows }
    }

    /// The mean logits of a class.
    fn fill(&self, class: usize, into: &mut [f32]) {
        let width = self.canvas.size[1];
        let rows = into.chunks_exact_mut(width).zip(self.counts.chunks_exact(width));
        for ((row, counts), (y, windows)) in rows.zip(self.range.clone().zip(&self.windows)) {
            row.fill(0.0);
            for window in windows {
                window.add(class, y - window.at[0], &mut row[window.at[1]..][..window.size[1]]);
            }
            row.iter_mut().zip(counts).for_each(|(sum, n)| *sum /= n.max(1.0));
        }
    }
}

impl Window {
    /// Adds a row of a class's logits, resized to the window.
    fn add(&self, class: usize, y: usize, sums: &mut [f32]) {
        let [_, _, h, w] = self.logits.shape[..] else { return };
        let plane = &self.logits.values[class * h * w..][..h * w];
        if [h, w] == self.size {
            sums.iter_mut().zip(&plane[y * w..][..w]).for_each(|(sum, value)| *sum += value);
            return;
        }
        let down = self.taps[0][y];
        let row = |y: usize| &plane[y * w..][..w];
        let (upper, lower) = (row(down.low), row(down.high));
        for (sum, tap) in sums.iter_mut().zip(&self.taps[1]) {
            *sum += down.mix(tap.of(upper), tap.of(lower));
        }
    }
}

/// The class with the largest logit for each pixel of a picture of height and width `size`, logits
/// resized bilinearly first (half-pixel centres, border clamped). The first of equals wins.
///
/// # Errors
/// [`Error::Input`] where the logits are not `[1, classes, h, w]`, none of them 0, and for more than
/// [`MAX_PIXELS`] pixels.
pub fn labels(logits: &Tensor, size: [usize; 2]) -> Result<Vec<i32>> {
    let [classes, height, width] = map_shape(logits)?;
    largest(classes, [height, width], size, |class, rows, into| {
        let plane = &logits.values[class * height * width..];
        into.copy_from_slice(&plane[rows.start * width..rows.end * width]);
    })
}

/// Values of a class that are in memory at once, more or less.
const BAND: usize = 1 << 18;

/// The labels of a picture of `size`, of logits of height and width `from`, of which `fill` gives some
/// rows of a class.
fn largest(
    classes: usize,
    from: [usize; 2],
    size: [usize; 2],
    mut fill: impl FnMut(usize, Range<usize>, &mut [f32]),
) -> Result<Vec<i32>> {
    let [height, width] = size;
    let area = height.checked_mul(width).filter(|area| *area as u64 <= MAX_PIXELS);
    let area = area.ok_or_else(|| {
        Error::input(format!("labels of {height} × {width} pixels: expected at most {MAX_PIXELS}"))
    })?;
    let (down, across) = (taps(from[0], height), taps(from[1], width));
    let same = from == size;
    let widest = width.max(from[1]) * from[0].div_ceil(height.max(1)).max(1);
    let band = (BAND / widest.max(1)).max(1);
    let mut labels = vec![0; area];
    let (mut best, mut plane, mut wide) = (Vec::new(), Vec::new(), Vec::new());
    for (down, labels) in down.chunks(band).zip(labels.chunks_mut(band * width.max(1))) {
        let (Some(first), Some(last)) = (down.first(), down.last()) else { continue };
        let rows = first.low..last.high + 1;
        best.clear();
        best.resize(labels.len(), f32::NEG_INFINITY);
        plane.resize(rows.len() * from[1], 0.0);
        for class in 0..classes {
            fill(class, rows.clone(), &mut plane);
            // Each row is stretched once, however many rows of the picture lie by it.
            wide.clear();
            for row in plane.chunks_exact(from[1]) {
                match same {
                    true => wide.extend_from_slice(row),
                    false => wide.extend(across.iter().map(|tap| tap.of(row))),
                }
            }
            let lines = best.chunks_exact_mut(width).zip(labels.chunks_exact_mut(width));
            for (tap, (best, labels)) in down.iter().zip(lines) {
                let row = |y: usize| &wide[(y - rows.start) * width..][..width];
                let tap = if same { Tap { along: 0.0, ..*tap } } else { *tap };
                let values = row(tap.low).iter().zip(row(tap.high));
                let values = values.map(|(upper, lower)| tap.mix(*upper, *lower));
                for ((best, label), value) in best.iter_mut().zip(labels).zip(values) {
                    if value > *best {
                        *best = value;
                        *label = class as i32;
                    }
                }
            }
        }
    }
    Ok(labels)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// In bands or at once, of windows or of their mean: the same labels.
    #[test]
    fn labels_need_no_whole_map() {
        let value = |i: usize| ((i * 2_654_435_761) >> 7) as u32 as f32 / u32::MAX as f32;
        let window = |at: usize| Tensor {
            shape: vec![1, 3, 4, 50],
            values: (0..600).map(|i| value(i + 1000 * (at % 7))).collect(),
        };
        let fill = |stride: usize| {
            let mut canvas = Canvas::new(3, [40, 2000]).unwrap();
            for (number, left) in window_starts(2000, 50, stride).into_iter().enumerate() {
                canvas.add(&window(number), [0, left], [40, 50]).unwrap();
            }
            assert_eq!(canvas.sums.is_some(), stride == 1, "sums are kept where they take less");
            canvas
        };
        for (stride, size) in
            [(35, [40, 2000]), (35, [90, 4100]), (35, [7, 300]), (50, [1000, 1100]), (1, [50, 999])]
        {
            let whole = labels(&fill(stride).finish().unwrap(), size).unwrap();
            assert!(fill(stride).labels(size).unwrap() == whole, "{size:?}");
            assert!((0..3).all(|class| whole.contains(&class)), "{size:?}");
        }
    }

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
        assert_eq!(canvas.finish().unwrap().values, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn the_largest_logit_wins() {
        let logits = Tensor { shape: vec![1, 2, 1, 2], values: vec![1.0, 0.0, 0.0, 1.0] };
        assert_eq!(labels(&logits, [1, 4]).unwrap(), [0, 0, 1, 1]);
    }
}
