//! What strangers wrote reaches a terminal spelled out and bounded, by whichever exit.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(unix)]

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::common::*;
use crate::run::*;
use internvit::error::is_hidden;
use internvit::weights::{StoredType, Values, init_checkpoint, write_safetensors_with};

/// A title, a colour, marks that turn and hide, a line of its own.
const EVIL: &str =
    "\u{1b}]0;PWNED\u{7}\u{1b}[31m\u{202e}\u{2066}\u{200b}\u{e0041}\u{9b}x\r\ninternvit: fine";

/// Runs a command; its output has lines of bounded length and nothing hidden. Both streams.
#[track_caller]
fn clean(args: &[&OsStr]) -> (String, String, bool) {
    // A command without a place for its output writes where it runs.
    let here = env!("CARGO_TARGET_TMPDIR");
    let output = crate::run::program().current_dir(here).args(args).output().unwrap();
    let [out, err] =
        [&output.stdout, &output.stderr].map(|b| String::from_utf8(b.clone()).unwrap());
    for text in [&out, &err] {
        let hidden = text.chars().find(|c| is_hidden(*c) && *c != '\n');
        assert_eq!(hidden, None, "{args:?}: {text:?}");
        assert!(!text.lines().any(|line| line == "internvit: fine"), "{args:?}: {text:?}");
    }
    assert!(err.len() < 20_000, "{args:?}: {} bytes", err.len());
    let longest = err.lines().map(str::len).max().unwrap_or(0);
    assert!(longest < 2_300, "{args:?}: a line of {longest} bytes");
    assert!(!err.contains("panicked") && output.status.code() != Some(101), "{args:?}: {err}");
    (out, err, output.status.success())
}

