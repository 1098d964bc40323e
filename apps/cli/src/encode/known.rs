//! Tables as other commands use them: of photographs whose features are wanted, as `encode` writes them.

use std::collections::HashSet;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

use clap::Parser;
use etcetera::{BaseStrategy, choose_base_strategy};
use internvit::{Checkpoint, Error, Result};
use serde_json::json;
use twox_hash::XxHash64;

use super::super::background::Background;
use super::super::compute::Compute;
use super::super::guard::Guard;
use super::super::model::Model;
use super::about::about;
use super::path::{key, text};
use super::{Args, many, table};

/// What `encode` is asked for a table of these photographs.
pub(crate) struct Wanted {
    pub(crate) photos: Vec<PathBuf>,
    pub(crate) model: Model,
    pub(crate) compute: Compute,
    pub(crate) background: Background,
}

impl Wanted {
    /// Photographs by their paths with the features by which they are compared, of the table `out`, or of
    /// one in the user's cache folder; what is not there yet is encoded.
    pub(crate) async fn rows(
        self,
        checkpoint: &Checkpoint,
        out: Option<&Path>,
    ) -> Result<Vec<(String, Vec<f32>)>> {
        // The paths stand below.
        let mut args = Args::parse_from(["encode", "-", "--out", "-"]);
        args.images = self.photos;
        (args.model, args.compute, args.background) = (self.model, self.compute, self.background);
        let out = match out {
            Some(out) => out.to_path_buf(),
            None => cached(checkpoint, &args).await?,
        };
        let guard = Guard::default().reads(&args.images).writes(Some(&out), &["parquet"])?;
        guard.check()?;
        many::run(&mut args, &out, &guard).await?;
        let wanted: HashSet<String> = args.images.iter().map(|path| key(path)).collect();
        let mut rows = table::embeddings(&out)?.1;
        rows.retain(|(path, _)| wanted.contains(&key(Path::new(path))));
        Ok(rows)
    }
}

/// Photographs of a table that is there, with the features by which they are compared.
pub(crate) async fn rows(
    file: &Path,
    checkpoint: &Checkpoint,
    model: Model,
) -> Result<Vec<(String, Vec<f32>)>> {
    let (there, rows) = table::embeddings(file)?;
    let mut args = Args::parse_from(["encode", "-", "--out", "-"]);
    args.model = model;
    let now = about(checkpoint, &args).await?;
    if there.settings.model_digest != now.settings.model_digest {
        return Err(Error::input(format!(
            "{}: features of {}, but the model is {}: name that of the file by --model",
            file.display(),
            there.model,
            now.model
        )));
    }
    Ok(rows)
}

/// The table in the cache folder: one for each folder (the first photograph's), model and settings.
async fn cached(checkpoint: &Checkpoint, args: &Args) -> Result<PathBuf> {
    let cache = choose_base_strategy();
    let cache = cache.map_err(|e| {
        Error::input(format!("no cache folder ({e}); give --features FILE.parquet"))
    })?;
    let folder = cache.cache_dir().join("internvit").join("search");
    std::fs::create_dir_all(&folder).map_err(|e| Error::io(folder.display(), e))?;
    let mut hash = XxHash64::with_seed(0);
    hash.write(json!(about(checkpoint, args).await?.settings).to_string().as_bytes());
    let first =
        args.images.first().map_or(String::new(), |path| key(internvit::files::folder_of(path)));
    hash.write(first.as_bytes());
    let name = text(Path::new(&first).file_name().map_or(Path::new(""), Path::new));
    Ok(folder.join(format!("{name}-{:016x}.parquet", hash.finish())))
}
