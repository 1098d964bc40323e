//! The dialects: how each family of encoders writes `config.json`, names its tensors and prepares
//! photographs. A family is a file here and a line in [`DIALECTS`].

mod beit;
mod clip;
mod dinov2;
mod dinov3;
#[cfg(feature = "language")]
mod gguf;
mod internvit;
mod janus;
mod openclip;
mod siglip;
mod swin;
mod timm;
mod vit;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::found::Found;
use super::names::Scheme;
use super::spec::{Classifier, Prefix, Sizes, Spec};
use super::{Activation, Preprocessing, TextSpec};
use crate::Result;
use crate::image::{Filter, Normal};

/// One way to write an encoder down.
pub(super) struct Dialect {
    /// What its `model_type` is.
    pub(super) types: &'static [&'static str],
    /// Whether a configuration without `model_type` is of this dialect.
    pub(super) claims: fn(&Fields<'_>) -> bool,
    /// Reads the configuration. Absent keys have the defaults of the class that wrote it.
    pub(super) spec: fn(&Fields<'_>) -> Result<Spec>,
    /// Completes the spec by what only the tensors tell.
    pub(super) settle: fn(&Fields<'_>, &mut Spec, &Found) -> Result<()>,
    /// Reads the tower for texts from the whole configuration, where that describes one.
    pub(super) text: fn(&Fields<'_>, &Found) -> Result<Option<TextSpec>>,
    /// Writes every key that it reads into a configuration of its own.
    pub(super) write: fn(&Spec, &mut Map<String, Value>),
    /// How its checkpoints name tensors.
    pub(super) schemes: &'static [Scheme],
}

/// Every dialect that is read; of those that claim a configuration the first counts.
pub(super) const DIALECTS: [&Dialect; 13] = [
    &dinov2::HUGGING_FACE,
    &dinov2::TIMM,
    &internvit::PORT,
    &internvit::REMOTE,
    &vit::DIALECT,
    &beit::DIALECT,
    &clip::DIALECT,
    &siglip::DIALECT,
    &janus::DIALECT,
    &dinov3::DIALECT,
    &swin::DIALECT,
    &openclip::DIALECT,
    &timm::DIALECT,
];

/// Every scheme of names; where two suit a checkpoint equally, the first counts.
pub(super) fn schemes() -> impl Iterator<Item = &'static Scheme> {
    // The project's own names come first: converted checkpoints of every family have them.
    let all = [internvit::CANONICAL]
        .into_iter()
        .chain(DIALECTS.iter().flat_map(|dialect| dialect.schemes));
    #[cfg(feature = "language")]
    let all = all.chain([&gguf::SCHEME]);
    all
}

pub(super) use internvit::{large as internvit_6b, small as internvit_300m};

/// A dialect whose configurations tell everything.
fn settled(_: &Fields<'_>, _: &mut Spec, _: &Found) -> Result<()> {
    Ok(())
}

/// A dialect of encoders that stand beside no tower for texts.
fn no_text(_: &Fields<'_>, _: &Found) -> Result<Option<TextSpec>> {
    Ok(None)
}

/// How the tensors of towers for texts are named.
pub(super) const TEXT_SCHEMES: [&Scheme; 3] =
    [&internvit::CANONICAL_TEXT, &clip::TEXT_NAMES, &openclip::TEXT_NAMES];

/// The blocks of a tower for texts.
fn text_tower(hidden: usize, layers: usize, heads: usize, mlp: usize) -> Spec {
    let sizes = Sizes { hidden, layers, heads, mlp, patch: 1, channels: 3, image: 1 };
    let plain = Spec::plain(sizes);
    Spec { prefix: Prefix { cls: false, ..plain.prefix }, ..plain }
}

/// What transformers calls activations.
const ACTIVATIONS: [(&str, Activation); 7] = [
    ("gelu", Activation::Erf),
    ("gelu_pytorch_tanh", Activation::Tanh),
    ("gelu_new", Activation::Tanh),
    ("quick_gelu", Activation::Quick),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("relu", Activation::Relu),
];

/// The sizes by the keys that Hugging Face's configurations share.
fn sizes(fields: &Fields<'_>, default: Sizes) -> Result<Sizes> {
    Ok(Sizes {
        hidden: fields.size("hidden_size", default.hidden)?,
        layers: fields.size("num_hidden_layers", default.layers)?,
        heads: fields.size("num_attention_heads", default.heads)?,
        mlp: fields.size("intermediate_size", default.mlp)?,
        patch: fields.side("patch_size", default.patch)?,
        channels: fields.size("num_channels", default.channels)?,
        image: fields.side("image_size", default.image)?,
    })
}

/// ViT-B of pictures of 224 pixels in patches of 16, what many classes have for absent keys.
const BASE: Sizes =
    Sizes { hidden: 768, layers: 12, heads: 12, mlp: 3072, patch: 16, channels: 3, image: 224 };

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

/// The same with the width of the MLP, what norms add, and what the configuration is of.
fn write_all(kind: &str, spec: &Spec, map: &mut Map<String, Value>) {
    write_sizes(&spec.sizes, map);
    map.entry("model_type").or_insert(kind.into());
    map.insert("intermediate_size".into(), spec.sizes.mlp.into());
    map.insert("layer_norm_eps".into(), decimal(spec.norm.eps));
}

/// The shortest decimal number that is this f32: 1e-6 and not 9.999999974752427e-7.
fn decimal(value: f32) -> Value {
    value.to_string().parse().unwrap_or(f64::from(value)).into()
}

/// The classes of a head on the pooled token, where one is stored.
fn classes(found: &Found) -> Classifier {
    found.size("classifier.weight", 0).map_or(Classifier::None, Classifier::Classes)
}

/// Whole photographs in a square, by this filter and these numbers.
fn squashed(filter: Filter, mean: [f32; 3], std: [f32; 3]) -> Preprocessing {
    let normal = Normal { mean, std, ..Normal::default() };
    Preprocessing { filter, normal, ..Preprocessing::default() }
}

/// Mean, and deviation, of encoders that take numbers from -1 to 1.
const HALF: [f32; 3] = [0.5; 3];

#[cfg(test)]
mod tests {
    use crate::model::parse_config;

    /// The encoder of a published configuration, which has `millions` of parameters, to the last digit that is given,
    /// beside `others` that the publisher does not count.
    #[track_caller]
    pub(super) fn published(config: &str, millions: &str, others: usize) -> crate::model::Spec {
        let spec = match parse_config("c", config) {
            Ok(spec) => spec,
            Err(e) => panic!("{config}: {e}"),
        };
        let found = (crate::plan::parameters(&spec) - others as u64) as f64 / 1e6;
        let digits = millions.split_once('.').map_or(0, |(_, digits)| digits.len());
        assert_eq!(format!("{found:.digits$}"), millions, "{config}");
        spec
    }
}
