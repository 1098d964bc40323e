//! Of larger models the vision tensors.

use std::fs;

use serde_json::json;

use super::*;
use crate::common::{golden, sample};
use crate::served::{bytes, fails, of, succeeds, well};

#[test]
fn of_a_larger_model_the_vision_tensors_are_fetched() {
    let hub = start("larger");
    let (served, vision) = (hub.repository("acme/vlm"), hub.repository(TOWER));
    let total = larger(&served, &vision, "internvl_chat", |key| format!("vision_model.{key}"));
    let port = hub.repository("acme/vlm-hf");
    let fixture = golden("encoder_hf_native");
    larger(&port, &fixture, "internvl", |key| format!("model.vision_tower.{key}"));
    for (model, folder, vision) in
        [("acme/vlm", &served, &vision), ("acme/vlm-hf", &port, &fixture)]
    {
        hub.log();
        let there = hub.info(model);
        let log = hub.log();
        assert!(bytes(&log, "/acme/vlm") * 10 < total, "{} of {total}", bytes(&log, "/acme/vlm"));
        assert!(of(&log, "model-3-of").next().is_none());
        let local = hub.info(folder.to_str().unwrap());
        assert_eq!(there["parameters"], local["parameters"]);
        assert_eq!(there["tensors"], local["tensors"]);

        // The same features, and no request.
        hub.log();
        let expected = tensors(&vision.join(WEIGHTS));
        let found = tensors(&PathBuf::from(there["model"].as_str().unwrap()).join(WEIGHTS));
        assert_eq!(found.len(), expected.len());
        for (key, tensor) in &expected {
            let (_, same) = found.iter().find(|(k, _)| k.ends_with(key)).unwrap();
            assert!(same.values == tensor.values && same.shape == tensor.shape, "{key}");
        }
        let (picture, out) = (sample("chelsea.png"), hub.home.with_file_name("f.safetensors"));
        let encode = |model: &str| {
            let run = [
                "encode",
                picture.to_str().unwrap(),
                "--device",
                "cpu",
                "--json",
                "--model",
                model,
            ];
            succeeds(hub.run(&[&run, &["--offline", "--out", out.to_str().unwrap()][..]].concat()));
            fs::read(&out).unwrap()
        };
        assert!(encode(model) == encode(folder.to_str().unwrap()));
        assert!(hub.log().is_empty());
    }

    let list = succeeds(hub.run(&["models", "--json"]));
    assert_eq!(list["larger"][0]["name"], "acme/vlm");
    let published = list["published"].as_array().unwrap();
    let named = |name: &str| published.iter().find(|one| one["name"] == name).unwrap();
    let small = named("OpenGVLab/InternViT-300M-448px");
    assert_eq!((&small["bytes"], &small["purpose"]), (&608_024_576.into(), &"medium".into()));
    assert!(small["folder"].is_null() && small["gflop"].as_f64().unwrap() > 700.0);
    let gated = named("facebook/dinov3-vits16-pretrain-lvd1689m");
    assert_eq!((&gated["gated"], &gated["licence"]), (&true.into(), &"DINOv3 License".into()));
}

#[test]
fn what_a_larger_model_lacks_is_fetched_from_where_it_broke_off() {
    let hub = start("larger-resume");
    let served = hub.repository("acme/vlm");
    larger(&served, &hub.repository(TOWER), "internvl_chat", |key| format!("vision_model.{key}"));
    // The header comes, and a part of the tensors.
    hub.behave(json!([
        { "match": "model-1-of", "times": 1 },
        { "match": "acme/vlm/model-1-of", "cut": 100_000, "times": 1 },
        { "match": "model-1-of", "status": 500, "after": 0 },
    ]));
    let error = hub.refuses("acme/vlm");
    assert!(error.contains("model-1-of-00003.safetensors: the hub is in trouble (500)"), "{error}");
    let folder = hub.home.join("internvit/acme--vlm").join(hub.commit("acme/vlm"));
    assert!(!folder.join(WEIGHTS).exists());
    let there = fs::metadata(folder.join("model.safetensors.part")).unwrap().len();
    assert!(there > 100_000, "{there}");
    hub.behave(well());
    let found = hub.info("acme/vlm");
    let log = hub.log();
    let vision: u64 = found["bytes"].as_u64().unwrap();
    let ranges: Vec<_> = of(&log, "model-1-of").filter(|e| e["bytes"] != 65536).collect();
    let fetched: u64 = bytes(&log, "signature") - 2 * 65536;
    assert_eq!(fetched, vision - 100_000, "{ranges:?}");
    assert!(!folder.join("model.safetensors.part").exists());
    let (expected, found) =
        (tensors(&hub.repository(TOWER).join(WEIGHTS)), tensors(&folder.join(WEIGHTS)));
    for (key, tensor) in &expected {
        assert!(found[&format!("vision_model.{key}")].values == tensor.values, "{key}");
    }
}

