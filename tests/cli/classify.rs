//! `classify`: by a model's own classes, and by words.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::*;
use crate::run::*;
use internvit::weights::{Values, write_safetensors};

/// A copy of a fixture's model with a tokenizer of a few words: what the small towers can read.
pub(crate) fn with_words(case: &str) -> PathBuf {
    let folder = scratch(&format!("{case}-model"));
    for entry in std::fs::read_dir(golden(case)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let vocabulary =
        r#"{"[UNK]": 0, "a": 3, "photo": 4, "of": 5, "cat": 6, "dog": 7, "red": 8, "car": 9}"#;
    let tokenizer = format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": null, "pre_tokenizer": {{"type": "Whitespace"}}, "post_processor": null,
            "decoder": null, "model": {{"type": "WordLevel", "vocab": {vocabulary}, "unk_token": "[UNK]"}}}}"#
    );
    std::fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
    folder
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&ok(&[args, &["--json", "--device", "cpu"]].concat())).unwrap()
}

/// Probabilities of a photograph, in the order in which they are named.
fn probabilities(image: &Value) -> Vec<f64> {
    let list = image["classes"].as_array().unwrap();
    list.iter().map(|class| class["probability"].as_f64().unwrap()).collect()
}

#[test]
fn own_classes() {
    let (cat, model) = (sample("chelsea.png"), golden("vit_classification"));
    let said = json(&["classify", text(&cat), "--model", text(&model), "--top", "9"]);
    let found = probabilities(&said["images"][0]);
    assert_eq!(found.len(), 6);
    assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-5 && found.is_sorted_by(|a, b| a >= b));
    // The same by the logits of `encode`.
    let out = scratch("logits").join("f.safetensors");
    ok(&["encode", text(&cat), "--model", text(&model), "--device", "cpu", "--out", text(&out)]);
    let logits = tensors(&out).remove("logits").unwrap().values;
    let expected = internvit::features::softmax(&logits);
    for class in said["images"][0]["classes"].as_array().unwrap() {
        let place = class["class"].as_u64().unwrap() as usize;
        assert!((class["probability"].as_f64().unwrap() - f64::from(expected[place])).abs() < 1e-5);
    }
    let plain =
        ok(&["classify", text(&cat), "--model", text(&model), "--device", "cpu", "--top", "2"]);
    assert_eq!(plain.lines().count(), 3, "{plain}");
}

/// Words are compared as the two towers say: the same probabilities by `encode --inputs`' outputs.
#[test]
fn words() {
    let (cat, cup) = (sample("chelsea.png"), sample("coffee.png"));
    for (case, sums) in [("clip_quick_gelu", true), ("siglip", false)] {
        let model = with_words(case);
        let args = [
            "classify",
            text(&cat),
            text(&cup),
            "--model",
            text(&model),
            "--labels",
            "cat, red car",
        ];
        let said = json(&args);
        assert_eq!(
            (said["failed"].as_u64(), said["images"].as_array().unwrap().len()),
            (Some(0), 2)
        );
        for image in said["images"].as_array().unwrap() {
            let found = probabilities(image);
            assert_eq!(found.len(), 2);
            assert_eq!((found.iter().sum::<f64>() - 1.0).abs() < 1e-5, sums, "{case}: {found:?}");
        }
        // Templates are averaged; the order of them does not matter, their words do.
        let of = |templates: &[&str]| {
            let flags: Vec<&str> = templates.iter().flat_map(|t| ["--template", t]).collect();
            probabilities(&json(&[&args[..], &flags].concat())["images"][0])
        };
        let (one, two) = (of(&["a {}", "photo {}"]), of(&["photo {}", "a {}"]));
        assert!(one.iter().zip(&two).all(|(a, b)| (a - b).abs() < 1e-5), "{case}: {one:?} {two:?}");
        assert_ne!(one, of(&["{}"]), "{case}");
        assert_eq!(
            probabilities(&said["images"][0]),
            of(&["a photo of a {}"]),
            "{case}: the default"
        );
    }
}

#[test]
fn labels_of_a_file_and_a_table() {
    let folder = scratch("files");
    let (labels, csv, bad) =
        (folder.join("labels.txt"), folder.join("c.csv"), folder.join("bad.png"));
    std::fs::write(&labels, "a cat\n\nred, \"car\"\n").unwrap();
    std::fs::write(&bad, "no picture").unwrap();
    let model = with_words("clip_openclip");
    let cat = sample("chelsea.png");
    let args =
        ["classify", text(&bad), text(&cat), "--model", text(&model), "--labels", text(&labels)];
    let said = json(&[&args[..], &["--csv", text(&csv)]].concat());
    assert_eq!(said["failed"], 1);
    assert!(said["images"][0]["error"].as_str().unwrap().contains("bad.png"));
    let table = std::fs::read_to_string(&csv).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "image,rank,class,name,probability"));
    assert!(table.contains(",\"red, \"\"car\"\"\","), "{table}");
}

#[test]
fn what_is_wrong_is_said() {
    let cat = sample("chelsea.png");
    let refuse = |model: &Path, more: &[&str], expected: &str| {
        let args = ["classify", text(&cat), "--model", text(model), "--device", "cpu"];
        fails(&[&args[..], more].concat(), expected);
    };
    let clip = with_words("clip_quick_gelu");
    refuse(&clip, &[], "no classes of its own");
    refuse(&clip, &["--labels", " , "], "expected words separated by commas");
    refuse(
        &clip,
        &["--labels", "cat", "--template", "a photo"],
        "expected {} where the label stands",
    );
    refuse(&clip, &["--labels", "cat", "--top", "0"], "--top: expected at least 1");
    refuse(&golden("vit_timm"), &["--labels", "cat"], "reads no texts");
    refuse(&golden("siglip"), &["--labels", "cat"], "expected tokenizer.json beside the model");
    let damaged = with_words("siglip");
    std::fs::write(damaged.join("tokenizer.json"), "{\"model\": 1}").unwrap();
    refuse(&damaged, &["--labels", "cat"], "tokenizer.json: ");
    let bad = scratch("bad").join("bad.png");
    std::fs::write(&bad, "no picture").unwrap();
    let args =
        ["classify", text(&bad), "--model", text(&clip), "--labels", "cat", "--device", "cpu"];
    fails(&args, "no photograph could be classified");
}

/// Labels whose features were made elsewhere, for a tower that reads no texts.
#[test]
fn labels_with_features_that_are_given() {
    let folder = golden("internvl_14b");
    let embeds = tensors(&folder.join("expected.safetensors")).remove("text_embeds").unwrap();
    let file = scratch("label_features").join("labels.safetensors");
    let list = [("text_embeds".to_string(), embeds.shape.clone(), Values::F32(&embeds.values))];
    write_safetensors(&file, &list).unwrap();
    let photo = sample("chelsea.png");
    let args =
        ["classify", text(&photo), "--model", text(&folder), "--label-features", text(&file)];
    let labels = |list: &'static str| [&args[..], &["--labels", list]].concat();
    let found = json(&labels("cat, dog, car"));
    let all = probabilities(&found["images"][0]);
    assert!(all.len() == 3 && (all.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{found}");
    fails(&labels("cat, dog"), "text_embeds: expected a row for each of 2 labels, found 3");
    let none = ["classify", text(&photo), "--model", text(&folder), "--labels", "cat, dog, car"];
    fails(&none, "this model reads no texts");
}
