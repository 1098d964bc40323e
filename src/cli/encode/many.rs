//! Features of many photographs, part by part. What is there is kept: rows of an earlier run, and
//! the parts of a run that was stopped.

use std::collections::HashSet;
use std::fs;
use std::hash::Hasher;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use half::f16;
use indicatif::ProgressBar;
use internvit::gpu::Precision;
use internvit::image::{Grid, Picture};
use internvit::{Checkpoint, Encoder, Error, Features, Images, Result};
use serde_json::json;
use twox_hash::XxHash64;

use super::super::guard::Guard;
use super::super::input::{self, Photo};
use super::super::photos::{Photos, Shape};
use super::super::{load, print_json, progress, tell};
use super::store::Store;
use super::table::{self, About, Failure, Row, Settings};
use super::{Args, Tokens, batch, fits};

/// Photographs of a part: what a run that is stopped has to do again at most.
const PART: usize = 64;
/// The same with patch tokens, which take megabytes.
const PART_OF_TOKENS: usize = 8;

pub(super) async fn run(args: &Args, out: &Path, guard: &Guard) -> Result<()> {
    for (given, option) in [
        (!args.hidden_states.is_empty(), "--hidden-states"),
        (args.tokens != Tokens::All, "--tokens"),
        (args.pixel_values.is_some(), "--pixel-values"),
        (args.pixel_embeds.is_some(), "--pixel-embeds"),
        (args.picture.is_some(), "--picture"),
    ] {
        if given {
            return Err(Error::input(format!("{option}: not together with --out FILE.parquet")));
        }
    }
    let checkpoint = args.model.open().await?;
    guard.keeps_model(&checkpoint)?;
    if checkpoint.random_weights() && !args.json {
        note!("{} has random weights; its features mean nothing", checkpoint.name());
    }
    let mut store = Store::open(out, about(&checkpoint, args).await?)?;
    let mut known = HashSet::new();
    let images: Vec<&PathBuf> = args.images.iter().filter(|path| known.insert(*path)).collect();
    let work = store.missing(&images, args.retry_errors);
    let start = std::time::Instant::now();
    let (mut device, mut failed) = (None, 0);
    if !work.is_empty() {
        // A run that goes on computes as the one that was stopped would have.
        let dtype = if store.about.overflowed { Precision::F32 } else { args.dtype };
        let mut encoder = load(checkpoint, &args.device, dtype, args.stream_layers).await?;
        device = Some(encoder.gpu().map_or("CPU".into(), |gpu| gpu.report.name.clone()));
        let encoded = encode_all(&mut encoder, args, &mut store, &work).await;
        tell(&encoder);
        args.background.tell();
        failed = encoded?;
    }
    store.finish()?;
    let (encoded, skipped) = (work.len() - failed, images.len() - work.len());
    let seconds = start.elapsed().as_secs_f64();
    let rate = work.len() as f64 / seconds;
    if args.json {
        print_json(&json!({
            "out": out.to_string_lossy(), "device": device, "encoded": encoded, "skipped": skipped, "failed": failed,
            "seconds": seconds, "images_per_second": rate,
        }));
    } else if let Some(device) = device {
        report!(
            "{}: {encoded} encoded, {skipped} already there, {failed} failed, on {device} in \
             {seconds:.1} s ({rate:.2} images/s)",
            out.display()
        );
    } else {
        report!("{}: nothing to do, {skipped} already there", out.display());
    }
    if store.encoded.is_empty() {
        let reason = "no photograph could be encoded; the column error says why";
        return Err(Error::image(out.display(), reason));
    }
    Ok(())
}

async fn about(checkpoint: &Checkpoint, args: &Args) -> Result<About> {
    let name = Path::new(checkpoint.name()).file_name().unwrap_or_default();
    let settings = Settings {
        model_digest: digest(checkpoint).await?,
        dtype: args.dtype.name().into(),
        image_size: input::side(args.image_size, &checkpoint.spec.sizes, args.resize)?,
        resize: args.resize.to_string(),
        tiles: args.tiles,
        patch_tokens: args.patch_tokens,
        background: args.background.name(),
    };
    let (version, model) = (env!("CARGO_PKG_VERSION").into(), name.to_string_lossy().into());
    Ok(About { version, model, settings, additions: 1, failed: 0, overflowed: false })
}

