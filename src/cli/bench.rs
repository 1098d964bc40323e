//! `internvit bench`

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use indicatif::HumanBytes;
use internvit::encoder::{Opened, Profile, Row};
use internvit::gpu::{Ceilings, Precision, Timer};
use internvit::image::Picture;
use internvit::{Device, Encoder, Images, Result};
use serde_json::{Value, json};

use super::preset::Preset;
use super::{load, open_model, print_json, progress};

/// How fast a model runs here, and which kernels take the time.
///
/// Encodes a made-up picture again and again. Each kernel is timed alone, with the device's
/// timestamps or else with the clock, and held against what the device was measured to do at most:
/// a plain copy (bytes a second) or a plain product (operations a second), whichever is nearer.
/// More than 100 % means that operands lay in a cache, or that the machine was busy otherwise.
#[derive(Parser)]
#[command(after_help = "Examples:\n  internvit bench\n  \
    internvit bench --preset 300m --batch 4 --json\n  \
    internvit bench --model InternViT-300M-448px --device cpu --runs 1")]
pub(super) struct Args {
    /// Folder with config.json and model.safetensors (or shards); the bundled model if left out
    #[arg(long)]
    model: Option<PathBuf>,
    /// Random weights of a known shape in place of a model
    #[arg(long, value_enum, conflicts_with = "model")]
    preset: Option<Preset>,
    /// Pictures of one encoding
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Side of the square picture; the model's own if left out
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=16384))]
    image_size: Option<u32>,
    /// auto, gpu, cpu, or part of an adapter's name (see `internvit devices`)
    #[arg(long, default_value = "auto")]
    device: Device,
    /// How values are kept between kernels: f32, or f16 on GPUs (half the memory, some 1e-3 off)
    #[arg(long, default_value = "f32")]
    dtype: Precision,
    /// Encodings measured after the warm-up, then profiled; if left out 10, or as many as some 20 s
    /// allow, at least one (where the first alone takes longer, that one)
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    runs: Option<u16>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Seconds for the encodings, and for the profiled ones, where their number is not given.
const ENCODING: f64 = 12.0;
const PROFILING: f64 = 8.0;
/// Seconds of warming up, unless one encoding takes longer.
const WARMING: f64 = 0.5;

/// Everything measured; times in seconds, memory in bytes.
struct Report {
    model: String,
    device: Value,
    batch: u16,
    side: u32,
    tokens: usize,
    open: f64,
    load: f64,
    first: f64,
    /// Whether the first encoding is left out of `times`.
    warm: bool,
    times: Vec<f64>,
    profile: Profile,
    ceilings: Ceilings,
    weights: u64,
    slots: u64,
    host: Option<u64>,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let (checkpoint, _folder) = match args.preset {
        Some(preset) => preset.open().await.map(|(model, folder)| (model, Some(folder)))?,
        None => (open_model(args.model.as_ref()).await?, None),
    };
    let sizes = checkpoint.spec.sizes;
    let side = args.image_size.unwrap_or(sizes.image as u32);
    let model = match args.preset {
        Some(preset) => format!("{} (random weights)", preset.name()),
        None => checkpoint.name().to_string(),
    };
    // What making the weights took does not count (Linux; elsewhere there is no such file).
    let _ = std::fs::write("/proc/self/clear_refs", "5");

    let begin = Instant::now();
    let clock = || begin.elapsed().as_secs_f64();
    let start = clock();
    let device = args.device.open_as(args.dtype).await?;
    let opened = clock();
    let mut encoder = match device {
        Opened::Gpu(gpu) => {
            let bar = progress::bytes("loading", checkpoint.bytes());
            let mut told = async |done, _| {
                bar.set_position(done);
                ControlFlow::Continue(())
            };
            let encoder = Encoder::on_gpu(checkpoint, *gpu, &mut told).await?;
            bar.finish_and_clear();
            encoder
        }
        Opened::Cpu(why) => {
            if let Some(why) = why {
                eprintln!("note: computing on the CPU: {why}");
            }
            load(checkpoint, &Device::Cpu, args.dtype).await?
        }
    };
    let loaded = clock();

    let pixel = |i: u32| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8;
    let rgb = (0..3 * side * side).map(pixel).collect();
    let pictures = vec![Picture { width: side, height: side, rgb }; args.batch.into()];
    let images = Images::Pictures(&pictures);
    let bar = progress::Share::new("measuring", 1 + 2 * usize::from(args.runs.unwrap_or(10)));
    let mut told = async |done, total| {
        bar.set(done, total);
        ControlFlow::Continue(())
    };
    let start_first = clock();
    let features = encoder.encode(images, &[], &mut told).await?;
    let first = clock() - start_first;
    bar.next();
    while clock() - start_first < WARMING {
        encoder.encode(images, &[], &mut told).await?;
    }
    // Where one encoding fills the budget, another would only double the wait.
    let warm = args.runs.is_some() || first <= ENCODING;
    let mut times = if warm { Vec::new() } else { vec![first] };
    let since = clock();
    while warm && more(args.runs, times.len(), clock() - since, ENCODING) {
        let start = clock();
        encoder.encode(images, &[], &mut told).await?;
        times.push(clock() - start);
        bar.next();
    }
    let mut profiles = Vec::new();
    let since = clock();
    while more(args.runs, profiles.len(), clock() - since, PROFILING) {
        profiles.push(encoder.profile(images, &clock, &mut told).await?);
        bar.next();
    }
    bar.finish();
    times.sort_by(f64::total_cmp);
    profiles.sort_by(|a, b| a.summed().total_cmp(&b.summed()));
    let mut profile = profiles.swap_remove(profiles.len() / 2);
    profile.rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let host = host_peak();
    let report = Report {
        model,
        device: encoder.gpu().map_or(json!({ "name": "CPU" }), |gpu| json!(gpu.report)),
        batch: args.batch,
        side,
        tokens: features.tensors["last_hidden_state"].shape[1],
        open: opened - start,
        load: loaded - opened,
        first,
        warm,
        times,
        profile,
        weights: encoder.weight_bytes(),
        slots: encoder.slot_bytes(),
        host,
        ceilings: encoder.ceilings(&clock).await?,
    };
    if args.json {
        print_json(&report.json())
    } else {
        report.print()
    }
    Ok(())
}

