//! Models by name, against a hub on this machine that fails on demand.
#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/mod.rs"]
mod common;
#[path = "common/hub.rs"]
mod hub;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use common::{config, golden, sample, scratch, tensors};
use hf_hub::{Repo, RepoType};
use hub::{Hub, bytes, fails, of, succeeds, well};
use internvit::weights::{StoredType, Values, init_checkpoint, write_safetensors};
use serde_json::{Value, json};

const TOWER: &str = "acme/tower";
const WEIGHTS: &str = "model.safetensors";

/// A hub with a small random tower, 1.1 MB.
fn start(test: &str) -> Hub {
    let hub = Hub::start(&scratch(&format!("hub-{test}")));
    tower(&hub.repository(TOWER), 1);
    hub
}

fn tower(folder: &Path, seed: u64) {
    let config = config(96, 3, 192, 3, "");
    let _ = std::fs::remove_dir_all(folder);
    init_checkpoint("config.json", &config, seed, StoredType::F32, folder, &|_, _| ()).unwrap();
    fs::write(folder.join("preprocessor_config.json"), "{}").unwrap();
}

fn cache(hub: &Hub) -> PathBuf {
    hub.home.join("hub/models--acme--tower")
}

/// Files that are no whole model: what broke off, what is damaged.
fn parts(hub: &Hub) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(cache(hub).join("blobs")) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|e| e == "incomplete")).collect()
}

fn same(a: &Path, b: &Path) -> bool {
    fs::read(a).unwrap() == fs::read(b).unwrap()
}

#[test]
fn a_repository_is_encoded_as_its_folder_is() {
    let hub = Hub::start(&scratch("hub-encode"));
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/model");
    let served = hub.repository("OpenGVLab/InternViT-Tiny");
    for file in ["config.json", WEIGHTS] {
        fs::copy(bundled.join(file), served.join(file)).unwrap();
    }
    let (picture, out) = (sample("chelsea.png"), hub.home.with_file_name("out"));
    fs::create_dir_all(&out).unwrap();
    let encode = |model: &str, offline: &[&str]| {
        let file = out.join("f.safetensors");
        let run =
            ["encode", picture.to_str().unwrap(), "--json", "--model", model, "--image-size", "28"];
        let end = ["--out", file.to_str().unwrap()];
        succeeds(hub.run(&[&run, &end[..], offline].concat()));
        fs::read(file).unwrap()
    };
    let expected = encode(bundled.to_str().unwrap(), &[]);
    assert!(encode("OpenGVLab/InternViT-Tiny", &[]) == expected);
    hub.log();
    assert!(encode("OpenGVLab/InternViT-Tiny", &["--offline"]) == expected);
    assert!(hub.log().is_empty());
}

#[test]
fn the_cache_is_laid_out_as_others_do() {
    let hub = start("layout");
    let commit = hub.commit(TOWER);
    let (cache, served) = (cache(&hub), hub.repository(TOWER));
    assert_eq!(hub.info(TOWER)["tensors"], hub.info(served.to_str().unwrap())["tensors"]);
    assert_eq!(fs::read_to_string(cache.join("refs/main")).unwrap(), commit);
    for file in ["config.json", WEIGHTS, "preprocessor_config.json"] {
        let path = cache.join("snapshots").join(&commit).join(file);
        assert!(same(&path, &served.join(file)));
        let blob = fs::read_link(&path).unwrap();
        assert!(blob.starts_with("../../blobs"), "{}", blob.display());
    }
    assert!(parts(&hub).is_empty());

    // A second time the hub only says that nothing changed; a commit needs not even that.
    hub.log();
    hub.info(TOWER);
    assert!(hub.log().iter().all(|entry| entry["url"].as_str().unwrap().starts_with("/api/")));
    hub.info(&format!("{TOWER}@{commit}"));
    assert!(hub.log().is_empty());

    // What another client put there without links is taken too.
    let plain = cache.join("snapshots").join(&commit).join(WEIGHTS);
    fs::remove_file(&plain).unwrap();
    fs::copy(served.join(WEIGHTS), &plain).unwrap();
    fs::remove_dir_all(cache.join("blobs")).unwrap();
    fs::copy(served.join("config.json"), plain.with_file_name("config.json.new")).unwrap();
    fs::rename(plain.with_file_name("config.json.new"), plain.with_file_name("config.json"))
        .unwrap();
    let offline = hub
        .command()
        .env("HF_HUB_OFFLINE", "1")
        .args(["info", "--json", "--model", TOWER])
        .output();
    succeeds(offline.unwrap());
    assert!(hub.log().is_empty());
}

