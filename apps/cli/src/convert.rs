//! `internvit convert`

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use indicatif::HumanBytes;
use internvit::Result;
use internvit::error::{counted, list};
use internvit::weights::{Conversion, QuantFormat, StoredType, TOKENIZERS, convert};
use serde_json::json;

use super::model::Model;
use super::{print_json, progress};

/// A checkpoint, PyTorch's .pth and .bin included, as safetensors in shards with canonical names.
///
/// Reads what every subcommand reads; nothing that a pickle asks for is run. Of a larger model the
/// encoder is taken, and the segmentation head that config.json describes; of a model that was taught
/// beside texts also what reads them, with its tokenizer. DIR appears when all of it
/// is written: config.json, model.safetensors or shards with their index, and manifest.json with size
/// and SHA-256 of each. The same source gives the same bytes.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  internvit convert OpenGVLab/InternViT-6B-224px --out 6b --dtype int8\n  \
    internvit convert upernet.pth --out upernet --shard-size 256MB\n\n\
    Beside a .pth file config.json is expected."
)]
pub(super) struct Args {
    /// Folder with config.json and weights, a .safetensors, .pth or .bin file with config.json
    /// beside it, or owner/name[@revision] on the Hugging Face hub
    source: PathBuf,
    /// Ask the hub nothing: take what was fetched before
    #[arg(long)]
    offline: bool,
    /// Folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Leave out what reads texts: about half the size
    #[arg(long)]
    no_texts: bool,
    /// Number type of the weights, as stored if left out; int8 and int4 are for the matrices of the
    /// blocks alone
    #[arg(long, value_enum)]
    dtype: Option<WeightType>,
    /// Size of a file at most: 512MB, 1GB, 200MiB; a larger tensor has a file of its own
    #[arg(long, default_value = "512MB", value_parser = internvit::budget::parse_size, value_name = "SIZE")]
    shard_size: u64,
    /// Replace the model that is in DIR
    #[arg(long)]
    overwrite: bool,
    /// Print a summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum WeightType {
    F32,
    F16,
    Bf16,
    Int8,
    Int4,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let start = Instant::now();
    let model = Model::at(args.source, args.offline);
    let checkpoint = if args.no_texts { model.open().await? } else { model.open_whole().await? };
    let conversion = Conversion {
        dtype: match args.dtype {
            Some(WeightType::F32) => Some(StoredType::F32),
            Some(WeightType::F16) => Some(StoredType::F16),
            Some(WeightType::Bf16) => Some(StoredType::Bf16),
            Some(WeightType::Int8 | WeightType::Int4) | None => None,
        },
        quant: match args.dtype {
            Some(WeightType::Int8) => Some(QuantFormat::Int8),
            Some(WeightType::Int4) => Some(QuantFormat::Int4),
            _ => None,
        },
        shard_bytes: args.shard_size,
        overwrite: args.overwrite,
    };
    let bar = progress::bytes("converting", checkpoint.bytes());
    let done = convert(&checkpoint, &args.out, &conversion, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })
    .await?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();
    if args.json {
        print_json(&json!({
            "out": args.out.to_string_lossy(), "files": done.files, "tensors": done.tensors, "bytes": done.bytes,
            "left_out": done.left_out, "seconds": seconds,
        }));
        return Ok(());
    }
    if checkpoint.text().is_some()
        && !done.files.iter().any(|f| TOKENIZERS.contains(&f.name.as_str()))
    {
        note!("no {} beside the model: put one beside the converted, to read texts", TOKENIZERS[0]);
    }
    if !done.left_out.is_empty() {
        let parts = list(done.left_out.iter().map(|(name, n)| format!("{name} ({n})")));
        note!("left out, as no part of the encoder, its head or what reads texts: {parts}");
    }
    report!(
        "{}: {}, {}, {}, {seconds:.1} s",
        args.out.display(),
        counted(done.tensors as u64, "tensor"),
        HumanBytes(done.bytes),
        counted(done.files.len() as u64 + 1, "file")
    );
    Ok(())
}
