//! Patches in groups: k-means on the tokens' directions.

use super::math::length;
use crate::features::row_count;
use crate::math::dot;
use crate::order::sort_by_key;
use crate::{Error, Result};

/// Tokens in groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Kmeans {
    /// For each token its cluster, `[n]`. 0 is the largest; of equal ones the one that comes first
    /// in the picture.
    pub labels: Vec<usize>,
    /// Each cluster's mean of tokens of length 1, `[k, c]`, in the order of the labels.
    pub centres: Vec<f32>,
}

/// Lloyd's iterations at most: none of the pictures tried needs as many.
const ITERATIONS: usize = 300;
/// Draws of first centres, of which the tightest clusters are kept.
const DRAWS: u64 = 8;

/// k-means on `tokens` `[n, c]`, each brought to length 1, so that cosines count: Lloyd's
/// iterations from k-means++ (Arthur & Vassilvitskii 2007), the best of a few draws, the same on
/// every run. There are fewer than `k` clusters where there are fewer different tokens.
///
/// # Errors
/// [`Error::Input`] where there are no rows of `c` values, or `k` is 0.
pub fn kmeans(tokens: &[f32], c: usize, k: usize) -> Result<Kmeans> {
    let k = k.min(row_count("tokens", tokens, c)?.max(1));
    if k == 0 {
        return Err(Error::input("clusters: expected at least 1, found 0"));
    }
    let unit = directions(tokens, c);
    let draws = (1..=DRAWS).map(|seed| lloyd(&unit, c, first_centres(&unit, c, k, seed)));
    let best = draws.min_by(|a, b| a.0.total_cmp(&b.0));
    let (_, labels, centres) = best.unwrap_or_default();
    Ok(by_size(&labels, &centres, c))
}

/// Lloyd's iterations from some centres: the sum of squared distances, labels and centres.
fn lloyd(tokens: &[f32], c: usize, mut centres: Vec<f32>) -> (f64, Vec<usize>, Vec<f32>) {
    let mut labels = nearest(tokens, &centres, c);
    for _ in 0..ITERATIONS {
        move_centres(tokens, &labels, c, &mut centres);
        let next = nearest(tokens, &centres, c);
        if next == labels {
            break;
        }
        labels = next;
    }
    let pairs = tokens.chunks_exact(c).zip(&labels);
    let squares = pairs.map(|(token, label)| square(token, &centres[label * c..][..c]));
    (squares.sum(), labels, centres)
}

/// The squared distance.
fn square(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum()
}

/// Every token at length 1; one without length stays as it is.
fn directions(tokens: &[f32], c: usize) -> Vec<f32> {
    let one = |token: &[f32]| {
        let scale = length(token).recip();
        let scale = if scale.is_finite() { scale } else { 0.0 };
        token.iter().map(|v| (f64::from(*v) * scale) as f32).collect::<Vec<_>>()
    };
    tokens.chunks_exact(c).flat_map(one).collect()
}

/// k-means++: each further centre is a token drawn with a probability that grows with the square
/// of its distance to the centres so far.
fn first_centres(tokens: &[f32], c: usize, k: usize, seed: u64) -> Vec<f32> {
    let token = |at: usize| &tokens[at * c..][..c];
    let n = tokens.len() / c;
    let mut distances = vec![f64::INFINITY; n];
    let mut centres: Vec<f32> = Vec::with_capacity(k * c);
    let mut random = seed;
    let mut at = (uniform(&mut random) * n as f64) as usize;
    for _ in 0..k.min(n) {
        centres.extend_from_slice(token(at));
        for (other, distance) in distances.iter_mut().enumerate() {
            *distance = distance.min(square(token(other), token(at)));
        }
        let mut left = uniform(&mut random) * distances.iter().sum::<f64>();
        let drawn = distances.iter().position(|distance| {
            left -= distance;
            *distance > 0.0 && left <= 0.0
        });
        // Rounding may leave a rest after the last token.
        let farthest = || distances.iter().rposition(|distance| *distance > 0.0);
        let Some(next) = drawn.or_else(farthest) else { break };
        at = next;
    }
    centres
}

/// A number in [0, 1): SplitMix64 (Steele, Lea & Flood 2014).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// For each token the nearest centre; of equally near ones the first.
fn nearest(tokens: &[f32], centres: &[f32], c: usize) -> Vec<usize> {
    // |t - m|² without |t|², which is the same for every centre.
    let half_squares: Vec<f32> = centres.chunks_exact(c).map(|m| 0.5 * dot(m, m)).collect();
    let one = |token: &[f32]| {
        let distances = centres.chunks_exact(c).zip(&half_squares).map(|(m, h)| h - dot(token, m));
        let best = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(0, |(label, _)| label)
    };
    tokens.chunks_exact(c).map(one).collect()
}

/// Moves each centre to the mean of its tokens; one that lost all of them stays.
fn move_centres(tokens: &[f32], labels: &[usize], c: usize, centres: &mut [f32]) {
    let mut sums = vec![0.0f64; centres.len()];
    let mut counts = vec![0usize; centres.len() / c];
    for (token, label) in tokens.chunks_exact(c).zip(labels) {
        counts[*label] += 1;
        sums[label * c..][..c].iter_mut().zip(token).for_each(|(s, v)| *s += f64::from(*v));
    }
    for (label, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let means = sums[label * c..][..c].iter().map(|sum| (sum / *count as f64) as f32);
        centres[label * c..][..c].iter_mut().zip(means).for_each(|(centre, mean)| *centre = mean);
    }
}

/// Numbers the clusters by size, then by first token, so that colours do not depend on the draw.
fn by_size(labels: &[usize], centres: &[f32], c: usize) -> Kmeans {
    let size = |label: usize| labels.iter().filter(|l| **l == label).count();
    let first = |label: usize| labels.iter().position(|l| *l == label);
    let mut order: Vec<usize> =
        (0..centres.len() / c).filter(|label| first(*label).is_some()).collect();
    sort_by_key(&mut order, |label| (std::cmp::Reverse(size(*label)), first(*label)));
    let mut rank = vec![0; centres.len() / c];
    order.iter().enumerate().for_each(|(at, label)| rank[*label] = at);
    Kmeans {
        labels: labels.iter().map(|label| rank[*label]).collect(),
        centres: order.iter().flat_map(|label| &centres[label * c..][..c]).copied().collect(),
    }
}
