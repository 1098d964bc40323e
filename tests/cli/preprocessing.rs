//! What a model's `preprocessor_config.json` asks for is done, told or refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::PathBuf;

use crate::common::*;
use crate::run::*;
use internvit::image::{Filter, Fit, Normal, Resize, decode, pixel_values};
use internvit::model::{Preprocessing, parse_preprocessing};
use internvit::weights::{StoredType, init_checkpoint};
use internvit::{Checkpoint, Device, Encoder, Images};
use serde_json::{Value, json};

/// InternViT's own, but for what tells it from the defaults.
const OTHER: &str = r#"{"crop_size": 28, "do_center_crop": true, "do_normalize": true,
    "do_resize": true, "feature_extractor_type": "CLIPFeatureExtractor", "resample": 2, "size": 42,
    "image_mean": [0.5, 0.25, 0.75], "image_std": [0.5, 0.125, 0.25],
    "rescale_factor": 0.00784313725490196}"#;

const NORMAL: Normal = Normal { divisor: 127.5, mean: [0.5, 0.25, 0.75], std: [0.5, 0.125, 0.25] };

/// A random model of 56 pixels with these two files, where they are given.
fn model(name: &str, extra: &str, preprocessor: Option<&str>) -> PathBuf {
    let folder = scratch(name);
    let config = config(8, 1, 4, 1, extra);
    init_checkpoint("config.json", &config, 1, StoredType::F32, &folder, &|_, _| ()).unwrap();
    if let Some(text) = preprocessor {
        fs::write(folder.join("preprocessor_config.json"), text).unwrap();
    }
    folder
}

fn read(text: &str) -> internvit::Result<(Preprocessing, Option<String>)> {
    let sizes = random_sizes();
    parse_preprocessing("m/preprocessor_config.json", text, &sizes)
}

fn random_sizes() -> internvit::model::Sizes {
    internvit::model::parse_config("config.json", &config(8, 1, 4, 1, "")).unwrap().sizes
}

/// Every command that takes a photograph obeys, and options that are given win.
#[test]
fn commands_obey_the_models_preprocessing() {
    let folder = model("preprocessing-obeyed", "", Some(OTHER));
    let photo = sample("chelsea.png");
    let picture = decode("chelsea.png", &fs::read(&photo).unwrap()).unwrap();
    let fit = Fit { short: 42, filter: Filter::Bilinear, ..Fit::new(Resize::Crop, 28, 14) };
    let values = |fit: &Fit| pixel_values(&[fit.apply(&picture).unwrap()], &NORMAL).unwrap();
    let (model, out) = (text(&folder), folder.join("out.safetensors"));
    let prepared = |more: &[&str]| {
        ok(&[&["preprocess", text(&photo), "--model", model, "--out", text(&out)], more].concat());
        tensors(&out)["pixel_values"].values.clone()
    };
    assert_eq!(prepared(&[]), values(&fit));
    assert_eq!(prepared(&["--resize", "squash"]), values(&Fit { resize: Resize::Squash, ..fit }));
    let twice = Fit { size: 56, short: 84, ..fit };
    assert_eq!(prepared(&["--size", "56"]), values(&twice));
    assert_eq!(prepared(&["--tiles", "2"]).len(), 3 * 3 * 28 * 28);

    // Features of the photograph, and of the pixels made here.
    let features = |more: &[&str]| {
        let rest = ["--model", model, "--device", "cpu", "--out", text(&out)];
        ok(&[&["encode"], more, &rest].concat());
        tensors(&out)["last_hidden_state"].values.clone()
    };
    let pixels = folder.join("pixels.npy");
    ok(&["preprocess", text(&photo), "--model", model, "--out", text(&pixels)]);
    let expected = features(&["--pixel-values", text(&pixels)]);
    assert_close("encode", &features(&[text(&photo)]), &expected, 1e-6);

    let report: Value = serde_json::from_str(&ok(&["info", "--model", model, "--json"])).unwrap();
    let said = &report["preprocessing"];
    assert_eq!(said["size"], 28);
    assert_eq!((&said["resize"], &said["filter"]), (&json!("crop"), &json!("bilinear")));
    assert_eq!((&said["mean"], &said["divisor"]), (&json!([0.5, 0.25, 0.75]), &json!(127.5)));
    assert!(ok(&["info", "--model", model]).contains("28 px (crop, bilinear)"));

    // A converted model is fed as before.
    let copy = folder.join("copy");
    ok(&["convert", model, "--out", text(&copy)]);
    assert_eq!(fs::read_to_string(copy.join("preprocessor_config.json")).unwrap(), OTHER);
}

