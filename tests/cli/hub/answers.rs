//! What the hub answers: slowly, brokenly, otherwise.

use std::fs;

use serde_json::{Value, json};

use super::*;
use crate::served::{bytes, fails, of, succeeds, well};

#[test]
fn the_token_goes_to_the_hub_alone() {
    let hub = start("token");
    let output = hub
        .command()
        .env("HF_TOKEN", "hf_secret")
        .args(["info", "--json", "--model", TOWER])
        .output();
    succeeds(output.unwrap());
    let log = hub.log();
    let here = hub.address.strip_prefix("http://").unwrap();
    let (ours, theirs): (Vec<_>, Vec<_>) = log.iter().partition(|entry| entry["host"] == here);
    assert!(!ours.is_empty() && !theirs.is_empty());
    assert!(ours.iter().all(|entry| entry["authorization"] == "Bearer hf_secret"), "{ours:?}");
    assert!(theirs.iter().all(|entry| entry["authorization"].is_null()), "{theirs:?}");

    // A login's file will do.
    fs::remove_dir_all(cache(&hub)).unwrap();
    fs::write(hub.home.join("token"), "hf_login\n").unwrap();
    hub.info(TOWER);
    assert!(hub.log().iter().any(|entry| entry["authorization"] == "Bearer hf_login"));
}

#[test]
fn what_passes_is_waited_for() {
    let hub = start("passing");
    hub.behave(json!([
        { "match": "/api/", "status": 429, "times": 1 },
        { "match": "config.json", "status": 503, "times": 1 },
        { "match": WEIGHTS, "cut": 300_000, "times": 2 },
    ]));
    hub.info(TOWER);
    let log = hub.log();
    assert_eq!(of(&log, "/api/").count(), 2);
    let ranges: Vec<_> = of(&log, "signature").map(|entry| entry["range"].clone()).collect();
    let size = fs::metadata(hub.repository(TOWER).join(WEIGHTS)).unwrap().len();
    assert_eq!(
        ranges,
        [
            Value::Null,
            json!(format!("bytes=300000-{}", size - 1)),
            json!(format!("bytes=600000-{}", size - 1))
        ]
    );
    assert_eq!(bytes(&log, "signature"), size);
}

#[test]
fn a_later_run_goes_on_where_one_stopped() {
    let hub = start("resume");
    hub.behave(json!([
        { "match": WEIGHTS, "cut": 400_000, "times": 1 },
        { "match": WEIGHTS, "status": 500, "after": 0 },
    ]));
    let error = hub.refuses(TOWER);
    assert!(
        error.contains("acme/tower: model.safetensors: the hub is in trouble (500)"),
        "{error}"
    );
    assert_eq!(fs::metadata(&parts(&hub)[0]).unwrap().len(), 400_000);
    hub.log();
    hub.behave(well());
    hub.info(TOWER);
    let log = hub.log();
    let ranges: Vec<_> = of(&log, "signature").map(|entry| entry["range"].clone()).collect();
    assert_eq!(ranges.len(), 1);
    assert!(ranges[0].as_str().unwrap().starts_with("bytes=400000-"), "{ranges:?}");

    // A damaged beginning is thrown away.
    fs::remove_dir_all(cache(&hub).join("snapshots")).unwrap();
    let served = hub.repository(TOWER).join(WEIGHTS);
    let sizes = |path: &PathBuf| fs::metadata(path).unwrap().len();
    let blobs = fs::read_dir(cache(&hub).join("blobs")).unwrap().map(|e| e.unwrap().path());
    let blob = blobs.into_iter().find(|path| sizes(path) == sizes(&served)).unwrap();
    fs::remove_file(&blob).unwrap();
    fs::write(blob.with_extension("incomplete"), vec![7; 1000]).unwrap();
    hub.info(TOWER);
    assert!(same(&blob, &served));
}

