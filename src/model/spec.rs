//! The axes along which vision encoders differ. Each acts in one place, where it is matched in full.

use serde::{Deserialize, Serialize};

use super::{Activation, Preprocessing};

/// One encoder, complete: two equal specs compute the same function of the same weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// Widths, counts and the native picture.
    pub sizes: Sizes,
    /// Tokens that stand before the patch tokens.
    pub prefix: Prefix,
    /// How a token learns where it is.
    pub position: Position,
    /// The norm before attention and before the MLP.
    pub norm: Norm,
    /// Whether attention and MLP are scaled by a learned vector before they are added.
    pub layer_scale: bool,
    /// The norm of queries and keys.
    pub qk_norm: QkNorm,
    /// Whether the q, k and v projections add a bias.
    pub qkv_bias: bool,
    /// What the MLP computes between its two products.
    pub mlp: Mlp,
    /// A norm after the last block.
    pub final_norm: FinalNorm,
    /// What `pooler_output` is.
    pub pool: Pool,
    /// How photographs become its pixels; no part of `config.json`.
    #[serde(skip)]
    pub preprocessing: Preprocessing,
}

/// Widths and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Channels of a token, `C`.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads; `hidden / heads` is the head's width.
    pub heads: usize,
    /// Width of the MLP's hidden layer.
    pub mlp: usize,
    /// Side of a square patch, pixels.
    pub patch: usize,
    /// Channels of a picture.
    pub channels: usize,
    /// Side of the square picture that the position table was made for, pixels.
    pub image: usize,
}

/// Tokens before the patches, in the order of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// A class token.
    pub cls: bool,
    /// Register tokens.
    pub registers: usize,
}

/// Where positions come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// A learned table: a row for each of the first `prefix` tokens, then one a patch of the native
    /// grid.
    Table {
        /// Prefix tokens that have a position.
        prefix: usize,
        /// How the patches' rows are brought to another grid.
        resample: Resample,
    },
}

/// How a position table is brought to another grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resample {
    /// PyTorch's bicubic: a = -0.75, half-pixel centres, no antialiasing, border clamped.
    Bicubic,
    /// PyTorch's antialiased bicubic: a = -0.5, support widened where the grid shrinks.
    BicubicAntialiased,
}

/// A norm over a token's channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Norm {
    /// Which statistics.
    pub kind: NormKind,
    /// Added to the variance or mean square before the root.
    pub eps: f32,
}

/// Which statistics a norm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NormKind {
    /// Mean and biased variance; weight and bias.
    Layer,
    /// Mean square; weight only.
    Rms,
}

/// The norm of queries and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QkNorm {
    /// No norm.
    None,
    /// RMSNorm over all heads together, before the split into heads.
    FullWidth,
}

/// What an MLP computes between its two products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mlp {
    /// Applied to the first product, or to its gate.
    pub activation: Activation,
    /// Whether the first product has a gate and values: `activation(gate) ⊙ values` goes on.
    pub gated: bool,
}

/// A norm after the last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FinalNorm {
    /// No norm.
    None,
    /// The encoder's norm over every token.
    Tokens,
}

/// What stands for the whole picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pool {
    /// Token 0.
    Cls,
}

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
    /// Channels of one head.
    pub fn head_dim(&self) -> usize {
        self.sizes.hidden / self.sizes.heads
    }

    /// Side of the native patch grid.
    pub fn native_grid(&self) -> usize {
        self.sizes.image / self.sizes.patch
    }

    /// Tokens before the patches.
    pub fn prefix_tokens(&self) -> usize {
        usize::from(self.prefix.cls) + self.prefix.registers
    }

    /// Values of one flattened patch.
    pub fn patch_values(&self) -> usize {
        self.sizes.channels * self.sizes.patch * self.sizes.patch
    }

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