fn words<'a>(words: &'a [&'a str]) -> Vec<&'a OsStr> {
    words.iter().map(|word| OsStr::new(*word)).collect()
}

/// A model, and a head of two classes with names.
fn model(folder: &Path, names: Option<&[&str]>, more: &str) -> (PathBuf, PathBuf) {
    let (model, head) = (folder.join("m"), folder.join("h.safetensors"));
    let config = config(16, 2, 32, 1, more);
    init_checkpoint("config.json", &config, 1, StoredType::F32, &model, &|_, _| ()).unwrap();
    let (weight, bias) = (noise(1, 32), [0.0, 0.0]);
    let list = [
        ("decode_head.conv_seg.weight".to_string(), vec![2, 16, 1, 1], Values::F32(&weight)),
        ("decode_head.conv_seg.bias".to_string(), vec![2], Values::F32(&bias)),
        ("decode_head.norm.weight".to_string(), vec![16], Values::F32(&[1.0; 16])),
        ("decode_head.norm.bias".to_string(), vec![16], Values::F32(&[0.0; 16])),
        ("decode_head.norm.running_mean".to_string(), vec![16], Values::F32(&[0.0; 16])),
        ("decode_head.norm.running_var".to_string(), vec![16], Values::F32(&[1.0; 16])),
    ];
    let said = names.map(|names| {
        let said = serde_json::json!({
            "head": "linear", "out_indices": [0], "num_classes": 2, "classes": names,
        });
        HashMap::from([("segmentation".to_string(), said.to_string())])
    });
    write_safetensors_with(&head, &list, said).unwrap();
    (model, head)
}

#[test]
fn names_of_classes() {
    let folder = scratch("text-classes");
    let cat = sample("chelsea.png");
    let long = format!("{EVIL}{}", "y".repeat(3 << 20));
    let classes = |names: &[&str]| {
        let said = serde_json::json!({
            "head": "linear", "out_indices": [0], "num_classes": 2, "classes": names,
        });
        format!(", \"segmentation\": {said}")
    };
    for names in [[EVIL, "b"], [&long, EVIL]] {
        for (own, more) in [(Some(&names[..]), String::new()), (None, classes(&names))] {
            let (model, head) = model(&folder, own, &more);
            let picture = folder.join("p.png");
            let mut args = vec!["segment", text(&cat), "--model", text(&model)];
            // The model's own head has random weights.
            if own.is_some() {
                args.extend(["--head", text(&head)]);
            }
            let more = ["--device", "cpu", "--whole", "--picture", text(&picture)];
            let (_, said, done) = clean(&words(&[&args[..], &more].concat()));
            assert!(done && said.contains("chelsea.png: "), "{said}");
            let (out, _, done) = clean(&words(&[&args[..], &more, &["--json"]].concat()));
            let value: serde_json::Value = serde_json::from_str(&out).unwrap();
            let list = value["images"][0]["classes"].as_array().unwrap().clone();
            assert!(
                done && list.iter().all(|class| names.contains(&class["name"].as_str().unwrap()))
            );
        }
    }
}

#[test]
fn names_of_tensors() {
    let folder = scratch("text-tensors");
    let (model, _) = model(&folder, None, "");
    let file = model.join("model.safetensors");
    let out = folder.join("out");
    for evil in [EVIL.to_string(), format!("{EVIL}{}", "z".repeat(3 << 20))] {
        let kept = tensors(&file);
        let mut list: Vec<_> = kept
            .iter()
            .map(|(name, t)| (name.clone(), t.shape.clone(), Values::F32(&t.values)))
            .collect();
        list.extend((0..1000).map(|i| (format!("{i}{EVIL}.x"), vec![1], Values::F32(&[0.0]))));
        list.push((evil.clone(), vec![1], Values::F32(&[0.0])));
        let strange = folder.join("strange");
        std::fs::create_dir_all(&strange).unwrap();
        std::fs::copy(model.join("config.json"), strange.join("config.json")).unwrap();
        write_safetensors_with(&strange.join("model.safetensors"), &list, None).unwrap();
        let args = ["convert", text(&strange), "--out", text(&out), "--overwrite"];
        clean(&words(&args));
        clean(&words(&[&args[..], &["--json"]].concat()));
        clean(&words(&["info", "--model", text(&strange)]));
        clean(&words(&["info", "--model", text(&strange), "--json"]));
        let arguments = ["encode", "--pixel-values", text(&file), "--out", "x.npz"];
        clean(&words(&arguments));
    }
}

#[test]
fn names_of_files_and_arguments() {
    let folder = scratch("text-files");
    let here = folder.join(EVIL);
    std::fs::create_dir_all(&here).unwrap();
    let cat = here.join("cat.png");
    std::fs::copy(sample("chelsea.png"), &cat).unwrap();
    std::fs::write(here.join("broken.png"), "\u{89}PNG").unwrap();
    std::fs::write(here.join(format!("x.{EVIL}")), "no picture").unwrap();
    let (evil, long) =
        (OsString::from(EVIL), OsString::from(format!("{EVIL}{}", "a".repeat(99_000))));
    let small = words(&["--device", "cpu", "--image-size", "56"]);
    let missing = here.join("missing.png");
    let out = here.join("o.npz");
    for command in
        ["encode", "look", "segment", "teach", "preprocess", "info", "convert", "init", "bench"]
    {
        for path in [cat.as_os_str(), here.as_os_str(), missing.as_os_str(), &evil, &long] {
            clean(&[OsStr::new(command), path]);
            clean(&[OsStr::new(command), path, OsStr::new("--out"), out.as_os_str()]);
            clean(&[OsStr::new(command), OsStr::new("--model"), path, cat.as_os_str()]);
        }
        for option in
            ["--device", "--dtype", "--resize", "--view", "--point", "--nothing", "--max-memory"]
        {
            for value in [&evil, &long] {
                clean(&[OsStr::new(command), cat.as_os_str(), OsStr::new(option), value]);
            }
        }
    }
    for value in [&evil, &long] {
        clean(&[value]);
        let output = crate::run::program()
            .args(["preprocess", "x", "--out", "y.npz"])
            .env("INTERNVIT_MAX_MEMORY", value)
            .output();
        let error = String::from_utf8(output.unwrap().stderr).unwrap();
        assert!(!error.trim_end().chars().any(is_hidden) && error.len() < 2300, "{error:?}");
    }
    let (look, view) = (OsStr::new("look"), words(&["--view", "norms", "--out"]));
    let picture = here.join("n.png");
    let (out, _, done) =
        clean(&[&[look, cat.as_os_str()], &view[..], &[picture.as_os_str()], &small].concat());
    assert!(done && out.contains("wrote "), "{out}");
    let args = [OsStr::new("encode"), here.as_os_str(), OsStr::new("--out")];
    let table = here.join("o.parquet");
    let (_, said, done) = clean(&[&args[..], &[table.as_os_str()], &small].concat());
    assert!(done && said.contains("1 failed"), "{said}");
}
