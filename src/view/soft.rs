//! Probabilities of classes over a photograph, and what is made of them: labels, how sure they are,
//! what is cut out.

use serde::{Deserialize, Serialize};

use super::Edges;
use super::tidy::tidy;
use crate::cpu::{Guide, Upsampled, box_mean, stretch};
use crate::features::one_each;
use crate::image::{Picture, resize};
use crate::{Error, Result, Tensor};

/// How probabilities become masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refine {
    /// Where edges come from.
    pub edges: Edges,
    /// Pixels over which probabilities are smoothed, of a photograph that is shown 1000 pixels long.
    pub smooth: u32,
    /// Parts of fewer pixels go to what lies around them.
    pub least: usize,
}

impl Default for Refine {
    fn default() -> Self {
        Self { edges: Edges::Photograph, smooth: 0, least: 0 }
    }
}

/// Probabilities of classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Soft {
    /// `[classes, rows, cols]`.
    values: Vec<f32>,
    sides: [usize; 2],
    ground: Ground,
    refine: Refine,
}

/// What the map shows, at its size.
#[derive(Clone, Debug, PartialEq)]
enum Ground {
    /// A photograph whose edges the map follows.
    Edges(Guide),
    /// A photograph that it is only stretched over.
    Smooth(Picture),
    /// A photograph over which each value is a square.
    Patches(Picture),
}

/// A map of classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The class of each pixel.
    pub labels: Vec<i32>,
    /// How unsure it is: 0 where one class has all the probability, 1 where two have the same.
    pub unsure: Vec<f32>,
}

/// The probabilities `[classes, rows, cols]` that logits of a grid mean at the cells of another.
pub fn probabilities(logits: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let planes = logits.chunks_exact((from[0] * from[1]).max(1));
    let mut all: Vec<f32> = planes.flat_map(|plane| stretch(plane, from, to)).collect();
    let area = (to[0] * to[1]).max(1);
    for cell in 0..area {
        let of = |all: &[f32]| all.iter().skip(cell).step_by(area).copied().collect::<Vec<_>>();
        let values = of(&all);
        let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = values.iter().map(|v| (v - most).exp()).sum();
        let cells = all.iter_mut().skip(cell).step_by(area);
        cells.for_each(|v| *v = (*v - most).exp() / sum);
    }
    all
}

/// That each cell has a probability of each class.
fn check(values: &[f32], sides: [usize; 2]) -> Result<()> {
    let area = sides[0].saturating_mul(sides[1]).max(1);
    one_each("probabilities of a class", values.len().min(area), sides)?;
    if values.len().is_multiple_of(area) {
        return Ok(());
    }
    let found = values.len();
    Err(Error::input(format!("{found} probabilities, expected {area} for each class")))
}

impl Soft {
    /// Probabilities `[classes, rows, cols]` over a picture, shown `[height, width]` pixels large.
    ///
    /// # Errors
    /// [`Error::Input`] where lengths do not fit each other.
    pub fn new(
        values: Vec<f32>,
        sides: [usize; 2],
        picture: &Picture,
        [height, width]: [usize; 2],
        refine: Refine,
    ) -> Result<Self> {
        check(&values, sides)?;
        let picture = resize(picture, width as u32, height as u32)?;
        let ground = match refine.edges {
            Edges::Photograph => Ground::Edges(Guide::new(picture, sides)?),
            Edges::Smooth => Ground::Smooth(picture),
            Edges::Patches => Ground::Patches(picture),
        };
        Ok(Self { values, sides, ground, refine })
    }

    /// The same along a guide that is there already, for maps of as many rows and columns.
    ///
    /// # Errors
    /// As [`Soft::new`].
    pub fn along(values: Vec<f32>, guide: Guide, refine: Refine) -> Result<Self> {
        let sides = guide.shape().grid;
        check(&values, sides)?;
        Ok(Self { values, sides, ground: Ground::Edges(guide), refine })
    }

