//! Relative positions: tables of blocks with one more that all share, and how often they are made.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::*;
use crate::encoder::encode;
use internvit::model::Relative;
use internvit::weights::{Source, Values, write_safetensors};
use internvit::{Checkpoint, Device, Encoder, Features};

const FIXTURES: [&str; 2] = ["beit_classification", "beit_interpolated"];

/// The fixture with a part of every block's table in one that all blocks share.
fn split(fixture: &str) -> PathBuf {
    let folder = scratch(fixture);
    let config = std::fs::read_to_string(golden(fixture).join("config.json")).unwrap();
    let [own, both] =
        ["false", "true"].map(|flag| format!("\"use_shared_relative_position_bias\": {flag}"));
    assert!(config.contains(&own));
    std::fs::write(folder.join("config.json"), config.replace(&own, &both)).unwrap();
    let mut all = tensors(&golden(fixture).join("model.safetensors"));
    let tables: Vec<String> =
        all.keys().filter(|key| key.ends_with("relative_position_bias_table")).cloned().collect();
    assert_eq!(tables.len(), 2);
    let mut shared = all[&tables[0]].clone();
    shared.values = noise(5, shared.values.len());
    for table in &tables {
        let values = &mut all.get_mut(table).unwrap().values;
        values.iter_mut().zip(&shared.values).for_each(|(own, shared)| *own -= shared);
    }
    let (before, after) = tables[0].split_once("layer.").unwrap();
    let name = after.split_once("relative").unwrap().1;
    all.insert(format!("{before}relative{name}"), shared);
    let list: Vec<_> = all
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.shape.clone(), Values::F32(&tensor.values)))
        .collect();
    write_safetensors(&folder.join("model.safetensors"), &list).unwrap();
    folder
}

/// The first picture's tokens of a hidden state.
fn first(features: &Features, layer: usize) -> Vec<f32> {
    let tensor = &features.tensors[&format!("hidden_states.{layer}")];
    tensor.values[..tensor.shape[1] * tensor.shape[2]].to_vec()
}

#[test]
fn a_shared_table_is_added_to_those_of_blocks() {
    for fixture in FIXTURES {
        let checkpoint = wait(Checkpoint::open_path(&split(fixture))).unwrap();
        assert_eq!(checkpoint.spec.relative, Relative::Both);
        let mut both = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
        let checkpoint = wait(Checkpoint::open_path(&golden(fixture))).unwrap();
        let own = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
        let found = encode(&mut both, fixture, &[0, 1, 2]);
        let expected = tensors(&golden(fixture).join("expected.safetensors"));
        for (name, tensor) in &expected {
            assert_close(
                &format!("{fixture} {name}"),
                &found.tensors[name].values,
                &tensor.values,
                1e-5,
            );
        }
        for layer in [1, 2] {
            let hidden = first(&found, layer - 1);
            let rows = [&both, &own].map(|encoder| {
                let attention = wait(encoder.attention(&hidden, found.grid.unwrap(), layer));
                attention.unwrap().mean(3).unwrap()
            });
            assert_close(&format!("{fixture} block {layer}"), &rows[0], &rows[1], 1e-5);
        }
    }
}

/// What the encoder made for a grid serves every block that is looked at.
#[test]
fn tables_are_made_once_a_grid() {
    let fixture = "beit_interpolated";
    let config = std::fs::read_to_string(golden(fixture).join("config.json")).unwrap();
    let bytes = std::fs::read(golden(fixture).join("model.safetensors")).unwrap();
    let reads = Arc::new(AtomicUsize::new(0));
    let (counted, length) = (reads.clone(), bytes.len() as u64);
    let source = Source::ranges("model.safetensors", length, move |range| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(bytes[range.start as usize..range.end as usize].to_vec())
    });
    let checkpoint = wait(Checkpoint::open("beit", &config, vec![source])).unwrap();
    let mut encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
    let features = encode(&mut encoder, fixture, &[0, 1]);
    let before = reads.load(Ordering::Relaxed);
    assert!(before > 0);
    for layer in [2, 1, 2] {
        let hidden = first(&features, layer - 1);
        wait(encoder.attention(&hidden, features.grid.unwrap(), layer)).unwrap();
    }
    assert_eq!(reads.load(Ordering::Relaxed), before);
}
