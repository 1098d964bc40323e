//! Layers counted from either end, in the library and on the command line.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use crate::run::*;
use internvit::model::layer;

#[test]
fn layers_count_from_both_ends() {
    let cases = [(0, 0, 0), (0, 12, 12), (0, -1, 12), (0, -2, 11), (0, -13, 0), (1, -12, 1)];
    for (first, given, expected) in cases {
        assert_eq!(layer(12, first, given).unwrap(), expected, "{given}");
    }
    for (first, given) in [(0, 13), (0, -14), (1, 0), (1, -13), (0, i64::MIN), (0, i64::MAX)] {
        let error = layer(12, first, given).unwrap_err().to_string();
        let expected = format!("layer {given}: expected {first} to 12, or -{}", 13 - first);
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn commands_take_negative_layers() {
    let folder = scratch("layers");
    let at = |name: &str| folder.join(name).to_str().unwrap().to_string();
    let photo = text(&sample("chelsea.png")).to_string();
    let same = |a: &str, b: &str| assert_eq!(std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
    let (back, ahead) = (at("back.safetensors"), at("ahead.safetensors"));
    ok(&["encode", &photo, "--hidden-states", "-1,-3", "--out", &back]);
    ok(&["encode", &photo, "--hidden-states", "12,10,-1", "--out", &ahead]);
    same(&back, &ahead);
    for view in ["norms", "pca", "clusters", "similarity", "attention"] {
        let (back, ahead, out) = (at("back.npy"), at("ahead.npy"), at("o.png"));
        for (layer, data) in [("-2", &back), ("11", &ahead)] {
            let at: &[&str] = if view == "similarity" { &["--at", "9,9"] } else { &[] };
            let look = ["look", &photo, "--view", view, "--layer", layer, "--data", data];
            ok(&[&look[..], &["--out", &out], at].concat());
        }
        same(&back, &ahead);
    }
    let (back, ahead) = (at("back-head.safetensors"), at("ahead-head.safetensors"));
    for (layer, out) in [("-1,-5", &back), ("8,12", &ahead)] {
        let points = ["--point", "a:20,20", "--point", "b:200,100"];
        ok(&[&["teach", &photo, "--layer", layer, "--out", out], &points[..]].concat());
    }
    same(&back, &ahead);
    fails(&["encode", &photo, "--hidden-states", "-14", "--out", &at("x.npy")], "0 to 12, or -13");
}
