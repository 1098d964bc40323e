//! InternViT-Tiny as bytes; README.md is its model card.

/// The text of its `config.json`.
pub const CONFIG: &str = include_str!("config.json");

/// Its `model.safetensors`.
pub static WEIGHTS: &[u8] = include_bytes!("model.safetensors");
