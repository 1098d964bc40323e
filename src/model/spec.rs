//! The axes along which vision encoders differ. Each acts in one place, where it is matched in full.

use serde::{Deserialize, Serialize};

use super::{Activation, Preprocessing};

/// One encoder, complete: two equal specs compute the same function of the same weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Spec {
    /// Widths, counts and the native picture.
    pub sizes: Sizes,
    /// Tokens that stand before the patch tokens.
    pub prefix: Prefix,
    /// How a token learns where it is, before the first block.
    pub position: Position,
    /// How queries and keys learn where they are, in every block.
    pub rope: Rope,
    /// What the places of two tokens add to their score.
    pub relative: Relative,
    /// Windows within which tokens attend, and stages of coarser grids.
    pub windows: Option<Windows>,
    /// Whether the patch embedding adds a bias.
    pub patch_bias: bool,
    /// Whether a norm follows the embedding.
    pub stem_norm: bool,
    /// The norm before attention and before the MLP.
    pub norm: Norm,
    /// Where the norms of a block are.
    pub order: Order,
    /// Whether attention and MLP are scaled by a learned vector before they are added.
    pub layer_scale: bool,
    /// The norm of queries and keys.
    pub qk_norm: QkNorm,
    /// Whether the q, k and v projections add a bias.
    pub qkv_bias: bool,
    /// Whether that of the keys is stored; else it is zero.
    pub key_bias: bool,
    /// What the MLP computes between its two products.
    pub mlp: Mlp,
    /// Norms within attention and MLP.
    pub sub_norm: SubNorm,
    /// Blocks that the last hidden state leaves out.
    pub unused: usize,
    /// A norm after the last block.
    pub final_norm: FinalNorm,
    /// What `pooler_output` is.
    pub pool: Pool,
    /// Whether a linear layer and tanh follow the pooling.
    pub dense: bool,
    /// What is computed of the pooled token.
    pub classifier: Classifier,
    /// Linear layers on every token of the last hidden state.
    pub projector: Option<Projector>,
    /// How photographs become its pixels; no part of `config.json`.
    #[serde(skip)]
    pub preprocessing: Preprocessing,
}

/// Widths and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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
    /// A token that learned from a teacher.
    pub distillation: bool,
    /// Register tokens.
    pub registers: usize,
}

/// Where positions come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Position {
    /// A learned table: a row for each of the first `prefix` tokens, then one a patch of the native
    /// grid.
    Table {
        /// Prefix tokens that have a position.
        prefix: usize,
        /// How the patches' rows are brought to another grid.
        resample: Resample,
    },
    /// Nothing is added to tokens.
    None,
}

/// How queries and keys are rotated by their place in the grid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Rope {
    /// They are not.
    None,
    /// Half of a head's angles are of the row, half of the column; prefix tokens stay.
    Axial {
        /// Angle i of n turns by `theta^(-i/n)` a unit.
        theta: f32,
        /// The units.
        places: Places,
        /// Which channels turn together.
        pairs: Pairs,
    },
}

/// The units of a place in the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Places {
    /// Rows and columns as those of a grid of this side.
    Grid(usize),
    /// From -2π to 2π along each side, at the centres of patches.
    Centred,
}

/// Which channels of a head turn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Pairs {
    /// Channel j with channel j + d/2.
    Halves,
    /// Channel 2j with channel 2j + 1.
    Neighbours,
}

/// Tables of what the distance of two patches adds to their score, a value a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Relative {
    /// None.
    None,
    /// Each block has its own.
    Blocks,
    /// All blocks share one.
    Shared,
    /// Each block has its own, to which one that all share is added.
    Both,
}

impl Relative {
    /// Whether each block has a table.
    pub fn of_blocks(self) -> bool {
        matches!(self, Self::Blocks | Self::Both)
    }

    /// Whether there is one that all blocks share.
    pub fn is_shared(self) -> bool {
        matches!(self, Self::Shared | Self::Both)
    }
}

/// Windows of a grid, and stages: the first block of a pair has windows from the grid's corner, the
/// second those shifted by half a side. A stage's last step but the last's joins 2 × 2 patches to one
/// of twice the channels. [`Sizes::hidden`] is of the last stage, [`Sizes::layers`] counts stages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// Side of a window, patches.
    pub side: usize,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
    /// Heads of each stage.
    pub heads: Vec<usize>,
}

/// How a position table is brought to another grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Resample {
    /// PyTorch's bicubic: a = -0.75, half-pixel centres, no antialiasing, border clamped.
    Bicubic,
    /// PyTorch's antialiased bicubic: a = -0.5, support widened where the grid shrinks.
    BicubicAntialiased,
    /// PyTorch's antialiased bilinear: support widened where the grid shrinks.
    BilinearAntialiased,
}

/// Where the norms of a block are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Order {
    /// `x += f(norm(x))`, attention, then MLP.
    Pre,
    /// `x += norm(f(x))`, attention, then MLP.
    ResidualPost,
    /// `x += attention(n) + mlp(n)` of one `n = norm(x)`.
    Parallel,
}

