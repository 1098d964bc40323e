//! Converted checkpoints: the same features, the same bytes each time, whole or not at all.
#![allow(clippy::unwrap_used, reason = "tests")]

mod folders;
mod texts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common::*;
use crate::run::*;
use internvit::model::{canonical_config, parse_config};
use internvit::weights::{
    Conversion, Converted, Source, StoredType, Values, convert, init_checkpoint, read_header,
    write_safetensors,
};
use internvit::{Checkpoint, Device, Encoder, Images};
use serde_json::{Value, json};

const WHOLE: Conversion =
    Conversion { dtype: None, quant: None, shard_bytes: 512_000_000, overwrite: false };

fn open(path: &Path) -> Checkpoint {
    wait(Checkpoint::open_path(path)).unwrap()
}

fn converted(source: &Path, out: &Path, conversion: &Conversion) -> Converted {
    wait(convert(&open(source), out, conversion, &mut |_, _| ())).unwrap()
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let read =
        |path: PathBuf| if path.is_dir() { Vec::new() } else { std::fs::read(path).unwrap() };
    entries.map(|e| (e.file_name().into_string().unwrap(), read(e.path()))).collect()
}

fn torch(name: &str) -> PathBuf {
    crate::common::root().join("tests/torch").join(name)
}

/// Hidden states of all layers, or the logits of a head.
fn output(path: &Path, side: usize) -> Vec<f32> {
    let checkpoint = open(path);
    let (layers, head) = (checkpoint.spec.sizes.layers, checkpoint.head.is_some());
    let mut encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
    let values = noise(7, 3 * side * side);
    let images = Images::PixelValues { shape: [1, 3, side, side], values: &values };
    if head {
        return wait(encoder.segment(images, &mut on)).unwrap().values;
    }
    let features = wait(encoder.encode(images, &[layers], &mut on)).unwrap();
    features.tensors[&format!("hidden_states.{layers}")].values.clone()
}

#[test]
fn every_source_gives_the_same_features() {
    let folder = scratch("convert-sources");
    let sources = [
        (golden("encoder_hf_native"), 56),
        (golden("encoder_ln_bias_bf16"), 56),
        (golden("encoder_rms_qknorm_f16"), 56),
        (golden("segment_mmseg_linear"), 56),
        (golden("segment_mmseg_uper"), 56),
        (torch("mmseg.pth"), 8),
        (torch("older.pth"), 8),
        (torch("bfloat.pth"), 8),
    ];
    for (number, (source, side)) in sources.iter().enumerate() {
        for shard_bytes in [512_000_000, 20_000] {
            let out = folder.join(format!("{number}-{shard_bytes}"));
            converted(source, &out, &Conversion { shard_bytes, ..WHOLE });
            assert_eq!(output(&out, *side), output(source, *side), "{source:?}");
            let (before, after) = (open(source), open(&out));
            assert_eq!(after.spec, before.spec, "{source:?}");
            for (name, tensor) in &after.manifest.tensors {
                assert_eq!(tensor.parts[0].key, *name, "canonical names");
                assert_eq!(after.stored_type(name), before.stored_type(name), "{source:?}: {name}");
            }
        }
    }
}

/// A shard holds as many tensors as fit; one that is larger has a shard of its own.
#[test]
fn shards_and_their_index() {
    let folder = scratch("convert-shards");
    let (source, out) = (folder.join("source"), folder.join("out"));
    init_checkpoint("c", &config(16, 2, 32, 3, ""), 1, StoredType::F32, &source, &|_, _| ())
        .unwrap();
    // The patch embedding has 37632 bytes.
    let limit = 8000;
    let done = converted(&source, &out, &Conversion { shard_bytes: limit, ..WHOLE });
    let index: Value =
        serde_json::from_slice(&files(&out)["model.safetensors.index.json"]).unwrap();
    let map = index["weight_map"].as_object().unwrap();
    assert_eq!(
        (map.len(), index["metadata"]["total_size"].as_u64()),
        (done.tensors, Some(done.bytes))
    );
    let shards: Vec<_> = done.files.iter().filter(|f| f.name.ends_with(".safetensors")).collect();
    assert!(shards.len() > 4);
    for (number, shard) in shards.iter().enumerate() {
        assert_eq!(
            shard.name,
            format!("model-{:05}-of-{:05}.safetensors", number + 1, shards.len())
        );
        let list = wait(read_header(&Source::file(&out.join(&shard.name)).unwrap())).unwrap();
        assert!(shard.size <= limit || list.len() == 1, "{}: {} bytes", shard.name, shard.size);
        for stored in list {
            assert_eq!(map[&stored.key], json!(shard.name));
            let bytes = stored.dtype.unwrap().bytes() as u64;
            assert!(stored.range.start.is_multiple_of(bytes), "{}: not aligned", stored.key);
        }
    }
    assert!(shards.iter().any(|s| s.size > limit), "a tensor larger than a shard");
}

