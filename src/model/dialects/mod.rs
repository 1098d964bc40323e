//! The dialects: how each family of encoders writes `config.json`, names its tensors and prepares
//! photographs. A family is a file here and a line in [`DIALECTS`].

mod dinov2;
mod internvit;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::names::Scheme;
use super::spec::{Sizes, Spec};
use crate::Result;

/// One way to write an encoder down.
pub(super) struct Dialect {
    /// What its `model_type` is.
    pub(super) types: &'static [&'static str],
    /// Whether a configuration without `model_type` is of this dialect.
    pub(super) claims: fn(&Fields<'_>) -> bool,
    /// Reads the configuration. Absent keys have the defaults of the class that wrote it.
    pub(super) spec: fn(&Fields<'_>) -> Result<Spec>,
    /// Writes every key that it reads into a configuration of its own.
    pub(super) write: fn(&Spec, &mut Map<String, Value>),
    /// How its checkpoints name tensors.
    pub(super) schemes: &'static [Scheme],
}

/// Every dialect that is read; of those that claim a configuration the first counts.
pub(super) const DIALECTS: [&Dialect; 4] =
    [&dinov2::HUGGING_FACE, &dinov2::TIMM, &internvit::PORT, &internvit::REMOTE];

/// Every scheme of names; where two suit a checkpoint equally, the first counts.
pub(super) fn schemes() -> impl Iterator<Item = &'static Scheme> {
    // The project's own names come first: converted checkpoints of every family have them.
    [internvit::CANONICAL].into_iter().chain(DIALECTS.iter().flat_map(|dialect| dialect.schemes))
}

pub(super) use internvit::{large as internvit_6b, small as internvit_300m};

/// The keys of sizes that Hugging Face's configurations share.
fn write_sizes(sizes: &Sizes, map: &mut Map<String, Value>) {
    let list = [
        ("hidden_size", sizes.hidden),
        ("num_hidden_layers", sizes.layers),
        ("num_attention_heads", sizes.heads),
        ("patch_size", sizes.patch),
        ("num_channels", sizes.channels),
        ("image_size", sizes.image),
    ];
    map.extend(list.map(|(key, size)| (key.to_string(), size.into())));
}

/// The shortest decimal number that is this f32: 1e-6 and not 9.999999974752427e-7.
fn decimal(value: f32) -> Value {
    value.to_string().parse().unwrap_or(f64::from(value)).into()
}
