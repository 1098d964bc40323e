//! Benchmarks measure what they say: every figure is there, positive, and adds up.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::hint::black_box;
use std::time::Instant;

use crate::common::*;
use crate::run::*;
use internvit::gpu::{Choice, Family, Gpu, Timer};
use internvit::image::Picture;
use internvit::session::Profile;
use internvit::{Device, Encoder, Images};
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp};
use serde_json::Value;

fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} in {value:#}"))
}

/// Runs the command and checks what holds on any device.
fn report(args: &[&str]) -> Value {
    let report: Value = serde_json::from_str(&ok(args)).unwrap();
    for path in [
        "/tokens",
        "/encode/min_ms",
        "/encode/images_per_s",
        "/encode/gflop",
        "/encode/gflop_per_s",
        "/first_result/load_weights_ms",
        "/first_result/pipelines_ms",
        "/first_result/first_run_ms",
        "/ceilings/copy_gb_per_s",
        "/ceilings/product_gflop_per_s",
        "/profile/run_ms",
    ] {
        assert!(number(&report, path) > 0.0, "{path} in {report:#}");
    }
    // No memory is so fast: a copy that was optimised away would be.
    assert!(number(&report, "/ceilings/copy_gb_per_s") < 1e5, "{report:#}");
    let [min, median, max] =
        ["min", "median", "max"].map(|n| number(&report, &format!("/encode/{n}_ms")));
    assert!(min <= median && median <= max, "{report:#}");
    let rows = report["profile"]["kernels"].as_array().unwrap();
    let sum = |key: &str| rows.iter().map(|row| number(row, &format!("/{key}"))).sum::<f64>();
    let (kernels, all) =
        (number(&report, "/profile/kernels_ms"), number(&report, "/profile/run_ms"));
    assert!((sum("ms") / kernels - 1.0).abs() < 1e-9, "{report:#}");
    assert!((sum("share") - 1.0).abs() < 1e-9, "{report:#}");
    assert!(kernels > 0.3 * all && kernels < 1.02 * all, "{report:#}");
    for row in rows {
        for key in ["dispatches", "ms", "gflop_per_s", "gb_per_s", "of_ceiling"] {
            assert!(number(row, &format!("/{key}")) > 0.0, "{key} in {row:#}");
        }
        assert!(["copy", "product"].contains(&row["bound"].as_str().unwrap()), "{row:#}");
    }
    report
}

fn has_row(report: &Value, kernel: &str, operation: &str, dispatches: u64) -> bool {
    report["profile"]["kernels"].as_array().unwrap().iter().any(|row| {
        row["kernel"].as_str().unwrap().starts_with(kernel)
            && row["operation"] == operation
            && row["dispatches"] == dispatches
    })
}

#[test]
fn the_tiny_preset_on_the_gpu() {
    if gpu().is_none() {
        return;
    }
    let words =
        ["bench", "--preset", "tiny", "--runs", "3", "--batch", "2", "--device", "gpu", "--json"];
    let report = report(&[&words[..], &["--check"]].concat());
    assert_eq!(report["encode"]["runs"], 3);
    let difference = number(&report, "/check/relative_l2");
    assert!(difference > 0.0 && difference < 1e-5, "{difference}");
    assert!(report["made"]["program"].as_str().unwrap().starts_with("internvit "));
    assert!(number(&report, "/made/unix_s") > 1.7e9 && number(&report, "/made/cores") > 0.0);
    assert_eq!(report["tokens"], 257);
    assert!(number(&report, "/first_result/open_device_ms") > 0.0);
    // 5.5 M parameters of 4 bytes; matrices are filled up to panels.
    let weights = number(&report, "/memory/weight_bytes");
    assert!((21e6..24e6).contains(&weights), "{weights}");
    assert!(number(&report, "/memory/slot_bytes") > 4.0 * 2.0 * 257.0 * 192.0);
    if cfg!(target_os = "linux") {
        assert!(number(&report, "/memory/host_peak_bytes") > 1e6);
    }
    for (kernel, operation, dispatches) in [
        ("linear_", "linear qkv <- norm1 [3, 257, 192]", 12),
        ("linear_", "linear hidden_state <- mlp, attended [1, 257, 192]", 12),
        ("norm", "norm norm1 <- hidden_state [1, 257, 192]", 12),
    ] {
        assert!(has_row(&report, kernel, operation, dispatches), "{operation} in {report:#}");
    }
}

