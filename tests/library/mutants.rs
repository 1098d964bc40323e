//! Heads and models with faults made at random, always the same ones: no panic, no memory for claims.
//!
//! `cargo test --test library mutants -- --nocapture` prints trials, panics and the peak of memory.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::common::*;
use internvit::budget::picture_memory;
use internvit::image::{Picture, decode};
use internvit::model::{HeadKind, HeadSpec, parse_config, parse_head};
use internvit::weights::{
    LinearHead, Source, StoredType, Values, init_checkpoint, read_header, shards,
    write_safetensors_with,
};
use internvit::{Checkpoint, Device, Encoder, Images, Result};

/// Numbers without end, the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }
}

/// The peak of memory is the process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What stands in place of a number, and of a word.
const EDGES: [&str; 20] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "4096",
    "4097",
    "1000000",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e999",
    "0.5",
    "null",
    "\"\"",
    "[]",
    "{}",
    "NaN",
];

/// A text with one to three faults: a number replaced, a piece removed, doubled or overwritten.
fn spoil(text: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..1 + dice.roll(3) {
        let at = dice.roll(text.len());
        let end = (at + 1 + dice.roll(12)).min(text.len());
        match dice.roll(6) {
            0..=2 => {
                let digits = |byte: &u8| byte.is_ascii_digit();
                let Some(from) = text[at..].iter().position(digits).map(|n| at + n) else {
                    continue;
                };
                let length = text[from..].iter().take_while(|byte| digits(byte)).count();
                text.splice(from..from + length, EDGES[dice.roll(EDGES.len())].bytes());
            }
            3 => drop(text.drain(at..end)),
            4 => {
                let piece = text[at..end].to_vec();
                text.splice(at..at, piece);
            }
            _ if !text.is_empty() => text[at] = dice.roll(256) as u8,
            _ => {}
        }
    }
    text
}

/// A safetensors file with faults: in its header, whose length is put right mostly, in its values, at
/// its end.
fn spoil_file(file: &[u8], dice: &mut Dice) -> Vec<u8> {
    let length = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let (header, data) = file[8..].split_at(length);
    let (mut header, mut data) = (header.to_vec(), data.to_vec());
    if dice.roll(4) > 0 {
        header = spoil(&header, dice);
    }
    if dice.roll(3) == 0 {
        for _ in 0..1 + dice.roll(4) {
            let values = [f32::NAN, f32::INFINITY, 0.0, -1.0, f32::MAX, f32::MIN_POSITIVE, 1e-45];
            let at = dice.roll(data.len() / 4) * 4;
            data[at..at + 4].copy_from_slice(&values[dice.roll(7)].to_le_bytes());
        }
    }
    if dice.roll(8) == 0 {
        data.truncate(dice.roll(data.len()));
    }
    let said = if dice.roll(10) == 0 { dice.0 } else { header.len() as u64 };
    [&said.to_le_bytes(), &header[..], &data].concat()
}

/// Runs a number of trials with `most` megabytes; says how many were accepted, and fails at a panic.
fn trials(what: &str, count: usize, most: u64, mut trial: impl FnMut(&mut Dice) -> Result<()>) {
    let (mut accepted, mut panics) = (0, Vec::new());
    let before = peak();
    for number in 0..count {
        let mut dice =
            Dice(0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
        match catch_unwind(AssertUnwindSafe(|| trial(&mut dice))) {
            Ok(Ok(())) => accepted += 1,
            Ok(Err(error)) => {
                let error = error.to_string();
                assert!(error.len() < 2100, "{what} {number}: {} bytes", error.len());
                assert!(
                    !error.chars().any(internvit::error::is_hidden),
                    "{what} {number}: {error:?}"
                );
            }
            Err(_) => panics.push(number),
        }
    }
    let (before, after) = (before >> 20, peak() >> 20);
    eprintln!(
        "{what}: {count} trials, {accepted} accepted, {} panics, peak {after} MB (before {before})",
        panics.len()
    );
    assert!(panics.is_empty(), "{what}: panics in trials {panics:?}");
    assert!(after < before + most, "{what}: {after} MB");
}

/// Memory that this process has had at most, in bytes; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// A small model's configuration and its file.
fn model(name: &str, extra: &str) -> (String, Vec<u8>) {
    let (folder, config) = (scratch(name), config(16, 2, 32, 2, extra));
    init_checkpoint("config.json", &config, 1, StoredType::F32, &folder, &|_, _| ()).unwrap();
    (config, std::fs::read(folder.join("model.safetensors")).unwrap())
}

/// Opens, loads and runs a model on a picture of two by two patches; its head too, where it has one.
fn run(checkpoint: Checkpoint) -> Result<()> {
    let (segments, patch) = (checkpoint.head.is_some(), checkpoint.spec.sizes.patch as u32);
    let pixels = checkpoint.manifest.parameters();
    if patch > 64 || pixels > 1 << 20 {
        return Ok(());
    }
    let mut encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes))?;
    let picture = [Picture::noise(2 * patch)?];
    match segments {
        true => {
            let logits = wait(encoder.segment(Images::Pictures(&picture), &mut on))?;
            internvit::view::labels(&logits, [9, 9]).map(drop)
        }
        false => wait(encoder.encode(Images::Pictures(&picture), &[], &mut on)).map(drop),
    }
}