#[test]
fn the_cache_is_the_crates() {
    let hub = start("crate");
    let (commit, served) = (hub.commit(TOWER), hub.repository(TOWER));
    hub.info(TOWER);
    let cache = hf_hub::Cache::new(hub.home.join("hub"));
    for file in ["config.json", WEIGHTS, "preprocessor_config.json"] {
        assert!(same(&cache.model(TOWER.into()).get(file).unwrap(), &served.join(file)));
    }

    // What another program put there, of a repository that this hub does not have.
    let repo = Repo::with_revision("acme/put".into(), RepoType::Model, "refs/pr/1".into());
    let put = cache.repo(repo);
    let folder = put.pointer_path(&commit);
    fs::create_dir_all(&folder).unwrap();
    for file in ["config.json", WEIGHTS] {
        fs::copy(served.join(file), folder.join(file)).unwrap();
    }
    put.create_ref(&commit).unwrap();
    hub.log();
    let found =
        succeeds(hub.run(&["info", "--json", "--offline", "--model", "acme/put@refs/pr/1"]));
    assert_eq!(found["model"], folder.to_str().unwrap());
    let error = fails(hub.run(&["info", "--offline", "--model", "acme/put"]));
    assert!(error.contains("acme/put: it is not on this machine"), "{error}");
    assert!(hub.log().is_empty());
}

