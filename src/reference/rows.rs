//! Twins of `shaders/gather.wgsl` and `shaders/rotate.wgsl`.

use crate::model::Pairs;

/// `y[r] = x[index[r][0]] ‖ x[index[r][1]] ‖ …` for the rows of one picture, zeros for negative numbers; added to
/// what `y` holds where `add` says so. `x` is `[rows, c]`, `index` `[rows', parts]`.
pub fn gather(x: &[f32], index: &[f32], c: usize, add: bool, y: &mut [f32]) {
    for (row, y) in index.iter().zip(y.chunks_exact_mut(c)) {
        let zeros = vec![0.0; c];
        let from = if *row < 0.0 { &zeros } else { &x[*row as usize * c..][..c] };
        for (y, value) in y.iter_mut().zip(from) {
            *y = if add { *y + value } else { *value };
        }
    }
}

/// Turns the pairs of channels of every head, in place: `x` is `[tokens, heads·d]`, `angles` `[tokens, d]` of
/// one picture, cosines and then sines.
pub fn rotate(x: &mut [f32], angles: &[f32], [c, d]: [usize; 2], pairs: Pairs) {
    let half = d / 2;
    for (row, angles) in x.chunks_exact_mut(c).zip(angles.chunks_exact(d)) {
        let (cosines, sines) = angles.split_at(half);
        for head in row.chunks_exact_mut(d) {
            for j in 0..half {
                let [a, b] = match pairs {
                    Pairs::Halves => [j, j + half],
                    Pairs::Neighbours => [2 * j, 2 * j + 1],
                };
                let (x, y) = (head[a], head[b]);
                head[a] = x * cosines[j] - y * sines[j];
                head[b] = y * cosines[j] + x * sines[j];
            }
        }
    }
}
