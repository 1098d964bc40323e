//! Views at the resolution of pixels: values are upsampled first and become colours or classes there,
//! so that no colour and no class lies between two others that is neither.

use super::{Map, heat};
use crate::cpu::{Guide, Upsampled};
use crate::{Error, Result};

/// A view's colours at the resolution of pixels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fine {
    /// RGBA pixels; alpha is not premultiplied.
    pub rgba: Vec<u8>,
    /// For each pixel the number of its class or cluster, where the view has some; 255 where the
    /// photograph is transparent. Of a view with a range its value, from 0 at the low end to 255.
    pub labels: Vec<u8>,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// What is upsampled, and what comes of it.
struct Planes {
    planes: Vec<Vec<f32>>,
    ink: Ink,
}

enum Ink {
    /// Red, green, blue from 0 to 255, times alpha; then alpha, unless it is 1 everywhere.
    Colours,
    /// A value from 0 to 1.
    Heat,
    /// The largest counts; of each plane the number of its class.
    Labels(Vec<u8>),
}

/// Classes that are upsampled at most: those with the largest shares.
const CLASSES: usize = 32;
/// The label of what is transparent.
pub(super) const NONE: u8 = 255;

impl Map {
    /// Rows and columns of what is upsampled: of patches, or of a head's logits.
    pub fn grid(&self) -> [usize; 2] {
        self.logits().map_or([self.height, self.width], |[_, height, width]| [height, width])
    }

    /// The view with edges along those of a photograph; `guide` is the part of it that the encoder saw,
    /// for the map's [`Map::grid`].
    ///
    /// # Errors
    /// [`Error::Input`] where the guide is for another grid, or the map has not the values that its
    /// sides say.
    pub fn along(&self, guide: &Guide) -> Result<Fine> {
        if guide.shape().grid != self.grid() {
            let ([rows, cols], found) = (self.grid(), guide.shape().grid);
            return Err(Error::input(format!(
                "a guide for {} × {} values: the map has {rows} × {cols}",
                found[0], found[1]
            )));
        }
        let Planes { planes, ink } = self.planes()?;
        Ok(self.inked(&Upsampled::guided(&planes, guide), &ink))
    }

    /// The view interpolated to height and width `size`. Classes are those of the raster, whose logits
    /// were interpolated.
    ///
    /// # Errors
    /// [`Error::Input`] where there are no pixels, or the map has not the values that its sides say.
    pub fn smooth(&self, size: [usize; 2]) -> Result<Fine> {
        match self.logits() {
            Some(_) => Ok(self.raster()),
            None => self.cubic(size),
        }
    }

    fn cubic(&self, size: [usize; 2]) -> Result<Fine> {
        let Planes { planes, ink } = self.planes()?;
        if size.contains(&0) {
            return Err(Error::input("a picture without pixels"));
        }
        Ok(self.inked(&Upsampled::cubic(&planes, self.grid(), size), &ink))
    }

    /// The view with a pixel a value.
    ///
    /// # Errors
    /// As [`Map::smooth`].
    pub(super) fn coarse(&self) -> Result<Fine> {
        match self.logits() {
            Some([_, height, width]) => self.cubic([height, width]),
            None => Ok(self.raster()),
        }
    }

    fn raster(&self) -> Fine {
        let &Self { width, height, .. } = self;
        Fine { rgba: self.rgba.clone(), labels: self.labels.clone(), width, height }
    }

    /// Classes, height and width of logits, where the data are some.
    pub(super) fn logits(&self) -> Option<[usize; 3]> {
        match (self.labels.is_empty(), &self.shape[..]) {
            (false, [1, classes, height, width]) => Some([*classes, *height, *width]),
            _ => None,
        }
    }