/// Whether another run is wanted after `done` in `seconds`.
fn more(runs: Option<u16>, done: usize, seconds: f64, budget: f64) -> bool {
    match runs {
        Some(runs) => done < runs.into(),
        None => done == 0 || done < 10 && seconds + seconds / done as f64 <= budget,
    }
}

/// The most memory that this process held so far, where the system tells (Linux).
fn host_peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib << 10)
}

impl Report {
    fn median(&self) -> f64 {
        let n = self.times.len();
        (self.times[(n - 1) / 2] + self.times[n / 2]) / 2.0
    }

    fn longest(&self) -> f64 {
        self.times.iter().copied().fold(0.0, f64::max)
    }

    fn timer(&self) -> &'static str {
        match self.profile.timer {
            Timer::Timestamps => "the device's timestamps",
            Timer::Clock => "the clock, step by step",
        }
    }

    fn json(&self) -> Value {
        let (profile, median) = (&self.profile, self.median());
        let row = |row: &Row| {
            let (share, bound) = row.share(&self.ceilings);
            json!({
                "kernel": row.kernel, "operation": row.operation, "dispatches": row.dispatches,
                "ms": 1e3 * row.seconds, "share": row.seconds / profile.summed(),
                "gflop_per_s": row.flop / row.seconds / 1e9,
                "gb_per_s": row.bytes / row.seconds / 1e9,
                "bound": bound, "of_ceiling": share,
            })
        };
        json!({
            "model": self.model, "device": self.device, "batch": self.batch,
            "image_size": self.side, "tokens": self.tokens,
            "encode": {
                "runs": self.times.len(), "warm": self.warm, "median_ms": 1e3 * median,
                "min_ms": 1e3 * self.times[0], "max_ms": 1e3 * self.longest(),
                "images_per_s": f64::from(self.batch) / median,
                "gflop": profile.flop() / 1e9, "gflop_per_s": profile.flop() / median / 1e9,
            },
            "first_result": {
                "open_device_ms": 1e3 * self.open, "load_weights_ms": 1e3 * self.load,
                "pipelines_and_first_run_ms": 1e3 * self.first,
            },
            "ceilings": {
                "copy_gb_per_s": self.ceilings.copy / 1e9,
                "product_gflop_per_s": self.ceilings.product / 1e9,
                "product_side": self.ceilings.side,
            },
            "memory": {
                "weight_bytes": self.weights, "slot_bytes": self.slots,
                "host_peak_bytes": self.host,
            },
            "profile": {
                "timer": profile.timer, "run_ms": 1e3 * profile.seconds,
                "kernels_ms": 1e3 * profile.summed(),
                "kernels": profile.rows.iter().map(row).collect::<Vec<_>>(),
            },
        })
    }

    fn print(&self) {
        let (profile, median, c) = (&self.profile, self.median(), &self.ceilings);
        let runs = match self.warm {
            true => format!("median of {}", self.times.len()),
            false => "the first run alone".into(),
        };
        let device = self.device["name"].as_str().unwrap_or_default();
        say!(
            "{} on {device}: {} × {side} × {side} px, {} tokens each",
            self.model,
            self.batch,
            self.tokens,
            side = self.side
        );
        say!(
            "  encode        {:.2} ms ({}; {:.2} to {:.2}), {:.2} images/s, {:.1} GFLOP/s",
            1e3 * median,
            runs,
            1e3 * self.times[0],
            1e3 * self.longest(),
            f64::from(self.batch) / median,
            profile.flop() / median / 1e9
        );
        say!(
            "  first result  device {:.0} ms, weights {:.0} ms, pipelines and first run {:.0} ms",
            1e3 * self.open,
            1e3 * self.load,
            1e3 * self.first
        );
        let host = self.host.map_or(String::new(), |b| format!("; host at most {}", HumanBytes(b)));
        say!(
            "  memory        weights {}, activations {}{host}",
            HumanBytes(self.weights),
            HumanBytes(self.slots)
        );
        say!(
            "  ceilings      copy {:.1} GB/s, product of side {} {:.1} GFLOP/s",
            c.copy / 1e9,
            c.side,
            c.product / 1e9
        );
        say!(
            "  kernels       {:.2} ms of a run of {:.2} ms, by {}\n",
            1e3 * profile.summed(),
            1e3 * profile.seconds,
            self.timer()
        );
        let width = |text: fn(&Row) -> &str| {
            profile.rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0)
        };
        let (a, b) = (width(|row| &row.kernel), width(|row| &row.operation));
        say!(
            "{:a$}  {:b$} {:>5} {:>9} {:>6} {:>8} {:>7}  of ceiling",
            "kernel",
            "operation",
            "n",
            "ms",
            "%",
            "GFLOP/s",
            "GB/s"
        );
        for row in &profile.rows {
            let (share, bound) = row.share(c);
            say!(
                "{:a$}  {:b$} {:5} {:9.3} {:6.1} {:8.1} {:7.1}  {:.0} % {bound}",
                row.kernel,
                row.operation,
                row.dispatches,
                1e3 * row.seconds,
                100.0 * row.seconds / profile.summed(),
                row.flop / row.seconds / 1e9,
                row.bytes / row.seconds / 1e9,
                100.0 * share
            );
        }
    }
}