/// Bytes that a device normalises, and pixels normalised here, make the same features.
#[test]
fn devices_normalise_as_the_model_asks() {
    let folder = model("preprocessing-devices", "", Some(OTHER));
    let picture = decode("", &fs::read(sample("coffee.png")).unwrap()).unwrap();
    let picture = Resize::Squash.fit(&picture, 56, 14).unwrap();
    let values = pixel_values(std::slice::from_ref(&picture), &NORMAL).unwrap();
    for device in [Device::Cpu, Device::Gpu] {
        if device == Device::Gpu && gpu().is_none() {
            continue;
        }
        let checkpoint = wait(Checkpoint::open_path(&folder)).unwrap();
        let mut encoder = wait(Encoder::load(checkpoint, &device, &mut on_bytes)).unwrap();
        let pictures = std::slice::from_ref(&picture);
        let pixels = Images::PixelValues { shape: [1, 3, 56, 56], values: &values };
        let [a, b] = [Images::Pictures(pictures), pixels].map(|images| {
            let found = wait(encoder.encode(images, &[], &mut on)).unwrap();
            found.tensors["last_hidden_state"].values.clone()
        });
        assert_close("bytes and pixels", &a, &b, 1e-6);
    }
}

#[test]
fn the_forms_of_the_image_processors() {
    let shape = |text: &str| {
        let (read, note) = read(text).unwrap();
        assert_eq!(note, None, "{text}");
        let fit = read.fit(&random_sizes(), None, None);
        (fit.resize, fit.size, fit.short)
    };
    let (squash, crop, native) = (Resize::Squash, Resize::Crop, Resize::Native);
    for (text, expected) in [
        ("{}", (squash, 56, 56)),
        ("\u{feff}{}", (squash, 56, 56)),
        // GotOcr2ImageProcessor, of InternVL's port.
        (
            r#"{"crop_size": null, "do_center_crop": null, "size": {"height": 28, "width": 28}}"#,
            (squash, 28, 28),
        ),
        (
            r#"{"size": {"shortest_edge": 42}, "crop_size": {"height": 28, "width": 28}}"#,
            (crop, 28, 42),
        ),
        (r#"{"size": {"shortest_edge": 28}, "do_center_crop": false}"#, (native, 28, 28)),
        (r#"{"size": 28, "image_processor_type": "ViTImageProcessor"}"#, (squash, 28, 28)),
        (r#"{"size": 28, "crop_size": 28, "do_center_crop": true}"#, (crop, 28, 28)),
        (r#"{"size": 42, "crop_size": 28, "do_center_crop": false}"#, (squash, 42, 42)),
        (r#"{"do_center_crop": true}"#, (crop, 56, 56)),
    ] {
        assert_eq!(shape(text), expected, "{text}");
    }
    let normal = |text: &str| read(text).unwrap().0.normal;
    assert_eq!(normal("{}"), Normal::default());
    assert_eq!(normal(r#"{"rescale_factor": 0.00392156862745098}"#), Normal::default());
    assert_eq!(normal(r#"{"do_normalize": false}"#).mean, [0.0; 3]);
    assert_eq!(normal(r#"{"do_rescale": false, "image_std": [58, 57, 57]}"#).divisor, 1.0);
    assert_eq!(normal(r#"{"image_mean": 0.5}"#).mean, [0.5; 3]);
    for (number, filter) in [(1, "lanczos"), (2, "bilinear"), (3, "bicubic"), (4, "box")] {
        let text = format!(r#"{{"resample": {number}}}"#);
        assert_eq!(read(&text).unwrap().0.filter.name(), filter);
    }
}

/// timm's form, within `config.json`; a `preprocessor_config.json` beside it comes first.
#[test]
fn timms_form_in_a_configuration() {
    let extra = r#", "pretrained_cfg": {"input_size": [3, 28, 28], "interpolation": "bilinear",
        "crop_pct": 0.5, "crop_mode": "center", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}"#;
    let open = |name: &str, beside| wait(Checkpoint::open_path(&model(name, extra, beside)));
    let read = open("preprocessing-timm", None).unwrap().spec.preprocessing;
    let fit = read.fit(&random_sizes(), None, None);
    assert_eq!((fit.resize, fit.size, fit.short), (Resize::Crop, 28, 56));
    assert_eq!((fit.filter, read.normal.mean), (Filter::Bilinear, [0.5; 3]));
    let read = open("preprocessing-both", Some("{}")).unwrap().spec.preprocessing;
    assert_eq!(read, Preprocessing::default());
    let bad = extra.replace("0.5, 0.5], \"std", "0.5], \"std");
    let config = config(8, 1, 4, 1, &bad);
    let folder = model("preprocessing-bad-timm", "", None);
    fs::write(folder.join("config.json"), config).unwrap();
    refused("timm", wait(Checkpoint::open_path(&folder)), "config.json: pretrained_cfg.mean: exp");
}

/// One note names what cannot be done, what the file says and what is done.
#[test]
fn what_is_not_obeyed_is_told() {
    for (text, expected) in [
        (r#"{"resample": 0}"#, "resample is 0: this is nearest; bicubic is taken"),
        (r#"{"do_resize": false}"#, "do_resize is false: photographs are resized"),
        (r#"{"size": {"height": 28, "width": 56}}"#, "photographs become 56 × 56 pixels"),
        (r#"{"size": {"longest_edge": 980}}"#, r#"size is {"longest_edge":980}: photographs be"#),
        (r#"{"size": 50}"#, "size is 50: patches have 14 pixels, so 56 is taken"),
        (r#"{"size": {"shortest_edge": 14}, "crop_size": 28}"#, "nothing is padded"),
        (r#"{"do_flip_channel_order": true}"#, "do_flip_channel_order is true: this is not done"),
        (r#"{"crop_to_patches": true}"#, "crop_to_patches is true: tiles"),
    ] {
        let note = read(text).unwrap().1.unwrap();
        assert!(note.starts_with("m/preprocessor_config.json: "), "{note}");
        assert!(note.contains(expected), "{text}: {note}");
    }
    let both = r#"{"resample": 0, "do_pad": true}"#;
    let folder = model("preprocessing-told", "", Some(both));
    let output = internvit(&["info", "--model", text(&folder)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("resample is 0") && said.contains("do_pad is true"), "{said}");
}

/// Nonsense is one error that names file and key.
#[test]
fn nonsense_is_refused() {
    for (text, expected) in [
        (r#"{"image_std": [0, 0.5, 0.5]}"#, "image_std: expected a number from 0.000001"),
        (r#"{"image_std": [-1, 0.5, 0.5]}"#, "image_std: "),
        (r#"{"image_mean": [0.5, 0.5]}"#, "image_mean: expected three numbers, found [0.5,0.5]"),
        (r#"{"image_mean": ["a", 0.5, 0.5]}"#, "image_mean: expected a number"),
        (r#"{"image_mean": [1e300, 0.5, 0.5]}"#, "image_mean: "),
        (r#"{"image_mean": [NaN, 0.5, 0.5]}"#, "image_mean: expected a number"),
        (r#"{"image_std": [0.5, Infinity, 0.5]}"#, "image_std: expected a number"),
        (r#"{"image_std": [0.5, 0.5, -Infinity]}"#, "image_std: expected a number"),
        (r#"{"rescale_factor": 0}"#, "rescale_factor: expected a number"),
        (r#"{"size": 0}"#, "size: expected 1 to 16384 pixels"),
        (r#"{"size": 1000000}"#, "size: expected 1 to 16384 pixels"),
        (r#"{"size": 56.5}"#, "size: expected 1 to 16384 pixels"),
        (r#"{"size": "56"}"#, "size: expected 1 to 16384 pixels"),
        (r#"{"size": {"shortest_edge": -1}}"#, "size.shortest_edge: expected 1 to 16384"),
        (r#"{"size": {"height": 56}}"#, "size: expected a number, height and width, or"),
        (r#"{"crop_size": {"width": 0, "height": 5}}"#, "crop_size.width: expected 1 to"),
        (r#"{"max_patches": 0}"#, "max_patches: expected 1 to 256 tiles, found 0"),
        (r#"{"min_patches": 7, "max_patches": 6}"#, "min_patches: expected at most 6, found 7"),
        (r#"{"crop_to_patches": 1}"#, "crop_to_patches: expected true or false"),
        (r#"{"resample": 9}"#, "resample: expected Pillow's number"),
        (r#"{"do_center_crop": "yes"}"#, "do_center_crop: expected true or false"),
        ("[]", "expected an object"),
        ("", "EOF"),
        ("{", "EOF"),
    ] {
        refused(text, read(text), expected);
        refused(text, read(text), "m/preprocessor_config.json: ");
    }
    let damaged = |name: &str, text: &str, expected: &str| {
        let folder = model(name, "", Some(text));
        refused(text, wait(Checkpoint::open_path(&folder)), expected);
    };
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n";
    damaged("preprocessing-pointer", pointer, "preprocessor_config.json: a Git LFS pointer");
    damaged("preprocessing-page", "<!doctype html>", "preprocessor_config.json: a web page");
    let folder = model("preprocessing-folder", "", None);
    fs::create_dir(folder.join("preprocessor_config.json")).unwrap();
    refused("folder", wait(Checkpoint::open_path(&folder)), "expected a file");
}

/// Newer programs write the same as an object of `processor_config.json`, which comes first, as it does
/// for them; one of a tokenizer alone says nothing.
#[test]
fn the_processors_file_of_newer_programs() {
    let nested =
        format!(r#"{{"processor_class": "P", "image_processor": {OTHER}, "video_processor": 1}}"#);
    assert_eq!(read(&nested).unwrap().0, read(OTHER).unwrap().0);
    let folder = model("preprocessing-processor", "", Some(r#"{"size": 28}"#));
    let opened = |text: &str| {
        fs::write(folder.join("processor_config.json"), text).unwrap();
        wait(Checkpoint::open_path(&folder))
    };
    let found = opened(&nested).unwrap();
    assert_eq!(found.spec.preprocessing, read(OTHER).unwrap().0);
    // A converted model has it under the name that every program knows.
    let copy = folder.with_file_name("preprocessing-processor-copy");
    let _ = fs::remove_dir_all(&copy);
    ok(&["convert", text(&folder), "--out", text(&copy)]);
    assert!(!copy.join("processor_config.json").exists());
    let copied = wait(Checkpoint::open_path(&copy)).unwrap();
    assert_eq!(copied.spec.preprocessing, found.spec.preprocessing);
    for other in [r#"{"processor_class": "P"}"#, r#"{"image_processor": null}"#] {
        assert_eq!(opened(other).unwrap().spec.preprocessing.size, Some(28), "{other}");
    }
    let note = opened(r#"{"image_processor": {"do_pad": true}}"#).unwrap().notes.remove(0);
    assert!(note.contains("/processor_config.json: image_processor.do_pad is true"), "{note}");
    let file = "processor_config.json: ";
    for (text, expected) in [
        (r#"{"image_processor": 1}"#, "image_processor: expected an object, found 1"),
        (r#"{"image_processor": {"size": 0}}"#, "image_processor.size: expected 1 to"),
        (r#"{"image_processor": {}, "image_processor": {}}"#, "image_processor: present twice"),
        ("[]", "expected an object"),
        ("<!doctype html>", "a web page"),
        ("", "EOF"),
    ] {
        refused(text, opened(text), expected);
        refused(text, opened(text), file);
    }
    let out = folder.join("processor_config.json");
    let photo = sample("coffee.png");
    let args = ["preprocess", text(&photo), "--model", text(&folder), "--out", text(&out)];
    assert!(!internvit(&args).status.success());
}

/// A table knows which pixels its rows were made of.
#[test]
fn tables_tell_preprocessing_apart() {
    let (photo, folder) = (sample("coffee.png"), model("preprocessing-table", "", None));
    let table = folder.join("t.parquet");
    let add = |more: &[&str]| {
        let all = ["encode", text(&photo), "--model", text(&folder), "--device", "cpu"];
        internvit(&[&all[..], &["--out", text(&table)], more].concat())
    };
    let said = |output: std::process::Output| String::from_utf8(output.stderr).unwrap();
    assert!(said(add(&[])).contains("1 encoded"));
    let write = |text: &str| fs::write(folder.join("preprocessor_config.json"), text).unwrap();
    write(r#"{"do_center_crop": true}"#);
    assert!(said(add(&[])).contains("written with resize squash, now crop"));
    assert!(said(add(&["--resize", "squash"])).contains("nothing to do"));
    write(r#"{"image_mean": [0.5, 0.5, 0.5]}"#);
    assert!(said(add(&[])).contains("written with model_digest"));
}
