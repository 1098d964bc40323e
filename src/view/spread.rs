//! How far the channels of many tokens lie apart, by which they are standardised.

use serde::{Deserialize, Serialize};

/// Mean and variance of each channel of some tokens. It stands for tokens that are no longer there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Tokens.
    pub count: usize,
    /// `[c]`.
    pub mean: Vec<f32>,
    /// `[c]`.
    pub variance: Vec<f32>,
}

impl Spread {
    /// Of tokens `[n, c]`; of none where `c` is 0.
    pub fn of(tokens: &[f32], c: usize) -> Self {
        if c == 0 {
            return Self::default();
        }
        let rows = || tokens.chunks_exact(c);
        let count = rows().len();
        let n = count as f64;
        // Row by row, as they lie in memory.
        let mut mean = vec![0.0f64; c];
        rows().for_each(|row| mean.iter_mut().zip(row).for_each(|(sum, v)| *sum += f64::from(*v)));
        mean.iter_mut().for_each(|sum| *sum /= n);
        let mut variance = vec![0.0f64; c];
        for row in rows() {
            let off = row.iter().zip(&mean).map(|(v, mean)| f64::from(*v) - mean);
            variance.iter_mut().zip(off).for_each(|(sum, off)| *sum += off * off);
        }
        Self { count, mean: narrow(&mean, 1.0), variance: narrow(&variance, n) }
    }

    /// Of the tokens of all together, each of which has `c` channels.
    pub fn together(list: &[Self], c: usize) -> Self {
        let list: Vec<&Self> = list.iter().filter(|one| one.count > 0).collect();
        if let [alone] = list[..] {
            return alone.clone();
        }
        let count = list.iter().map(|one| one.count).sum();
        let n = count as f64;
        // In 64 bits the mean of squares, less the square of the mean, keeps what 32 bits can say.
        let (mut mean, mut squares) = (vec![0.0f64; c], vec![0.0f64; c]);
        for one in &list {
            let part = one.count as f64 / n;
            for i in 0..c {
                let (own, within) = (f64::from(one.mean[i]), f64::from(one.variance[i]));
                mean[i] += part * own;
                squares[i] += part * (within + own * own);
            }
        }
        let variance: Vec<f64> =
            mean.iter().zip(squares).map(|(mean, squares)| squares - mean * mean).collect();
        Self { count, mean: narrow(&mean, 1.0), variance: narrow(&variance, 1.0) }
    }
}

fn narrow(values: &[f64], by: f64) -> Vec<f32> {
    values.iter().map(|value| (value / by) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_spread_together_as_the_whole() {
        let value = |i: usize| 50.0 + ((i * 37) % 101) as f32 * if i < 120 { 0.1 } else { 2.0 };
        let tokens: Vec<f32> = (0..300).map(value).collect();
        let whole = Spread::of(&tokens, 3);
        let parts =
            [&tokens[..30], &tokens[30..150], &tokens[150..]].map(|part| Spread::of(part, 3));
        let found = Spread::together(&parts, 3);
        assert_eq!(found.count, 100);
        for (found, whole) in found.mean.iter().zip(&whole.mean) {
            assert!((found / whole - 1.0).abs() < 1e-6, "{found} {whole}");
        }
        for (found, whole) in found.variance.iter().zip(&whole.variance) {
            assert!((found / whole - 1.0).abs() < 1e-5, "{found} {whole}");
        }
        assert_eq!(Spread::together(&[parts[0].clone(), Spread::of(&[], 3)], 3), parts[0]);
        assert_eq!(Spread::together(&[], 3).mean, [0.0; 3]);
    }
}
