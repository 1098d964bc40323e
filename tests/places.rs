//! Which files of a folder are the model, and what lies in their place.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use internvit::weights::{Source, read_header};
use internvit::{Checkpoint, Result};

fn open(path: &Path) -> Result<Checkpoint> {
    pollster::block_on(Checkpoint::open_path(path))
}

/// A folder with the bundled model, its weights under `name`.
fn folder(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy("www/model/config.json", dir.path().join("config.json")).unwrap();
    std::fs::copy("www/model/model.safetensors", dir.path().join(name)).unwrap();
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
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let dir = folder("model.safetensors");
    let config = dir.path().join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("\u{feff}{text}")).unwrap();
    assert!(open(dir.path()).unwrap().config.starts_with('{'));
}

#[test]
fn what_lies_in_place_of_weights_is_named() {
    let mut tar = vec![b'a'; 600];
    tar[257..262].copy_from_slice(b"ustar");
    let cases: [(&[u8], &str); 9] = [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><title>Sign in</title>", "a web page"),
        (b"<?xml version=\"1.0\"?><Error></Error>", "XML"),
        (b"{\"error\":\"Invalid credentials\"}", "JSON"),
        (&tar, "a tar archive"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc", "gzip"),
        (b"\x1f\x8b", "gzip"),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0", "HDF5"),
        (b"GGUF\x03\0\0\0\0\0\0\0", "GGUF"),
    ];
    for (bytes, expected) in cases {
        for name in ["model.safetensors", "model.bin"] {
            let source = Source::memory(name, bytes.to_vec());
            let error = pollster::block_on(read_header(&source)).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

#[test]
fn the_configuration_of_something_else_is_refused() {
    let text = r#"{"architecture":"vit_base_patch16_224","num_classes":1000}"#;
    let error = internvit::model::parse_config("config.json", text).err().unwrap().to_string();
    assert!(error.contains("vit_base_patch16_224"), "{error}");
    assert!(error.contains("missing: hidden_size"), "{error}");
}
