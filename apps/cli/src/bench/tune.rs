//! `internvit bench --tune`

use std::ops::ControlFlow;
use std::time::Instant;

use internvit::gpu::{Family, Found, Gpu, Trial};
use internvit::image::Picture;
use internvit::measure::measure;
use internvit::session::OpenDevice;
use internvit::{Device, Error, Images, Result};
use serde_json::{Value, json};

use super::{Args, Model, made, on_gpu, print_json};

/// Seconds that all probes may take, where a user waits for them.
const PATIENCE: f64 = 60.0;

/// Probes kernels anew, and measures every family of kernels on one device.
pub(super) async fn run(args: &Args, model: &Model, side: u32) -> Result<()> {
    let picture = [Picture::noise(side)?];
    let gpu = open(args).await?;
    let (own, report) = (gpu.family().name(), json!(gpu.report));
    gpu.probe_anew(PATIENCE);
    let mut encoder = on_gpu(model.open().await?, gpu).await?;
    // As many rows as one picture has decide.
    encoder.session_mut().prepare(Images::Pictures(&picture)).await?;
    let (found, file) =
        encoder.gpu().map_or((Vec::new(), None), |gpu| (gpu.probed(), gpu.probes_file()));
    drop(encoder);
    let name = report["name"].as_str().unwrap_or_default();
    if !args.json {
        say!("{name} runs {own}\n");
        found.iter().for_each(print);
        match &file {
            Some(file) => say!("\nkept in {}\n", file.display()),
            None => say!("\nnot kept: the adapter computes on the CPU, or probes are off\n"),
        }
        say!(
            "{:18} {:>10} {:>10} {:>10} {:>10}",
            "kernels",
            "encode",
            "linear",
            "attention",
            "norm"
        );
    }
    let families = families(args, model, side).await?;
    if args.json {
        print_json(&json!({
            "device": report, "dtype": args.dtype.name(), "image_size": side,
            "shapes": found, "families": families, "made": made(),
        }));
    }
    Ok(())
}

async fn open(args: &Args) -> Result<Gpu> {
    let device = if args.device == Device::Auto { &Device::Gpu } else { &args.device };
    match device.open_as(args.dtype).await? {
        OpenDevice::Gpu(gpu) => Ok(*gpu),
        OpenDevice::Cpu(_) => {
            Err(Error::input("--tune: the CPU has no kernels; name a GPU with --device"))
        }
    }
}

/// A shape's kernels, the one that is taken with a star.
fn print(found: &Found) {
    say!("{}", found.shape);
    for Trial { family, kernel, right, seconds } in &found.trials {
        let time = match (right, seconds) {
            (false, _) => "wrong".into(),
            (true, None) => "not timed".into(),
            (true, Some(seconds)) => format!("{:.3} ms", 1e3 * seconds),
        };
        let star = if *family == found.family { "*" } else { "" };
        say!("  {:18} {kernel:20} {time:>12} {star}", family.name());
    }
}

/// Whole encodings by every family; a row each, times in milliseconds.
async fn families(args: &Args, model: &Model, side: u32) -> Result<Vec<Value>> {
    let begin = Instant::now();
    let clock = || begin.elapsed().as_secs_f64();
    let pictures = vec![Picture::noise(side)?; args.batch.into()];
    let mut rows = Vec::new();
    for family in Family::ALL.iter().copied() {
        let mut gpu = open(args).await?;
        if !family.runs_on(&gpu.caps) {
            continue;
        }
        gpu.force(family)?;
        let mut encoder = on_gpu(model.open().await?, gpu).await?;
        let runs = Some(usize::from(args.runs.unwrap_or(3)));
        let mut go_on = async |_| ControlFlow::Continue(());
        let measured =
            measure(&mut encoder, Images::Pictures(&pictures), runs, &clock, &mut go_on).await?;
        let all = |kind: &str| {
            let rows = measured.profile.rows.iter().filter(|row| row.kernel.starts_with(kind));
            1e3 * rows.map(|row| row.seconds).sum::<f64>()
        };
        let encode = 1e3 * measured.median();
        let [linear, attention, norm] = ["linear", "attention", "norm"].map(all);
        if !args.json {
            let times = [encode, linear, attention, norm].map(|ms| format!("{ms:.2} ms"));
            let [a, b, c, d] = times;
            say!("{:18} {a:>10} {b:>10} {c:>10} {d:>10}", family.name());
        }
        rows.push(json!({
            "family": family.name(), "encode_ms": encode, "linear_ms": linear,
            "attention_ms": attention, "norm_ms": norm,
        }));
    }
    Ok(rows)
}
