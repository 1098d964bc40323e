//! Classes that spread from cells that were named along what looks alike: a random walk on the
//! photograph's cells, with a prior (Grady, "Multilabel random walker image segmentation using prior
//! models", 2005).
//!
//! The probability of a class is where a walk that starts in a cell ends: at a cell that was named, or,
//! seldom at each step, by the prior. A step is likely where features, colours and textures are alike.

use super::lab::cell_looks;
use crate::cpu::{Tap, taps};
use crate::features::{one_each, row_count};
use crate::image::Picture;
use crate::math::dot;
use crate::{Error, Result};

/// How much a walk ends by the prior at each cell.
const PRIOR: f32 = 2e-3;
/// How much it ends at a cell that was named.
const NAMED: f32 = 10.0;
/// How unlike features part cells: 1 − cosine, for a step of a patch.
const FEATURES: f32 = 16.0;
/// The distance of colours (CIE Lab) that parts cells.
const COLOUR: f32 = 14.0;
/// What each part of a cell's look counts, squared: lightness, two of colour, texture.
const WEIGHTS: [f32; 4] = [1.0, 1.0, 1.0, 2.25];
/// Cells of the least likeness are joined by so much.
const FLOOR: f32 = 3e-4;
/// Steps of conjugate gradients at most, and the residual, relative to the first, at which they end.
const STEPS: usize = 400;
const SETTLED: f64 = 1e-5;
/// Patches up to which a patch is four cells.
const MOST: usize = 4096;
/// The neighbours of a cell, rows and columns on; those before have it as theirs.
const AROUND: [[isize; 2]; 4] = [[0, 1], [1, 0], [1, 1], [1, -1]];

/// The cells of a photograph, and how alike neighbours are.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    sides: [usize; 2],
    /// For each of [`AROUND`] the likeness of each cell to that neighbour, 0 where there is none.
    alike: [Vec<f32>; 4],
}

impl Cells {
    /// The cells of a photograph whose patches `[rows, cols]` show its part `region`. `layers` are
    /// tokens `[rows·cols, c]` each; patches that are not seen are joined to none.
    ///
    /// # Errors
    /// [`Error::Input`] where lengths do not fit each other.
    pub fn new(
        layers: &[Vec<f32>],
        c: usize,
        grid @ [rows, cols]: [usize; 2],
        seen: &[bool],
        picture: &Picture,
        region: [f64; 4],
    ) -> Result<Self> {
        picture.check()?;
        one_each("patches seen", seen.len(), grid)?;
        for layer in layers {
            one_each("tokens", row_count("tokens", layer, c)?, grid)?;
        }
        if layers.is_empty() {
            return Err(Error::input("cells of no layer: expected one or more"));
        }
        let factor = if rows * cols <= MOST { 2 } else { 1 };
        let sides = [rows * factor, cols * factor];
        let units: Vec<Vec<f32>> = layers.iter().map(|layer| centred(layer, c, seen)).collect();
        let fine = Fine {
            units: &units,
            c,
            cols,
            down: taps(rows, sides[0]),
            across: taps(cols, sides[1]),
        };
        let looks = cell_looks(picture, region, sides);
        let hidden = |[y, x]: [usize; 2]| !seen[y / factor * cols + x / factor];
        let mut alike = [0; 4].map(|_| vec![0.0f32; sides[0] * sides[1]]);
        let mut next = fine.row(0);
        for y in 0..sides[0] {
            let row = next;
            next = if y + 1 < sides[0] { fine.row(y + 1) } else { Vec::new() };
            for x in 0..sides[1] {
                for (side, [down, right]) in AROUND.into_iter().enumerate() {
                    let Some(to) = beside([y, x], [down, right], sides) else { continue };
                    if hidden([y, x]) || hidden(to) {
                        continue;
                    }
                    let width = units.len() * c;
                    let other = if down == 0 { &row } else { &next };
                    let cosine = dot(&row[x * width..][..width], &other[to[1] * width..][..width]);
                    let [here, there] = [[y, x], to].map(|[y, x]| looks[y * sides[1] + x]);
                    let apart = WEIGHTS.iter().zip(here).zip(there);
                    let apart = apart.map(|((w, a), b)| w * (a - b).powi(2)).sum::<f32>().sqrt();
                    let unlike = FEATURES * (1.0 - cosine) * factor as f32 + apart / COLOUR;
                    let far = ((down.pow(2) + right.pow(2)) as f32).sqrt();
                    alike[side][y * sides[1] + x] = (-unlike).exp() / far + FLOOR;
                }
            }
        }
        Ok(Self { sides, alike })
    }

