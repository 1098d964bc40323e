//! The published InternViT checkpoints, for estimates and tests; a checkpoint's own `config.json`
//! always decides.
//!
//! Source: the models' configuration files and cards on the Hugging Face hub.

use super::Preprocessing;
use super::spec::*;

/// A published checkpoint.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Name on the Hugging Face hub, after `OpenGVLab/`.
    pub name: &'static str,
    /// Side of the native picture, pixels.
    pub image: usize,
    /// Blocks.
    pub layers: usize,
    /// The 6B shape; otherwise the 300M shape.
    pub large: bool,
}

const fn entry(name: &'static str, image: usize, layers: usize, large: bool) -> Entry {
    Entry { name, image, layers, large }
}

/// Every published InternViT.
pub const CATALOGUE: [Entry; 7] = [
    entry("InternViT-300M-448px", 448, 24, false),
    entry("InternViT-300M-448px-V2_5", 448, 24, false),
    entry("InternViT-6B-224px", 224, 48, true),
    entry("InternViT-6B-448px-V1-0", 448, 48, true),
    entry("InternViT-6B-448px-V1-2", 448, 45, true),
    entry("InternViT-6B-448px-V1-5", 448, 45, true),
    entry("InternViT-6B-448px-V2_5", 448, 45, true),
];

impl Entry {
    /// `owner/name` on the Hugging Face hub.
    pub fn repository(&self) -> String {
        format!("OpenGVLab/{}", self.name)
    }

    /// The encoder's complete description.
    pub fn spec(&self) -> Spec {
        let (hidden, heads, mlp) = if self.large { (3200, 25, 12800) } else { (1024, 16, 4096) };
        Spec {
            sizes: Sizes {
                hidden,
                layers: self.layers,
                heads,
                mlp,
                patch: 14,
                channels: 3,
                image: self.image,
            },
            prefix: Prefix { cls: true, registers: 0 },
            position: Position::Table(Resample::Bicubic),
            norm: Norm {
                kind: if self.large { NormKind::Rms } else { NormKind::Layer },
                eps: 1e-6,
            },
            qk_norm: if self.large { QkNorm::FullWidth } else { QkNorm::None },
            qkv_bias: !self.large,
            activation: Activation::GeluErf,
            final_norm: FinalNorm::None,
            pool: Pool::Cls,
            preprocessing: Preprocessing::default(),
        }
    }
}
