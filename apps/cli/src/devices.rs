//! `internvit devices`

use clap::Parser;
use indicatif::HumanBytes;
use internvit::Result;
use internvit::gpu::adapters;
use serde_json::json;

use super::print_json;

/// The graphics adapters, best first, with the features and limits that matter.
///
/// A command takes the first, or the one that --device names a part of. Where that is left out,
/// WGPU_ADAPTER_NAME in the environment names a part, and WGPU_BACKEND allows vulkan, metal or dx12 alone.
#[derive(Parser)]
#[command(after_help = "Example:\n  internvit devices --json")]
pub(super) struct Args {
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let list = adapters().await?;
    if args.json {
        print_json(&json!(list));
        return Ok(());
    }
    if list.is_empty() {
        say!("no graphics adapter found; encoding runs on the CPU");
    }
    for a in list {
        say!("{} ({}, {}) {}", a.name, a.backend, a.kind, a.driver);
        say!(
            "  bindings {}, buffers {}, {} storage buffers, {} workgroup memory, {} invocations",
            HumanBytes(a.max_binding),
            HumanBytes(a.max_buffer),
            a.storage_buffers,
            HumanBytes(a.workgroup_memory.into()),
            a.invocations
        );
        let [least, most] = a.subgroup;
        if most > 0 {
            say!("  subgroups of {least} to {most}");
        }
        if !a.matrices.is_empty() {
            say!("  cooperative matrices {}", a.matrices.join(", "));
        }
        let features = if a.features.is_empty() { "none".into() } else { a.features.join(", ") };
        say!("  optional features: {features}");
    }
    Ok(())
}
