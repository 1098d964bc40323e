//! Twin of `shaders/norm.wgsl`.

use super::activate;
use crate::model::NormKind;
use crate::plan::Activation;

/// Normalises every row of `rows` `[n, C]` in place; `weight` and `bias` are `[C]`.
///
/// LayerNorm: `(x - mean) / √(variance + eps) · weight + bias`, variance biased.
/// RMSNorm: `x / √(mean(x²) + eps) · weight`. The activation follows.
pub fn norm(
    rows: &mut [f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    kind: NormKind,
    eps: f32,
    activation: Option<Activation>,
) {
    let count = weight.len() as f64;
    for row in rows.chunks_exact_mut(weight.len()) {
        let mean = match kind {
            NormKind::Layer => row.iter().map(|v| f64::from(*v)).sum::<f64>() / count,
            NormKind::Rms => 0.0,
        };
        let square = row.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count;
        let scale = 1.0 / (square + f64::from(eps)).sqrt();
        for (i, v) in row.iter_mut().enumerate() {
            let unit = ((f64::from(*v) - mean) * scale) as f32;
            let value = unit * weight[i] + bias.map_or(0.0, |b| b[i]);
            *v = activation.map_or(value, |activation| activate(activation, value));
        }
    }
}
