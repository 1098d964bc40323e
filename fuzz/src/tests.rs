//! Each target over the small inputs that fuzzing starts from, few enough for Miri: `fuzz/miri`.

use std::path::Path;

/// Runs a target on the inputs of fewer than `limit` bytes.
fn corpus(name: &str, limit: u64, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    files.retain(|file| file.metadata().expect("a file").len() < limit);
    files.sort();
    assert!(files.len() > 3, "{name}: {files:?}");
    for file in files {
        target(&std::fs::read(file).expect("a file"));
    }
}

#[test]
fn corpus_of_arguments() {
    corpus("arguments", 2000, super::arguments);
}

#[test]
fn corpus_of_configurations() {
    corpus("config", 2000, super::config);
}

#[test]
fn corpus_of_headers() {
    corpus("header", 2000, super::header);
}

#[test]
fn corpus_of_names() {
    corpus("names", 2000, super::names);
}

#[test]
fn corpus_of_pickles() {
    corpus("pickle", 3000, super::pickle);
}

#[test]
fn corpus_of_pictures() {
    corpus("image", 75, super::image);
}
