//! `internvit shader`

use clap::{Parser, ValueEnum};
use internvit::Result;
use internvit::gpu::{Family, Format, RowsOf, Specimen, rows};
use internvit::model::NormKind;
use internvit::plan::Activation;
use internvit::weights::QuantFormat;
use serde_json::json;

use super::print_json;

/// The kernels, or the text of one as a driver gets it.
///
/// Without a name the rows of the kernels' tables are listed in the order in which they are tried: the
/// operation, the kernel's main file, the devices it is for, what it needs of them beyond WebGPU's defaults,
/// and what a workgroup computes. With a name the kernel is linked with the files that fill its holes, its
/// knobs set to the sizes that are given, and printed.
#[derive(Parser)]
#[command(after_help = "Examples:\n  internvit shader\n  \
    internvit shader linear_tiled --weight int8 --act gelu --bias\n  \
    internvit shader norm --subgroup 32 --outputs 1024")]
pub(super) struct Args {
    /// The kernel's main file, such as linear_tiled
    kernel: Option<String>,
    /// How weights are stored
    #[arg(long, value_enum, default_value_t = Weight::F32)]
    weight: Weight,
    /// What the rows of a product or of patches are
    #[arg(long, value_enum, default_value_t = Input::Rows)]
    input: Input,
    /// Activation: none, erf (or gelu), tanh, quick, silu, relu
    #[arg(long, default_value = "none", value_parser = activation)]
    act: Act,
    /// With a bias
    #[arg(long)]
    bias: bool,
    /// The activation of one half of the sums multiplies the other half
    #[arg(long)]
    gated: bool,
    /// With LayerScale
    #[arg(long)]
    scale: bool,
    /// The result is added to what is there
    #[arg(long)]
    residual: bool,
    /// What is read and written is f16
    #[arg(long)]
    half: bool,
    /// RMSNorm in place of LayerNorm
    #[arg(long)]
    rms: bool,
    /// Pooling takes the maximum
    #[arg(long)]
    max: bool,
    /// Rows, or tokens
    #[arg(long, value_name = "N", default_value_t = 257)]
    rows: usize,
    /// Inputs of a product
    #[arg(long, value_name = "N", default_value_t = 192)]
    inputs: usize,
    /// Outputs of a product, channels of a norm or map
    #[arg(long, value_name = "N", default_value_t = 768)]
    outputs: usize,
    /// Heads of attention
    #[arg(long, value_name = "N", default_value_t = 3)]
    heads: usize,
    /// Channels of a head
    #[arg(long, value_name = "N", default_value_t = 64)]
    head_dim: usize,
    /// Invocations of a subgroup, 0 for none
    #[arg(long, value_name = "N", default_value_t = 0)]
    subgroup: u32,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Weight {
    F32,
    F16,
    Bf16,
    Int8,
    Int4,
}

#[derive(Clone, Copy, ValueEnum)]
enum Input {
    /// A slot's rows
    Rows,
    /// 3 × 3 windows of a map
    Windows,
    /// Patches of RGBA bytes
    Rgba,
    /// Patches of f32 planes
    Planes,
}

/// An activation, or none.
#[derive(Clone, Copy)]
struct Act(Option<Activation>);

fn activation(text: &str) -> std::result::Result<Act, String> {
    let name = if text == "gelu" { "erf" } else { text };
    let found = Activation::ALL.into_iter().find(|activation| activation.name() == name);
    match (found, name) {
        (None, "none") => Ok(Act(None)),
        (Some(found), _) => Ok(Act(Some(found))),
        (None, _) => {
            let names = Activation::ALL.map(Activation::name).join(", ");
            Err(format!("expected none, {names}"))
        }
    }
}

pub(super) fn run(args: Args) -> Result<()> {
    match &args.kernel {
        Some(file) => specimen(&args).text(file)?.lines().for_each(|line| say!("{line}")),
        None => list(args.json),
    }
    Ok(())
}

/// The rows of all tables.
fn list(as_json: bool) {
    let families = |list: &[Family]| list.iter().map(|family| family.name()).collect::<Vec<_>>();
    if as_json {
        let rows = rows().into_iter().map(|row| {
            json!({
                "op": row.op, "file": row.file, "with": row.with,
                "families": families(row.families),
                "needs": row.needs.to_string(), "tile": row.tile.to_string(),
            })
        });
        return print_json(&rows.collect());
    }
    for row in rows() {
        let families = match row.families.len() {
            all if all == Family::ALL.len() => "all".into(),
            _ => families(row.families).join(", "),
        };
        say!("{:<11} {:<19} {families}", row.op, row.file);
        say!("{:<11} needs {}; a workgroup computes {}", "", row.needs, row.tile);
    }
}

fn specimen(args: &Args) -> Specimen {
    Specimen {
        rows: args.rows,
        inputs: args.inputs,
        outputs: args.outputs,
        format: match args.weight {
            Weight::F32 => Format::F32,
            Weight::F16 => Format::F16,
            Weight::Bf16 => Format::Bf16,
            Weight::Int8 => Format::Quantized(QuantFormat::Int8),
            Weight::Int4 => Format::Quantized(QuantFormat::Int4),
        },
        rows_of: match args.input {
            Input::Rows => RowsOf::Slot,
            Input::Windows => RowsOf::Windows,
            Input::Rgba => RowsOf::Rgba,
            Input::Planes => RowsOf::Planes,
        },
        activation: args.act.0,
        bias: args.bias,
        gated: args.gated,
        scale: args.scale,
        residual: args.residual,
        half: args.half,
        norm: if args.rms { NormKind::Rms } else { NormKind::Layer },
        heads: args.heads,
        head_dim: args.head_dim,
        max: args.max,
        subgroup: args.subgroup,
    }
}