fn head_file(said: bool) -> Vec<u8> {
    let path = scratch("mutants-head").join("h.safetensors");
    let (weight, bias) = (noise(1, 3 * 16), noise(2, 3));
    let ones = [1.0; 16];
    let mut list = vec![
        ("decode_head.conv_seg.weight".to_string(), vec![3, 16, 1, 1], Values::F32(&weight)),
        ("decode_head.conv_seg.bias".to_string(), vec![3], Values::F32(&bias)),
    ];
    for name in ["weight", "bias", "running_mean", "running_var"] {
        list.push((format!("decode_head.norm.{name}"), vec![16], Values::F32(&ones)));
    }
    let text = r#"{"head": "linear", "out_indices": [1], "num_classes": 3,
        "classes": ["a", "b", "c"], "palette": [[1, 2, 3], [4, 5, 6], [7, 8, 9]], "whole": true}"#;
    let metadata = said.then(|| [("segmentation".to_string(), text.to_string())].into());
    write_safetensors_with(&path, &list, metadata).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn heads() {
    let _alone = alone();
    let (config, weights) = model("mutants-model", "");
    let open = || {
        let files = vec![Source::memory("model.safetensors", weights.clone())];
        wait(Checkpoint::open("m", &config, files)).unwrap()
    };
    let spec = open().spec;
    let taught = head_file(true);
    trials("taught heads", 5000, 512, |dice| {
        let source = Source::memory("h.safetensors", spoil_file(&taught, dice));
        wait(LinearHead::read(&source, &spec))?.to_bytes().map(drop)
    });
    for said in [true, false] {
        let head = head_file(said);
        trials("heads of a model", 3000, 512, |dice| {
            let bytes = spoil_file(&head, dice);
            let list = wait(read_header(&Source::memory("h", bytes.clone())))?;
            let bias = list.iter().find(|s| s.key.ends_with("conv_seg.bias"));
            let classes = bias.and_then(|s| s.shape.first().copied()).unwrap_or(dice.roll(9));
            let described = HeadSpec {
                kind: if dice.roll(9) == 0 { HeadKind::Uper } else { HeadKind::Linear },
                out_indices: (0..1 + dice.roll(9) / 8).map(|_| dice.roll(3)).collect(),
                classes,
                names: Vec::new(),
                palette: Vec::new(),
                whole: false,
            };
            let mut checkpoint = open();
            wait(checkpoint.attach_head(described, Source::memory("h", bytes)))?;
            run(checkpoint)
        });
    }
}

#[test]
fn models() {
    let _alone = alone();
    let head = r#", "segmentation": {"head": "linear", "out_indices": [0, 1], "num_classes": 3,
        "classes": ["a", "b", "c"], "palette": [[1, 2, 3], [4, 5, 6], [7, 8, 9]]}"#;
    let (config, _) = model("mutants-config", "");
    let described = config.replace("}", &format!("{head}}}"));
    let spec = parse_config("c", &config).unwrap();
    trials("configurations", 20_000, 512, |dice| {
        let text = String::from_utf8_lossy(&spoil(described.as_bytes(), dice)).into_owned();
        parse_config("c", &text)?;
        parse_head("c", &text, &spec).map(drop)
    });
    let (config, weights) = model("mutants-weights", "");
    trials("models", 5000, 512, |dice| {
        let spoilt = match dice.roll(3) {
            0 => String::from_utf8_lossy(&spoil(config.as_bytes(), dice)).into_owned(),
            _ => config.clone(),
        };
        let files = vec![Source::memory("model.safetensors", spoil_file(&weights, dice))];
        run(wait(Checkpoint::open("m", &spoilt, files))?)
    });
    let index = r#"{"metadata": {"total_size": 123}, "weight_map": {
        "embeddings.class_embedding": "model-00001-of-00002.safetensors",
        "decode_head.conv_seg.bias": "model-00002-of-00002.safetensors"}}"#;
    trials("indices", 20_000, 512, |dice| {
        let bytes = spoil(index.as_bytes(), dice);
        wait(shards(&Source::memory("model.safetensors.index.json", bytes))).map(drop)
    });
}

