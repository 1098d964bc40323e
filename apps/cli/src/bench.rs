//! `internvit bench`

mod tune;

use std::ops::ControlFlow;
use std::thread::available_parallelism;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use indicatif::HumanBytes;
use internvit::features::{Features, relative_l2};
use internvit::gpu::{Ceilings, Family, Gpu, Precision, Timer};
use internvit::image::{Picture, Resize};
use internvit::measure::{Measured, measure};
use internvit::model::Spec;
use internvit::session::{OpenDevice, Row};
use internvit::{Checkpoint, Device, Encoder, Error, Images, Result};
use serde_json::{Value, json};

use super::model::Model;
use super::preset::Preset;
use super::{input, load, print_json, progress};

/// How fast a model runs here, and which kernels take the time.
///
/// Encodes a made-up picture again and again. Each kernel is timed alone, with the device's
/// timestamps or else with the clock, and held against what the device was measured to do at most:
/// a plain copy (bytes a second) or a plain product (operations a second), whichever is nearer.
/// More than 100 % means that operands lay in a cache, or that the machine was busy otherwise.
#[derive(Parser)]
#[command(after_help = "Examples:\n  internvit bench\n  \
    internvit bench --preset 300m --batch 4 --json\n  \
    internvit bench --model OpenGVLab/InternViT-300M-448px --device cpu --runs 1")]
pub(super) struct Args {
    #[command(flatten)]
    model: Model,
    /// Random weights of a known shape in place of a model
    #[arg(long, value_enum, conflicts_with = "model")]
    preset: Option<Preset>,
    /// Pictures of one encoding
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Side of the square picture in pixels; the model's own if left out
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..=16384))]
    image_size: Option<u32>,
    /// auto, gpu, cpu, or part of an adapter's name (see `internvit devices`)
    #[arg(long, default_value = "auto")]
    device: Device,
    /// How values are kept: f32; int8 or int4 for the weights of the blocks; on GPUs also f16 (half the
    /// memory, some 1e-3 off), or w8a8 (int8, and what they multiply too)
    #[arg(long, default_value = "f32")]
    dtype: Precision,
    /// Encodings measured after the warm-up, then profiled; if left out 10, or as many as some 20 s
    /// allow, at least one (where the first alone takes longer, that one)
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    runs: Option<u16>,
    /// Take a family of kernels that is not the device's own: software, software-subgroups,
    /// portable, wide, tall, split, halves, subgroups, matrix or packed
    #[arg(long, value_name = "FAMILY")]
    kernels: Option<Family>,
    /// Try every kernel that the device can run on the model's shapes, and keep which are right and fastest; then
    /// measure every family of kernels, each in a table row
    #[arg(long, conflicts_with = "kernels")]
    tune: bool,
    /// Hold the features of a GPU against those of the CPU, which takes the model once more
    #[arg(long, conflicts_with = "tune")]
    check: bool,
    /// Print as JSON, which is a row of docs/speed.md when it lies in bench/results
    #[arg(long)]
    json: bool,
}

/// What was measured, with what only the command line knows; times in seconds.
struct Report {
    model: String,
    device: Value,
    side: u32,
    dtype: &'static str,
    /// The family of kernels; none on the CPU.
    kernels: Option<&'static str>,
    open: f64,
    load: f64,
    measured: Measured,
    host: Option<u64>,
    ceilings: Ceilings,
    /// How far the features are from the CPU's: relative L2.
    check: Option<f64>,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let side = |spec: &Spec| {
        input::shape(spec, args.image_size, Some(Resize::Squash), 1).map(|shape| shape.fit.size)
    };
    let (checkpoint, folder) = match args.preset {
        Some(preset) => {
            // A wrong size shows before gigabytes are written.
            side(&preset.spec())?;
            preset.open().await.map(|(model, folder)| (model, Some(folder)))?
        }
        None => (args.model.open().await?, None),
    };
    let side = side(&checkpoint.spec)?;
    if args.tune {
        let preset = folder.as_ref().map(|folder| folder.path().to_path_buf());
        let model = preset.map_or(args.model.clone(), Model::folder);
        return tune::run(&args, &model, side).await;
    }
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
        OpenDevice::Gpu(mut gpu) => {
            if let Some(family) = args.kernels {
                gpu.force(family)?;
            }
            on_gpu(checkpoint, *gpu).await?
        }
        OpenDevice::Cpu(_) if args.kernels.is_some() => {
            return Err(Error::input("--kernels: the CPU has none; name a GPU with --device"));
        }
        OpenDevice::Cpu(why) => {
            if let Some(why) = why {
                note!("computing on the CPU: {why}");
            }
            load(checkpoint, &Device::Cpu, args.dtype, false).await?
        }
    };
    let loaded = clock();

    let pictures = vec![Picture::noise(side)?; args.batch.into()];
    let images = Images::Pictures(&pictures);
    let bar = progress::Share::new("measuring", 1);
    let mut on_progress = async |part: f64| {
        bar.set((1e3 * part) as usize, 1000);
        ControlFlow::Continue(())
    };
    let measured =
        measure(&mut encoder, images, args.runs.map(usize::from), &clock, &mut on_progress).await?;
    bar.finish();
    // Before the check and the ceilings, which need memory of their own.
    let host = host_peak();
    let check = match (args.check, encoder.gpu()) {
        (false, _) => None,
        (true, None) => return Err(Error::input("--check: the CPU is what a GPU is held against")),
        (true, Some(_)) => {
            let preset = folder.as_ref().map(|folder| Model::folder(folder.path().to_path_buf()));
            let again = preset.as_ref().unwrap_or(&args.model).open().await?;
            Some(from_cpu(&mut encoder, again, images).await?)
        }
    };
    let report = Report {
        model,
        device: encoder.gpu().map_or(json!({ "name": "CPU" }), |gpu| json!(gpu.report)),
        side,
        dtype: args.dtype.name(),
        kernels: encoder.gpu().map(|gpu| gpu.family().name()),
        open: opened - start,
        load: loaded - opened,
        measured,
        host,
        ceilings: encoder.session().ceilings(&clock).await?,
        check,
    };
    if args.json {
        print_json(&report.json())
    } else {
        report.print()
    }
    Ok(())
}

