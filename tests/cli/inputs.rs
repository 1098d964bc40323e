//! `encode --inputs`: every model of the fixtures through the command line, pictures and texts.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use crate::common::*;
use crate::run::*;
use internvit::Tensor;
use internvit::weights::{Values, write_safetensors};

/// Names of the fixtures that hold one encoder with its inputs.
pub(crate) fn cases() -> Vec<String> {
    let all = std::fs::read_dir(golden("")).unwrap().map(|entry| entry.unwrap().path());
    let whole =
        |path: &Path| path.join("case.json").exists() && path.join("model.safetensors").exists();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    let mut list: Vec<String> = all.filter(|path| whole(path)).map(|path| name(&path)).collect();
    list.sort();
    list
}

/// Rows of zeros behind a picture's patches are compared with nothing.
fn compared(case: &str, name: &str, expected: &Tensor) -> Vec<usize> {
    let all = 0..expected.values.len();
    if case != "siglip2_naflex" || expected.shape.len() != 3 || name.starts_with("text_") {
        return all.collect();
    }
    let [_, rows, c] = expected.shape[..] else { panic!("{name}") };
    let patch = 8;
    let input = tensors(&golden(case).join("input.safetensors"));
    let own = |picture: usize| {
        let shape = &input[&format!("image.{picture}")].shape;
        shape[1] / patch * (shape[2] / patch)
    };
    all.filter(|at| at / c % rows < own(at / c / rows)).collect()
}

/// The outputs of a case as the command line writes them, held against its expectation.
fn check(case: &str, device: &str) -> usize {
    check_model(case, &golden(case), device)
}

/// The same by a model of the case's that lies elsewhere.
pub(crate) fn check_model(case: &str, model: &Path, device: &str) -> usize {
    let (folder, out) = (golden(case), scratch(case).join("out.safetensors"));
    let input = folder.join("input.safetensors");
    let args =
        ["encode", "--inputs", text(&input), "--model", text(model), "--hidden-states", "all"];
    ok(&[&args[..], &["--device", device, "--out", text(&out)]].concat());
    let (found, expected) = (tensors(&out), tensors(&folder.join("expected.safetensors")));
    for (name, expected) in &expected {
        let Some(found) = found.get(name) else {
            panic!("{case}: no {name} among {:?}", found.keys());
        };
        assert_eq!(found.shape, expected.shape, "{case} {name}");
        let largest = expected.values.iter().fold(1.0f32, |most, value| most.max(value.abs()));
        for at in compared(case, name, expected) {
            let (found, expected) = (found.values[at], expected.values[at]);
            let far = (found - expected).abs();
            assert!(far <= 1e-4 * largest, "{case} {name} {at}: {found}, expected {expected}");
        }
    }
    expected.len()
}

#[test]
fn every_case() {
    let cases = cases();
    assert!(cases.len() >= 29, "{cases:?}");
    let outputs: usize = cases.iter().map(|case| check(case, "cpu")).sum();
    assert!(outputs > 150, "{outputs} outputs");
}

/// Padding is zeros.
#[test]
fn rows_beyond_a_picture() {
    let (folder, out) = (golden("siglip2_naflex"), scratch("naflex").join("out.npz"));
    let input = folder.join("input.safetensors");
    ok(&[
        "encode",
        "--inputs",
        text(&input),
        "--model",
        text(&folder),
        "--device",
        "cpu",
        "--out",
        text(&out),
    ]);
    let (names, (shape, values)) = npz(&out, "last_hidden_state");
    assert_eq!(shape, [2, 16, 40]);
    // 3 × 5 patches of 16.
    assert!(values[15 * 40..16 * 40].iter().all(|value| *value == 0.0));
    assert!(values[14 * 40..15 * 40].iter().any(|value| *value != 0.0));
    assert!(names.contains(&"probabilities.npy".to_string()), "{names:?}");
}

