//! Which files of a folder are the model, and what lies in their place.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use internvit::weights::{
    Source, StoredType, Values, init_checkpoint, read_header, write_safetensors,
};
use internvit::{Checkpoint, Result};

use crate::common::root;

fn open(path: &Path) -> Result<Checkpoint> {
    pollster::block_on(Checkpoint::open_path(path))
}

/// A file of the bundled model.
fn tiny(name: &str) -> PathBuf {
    root().join("www/models/internvit-tiny").join(name)
}

/// A folder with the bundled model, its weights under `name`.
fn folder(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(tiny("config.json"), dir.path().join("config.json")).unwrap();
    std::fs::copy(tiny("model.safetensors"), dir.path().join(name)).unwrap();
    dir
}

#[test]
fn the_whole_file_counts_before_a_stale_index() {
    let dir = folder("model.safetensors");
    let index = r#"{"weight_map":{"a":"model-00001-of-00002.safetensors"}}"#;
    std::fs::write(dir.path().join("model.safetensors.index.json"), index).unwrap();
    open(dir.path()).unwrap();
}

#[test]
fn weights_of_other_names() {
    let dir = folder("encoder.safetensors");
    open(dir.path()).unwrap();
    std::fs::write(dir.path().join("other.safetensors"), b"").unwrap();
    let error = open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("encoder.safetensors, other.safetensors"), "{error}");
    let shard = folder("model-00001-of-00001.safetensors");
    open(shard.path()).unwrap();
    let lone = folder("model-00001-of-00002.safetensors");
    let error = open(lone.path()).err().unwrap().to_string();
    assert!(error.contains("model-00002-of-00002.safetensors: missing"), "{error}");
    let other = folder("last.ckpt");
    std::fs::write(other.path().join("optimizer.pt"), b"").unwrap();
    open(other.path()).unwrap();
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let dir = folder("model.safetensors");
    let config = dir.path().join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("\u{feff}{text}")).unwrap();
    assert!(open(dir.path()).unwrap().config.starts_with('{'));
    let out = dir.path().join("random");
    let text = std::fs::read_to_string(&config).unwrap();
    let told = &|_, _| ();
    init_checkpoint("config.json", &text, 1, StoredType::F16, &out, told).unwrap();
    assert!(out.join("model.safetensors").exists());
}

