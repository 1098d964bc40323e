//! Twin of `shaders/attention_direct.wgsl`, `attention_subgroup.wgsl`, `attention_tiled.wgsl` and
//! `attention_matrix.wgsl`.

use crate::math::dot;

/// `softmax(q·kᵀ / √d) · v` for every picture, head and token.
///
/// `q`, `k`, `v` and `y` are `[batch·tokens, C]`; head h has channels `h·d .. (h+1)·d`.
pub fn attention(
    [q, k, v]: [&[f32]; 3],
    [batch, tokens, c]: [usize; 3],
    heads: usize,
    y: &mut [f32],
) {
    let d = c / heads;
    let scale = 1.0 / (d as f32).sqrt();
    let mut scores = vec![0.0f32; tokens];
    for picture in 0..batch {
        for head in 0..heads {
            let at = |token: usize| (picture * tokens + token) * c + head * d;
            for query in 0..tokens {
                for (key, score) in scores.iter_mut().enumerate() {
                    *score = scale * dot(&q[at(query)..][..d], &k[at(key)..][..d]);
                }
                softmax(&mut scores);
                let out = &mut y[at(query)..][..d];
                out.fill(0.0);
                for (key, weight) in scores.iter().enumerate() {
                    for (o, v) in out.iter_mut().zip(&v[at(key)..][..d]) {
                        *o += weight * v;
                    }
                }
            }
        }
    }
}

fn softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|s| *s = (*s - max).exp());
    let sum: f64 = scores.iter().map(|s| f64::from(*s)).sum();
    scores.iter_mut().for_each(|s| *s = (f64::from(*s) / sum) as f32);
}
