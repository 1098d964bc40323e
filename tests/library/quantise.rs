//! Checkpoints in few bits: written, read, run on both executors, and how near they are.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use crate::common::*;
use internvit::gpu::{Family, Precision};
use internvit::image::{self, Resize};
use internvit::weights::{Conversion, QuantFormat, StoredType, convert, init_checkpoint};
use internvit::{Checkpoint, Compute, Device, Encoder, Images};

const BOTH: [(QuantFormat, Precision); 2] =
    [(QuantFormat::Int8, Precision::Int8), (QuantFormat::Int4, Precision::Int4)];

fn bundled() -> Checkpoint {
    wait(Checkpoint::bundled()).unwrap()
}

fn open(path: &Path) -> Checkpoint {
    wait(Checkpoint::open_path(path)).unwrap()
}

/// Converts into a folder of its own.
fn converted(
    source: &Checkpoint,
    name: &str,
    quant: Option<QuantFormat>,
    dtype: Option<StoredType>,
) -> PathBuf {
    let folder = scratch(name).join("out");
    let conversion = Conversion { dtype, quant, shard_bytes: 4_000_000, overwrite: true };
    wait(convert(source, &folder, &conversion, &mut |_, _| ())).unwrap();
    folder
}

/// Tokens [257, 192] of a photograph.
fn tokens(encoder: &mut Encoder) -> Vec<f32> {
    let photo = image::decode("cat", &std::fs::read(sample("chelsea.png")).unwrap()).unwrap();
    let picture = Resize::Squash.fit(&photo, 224, 14).unwrap();
    let mut features = wait(encoder.encode(Images::Pictures(&[picture]), &[], &mut on)).unwrap();
    features.tensors.remove("last_hidden_state").unwrap().values
}

fn on_cpu(checkpoint: Checkpoint) -> Vec<f32> {
    tokens(&mut wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap())
}

/// Mean cosine of patch tokens.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let pairs = a.chunks_exact(192).zip(b.chunks_exact(192)).skip(1);
    let cosines: Vec<f64> =
        pairs.map(|(a, b)| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).collect();
    cosines.iter().sum::<f64>() / cosines.len() as f64
}

#[test]
fn features_stay_near() {
    let expected = on_cpu(bundled());
    for ((quant, _), least) in BOTH.into_iter().zip([0.999, 0.99]) {
        let folder = converted(&bundled(), &format!("near-{quant:?}"), Some(quant), None);
        let found = cosine(&on_cpu(open(&folder)), &expected);
        assert!(found >= least && found < 1.0 - 1e-7, "{quant:?}: cosine {found}");
    }
}

/// Codes are rounded once: again, or by way of f32, they are the same bytes.
#[test]
fn few_bits_stay_as_they_are() {
    let read = |folder: &Path| -> Vec<(String, Vec<u8>)> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries
            .filter(|path| path.extension().is_some_and(|end| end == "safetensors"))
            .map(|path| {
                (path.file_name().unwrap().to_string_lossy().into(), std::fs::read(path).unwrap())
            })
            .collect();
        files.sort();
        files
    };
    let text = config(192, 3, 768, 4, "");
    let folder = scratch("stay");
    init_checkpoint("config.json", &text, 1, StoredType::Bf16, &folder, &|_, _| ()).unwrap();
    let source = open(&folder);
    for (quant, _) in BOTH {
        let name = |what: &str| format!("stay-{quant:?}-{what}");
        let first = converted(&source, &name("first"), Some(quant), None);
        assert!(open(&first).bytes() < source.bytes() * 2 / 3, "{quant:?}");
        assert_eq!(read(&converted(&open(&first), &name("again"), None, None)), read(&first));
        let wide = converted(&open(&first), &name("wide"), None, Some(StoredType::F32));
        assert_eq!(on_cpu(open(&wide)), on_cpu(open(&first)), "{quant:?}");
        let back = open(&converted(&open(&wide), &name("back"), Some(quant), None));
        let matrix = "encoder.layers.3.mlp.fc1.weight";
        assert_eq!(
            wait(back.tensor(matrix)).unwrap(),
            wait(open(&first).tensor(matrix)).unwrap(),
            "{quant:?}"
        );
    }
}