#[test]
fn every_fault_says_its_cause_in_a_line() {
    let hub = start("faults");
    let refuses = |rules: Value, model: &str, expected: &str| {
        hub.behave(rules);
        let error = hub.refuses(model);
        assert!(error.contains(expected), "expected {expected:?} in {error:?}");
        error
    };
    refuses(
        well(),
        "acme/nothing",
        "acme/nothing: no such repository on the hub, or a private one",
    );
    refuses(json!([{ "match": "/config.json", "garbage": true }]), TOWER, "config.json: damaged");
    let open = refuses(json!([{ "match": "/api/", "status": 401 }]), TOWER, "set HF_TOKEN");
    assert!(!open.contains("licence"), "{open}");
    let page = format!("accept its licence on {}/acme/tower", hub.address);
    let gated = json!([{ "match": WEIGHTS, "status": 403, "code": "GatedRepo" }]);
    refuses(gated, TOWER, &page);
    // A proxy on the way gives no reason of the hub's.
    for model in [WEIGHTS, "/api/"] {
        let error = refuses(json!([{ "match": model, "status": 403 }]), TOWER, "a proxy");
        assert!(!error.contains("licence"), "{error}");
    }
    refuses(
        json!([{ "match": WEIGHTS, "status": 404 }]),
        TOWER,
        "model.safetensors: not on the hub",
    );
    refuses(well(), "acme/tower@v9", "acme/tower@v9: no revision v9");
    refuses(
        json!([{ "match": WEIGHTS, "status": 429, "after": 0 }]),
        TOWER,
        "too many requests (429)",
    );
    refuses(
        json!([{ "match": "/api/", "status": 503, "after": 0 }]),
        TOWER,
        "the hub is in trouble (503)",
    );
    refuses(json!([{ "match": WEIGHTS, "short": true }]), TOWER, "model.safetensors: expected 1");
    refuses(json!([{ "match": WEIGHTS, "garbage": true }]), TOWER, "model.safetensors: damaged");
    assert!(parts(&hub).is_empty(), "what is damaged stays");
    let snapshots = cache(&hub).join("snapshots").join(hub.commit(TOWER));
    assert!(!snapshots.join(WEIGHTS).exists());

    // Once is forgiven.
    hub.behave(json!([{ "match": WEIGHTS, "garbage": true, "times": 1 }]));
    hub.info(TOWER);

    for (files, expected) in [
        (&["readme.md", WEIGHTS][..], "no config.json in the repository, which holds"),
        (&["config.json"], "no model.safetensors in the repository, which holds config.json"),
        (
            &["config.json", "pytorch_model.bin"],
            "but pytorch_model.bin: download that, and `internvit convert`",
        ),
    ] {
        let folder = hub.repository(&format!("acme/{}", files.len() + expected.len()));
        for file in files {
            fs::write(folder.join(file), "{}").unwrap();
        }
        let name = format!("acme/{}", folder.file_name().unwrap().to_str().unwrap());
        refuses(well(), &name, expected);
    }
    fs::write(hub.repository("acme/bert").join(WEIGHTS), "").unwrap();
    fs::write(hub.repository("acme/bert").join("config.json"), r#"{"model_type": "bert"}"#)
        .unwrap();
    refuses(well(), "acme/bert", "acme/bert: config.json: model_type: expected");
    assert_eq!(
        of(&hub.log(), "bert/resolve/")
            .filter(|e| e["url"].as_str().unwrap().contains(WEIGHTS))
            .count(),
        0
    );

    for model in ["acme", "a/b/c", "../x/y", "acme/tower@"] {
        refuses(well(), model, "and no name on the hub, which would be owner/name");
    }
}

#[test]
fn a_slow_hub_is_borne() {
    let hub = start("slow");
    hub.behave(json!([{ "match": WEIGHTS, "slow": 400_000 }]));
    hub.info(TOWER);
    assert_eq!(of(&hub.log(), "signature").count(), 1);
}

#[test]
fn without_a_network() {
    let hub = start("network");
    let nowhere = |args: &[&str]| {
        hub.command().env("HF_ENDPOINT", "http://127.0.0.1:9").args(args).output().unwrap()
    };
    let args = ["info", "--json", "--model", TOWER];
    let begin = std::time::Instant::now();
    let error = fails(nowhere(&args));
    assert!(error.contains("acme/tower: no answer from http://127.0.0.1:9"), "{error}");
    assert!(begin.elapsed().as_secs() < 5);
    let error = fails(hub.run(&["info", "--model", TOWER, "--offline"]));
    assert!(error.contains("it is not on this machine"), "{error}");
    assert!(error.contains("fetch it once without (internvit info --model NAME)"), "{error}");

    // What was fetched before will do, and it is said.
    hub.info(TOWER);
    let output = nowhere(&args);
    assert!(String::from_utf8_lossy(&output.stderr).contains("using what was fetched before"));
    succeeds(output);

    fs::remove_file(cache(&hub).join("snapshots").join(hub.commit(TOWER)).join(WEIGHTS)).unwrap();
    let error = fails(hub.run(&["info", "--model", TOWER, "--offline"]));
    assert!(error.contains("only a part of it is on this machine"), "{error}");
    assert!(hub.log().is_empty());
}

/// A full disk, played by a limit on the size of files.
#[test]
#[cfg(unix)]
fn a_full_disk_is_said() {
    let hub = start("disk");
    let script = "ulimit -f 512; exec \"$0\" info --model acme/tower";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_internvit")]);
    command.envs(hub.command().get_envs().filter_map(|(key, value)| Some((key, value?))));
    let error = fails(command.output().unwrap());
    assert!(error.contains("incomplete: File too large"), "{error}");
    // What arrived is gone on from.
    hub.info(TOWER);
    assert!(of(&hub.log(), "signature").any(|entry| !entry["range"].is_null()));
}

/// Files whose names mean something in addresses, and in terminals.
#[test]
fn names_are_escaped() {
    let hub = start("names");
    let served = hub.repository("acme/odd");
    let list: Vec<_> = tensors(&hub.repository(TOWER).join(WEIGHTS)).into_iter().collect();
    fs::copy(hub.repository(TOWER).join("config.json"), served.join("config.json")).unwrap();
    let mut map = serde_json::Map::new();
    let names = ["a?b.safetensors", "a#b c.safetensors", "\u{e9}%41+&.safetensors"];
    for (i, name) in names.iter().enumerate() {
        let shard: Vec<_> = list
            .iter()
            .skip(i)
            .step_by(names.len())
            .map(|(key, t)| (key.clone(), t.shape.clone(), Values::F32(&t.values)))
            .collect();
        write_safetensors(&served.join(name), &shard).unwrap();
        map.extend(shard.iter().map(|(key, ..)| (key.clone(), json!(name))));
    }
    let index = json!({ "metadata": {}, "weight_map": map }).to_string();
    fs::write(served.join("model.safetensors.index.json"), index).unwrap();
    assert_eq!(hub.info("acme/odd")["tensors"], hub.info(TOWER)["tensors"]);
}

/// A configuration of any length is not fetched.
#[test]
fn texts_of_the_hub_are_bounded() {
    let hub = start("bounded");
    let file = fs::File::create(hub.repository(TOWER).join("config.json")).unwrap();
    file.set_len(300_000_000).unwrap();
    let error = hub.refuses(TOWER);
    assert!(error.contains("config.json: 300000000 bytes, expected at most 4194304"), "{error}");
    assert_eq!(bytes(&hub.log(), "config.json"), 0);
}
