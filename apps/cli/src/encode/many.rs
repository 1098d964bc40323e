//! Features of many photographs, part by part. What is there is kept: rows of an earlier run, and
//! the parts of a run that was stopped.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::slice::from_ref;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use half::f16;
use internvit::features::Summary;
use internvit::gpu::Precision;
use internvit::image::{Grid, Picture};
use internvit::{Encoder, Error, Features, Images, Result};
use serde_json::json;

use super::super::guard::Guard;
use super::super::input::Photo;
use super::super::photos::Photos;
use super::super::{print_json, progress, tell};
use super::about::about;
use super::batches::Batches;
use super::path::{key, text, tidy};
use super::store::{Store, prepare};
use super::table::{self, About, Failure, Row};
use super::{Args, Tokens, batch, taps};

/// Photographs of a part: what a run that is stopped has to do again at most.
const PART: usize = 64;
/// The same with patch tokens or hidden states, which take megabytes.
const PART_OF_TOKENS: usize = 8;
/// A part is written when this time has passed, however few photographs are in it.
const MINUTE: Duration = Duration::from_secs(60);

pub(super) async fn run(args: &mut Args, out: &Path, guard: &Guard) -> Result<()> {
    let start = Instant::now();
    run_by(args, out, guard, &|| start.elapsed()).await
}

/// As [`run`], with a clock.
async fn run_by(
    args: &mut Args,
    out: &Path,
    guard: &Guard,
    clock: &dyn Fn() -> Duration,
) -> Result<()> {
    for (given, option) in [
        (args.tokens != Tokens::All, "--tokens"),
        (args.pixel_values.is_some(), "--pixel-values"),
        (args.pixel_embeds.is_some(), "--pixel-embeds"),
        (args.inputs.is_some(), "--inputs"),
        (args.picture.is_some(), "--picture"),
    ] {
        if given {
            return Err(Error::input(format!("{option}: not together with --out FILE.parquet")));
        }
    }
    let checkpoint = args.model.open().await?;
    guard.keeps_model(&checkpoint)?;
    args.taps = taps(&args.hidden_states, checkpoint.spec.sizes.layers)?;
    let args = &*args;
    if checkpoint.random_weights() && !args.json {
        note!("{} has random weights; its features mean nothing", checkpoint.name());
    }
    let mut store = Store::open(out, about(&checkpoint, args).await?)?;
    let mut known = HashSet::new();
    let images: Vec<&PathBuf> = args.images.iter().filter(|path| known.insert(key(path))).collect();
    let work = store.missing(&images, args.retry_errors);
    let start = Instant::now();
    let (mut device, mut failed) = (None, 0);
    if !work.is_empty() {
        // A run that goes on computes as the one that was stopped would have.
        let dtype = if store.about.overflowed { Precision::F32 } else { args.compute.dtype };
        let mut encoder = args.compute.load_as(checkpoint, dtype).await?;
        device = Some(encoder.gpu().map_or("CPU".into(), |gpu| gpu.report.name.clone()));
        let encoded = encode_all(&mut encoder, args, &mut store, &work, clock).await;
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
    clock: &dyn Fn() -> Duration,
) -> Result<usize> {
    let (send, receive) = sync_channel::<Part>(0);
    let (folder, about, first) = (store.folder.path.clone(), store.about.clone(), store.next);
    let writer = thread::spawn(move || {
        let mut files = Vec::new();
        for part in receive {
            let number = first + files.len();
            let file = folder.join(format!("{}-{number:06}.parquet", about.additions));
            let about = About { overflowed: part.overflowed, ..about.clone() };
            prepare(&folder)?;
            table::write(&file, &about, &[], &part.rows, &part.failures)?;
            files.push(file);
        }
        Ok(files)
    });
    let bar = progress::images("encoding", work.len());
    let computed =
        encode_parts(encoder, args, store, work, Writer { send, clock, bar: &bar }).await;
    bar.finish_and_clear();
    let written = writer.join().unwrap_or_else(|_| Err(Error::input("writing failed")))?;
    store.next += written.len();
    store.files.extend(written);
    computed
}

/// Where parts go, and what tells when.
struct Writer<'a> {
    send: SyncSender<Part>,
    clock: &'a dyn Fn() -> Duration,
    bar: &'a progress::Bar,
}

/// Encodes photographs and sends them part by part: full ones, and whatever is there once a minute has
/// passed. Consumes the writer, which ends when all is sent.
async fn encode_parts(
    encoder: &mut Encoder,
    args: &Args,
    store: &mut Store,
    work: &[PathBuf],
    writer: Writer<'_>,
) -> Result<usize> {
    let Writer { send, clock, bar } = writer;
    let shape = args.shape(encoder.spec())?;
    let large = args.patch_tokens || !args.taps.is_empty();
    let size = if large { PART_OF_TOKENS } else { PART };
    let photos = Photos::read(work, shape, &args.background);
    let mut batches = Batches::new(photos, batch(encoder, args));
    let (mut done, mut failed) = (0, 0);
    let (mut part, mut first, mut begun) = (Part::default(), 0, clock());
    loop {
        let (mut taken, mut whole) = (done, false);
        let batch = batches.next_until(&mut || {
            taken += 1;
            let late = clock().saturating_sub(begun) >= MINUTE;
            whole = taken - first >= size || taken == work.len() || late;
            whole
        });
        let Some(batch) = batch else { break };
        let paths = &work[done..taken];
        done = taken;
        part.add(encoder, args, paths, batch).await?;
        bar.set_position(done as u64);
        if !whole {
            continue;
        }
        failed += part.failures.len();
        part.overflowed = store.about.overflowed || left_f16(encoder, args);
        store.about.overflowed = part.overflowed;
        store.note(part.rows.iter().map(|row| row.path.clone()), part.failures.iter().cloned());
        if send.send(std::mem::take(&mut part)).is_err() {
            break; // The writer says why.
        }
        (first, begun) = (done, clock());
    }
    Ok(failed)
}