    fn planes(&self) -> Result<Planes> {
        let area = self.width * self.height;
        let whole = self.rgba.len() == 4 * area && area > 0;
        let labelled = self.labels.is_empty() || self.labels.len() == area;
        let heat = self.range.is_none() || self.shown().len() == area;
        if !whole || !labelled || !heat {
            let (width, height) = (self.width, self.height);
            return Err(Error::input(format!("a map of {width} × {height}: values are missing")));
        }
        if let Some(shape) = self.logits() {
            return probabilities(&self.values, shape);
        }
        if !self.labels.is_empty() {
            let seen = self.labels.iter().filter(|label| **label != NONE);
            let classes = 1 + seen.max().copied().unwrap_or(0);
            let plane = |class: u8| {
                let one = |label: &u8| f32::from(u8::from(*label == class));
                self.labels.iter().map(one).collect()
            };
            let planes = (0..classes).map(plane).collect();
            return Ok(Planes { planes, ink: Ink::Labels((0..classes).collect()) });
        }
        if let Some([low, high]) = self.range {
            let span = (high - low).max(f32::MIN_POSITIVE);
            let shown = self.shown().iter().map(|value| ((value - low) / span).clamp(0.0, 1.0));
            return Ok(Planes { planes: vec![shown.collect()], ink: Ink::Heat });
        }
        let pixels = self.rgba.as_chunks::<4>().0;
        let alpha: Vec<f32> = pixels.iter().map(|[.., alpha]| f32::from(*alpha) / 255.0).collect();
        let plane = |i: usize| {
            let values = pixels.iter().zip(&alpha);
            values.map(|(pixel, alpha)| f32::from(pixel[i]) * alpha).collect()
        };
        let mut planes: Vec<Vec<f32>> = (0..3).map(plane).collect();
        if alpha.iter().any(|alpha| *alpha < 1.0) {
            planes.push(alpha);
        }
        Ok(Planes { planes, ink: Ink::Colours })
    }

    fn inked(&self, values: &Upsampled<'_>, ink: &Ink) -> Fine {
        let [height, width] = values.size();
        let mut rgba = vec![0; 4 * width * height];
        let mut labels = Vec::new();
        match ink {
            Ink::Colours => values.paint(4, &mut rgba, |_, row, out| colours(row, width, out)),
            Ink::Heat => {
                let table: Vec<[u8; 3]> = (0..=255u8).map(|v| heat(f32::from(v) / 255.0)).collect();
                labels = vec![0; width * height];
                values.paint(1, &mut labels, |_, row, out| {
                    out.iter_mut().zip(row).for_each(|(level, v)| *level = byte(255.0 * v));
                });
                for (level, pixel) in labels.iter().zip(rgba.as_chunks_mut::<4>().0) {
                    let [r, g, b] = table[usize::from(*level)];
                    *pixel = [r, g, b, 255];
                }
            }
            Ink::Labels(classes) => {
                labels = vec![NONE; width * height];
                values.paint(1, &mut labels, |y, row, out| {
                    largest(row, classes, out);
                    self.leave_out(y, height, out);
                });
                for (label, pixel) in labels.iter().zip(rgba.as_chunks_mut::<4>().0) {
                    if *label != NONE && !self.palette.is_empty() {
                        let [r, g, b] = self.palette[usize::from(*label) % self.palette.len()];
                        *pixel = [r, g, b, 255];
                    }
                }
            }
        }
        Fine { rgba, labels, width, height }
    }

    /// Takes the labels of a row of `height` that lie where the raster has none.
    fn leave_out(&self, y: usize, height: usize, row: &mut [u8]) {
        let known = &self.labels[y * self.height / height * self.width..][..self.width];
        if known.contains(&NONE) {
            let width = row.len();
            let hidden = |(x, _): &(usize, &mut u8)| known[x * self.width / width] == NONE;
            row.iter_mut().enumerate().filter(hidden).for_each(|(_, label)| *label = NONE);
        }
    }
}

