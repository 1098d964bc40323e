//! Maps at the resolution of pixels, a row at a time: classes × pixels need not be in memory.

use crate::parallel::prelude::*;

use super::Guide;

/// Where an output lies among inputs: the two that it lies between, and how far along.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tap {
    pub(crate) low: usize,
    pub(crate) high: usize,
    pub(crate) along: f32,
}

impl Tap {
    pub(crate) fn of(&self, row: &[f32]) -> f32 {
        self.mix(row[self.low], row[self.high])
    }

    pub(crate) fn mix(&self, a: f32, b: f32) -> f32 {
        a + (b - a) * self.along
    }
}

/// Of each of `to` outputs where it lies among `from` inputs: half-pixel centres, border clamped.
pub(crate) fn taps(from: usize, to: usize) -> Vec<Tap> {
    let tap = |i: usize| {
        let at = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
        let low = (at as usize).min(from - 1);
        Tap { low, high: (low + 1).min(from - 1), along: (at - low as f64) as f32 }
    };
    (0..to).map(tap).collect()
}

/// A map at another size, bilinear.
pub(crate) fn stretch(map: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    if from == to {
        return map.to_vec();
    }
    let (down, across) = (taps(from[0], to[0]), taps(from[1], to[1]));
    let mut out = Vec::with_capacity(to[0] * to[1]);
    for tap in &down {
        let line = |y: usize| map[y * from[1]..][..from[1]].iter();
        let between: Vec<f32> =
            line(tap.low).zip(line(tap.high)).map(|(a, b)| tap.mix(*a, *b)).collect();
        out.extend(across.iter().map(|tap| tap.of(&between)));
    }
    out
}

/// A map that is upsampled, of several channels.
pub struct Upsampled<'a> {
    channels: usize,
    size: [usize; 2],
    way: Way<'a>,
}

enum Way<'a> {
    /// Coefficients of each channel.
    Guided { guide: &'a Guide, fitted: Vec<Vec<f32>> },
    /// The channels, and the four inputs of every row and column with their weights.
    Cubic { planes: &'a [Vec<f32>], cols: usize, down: Vec<Cubic>, across: Vec<Cubic> },
}

type Cubic = [(usize, f32); 4];

/// What a thread needs to make rows.
#[derive(Default)]
struct Space {
    values: Vec<f32>,
    line: Vec<f32>,
    colours: Vec<[f32; 3]>,
}

impl<'a> Upsampled<'a> {
    /// Channels `[rows, cols]` along the edges of a photograph.
    pub fn guided(planes: &[Vec<f32>], guide: &'a Guide) -> Self {
        let fitted = planes.par_iter().map(|plane| guide.fit(plane)).collect();
        let way = Way::Guided { guide, fitted };
        Self { channels: planes.len(), size: guide.shape().size, way }
    }

    /// Channels `[rows, cols]` by bicubic interpolation to height and width `size`.
    pub fn cubic(planes: &'a [Vec<f32>], [rows, cols]: [usize; 2], size: [usize; 2]) -> Self {
        let (down, across) = (cubics(rows, size[0]), cubics(cols, size[1]));
        Self { channels: planes.len(), size, way: Way::Cubic { planes, cols, down, across } }
    }

    /// Height and width.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Makes `unit` values of every pixel: `paint` is given the number of a row, its values
    /// `[channels, width]`, and where they go.
    pub fn paint<T: Send>(
        &self,
        unit: usize,
        out: &mut [T],
        paint: impl Fn(usize, &[f32], &mut [T]) + Sync,
    ) {
        let width = self.size[1];
        out.par_chunks_exact_mut(unit * width).enumerate().for_each_init(
            Space::default,
            |space, (y, out)| {
                self.row(y, space);
                paint(y, &space.values, out);
            },
        );
    }

    /// Fills in the values of a row.
    fn row(&self, y: usize, Space { values, line, colours }: &mut Space) {
        let width = self.size[1];
        values.resize(self.channels * width, 0.0);
        let rows = values.chunks_exact_mut(width);
        match &self.way {
            Way::Guided { guide, fitted } => {
                guide.row(y, colours);
                let tap = guide.down[y];
                let length = 4 * guide.shape().small[1];
                for (row, fitted) in rows.zip(fitted) {
                    let (upper, lower) = (
                        &fitted[tap.low * length..][..length],
                        &fitted[tap.high * length..][..length],
                    );
                    line.clear();
                    line.extend(upper.iter().zip(lower).map(|(a, b)| tap.mix(*a, *b)));
                    affine(line, &guide.across, colours, row);
                }
            }
            Way::Cubic { planes, cols, down, across } => {
                for (row, plane) in rows.zip(*planes) {
                    line.clear();
                    line.resize(*cols, 0.0);
                    for (at, weight) in down[y] {
                        let source = &plane[at * cols..][..*cols];
                        line.iter_mut().zip(source).for_each(|(sum, v)| *sum += weight * v);
                    }
                    for (value, taps) in row.iter_mut().zip(across) {
                        *value = taps.iter().map(|(at, weight)| weight * line[*at]).sum();
                    }
                }
            }
        }
    }
}

/// The colours of a row through coefficients of fewer columns.
fn affine(line: &[f32], across: &[Tap], colours: &[[f32; 3]], row: &mut [f32]) {
    let line = line.as_chunks::<4>().0;
    for ((value, tap), [r, g, b]) in row.iter_mut().zip(across).zip(colours) {
        let (left, right) = (line[tap.low], line[tap.high]);
        let k: [f32; 4] = std::array::from_fn(|i| tap.mix(left[i], right[i]));
        *value = k[0] * r + k[1] * g + k[2] * b + k[3];
    }
}

/// Catmull and Rom's weights, as bicubic interpolation has them; border clamped.
fn cubics(from: usize, to: usize) -> Vec<Cubic> {
    let last = from as i64 - 1;
    let weights = |t: f64| {
        let (t2, t3) = (t * t, t * t * t);
        [
            -0.5 * t3 + t2 - 0.5 * t,
            1.5 * t3 - 2.5 * t2 + 1.0,
            -1.5 * t3 + 2.0 * t2 + 0.5 * t,
            0.5 * t3 - 0.5 * t2,
        ]
    };
    let cubic = |i: usize| {
        let at = (i as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let (first, weights) = (at.floor() as i64 - 1, weights(at - at.floor()));
        std::array::from_fn(|k| ((first + k as i64).clamp(0, last) as usize, weights[k] as f32))
    };
    (0..to).map(cubic).collect()
}
