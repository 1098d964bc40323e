//! What reads texts goes with its model.

use super::*;
use crate::classify::with_words;
use crate::inputs::check_model;

/// A model of each way to write a tower for texts.
const CASES: [&str; 6] = [
    "clip_quick_gelu",
    "clip_openclip",
    "siglip",
    "siglip2_fixed",
    "eva02_clip_openclip",
    "openvision",
];

/// Every output of pictures and texts is that of the fixture, by the converted model.
#[test]
fn towers_for_texts_are_kept() {
    for case in CASES {
        let model = with_words(case);
        let out = scratch(&format!("{case}-converted")).join("model");
        ok(&["convert", text(&model), "--out", text(&out)]);
        assert!(check_model(case, &out, "cpu") > 5, "{case}");
        let written = files(&out);
        assert_eq!(written["tokenizer.json"], std::fs::read(model.join("tokenizer.json")).unwrap());
        let manifest: Value = serde_json::from_slice(&written["manifest.json"]).unwrap();
        assert!(manifest["files"]["tokenizer.json"]["sha256"].is_string(), "{case}");
        // Once more gives the same.
        let again = out.with_file_name("again");
        ok(&["convert", text(&out), "--out", text(&again)]);
        assert!(files(&again) == written, "{case}");
        ok(&["convert", text(&model), "--out", text(&again), "--overwrite"]);
        assert!(files(&again) == written, "{case}");
    }
}

/// Probabilities of words in few bits, and a model without.
#[test]
fn towers_for_texts_in_few_bits_and_left_out() {
    let (model, photo) = (with_words("clip_quick_gelu"), sample("chelsea.png"));
    let folder = scratch("texts");
    let likely = |model: &Path| {
        let args = ["classify", text(&photo), "--model", text(model), "--labels", "cat, red car"];
        let said: Value =
            serde_json::from_str(&ok(&[&args[..], &["--device", "cpu", "--json"]].concat()))
                .unwrap();
        let list = said["images"][0]["classes"].as_array().unwrap().clone();
        let one = list.into_iter().find(|class| class["name"] == "cat").unwrap();
        one["probability"].as_f64().unwrap()
    };
    let int8 = folder.join("int8");
    ok(&["convert", text(&model), "--out", text(&int8), "--dtype", "int8"]);
    let stored = tensors_of(&int8);
    for block in ["encoder.layers.0.mlp.fc1.weight", "text.encoder.layers.0.mlp.fc1.weight"] {
        assert_eq!(stored[block], "I8", "{block}");
    }
    let (whole, rounded) = (likely(&model), likely(&int8));
    assert!((whole - rounded).abs() < 0.02, "{whole} {rounded}");

    let without = folder.join("without");
    ok(&["convert", text(&model), "--out", text(&without), "--no-texts"]);
    assert!(!tensors_of(&without).keys().any(|name| name.starts_with("text.")));
    assert!(!files(&without).contains_key("tokenizer.json"));
    let args = ["classify", text(&photo), "--model", text(&without), "--labels", "cat"];
    fails(&args, "this model reads no texts");
}

/// The types of a converted model's tensors, by name.
fn tensors_of(folder: &Path) -> BTreeMap<String, String> {
    let source = Source::file(&folder.join("model.safetensors")).unwrap();
    let list = wait(read_header(&source)).unwrap();
    list.into_iter().map(|stored| (stored.key, stored.dtype_name)).collect()
}
