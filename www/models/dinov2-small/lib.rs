//! DINOv2 ViT-S/14 in 8 bits, as bytes; README.md is its model card.

/// The text of its `config.json`.
pub const CONFIG: &str = include_str!("config.json");

/// The text of its `preprocessor_config.json`.
pub const PREPROCESSING: &str = include_str!("preprocessor_config.json");

/// Its `model.safetensors`.
pub static WEIGHTS: &[u8] = include_bytes!("model.safetensors");
