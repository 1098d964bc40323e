//! Directions of largest variance: block iteration with Rayleigh and Ritz's projection, in f64.

use crate::order::order;

/// Directions iterated together: more than the three wanted, so that these settle sooner.
const BLOCK: usize = 8;
/// Iterations at most; close variances need many.
const ITERATIONS: usize = 200;
/// The angle, in radians, below which a direction counts as found.
const SETTLED: f64 = 1e-6;

/// For each channel its entry in every direction, `[c]`.
type Block = Vec<[f64; BLOCK]>;
type Square = [[f64; BLOCK]; BLOCK];

/// The three directions of largest variance of centred `rows` `[n, c]`, each of length 1, the
/// largest first. Those whose sum of squares does not pass `floor` are zero.
pub(super) fn principal_directions(rows: &[f64], c: usize, floor: f64) -> [Vec<f64>; 3] {
    // Any start that is not orthogonal to the answer will do.
    let entry = |i: usize, k: usize| ((i * (2 * k + 1)) as f64 * 0.7 + k as f64).cos();
    let mut q: Block = (0..c).map(|i| std::array::from_fn(|k| entry(i, k))).collect();
    orthonormalise(&mut q);
    let mut values = [0.0; BLOCK];
    for _ in 0..ITERATIONS {
        let y = scatter(rows, &q);
        let turn;
        (values, turn) = eigen(inner(&q, &y));
        q = turned(&q, &turn);
        let mut y = turned(&y, &turn);
        if settled(&q, &y, &values, floor) {
            break;
        }
        orthonormalise(&mut y);
        q = y;
    }
    std::array::from_fn(|k| {
        let keep = f64::from(u8::from(values[k] > floor));
        q.iter().map(|entries| keep * entries[k]).collect()
    })
}

/// `rowsᵀ · rows · q`, two rows at a time, so that each entry of q and of the sums is read for both.
fn scatter(rows: &[f64], q: &Block) -> Block {
    let (c, none) = (q.len(), vec![0.0; q.len()]);
    let mut sums = vec![[0.0; BLOCK]; c];
    for pair in rows.chunks(2 * c) {
        let (a, b) = pair.split_at(c);
        let b = if b.is_empty() { &none } else { b };
        let (mut of_a, mut of_b) = ([0.0; BLOCK], [0.0; BLOCK]);
        for ((a, b), entries) in a.iter().zip(b).zip(q) {
            for k in 0..BLOCK {
                of_a[k] += a * entries[k];
                of_b[k] += b * entries[k];
            }
        }
        for ((a, b), sum) in a.iter().zip(b).zip(&mut sums) {
            for k in 0..BLOCK {
                sum[k] += a * of_a[k] + b * of_b[k];
            }
        }
    }
    sums
}

/// `aᵀ · b`.
fn inner(a: &Block, b: &Block) -> Square {
    let entry = |i: usize, j: usize| a.iter().zip(b).map(|(a, b)| a[i] * b[j]).sum();
    std::array::from_fn(|i| std::array::from_fn(|j| entry(i, j)))
}

/// `block · turn`.
fn turned(block: &Block, turn: &Square) -> Block {
    let entry = |row: &[f64; BLOCK], k: usize| (0..BLOCK).map(|i| row[i] * turn[i][k]).sum();
    block.iter().map(|row| std::array::from_fn(|k| entry(row, k))).collect()
}

/// Whether the first three are found: what the scatter matrix makes of a direction besides
/// stretching it, over the gap to its neighbours' values, is about the angle that it is off.
fn settled(q: &Block, y: &Block, values: &[f64; BLOCK], floor: f64) -> bool {
    (0..3).filter(|k| values[*k] > floor).all(|k| {
        let rest = |(q, y): (&[f64; BLOCK], &[f64; BLOCK])| (y[k] - values[k] * q[k]).powi(2);
        let rest = q.iter().zip(y).map(rest).sum::<f64>().sqrt();
        let before = if k == 0 { f64::INFINITY } else { values[k - 1] - values[k] };
        rest <= SETTLED * before.min(values[k] - values[k + 1])
    })
}

/// Gram and Schmidt, twice, for what rounding leaves. A direction that depends on those before it
/// becomes zero.
fn orthonormalise(block: &mut Block) {
    for k in 0..BLOCK {
        let length = |block: &Block| block.iter().map(|row| row[k] * row[k]).sum::<f64>().sqrt();
        let before = length(block);
        for _ in 0..2 {
            for other in 0..k {
                let along: f64 = block.iter().map(|row| row[k] * row[other]).sum();
                block.iter_mut().for_each(|row| row[k] -= along * row[other]);
            }
        }
        let after = length(block);
        let scale = if after > 1e-10 * before { 1.0 / after } else { 0.0 };
        block.iter_mut().for_each(|row| row[k] *= scale);
    }
}

/// Eigenvalues of a symmetric matrix, the largest first, and its eigenvectors as columns: Jacobi's
/// rotations.
fn eigen(mut a: Square) -> ([f64; BLOCK], Square) {
    let mut v: Square = std::array::from_fn(|i| std::array::from_fn(|j| f64::from(i == j)));
    // A sweep squares what is left beside the diagonal; ten leave nothing.
    for (p, q) in (0..10).flat_map(|_| (0..BLOCK).flat_map(|p| (p + 1..BLOCK).map(move |q| (p, q))))
    {
        if a[p][q] == 0.0 {
            continue;
        }
        let half = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
        let tangent = 1.0f64.copysign(half) / (half.abs() + half.hypot(1.0));
        let cos = 1.0 / tangent.hypot(1.0);
        let sin = tangent * cos;
        let rotate = |row: &mut [f64; BLOCK]| {
            (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
        };
        a.iter_mut().for_each(rotate);
        v.iter_mut().for_each(rotate);
        let (upper, lower) = (a[p], a[q]);
        a[p] = std::array::from_fn(|i| cos * upper[i] - sin * lower[i]);
        a[q] = std::array::from_fn(|i| sin * upper[i] + cos * lower[i]);
    }
    let order = order(BLOCK, &|i, j| a[j][j].total_cmp(&a[i][i]));
    (
        std::array::from_fn(|i| a[order[i]][order[i]]),
        v.map(|row| std::array::from_fn(|i| row[order[i]])),
    )
}
