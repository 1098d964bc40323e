//! What `init` writes opens and computes, whatever configuration it is of.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;

use crate::common::*;
use crate::run::*;
use internvit::weights::{StoredType, init_checkpoint, init_shards};
use internvit::{Checkpoint, Device, Encoder, Images};

fn described(head: &str) -> String {
    config(32, 2, 64, 4, &format!(r#", "segmentation": {head}"#))
}

/// Random weights of the head that a configuration describes are written too.
#[test]
fn a_head_has_random_weights() {
    for (name, head, classes) in [
        ("one", r#"{"head": "linear", "out_indices": [3], "num_classes": 5}"#, 5),
        ("three", r#"{"head": "linear", "out_indices": [0, 1, 3], "num_classes": 150}"#, 150),
        ("uper", r#"{"head": "uper", "out_indices": [0, 1, 2, 3], "num_classes": 2}"#, 2),
    ] {
        for shard in [u64::MAX, 20_000] {
            let folder = scratch(&format!("init-head-{name}"));
            let config = described(head);
            init_shards("c", &config, 7, StoredType::F16, shard, &folder, &|_, _| ()).unwrap();
            let checkpoint = wait(Checkpoint::open_path(&folder)).unwrap();
            assert_eq!(checkpoint.file_names().count() > 1, shard < u64::MAX, "{name}");
            let mut encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
            let values = noise(1, 3 * 56 * 56);
            let images = Images::PixelValues { shape: [1, 3, 56, 56], values: &values };
            let logits = wait(encoder.segment(images, &mut on)).unwrap();
            assert_eq!(logits.shape[1], classes, "{name}");
            assert!(logits.values.iter().all(|value| value.is_finite()), "{name}");
            assert!(logits.values.iter().any(|value| *value != logits.values[0]), "{name}");
        }
    }
}

/// The command writes a folder that every other command takes.
#[test]
fn the_command_writes_a_head() {
    let folder = scratch("init-command");
    let (given, model) = (folder.join("given.json"), folder.join("model"));
    let head = r#"{"head": "uper", "out_indices": [0, 1, 2, 3], "num_classes": 7}"#;
    fs::write(&given, described(head)).unwrap();
    ok(&["init", "--config", text(&given), "--out", text(&model)]);
    let (cat, labels) = (sample("chelsea.png"), folder.join("labels.png"));
    ok(&["info", "--model", text(&model)]);
    let segment = ["segment", text(&cat), "--model", text(&model), "--device", "cpu"];
    ok(&[&segment[..], &["--labels", text(&labels)]].concat());
    assert!(labels.is_file());
    let converted = folder.join("converted");
    ok(&["convert", text(&model), "--out", text(&converted)]);
}

/// Every dialect that is read can be written with random weights.
#[test]
fn every_dialect_opens() {
    for name in fs::read_dir(golden("")).unwrap().map(|entry| entry.unwrap().file_name()) {
        let given = golden(name.to_str().unwrap()).join("config.json");
        let Ok(config) = fs::read_to_string(&given) else { continue };
        let folder = scratch("init-dialect");
        init_checkpoint("c", &config, 1, StoredType::Bf16, &folder, &|_, _| ()).unwrap();
        let opened = wait(Checkpoint::open_path(&folder));
        assert!(opened.is_ok(), "{name:?}: {}", opened.err().unwrap());
    }
}

/// What could not be opened is refused, and nothing is written.
#[test]
fn what_would_not_open_is_refused() {
    for (name, config, expected) in [
        (
            "classes",
            described(r#"{"head": "linear", "out_indices": [3], "num_classes": 0}"#),
            "segmentation.num_classes",
        ),
        (
            "level",
            described(r#"{"head": "linear", "out_indices": [4], "num_classes": 3}"#),
            "segmentation.out_indices",
        ),
    ] {
        let folder = scratch("init-refused").join(name);
        let done = init_checkpoint("c", &config, 1, StoredType::F16, &folder, &|_, _| ());
        let error = done.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected) && error.starts_with("c: "), "{name}: {error}");
        assert!(!folder.exists(), "{name}");
    }
}