#[test]
fn places_are_the_environments() {
    let hub = start("places");
    let elsewhere = hub.home.with_file_name("elsewhere");
    let info = |set: &[(&str, &Path)]| {
        let mut command = hub.command();
        command.envs(set.iter().copied()).args(["info", "--json", "--model", TOWER]);
        command
    };
    let token = |token: &str| {
        hub.log().iter().filter(|e| e["authorization"] == format!("Bearer {token}")).count()
    };

    // A cache elsewhere leaves the login where it was.
    fs::create_dir_all(&hub.home).unwrap();
    fs::write(hub.home.join("token"), "hf_login\n").unwrap();
    succeeds(info(&[("HF_HUB_CACHE", &elsewhere)]).output().unwrap());
    assert!(elsewhere.join("models--acme--tower/refs/main").is_file());
    assert!(!cache(&hub).exists());
    assert!(token("hf_login") > 0);

    let login = hub.home.with_file_name("login");
    fs::write(&login, " hf_other \n").unwrap();
    let mut command = info(&[("XDG_CACHE_HOME", &elsewhere), ("HF_TOKEN_PATH", &login)]);
    succeeds(command.env_remove("HF_HOME").output().unwrap());
    assert!(elsewhere.join("huggingface/hub/models--acme--tower/refs/main").is_file());
    assert!(token("hf_other") > 0);
}

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
        { "match": WEIGHTS, "status": 500 },
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
    refuses(json!([{ "match": WEIGHTS, "status": 403 }]), TOWER, &page);
    refuses(
        json!([{ "match": WEIGHTS, "status": 404 }]),
        TOWER,
        "model.safetensors: not on the hub",
    );
    refuses(well(), "acme/tower@v9", "acme/tower@v9: no revision v9");
    refuses(json!([{ "match": WEIGHTS, "status": 429 }]), TOWER, "too many requests (429)");
    refuses(json!([{ "match": "/api/", "status": 503 }]), TOWER, "the hub is in trouble (503)");
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
        refuses(well(), model, "no such file or folder, and no name on the hub");
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
fn two_at_once_fetch_once() {
    let hub = start("two");
    hub.behave(json!([{ "match": WEIGHTS, "slow": 600_000 }]));
    let run = || {
        let mut command = hub.command();
        command.args(["info", "--json", "--model", TOWER]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for child in [run(), run()] {
        succeeds(child.wait_with_output().unwrap());
    }
    let served = fs::metadata(hub.repository(TOWER).join(WEIGHTS)).unwrap().len();
    assert_eq!(bytes(&hub.log(), "signature"), served);
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

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said() {
    let hub = start("disk");
    let blobs = cache(&hub).join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    hub.info(TOWER);
    let blob =
        fs::canonicalize(cache(&hub).join("snapshots").join(hub.commit(TOWER)).join(WEIGHTS))
            .unwrap();
    fs::remove_dir_all(cache(&hub).join("snapshots")).unwrap();
    fs::remove_file(&blob).unwrap();
    std::os::unix::fs::symlink("/dev/full", blob.with_extension("incomplete")).unwrap();
    let error = hub.refuses(TOWER);
    assert!(error.contains("incomplete: No space left on device"), "{error}");
}

#[test]
fn a_revision_stays_when_the_model_changes() {
    let hub = start("change");
    let before = hub.commit(TOWER);
    hub.info(TOWER);
    let first = hub.repository(TOWER).join(WEIGHTS);
    let old = fs::read(&first).unwrap();
    tower(&hub.repository(TOWER), 2);
    let after = hub.commit(TOWER);
    assert_ne!(before, after);
    hub.info(TOWER);
    let snapshot = |commit: &str| cache(&hub).join("snapshots").join(commit).join(WEIGHTS);
    assert!(fs::read(snapshot(&before)).unwrap() == old);
    assert!(same(&snapshot(&after), &first));
    let pinned = hub.info(&format!("{TOWER}@{before}"));
    assert!(pinned["model"].as_str().unwrap().ends_with(&before), "{}", pinned["model"]);
}

/// A model whose language part dominates: `keys` names a vision tensor; two shards of three hold
/// vision tensors. Returns all its bytes.
fn larger(folder: &Path, vision: &Path, kind: &str, keys: impl Fn(&str) -> String) -> u64 {
    let text = fs::read_to_string(vision.join("config.json")).unwrap();
    let inner: Value = serde_json::from_str(&text).unwrap();
    let config = json!({ "model_type": kind, "vision_config": inner });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut list: Vec<_> = tensors(&vision.join(WEIGHTS)).into_iter().collect();
    list.sort_by(|a, b| a.0.cmp(&b.0));
    let (language, mut shards) = (vec![0.5; 2_000_000], [const { Vec::new() }; 3]);
    for (i, shard) in shards.iter_mut().enumerate() {
        let name = format!("language_model.model.layers.{i}.weight");
        shard.push((name, vec![1000, 2000], Values::F32(&language)));
    }
    for (i, (key, tensor)) in list.iter().enumerate() {
        shards[i % 2].push((keys(key), tensor.shape.clone(), Values::F32(&tensor.values)));
    }
    let (mut map, mut total) = (serde_json::Map::new(), 0);
    for (i, shard) in shards.iter().enumerate() {
        let file = format!("model-{}-of-00003.safetensors", i + 1);
        write_safetensors(&folder.join(&file), shard).unwrap();
        total += fs::metadata(folder.join(&file)).unwrap().len();
        map.extend(shard.iter().map(|(key, ..)| (key.clone(), json!(file))));
    }
    let index = json!({ "metadata": {}, "weight_map": map }).to_string();
    fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    total
}

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
    assert_eq!(list["published"][0]["name"], "OpenGVLab/InternViT-300M-448px");
    assert_eq!(list["published"][0]["bytes"], 608_024_576);
    assert!(list["published"][0]["folder"].is_null());
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
        { "match": "model-1-of", "status": 500 },
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
