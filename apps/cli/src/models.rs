//! `internvit models`

mod published;

use clap::Parser;
use indicatif::HumanBytes;
use internvit::Result;
use internvit::hub::{Hub, Name};
use internvit::model::published;
use serde_json::json;

use super::print_json;
use published::measure;

/// Published encoders by what they are good for, and what of the hub is on this machine.
///
/// Small ones for simple tasks, medium ones for segmentation and deep understanding, large ones for
/// multi-modal systems; the size of your pictures and your patience decide the rest. Work is that of
/// one picture of the model's own size, memory that of its weights in 32 bits. Any of these names is
/// what --model takes; so is that of a larger model, such as OpenGVLab/InternVL3-1B, of which the
/// vision tensors alone are fetched.
#[derive(Parser)]
#[command(after_help = "Example:\n  internvit models --json")]
pub(super) struct Args {
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let hub = Hub::from_env(true)?;
    let purposes = published();
    let mut list = Vec::new();
    for purpose in &purposes {
        for one in &purpose.models {
            let folder = match Name::parse(&one.name) {
                Some(name) => hub.cached(&name).await,
                None => None,
            };
            list.push((purpose, one, measure(one)?, folder));
        }
    }
    let larger = hub.larger();
    if args.json {
        let published: Vec<_> = list
            .iter()
            .map(|(purpose, one, measured, folder)| {
                json!({ "name": one.name, "purpose": purpose.purpose,
                        "image_size": measured.spec.sizes.image, "parameters": measured.parameters,
                        "bytes": one.bytes(), "memory": measured.memory, "gflop": measured.gflop,
                        "licence": one.licence, "gated": one.gated, "advice": one.advice,
                        "folder": folder.as_ref().map(|f| f.to_string_lossy().into_owned()) })
            })
            .collect();
        let larger: Vec<_> = larger
            .into_iter()
            .map(|(name, folder)| json!({ "name": name, "folder": folder.to_string_lossy() }))
            .collect();
        print_json(&json!({ "published": published, "larger": larger }));
        return Ok(());
    }
    let mut title = "";
    for (purpose, one, measured, folder) in &list {
        if title != purpose.title {
            title = &purpose.title;
            say!("{title}");
        }
        say!("  {}", one.name);
        say!(
            "    {} px, {:.0} M parameters, {} on disk, {} of memory, {:.0} GFLOP; {}",
            measured.spec.sizes.image,
            measured.parameters as f64 / 1e6,
            HumanBytes(one.bytes()),
            HumanBytes(measured.memory),
            measured.gflop,
            one.terms(),
        );
        say!("    {}", one.advice);
        if let Some(folder) = folder {
            say!("    here: {}", folder.display());
        }
    }
    if !larger.is_empty() {
        say!("Vision parts of larger models, on this machine");
    }
    for (name, folder) in larger {
        say!("  {name}");
        say!("    here: {}", folder.display());
    }
    Ok(())
}