    /// Of logits `[1, classes, h, w]`, of which each patch of `grid` rows and columns has a mean.
    ///
    /// # Errors
    /// [`Error::Input`] where a patch has no logits; as [`Soft::new`].
    pub fn of_logits(
        logits: &Tensor,
        grid: [usize; 2],
        picture: &Picture,
        size: [usize; 2],
        refine: Refine,
    ) -> Result<Self> {
        let (&[1, _, height, width], true) = (&logits.shape[..], !grid.contains(&0)) else {
            return Err(Error::input("logits of a grid: expected [1, classes, height, width]"));
        };
        let [rows, cols] = [height / grid[0], width / grid[1]];
        let area = height.saturating_mul(width);
        if rows * cols == 0 || !logits.values.len().is_multiple_of(area) {
            return Err(Error::input(format!(
                "{height} × {width} logits for {} × {} patches: expected one or more for each",
                grid[0], grid[1]
            )));
        }
        let mut means = Vec::new();
        for plane in logits.values.chunks_exact(area) {
            for (row, col) in (0..grid[0]).flat_map(|row| (0..grid[1]).map(move |col| (row, col))) {
                let lines = (row * rows..(row + 1) * rows)
                    .flat_map(|y| &plane[y * width + col * cols..][..cols]);
                means.push(lines.sum::<f32>() / (rows * cols) as f32);
            }
        }
        Self::new(probabilities(&means, grid, grid), grid, picture, size, refine)
    }

    /// The probabilities as they were given, `[classes, rows, cols]`.
    pub fn cells(&self) -> Tensor {
        let [rows, cols] = self.sides;
        Tensor { shape: vec![self.classes(), rows, cols], values: self.values.clone() }
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.values.len() / (self.sides[0] * self.sides[1])
    }

    /// Height and width of what is made.
    pub fn size(&self) -> [usize; 2] {
        let Picture { width, height, .. } = self.picture();
        [*height as usize, *width as usize]
    }

    fn picture(&self) -> &Picture {
        match &self.ground {
            Ground::Edges(guide) => guide.picture(),
            Ground::Smooth(picture) | Ground::Patches(picture) => picture,
        }
    }

    /// The probability of a class at each pixel.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such class.
    pub fn plane(&self, class: usize) -> Result<Vec<f32>> {
        let area = self.sides[0] * self.sides[1];
        let classes = self.classes();
        let none = || Error::input(format!("class {class}: there are {classes}"));
        let values = self.values.chunks_exact(area).nth(class).ok_or_else(none)?;
        let [height, width] = self.size();
        let mut plane = match &self.ground {
            Ground::Edges(guide) => {
                let mut plane = vec![0.0; height * width];
                let paint = |_, row: &[f32], out: &mut [f32]| out.copy_from_slice(row);
                Upsampled::guided(&[values.to_vec()], guide).paint(1, &mut plane, paint);
                plane
            }
            Ground::Smooth(_) => stretch(values, self.sides, [height, width]),
            Ground::Patches(_) => {
                let [rows, cols] = self.sides;
                let value = |at: usize| {
                    values[at / width * rows / height * cols + at % width * cols / width]
                };
                (0..height * width).map(value).collect()
            }
        };
        let radius = (self.refine.smooth as usize * height.max(width)).div_ceil(1000);
        if radius > 0 {
            (0..2).for_each(|_| box_mean(&mut plane, [height, width], 1, radius));
        }
        plane.iter_mut().for_each(|p| *p = p.clamp(0.0, 1.0));
        Ok(plane)
    }

    /// The most probable class of each pixel. Only one class's probabilities are there at a time.
    ///
    /// # Errors
    /// As [`Soft::plane`].
    pub fn named(&self) -> Result<Named> {
        self.named_by(&mut |_| ())
    }

    /// As [`Soft::named`]; `each` is given the probabilities of one class after the other.
    ///
    /// # Errors
    /// As [`Soft::plane`].
    pub fn named_by(&self, each: &mut dyn FnMut(&[f32])) -> Result<Named> {
        let [height, width] = self.size();
        let mut labels = vec![0i32; height * width];
        let mut best = vec![f32::NEG_INFINITY; labels.len()];
        let mut second = vec![0.0f32; labels.len()];
        for class in 0..self.classes() {
            let plane = self.plane(class)?;
            each(&plane);
            for (((p, best), second), label) in
                plane.iter().zip(&mut best).zip(&mut second).zip(&mut labels)
            {
                if *p > *best {
                    (*second, *best, *label) = (best.max(0.0), *p, class as i32);
                } else {
                    *second = second.max(*p);
                }
            }
        }
        tidy(&mut labels, [height, width], self.refine.least);
        let unsure =
            best.iter().zip(&second).map(|(b, s)| (1.0 - (b - s)).clamp(0.0, 1.0)).collect();
        Ok(Named { labels, unsure })
    }