/// The probabilities of the classes that are the most likely anywhere.
fn probabilities(all: &[f32], [classes, height, width]: [usize; 3]) -> Result<Planes> {
    let area = height * width;
    if area == 0 || all.len() != classes * area {
        let found = all.len();
        return Err(Error::input(format!(
            "logits of {classes} classes on {height} × {width} places: found {found} values"
        )));
    }
    let mut best = vec![0; area];
    let mut sums = vec![0.0; area];
    for class in 1..classes {
        for (at, best) in best.iter_mut().enumerate() {
            if all[class * area + at] > all[*best * area + at] {
                *best = class;
            }
        }
    }
    for plane in all.chunks_exact(area) {
        for (at, (sum, value)) in sums.iter_mut().zip(plane).enumerate() {
            *sum += (value - all[best[at] * area + at]).exp();
        }
    }
    let mut counts = vec![0usize; classes.min(usize::from(NONE))];
    best.iter().for_each(|class| counts.get_mut(*class).into_iter().for_each(|n| *n += 1));
    let mut chosen = Vec::new();
    for _ in 0..CLASSES {
        // The first of equals, as for labels.
        let most = (0..counts.len()).rev().max_by_key(|class| counts[*class]);
        let Some(class) = most.filter(|class| counts[*class] > 0) else { break };
        counts[class] = 0;
        chosen.push(class);
    }
    let plane = |class: &usize| {
        let at_each = all[class * area..][..area].iter().zip(&sums).enumerate();
        at_each.map(|(at, (v, sum))| (v - all[best[at] * area + at]).exp() / sum).collect()
    };
    let planes = chosen.iter().map(plane).collect();
    Ok(Planes { planes, ink: Ink::Labels(chosen.iter().map(|class| *class as u8).collect()) })
}

fn byte(value: f32) -> u8 {
    (value + 0.5) as u8
}

/// A row of colours, of which red, green and blue are times alpha.
fn colours(row: &[f32], width: usize, out: &mut [u8]) {
    let (colour, alpha) = row.split_at(3 * width);
    let (r, gb) = colour.split_at(width);
    let (g, b) = gb.split_at(width);
    let pixels = out.as_chunks_mut::<4>().0.iter_mut().zip(r.iter().zip(g).zip(b));
    match alpha.is_empty() {
        true => pixels.for_each(|(pixel, ((r, g), b))| {
            *pixel = [byte(*r), byte(*g), byte(*b), 255];
        }),
        false => pixels.zip(alpha).for_each(|((pixel, ((r, g), b)), alpha)| {
            let scale = if *alpha > 0.0 { 1.0 / alpha } else { 0.0 };
            let [r, g, b] = [r, g, b].map(|v| byte(v * scale));
            // What the filter spreads far from an edge is neither shown nor taken away.
            *pixel = [r, g, b, byte(255.0 * (2.0 * alpha - 0.5).clamp(0.0, 1.0))];
        }),
    }
}

/// Of a row of planes the class of the largest; the first of equals wins.
fn largest(row: &[f32], classes: &[u8], out: &mut [u8]) {
    let mut best = vec![f32::NEG_INFINITY; out.len()];
    for (plane, class) in row.chunks_exact(out.len()).zip(classes) {
        for ((value, best), label) in plane.iter().zip(&mut best).zip(out.iter_mut()) {
            if value > best {
                (*best, *label) = (*value, *class);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Values at pixels are those that the colours show.
    #[test]
    fn levels_are_of_the_values() {
        let map = Map::heat(vec![-1.0, 3.0, 1.4, 1.4, 1.4, 1.4], [3, 2], [-1.0, 3.0]).unwrap();
        let fine = map.smooth([30, 20]).unwrap();
        assert_eq!(fine.labels.len(), 600);
        assert_eq!([fine.labels[0], fine.labels[19]], [0, 255]);
        assert_eq!(fine.labels[580..], [153; 20]);
        for (level, pixel) in fine.labels.iter().zip(fine.rgba.as_chunks::<4>().0) {
            assert_eq!(heat(f32::from(*level) / 255.0), pixel[..3]);
        }
    }
}
