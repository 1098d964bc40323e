//! How much there is to compute.

use serde::Serialize;

use super::Spec;

/// Floating-point operations of one picture, a multiply-add counted as two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Flop {
    /// Patch embedding.
    pub patch: f64,
    /// The four linear layers of every block.
    pub linear: f64,
    /// QKᵀ and the product with V, every block.
    pub attention: f64,
}

impl Flop {
    /// All together.
    pub fn total(self) -> f64 {
        self.patch + self.linear + self.attention
    }
}

impl Spec {
    /// Work for one picture of `tokens` tokens (prefix included).
    pub fn flop(&self, tokens: usize) -> Flop {
        let s = &self.sizes;
        let (c, m, l, n) = (s.hidden as f64, s.mlp as f64, s.layers as f64, tokens as f64);
        let patches = (tokens - self.prefix_tokens()) as f64;
        let products = if self.mlp.gated { 3.0 } else { 2.0 };
        Flop {
            patch: 2.0 * patches * self.patch_values() as f64 * c,
            linear: 2.0 * l * n * (4.0 * c * c + products * c * m),
            attention: 4.0 * l * n * n * c,
        }
    }
}