    /// Rows and columns of cells.
    pub fn sides(&self) -> [usize; 2] {
        self.sides
    }

    /// The probabilities of classes `[classes, rows, cols]`, from a prior of the same shape and cells
    /// that were named: a cell and its class each. A cell that has several classes has a share of each.
    ///
    /// # Errors
    /// [`Error::Input`] where the prior has not this shape, and for a cell or class that is not there.
    pub fn spread(
        &self,
        prior: &[f32],
        classes: usize,
        named: &[(usize, usize)],
    ) -> Result<Vec<f32>> {
        let n = self.sides[0] * self.sides[1];
        if classes.checked_mul(n) != Some(prior.len()) {
            let found = prior.len();
            return Err(Error::input(format!(
                "a prior of {found} values, expected {classes} × {n}"
            )));
        }
        if let Some((cell, class)) =
            named.iter().find(|(cell, class)| *cell >= n || *class >= classes)
        {
            return Err(Error::input(format!("cell {cell}, class {class}: there is no such one")));
        }
        let mut count = vec![0.0f32; n];
        named.iter().for_each(|(cell, _)| count[*cell] += 1.0);
        let ends: Vec<f32> = count.iter().map(|n| if *n > 0.0 { NAMED } else { PRIOR }).collect();
        let system = System { cells: self, whole: self.whole(&ends) };
        let mut all = Vec::with_capacity(prior.len());
        for (class, prior) in prior.chunks_exact(n.max(1)).enumerate() {
            let mut target: Vec<f32> =
                prior.iter().zip(&count).map(|(p, n)| if *n > 0.0 { 0.0 } else { *p }).collect();
            for (cell, _) in named.iter().filter(|(_, other)| *other == class) {
                target[*cell] += 1.0 / count[*cell];
            }
            let right: Vec<f32> = target.iter().zip(&ends).map(|(t, e)| t * e).collect();
            let found = system.solve(&right, target);
            all.extend(found.into_iter().map(|p| p.clamp(0.0, 1.0)));
        }
        Ok(all)
    }

    /// What leaves each cell, to its neighbours and to an end.
    fn whole(&self, ends: &[f32]) -> Vec<f32> {
        let mut whole = ends.to_vec();
        for (alike, step) in self.planes() {
            whole.iter_mut().zip(alike).for_each(|(whole, alike)| *whole += alike);
            whole[step..].iter_mut().zip(alike).for_each(|(whole, alike)| *whole += alike);
        }
        whole
    }

    /// The likeness of all cells to one neighbour, and how many cells on it is.
    fn planes(&self) -> impl Iterator<Item = (&Vec<f32>, usize)> {
        let cols = self.sides[1] as isize;
        let step = move |[down, right]: [isize; 2]| (down * cols + right) as usize;
        self.alike.iter().zip(AROUND).map(move |(alike, to)| (alike, step(to)))
    }
}

/// The linear system of a walk.
struct System<'a> {
    cells: &'a Cells,
    /// Its diagonal.
    whole: Vec<f32>,
}