    /// The pixels of a class, RGBA: others are transparent, and edges as far as they are unsure.
    ///
    /// # Errors
    /// As [`Soft::plane`].
    pub fn cut_out(&self, class: usize) -> Result<Vec<u8>> {
        let (plane, labels) = (self.plane(class)?, self.named()?.labels);
        let pixels = self.picture().rgb.as_chunks::<3>().0.iter().zip(plane.iter().zip(&labels));
        let rgba = pixels.flat_map(|([r, g, b], (p, label))| {
            // Where a small part went to another class, the label says so.
            let alpha = match (*label == class as i32, 4.0 * (p - 0.5) + 0.5) {
                (true, ramp) if ramp < 0.0 => 1.0,
                (true, ramp) => ramp.max(0.5),
                (false, ramp) if ramp > 1.0 => 0.0,
                (false, ramp) => ramp.min(0.5),
            };
            [*r, *g, *b, (alpha.clamp(0.0, 1.0) * 255.0).round() as u8]
        });
        Ok(rgba.collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn soft(refine: Refine) -> Soft {
        let first: Vec<f32> = (0..64).map(|at| if at % 8 < 4 { 0.95 } else { 0.1 }).collect();
        let second: Vec<f32> = first.iter().map(|p| 1.0 - p).collect();
        let rgb =
            (0..32 * 32).flat_map(|at| if at % 32 < 18 { [220, 30, 30] } else { [30, 30, 220] });
        let picture = Picture::of(32, 32, rgb.collect());
        Soft::new([first, second].concat(), [8, 8], &picture, [32, 32], refine).unwrap()
    }

    #[test]
    fn masks_follow_the_photograph_and_say_where_they_are_unsure() {
        let soft = soft(Refine::default());
        let Named { labels, unsure } = soft.named().unwrap();
        assert_eq!((soft.classes(), soft.size()), (2, [32, 32]));
        assert_eq!(soft.cells().shape, [2, 8, 8]);
        for at in 0..32 * 32 {
            assert_eq!(labels[at], i32::from(at % 32 >= 18), "pixel {at}");
            assert!((0.0..=1.0).contains(&unsure[at]));
        }
        let row = &unsure[16 * 32..][..32];
        assert!(row[2] < 0.3 && row[17] > row[2] && row[18] > row[2], "{row:?}");
        let sum: Vec<f32> =
            soft.plane(0).unwrap().iter().zip(soft.plane(1).unwrap()).map(|(a, b)| a + b).collect();
        assert!(sum.iter().all(|sum| (sum - 1.0).abs() < 0.02));
        assert!(soft.plane(2).is_err());
        let mut planes = Vec::new();
        assert_eq!(soft.named_by(&mut |plane| planes.push(plane.to_vec())).unwrap().labels, labels);
        assert_eq!(planes, [soft.plane(0).unwrap(), soft.plane(1).unwrap()]);
    }

    #[test]
    fn what_is_cut_out_is_opaque_and_all_else_clear() {
        let cut = soft(Refine::default()).cut_out(0).unwrap();
        let alpha: Vec<u8> =
            cut[16 * 32 * 4..][..32 * 4].iter().skip(3).step_by(4).copied().collect();
        assert!(alpha[2] == 255 && alpha[30] == 0, "{alpha:?}");
        assert!(alpha[..18].iter().all(|a| *a >= 128) && alpha[18..].iter().all(|a| *a < 128));
        assert_eq!(cut[..3], [220, 30, 30]);
    }

    #[test]
    fn without_edges_probabilities_are_only_stretched() {
        let soft = soft(Refine { edges: Edges::Smooth, ..Refine::default() });
        let labels = soft.named().unwrap().labels;
        assert!((0..32 * 32).all(|at| labels[at] == i32::from(at % 32 >= 16)));
        let soft = self::soft(Refine { edges: Edges::Patches, ..Refine::default() });
        let plane = soft.plane(0).unwrap();
        assert!((0..32 * 32).all(|at| plane[at] == if at % 32 < 16 { 0.95 } else { 0.1 }));
    }

    #[test]
    fn logits_are_probabilities_of_sum_one() {
        let p = probabilities(&[0.0, 0.0, 0.0, 3.0f32.ln()], [1, 2], [1, 2]);
        let expected = [0.5, 0.25, 0.5, 0.75];
        assert!(p.iter().zip(expected).all(|(p, e)| (p - e).abs() < 1e-6), "{p:?}");
        let p = probabilities(&[-1e4, 5.0, 1.0, 900.0], [1, 2], [3, 4]);
        assert!((0..12).all(|at| (p[at] + p[12 + at] - 1.0).abs() < 1e-6));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let picture = Picture::of(2, 2, vec![0; 12]);
        for (values, sides) in [(vec![], [1, 1]), (vec![0.5; 3], [2, 1]), (vec![0.5], [0, 4])] {
            assert!(Soft::new(values, sides, &picture, [2, 2], Refine::default()).is_err());
        }
        assert!(Soft::new(vec![0.5], [1, 1], &picture, [2, 2], Refine::default()).is_ok());
    }
}