/// What is rounded while it is loaded, or read block by block, is what a converted file holds, and takes as much
/// memory.
#[test]
fn the_cpu_keeps_few_bits() {
    let load = |checkpoint, precision, streamed| {
        let compute = Compute::from(&Device::Cpu).precision(precision).streamed(streamed);
        wait(Encoder::load(checkpoint, compute, &mut on_bytes)).unwrap()
    };
    let whole = load(bundled(), Precision::F32, false).weight_bytes();
    for ((quant, precision), most) in BOTH.into_iter().zip([0.3, 0.23]) {
        let folder = converted(&bundled(), &format!("kept-{quant:?}"), Some(quant), None);
        let mut stored = load(open(&folder), Precision::F32, false);
        let mut rounded = load(bundled(), precision, false);
        assert_eq!(stored.weight_bytes(), rounded.weight_bytes(), "{quant:?}");
        let part = stored.weight_bytes() as f64 / whole as f64;
        assert!(part < most, "{quant:?}: {part}");
        let expected = tokens(&mut stored);
        assert_eq!(tokens(&mut rounded), expected, "{quant:?}");
        assert_eq!(tokens(&mut load(bundled(), precision, true)), expected, "{quant:?} streamed");
    }
    let half = Compute::from(&Device::Cpu).precision(Precision::F16);
    let refusal = wait(Encoder::load(bundled(), half, &mut on_bytes)).err().unwrap().to_string();
    assert!(refusal.contains("with weights in f32, int8 or int4"), "{refusal}");
}

#[test]
fn both_executors_agree_in_8_bits() {
    both_executors_agree(BOTH[0]);
}

#[test]
fn both_executors_agree_in_4_bits() {
    both_executors_agree(BOTH[1]);
}

/// On a GPU: a stored one, and one that is rounded at load, are the CPU's; so it is in f16.
fn both_executors_agree((quant, precision): (QuantFormat, Precision)) {
    if gpu().is_none() {
        return;
    }
    let folder = converted(&bundled(), &format!("agree-{quant:?}"), Some(quant), None);
    let expected = on_cpu(open(&folder));
    let load = |checkpoint, precision| {
        let gpu = gpu_as(precision).unwrap();
        wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap()
    };
    let mut stored = load(open(&folder), Precision::F32);
    assert!(stored.weight_bytes() < load(bundled(), Precision::F32).weight_bytes() / 2);
    assert_close(&format!("{quant:?} stored"), &tokens(&mut stored), &expected, 1e-5);
    let f32_bundled =
        converted(&bundled(), &format!("wide-{quant:?}"), None, Some(StoredType::F32));
    let mut rounded = load(open(&f32_bundled), precision);
    assert_close(&format!("{quant:?} rounded"), &tokens(&mut rounded), &expected, 1e-5);
    if quant == QuantFormat::Int8 {
        // What is multiplied is rounded to 8 bits too.
        let mut packed = load(open(&folder), Precision::W8A8);
        assert_eq!(packed.gpu().unwrap().family(), Family::Packed);
        let found = tokens(&mut packed);
        assert!(cosine(&found, &expected) >= 0.9999, "{}", cosine(&found, &expected));
        assert_ne!(found, expected);
    }
    let mut half = load(open(&folder), Precision::F16);
    assert_close(&format!("{quant:?} in f16"), &tokens(&mut half), &expected, 3e-3);
}

#[test]
fn wrong_files_are_one_clear_error() {
    let folder = converted(&bundled(), "wrong", Some(QuantFormat::Int8), None);
    let matrix = "encoder.layers.0.attn.proj.weight";
    let change = |from: &str, to: &str| {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "safetensors") {
                let mut bytes = std::fs::read(&path).unwrap();
                let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
                let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
                assert_eq!(from.len(), to.len());
                bytes[8..8 + length].copy_from_slice(header.replace(from, to).as_bytes());
                std::fs::write(&path, bytes).unwrap();
            }
        }
        wait(Checkpoint::open_path(&folder)).map(|_| ())
    };
    let error = change(&format!("{matrix}.scales"), &format!("{matrix}.scalez"));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("found I8 without scales"), "{error}");
    change(&format!("{matrix}.scalez"), &format!("{matrix}.scales")).unwrap();
}