#[test]
fn what_lies_in_place_of_weights_is_named() {
    let mut tar = vec![b'a'; 600];
    tar[257..262].copy_from_slice(b"ustar");
    let cases: [(&[u8], &str); 17] = [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><title>Sign in</title>", "a web page"),
        (b"<?xml version=\"1.0\"?><Error></Error>", "XML"),
        (b"{\"error\":\"Invalid credentials\"}", "JSON"),
        (&tar, "a tar archive"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc", "gzip"),
        (b"\x1f\x8b", "gzip"),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0", "HDF5"),
        (b"GGUF\x03\0\0\0\0\0\0\0", "GGUF"),
        (b"\xfd7zXZ\0\0\x04abcdefgh", "compressed by xz"),
        (b"\x28\xb5\x2f\xfdabcdefgh", "compressed by zstd"),
        (b"BZh91AY&SYabcdefgh", "compressed by bzip2"),
        (b"7z\xbc\xaf\x27\x1c\0\x04abcd", "a 7z archive"),
        (b"Rar!\x1a\x07\x01\0abcd", "a RAR archive"),
        (b"\x93NUMPY\x01\0v\0{'descr'", "an array of NumPy's"),
        (b"Entry not found", "text, perhaps a server's error"),
        (&[0; 600], "nothing but zeros"),
    ];
    for (bytes, expected) in cases {
        for name in ["model.safetensors", "model.bin"] {
            let source = Source::memory(name, bytes.to_vec());
            let error = pollster::block_on(read_header(&source)).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

/// InternVL's own linear probe: a batch norm over two embeddings side by side, and a head.
#[test]
fn a_classifier_on_the_encoder_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let config = r#"{"model_type":"intern_vit_6b","hidden_size":64,"num_hidden_layers":1,
        "num_attention_heads":2,"intermediate_size":128,"image_size":56,"patch_size":14,
        "norm_type":"layer_norm","qkv_bias":true,"qk_normalization":false}"#;
    std::fs::write(dir.path().join("config.json"), config).unwrap();
    let spec = internvit::model::parse_config("config.json", config).unwrap();
    let wanted = internvit::plan::tensors(&spec).into_iter();
    let mut list: Vec<_> = wanted.map(|w| (w.name, w.shape)).collect();
    list.extend([("norm.weight".into(), vec![128]), ("norm.running_mean".into(), vec![128])]);
    list.extend([("head.weight".into(), vec![10, 128])]);
    let zeros = vec![0.0f32; 1 << 16];
    let values = |shape: &[usize]| &zeros[..shape.iter().product()];
    let views: Vec<_> = list
        .iter()
        .map(|(name, shape)| (name.clone(), shape.clone(), Values::F32(values(shape))))
        .collect();
    write_safetensors(&dir.path().join("model.safetensors"), &views).unwrap();
    let mut left_out = open(dir.path()).unwrap().manifest.left_out;
    left_out.sort();
    assert_eq!(left_out, ["norm.running_mean", "norm.weight"]);
}

/// An index of safetensors names no file that other programs would unpickle.
#[test]
fn an_index_names_files_of_its_own_kind() {
    let text = br#"{"weight_map":{"embeddings.class_embedding":"pytorch_model.bin"}}"#;
    let shards = |name: &str| {
        let index = Source::memory(name, text.to_vec());
        pollster::block_on(internvit::weights::shards(&index))
    };
    let error = shards("model.safetensors.index.json").err().unwrap().to_string();
    assert!(error.contains("expected the name of a shard"), "{error}");
    assert_eq!(shards("pytorch_model.bin.index.json").unwrap(), ["pytorch_model.bin"]);
}

#[test]
fn the_configuration_of_something_else_is_refused() {
    let text = r#"{"architecture":"resnet50","num_classes":1000}"#;
    let error = internvit::model::parse_config("config.json", text).err().unwrap().to_string();
    assert!(error.contains("resnet50"), "{error}");
    assert!(error.contains("missing: model_type, hidden_size"), "{error}");
}

/// InternViT-300M as timm publishes it: its configuration and its names.
#[test]
fn timms_internvit_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let config = r#"{"architecture": "vit_intern300m_patch14_448", "num_classes": 0,
        "model_args": {"embed_dim": 64, "depth": 2, "num_heads": 2},
        "pretrained_cfg": {"tag": "ogvl_dist", "input_size": [3, 56, 56]}}"#;
    std::fs::write(dir.path().join("config.json"), config).unwrap();
    let spec = internvit::model::parse_config("config.json", config).unwrap();
    let sizes = (spec.sizes.hidden, spec.sizes.layers, spec.sizes.mlp, spec.sizes.image);
    assert_eq!(sizes, (64, 2, 256, 56));
    let named = |name: &str| {
        let name = name.replace("encoder.layers.", "blocks.");
        let name = name.replace("embeddings.patch_embedding.", "patch_embed.proj.");
        let name = name.replace("embeddings.class_embedding", "cls_token");
        let name = name.replace("embeddings.position_embedding", "pos_embed");
        name.replace(".ls1", ".ls1.gamma").replace(".ls2", ".ls2.gamma")
    };
    let wanted = internvit::plan::tensors(&spec);
    let values = vec![0.5f32; 1 << 17];
    let views: Vec<_> = wanted
        .iter()
        .map(|w| (named(&w.name), w.shape.clone(), &values[..w.shape.iter().product()]))
        .map(|(name, shape, values)| (name, shape, Values::F32(values)))
        .collect();
    write_safetensors(&dir.path().join("model.safetensors"), &views).unwrap();
    let opened = open(dir.path()).map(|opened| opened.manifest.tensors.len());
    assert_eq!(opened.unwrap(), wanted.len());
}

/// A model's folder in the hub's cache is taken for its snapshot.
#[test]
fn folders_of_the_hubs_cache() {
    let cache = tempfile::tempdir().unwrap();
    let model = cache.path().join("models--owner--name");
    for commit in ["aaa", "bbb"] {
        let snapshot = model.join("snapshots").join(commit);
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::copy(tiny("config.json"), snapshot.join("config.json")).unwrap();
        std::fs::copy(tiny("model.safetensors"), snapshot.join("model.safetensors")).unwrap();
    }
    open(&model).unwrap();
    std::fs::create_dir_all(model.join("refs")).unwrap();
    std::fs::write(model.join("refs/main"), "aaa").unwrap();
    assert!(open(&model).unwrap().name().ends_with("snapshots/aaa"));
    assert!(open(&model.join("snapshots")).unwrap().name().ends_with("snapshots/aaa"));
    // A snapshot that was never complete is not taken for the newest.
    std::fs::write(model.join("refs/main"), "ccc").unwrap();
    std::fs::create_dir(model.join("snapshots/ccc")).unwrap();
    assert!(open(&model).unwrap().name().ends_with("snapshots/bbb"));
    // The vision part of a larger model lies in a folder of its commit.
    let (vision, commit) = (cache.path().join("owner--name"), "0".repeat(40));
    std::fs::create_dir(&vision).unwrap();
    std::fs::rename(model.join("snapshots/bbb"), vision.join(&commit)).unwrap();
    assert!(open(&vision).unwrap().name().ends_with(&commit));
}
