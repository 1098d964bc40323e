//! The models that come with the program.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;

use crate::common::{root, scratch};
use crate::run::{fails, ok, program, text};

/// The program as a user has it, without the tests' choice of a model.
fn plain(args: &[&str]) -> String {
    let output = program().env_remove("INTERNVIT_MODEL").args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The default is DINOv2 ViT-S/14: its class token of the cat at 224 px is that of the weights before they were
/// rounded to 8 bits (`training/dinov2.py`, then `internvit encode --model target/dinov2-small --image-size 224
/// --tokens cls www/samples/chelsea.png --out tests/golden/default_model/chelsea_224_cls.npy`).
#[test]
fn the_default_model_sees_as_before_it_was_rounded() {
    let folder = scratch("built-in");
    let out = folder.join("cls.npy");
    let cat = "www/samples/chelsea.png";
    let size = ["--image-size", "224", "--tokens", "cls", "--device", "cpu"];
    let args = [&["encode", cat, "--out", text(&out)][..], &size].concat();
    plain(&args);
    let read = |path| npyz::NpyFile::new(File::open(path).unwrap()).unwrap().into_vec::<f32>();
    let found = read(out.clone()).unwrap();
    let expected = read(root().join("tests/golden/default_model/chelsea_224_cls.npy")).unwrap();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let lengths = (dot(&found, &found) * dot(&expected, &expected)).sqrt();
    let cosine = dot(&found, &expected) / lengths;
    assert!(found.len() == 384 && cosine > 0.9995, "{cosine}");
}

#[test]
fn a_model_is_named_by_argument_environment_or_neither() {
    let name = |text: &str| {
        let said: serde_json::Value = serde_json::from_str(text).unwrap();
        said["model"].as_str().unwrap().to_string()
    };
    assert_eq!(name(&plain(&["info", "--json"])), "dinov2-small");
    assert_eq!(name(&ok(&["info", "--json", "--model", "bundled"])), "dinov2-small");
    assert_eq!(name(&plain(&["info", "--json", "--model", "internvit-tiny"])), "internvit-tiny");
    // The tests' own choice is the environment's.
    assert_eq!(name(&ok(&["info", "--json"])), "internvit-tiny");
    assert_eq!(name(&ok(&["info", "--json", "--model", "dinov2-small"])), "dinov2-small");
    fails(
        &["info", "--model", "dinov2"],
        "the program's own models (dinov2-small, internvit-tiny)",
    );
}
