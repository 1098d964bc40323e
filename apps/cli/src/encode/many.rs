//! Features of many photographs, part by part. What is there is kept: rows of an earlier run, and
//! the parts of a run that was stopped.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use half::f16;
use internvit::gpu::Precision;
use internvit::image::Grid;
use internvit::many::{Batches, Ready, Together};
use internvit::{Encoder, Error, PhotoFeatures, Result};
use serde_json::json;

use super::super::guard::Guard;
use super::super::{input, print_json, progress, tell};
use super::about::about;
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
    let photos = input::ahead(work, shape, &args.background);
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

impl Part {
    /// Adds a batch of photographs: their rows, and why some have none.
    async fn add(
        &mut self,
        encoder: &mut Encoder,
        args: &Args,
        paths: &[PathBuf],
        batch: Vec<Result<Ready>>,
    ) -> Result<()> {
        let (mut ready, mut known) = (Vec::new(), Vec::new());
        for (path, photo) in paths.iter().zip(batch) {
            let path = text(&tidy(path));
            match photo {
                Ok(photo) => {
                    known.push((path, photo.grid));
                    ready.push(photo);
                }
                Err(error @ (Error::Image { .. } | Error::Io { .. })) => {
                    self.failures.push(Failure { path, reason: error.reason() });
                }
                Err(other) => return Err(other),
            }
        }
        if ready.is_empty() {
            return Ok(());
        }
        let go_on = &|| ControlFlow::Continue(());
        let together = Together { taps: &args.taps, bare: !args.patch_tokens, go_on, run: &|| () };
        for ((path, tiles), rows) in known.into_iter().zip(together.encode(encoder, ready).await?) {
            match rows {
                Ok(rows) => self.take(path, tiles, rows),
                Err(Error::NotFinite(reason)) => self.failures.push(Failure { path, reason }),
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// Adds the rows of a photograph.
    fn take(&mut self, path: String, tiles: Grid, pictures: Vec<PhotoFeatures>) {
        let numbered = (0..).zip(pictures);
        let rows: Vec<Row> = numbered
            .map(|(tile, picture)| row(&path, [tile, tiles.rows, tiles.cols], picture))
            .collect();
        let mut halves = rows.iter().flat_map(|row| &row.tokens);
        if halves.any(|half| half.is_infinite()) {
            let reason = "patch tokens are beyond the range of f16, in which they are written";
            return self.failures.push(Failure { path, reason: reason.into() });
        }
        self.rows.extend(rows);
    }
}

/// A picture's row, of its features.
fn row(path: &str, tile: [u32; 3], features: PhotoFeatures) -> Row {
    let tokens = features.patches().values().iter().map(|value| f16::from_f32(*value)).collect();
    Row {
        path: path.into(),
        size: features.size(),
        tile,
        grid: features.grid(),
        tokens,
        summary: features.summary().clone(),
        hidden: features.into_tokens().1.into_iter().collect(),
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
