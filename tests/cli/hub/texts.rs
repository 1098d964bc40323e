//! Of models that read texts: the tower for them, and what makes tokens.

use std::fs;

use serde_json::Value;

use super::*;
use crate::classify::with_words;
use crate::common::sample;
use crate::run::text;
use crate::served::{bytes, of, succeeds};

const CLIP: &str = "acme/clip";

/// Serves a model of a fixture with a tokenizer, with its configuration under the usual name.
fn serve(hub: &Hub, case: &str) {
    let (model, served) = (with_words(case), hub.repository(CLIP));
    for file in ["model.safetensors", "tokenizer.json"] {
        fs::copy(model.join(file), served.join(file)).unwrap();
    }
    let configs = ["config.json", "open_clip_config.json"].map(|name| model.join(name));
    let config = configs.iter().find(|path| path.exists()).unwrap();
    fs::copy(config, served.join("config.json")).unwrap();
}

/// The probability of a label.
fn classify(hub: &Hub, model: &str, more: &[&str]) -> Value {
    let photo = sample("chelsea.png");
    let args = ["classify", text(&photo), "--model", model, "--labels", "cat, dog", "--json"];
    let said = succeeds(hub.run(&[&args[..], &["--device", "cpu"], more].concat()));
    said["images"][0]["classes"].clone()
}

/// Words fetch both towers and the tokenizer; pictures alone their tower.
#[test]
fn texts_are_fetched_where_words_are_given() {
    let hub = start("texts");
    serve(&hub, "clip_quick_gelu");
    let served = hub.repository(CLIP);
    let size = fs::metadata(served.join(WEIGHTS)).unwrap().len();
    let vision = hub.info(CLIP)["bytes"].as_u64().unwrap();
    let log = hub.log();
    assert_eq!(of(&log, "tokenizer").count(), 0);
    // Beside the tensors the start of the file is read, where its header is.
    assert_eq!(bytes(&log, "signature"), vision + 65536);
    assert!(vision < size * 9 / 10, "{vision} of {size}");

    let local = classify(&hub, text(&served), &[]);
    assert!(hub.log().is_empty());
    assert_eq!(classify(&hub, CLIP, &[]), local);
    let log = hub.log();
    assert!(of(&log, "tokenizer.json").count() > 0);
    assert!(bytes(&log, "model.safetensors") >= size);
    // Once fetched nothing is asked but the commit; offline nothing.
    assert_eq!(classify(&hub, CLIP, &[]), local);
    assert_eq!(of(&hub.log(), "/resolve/").count(), 0);
    assert_eq!(classify(&hub, CLIP, &["--offline"]), local);
    assert!(hub.log().is_empty());
}

/// A commit that was fetched for its pictures lacks the tokenizer, and only that.
#[test]
fn a_tokenizer_is_fetched_later() {
    let hub = start("texts-later");
    serve(&hub, "clip_openclip");
    let pinned = format!("{CLIP}@{}", hub.commit(CLIP));
    hub.info(&pinned);
    assert_eq!(of(&hub.log(), "tokenizer").count(), 0);
    let local = classify(&hub, text(&hub.repository(CLIP)), &[]);
    assert_eq!(classify(&hub, &pinned, &[]), local);
    let log = hub.log();
    assert!(of(&log, "tokenizer.json").count() > 0);
    assert_eq!(
        of(&log, "/resolve/")
            .filter(|asked| !asked["url"].as_str().unwrap().contains("tokenizer"))
            .count(),
        0
    );
    assert_eq!(classify(&hub, &pinned, &[]), local);
    assert!(hub.log().is_empty());
}
