//! Plain f64 twins of the views' arithmetic, which share no code with it.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

use internvit::view::Example;

use super::common::noise;

/// A matrix as rows of f64.
pub type Rows = Vec<Vec<f64>>;

/// Values as rows of `c`.
pub fn rows(values: &[f32], c: usize) -> Rows {
    values.chunks_exact(c).map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect()
}

/// The dot product.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The mean of rows.
pub fn mean(rows: &[Vec<f64>]) -> Vec<f64> {
    (0..rows[0].len()).map(|i| rows.iter().map(|r| r[i]).sum::<f64>() / rows.len() as f64).collect()
}

/// The squared distance.
pub fn square(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// Values as f32.
pub fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

/// Tokens whose variance falls by `ratio` from one hidden direction to the next, far from zero.
pub fn cloud(seed: u32, n: usize, c: usize, ratio: f32) -> Vec<f32> {
    let (scores, mix) = (noise(seed, n * c), noise(seed + 1, c * c));
    let token = |t: usize, i: usize| {
        (0..c).map(|k| scores[t * c + k] * ratio.powi(k as i32) * mix[k * c + i]).sum::<f32>()
    };
    (0..n * c).map(|at| 3.0 * (at % c) as f32 / c as f32 + token(at / c, at % c)).collect()
}

/// Eigenvalues, largest first, and eigenvectors of a symmetric matrix: Jacobi's rotations.
pub fn eigen(mut a: Rows) -> (Vec<f64>, Rows) {
    let n = a.len();
    let mut v: Rows =
        (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..60 {
        let off: f64 = (0..n).map(|i| square(&a[i], &vec![0.0; n]) - a[i][i].powi(2)).sum();
        if off < 1e-26 * (0..n).map(|i| a[i][i].powi(2)).sum::<f64>() {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q] == 0.0 {
                    continue;
                }
                let half = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = half.signum() / (half.abs() + (half * half + 1.0).sqrt());
                let (cos, sin) = (1.0 / (t * t + 1.0).sqrt(), t / (t * t + 1.0).sqrt());
                for row in &mut a {
                    (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
                }
                for i in 0..n {
                    let (x, y) = (a[p][i], a[q][i]);
                    (a[p][i], a[q][i]) = (cos * x - sin * y, sin * x + cos * y);
                    let (x, y) = (v[p][i], v[q][i]);
                    (v[p][i], v[q][i]) = (cos * x - sin * y, sin * x + cos * y);
                }
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|i, j| a[*j][*j].total_cmp(&a[*i][*i]));
    (order.iter().map(|i| a[*i][*i]).collect(), order.iter().map(|i| v[*i].clone()).collect())
}

/// Variances along the principal directions, and the tokens' scores on each.
pub fn pca(tokens: &[f32], c: usize) -> (Vec<f64>, Rows) {
    let rows = rows(tokens, c);
    let mean = mean(&rows);
    let centred: Rows =
        rows.iter().map(|r| r.iter().zip(&mean).map(|(v, m)| v - m).collect()).collect();
    let n = rows.len() as f64;
    let entry = |i: usize, j: usize| centred.iter().map(|r| r[i] * r[j]).sum::<f64>() / n;
    let covariance = (0..c).map(|i| (0..c).map(|j| entry(i, j)).collect()).collect();
    let (values, vectors) = eigen(covariance);
    let score = |v: &Vec<f64>| centred.iter().map(|r| dot(r, v)).collect();
    (values, vectors.iter().take(3).map(score).collect())
}

/// The cut with the largest variance between its sides, of all cuts; above it is true.
pub fn otsu_twin(values: &[f32]) -> Vec<bool> {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let between = |cut: f32| {
        let side = |above: bool| -> Vec<f64> {
            values.iter().filter(|v| (**v > cut) == above).map(|v| f64::from(*v)).collect()
        };
        let (low, high) = (side(false), side(true));
        if low.is_empty() || high.is_empty() {
            return 0.0;
        }
        low.len() as f64 * high.len() as f64 * (mean(&low) - mean(&high)).powi(2)
    };
    let best = values.iter().copied().max_by(|a, b| between(*a).total_cmp(&between(*b))).unwrap();
    values.iter().map(|v| *v > best).collect()
}

/// The foreground: the side of Otsu's cut that meets the border less.
pub fn foreground_twin(scores: &[f32], [rows, cols]: [usize; 2]) -> Vec<bool> {
    let above = otsu_twin(scores);
    let (mut border, mut ours, mut area) = (0.0, 0.0, 0.0);
    for y in 0..rows {
        for x in 0..cols {
            let one = f64::from(u8::from(above[y * cols + x]));
            area += one;
            if y == 0 || x == 0 || x + 1 == cols {
                border += 1.0;
                ours += one;
            }
        }
    }
    let most = (0.5 + area / (rows * cols) as f64) / 2.0;
    above.iter().map(|a| if ours / border > most { !a } else { *a }).collect()
}

/// Squared distances of tokens of length 1 to the nearest centre, and which it is.
pub fn assign(tokens: &Rows, centres: &Rows) -> (f64, Vec<usize>) {
    let mut sum = 0.0;
    let one = |token: &Vec<f64>| {
        let all = centres.iter().map(|centre| square(token, centre)).enumerate();
        let (label, distance) = all.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        sum += distance;
        label
    };
    let labels = tokens.iter().map(one).collect();
    (sum, labels)
}

/// Lloyd's iterations from `k` tokens drawn at random.
pub fn lloyd(tokens: &Rows, k: usize, seed: u32) -> f64 {
    let draw = noise(seed, tokens.len());
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    order.sort_by(|a, b| draw[*a].total_cmp(&draw[*b]));
    let mut centres: Rows = order[..k].iter().map(|at| tokens[*at].clone()).collect();
    for _ in 0..100 {
        let (_, labels) = assign(tokens, &centres);
        for (label, centre) in centres.iter_mut().enumerate() {
            let own = tokens.iter().zip(&labels).filter(|(_, l)| **l == label);
            let own: Rows = own.map(|(token, _)| token.clone()).collect();
            if !own.is_empty() {
                *centre = mean(&own);
            }
        }
    }
    assign(tokens, &centres).0
}

/// Tokens brought to length 1.
pub fn directions(tokens: &[f32], c: usize) -> Rows {
    let unit = |token: Vec<f64>| {
        let length = dot(&token, &token).sqrt();
        token.iter().map(|v| v / length).collect()
    };
    rows(tokens, c).into_iter().map(unit).collect()
}

/// Softmax regression as `teach::fit` promises it, by plain gradient descent until it stands still: the
/// tokens' logits, a row a class.
pub fn descend(tokens: &Rows, classes: usize, examples: &[Example], rate: f64) -> Rows {
    let c = tokens[0].len();
    let mean = mean(tokens);
    let deviation: Vec<f64> = (0..c)
        .map(|i| tokens.iter().map(|t| (t[i] - mean[i]).powi(2)).sum::<f64>() / tokens.len() as f64)
        .map(|variance| (variance + 1e-5).sqrt() * (c as f64).sqrt())
        .collect();
    let scaled = |t: &Vec<f64>| {
        (0..c).map(|i| (t[i] - mean[i]) / deviation[i]).chain([1.0]).collect::<Vec<_>>()
    };
    let inputs: Rows = tokens.iter().map(scaled).collect();
    let count = |class: usize| examples.iter().filter(|(_, other)| *other == class).count() as f64;
    let mut weights = vec![vec![0.0; c + 1]; classes];
    for _ in 0..40_000 {
        let mut gradient: Rows =
            weights.iter().map(|w| w.iter().map(|v| 1e-3 * v).collect()).collect();
        for (token, class) in examples {
            let x = &inputs[*token];
            let scores: Vec<f64> = weights.iter().map(|w| dot(w, x).exp()).collect();
            let sum: f64 = scores.iter().sum();
            for (other, g) in gradient.iter_mut().enumerate() {
                let error = scores[other] / sum - f64::from(u8::from(other == *class));
                let share = error / count(*class) / classes as f64;
                g.iter_mut().zip(x).for_each(|(g, x)| *g += share * x);
            }
        }
        weights.iter_mut().zip(&gradient).for_each(|(w, g)| {
            w.iter_mut().zip(g).for_each(|(w, g)| *w -= rate * g);
        });
    }
    weights.iter().map(|w| inputs.iter().map(|x| dot(w, x)).collect()).collect()
}
