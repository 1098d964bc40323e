//! A long life: a thousand encodes, and models loaded and dropped two hundred times, in memory that stays
//! flat. One at a time, since they share the process's memory:
//!
//! `for test in encodes_on_the_cpu encodes_on_the_gpu loads_on_the_cpu loads_on_the_gpu losses_of_the_gpu; do
//!  cargo test --release --test device soak::$test -- --ignored --nocapture; done`
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use internvit::gpu::{Choice, Gpu};
use internvit::image::Picture;
use internvit::{Checkpoint, Device, Encoder, Images};

/// Growth that is still flat.
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

/// Runs `round` so often. After the first `settled` what it finds on the device stays the same, and the
/// process's memory, in the mean of the last quarter, what it was in that of the first: the allocator
/// gives pages back and takes them again, so single rounds differ.
fn soak(what: &str, rounds: usize, settled: usize, mut round: impl FnMut() -> (u64, usize)) {
    let (mut first, mut memory) = ((0, 0), Vec::new());
    let start = std::time::Instant::now();
    for i in 1..=rounds {
        let (bytes, pieces) = round();
        memory.push(resident());
        if i == settled {
            first = (bytes, pieces);
        }
        if i > settled {
            assert_eq!((bytes, pieces), first, "{what} {i}: what is on the device");
        }
        if i % (rounds / 10) == 0 || i == settled {
            let mb = memory[i - 1] / 1e6;
            println!("{what} {i}: {mb:.1} MB, on the device {bytes} bytes in {pieces} pieces");
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let quarter = (rounds - settled) / 4;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let [early, late] = [&memory[settled..][..quarter], &memory[rounds - quarter..]].map(mean);
    let growth = late / early - 1.0;
    let [early, late] = [early, late].map(|bytes| bytes / 1e6);
    println!("{what}: {rounds} in {seconds:.0} s, {early:.1} to {late:.1} MB");
    assert!(growth < FLAT, "{what}: {:.1} % more memory", 100.0 * growth);
}

/// Batches of one, two and four pictures, so that plans are made again and again.
fn encodes(what: &str, mut encoder: Encoder) {
    let pictures = [56; 4].map(|side| Picture::noise(side).unwrap());
    soak(what, 100, 10, || {
        for i in 0..10 {
            encode(&mut encoder, &pictures[..[1, 1, 1, 1, 1, 1, 1, 1, 2, 4][i]]);
        }
        on_device(&encoder)
    });
}

/// The bundled model from its bytes to its first features.
fn loads(what: &str, device: &Device) {
    let pictures = [Picture::noise(28).unwrap()];
    soak(what, 200, 50, || {
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
    encodes("ten encodes", wait(Encoder::load(model(), &Device::Cpu, &mut on_bytes)).unwrap());
}

#[test]
#[ignore = "minutes"]
fn encodes_on_the_gpu() {
    let gpu = wait(Gpu::open(&Choice::Auto)).unwrap();
    assert!(gpu.allocated().is_some(), "the device tells what is allocated");
    encodes("ten encodes", wait(Encoder::load(model(), gpu, &mut on_bytes)).unwrap());
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

#[test]
#[ignore = "minutes"]
fn losses_of_the_gpu() {
    let gpu = wait(Gpu::open(&Choice::Auto)).unwrap();
    let mut encoder = wait(Encoder::load(model(), gpu, &mut on_bytes)).unwrap();
    let pictures = [Picture::noise(56).unwrap()];
    soak("loss", 300, 60, || {
        encoder.gpu().unwrap().lose();
        encode(&mut encoder, &pictures);
        on_device(&encoder)
    });
    assert_eq!(encoder.notes().len(), 300);
}