/// What tells models apart without reading all their weights: the spec, the tensors' names and bits,
/// and the values of those that are vectors.
async fn digest(checkpoint: &Checkpoint) -> Result<String> {
    let mut hash = XxHash64::with_seed(0);
    hash.write(json!(checkpoint.spec).to_string().as_bytes());
    for (name, tensor) in &checkpoint.manifest.tensors {
        hash.write(name.as_bytes());
        hash.write(&[tensor.few.as_ref().map_or(0, |few| few.quant.bits() as u8)]);
        if tensor.shape.len() == 1 {
            let values = checkpoint.tensor(name).await?;
            values.iter().for_each(|value| hash.write(&value.to_le_bytes()));
        }
    }
    Ok(format!("{:016x}", hash.finish()))
}

/// What becomes a part.
#[derive(Default)]
struct Part {
    rows: Vec<Row>,
    failures: Vec<Failure>,
    overflowed: bool,
}

/// Encodes photographs part by part; each is written on a thread of its own while the next is
/// computed. The number of photographs that failed.
async fn encode_all(
    encoder: &mut Encoder,
    args: &Args,
    store: &mut Store,
    work: &[PathBuf],
) -> Result<usize> {
    let (send, receive) = sync_channel::<Part>(0);
    let (folder, about, first) = (store.folder.path.clone(), store.about.clone(), store.next);
    let writer = thread::spawn(move || {
        let (mut files, unfinished) = (Vec::new(), folder.join("part"));
        for part in receive {
            let number = first + files.len();
            let file = folder.join(format!("{}-{number:06}.parquet", about.additions));
            let about = About { overflowed: part.overflowed, ..about.clone() };
            table::write(&unfinished, &about, &[], &part.rows, &part.failures)?;
            fs::rename(&unfinished, &file).map_err(|e| Error::io(file.display(), e))?;
            files.push(file);
        }
        Ok(files)
    });
    let bar = progress::images("encoding", work.len());
    let computed = encode_parts(encoder, args, store, work, &send, &bar).await;
    bar.finish_and_clear();
    drop(send);
    let written = writer.join().unwrap_or_else(|_| Err(Error::input("writing failed")))?;
    store.next += written.len();
    store.files.extend(written);
    computed
}

async fn encode_parts(
    encoder: &mut Encoder,
    args: &Args,
    store: &mut Store,
    work: &[PathBuf],
    send: &SyncSender<Part>,
    bar: &ProgressBar,
) -> Result<usize> {
    let (side, patch) = (store.about.settings.image_size, encoder.spec().sizes.patch as u32);
    let shape = Shape { side, patch, resize: args.resize, tiles: args.tiles };
    let size = if args.patch_tokens { PART_OF_TOKENS } else { PART };
    let (batch, mut done, mut failed) = (batch(encoder, args), 0, 0);
    let mut photos = Photos::read(work, shape, &args.background);
    for paths in work.chunks(size) {
        let (mut part, mut waiting) = (Part::default(), Vec::new());
        let mut pictures: Vec<Picture> = Vec::new();
        for (path, photo) in paths.iter().zip(&mut photos) {
            let name = path.to_string_lossy().into_owned();
            match photo {
                Ok(_) if path.to_str().is_none() => {
                    let reason = "the path is not UTF-8".into();
                    part.failures.push(Failure { path: name, reason });
                }
                Ok(mut photo) => {
                    if !fits(&pictures, &photo, batch) && !pictures.is_empty() {
                        compute(encoder, &pictures, &waiting, args, &mut part).await?;
                        bar.inc(waiting.len() as u64);
                        pictures.clear();
                        waiting.clear();
                    }
                    pictures.append(&mut photo.pictures);
                    waiting.push((name, photo));
                }
                Err(Error::Image { reason, .. }) => {
                    part.failures.push(Failure { path: name, reason });
                }
                Err(Error::Io { source, .. }) => {
                    part.failures.push(Failure { path: name, reason: source.to_string() });
                }
                Err(other) => return Err(other),
            }
        }
        if !pictures.is_empty() {
            compute(encoder, &pictures, &waiting, args, &mut part).await?;
        }
        done += paths.len();
        bar.set_position(done as u64);
        failed += part.failures.len();
        part.overflowed = store.about.overflowed || left_f16(encoder, args);
        store.about.overflowed = part.overflowed;
        store.note(part.rows.iter().map(|row| row.path.clone()), part.failures.iter().cloned());
        if send.send(part).is_err() {
            break; // The writer says why.
        }
    }
    Ok(failed)
}