impl System<'_> {
    fn times(&self, x: &[f32]) -> Vec<f32> {
        let mut out: Vec<f32> = x.iter().zip(&self.whole).map(|(x, w)| x * w).collect();
        // Whole planes at once: compilers make vectors of that.
        for (alike, step) in self.cells.planes() {
            let ahead = out.iter_mut().zip(alike).zip(&x[step..]);
            ahead.for_each(|((out, alike), x)| *out -= alike * x);
            let back = out[step..].iter_mut().zip(alike).zip(x);
            back.for_each(|((out, alike), x)| *out -= alike * x);
        }
        out
    }

    /// Conjugate gradients from `x`, preconditioned by the diagonal.
    fn solve(&self, right: &[f32], mut x: Vec<f32>) -> Vec<f32> {
        let mut rest: Vec<f32> = right.iter().zip(self.times(&x)).map(|(b, a)| b - a).collect();
        let scaled = |rest: &[f32]| -> Vec<f32> {
            rest.iter().zip(&self.whole).map(|(r, w)| r / w).collect()
        };
        let mut step = scaled(&rest);
        let mut size = inner(&rest, &step);
        let enough = size * SETTLED * SETTLED;
        for _ in 0..STEPS {
            if size <= enough || size <= f64::MIN_POSITIVE {
                break;
            }
            let image = self.times(&step);
            let along = (size / inner(&step, &image)) as f32;
            x.iter_mut().zip(&step).for_each(|(x, s)| *x += along * s);
            rest.iter_mut().zip(&image).for_each(|(r, i)| *r -= along * i);
            let next = scaled(&rest);
            let before = std::mem::replace(&mut size, inner(&rest, &next));
            let turn = (size / before) as f32;
            step.iter_mut().zip(&next).for_each(|(s, n)| *s = n + turn * *s);
        }
        x
    }
}

fn inner(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// The cell at an offset in rows and columns, if it is there.
fn beside(
    [y, x]: [usize; 2],
    [down, right]: [isize; 2],
    [rows, cols]: [usize; 2],
) -> Option<[usize; 2]> {
    let to = [y.checked_add_signed(down)?, x.checked_add_signed(right)?];
    (to[0] < rows && to[1] < cols).then_some(to)
}

/// Tokens from the middle of those that are seen, each of length 1.
fn centred(tokens: &[f32], c: usize, seen: &[bool]) -> Vec<f32> {
    let rows = || tokens.chunks_exact(c).zip(seen).filter(|(_, seen)| **seen);
    let count = rows().count().max(1) as f64;
    let mut mean = vec![0.0f64; c];
    rows().for_each(|(row, _)| mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v)));
    let mean: Vec<f32> = mean.iter().map(|sum| (sum / count) as f32).collect();
    let mut out = Vec::with_capacity(tokens.len());
    for row in tokens.chunks_exact(c) {
        let from = out.len();
        out.extend(row.iter().zip(&mean).map(|(v, m)| v - m));
        unit(&mut out[from..], 1.0);
    }
    out
}

/// Brings a vector that is not 0 to a length.
fn unit(row: &mut [f32], to: f32) {
    let length = dot(row, row).sqrt();
    if length > 0.0 {
        row.iter_mut().for_each(|v| *v *= to / length);
    }
}

/// Tokens between those of patches.
struct Fine<'a> {
    units: &'a [Vec<f32>],
    c: usize,
    cols: usize,
    down: Vec<Tap>,
    across: Vec<Tap>,
}

impl Fine<'_> {
    /// A row of cells: the layers' tokens side by side, together of length 1.
    fn row(&self, y: usize) -> Vec<f32> {
        let (c, tap, width) = (self.c, &self.down[y], self.units.len() * self.c);
        let mut out = vec![0.0f32; self.across.len() * width];
        let part = 1.0 / (self.units.len() as f32).sqrt();
        for (at, layer) in self.units.iter().enumerate() {
            let line = |y: usize| &layer[y * self.cols * c..][..self.cols * c];
            let lines = line(tap.low).iter().zip(line(tap.high));
            let between: Vec<f32> = lines.map(|(a, b)| a + (b - a) * tap.along).collect();
            for (x, tap) in self.across.iter().enumerate() {
                let [low, high] = [tap.low, tap.high].map(|x| &between[x * c..][..c]);
                let cell = &mut out[x * width + at * c..][..c];
                for ((cell, a), b) in cell.iter_mut().zip(low).zip(high) {
                    *cell = a + (b - a) * tap.along;
                }
                unit(cell, part);
            }
        }
        out
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
