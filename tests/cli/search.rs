//! `search`: by a text and by a picture, over photographs and over a table.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::classify::with_words;
use crate::common::*;
use crate::run::*;

/// A folder of three photographs.
fn photos() -> PathBuf {
    let folder = scratch("photos");
    for name in ["chelsea.png", "coffee.png", "rocket.jpg"] {
        std::fs::copy(sample(name), folder.join(name)).unwrap();
    }
    folder
}

/// The answer, with the cache in a folder of the test's own.
fn search(cache: &Path, args: &[&str]) -> (Value, String) {
    let output = program()
        .env("XDG_CACHE_HOME", cache)
        .args(["search"])
        .args(args)
        .args(["--device", "cpu", "--json"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {error}");
    (serde_json::from_slice(&output.stdout).unwrap(), error)
}

fn paths(said: &Value) -> Vec<String> {
    let list = said["found"].as_array().unwrap();
    list.iter().map(|found| found["image"].as_str().unwrap().to_string()).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn by_text_from_the_cache() {
    let (photos, cache, model) = (photos(), scratch("cache"), with_words("siglip"));
    let args = ["red car", text(&photos), "--model", text(&model)];
    let (said, error) = search(&cache, &args);
    assert_eq!((said["query"].as_str(), paths(&said).len()), (Some("red car"), 3));
    assert!(error.contains("3 encoded"), "{error}");
    let scores: Vec<f64> =
        said["found"].as_array().unwrap().iter().map(|f| f["score"].as_f64().unwrap()).collect();
    assert!(
        scores.is_sorted_by(|a, b| a >= b) && scores.iter().all(|s| s.abs() <= 1.0),
        "{scores:?}"
    );
    // The second time nothing is encoded, and the answer is the same.
    let (again, error) = search(&cache, &args);
    assert!(again == said && error.contains("nothing to do"), "{error}");
    // A photograph that is gone is not found, a new one is.
    std::fs::remove_file(photos.join("coffee.png")).unwrap();
    std::fs::copy(sample("coffee.png"), photos.join("new.png")).unwrap();
    let (said, error) = search(&cache, &args);
    let found = paths(&said);
    assert!(error.contains("1 encoded") && found.len() == 3, "{error}");
    assert!(
        found.iter().any(|p| p.ends_with("new.png"))
            && !found.iter().any(|p| p.ends_with("coffee.png"))
    );
}

/// The score is the cosine of the two towers' features.
#[test]
fn scores_are_cosines() {
    let (folder, model) = (scratch("one"), with_words("clip_openclip"));
    let (table, out) = (folder.join("t.parquet"), folder.join("f.safetensors"));
    let cat = sample("chelsea.png");
    ok(&["encode", text(&cat), "--model", text(&model), "--device", "cpu", "--out", text(&out)]);
    ok(&["encode", text(&cat), "--model", text(&model), "--device", "cpu", "--out", text(&table)]);
    let (said, _) = search(&folder, &["cat", text(&table), "--model", text(&model)]);
    let score = said["found"][0]["score"].as_f64().unwrap();
    // The word alone is token 6.
    let input = folder.join("in.safetensors");
    let ids = safetensors::tensor::TensorView::new(
        safetensors::Dtype::I64,
        vec![1, 1],
        &[6, 0, 0, 0, 0, 0, 0, 0],
    );
    safetensors::serialize_to_file([("input_ids", ids.unwrap())], None, &input).unwrap();
    let texts = folder.join("t.safetensors");
    ok(&[
        "encode",
        "--inputs",
        text(&input),
        "--model",
        text(&model),
        "--device",
        "cpu",
        "--out",
        text(&texts),
    ]);
    let image = tensors(&out).remove("image_features").unwrap().values;
    let words = tensors(&texts).remove("text_embeds").unwrap().values;
    let expected = internvit::view::similarity(&words, &image).unwrap()[0];
    assert!((score - f64::from(expected)).abs() < 1e-5, "{score} {expected}");
}

#[test]
fn by_a_picture_and_as_a_page() {
    let (photos, folder) = (photos(), scratch("page"));
    let (table, html) = (folder.join("t.parquet"), folder.join("sheet.html"));
    let cat = sample("chelsea.png");
    let args = [text(&photos), "--like", text(&cat), "--features", text(&table), "--top", "2"];
    let (said, _) = search(&folder, &[&args[..], &["--html", text(&html)]].concat());
    assert!(table.is_file() && paths(&said).len() == 2);
    assert!(
        paths(&said)[0].ends_with("chelsea.png")
            && said["found"][0]["score"].as_f64().unwrap() > 0.9999
    );
    let page = std::fs::read_to_string(&html).unwrap();
    assert_eq!(page.matches("<img alt=\"\" src=\"data:image/png;base64,").count(), 2);
    assert!(!page.contains("<script") && !page.contains("http"), "no scripts, no requests");
}

#[test]
fn what_is_wrong_is_said() {
    let (folder, cat) = (scratch("wrong"), sample("chelsea.png"));
    let model = with_words("siglip");
    let table = folder.join("t.parquet");
    ok(&["encode", text(&cat), "--device", "cpu", "--out", text(&table)]);
    fails(&["search", "red car"], "expected a text, then photographs");
    fails(&["search", " ", text(&cat), "--model", text(&model)], "the text is empty");
    fails(&["search", "cat", text(&cat), "--device", "cpu"], "reads no texts");
    fails(
        &["search", "cat", text(&table), "--model", text(&model)],
        "features of internvit-tiny, but the model is",
    );
    fails(&["search", text(&cat), "--like", "gone.png"], "gone.png");
    fails(
        &["search", "cat", text(&folder.join("no.parquet")), "--model", text(&model)],
        "no.parquet",
    );
}