/// Whether the encoder was asked for f16 and had to give it up.
fn left_f16(encoder: &Encoder, args: &Args) -> bool {
    args.compute.dtype == Precision::F16
        && encoder.gpu().is_none_or(|gpu| gpu.precision != Precision::F16)
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
    let go_on = &mut async |_, _| ControlFlow::Continue(());
    let computed = encoder.encode(images, &args.taps, go_on).await;
    match (computed, photos) {
        (Ok(features), _) => {
            let summaries = features.summaries(encoder.spec().image_features());
            part.take(photos, &features, summaries, args);
        }
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
    /// Adds a batch of photographs: their rows, and why some have none.
    async fn add(
        &mut self,
        encoder: &mut Encoder,
        args: &Args,
        paths: &[PathBuf],
        batch: Vec<Result<Photo>>,
    ) -> Result<()> {
        let (mut pictures, mut photos) = (Vec::new(), Vec::new());
        for (path, photo) in paths.iter().zip(batch) {
            let name = text(&tidy(path));
            let reason = match photo {
                Ok(mut photo) => {
                    pictures.append(&mut photo.pictures);
                    photos.push((name, photo));
                    continue;
                }
                Err(error @ (Error::Image { .. } | Error::Io { .. })) => error.reason(),
                Err(other) => return Err(other),
            };
            self.failures.push(Failure { path: name, reason });
        }
        if !pictures.is_empty() {
            compute(encoder, &pictures, &photos, args, self).await?;
        }
        Ok(())
    }

    /// Adds the rows of photographs that were encoded together.
    fn take(
        &mut self,
        photos: &[(String, Photo)],
        features: &Features,
        summaries: Vec<Summary>,
        args: &Args,
    ) {
        let mut pictures = summaries.into_iter().enumerate();
        for (path, photo) in photos {
            let first = self.rows.len();
            for (tile, (place, summary)) in (0..shown(photo)).zip(&mut pictures) {
                self.rows.push(row((path, photo), tile, (place, summary), features, args));
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

/// A picture's row, of its features.
fn row(
    (path, Photo { size, grid: Grid { cols, rows }, .. }): (&str, &Photo),
    tile: u32,
    (place, summary): (usize, Summary),
    features: &Features,
    args: &Args,
) -> Row {
    // Of a hidden state what is this picture's, `[tokens, C]`.
    let state = |name: &str| {
        let tensor = features.tensors.get(name).filter(|tensor| tensor.shape.len() == 3);
        tensor.map_or(&[][..], |t| {
            let one = t.shape[1] * t.shape[2];
            &t.values[place * one..][..one]
        })
    };
    let c = summary.mean.len();
    let patches = &state("last_hidden_state")[features.prefix * c..];
    let halves = patches.iter().filter(|_| args.patch_tokens).map(|value| f16::from_f32(*value));
    let hidden = |layer: &usize| (*layer, state(&format!("hidden_states.{layer}")).to_vec());
    Row {
        path: path.into(),
        size: *size,
        tile: [tile, *rows, *cols],
        grid: features.grid.unwrap_or_default(),
        tokens: halves.collect(),
        hidden: args.taps.iter().map(hidden).collect(),
        summary,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::cell::Cell;

    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;

    /// Ten photographs, of which each takes 25 s by a clock of the test's own.
    #[test]
    fn a_part_is_written_every_minute() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("t.parquet");
        let mut words: Vec<String> = vec!["encode".into()];
        for i in 0..10u8 {
            let file = folder.path().join(format!("{i}.png"));
            image::save_buffer(&file, &[i; 12], 2, 2, image::ExtendedColorType::Rgb8).unwrap();
            words.push(file.to_str().unwrap().into());
        }
        words.extend(["--device", "cpu", "--image-size", "14", "--batch", "4"].map(String::from));
        words.extend(["--out".into(), out.to_str().unwrap().into()]);
        let mut args = <Args as clap::Parser>::parse_from(words);
        let time = Cell::new(0);
        let clock = || {
            time.set(time.get() + 25);
            Duration::from_secs(time.get())
        };
        pollster::block_on(run_by(&mut args, &out, &Guard::default(), &clock)).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&out).unwrap()).unwrap();
        let groups = reader.metadata().row_groups();
        assert_eq!(groups.iter().map(|group| group.num_rows()).sum::<i64>(), 10);
        assert!(groups.len() >= 4, "{} parts of at most 75 s", groups.len());
    }
}
