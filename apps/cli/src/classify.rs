//! `internvit classify`

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Parser;
use internvit::features::{Guess, Scale, means};
use internvit::many::{Batches, Ready};
use internvit::words::Tokenizer;
use internvit::{Encoder, Error, Features, Images, Result, Tensor};
use serde_json::{Value, json};

use super::background::Background;
use super::compute::Compute;
use super::encode::usual_batch;
use super::guard::Guard;
use super::input;
use super::model::Model;
use super::{output, print_json, progress, tell};

/// What photographs show.
///
/// By the model's own classes (ViT, DeiT, Swin, BEiT, DINOv2 and others with a classifier), or with
/// --labels by words of your own, where the model reads texts (CLIP, SigLIP, OpenVision). SigLIP judges
/// each label by itself, so its probabilities do not sum to 1. A photograph that cannot be read is noted,
/// and the others go on; only where all fail is the exit code 1.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  internvit classify cat.jpg --model google/vit-base-patch16-224\n  \
    internvit classify photos/ --model openai/clip-vit-base-patch32 --labels \"cat, dog, car\"\n  \
    internvit classify photos/ --model DIR --labels labels.txt --template \"a drawing of a {}\" --csv classes.csv"
)]
pub(super) struct Args {
    /// Photographs, or folders of them: PNG, JPEG, WebP, GIF, BMP or TIFF; - is standard input
    #[arg(required = true)]
    images: Vec<PathBuf>,
    #[command(flatten)]
    model: Model,
    /// Words of your own in place of the model's classes: separated by commas, or a file with one a line
    #[arg(long, value_name = "WORDS|FILE")]
    labels: Option<String>,
    /// Features of the labels that were made elsewhere: text_embeds [labels, C] of a .safetensors, .npz or
    /// .npy file. The model then need not read texts (InternVL-14B's tower)
    #[arg(long, value_name = "FILE", requires = "labels", conflicts_with = "template")]
    label_features: Option<PathBuf>,
    /// The sentence that a label stands in, {} its place; several times: their mean. If left out
    /// "a photo of a {}"; "{}" takes labels as they are
    #[arg(long, value_name = "TEXT", requires = "labels")]
    template: Vec<String>,
    /// Classes to name for each photograph
    #[arg(long, default_value_t = 5, value_name = "N")]
    top: usize,
    #[command(flatten)]
    background: Background,
    #[command(flatten)]
    compute: Compute,
    /// Write a table too: image, rank, class, name, probability
    #[arg(long, value_name = "FILE.csv")]
    csv: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The sentence of a label where none is given.
const TEMPLATE: &str = "a photo of a {}";

/// What a photograph is compared with.
enum Classes {
    /// The model's own.
    Own(Vec<String>),
    /// Words with their features.
    Words { names: Vec<String>, texts: Tensor, scale: Scale },
}

pub(super) async fn run(args: Args) -> Result<()> {
    if args.top == 0 {
        return Err(Error::input("--top: expected at least 1"));
    }
    let labels = args.labels.as_deref().map(labels).transpose()?;
    let templates = templates(&args.template)?;
    let photos = input::photographs(&args.images)?;
    let file = args.labels.as_ref().map(PathBuf::from).filter(|path| path.is_file());
    let guard = Guard::default().reads(&photos).reads(args.model.inputs()).reads(file);
    let guard = guard.reads(args.label_features.clone());
    let guard = guard.writes(args.csv.as_deref(), &["csv"])?;
    guard.check()?;
    let given = match (&args.label_features, &labels) {
        (Some(file), Some(labels)) => Some(given(file, labels.len()).await?),
        _ => None,
    };
    let reads_texts = labels.is_some() && given.is_none();
    let checkpoint = match labels {
        Some(_) if reads_texts => args.model.open_with_text().await?,
        // Where a tower for texts is, it has the scale.
        Some(_) => args.model.open_joint().await?,
        None => args.model.open().await?,
    };
    guard.keeps_model(&checkpoint)?;
    let own = checkpoint.class_names();
    let tokenizer = reads_texts.then(|| Tokenizer::beside(&checkpoint)).transpose()?;
    if labels.is_none() && own.is_none() {
        return Err(Error::input(format!(
            "{}: this model has no classes of its own: expected one with a classifier, or --labels with one \
             that reads texts, such as CLIP and SigLIP",
            checkpoint.name()
        )));
    }
    let mut encoder = args.compute.load(checkpoint).await?;
    let texts = match (&labels, &tokenizer) {
        (Some(names), Some(tokenizer)) => {
            Some(features(&encoder, tokenizer, names, &templates).await?)
        }
        _ => given,
    };
    let classes = match (labels, texts) {
        (Some(names), Some(texts)) => {
            Classes::Words { names, texts, scale: encoder.scale().await? }
        }
        _ => Classes::Own(own.unwrap_or_default()),
    };
    let found = classify(&mut encoder, &args, &photos, &classes).await?;
    tell(&encoder);
    args.background.tell();
    if let Some(path) = &args.csv {
        output::write_bytes(path, table(&photos, &found).as_bytes())?;
    }
    let failed = found.iter().filter(|found| found.is_err()).count();
    tell_all(&photos, &found, args.json, failed);
    match failed == photos.len() {
        true => Err(Error::input("no photograph could be classified")),
        false => Ok(()),
    }
}

/// Labels of an argument: of the file of that name, one a line, or separated by commas.
fn labels(text: &str) -> Result<Vec<String>> {
    let path = Path::new(text);
    let read = path.is_file().then(|| internvit::files::read_text(path, 1 << 20)).transpose()?;
    let parts: Vec<&str> = match &read {
        Some(read) => read.lines().collect(),
        None => text.split(',').collect(),
    };
    let parts = parts.into_iter().map(str::trim).filter(|part| !part.is_empty());
    let names: Vec<String> = parts.map(String::from).collect();
    match names.is_empty() {
        true => Err(Error::input(format!(
            "--labels {text:?}: expected words separated by commas, or a file with one a line"
        ))),
        false => Ok(names),
    }
}

/// Features of this number of labels, from a file.
async fn given(file: &Path, labels: usize) -> Result<Tensor> {
    let ([rows, c], values) = input::read_tensor(file, "text_embeds").await?;
    match rows == labels {
        true => Ok(Tensor { shape: vec![rows, c], values }),
        false => Err(Error::input(format!(
            "{}: text_embeds: expected a row for each of {labels} labels, found {rows}",
            file.display()
        ))),
    }
}

/// The sentences of labels, each with a place for one.
fn templates(given: &[String]) -> Result<Vec<String>> {
    if let Some(other) = given.iter().find(|template| !template.contains("{}")) {
        return Err(Error::input(format!(
            "--template {other:?}: expected {{}} where the label stands"
        )));
    }
    Ok(if given.is_empty() { vec![TEMPLATE.into()] } else { given.to_vec() })
}

/// Features `[labels, C]` of labels, the means of their sentences'.
async fn features(
    encoder: &Encoder,
    tokenizer: &Tokenizer,
    labels: &[String],
    templates: &[String],
) -> Result<Tensor> {
    let bar = progress::Share::new("reading", labels.len());
    let mut all = Tensor { shape: vec![0, 0], values: Vec::new() };
    for label in labels {
        let sentence = |template: &String| tokenizer.read(&template.replace("{}", label));
        let words = templates.iter().map(sentence).collect::<Result<Vec<_>>>()?;
        let one = means(&encoder.text_features(&words).await?, templates.len());
        all.shape = vec![all.shape[0] + 1, one.shape[1]];
        all.values.extend(one.values);
        bar.next();
    }
    bar.finish();
    Ok(all)
}

/// For each photograph its classes, the most probable first, or why there are none.
async fn classify(
    encoder: &mut Encoder,
    args: &Args,
    paths: &[PathBuf],
    classes: &Classes,
) -> Result<Vec<Result<Vec<Guess>>>> {
    let shape = input::shape(encoder.spec(), None, None, 1)?;
    let photos = input::ahead(paths, shape, &args.background);
    let bar = progress::images("classifying", paths.len());
    let mut all = Vec::new();
    for batch in Batches::new(photos, usual_batch(encoder)) {
        let count = |photo: &Result<Ready>| photo.as_ref().map_or(0, |photo| photo.pictures.len());
        let pictures: Vec<_> =
            batch.iter().flatten().flat_map(|photo| photo.pictures.iter().cloned()).collect();
        let mut rows = Vec::new().into_iter();
        if !pictures.is_empty() {
            let images = Images::Pictures(&pictures);
            let go_on = &mut async |_, _| ControlFlow::Continue(());
            let features = encoder.encode(images, &[], go_on).await;
            let features =
                features.map_err(|e| input::of(&paths[all.len()..all.len() + batch.len()], e))?;
            rows = ranked(&features, encoder, classes)?.into_iter();
        }
        for photo in batch {
            let shown = count(&photo);
            all.push(match photo {
                Ok(_) if shown == 1 => Ok(rows.next().unwrap_or_default()),
                Ok(_) => Err(Error::input("no picture")),
                Err(error @ (Error::Image { .. } | Error::Io { .. })) => Err(error),
                Err(other) => return Err(other),
            });
        }
        bar.set_position(all.len() as u64);
    }
    bar.finish_and_clear();
    let top = |list: Vec<Guess>| list.into_iter().take(args.top).collect();
    Ok(all.into_iter().map(|found| found.map(top)).collect())
}

/// The classes of each picture.
fn ranked(features: &Features, encoder: &Encoder, classes: &Classes) -> Result<Vec<Vec<Guess>>> {
    match classes {
        Classes::Own(names) => {
            let none = || Error::input("this model computes no logits");
            features.classes(names).ok_or_else(none)
        }
        Classes::Words { names, texts, scale } => {
            features.described(encoder.spec().image_features(), names, texts, scale)
        }
    }
}

fn tell_all(photos: &[PathBuf], found: &[Result<Vec<Guess>>], json: bool, failed: usize) {
    if json {
        let image = |(path, found): (&PathBuf, &Result<Vec<Guess>>)| {
            let image = path.to_string_lossy();
            match found {
                Ok(list) => {
                    json!({ "image": image, "classes": list.iter().map(value).collect::<Vec<_>>() })
                }
                Err(error) => json!({ "image": image, "error": error.to_string() }),
            }
        };
        let images: Vec<Value> = photos.iter().zip(found).map(image).collect();
        return print_json(&json!({ "images": images, "failed": failed }));
    }
    for (path, found) in photos.iter().zip(found) {
        match found {
            Ok(list) => {
                say!("{}", path.display());
                for Guess { name, probability, .. } in list {
                    say!("{:7.1} %  {name}", 100.0 * probability);
                }
            }
            Err(error) => note!("{error}"),
        }
    }
}

fn value(guess: &Guess) -> Value {
    let Guess { class, name, probability, .. } = guess;
    json!({ "class": class, "name": name, "probability": probability })
}

/// The table, a row a class of a photograph.
fn table(photos: &[PathBuf], found: &[Result<Vec<Guess>>]) -> String {
    let mut text = "image,rank,class,name,probability\n".to_string();
    for (path, found) in photos.iter().zip(found) {
        for (rank, guess) in found.iter().flatten().enumerate() {
            let (image, name) = (cell(&path.to_string_lossy()), cell(&guess.name));
            let Guess { class, probability, .. } = guess;
            let _ = writeln!(text, "{image},{},{class},{name},{probability}", rank + 1);
        }
    }
    text
}

/// A text as a cell: in quotes where it has what would end one.
fn cell(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into(),
    }
}