/// Language models in GGUF; what is accepted also answers.
#[test]
fn language_models() {
    let _alone = alone();
    let folder = golden("internvl").join("internvl_internlm2_openvl");
    let mut file = crate::gguf::language(&folder, "llama", crate::gguf::As::Q8_0);
    crate::gguf::add_tokenizer(&mut file, &golden("internvl").join("chat_tiny"), 440);
    let whole = file.bytes();
    trials("language models", 3000, 512, |dice| {
        let bytes = spoil_picture(&whole, dice);
        let file = Source::memory("model.gguf", bytes);
        let checkpoint = wait(Checkpoint::open_gguf("m", vec![file]))?;
        let checkpoint = wait(checkpoint.with_language())?;
        let encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes))?;
        let given = wait(encoder.session().embed(&[1, 2]))?;
        let mut memory = encoder.session().memory(2)?;
        wait(encoder.session().feed(&mut memory, &given, internvit::plan::Wanted::Last, &mut on))
            .map(drop)
    });
}

/// The checksum of a PNG's chunk.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

/// Puts the checksums of a PNG right, as far as its chunks can be followed.
fn put_right(png: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = png.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()) {
        let end = (u32::from_be_bytes(length) as usize).saturating_add(at + 8);
        if end.saturating_add(4) > png.len() {
            return;
        }
        let right = crc(&png[at + 4..end]).to_be_bytes();
        png[end..end + 4].copy_from_slice(&right);
        at = end + 4;
    }
}

/// A picture with one to four faults, mostly near its beginning, where its sizes are.
fn spoil_picture(picture: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = picture.to_vec();
    for _ in 0..1 + dice.roll(4) {
        let near = if dice.roll(3) > 0 { bytes.len().min(256) } else { bytes.len() };
        let at = dice.roll(near);
        let end = (at + 1 + dice.roll(8)).min(bytes.len());
        match dice.roll(8) {
            0..=2 if at < bytes.len() => bytes[at] = dice.roll(256) as u8,
            3..=4 => bytes[at..end].fill([0, 1, 0x7f, 0x80, 0xfe, 0xff][dice.roll(6)]),
            5 => drop(bytes.drain(at..end)),
            6 => {
                let from = dice.roll(bytes.len());
                let piece = bytes[from..(from + 1 + dice.roll(64)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            _ if dice.roll(6) == 0 => bytes.truncate(dice.roll(bytes.len())),
            _ => {}
        }
    }
    if bytes.starts_with(b"\x89PNG") && dice.roll(8) > 0 {
        put_right(&mut bytes);
    }
    bytes
}

/// Every picture beside the tests, below a size.
fn pictures_of(folder: &std::path::Path, most: u64, found: &mut Vec<Vec<u8>>) {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            pictures_of(&path, most, found);
        } else if std::fs::metadata(&path).unwrap().len() < most {
            let bytes = std::fs::read(&path).unwrap();
            found.extend(decode("picture", &bytes).is_ok().then_some(bytes));
        }
    }
}

/// Pictures of every kind: no panic, not even one that is caught, none takes long, and none takes more
/// memory than it is counted with. With
/// `INTERNVIT_TRIALS` as many as it says.
#[test]
fn pictures() {
    let _alone = alone();
    let count = std::env::var("INTERNVIT_TRIALS").ok().and_then(|n| n.parse().ok()).unwrap_or(700);
    let mut seeds = Vec::new();
    pictures_of(&crate::common::root().join("tests"), 20_000, &mut seeds);
    assert!(seeds.len() > 60, "{} pictures", seeds.len());
    let (mut slowest, mut caught) = ((std::time::Duration::ZERO, 0), Vec::new());
    let mut number = 0;
    // What 2²⁸ pixels take.
    trials("pictures", count, 2000, |dice| {
        let bytes = spoil_picture(&seeds[dice.roll(seeds.len())], dice);
        number += 1;
        let start = std::time::Instant::now();
        let read = decode("picture", &bytes);
        if let Ok(picture) = &read {
            let (counted, took) = (picture_memory(Cursor::new(&bytes)), picture.rgb.len() as u64);
            assert!(counted >= took, "counted with {counted} bytes, took {took}");
        }
        let read = read.map(drop);
        slowest = slowest.max((start.elapsed(), number - 1));
        if read.as_ref().is_err_and(|e| e.to_string().contains("decoder failed")) {
            caught.push(number - 1);
        }
        read
    });
    let (time, trial) = slowest;
    eprintln!("{} kinds of pictures, the slowest {time:?}, trial {trial}", seeds.len());
    assert!(caught.is_empty(), "panics that were caught in trials {caught:?}");
    assert!(time.as_secs() < 20, "{time:?} in trial {trial}");
}
