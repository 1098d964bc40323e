//! A long life: a thousand encodes, and models loaded and dropped two hundred times, in memory that stays
//! flat. One at a time, since they share the process's memory:
//!
//! `for test in encodes_on_the_cpu encodes_on_the_gpu loads_on_the_cpu loads_on_the_gpu; do
//!  cargo test --release --test soak -- --ignored --nocapture $test; done`
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
use common::*;
use internvit::gpu::{Choice, Gpu};
use internvit::image::Picture;
use internvit::{Checkpoint, Device, Encoder, Images};

/// Growth after the first runs that is still flat.
const FLAT: f64 = 0.02;

/// Bytes of this process in memory.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    1024.0 * line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap()
}

/// Bytes and allocations on the device, 0 on the CPU.
fn on_device(encoder: &Encoder) -> (u64, usize) {
    encoder.gpu().and_then(Gpu::allocated).unwrap_or_default()
}

fn encode(encoder: &mut Encoder, pictures: &[Picture]) {
    wait(encoder.encode(Images::Pictures(pictures), &[], &mut on)).unwrap();
}

/// Runs `round` so often; the process's memory and what `round` finds on the device stay as they are
/// after the first `settled`.
fn soak(what: &str, rounds: usize, settled: usize, mut round: impl FnMut(usize) -> (u64, usize)) {
    let mut first = (0.0, (0, 0));
    let start = std::time::Instant::now();
    for i in 1..=rounds {
        let device = round(i);
        let memory = resident();
        if i == settled {
            first = (memory, device);
        }
        if i % (rounds / 10) == 0 || i == settled {
            let mb = memory / 1e6;
            println!("{what} {i}: {mb:.1} MB, device {} bytes in {} pieces", device.0, device.1);
        }
        if i > settled {
            let growth = memory / first.0 - 1.0;
            assert!(growth < FLAT, "{what} {i}: {:.1} % more memory", 100.0 * growth);
        }
        // Of every ten rounds the last leaves the same plan.
        if i > settled && i % 10 == settled % 10 {
            assert_eq!(device, first.1, "{what} {i}: what is on the device");
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{what}: {rounds} in {seconds:.0} s, {:+.2} %", 100.0 * (resident() / first.0 - 1.0));
}

/// Batches of one to four by turns, so that plans are made again and again.
fn encodes(what: &str, mut encoder: Encoder) {
    let pictures = [56; 4].map(Picture::noise);
    soak(what, 1000, 50, |i| {
        encode(&mut encoder, &pictures[..if i % 10 == 0 { 4 } else { 1 }]);
        if i % 10 == 9 {
            encode(&mut encoder, &pictures[..2])
        }
        on_device(&encoder)
    });
}

/// The bundled model from its bytes to its first features.
fn loads(what: &str, device: &Device) {
    let pictures = [Picture::noise(28)];
    soak(what, 200, 50, |_| {
        let checkpoint = wait(Checkpoint::bundled()).unwrap();
        let mut encoder = wait(Encoder::load(checkpoint, device, &mut on_bytes)).unwrap();
        encode(&mut encoder, &pictures);
        on_device(&encoder)
    });
}

fn model() -> Checkpoint {
    random_checkpoint("soak", &config(64, 2, 128, 2, ""))
}

#[test]
#[ignore = "minutes"]
fn encodes_on_the_cpu() {
    encodes("encode", wait(Encoder::load(model(), &Device::Cpu, &mut on_bytes)).unwrap());
}

#[test]
#[ignore = "minutes"]
fn encodes_on_the_gpu() {
    let gpu = wait(Gpu::open(&Choice::Auto)).unwrap();
    assert!(gpu.allocated().is_some(), "the device tells what is allocated");
    encodes("encode", wait(Encoder::on_gpu(model(), gpu, &mut on_bytes)).unwrap());
}

#[test]
#[ignore = "minutes"]
fn loads_on_the_cpu() {
    loads("load", &Device::Cpu);
}

#[test]
#[ignore = "minutes"]
fn loads_on_the_gpu() {
    loads("load", &Device::Gpu);
}
