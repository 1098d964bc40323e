//! `internvit search`

mod sheet;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Parser;
use internvit::features::unit;
use internvit::view::nearest;
use internvit::words::Tokenizer;
use internvit::{Checkpoint, Encoder, Error, Images, Result};
use serde_json::{Value, json};

use super::background::Background;
use super::compute::Compute;
use super::encode::{Wanted, rows};
use super::guard::Guard;
use super::input;
use super::model::Model;
use super::{output, print_json, tell};

/// Photographs that a text describes, or that resemble another.
///
/// By text with a model that reads texts (CLIP, SigLIP, OpenVision); with --like by any model. Photographs
/// are encoded once: their features stay in a table, and the next search encodes new ones alone. The
/// score is a cosine: of texts and photographs it is small even where both fit well, so compare scores of one
/// search only.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  internvit search \"red car\" photos/ --model openai/clip-vit-base-patch32\n  \
    internvit search photos/ --like cat.jpg --html sheet.html\n  \
    internvit search \"a dog in snow\" features.parquet --model DIR --top 50 --json"
)]
pub(super) struct Args {
    /// The text, then photographs, folders of them, or one table that `encode --out FEATURES.parquet` wrote;
    /// with --like no text
    #[arg(required = true, value_name = "TEXT PHOTOS|FEATURES.parquet")]
    words: Vec<PathBuf>,
    /// Find what resembles this photograph
    #[arg(long, value_name = "IMAGE")]
    like: Option<PathBuf>,
    #[command(flatten)]
    model: Model,
    /// Photographs to name
    #[arg(long, default_value_t = 20, value_name = "N")]
    top: usize,
    /// Where the features stay; in the user's cache folder if left out
    #[arg(long, value_name = "FILE.parquet")]
    features: Option<PathBuf>,
    #[command(flatten)]
    background: Background,
    #[command(flatten)]
    compute: Compute,
    /// Write what was found as one page with small pictures
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A photograph that was found.
struct Found {
    path: String,
    score: f32,
}

pub(super) async fn run(args: Args) -> Result<()> {
    if args.top == 0 {
        return Err(Error::input("--top: expected at least 1"));
    }
    let (text, named) = match &args.like {
        Some(_) => (None, &args.words[..]),
        None => (Some(args.words[0].to_string_lossy().into_owned()), &args.words[1..]),
    };
    if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
        return Err(Error::input("the text is empty: say what to look for, or give --like IMAGE"));
    }
    let is_table = |path: &PathBuf| path.extension().is_some_and(|e| e == "parquet");
    let table = named.first().filter(|path| is_table(path));
    if named.is_empty() || table.is_some() && named.len() > 1 {
        return Err(Error::input(
            "expected a text, then photographs, folders, or one FEATURES.parquet (\"red car\" photos/)",
        ));
    }
    let photos = if table.is_some() { Vec::new() } else { input::photographs(named)? };
    let guard = Guard::default().reads(&photos).reads(args.model.inputs());
    let guard = guard.reads(table).reads(&args.like);
    let guard = guard
        .writes(args.html.as_deref(), &["html"])?
        .writes(args.features.as_deref(), &["parquet"])?;
    guard.check()?;
    let checkpoint = match text {
        Some(_) => args.model.open_with_text().await?,
        None => args.model.open().await?,
    };
    guard.keeps_model(&checkpoint)?;
    let tokenizer = text.as_ref().map(|_| Tokenizer::beside(&checkpoint)).transpose()?;
    let rows = features(&args, photos, table, &checkpoint).await?;
    let mut encoder = args.compute.load(checkpoint).await?;
    let wanted = match (&text, &tokenizer, &args.like) {
        (Some(text), Some(tokenizer), _) => of_text(&encoder, tokenizer, text).await?,
        (_, _, Some(path)) => of_picture(&mut encoder, path, &args.background).await?,
        _ => return Err(Error::input("expected a text, or --like IMAGE")),
    };
    tell(&encoder);
    let query = text
        .unwrap_or_else(|| args.like.as_ref().map_or(String::new(), |p| p.display().to_string()));
    let found = best(rows, &wanted, args.top)?;
    if let Some(path) = &args.html {
        output::write_bytes(path, sheet::page(&query, &found, &args.background).as_bytes())?;
    }
    if args.json {
        let value = |found: &Found| json!({ "image": found.path, "score": found.score });
        let list: Vec<Value> = found.iter().map(value).collect();
        print_json(&json!({ "query": query, "found": list }));
    } else {
        found.iter().for_each(|Found { path, score }| say!("{score:7.4}  {path}"));
    }
    Ok(())
}

/// Features of the photographs that are searched.
async fn features(
    args: &Args,
    photos: Vec<PathBuf>,
    table: Option<&PathBuf>,
    checkpoint: &Checkpoint,
) -> Result<Vec<(String, Vec<f32>)>> {
    if let Some(file) = table {
        return rows(file, checkpoint, args.model.clone()).await;
    }
    let wanted = Wanted {
        photos,
        model: args.model.clone(),
        compute: args.compute.clone(),
        background: args.background.clone(),
    };
    wanted.rows(checkpoint, args.features.as_deref()).await
}

/// Features of a text, of length 1.
async fn of_text(encoder: &Encoder, tokenizer: &Tokenizer, text: &str) -> Result<Vec<f32>> {
    Ok(unit(&encoder.text_features(&[tokenizer.read(text)?]).await?).values)
}

/// Features of a photograph, as those in the table are.
async fn of_picture(
    encoder: &mut Encoder,
    path: &Path,
    background: &Background,
) -> Result<Vec<f32>> {
    let shape = input::shape(encoder.spec(), None, None, 1)?;
    let photo = input::prepare(path, &shape, background)?;
    let go_on = &mut async |_, _| ControlFlow::Continue(());
    let features = encoder.encode(Images::Pictures(&photo.pictures), &[], go_on).await?;
    let whole = features
        .image_features(encoder.spec().image_features())
        .or(features.tensors.get("pooler_output"));
    match whole {
        Some(whole) => Ok(unit(whole).values),
        None => Err(Error::input("this model computes nothing that stands for a whole photograph")),
    }
}

/// The photographs whose features are most like those that are wanted, the most alike first; of equal ones by
/// their paths.
fn best(mut rows: Vec<(String, Vec<f32>)>, wanted: &[f32], top: usize) -> Result<Vec<Found>> {
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    let values: Vec<f32> = rows.iter().flat_map(|(_, values)| values).copied().collect();
    let found = nearest(wanted, &values, top)?.into_iter();
    Ok(found.map(|(at, score)| Found { path: std::mem::take(&mut rows[at].0), score }).collect())
}
