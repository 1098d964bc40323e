//! `internvit models`

mod published;

use clap::Parser;
use indicatif::HumanBytes;
use internvit::Result;
use internvit::hub::{Hub, Name};
use serde_json::json;

use super::print_json;
use published::{PURPOSES, published};

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
    let mut list = Vec::new();
    for one in published()? {
        let folder = match Name::parse(&one.name) {
            Some(name) => hub.cached(&name).await,
            None => None,
        };
        list.push((one, folder));
    }
    let larger = hub.larger();
    if args.json {
        let purpose =
            |of| PURPOSES.iter().find(|(purpose, ..)| *purpose == of).map(|(_, word, _)| word);
        let published: Vec<_> = list
            .iter()
            .map(|(one, folder)| {
                json!({ "name": one.name, "purpose": purpose(one.purpose), "image_size": one.spec.sizes.image,
                        "parameters": one.parameters(), "bytes": one.bytes(), "memory": one.memory(),
                        "gflop": one.gflop(), "licence": one.licence, "gated": one.gated, "advice": one.advice,
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
    for (purpose, _, title) in PURPOSES {
        say!("{title}");
        for (one, folder) in list.iter().filter(|(one, _)| one.purpose == purpose) {
            let gated = if one.gated { ", to be accepted on its page first" } else { "" };
            say!("  {}", one.name);
            say!(
                "    {} px, {:.0} M parameters, {} on disk, {} of memory, {:.0} GFLOP; licence: {}{gated}",
                one.spec.sizes.image,
                one.parameters() as f64 / 1e6,
                HumanBytes(one.bytes()),
                HumanBytes(one.memory()),
                one.gflop(),
                one.licence.unwrap_or("see its page"),
            );
            say!("    {}", one.advice);
            if let Some(folder) = folder {
                say!("    here: {}", folder.display());
            }
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
