//! What stands before and under the patches: prefix tokens, and the position table on another grid.

use crate::model::{Position, Resample, Spec};

/// Prefix tokens with their positions, then the positions of a grid of patches, row by row:
/// `[prefix + grid[0]·grid[1], C]`. `tokens` are the spec's prefix tokens `[prefix, C]`, `table` its
/// position table.
pub fn prefix_and_positions(
    spec: &Spec,
    grid: [usize; 2],
    tokens: &[f32],
    table: &[f32],
) -> Vec<f32> {
    let c = spec.sizes.hidden;
    let Position::Table { prefix, resample } = spec.position;
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
        rows.extend(resized(patches, native, grid, c, resample));
    }
    rows
}

/// The rows `[from², cols]` of a square grid as those of another, `[to[0]·to[1], cols]`, as PyTorch's
/// `interpolate(align_corners=False)` resizes.
fn resized(
    patches: &[f32],
    from: usize,
    to: [usize; 2],
    cols: usize,
    resample: Resample,
) -> Vec<f32> {
    let taps = match resample {
        Resample::Bicubic => taps,
        Resample::BicubicAntialiased => antialiased_taps,
    };
    let (ys, xs) = (taps(from, to[0]), taps(from, to[1]));
    let mut out = Vec::with_capacity(to[0] * to[1] * cols);
    let mut sum = vec![0.0f64; cols];
    // A row of the result is the sum of those rows of the table that its taps name.
    for y in &ys {
        for x in &xs {
            sum.fill(0.0);
            for (row, wy) in y {
                for (col, wx) in x {
                    let source = &patches[(row * from + col) * cols..][..cols];
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
type Taps = Vec<(usize, f64)>;

/// For each of `to` outputs its four inputs; a = -0.75, the border repeated.
fn taps(from: usize, to: usize) -> Vec<Taps> {
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

/// For each of `to` outputs the inputs within its support, which widens where the grid shrinks; a =
/// -0.5, weights that sum to 1, nothing beyond the border.
fn antialiased_taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let taps = |i: usize| {
        let centre = (i as f64 + 0.5) * scale;
        let first = (centre - 2.0 * stretch + 0.5).floor().max(0.0) as usize;
        let end = ((centre + 2.0 * stretch + 0.5).floor() as usize).min(from);
        let weight = |j: usize| cubic((j as f64 - centre + 0.5) / stretch, -0.5);
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
            let found = resized(&table, 4, [1, to], 1, Resample::Bicubic);
            for (f, e) in found.iter().zip(expected) {
                assert!((f - e).abs() < 1e-5, "4 -> {to}: expected {e}, found {f}");
            }
        }
    }

    /// Weights sum to 1, so that a table of ones stays one on any grid.
    #[test]
    fn a_flat_table_stays_flat() {
        for resample in [Resample::Bicubic, Resample::BicubicAntialiased] {
            for to in [[1, 1], [3, 9], [7, 5], [37, 16]] {
                let found = resized(&[1.0; 49], 7, to, 1, resample);
                assert!(found.iter().all(|v| (v - 1.0).abs() < 1e-6), "{resample:?} {to:?}");
            }
        }
    }
}