/// Every family that the device can run, and one by name.
#[test]
fn families_are_measured_side_by_side() {
    if gpu().is_none() {
        return;
    }
    // The command line's device has all its features, whatever DEFAULT_LIMITS makes of the tests' own.
    let gpu = wait(Gpu::open(&Choice::Auto)).unwrap();
    let small = ["bench", "--image-size", "28", "--runs", "1", "--device", "gpu"];
    let said = ok(&[&small[..], &["--tune"]].concat());
    for family in Family::ALL.iter().copied() {
        let row = said.lines().find(|line| line.starts_with(&format!("{} ", family.name())));
        assert_eq!(row.is_some(), family.runs_on(&gpu.caps), "{} in {said}", family.name());
        assert!(row.is_none_or(|row| row.matches(" ms").count() == 4), "{said}");
    }
    // Before it, of every shape the kernels that were tried, and which is taken.
    let shapes = said.lines().filter(|l| l.starts_with("linear ") || l.starts_with("attention "));
    let shapes = shapes.count();
    let taken = said.lines().filter(|line| line.starts_with("  ") && line.ends_with('*'));
    assert_eq!(taken.count(), shapes, "{said}");
    let several = Family::candidates(&gpu.caps).count() > 1;
    assert!(shapes >= if several { 4 } else { 0 }, "{said}");
    assert_eq!(said.contains("not kept"), gpu.caps.software, "{said}");
    let forced = ok(&[&small[..], &["--kernels", "portable", "--json"]].concat());
    let report: Value = serde_json::from_str(&forced).unwrap();
    assert_eq!((&report["kernels"], &report["dtype"]), (&"portable".into(), &"f32".into()));
    assert!(forced.contains("attention_tiled"), "{forced}");
}

#[test]
fn the_tiny_preset_on_the_cpu() {
    let report = report(&[
        "bench",
        "--preset",
        "tiny",
        "--image-size",
        "56",
        "--device",
        "cpu",
        "--runs",
        "1",
        "--json",
    ]);
    assert_eq!(report["device"]["name"], "CPU");
    assert_eq!(report["profile"]["timer"], "clock");
    assert!(has_row(&report, "attention", "attention attention <- qkv [1, 17, 192]", 12));
}