/// Any two runs write the same bytes, whichever format the same tensors came in.
#[test]
fn conversions_are_reproducible_and_the_manifest_is_right() {
    use sha2::{Digest, Sha256};
    let folder = scratch("convert-twice");
    let conversion = Conversion { shard_bytes: 4000, dtype: Some(StoredType::Bf16), ..WHOLE };
    let sources = ["plain.pth", "plain.pth", "older.pth", "half.pth", "shared.pth"];
    let outs: Vec<_> = (0..sources.len()).map(|i| folder.join(i.to_string())).collect();
    for (source, out) in sources.iter().zip(&outs) {
        converted(&torch(source), out, &conversion);
    }
    let first = files(&outs[0]);
    for (source, out) in sources.iter().zip(&outs) {
        assert_eq!(files(out), first, "{source}");
    }
    let manifest: Value = serde_json::from_slice(&first["manifest.json"]).unwrap();
    let listed = manifest["files"].as_object().unwrap();
    assert_eq!(listed.len(), first.len() - 1, "all but the manifest itself");
    for (name, entry) in listed {
        let digest: String =
            Sha256::digest(&first[name]).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(*entry, json!({ "size": first[name].len(), "sha256": digest }), "{name}");
    }
    // Nothing is left beside the folders.
    assert_eq!(files(&folder).len(), outs.len());
}

#[test]
fn number_types() {
    let folder = scratch("convert-types");
    let exact = tensors(&torch("expected.safetensors"));
    for (dtype, name) in
        [(StoredType::F32, "float32"), (StoredType::F16, "float16"), (StoredType::Bf16, "bfloat16")]
    {
        for source in ["plain.pth", "half.pth", "bfloat.pth"] {
            let out = folder.join(format!("{source}-{name}"));
            converted(&torch(source), &out, &Conversion { dtype: Some(dtype), ..WHOLE });
            let checkpoint = open(&out);
            let config: Value = serde_json::from_str(&checkpoint.config).unwrap();
            assert_eq!(config["torch_dtype"], name);
            for (tensor, expected) in &exact {
                assert_eq!(checkpoint.stored_type(tensor), dtype);
                assert_eq!(wait(checkpoint.tensor(tensor)).unwrap(), expected.values, "{tensor}");
            }
        }
    }
}

#[test]
fn values_beyond_a_type_are_refused() {
    let folder = scratch("convert-overflow");
    let (source, out) = (folder.join("source"), folder.join("out"));
    let text = config(16, 2, 32, 1, "");
    init_checkpoint("c", &text, 1, StoredType::F32, &source, &|_, _| ()).unwrap();
    let file = source.join("model.safetensors");
    let mut list = tensors(&file);
    let mut try_with = |value: f32, dtype: StoredType| {
        list.get_mut("encoder.layers.0.mlp.fc1.weight").unwrap().values[200] = value;
        let views: Vec<_> = list
            .iter()
            .map(|(n, t)| (n.clone(), t.shape.clone(), Values::F32(&t.values)))
            .collect();
        write_safetensors(&file, &views).unwrap();
        let conversion = Conversion { dtype: Some(dtype), overwrite: true, ..WHOLE };
        wait(convert(&open(&source), &out, &conversion, &mut |_, _| ()))
    };
    for (value, dtype) in [
        (65519.9, StoredType::F16),
        (f32::NEG_INFINITY, StoredType::F16),
        (3.38e38, StoredType::Bf16),
        (f32::MAX, StoredType::F32),
    ] {
        try_with(value, dtype).unwrap();
    }
    let before = files(&out);
    for (value, dtype, expected) in [
        (
            65520.0,
            StoredType::F16,
            "encoder.layers.0.mlp.fc1.weight: 65520 is beyond the range of F16",
        ),
        (-1e6, StoredType::F16, "fc1.weight: -1000000 is beyond the range of F16"),
        (f32::MAX, StoredType::Bf16, "is beyond the range of Bf16"),
    ] {
        let error = try_with(value, dtype).unwrap_err().to_string();
        assert!(error.contains(expected), "expected {expected:?} in {error:?}");
    }
    assert_eq!(files(&out), before, "what was there stays");
    assert_eq!(files(&folder).len(), 2, "nothing half-written stays");
}