#[test]
fn what_is_wrong_is_said() {
    let folder = golden("clip_quick_gelu");
    let file = |name: &str, tensors: &[(&str, &[usize])]| {
        let path = scratch(name).join("in.safetensors");
        let zeros: Vec<Vec<f32>> =
            tensors.iter().map(|(_, shape)| vec![0.0; shape.iter().product()]).collect();
        let list: Vec<_> = tensors
            .iter()
            .zip(&zeros)
            .map(|((name, shape), zeros)| (name.to_string(), shape.to_vec(), Values::F32(zeros)))
            .collect();
        write_safetensors(&path, &list).unwrap();
        path
    };
    let refuse = |path: &Path, model: &Path, expected: &str| {
        let out = scratch("out").join("o.safetensors");
        let args = ["encode", "--inputs", text(path), "--model", text(model), "--out", text(&out)];
        fails(&[&args[..], &["--device", "cpu"]].concat(), expected);
        assert!(!out.exists());
    };
    let other = file("other", &[("pixels", &[1])]);
    refuse(&other, &folder, "expected pixel_values, pixel_embeds or input_ids");
    let floats = file("floats", &[("input_ids", &[1, 4])]);
    refuse(&floats, &folder, "input_ids: expected type I64 or I32, found F32");
    let rows = file("rows", &[("pixel_values", &[1, 4, 192])]);
    refuse(&rows, &golden("siglip2_naflex"), "want spatial_shapes");
    let flat = file("flat", &[("pixel_values", &[192])]);
    refuse(&flat, &folder, "expected [pictures, 3, height, width]");
    let texts = golden("clip_quick_gelu").join("input.safetensors");
    refuse(&texts, &golden("vit_timm"), "reads no texts");
}

/// InternVL-14B's tower: what is computed of pictures is written, texts are left to others, and features of
/// texts that were made elsewhere are compared.
#[test]
fn pictures_beside_given_features_of_texts() {
    let (folder, out) = (golden("internvl_14b"), scratch("internvl_14b").join("out.safetensors"));
    let (model, input) = (text(&folder), folder.join("input.safetensors"));
    let args = ["encode", "--model", model, "--device", "cpu", "--out", text(&out), "--inputs"];
    let told = internvit(&[&args[..], &[text(&input)]].concat());
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success() && said.contains("text_embeds [texts, 16]"), "{said}");
    let expected = tensors(&folder.join("expected.safetensors"));
    let close = |names: &[&str]| {
        let found = tensors(&out);
        for name in names {
            assert_eq!(found[*name].shape, expected[*name].shape, "{name}");
            assert_close(name, &found[*name].values, &expected[*name].values, 1e-5);
        }
    };
    close(&["image_embeds.c", "vision.last_hidden_state"]);
    let mut given = tensors(&input);
    given.retain(|name, _| name == "pixel_values");
    given.insert("text_embeds".into(), expected["text_embeds"].clone());
    let list: Vec<_> = given
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.shape.clone(), Values::F32(&tensor.values)))
        .collect();
    let both = scratch("internvl_14b_texts").join("both.safetensors");
    write_safetensors(&both, &list).unwrap();
    ok(&[&args[..], &[text(&both)]].concat());
    close(&["image_embeds.c", "vision.last_hidden_state", "logits_per_image.c"]);
}

/// What was converted computes the same, and features of texts are compared where a tower for them is there too.
#[test]
fn given_features_of_texts_elsewhere() {
    let out = scratch("texts_elsewhere").join("out.safetensors");
    let with = |model: &Path, pixels: &Path, texts: Tensor| {
        let both = scratch("texts_elsewhere_in").join("both.safetensors");
        let pixels = tensors(pixels).remove("pixel_values").unwrap();
        let list = [("pixel_values", pixels), ("text_embeds", texts)];
        let list: Vec<_> = list
            .iter()
            .map(|(name, t)| (name.to_string(), t.shape.clone(), Values::F32(&t.values)))
            .collect();
        write_safetensors(&both, &list).unwrap();
        let args = ["encode", "--model", text(model), "--device", "cpu", "--out", text(&out)];
        ok(&[&args[..], &["--inputs", text(&both)]].concat());
        tensors(&out)
    };
    let folder = golden("internvl_14b");
    let expected = tensors(&folder.join("expected.safetensors"));
    let converted = scratch("internvl_14b_converted").join("model");
    ok(&["convert", text(&folder), "--out", text(&converted)]);
    let texts = expected["text_embeds"].clone();
    let found = with(&converted, &folder.join("input.safetensors"), texts);
    for name in ["image_embeds.c", "logits_per_image.c"] {
        assert_close(name, &found[name].values, &expected[name].values, 1e-5);
    }
    let clip = golden("clip_quick_gelu");
    let expected = tensors(&clip.join("expected.safetensors"));
    let found = with(&clip, &clip.join("input.safetensors"), expected["text_embeds"].clone());
    let name = "logits_per_image";
    assert_close(name, &found[name].values, &expected[name].values, 1e-5);
}
