//! `internvit models`

use std::path::PathBuf;

use clap::Parser;
use indicatif::HumanBytes;
use internvit::Result;
use internvit::hub::{Hub, Name};
use internvit::model::CATALOGUE;
use internvit::plan::parameters;
use serde_json::json;

use super::print_json;

/// The published InternViT models, and what of the hub is on this machine.
///
/// Any of these names is what --model takes; so is that of a larger model, such as
/// OpenGVLab/InternVL3-1B, of which the vision tensors alone are fetched.
#[derive(Parser)]
#[command(after_help = "Example:\n  internvit models --json")]
pub(super) struct Args {
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let hub = Hub::from_env(true)?;
    let mut published = Vec::new();
    for entry in &CATALOGUE {
        let folder = match Name::parse(&entry.repository()) {
            Some(name) => hub.cached(&name).await,
            None => None,
        };
        published.push((entry, folder));
    }
    let larger = hub.larger();
    if args.json {
        let published: Vec<_> = published
            .into_iter()
            .map(|(entry, folder)| {
                json!({ "name": entry.repository(), "image_size": entry.image,
                        "parameters": parameters(&entry.spec()), "bytes": 2 * parameters(&entry.spec()),
                        "folder": folder.map(|f| f.to_string_lossy().into_owned()) })
            })
            .collect();
        let larger: Vec<_> = larger
            .into_iter()
            .map(|(name, folder)| json!({ "name": name, "folder": folder.to_string_lossy() }))
            .collect();
        print_json(&json!({ "published": published, "larger": larger }));
        return Ok(());
    }
    let place = |folder: Option<PathBuf>| folder.map_or("-".into(), |f| f.display().to_string());
    say!("{:37} {:>8} {:>10} {:>10}  on this machine", "--model", "image", "parameters", "bytes");
    for (entry, folder) in published {
        say!(
            "{:37} {:>5} px {:>8.0} M {:>10}  {}",
            entry.repository(),
            entry.image,
            parameters(&entry.spec()) as f64 / 1e6,
            HumanBytes(2 * parameters(&entry.spec())).to_string(),
            place(folder)
        );
    }
    for (name, folder) in larger {
        say!("{name:37} {:>8} {:>10} {:>10}  {}", "", "", "vision", folder.display());
    }
    Ok(())
}
