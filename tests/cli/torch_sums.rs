//! Checksums of torch's archives, compared as their storages are read.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::PathBuf;

use crate::common::*;
use crate::run::*;
use internvit::weights::{Source, read_header};
use internvit::{Checkpoint, Result};

fn fixture(name: &str) -> PathBuf {
    crate::common::root().join("tests/torch").join(name)
}

/// The places of a text in a file.
fn places(bytes: &[u8], text: &[u8]) -> Vec<usize> {
    let mut at = 0..bytes.len() - text.len();
    at.by_ref().filter(|at| bytes[*at..].starts_with(text)).collect()
}

/// The model of an archive, every tensor read.
fn read(bytes: Vec<u8>) -> Result<()> {
    let config = fs::read_to_string(fixture("config.json")).unwrap();
    let source = Source::memory("x.pth", bytes);
    let checkpoint = wait(Checkpoint::open("folder", &config, vec![source]))?;
    for name in checkpoint.manifest.tensors.keys() {
        wait(checkpoint.tensor(name))?;
    }
    Ok(())
}

/// The place of a value of the first tensor.
fn value(bytes: &[u8]) -> usize {
    let source = Source::memory("x.pth", bytes.to_vec());
    let list = wait(read_header(&source)).unwrap();
    list.iter().find(|stored| stored.range.end - stored.range.start > 8).unwrap().range.start
        as usize
        + 4
}

#[test]
fn a_changed_weight_is_found() {
    for name in ["plain.pth", "half.pth", "bfloat.pth", "protocol4.pth"] {
        let bytes = fs::read(fixture(name)).unwrap();
        read(bytes.clone()).unwrap();
        let mut changed = bytes.clone();
        changed[value(&bytes)] ^= 1;
        let error = read(changed).unwrap_err().to_string();
        assert!(
            error.starts_with("x.pth: ") && error.contains("damaged: its bytes have the checksum"),
            "{name}: {error}"
        );
        assert!(error.contains("/data/"), "{name}: {error}");
    }
}

/// The same in pieces, as a large tensor is converted, and by the command.
#[test]
fn rows_one_behind_the_other_are_compared() {
    let bytes = fs::read(fixture("plain.pth")).unwrap();
    let mut changed = bytes.clone();
    let place = value(&bytes);
    changed[place] ^= 1;
    let (good, bad) = (Source::memory("x", bytes), Source::memory("x", changed.clone()));
    let list = wait(read_header(&good)).unwrap();
    wait(read_header(&bad)).unwrap();
    let range = list.iter().find(|s| s.range.contains(&(place as u64))).unwrap().range.clone();
    let pieces = |source: &Source| -> Result<()> {
        for at in range.clone().step_by(8) {
            wait(source.read(at..(at + 8).min(range.end)))?;
        }
        Ok(())
    };
    pieces(&good).unwrap();
    assert!(pieces(&bad).unwrap_err().to_string().contains("damaged"));
    // A part alone proves nothing.
    wait(bad.read(range.start..range.end - 4)).unwrap();
    wait(bad.read(range.start + 4..range.end)).unwrap();
    let folder = scratch("torch-sums");
    fs::write(folder.join("model.pth"), changed).unwrap();
    fs::copy(fixture("config.json"), folder.join("config.json")).unwrap();
    let out = folder.join("out");
    let convert =
        ["convert", text(&folder.join("model.pth")), "--out", text(&out)].map(String::from);
    let convert: Vec<&str> = convert.iter().map(String::as_str).collect();
    fails(&convert, "damaged: its bytes have the checksum");
    assert!(!out.exists());
}

#[test]
fn a_changed_pickle_is_found() {
    let mut bytes = fs::read(fixture("plain.pth")).unwrap();
    let name = places(&bytes, b"class_embedding")[0];
    bytes[name] = b'C';
    let error = read(bytes).unwrap_err().to_string();
    assert!(error.contains("data.pkl: damaged"), "{error}");
}

/// torch writes other numbers in place of sums where it is asked to.
#[test]
fn archives_without_sums_are_read() {
    let good = fs::read(fixture("plain.pth")).unwrap();
    let entries = places(&good, b"PK\x01\x02");
    let without = |of: &dyn Fn(usize) -> u32, which: &dyn Fn(&str) -> bool| {
        let mut bytes = good.clone();
        for at in &entries {
            let length = usize::from(u16::from_le_bytes([bytes[at + 28], bytes[at + 29]]));
            let name = String::from_utf8_lossy(&bytes[at + 46..at + 46 + length]).into_owned();
            if which(&name) {
                bytes[at + 16..at + 20].copy_from_slice(&of(*at).to_le_bytes());
            }
        }
        bytes
    };
    read(without(&|_| 0, &|_| true)).unwrap();
    read(without(&|at| at as u32 + 7, &|_| true)).unwrap();
    // Storages that were filled in later have none.
    read(without(&|_| 0, &|name| name.contains("/data/"))).unwrap();
    let error = read(without(&|_| 7, &|name| name.contains("/data/"))).unwrap_err().to_string();
    assert!(error.contains("expected 00000007"), "{error}");
}
