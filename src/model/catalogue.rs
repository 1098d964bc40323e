//! The published InternViT checkpoints, for estimates and tests; a checkpoint's own `config.json`
//! always decides.
//!
//! Source: the models' configuration files and cards on the Hugging Face hub.

use super::dialects::{internvit_6b, internvit_300m};
use super::spec::Spec;

/// A published checkpoint.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Name on the Hugging Face hub, after `OpenGVLab/`.
    pub name: &'static str,
    /// Side of the native picture, pixels.
    pub image: usize,
    /// Blocks.
    pub layers: usize,
    shape: fn(usize, usize) -> Spec,
}

const fn small(name: &'static str) -> Entry {
    Entry { name, image: 448, layers: 24, shape: internvit_300m }
}

const fn large(name: &'static str, image: usize, layers: usize) -> Entry {
    Entry { name, image, layers, shape: internvit_6b }
}

/// Every published InternViT.
pub const CATALOGUE: [Entry; 7] = [
    small("InternViT-300M-448px"),
    small("InternViT-300M-448px-V2_5"),
    large("InternViT-6B-224px", 224, 48),
    large("InternViT-6B-448px-V1-0", 448, 48),
    large("InternViT-6B-448px-V1-2", 448, 45),
    large("InternViT-6B-448px-V1-5", 448, 45),
    large("InternViT-6B-448px-V2_5", 448, 45),
];

impl Entry {
    /// `owner/name` on the Hugging Face hub.
    pub fn repository(&self) -> String {
        format!("OpenGVLab/{}", self.name)
    }

    /// The encoder's complete description.
    pub fn spec(&self) -> Spec {
        (self.shape)(self.image, self.layers)
    }
}