/// The configuration says all that is read, and keeps what else it said.
#[test]
fn configurations_are_complete() {
    let canonical =
        |text: &str| canonical_config("c", text, None, Some("bfloat16"), false).unwrap();
    let ours = canonical(&config(16, 2, 32, 2, r#", "layer_norm_eps": 1e-6, "dropout": 0.0"#));
    assert_eq!(
        ours,
        json!({ "model_type": "intern_vit_6b", "hidden_size": 16, "num_attention_heads": 2,
                "intermediate_size": 32, "num_hidden_layers": 2, "image_size": 56, "patch_size": 14,
                "num_channels": 3, "norm_type": "layer_norm", "qkv_bias": true, "hidden_act": "gelu",
                "qk_normalization": false, "layer_norm_eps": 1e-6, "dropout": 0.0,
                "torch_dtype": "bfloat16" })
    );
    let cases = [
        r#"{"model_type": "intern_vit_6b"}"#,
        r#"{"model_type": "internvl_vision"}"#,
        r#"{"model_type": "internvl_vision", "use_qk_norm": true, "attention_bias": true,
            "image_size": [28, 28], "use_mean_pooling": false, "norm_type": "rms_norm"}"#,
        r#"{"llm_config": {"hidden_size": 9}, "vision_config": {"num_attention_heads": 50, "use_moe": false},
            "segmentation": {"head": "uper"}, "random_weights": true}"#,
    ];
    for text in cases {
        let value = canonical(text);
        let again = parse_config("c", &value.to_string()).unwrap();
        assert_eq!(again, parse_config("c", text).unwrap(), "{text}");
        assert_eq!(canonical(&value.to_string()), value, "{text}");
    }
    let vlm = canonical(cases[3]);
    assert_eq!((&vlm["use_moe"], &vlm["random_weights"]), (&json!(false), &json!(true)));
    assert!(vlm["segmentation"]["head"] == "uper" && vlm.get("llm_config").is_none());
}

/// However large the source is, a few pieces of it are in memory.
#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded() {
    use std::io::{Read, Write};
    let folder = scratch("convert-memory");
    let source = folder.join("source");
    std::fs::create_dir(&source).unwrap();
    let text = config(1024, 16, 4096, 1, "");
    std::fs::write(source.join("config.json"), &text).unwrap();
    // A hole of zeros in place of 53 MB of weights.
    let (mut header, mut at) = (serde_json::Map::new(), 0);
    for want in internvit::plan::tensors(&parse_config("c", &text).unwrap()) {
        let end = at + 4 * want.shape.iter().product::<usize>();
        let entry = json!({ "dtype": "F32", "shape": want.shape, "data_offsets": [at, end] });
        header.insert(want.name, entry);
        at = end;
    }
    let header = Value::Object(header).to_string();
    let mut file = std::fs::File::create(source.join("model.safetensors")).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len((8 + header.len() + at) as u64).unwrap();

    let mut command = crate::run::program();
    command.args(["convert", source.to_str().unwrap(), "--shard-size", "20MB", "--out"]);
    let mut child = command.arg(folder.join("out")).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let mut status = String::new();
        let path = format!("/proc/{}/status", child.id());
        let _ = std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut status));
        // What the program itself takes, without the pages of its file.
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    println!("{} MB of weights, {} MB of memory", at >> 20, peak >> 20);
    assert!(at > 50_000_000 && (1 << 20..25_000_000).contains(&peak), "{peak} bytes");
    std::fs::remove_dir_all(folder).unwrap();
}