/// Norms within attention and MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubNorm {
    /// Before attention's projection.
    pub attention: bool,
    /// Before the MLP's second product.
    pub mlp: bool,
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
#[non_exhaustive]
pub enum NormKind {
    /// Mean and biased variance; weight and bias.
    Layer,
    /// Mean square; weight only.
    Rms,
}

/// The norm of queries and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum QkNorm {
    /// No norm.
    None,
    /// RMSNorm over all heads together, before the split into heads.
    FullWidth,
    /// The encoder's norm over each head.
    PerHead,
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
#[non_exhaustive]
pub enum FinalNorm {
    /// No norm.
    None,
    /// The encoder's norm over every token.
    Tokens,
    /// The encoder's norm over the pooled token alone.
    Pooled,
}

/// What stands for the whole picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Pool {
    /// Nothing.
    None,
    /// Token 0.
    Cls,
    /// The mean of the patch tokens.
    Mean,
    /// A learned query attends to all tokens, an MLP follows.
    Map,
    /// The mean of all tokens attends to them, each of the two behind LayerNorms of their own; a linear layer
    /// makes `image_features` of it.
    MeanQuery {
        /// Attention heads.
        heads: usize,
        /// Channels of the features.
        width: usize,
    },
}

/// What is computed of the pooled token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Classifier {
    /// Nothing.
    None,
    /// `logits`, a value a class, of the pooled token.
    Classes(usize),
    /// `logits` of token 0 and the mean of the patch tokens, side by side.
    ClassesOfBoth(usize),
    /// `cls_logits` of token 0, `distillation_logits` of token 1, and their mean.
    Distilled(usize),
    /// `image_features` of this width.
    Projection {
        /// Channels.
        width: usize,
        /// Whether there is a bias.
        bias: bool,
    },
}

/// Linear layers on every token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projector {
    /// What the result is called.
    pub output: String,
    /// The width of each layer.
    pub widths: Vec<usize>,
    /// Between the layers.
    pub activation: Activation,
}

impl Spec {
    /// The plainest encoder of these sizes, of which a dialect names what differs: a class token, a table of
    /// positions, LayerNorm before attention and MLP, GELU, all biases, and token 0 after a last norm.
    pub(crate) fn plain(sizes: Sizes) -> Self {
        Self {
            sizes,
            prefix: Prefix { cls: true, distillation: false, registers: 0 },
            position: Position::Table { prefix: 1, resample: Resample::Bicubic },
            rope: Rope::None,
            relative: Relative::None,
            windows: None,
            patch_bias: true,
            stem_norm: false,
            norm: Norm { kind: NormKind::Layer, eps: 1e-6 },
            order: Order::Pre,
            layer_scale: false,
            qk_norm: QkNorm::None,
            qkv_bias: true,
            key_bias: true,
            mlp: Mlp { activation: Activation::Erf, gated: false },
            sub_norm: SubNorm { attention: false, mlp: false },
            unused: 0,
            final_norm: FinalNorm::Tokens,
            pool: Pool::Cls,
            dense: false,
            classifier: Classifier::None,
            projector: None,
            preprocessing: Preprocessing::default(),
        }
    }

    /// Channels of what is compared with features of texts; none of models that were not taught beside
    /// texts.
    pub fn image_features(&self) -> Option<usize> {
        match (self.classifier, self.pool) {
            (Classifier::Projection { width, .. }, _) => Some(width),
            (Classifier::None, Pool::Map) => Some(self.sizes.hidden),
            (Classifier::None, Pool::MeanQuery { width, .. }) => Some(width),
            _ => None,
        }
    }

    /// Classes of its own head.
    pub fn classes(&self) -> Option<usize> {
        match self.classifier {
            Classifier::Classes(count)
            | Classifier::ClassesOfBoth(count)
            | Classifier::Distilled(count) => Some(count),
            Classifier::None | Classifier::Projection { .. } => None,
        }
    }

    /// Channels of one head.
    pub fn head_dim(&self) -> usize {
        self.sizes.hidden / self.sizes.heads
    }

    /// Rows and columns of the last hidden state's patches, for those of the embedding.
    pub fn last_grid(&self, grid: [usize; 2]) -> [usize; 2] {
        let halved = self.windows.as_ref().map_or(0, |windows| windows.depths.len() - 1);
        (0..halved).fold(grid, |grid, _| grid.map(|n| n.div_ceil(2)))
    }

    /// Side of the native patch grid.
    pub fn native_grid(&self) -> usize {
        self.sizes.image / self.sizes.patch
    }

    /// Tokens before the patches.
    pub fn prefix_tokens(&self) -> usize {
        let Prefix { cls, distillation, registers } = self.prefix;
        usize::from(cls) + usize::from(distillation) + registers
    }

    /// Values of one flattened patch.
    pub fn patch_values(&self) -> usize {
        self.sizes.channels * self.sizes.patch * self.sizes.patch
    }
}
