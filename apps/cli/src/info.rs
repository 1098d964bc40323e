//! `internvit info`

use clap::Parser;
use indicatif::HumanBytes;
use internvit::error::counted;
use internvit::weights::Part;
use internvit::{Error, Result};
use serde_json::json;

use super::model::Model;
use super::print_json;

/// A model's configuration, tensors, bytes and work.
#[derive(Parser)]
#[command(
    after_help = "Example:\n  internvit info --model OpenGVLab/InternViT-300M-448px --tensors"
)]
pub(super) struct Args {
    #[command(flatten)]
    model: Model,
    /// Side of the image for the work, in pixels; the model's own if left out
    #[arg(long, value_name = "PIXELS")]
    image_size: Option<usize>,
    /// List every tensor
    #[arg(long)]
    tensors: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// The type in which a part is stored.
fn stored(part: &Part) -> String {
    part.blocks.map_or_else(|| format!("{:?}", part.dtype), |blocks| blocks.name().into())
}

pub(super) async fn run(args: Args) -> Result<()> {
    let checkpoint = args.model.open().await?;
    let (spec, manifest) = (&checkpoint.spec, &checkpoint.manifest);
    let own = spec.preprocessing.fit(&spec.sizes, None, None);
    let normal = spec.preprocessing.normal;
    let side = args.image_size.unwrap_or(own.size as usize);
    if side < spec.sizes.patch {
        return Err(Error::input(format!("--image-size {side}: less than a patch")));
    }
    let tokens = spec.prefix_tokens() + (side / spec.sizes.patch).pow(2);
    let flop = spec.flop(tokens);
    if args.json {
        let tensors: Vec<_> = manifest
            .tensors
            .iter()
            .map(|(name, t)| {
                let quantized =
                    t.quantized.iter().map(|quantized| format!("{:?}", quantized.quant));
                let types: Vec<_> = t.parts.iter().map(stored).chain(quantized).collect();
                json!({ "name": name, "shape": t.shape, "stored": types })
            })
            .collect();
        print_json(&json!({
            "model": checkpoint.name(), "spec": spec, "parameters": manifest.parameters(),
            "bytes": manifest.bytes(), "image_size": side, "tokens": tokens,
            "flop": { "patch": flop.patch, "linear": flop.linear, "attention": flop.attention,
                      "total": flop.total() },
            "preprocessing": {
                "size": own.size, "short": own.short, "resize": own.resize, "filter": own.filter,
                "mean": normal.mean, "std": normal.std, "divisor": normal.divisor,
                "notes": checkpoint.notes,
            },
            "random_weights": checkpoint.random_weights(),
            "tensors": tensors,
        }));
        return Ok(());
    }
    let s = &spec.sizes;
    say!("{}", checkpoint.name());
    say!(
        "  {}, {} channels, {} of {}, MLP {}",
        counted(s.layers as u64, "layer"),
        s.hidden,
        counted(s.heads as u64, "head"),
        spec.head_dim(),
        s.mlp
    );
    say!("  {:?}Norm, q/k norm {:?}, qkv bias {}", spec.norm.kind, spec.qk_norm, spec.qkv_bias);
    say!("  image {} px, patch {} px", s.image, s.patch);
    say!(
        "  photographs to {} px ({}, {}), (bytes / {} − {:?}) / {:?}",
        own.size,
        own.resize,
        own.filter.name(),
        normal.divisor,
        normal.mean,
        normal.std
    );
    say!(
        "  {} tensors, {:.1} M parameters, {}",
        manifest.tensors.len(),
        manifest.parameters() as f64 / 1e6,
        HumanBytes(manifest.bytes())
    );
    say!(
        "  {side} × {side} px: {tokens} tokens, {:.2} GFLOP (patches {:.2}, linear {:.2}, \
        attention {:.2})",
        flop.total() / 1e9,
        flop.patch / 1e9,
        flop.linear / 1e9,
        flop.attention / 1e9
    );
    if checkpoint.random_weights() {
        say!("  random weights: its features mean nothing");
    }
    if args.tensors {
        for (name, tensor) in &manifest.tensors {
            if let Some(quantized) = &tensor.quantized {
                let (size, file) =
                    (HumanBytes(tensor.bytes()), checkpoint.file_name(quantized.file));
                say!("  {name} {:?} {:?} {size} ({file})", tensor.shape, quantized.quant);
            }
            for part in &tensor.parts {
                say!(
                    "  {name} {:?} {} {} ({})",
                    tensor.shape,
                    stored(part),
                    HumanBytes(part.range.end - part.range.start),
                    checkpoint.file_name(part.file)
                );
            }
        }
    }
    Ok(())
}