/// A vision part counts by the digest that was kept of it, whole or not.
#[test]
fn vision_parts_are_known_by_their_digests() {
    let hub = start("larger-digest");
    let served = hub.repository("acme/vlm");
    larger(&served, &hub.repository(TOWER), "internvl_chat", |key| format!("vision_model.{key}"));
    fs::write(served.join("preprocessor_config.json"), r#"{"size": 56}"#).unwrap();
    hub.info("acme/vlm");
    let folder = hub.home.join("internvit/acme--vlm").join(hub.commit("acme/vlm"));
    let (whole, part) = (folder.join(WEIGHTS), folder.join("model.safetensors.part"));
    let expected = fs::read(&whole).unwrap();
    // A whole one that was changed, or whose digest is gone.
    for hidden in [false, cfg!(unix)] {
        spoil(&whole, hidden);
        let error = fails(hub.run(&["info", "--offline", "--model", "acme/vlm"]));
        assert!(error.contains("model.safetensors: damaged in the cache"), "{error}");
        hub.info("acme/vlm");
        assert!(fs::read(&whole).unwrap() == expected);
    }
    // Without its digest nothing is taken, whether its bytes are right or not.
    let without = "model.safetensors: in the cache without the digest";
    for wrong in [false, true] {
        fs::remove_file(folder.join("model.safetensors.sha256")).unwrap();
        if wrong {
            spoil(&whole, false);
        }
        for args in [&["--offline"][..], &[]] {
            let mut command = hub.command();
            command.env("HF_ENDPOINT", "http://127.0.0.1:9").args(["info", "--model", "acme/vlm"]);
            let error = fails(command.args(args).output().unwrap());
            assert!(error.contains(without), "{error}");
        }
        hub.info("acme/vlm");
        assert!(fs::read(&whole).unwrap() == expected);
    }
    // What lies beside it is known in the same way.
    for name in ["config.json", "preprocessor_config.json"] {
        let (file, digest) = (folder.join(name), folder.join(format!("{name}.sha256")));
        for (text, expected) in [(Some("{}"), "damaged"), (None, "without the digest")] {
            match text {
                Some(text) => fs::write(&file, text).unwrap(),
                None => fs::remove_file(&digest).unwrap(),
            }
            let error = fails(hub.run(&["info", "--offline", "--model", "acme/vlm"]));
            assert!(error.contains(name) && error.contains(expected), "{error}");
            hub.log();
            hub.info("acme/vlm");
            assert_eq!(of(&hub.log(), "signature").count(), 0);
            assert!(same(&file, &served.join(name)));
            succeeds(hub.run(&["info", "--json", "--offline", "--model", "acme/vlm"]));
        }
    }
    // A part of zeros behind its header, without a digest and with a wrong one.
    let header = 8 + u64::from_le_bytes(expected[..8].try_into().unwrap()) as usize;
    let mut zeros = expected[..header].to_vec();
    zeros.resize(expected.len(), 0);
    for digest in [None, Some("0".repeat(64))] {
        fs::remove_file(&whole).unwrap();
        fs::write(&part, &zeros).unwrap();
        if let Some(digest) = digest {
            let text = format!("{digest} {}\n", zeros.len());
            fs::write(folder.join("model.safetensors.part.sha256"), text).unwrap();
        }
        hub.info("acme/vlm");
        assert!(fs::read(&whole).unwrap() == expected);
    }
    // Unchanged, it is not fetched again.
    hub.log();
    hub.info("acme/vlm");
    assert_eq!(of(&hub.log(), "signature").count(), 0);
}