#[test]
fn the_table_says_what_was_measured() {
    let said = ok(&["bench", "--image-size", "28", "--device", "cpu", "--runs", "1"]);
    for part in ["images/s", "first result", "memory", "by the clock", "of ceiling", "linear mlp"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

/// With timestamps and without, the same operations.
#[test]
fn both_timers_see_the_same_kernels() {
    let (Some(mut full), Some(small)) = (gpu(), small_gpu()) else { return };
    full.caps.subgroup = small.caps.subgroup; // the same kernels on both
    let stamped = full.timer() == Timer::Timestamps;
    assert_eq!(small.timer(), Timer::Clock);
    let profile = |name: &str, gpu: Gpu| -> Profile {
        let checkpoint = random_checkpoint(name, &config(64, 2, 128, 3, ""));
        let mut encoder = wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap();
        let picture = Picture::of(56, 28, vec![100; 56 * 28 * 3]);
        let begin = Instant::now();
        let clock = || begin.elapsed().as_secs_f64();
        let pictures = vec![picture; 3];
        wait(encoder.session_mut().profile(Images::Pictures(&pictures), &clock, &mut on)).unwrap()
    };
    let (a, b) = (profile("bench-stamped", full), profile("bench-clocked", small));
    assert_eq!(a.timer == Timer::Timestamps, stamped);
    assert!(a.summed() <= a.seconds && b.summed() <= b.seconds);
    let what = |profile: &Profile| -> Vec<_> {
        profile.rows.iter().map(|r| (r.kernel.clone(), r.operation.clone(), r.dispatches)).collect()
    };
    assert_eq!(what(&a), what(&b));
    assert_eq!((a.flop(), what(&a).len()), (b.flop(), 10));
}

#[test]
fn errors_are_one_clear_line() {
    fails(&["bench", "--preset", "7b"], "[possible values: tiny, 300m, 6b, 6b-layer]");
    fails(&["bench", "--preset", "tiny", "--model", "x"], "cannot be used with");
    fails(&["bench", "--model", "nowhere"], "nowhere: no such file or folder");
    fails(&["bench", "--device", "no such card"], "no adapter called");
    fails(&["bench", "--batch", "0"], "0 is not in");
    fails(
        &["bench", "--kernels", "fast"],
        "expected one of software, software-subgroups, portable",
    );
    fails(&["bench", "--kernels", "portable", "--device", "cpu"], "--kernels: the CPU has none");
    let refused = "--check: the CPU is what a GPU is held against";
    fails(&["bench", "--check", "--image-size", "28", "--device", "cpu", "--runs", "1"], refused);
    fails(&["bench", "--tune", "--device", "cpu"], "--tune: the CPU has no kernels");
    fails(
        &["bench", "--preset", "tiny", "--image-size", "225", "--device", "cpu"],
        "--image-size 225: expected a multiple of 14",
    );
}

/// Products and attention of a profile are the work that the spec counts.
#[test]
fn a_profile_on_the_cpu_counts_the_work() {
    let checkpoint = random_checkpoint("bench-cpu", &config(64, 2, 128, 2, ""));
    let expected = checkpoint.spec.flop(17).total();
    let mut encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
    let pictures = [Picture::of(56, 56, vec![9; 56 * 56 * 3])];
    let begin = Instant::now();
    let clock = || begin.elapsed().as_secs_f64();
    let profile =
        wait(encoder.session_mut().profile(Images::Pictures(&pictures), &clock, &mut on)).unwrap();
    let products = profile.rows.iter().filter(|r| ["linear", "attention"].contains(&&*r.kernel));
    assert_eq!(products.map(|r| r.flop).sum::<f64>(), expected);
}

/// Multiplications and additions that stay in registers, on all cores: more than any product can do.
/// `cargo test --release --test cli bench -- --ignored --nocapture`.
#[test]
#[ignore = "measures the machine"]
fn what_the_cores_do_at_most() {
    const SUMS: usize = 12; // independent ones, enough to hide how long each takes
    const TIMES: usize = 50_000_000;
    struct Sums;
    impl SimdOp for Sums {
        type Output = (f32, usize);

        #[inline(always)]
        fn eval<I: Isa>(self, isa: I) -> Self::Output {
            let ops = isa.f32();
            let (factor, term) = (ops.splat(black_box(0.5)), ops.splat(black_box(1.0)));
            let mut sums = [ops.zero(); SUMS];
            for _ in 0..TIMES {
                for sum in &mut sums {
                    *sum = ops.mul_add(*sum, factor, term);
                }
            }
            let total = sums.into_iter().fold(ops.zero(), |a, b| ops.add(a, b));
            (total.to_array().as_ref()[0], ops.len())
        }
    }
    for _ in 0..3 {
        let start = Instant::now();
        let list: Vec<_> = rayon::broadcast(|_| Sums.dispatch());
        let (sum, lanes) = list[0];
        assert_eq!(sum, 2.0 * SUMS as f32);
        let flop = (2 * list.len() * SUMS * TIMES * lanes) as f64;
        let rate = flop / start.elapsed().as_secs_f64() / 1e9;
        println!("{} threads, {lanes} lanes: {rate:.0} GFLOP/s", list.len());
    }
}

/// Ctrl-C leaves no random model among the system's temporary files.
#[test]
#[cfg(unix)]
fn interrupted() {
    use std::process::{Command, Stdio};
    let temporary = scratch("bench-interrupted");
    let left = || std::fs::read_dir(&temporary).unwrap().count();
    let mut command = program();
    command.env("TMPDIR", &temporary).args(["bench", "--preset", "300m", "--device", "cpu"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while left() == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it has ended by itself");
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(left(), 0);
}
