//! What stands before and under the patches: prefix tokens, and the position table on another grid.

use crate::model::{Position, Resample, Spec};

impl Position {
    /// Rows of its table; none where there is no table.
    pub(super) fn table_rows(self, spec: &Spec) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Table { prefix, .. } => Some(prefix + spec.native_grid().pow(2)),
        }
    }
}

impl Spec {
    /// Whether tokens stand before the patches, or positions are added to them.
    pub(super) fn has_embed(&self) -> bool {
        self.prefix_tokens() > 0 || self.position != Position::None
    }
}

/// Prefix tokens with their positions, then the positions of a grid of patches, row by row:
/// `[prefix + grid[0]·grid[1], C]`. `tokens` are the spec's prefix tokens `[prefix, C]`, `table` its
/// position table.
pub(super) fn prefix_and_positions(
    spec: &Spec,
    grid: [usize; 2],
    tokens: &[f32],
    table: &[f32],
) -> Vec<f32> {
    let c = spec.sizes.hidden;
    let Position::Table { prefix, resample } = spec.position else {
        return [tokens, &vec![0.0; grid[0] * grid[1] * c]].concat();
    };
    let (first, patches) = table.split_at(prefix * c);
    let mut rows = tokens.to_vec();
    // Tokens behind those of the table have no position.
    for (token, position) in rows.iter_mut().zip(first) {
        *token += position;
    }
    let native = spec.native_grid();
    if grid == [native, native] {
        rows.extend_from_slice(patches);
    } else {
        let taps = match resample {
            Resample::Bicubic => bicubic,
            Resample::BicubicAntialiased => antialiased_bicubic,
            Resample::BilinearAntialiased => antialiased_bilinear,
        };
        rows.extend(resized(patches, [native; 2], grid, c, taps));
    }
    rows
}

/// The rows `[from[0]·from[1], cols]` of a grid as those of another, `[to[0]·to[1], cols]`, as PyTorch's
/// `interpolate(align_corners=False)` resizes.
pub(super) fn resized(
    patches: &[f32],
    from: [usize; 2],
    to: [usize; 2],
    cols: usize,
    taps: fn(usize, usize) -> Vec<Taps>,
) -> Vec<f32> {
    let (ys, xs) = (taps(from[0], to[0]), taps(from[1], to[1]));
    let mut out = Vec::with_capacity(to[0] * to[1] * cols);
    let mut sum = vec![0.0f64; cols];
    // A row of the result is the sum of those rows of the table that its taps name.
    for y in &ys {
        for x in &xs {
            sum.fill(0.0);
            for (row, wy) in y {
                for (col, wx) in x {
                    let source = &patches[(row * from[1] + col) * cols..][..cols];
                    for (s, v) in sum.iter_mut().zip(source) {
                        *s += wy * wx * f64::from(*v);
                    }
                }
            }
            out.extend(sum.iter().map(|s| *s as f32));
        }
    }
    out
}

/// Inputs that an output is made of, and their weights.
pub(super) type Taps = Vec<(usize, f64)>;

/// For each of `to` outputs its four inputs; a = -0.75, the border repeated.
fn bicubic(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let taps = |i: usize| {
        let at = (i as f64 + 0.5) * scale - 0.5;
        let base = at.floor();
        let tap = |k: f64| {
            let index = (base + k).clamp(0.0, (from - 1) as f64) as usize;
            (index, cubic(at - (base + k), -0.75))
        };
        [-1.0, 0.0, 1.0, 2.0].map(tap).to_vec()
    };
    (0..to).map(taps).collect()
}

/// For each of `to` outputs its two inputs, the border repeated.
pub(super) fn bilinear(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let taps = |i: usize| {
        let at = ((i as f64 + 0.5) * scale - 0.5).max(0.0);
        let first = (at as usize).min(from - 1);
        let part = at - first as f64;
        vec![(first, 1.0 - part), ((first + 1).min(from - 1), part)]
    };
    (0..to).map(taps).collect()
}

fn antialiased_bicubic(from: usize, to: usize) -> Vec<Taps> {
    antialiased(from, to, 2.0, |distance| cubic(distance, -0.5))
}

fn antialiased_bilinear(from: usize, to: usize) -> Vec<Taps> {
    antialiased(from, to, 1.0, |distance| (1.0 - distance.abs()).max(0.0))
}

/// For each of `to` outputs the inputs within its support, which widens where the grid shrinks; weights
/// that sum to 1, nothing beyond the border.
fn antialiased(from: usize, to: usize, support: f64, kernel: fn(f64) -> f64) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let taps = |i: usize| {
        let centre = (i as f64 + 0.5) * scale;
        let first = (centre - support * stretch + 0.5).floor().max(0.0) as usize;
        let end = ((centre + support * stretch + 0.5).floor() as usize).min(from);
        let weight = |j: usize| kernel((j as f64 - centre + 0.5) / stretch);
        let sum: f64 = (first..end).map(weight).sum();
        (first..end).map(|j| (j, weight(j) / sum)).collect()
    };
    (0..to).map(taps).collect()
}

/// Keys' cubic convolution kernel.
fn cubic(distance: f64, a: f64) -> f64 {
    let d = distance.abs();
    if d <= 1.0 {
        ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    } else if d < 2.0 {
        ((d - 5.0) * d + 8.0) * d * a - 4.0 * a
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors computed from the published formula for a row of four.
    #[test]
    fn rows_of_four() {
        let cases: [(usize, &[f32]); 3] = [
            (6, &[0.826389, 2.46875, 2.334491, -1.855324, 1.03125, 5.607639]),
            (3, &[1.373843, 0.03125, 3.908565]),
            (
                8,
                &[0.789062, 1.628906, 3.074219, 1.832031, -1.535156, -0.941406, 3.238281, 5.738281],
            ),
        ];
        let row = [1.0, 3.0, -2.0, 5.0];
        let table: Vec<f32> = row.repeat(4);
        for (to, expected) in cases {
            let found = resized(&table, [4, 4], [1, to], 1, bicubic);
            for (f, e) in found.iter().zip(expected) {
                assert!((f - e).abs() < 1e-5, "4 -> {to}: expected {e}, found {f}");
            }
        }
    }

    /// Weights sum to 1, so that a table of ones stays one on any grid.
    #[test]
    fn a_flat_table_stays_flat() {
        for taps in [bicubic, bilinear, antialiased_bicubic, antialiased_bilinear] {
            for to in [[1, 1], [3, 9], [7, 5], [37, 16]] {
                let found = resized(&[1.0; 49], [7, 7], to, 1, taps);
                assert!(found.iter().all(|v| (v - 1.0).abs() < 1e-6), "{to:?}");
            }
        }
    }
}