/// Whether the encoder was asked for f16 and had to give it up.
fn left_f16(encoder: &Encoder, args: &Args) -> bool {
    args.dtype == Precision::F16 && encoder.gpu().is_none_or(|gpu| gpu.precision != Precision::F16)
}

/// Adds what is computed of photographs together to a part. Where the values of one overflow, each is
/// computed alone, so that it costs no row but its own.
async fn compute(
    encoder: &mut Encoder,
    pictures: &[Picture],
    photos: &[(String, Photo)],
    args: &Args,
    part: &mut Part,
) -> Result<()> {
    let images = Images::Pictures(pictures);
    let computed = encoder.encode(images, &[], &mut async |_, _| ControlFlow::Continue(())).await;
    match (computed, photos) {
        (Ok(features), _) => part.take(photos, &features, args.patch_tokens),
        (Err(Error::NotFinite(reason)), [(path, _)]) => {
            part.failures.push(Failure { path: path.clone(), reason });
        }
        (Err(Error::NotFinite(_)), _) => {
            let mut rest = pictures;
            for photo in photos {
                let (own, others) = rest.split_at(shown(&photo.1) as usize);
                Box::pin(compute(encoder, own, from_ref(photo), args, part)).await?;
                rest = others;
            }
        }
        (Err(other), _) => return Err(other),
    }
    Ok(())
}

/// Pictures that a photograph became: its tiles and their thumbnail, or one.
fn shown(photo: &Photo) -> u32 {
    let tiles = photo.grid.cols * photo.grid.rows;
    if tiles > 1 { tiles + 1 } else { 1 }
}

impl Part {
    /// Adds the rows of photographs that were encoded together.
    fn take(&mut self, photos: &[(String, Photo)], features: &Features, tokens: bool) {
        let last = &features.tensors["last_hidden_state"];
        let mut pictures = last.values.chunks_exact(last.shape[1] * last.shape[2]);
        for (path, photo) in photos {
            let first = self.rows.len();
            for (tile, values) in (0..shown(photo)).zip(&mut pictures) {
                self.rows.push(row(path, photo, tile, values, features, tokens));
            }
            let mut halves = self.rows[first..].iter().flat_map(|row| &row.tokens);
            if halves.any(|half| half.is_infinite()) {
                self.rows.truncate(first);
                let reason = "patch tokens are beyond the range of f16, in which they are written";
                self.failures.push(Failure { path: path.clone(), reason: reason.into() });
            }
        }
    }
}

/// A picture's row, of its last hidden state.
fn row(
    path: &str,
    Photo { size, grid: Grid { cols, rows }, .. }: &Photo,
    tile: u32,
    values: &[f32],
    features: &Features,
    tokens: bool,
) -> Row {
    let c = features.tensors["last_hidden_state"].shape[2];
    let patches = &values[features.prefix * c..];
    let halves = patches.iter().filter(|_| tokens).map(|value| f16::from_f32(*value));
    Row {
        path: path.into(),
        size: *size,
        tile: [tile, *rows, *cols],
        grid: features.grid.unwrap_or_default(),
        cls: values[..c].to_vec(),
        pooled: mean(patches, c),
        tokens: halves.collect(),
    }
}

/// The mean of rows of `c` values, summed in f64.
fn mean(rows: &[f32], c: usize) -> Vec<f32> {
    let count = (rows.len() / c) as f64;
    let sum = |i: usize| rows.iter().skip(i).step_by(c).map(|v| f64::from(*v)).sum::<f64>();
    (0..c).map(|i| (sum(i) / count) as f32).collect()
}