async fn on_gpu(checkpoint: Checkpoint, gpu: Gpu) -> Result<Encoder> {
    let bar = progress::bytes("loading", checkpoint.bytes());
    let mut on_progress = async |done, _| {
        bar.set_position(done);
        ControlFlow::Continue(())
    };
    let encoder = Encoder::load(checkpoint, gpu, &mut on_progress).await?;
    bar.finish_and_clear();
    Ok(encoder)
}

/// How far an encoder's features are from those of the CPU: relative L2.
async fn from_cpu(encoder: &mut Encoder, model: Checkpoint, images: Images<'_>) -> Result<f64> {
    let mut go_on = async |_, _| ControlFlow::Continue(());
    let mut cpu = load(model, &Device::Cpu, Precision::F32, false).await?;
    let expected = cpu.encode(images, &[], &mut go_on).await?;
    let found = encoder.encode(images, &[], &mut go_on).await?;
    let values = |features: &Features| features.tensors["last_hidden_state"].values.clone();
    Ok(relative_l2(&values(&found), &values(&expected)))
}

/// By what program a measurement was made, where and when.
fn made() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "program": concat!("internvit ", env!("CARGO_PKG_VERSION")),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "cores": available_parallelism().map_or(1, usize::from),
        "unix_s": now.as_secs(),
    })
}

/// The most memory that this process held so far, where the system tells (Linux).
fn host_peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib << 10)
}

impl Report {
    fn timer(&self) -> &'static str {
        match self.measured.profile.timer {
            Timer::Timestamps => "the device's timestamps",
            Timer::Clock => "the clock, step by step",
        }
    }

    /// Dispatches of one encoding, or on the CPU calls.
    fn dispatches(&self) -> usize {
        self.measured.profile.rows.iter().map(|row| row.dispatches).sum()
    }

    fn json(&self) -> Value {
        let before = [("open_device", self.open), ("load_weights", self.load)];
        let mut report = self.measured.json(&self.ceilings, &before);
        report["model"] = json!(self.model);
        report["device"] = self.device.clone();
        report["image_size"] = json!(self.side);
        report["dtype"] = json!(self.dtype);
        report["kernels"] = json!(self.kernels);
        report["profile"]["dispatches"] = json!(self.dispatches());
        report["memory"]["host_peak_bytes"] = json!(self.host);
        if let Some(difference) = self.check {
            report["check"] = json!({ "against": "CPU", "relative_l2": difference });
        }
        report["made"] = made();
        report
    }

    fn print(&self) {
        let m = &self.measured;
        let (profile, median, c) = (&m.profile, m.median(), &self.ceilings);
        let runs = match m.warm {
            true => format!("median of {}", m.times.len()),
            false => "the first run alone".into(),
        };
        let device = self.device["name"].as_str().unwrap_or_default();
        say!(
            "{} on {device}: {} × {side} × {side} px, {} tokens each",
            self.model,
            m.batch,
            m.tokens,
            side = self.side
        );
        say!(
            "  encode        {:.2} ms ({}; {:.2} to {:.2}), {:.2} images/s, {:.1} GFLOP/s",
            1e3 * median,
            runs,
            1e3 * m.times[0],
            1e3 * m.longest(),
            m.images_per_second(),
            profile.flop() / median / 1e9
        );
        say!(
            "  first result  device {:.0} ms, weights {:.0} ms, pipelines {:.0} ms, \
             first run {:.0} ms",
            1e3 * self.open,
            1e3 * self.load,
            1e3 * m.prepared,
            1e3 * m.first
        );
        let host = self.host.map_or(String::new(), |b| format!("; host at most {}", HumanBytes(b)));
        say!(
            "  memory        weights {}, activations {}{host}",
            HumanBytes(m.weights),
            HumanBytes(m.slots)
        );
        if let Some(difference) = self.check {
            say!("  check         {difference:.1e} from the CPU's features (relative L2)");
        }
        say!(
            "  ceilings      copy {:.1} GB/s, product of side {} {:.1} GFLOP/s",
            c.copy / 1e9,
            c.side,
            c.product / 1e9
        );
        say!(
            "  kernels       {} {}, {:.2} ms of a run of {:.2} ms, by {}",
            self.dispatches(),
            if self.kernels.is_some() { "dispatches" } else { "calls" },
            1e3 * profile.summed(),
            1e3 * profile.seconds,
            self.timer()
        );
        say!("");
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
