//! LayerNorm and RMSNorm by rows on all cores; the twin is `reference::norm`.

use crate::parallel::prelude::*;
use rten_simd::SimdOp;
use rten_vecmath::{Normalize, NormalizeOptions, Sum, SumSquare, SumSquareSub};

use super::activation::activate;
use crate::model::NormKind;
use crate::plan::Activation;

/// Norms each row of `x` `[rows, C]` into `y`; C is the length of `weight`.
pub fn norm(
    (x, y): (&[f32], &mut [f32]),
    weight: &[f32],
    bias: Option<&[f32]>,
    kind: NormKind,
    eps: f32,
    activation: Option<Activation>,
) {
    let c = weight.len();
    y.par_chunks_exact_mut(c).zip(x.par_chunks_exact(c)).with_min_len(16).for_each(|(row, x)| {
        row.copy_from_slice(x);
        let (mean, squares) = match kind {
            NormKind::Layer => {
                let mean = Sum::new(row).dispatch() / c as f32;
                (mean, SumSquareSub::new(row, mean).dispatch())
            }
            NormKind::Rms => (0.0, SumSquare::new(row).dispatch()),
        };
        let options = NormalizeOptions {
            pre_scale_bias: mean,
            scale: 1.0 / (squares / c as f32 + eps).sqrt(),
            element_scale: Some(weight),
            element_bias: bias,
            ..Default::default()
        };
        Normalize::new_mut(row, options).dispatch();
        if let Some(activation) = activation {
            activate(activation, row);
        }
    });
}
