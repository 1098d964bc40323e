//! The same picture on the same device in the same variant gives the same bits, whatever was computed
//! before, beside it, or by how many threads.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use internvit::features::relative_l2;
use internvit::gpu::{Choice, Family, Gpu, Precision};
use internvit::image::{Picture, Resize, decode};
use internvit::{Checkpoint, Device, Encoder, Images};

/// The last hidden state of every picture, and what the first block made.
fn encode(encoder: &mut Encoder, pictures: &[&Picture]) -> Vec<[Vec<f32>; 2]> {
    let pictures: Vec<Picture> = pictures.iter().map(|picture| (*picture).clone()).collect();
    let features = wait(encoder.encode(Images::Pictures(&pictures), &[1], &mut on)).unwrap();
    let of = |name: &str, i: usize| {
        let values = &features.tensors[name].values;
        let len = values.len() / pictures.len();
        values[i * len..][..len].to_vec()
    };
    let names = ["last_hidden_state", "hidden_states.1"];
    (0..pictures.len()).map(|i| names.map(|name| of(name, i))).collect()
}

/// Encodes a picture alone, again, after another size, at both ends of a batch, and in a second encoder.
fn same_bits(what: &str, open: impl Fn() -> Encoder) -> [Vec<f32>; 2] {
    let [a, b, c] = [56, 70, 84].map(|side| Picture::noise(side).unwrap());
    let others = [b, c].map(|other| Resize::Squash.fit(&other, 56, 14).unwrap());
    let wide = Picture::of(84, 28, a.rgb[..84 * 28 * 3].to_vec());
    let [p, q, r] = [&a, &others[0], &others[1]];
    let mut encoder = open();
    let alone = encode(&mut encoder, &[p]).remove(0);
    assert!(alone.iter().flatten().all(|v| v.is_finite()), "{what}");
    assert!(encode(&mut encoder, &[p])[0] == alone, "{what}: again");
    encode(&mut encoder, &[&wide]);
    assert!(encode(&mut encoder, &[p])[0] == alone, "{what}: after another size");
    let batch = encode(&mut encoder, &[q, r, q, p]);
    assert!(batch[3] == alone, "{what}: the last of four");
    assert!(batch[0] == batch[2] && batch[0] != alone, "{what}: beside others");
    assert!(encode(&mut encoder, &[p, r, q, r])[0] == alone, "{what}: the first of four");
    assert!(encode(&mut open(), &[p])[0] == alone, "{what}: another encoder");
    alone
}

fn model(name: &str) -> Checkpoint {
    random_checkpoint(name, &config(64, 2, 160, 2, r#", "qk_normalization": true"#))
}

#[test]
fn the_cpu_gives_the_same_bits_with_any_number_of_threads() {
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let open = || {
            let checkpoint = model(&format!("same-{threads}"));
            wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap()
        };
        pool.install(|| same_bits(&format!("CPU, {threads} threads"), open))
    };
    let one = with(1);
    assert!(with(2) == one && with(3) == one);
}

/// With the kernels of every family that the device runs, and in every precision.
#[test]
fn a_gpu_gives_the_same_bits_in_every_variant() {
    let Some(found) = gpu() else { return };
    let mut different = Vec::new();
    for (precision, family) in variants(&found) {
        let what = format!("{family:?} {precision:?}");
        let alone = same_bits(&what, || {
            let gpu = variant(precision, family);
            wait(Encoder::load(model(&what), gpu, &mut on_bytes)).unwrap()
        });
        different.push(alone);
    }
    different.dedup();
    assert!(different.len() > 2, "variants that differ: {}", different.len());
}

/// Every family in f32; in f16 the device's own and a GPU's, in 8 bits where kernels are their own, in 4
/// the device's own.
fn variants(gpu: &Gpu) -> Vec<(Precision, Family)> {
    // Without weights in 8 bits the packed family is the portable one.
    let families = Family::ALL.iter().filter(|f| f.runs_on(&gpu.caps) && **f != Family::Packed);
    let mut list: Vec<_> = families.map(|family| (Precision::F32, *family)).collect();
    list.extend([gpu.family(), Family::Portable].map(|family| (Precision::F16, family)));
    list.extend([(Precision::W8A8, Family::Packed), (Precision::Int4, gpu.family())]);
    list.dedup();
    list
}

fn variant(precision: Precision, family: Family) -> Gpu {
    let mut gpu = wait(Gpu::open_as(&Choice::Auto, precision)).unwrap();
    gpu.forced = Some(family);
    gpu
}

/// How far the variants are apart, as a table: `cargo test --release --test device determinism -- --ignored
/// --nocapture`.
#[test]
#[ignore = "measures the bundled model in every variant, which takes a minute"]
fn variants_stay_near_the_cpu() {
    let photo = decode("cat", &std::fs::read(sample("chelsea.png")).unwrap()).unwrap();
    let picture = Resize::Squash.fit(&photo, 224, 14).unwrap();
    let features = |mut encoder: Encoder| encode(&mut encoder, &[&picture]).remove(0)[0].clone();
    let bundled = || wait(Checkpoint::bundled()).unwrap();
    let cpu = features(wait(Encoder::load(bundled(), &Device::Cpu, &mut on_bytes)).unwrap());
    let Some(found) = gpu() else { return };
    println!("{}, {}", found.report.name, found.report.driver);
    println!("| precision | kernels | relative L2 | largest difference |\n|---|---|---|---|");
    for (precision, family) in variants(&found) {
        let gpu = variant(precision, family);
        let values = features(wait(Encoder::load(bundled(), gpu, &mut on_bytes)).unwrap());
        let distance = relative_l2(&values, &cpu);
        let pairs = values.iter().zip(&cpu).map(|(a, b)| (a - b).abs());
        let largest = pairs.fold(0.0, f32::max);
        println!("| {} | {} | {distance:.1e} | {largest:.1e} |", precision.name(), family.name());
        let most = match precision {
            Precision::F32 => 1e-5,
            Precision::F16 => 3e-3,
            // 8 and 4 bits.
            _ => 0.2,
        };
        assert!(distance < most, "{precision:?} {family:?}: {distance:.1e}");
    }
}
