//! Files that are dropped on the window, told apart: photographs, a model, or what was learned.

use std::path::{Path, PathBuf};

use internvit::error::short;
use internvit::files::folder_of;
use internvit::weights::{Source, taught_method};

/// What files are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sorted {
    /// Photographs, and folders of some.
    pub(super) photographs: Vec<PathBuf>,
    /// A model's folder, or its file of weights.
    pub(super) model: Option<PathBuf>,
    /// What was learned.
    pub(super) head: Option<PathBuf>,
    /// Why one of them is none of these.
    pub(super) why: Option<String>,
}

/// Tells files apart. Of several models, and of several heads, the last counts.
pub(super) fn sort(paths: Vec<PathBuf>) -> Sorted {
    let mut sorted = Sorted::default();
    let (mut weights, mut settings, mut others) = (Vec::new(), None, Vec::new());
    for path in paths {
        match ending(&path).as_str() {
            _ if path.join("config.json").is_file() => sorted.model = Some(path),
            _ if path.is_dir() => sorted.photographs.push(path),
            "safetensors" if is_head(&path) => sorted.head = Some(path),
            "safetensors" | "pth" | "bin" => weights.push(path),
            "json" if path.ends_with("config.json") => settings = Some(path),
            "json" => others.push(path),
            "gguf" => {
                sorted.why = Some(told(&path, "a language model's, which `internvit chat` takes"))
            }
            "pt" | "ckpt" => {
                let what =
                    "not read: of PyTorch's files .pth and .bin are, with config.json beside them";
                sorted.why = Some(told(&path, what));
            }
            _ => sorted.photographs.push(path),
        }
    }
    // Shards are found by their folder, as is what lies beside a configuration.
    sorted.model = match (weights.as_slice(), settings) {
        ([], None) => sorted.model,
        ([one], _) => Some(one.clone()),
        ([several, ..], _) => Some(folder_of(several).into()),
        ([], Some(settings)) => Some(folder_of(&settings).into()),
    };
    // Beside a model they are its own.
    if sorted.model.is_none() {
        sorted.photographs.extend(others);
    }
    sorted
}

fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Whether a file says of itself that it was taught.
fn is_head(path: &Path) -> bool {
    let said = Source::file(path).and_then(|file| pollster::block_on(taught_method(&file)));
    said.is_ok_and(|method| method.is_some())
}

fn told(path: &Path, what: &str) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    format!("{} is {what}.", short(name, 60))
}
