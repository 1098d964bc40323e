//! Random models of known shapes, for benchmarks.

use clap::ValueEnum;
use internvit::files::Temporary;
use internvit::model::{CATALOGUE, NormKind, QkNorm, Spec};
use internvit::weights::{StoredType, init_checkpoint};
use internvit::{Checkpoint, Error, Result};
use serde_json::json;

use super::progress;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Preset {
    /// 224 px, 192 channels, 12 layers of 3 heads
    Tiny,
    /// InternViT-300M at 448 px
    #[value(name = "300m")]
    Small,
    /// InternViT-6B at 448 px, of 45 layers
    #[value(name = "6b")]
    Large,
    /// One layer of InternViT-6B at 448 px
    #[value(name = "6b-layer")]
    Layer,
}

impl Preset {
    /// As it is written in the command.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map_or(String::new(), |value| value.get_name().into())
    }

    pub(super) fn spec(self) -> Spec {
        let [small, .., large] = &CATALOGUE;
        let (mut small, mut large) = (small.spec(), large.spec());
        match self {
            Self::Tiny => {
                let s = &mut small.sizes;
                (s.image, s.hidden, s.layers, s.heads, s.mlp) = (224, 192, 12, 3, 768);
                small
            }
            Self::Small => small,
            Self::Large => large,
            Self::Layer => {
                large.sizes.layers = 1;
                large
            }
        }
    }

    /// Its `config.json`.
    pub(super) fn config(self) -> String {
        config(&self.spec())
    }

    /// A checkpoint with random weights, in a folder that is removed with its guard.
    pub(super) async fn open(self) -> Result<(Checkpoint, Temporary)> {
        let folder = Temporary::new();
        let folder = folder.map_err(|e| Error::io(std::env::temp_dir().display(), e))?;
        let bar = progress::bytes("inventing", 0);
        let on_progress = |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        };
        let (config, path) = (self.config(), folder.path());
        init_checkpoint("config.json", &config, 1, StoredType::F16, path, &on_progress)?;
        bar.finish_and_clear();
        Ok((Checkpoint::open_path(path).await?, folder))
    }
}

/// A `config.json` that describes `spec`.
fn config(spec: &Spec) -> String {
    let s = &spec.sizes;
    json!({
        "model_type": "intern_vit_6b",
        "hidden_size": s.hidden, "num_hidden_layers": s.layers, "num_attention_heads": s.heads,
        "intermediate_size": s.mlp, "image_size": s.image, "patch_size": s.patch,
        "norm_type": if spec.norm.kind == NormKind::Rms { "rms_norm" } else { "layer_norm" },
        "layer_norm_eps": spec.norm.eps, "qkv_bias": spec.qkv_bias,
        "qk_normalization": spec.qk_norm == QkNorm::FullWidth,
    })
    .to_string()
}
