//! What an encoder is: sizes and small enums, read from `config.json`, and the names and shapes
//! of its tensors. Data only; nothing here reads a file or computes a feature.

mod activation;
mod catalogue;
mod classes;
mod clip_tokenizer;
mod config;
mod dialects;
mod fields;
mod found;
mod head;
#[cfg(feature = "language")]
mod language;
mod layer;
mod names;
mod preprocessing;
mod published;
mod repair;
mod spec;
mod text;
mod weight;
mod work;

pub use activation::Activation;
pub use catalogue::{CATALOGUE, Entry};
pub use classes::{class_names, own_class_names};
pub use clip_tokenizer::{clip_tokenizer, clip_tokenizer_of_pairs, numbered, wrong_merge};
pub use config::{canonical_config, parse_config, parse_text, settle};
pub use found::Found;
pub use head::{BATCH_NORM, HeadKind, HeadSpec, MAX_CLASSES, POOL_SCALES, ade20k, parse_head};
#[cfg(feature = "language")]
pub use language::{
    Gguf, GgufKeys, LANGUAGE, LanguageNaming, LanguageSpec, Order as SquareOrder, VisualSpec,
    gguf_config, gguf_preprocessor, gguf_tokenizer, no_language, parse_language, parse_visual,
    qwen_tokenizer, sees_nothing,
};
pub use layer::layer;
pub use names::{Key, Naming};
pub use preprocessing::{Preprocessing, image_processor, parse_preprocessing, parse_pretrained};
pub use published::{Published, Purpose, published};
pub use spec::{
    Classifier, FinalNorm, Mlp, Norm, NormKind, Order, Pairs, Places, Pool, Position, Prefix,
    Projector, QkNorm, Relative, Resample, Rope, Sizes, Spec, SubNorm, Windows,
};
pub use text::{Joint, TextHead, TextPool, TextSpec};
pub use weight::WeightKind;
pub use work::Flop;
