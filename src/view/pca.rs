//! The first three principal components of patch tokens as red, green and blue.

/// One RGB colour a token. `tokens` is `[n, c]` row-major.
///
/// Components are found by orthogonal iteration on the centred tokens from a fixed start, so the
/// result is the same on every run; signs are fixed by making the largest loading positive. Each
/// component is scaled so that the middle 98 % of tokens span the colour range.
pub fn pca_rgb(tokens: &[f32], c: usize) -> Vec<[u8; 3]> {
    let n = tokens.len() / c;
    let mut mean = vec![0.0f64; c];
    for row in tokens.chunks_exact(c) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v) / n as f64);
    }
    let centred: Vec<f32> = tokens
        .chunks_exact(c)
        .flat_map(|row| row.iter().zip(&mean).map(|(v, m)| (f64::from(*v) - m) as f32))
        .collect();
    let scores = principal_scores(&centred, c);
    let mut colours = vec![[0u8; 3]; n];
    for channel in 0..3 {
        let mut sorted: Vec<f32> = scores.iter().map(|s| s[channel]).collect();
        sorted.sort_by(f32::total_cmp);
        let low = sorted[(n - 1) / 100];
        let high = sorted[n - 1 - (n - 1) / 100];
        let span = (high - low).max(f32::MIN_POSITIVE);
        for (colour, score) in colours.iter_mut().zip(&scores) {
            colour[channel] =
                ((score[channel] - low) / span * 255.0).round().clamp(0.0, 255.0) as u8;
        }
    }
    colours
}

const ITERATIONS: usize = 60;

/// Projections of centred rows on the three directions of largest variance.
fn principal_scores(rows: &[f32], c: usize) -> Vec<[f32; 3]> {
    // Any start that is not orthogonal to the answer will do.
    let mut basis: [Vec<f32>; 3] = std::array::from_fn(|k| {
        (0..c).map(|i| ((i * (2 * k + 1)) as f32 * 0.7 + k as f32).cos()).collect()
    });
    orthonormalise(&mut basis);
    for _ in 0..ITERATIONS {
        let mut next: [Vec<f32>; 3] = std::array::from_fn(|_| vec![0.0; c]);
        for row in rows.chunks_exact(c) {
            for (direction, sum) in basis.iter().zip(&mut next) {
                let score = dot(row, direction);
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += score * v);
            }
        }
        basis = next;
        orthonormalise(&mut basis);
    }
    for direction in &mut basis {
        let largest = direction.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
        if largest.is_some_and(|v| v < 0.0) {
            direction.iter_mut().for_each(|v| *v = -*v);
        }
    }
    rows.chunks_exact(c).map(|row| std::array::from_fn(|k| dot(row, &basis[k]))).collect()
}

/// Gram and Schmidt. A direction without length (too few tokens) becomes zero.
fn orthonormalise(basis: &mut [Vec<f32>; 3]) {
    for k in 0..3 {
        let (done, rest) = basis.split_at_mut(k);
        let direction = &mut rest[0];
        for other in done.iter() {
            let along = dot(direction, other);
            direction.iter_mut().zip(other).for_each(|(d, o)| *d -= along * o);
        }
        let length = dot(direction, direction).sqrt();
        let scale = if length > 1e-20 { 1.0 / length } else { 0.0 };
        direction.iter_mut().for_each(|d| *d *= scale);
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Joins the patch tokens of tiles to one grid. `tokens` holds for each tile (row-major on a
/// `tile_rows` × `tile_cols` board) `prefix` tokens and `rows` × `cols` patches of `c` channels;
/// further tiles, such as a thumbnail, are left out. The result is
/// `[tile_rows·rows, tile_cols·cols, c]`.
pub fn stitch(
    tokens: &[f32],
    c: usize,
    prefix: usize,
    [rows, cols]: [usize; 2],
    [tile_rows, tile_cols]: [usize; 2],
) -> Vec<f32> {
    let tile = (prefix + rows * cols) * c;
    let mut grid = Vec::with_capacity(tile_rows * rows * tile_cols * cols * c);
    for row in 0..tile_rows * rows {
        for tile_col in 0..tile_cols {
            let first = (row / rows * tile_cols + tile_col) * tile;
            let start = first + (prefix + row % rows * cols) * c;
            grid.extend_from_slice(&tokens[start..start + cols * c]);
        }
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens on three orthogonal axes with falling variance come out as three colours.
    #[test]
    fn components_follow_variance() {
        let mut tokens = Vec::new();
        for i in 0..101 {
            let t = i as f32 / 50.0 - 1.0;
            tokens.extend([1.0, 0.5 * t, 0.2 * (9.0 * t).sin(), 3.0 * (5.0 * t).cos(), 0.0]);
        }
        let colours = pca_rgb(&tokens, 5);
        // The largest variance lies on the fourth axis: red follows cos(5t).
        assert!(colours[50][0] > 250 && colours[50 + 31][0] < 5, "{:?}", colours[50]);
        // Green rises with t.
        assert!(colours[5][1] < colours[50][1] && colours[50][1] < colours[95][1]);
    }

    #[test]
    fn equal_tokens_are_no_panic() {
        assert_eq!(pca_rgb(&[1.0; 8], 4).len(), 2);
        assert_eq!(pca_rgb(&[1.0; 4], 4).len(), 1);
    }

    #[test]
    fn tiles_are_stitched_row_by_row() {
        // Two tiles side by side of 1 prefix token and 2 × 2 patches, and a thumbnail.
        let tokens: Vec<f32> = (0..15).map(|v| v as f32).collect();
        let grid = stitch(&tokens, 1, 1, [2, 2], [1, 2]);
        assert_eq!(grid, [1.0, 2.0, 6.0, 7.0, 3.0, 4.0, 8.0, 9.0]);
    }
}
