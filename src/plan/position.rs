//! The position table on another grid.

/// Resizes the patch rows of a position table as PyTorch's
/// `interpolate(mode="bicubic", align_corners=False)` does: a = -0.75, half-pixel centres, no
/// antialiasing, border clamped. Prefix rows are kept.
///
/// `table` is `[prefix + from², cols]`, the result `[prefix + to[0]·to[1], cols]`.
pub fn resize_position(
    table: &[f32],
    prefix: usize,
    from: usize,
    to: [usize; 2],
    cols: usize,
) -> Vec<f32> {
    let (head, patches) = table.split_at(prefix * cols);
    if to == [from, from] {
        return table.to_vec();
    }
    let (ys, xs) = (taps(from, to[0]), taps(from, to[1]));
    let mut out = head.to_vec();
    out.reserve(to[0] * to[1] * cols);
    let mut sum = vec![0.0f64; cols];
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

/// For each of `to` outputs the four inputs it is made of and their weights.
fn taps(from: usize, to: usize) -> Vec<[(usize, f64); 4]> {
    let scale = from as f64 / to as f64;
    (0..to)
        .map(|i| {
            let at = (i as f64 + 0.5) * scale - 0.5;
            let base = at.floor();
            [-1.0, 0.0, 1.0, 2.0].map(|k| {
                let index = (base + k).clamp(0.0, (from - 1) as f64) as usize;
                (index, cubic(at - (base + k)))
            })
        })
        .collect()
}

/// Keys' cubic convolution kernel with a = -0.75.
fn cubic(distance: f64) -> f64 {
    const A: f64 = -0.75;
    let d = distance.abs();
    if d <= 1.0 {
        ((A + 2.0) * d - (A + 3.0)) * d * d + 1.0
    } else if d < 2.0 {
        ((d - 5.0) * d + 8.0) * d * A - 4.0 * A
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
            let found = resize_position(&table, 0, 4, [1, to], 1);
            for (f, e) in found.iter().zip(expected) {
                assert!((f - e).abs() < 1e-5, "4 -> {to}: expected {e}, found {f}");
            }
        }
    }

    #[test]
    fn the_native_grid_is_untouched() {
        let table: Vec<f32> = (0..5).map(|i| i as f32).collect();
        assert_eq!(resize_position(&table, 1, 2, [2, 2], 1), table);
    }
}
