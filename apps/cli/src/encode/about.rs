//! What a table says of the features in it.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::path::Path;

use internvit::image::{Fit, Resize};
use internvit::model::Preprocessing;
use internvit::plan::TEXT;
use internvit::{Checkpoint, Result};
use serde_json::json;
use twox_hash::XxHash64;

use super::Args;
use super::table::{About, Settings};

/// What the rows of a run are.
pub(super) async fn about(checkpoint: &Checkpoint, args: &Args) -> Result<About> {
    let name = Path::new(checkpoint.name()).file_name().unwrap_or_default();
    let shape = args.shape(&checkpoint.spec)?;
    let settings = Settings {
        model_digest: digest(checkpoint, &shape.fit).await?,
        dtype: args.compute.dtype.name().into(),
        image_size: shape.fit.size,
        resize: shape.fit.resize.to_string(),
        tiles: args.tiles,
        patch_tokens: args.patch_tokens,
        background: args.background.name(),
        image_embeds: checkpoint.spec.image_features().is_some(),
        logits: checkpoint.spec.classes().is_some(),
        hidden_states: args.taps.clone(),
    };
    let (version, model) = (env!("CARGO_PKG_VERSION").into(), name.to_string_lossy().into());
    let (additions, failed, overflowed, widths) = (1, 0, false, BTreeMap::new());
    Ok(About { version, model, settings, additions, failed, widths, overflowed })
}

/// What tells models apart without reading all their weights: the spec, the tensors' names and bits,
/// and the values of those that are vectors.
async fn digest(checkpoint: &Checkpoint, fit: &Fit) -> Result<String> {
    let mut hash = XxHash64::with_seed(0);
    hash.write(json!(checkpoint.spec).to_string().as_bytes());
    // Size and shape are settings of their own.
    let Preprocessing { filter, normal, exact, .. } = checkpoint.spec.preprocessing;
    let short = (fit.resize == Resize::Crop && fit.short != fit.size).then_some(fit.short);
    let pixels = Preprocessing { filter, normal, exact, short, ..Preprocessing::default() };
    if pixels != Preprocessing::default() {
        hash.write(json!(pixels).to_string().as_bytes());
    }
    // What reads texts changes nothing here, and is there only where it was asked for.
    let of_pictures = |name: &str| !name.starts_with(TEXT) && !name.starts_with("logit_");
    let tensors = checkpoint.manifest.tensors.iter().filter(|(name, _)| of_pictures(name));
    for (name, tensor) in tensors {
        hash.write(name.as_bytes());
        hash.write(&[tensor
            .quantized
            .as_ref()
            .map_or(0, |quantized| quantized.quant.bits() as u8)]);
        if tensor.shape.len() == 1 {
            let values = checkpoint.tensor(name).await?;
            values.iter().for_each(|value| hash.write(&value.to_le_bytes()));
        }
    }
    Ok(format!("{:016x}", hash.finish()))
}
