//! A classifier with one hidden layer, fitted to a few rows.

use super::teach::DECAY;
use crate::math::{dot, softmax};

/// Units of the hidden layer.
pub(super) const UNITS: usize = 16;
const STEPS: usize = 200;
/// How far a weight moves in a step at first.
const RATE: f32 = 0.05;

/// Fits the hidden layer `[UNITS, c + 1]` and the classes `[classes, UNITS + 1]` to rows that end with 1,
/// biases in the last columns: softmax loss with weight decay, each row as much as `weights` says, by
/// Adam over all rows at once. The weights at first are the same in every run.
pub(super) fn descend(
    rows: &[(Vec<f32>, usize)],
    weights: &[f32],
    classes: usize,
) -> [Vec<f32>; 2] {
    let width = rows.first().map_or(1, |(row, _)| row.len());
    // Rows are about as long as 1, so a unit's sum is about as large as a weight.
    let mut first = start(UNITS * width, 1.0);
    let mut second = start(classes * (UNITS + 1), 1.0 / (UNITS as f32).sqrt());
    let mut moments = [Adam::new(first.len()), Adam::new(second.len())];
    for step in 0..STEPS {
        let mut slopes: [Vec<f32>; 2] =
            [&first, &second].map(|list| list.iter().map(|w| DECAY * w).collect());
        for ((row, class), weight) in rows.iter().zip(weights) {
            let mut units: Vec<f32> =
                first.chunks_exact(width).map(|w| dot(w, row).max(0.0)).collect();
            units.push(1.0);
            let mut p: Vec<f32> = second.chunks_exact(UNITS + 1).map(|w| dot(w, &units)).collect();
            softmax(&mut p);
            p[*class] -= 1.0;
            let mut back = vec![0.0f32; UNITS + 1];
            let layer = slopes[1].chunks_exact_mut(UNITS + 1).zip(second.chunks_exact(UNITS + 1));
            for ((slope, w), error) in layer.zip(&p) {
                let error = error * weight;
                slope.iter_mut().zip(&units).for_each(|(g, x)| *g += error * x);
                back.iter_mut().zip(w).for_each(|(sum, w)| *sum += error * w);
            }
            let layer = slopes[0].chunks_exact_mut(width);
            for ((slope, error), _) in layer.zip(&back).zip(&units).filter(|(_, unit)| **unit > 0.0)
            {
                slope.iter_mut().zip(row).for_each(|(g, x)| *g += error * x);
            }
        }
        let [a, b] = &mut moments;
        a.step(step, &mut first, &slopes[0]);
        b.step(step, &mut second, &slopes[1]);
    }
    [first, second]
}

/// Values between -`most` and `most` that look random.
fn start(count: usize, most: f32) -> Vec<f32> {
    let value = |i: usize| {
        let mixed = (i as u32 + 1).wrapping_mul(0x9e37_79b9);
        let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b);
        (mixed ^ mixed >> 13) as f32 / u32::MAX as f32
    };
    (0..count).map(|i| most * (2.0 * value(i) - 1.0)).collect()
}

/// Kingma and Ba's running means (arXiv:1412.6980).
struct Adam {
    mean: Vec<f32>,
    square: Vec<f32>,
}

impl Adam {
    fn new(count: usize) -> Self {
        Self { mean: vec![0.0; count], square: vec![0.0; count] }
    }

    fn step(&mut self, step: usize, weights: &mut [f32], slopes: &[f32]) {
        let rate = RATE * (1.0 - step as f32 / STEPS as f32);
        let [mean, square] = [0.9f32, 0.999].map(|keep| 1.0 - keep.powi(step as i32 + 1));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((weight, slope), (m, s)) in weights.iter_mut().zip(slopes).zip(moments) {
            *m += 0.1 * (slope - *m);
            *s += 0.001 * (slope * slope - *s);
            *weight -= rate * (*m / mean) / ((*s / square).sqrt() + 1e-8);
        }
    }
}
