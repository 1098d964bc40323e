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

/// How often what depends on chance is tried; by hand more often.
fn rounds() -> usize {
    std::env::var("INTERNVIT_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

/// Many processes on a cold cache: none fails, bytes come once, and no reader sees a file vanish.
#[test]
fn many_at_once_on_a_cold_cache() {
    let hub = start("many");
    hub.behave(json!([{ "match": WEIGHTS, "slow": 4_000_000 }]));
    let snapshot = cache(&hub).join("snapshots").join(hub.commit(TOWER));
    let watched: Vec<PathBuf> = ["config.json", WEIGHTS, "preprocessor_config.json"]
        .iter()
        .map(|name| snapshot.join(name))
        .chain([cache(&hub).join("refs/main")])
        .collect();
    let served = fs::metadata(hub.repository(TOWER).join(WEIGHTS)).unwrap().len();
    for processes in [2, 3, 8, 20] {
        for round in 0..rounds() {
            let _ = fs::remove_dir_all(&hub.home);
            hub.log();
            let done = std::sync::atomic::AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let mut seen = [0; 4];
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        for (path, seen) in watched.iter().zip(&mut seen) {
                            let bytes = fs::read(path).map_or(0, |bytes| bytes.len());
                            assert!(bytes >= *seen, "{}: vanished", path.display());
                            *seen = bytes;
                        }
                    }
                });
                let run = |_| {
                    let mut command = hub.command();
                    command.args(["info", "--json", "--model", TOWER]);
                    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
                };
                let children: Vec<_> = (0..processes).map(run).collect();
                let outputs: Vec<_> =
                    children.into_iter().map(|c| c.wait_with_output().unwrap()).collect();
                done.store(true, std::sync::atomic::Ordering::Relaxed);
                for output in outputs {
                    let error = String::from_utf8_lossy(&output.stderr).into_owned();
                    assert!(output.status.success(), "{processes}, round {round}: {error}");
                }
            });
            assert_eq!(bytes(&hub.log(), "signature"), served, "{processes}, round {round}");
            assert!(parts(&hub).is_empty());
        }
    }
}

/// Changes one byte of a file, as a disk or somebody does; with `hidden` its date stays.
fn spoil(path: &Path, hidden: bool) {
    let path = fs::canonicalize(path).unwrap();
    let date = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    if hidden {
        fs::File::options().write(true).open(&path).unwrap().set_modified(date).unwrap();
    }
}

#[test]
fn a_file_is_known_by_its_digest() {
    let hub = start("digest");
    hub.info(TOWER);
    let served = hub.repository(TOWER);
    let commit = hub.commit(TOWER);
    let snapshot = cache(&hub).join("snapshots").join(&commit);
    let weights = snapshot.join(WEIGHTS);
    let proofs = || fs::read_dir(hub.home.with_file_name("user").join("internvit/digests"));
    assert_eq!(proofs().unwrap().count(), 1, "one large file was compared");
    for file in [WEIGHTS, "config.json"] {
        for hidden in [false, cfg!(unix)] {
            spoil(&snapshot.join(file), hidden);
            // Nobody can be asked.
            for args in [&["--offline"][..], &[]] {
                let mut command = hub.command();
                command.env("HF_ENDPOINT", "http://127.0.0.1:9").args(["info", "--model", TOWER]);
                let error = fails(command.args(args).output().unwrap());
                assert!(error.contains(&format!("{file}: damaged in the cache")), "{error}");
            }
            let output = hub.run(&["info", "--json", "--model", TOWER]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("damaged in the cache; it is fetched again"), "{said}");
            succeeds(output);
            assert!(same(&snapshot.join(file), &served.join(file)));
        }
    }
    // A commit is not asked about, but looked at.
    spoil(&weights, false);
    hub.info(&format!("{TOWER}@{commit}"));
    assert!(same(&weights, &served.join(WEIGHTS)));
    hub.log();
    hub.info(&format!("{TOWER}@{commit}"));
    assert!(hub.log().is_empty());
}

/// What another hub gave for the same commit, of the same length.
#[test]
#[cfg(unix)]
fn another_hubs_bytes_do_not_stand_for_this_ones() {
    let hub = start("mirror");
    hub.info(TOWER);
    let (served, commit) = (hub.repository(TOWER), hub.commit(TOWER));
    let weights = cache(&hub).join("snapshots").join(commit).join(WEIGHTS);
    let good = fs::read_link(&weights).unwrap();
    let blobs = cache(&hub).join("blobs");
    let mut bytes = fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let other = "a".repeat(64);
    for remove in [false, true] {
        fs::write(blobs.join(&other), &bytes).unwrap();
        fs::remove_file(&weights).unwrap();
        std::os::unix::fs::symlink(format!("../../blobs/{other}"), &weights).unwrap();
        if remove {
            fs::remove_file(blobs.join(good.file_name().unwrap())).unwrap();
        }
        hub.info(TOWER);
        assert!(same(&weights, &served.join(WEIGHTS)));
        assert_eq!(fs::read_link(&weights).unwrap(), good);
    }
    // A file without a link has its own bytes.
    fs::remove_file(&weights).unwrap();
    fs::write(&weights, &bytes).unwrap();
    hub.info(TOWER);
    assert!(same(&weights, &served.join(WEIGHTS)));
}

/// Links and other names of a file of somebody's, under the names that a download uses.
#[test]
#[cfg(unix)]
fn a_download_writes_through_no_link() {
    let hub = start("links");
    hub.info(TOWER);
    let weights = cache(&hub).join("snapshots").join(hub.commit(TOWER)).join(WEIGHTS);
    let blob = fs::canonicalize(&weights).unwrap();
    let victim = hub.home.with_file_name("victim");
    fs::write(&victim, "precious").unwrap();
    let part = blob.with_extension("incomplete");
    for hard in [false, true] {
        fs::remove_file(&blob).unwrap();
        match hard {
            true => fs::hard_link(&victim, &part).unwrap(),
            false => std::os::unix::fs::symlink(&victim, &part).unwrap(),
        }
        hub.info(TOWER);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert!(fs::symlink_metadata(&blob).unwrap().is_file());
        assert!(same(&weights, &hub.repository(TOWER).join(WEIGHTS)));
    }
    // The lock.
    let digest = blob.file_name().unwrap().to_str().unwrap();
    let lock = hub.home.join("hub/.locks/models--acme--tower").join(format!("{digest}.lock"));
    fs::remove_file(&blob).unwrap();
    fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(&victim, &lock).unwrap();
    let mut bare = hub.command();
    bare.args(["info", "--model", TOWER]);
    let error = fails(bare.output().unwrap());
    assert!(error.contains("a link, which is not followed here"), "{error}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_cached_model_is_used_whatever_the_hub_answers() {
    let hub = start("whatever");
    let page = "<!DOCTYPE html><title>Sign in</title>";
    let there = |path: &str| format!("{}{path}", hub.address);
    let answers = [
        json!({ "body": page }),
        json!({ "body": "{" }),
        json!({ "body": "" }),
        json!({ "body": r#"{"sha": 1}"# }),
        json!({ "body": "[]" }),
        json!({ "body": page, "status": 403 }),
        json!({ "status": 401, "code": "RepoNotFound" }),
        json!({ "status": 403 }),
        json!({ "status": 404 }),
        json!({ "status": 407 }),
        json!({ "status": 410 }),
        json!({ "status": 429 }),
        json!({ "status": 500 }),
        json!({ "status": 503 }),
        json!({ "location": there("/api/models/acme/tower/revision/main") }),
        json!({ "location": there("/login") }),
        json!({ "location": "nowhere://x" }),
        json!({ "location": "http://" }),
    ];
    let rule = |mut answer: Value, word: &str| {
        answer["match"] = json!(word);
        json!([answer])
    };
    // Without a cache each of them is one line.
    for answer in answers.iter().filter(|a| !matches!(a["status"].as_u64(), Some(429 | 500 | 503)))
    {
        hub.behave(rule(answer.clone(), "/api/"));
        let error = hub.refuses(TOWER);
        assert!(error.contains("acme/tower: ") && !error.contains("licence"), "{answer}: {error}");
    }
    hub.behave(well());
    hub.info(TOWER);
    let used = |what: &str| {
        let output = hub.run(&["info", "--json", "--model", TOWER]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("using what was fetched before"), "{what}: {said}");
        assert!(!said.contains("licence"), "{what}: {said}");
        succeeds(output)
    };
    let before = used_folder(&hub);
    for answer in answers {
        hub.behave(rule(answer.clone(), "/api/"));
        assert_eq!(used(&answer.to_string())["model"], before);
    }
    // The hub has another commit, and does not give it.
    tower(&hub.repository(TOWER), 2);
    for (word, status) in [(WEIGHTS, 403), (WEIGHTS, 404), (WEIGHTS, 401)] {
        hub.behave(json!([{ "match": word, "status": status }]));
        assert_eq!(used(word)["model"], before);
    }
}

fn used_folder(hub: &Hub) -> Value {
    succeeds(hub.run(&["info", "--json", "--offline", "--model", TOWER]))["model"].clone()
}

/// A cache that can only be read: no lock is made where nothing is missing but settings.
#[test]
fn a_cache_that_can_only_be_read() {
    let hub = start("readonly");
    hub.info(TOWER);
    let snapshot = cache(&hub).join("snapshots").join(hub.commit(TOWER));
    let locks = hub.home.join("hub/.locks");
    let settings = snapshot.join("preprocessor_config.json");
    let blob = fs::canonicalize(&settings).unwrap();
    fs::remove_dir_all(&locks).unwrap();
    hub.info(TOWER);
    assert!(!locks.exists(), "a lock for what was there");
    for path in [&settings, &blob] {
        fs::remove_file(path).unwrap();
    }
    // Nobody can make a folder where a file is, not even the superuser.
    fs::write(&locks, "").unwrap();
    let output = hub.run(&["info", "--json", "--model", TOWER]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("going on without preprocessor_config.json"), "{said}");
    assert_eq!(succeeds(output)["model"], json!(snapshot));
    succeeds(hub.run(&["info", "--json", "--offline", "--model", TOWER]));
}

/// The address of a repository as a browser shows it, and its folder in the cache.
#[test]
fn addresses_and_folders_of_the_cache() {
    let hub = start("address");
    let commit = hub.commit(TOWER);
    let snapshot = cache(&hub).join("snapshots").join(&commit);
    for path in [
        "",
        "/",
        "/tree/main",
        "/blob/main/config.json",
        "?a=b#c",
        "/resolve/main/model.safetensors?download=true",
    ] {
        let address = format!("{}/{TOWER}{path}", hub.address);
        assert_eq!(hub.info(&address)["model"], json!(snapshot), "{address}");
    }
    assert_eq!(
        hub.info(&format!("{}/{TOWER}/tree/{commit}", hub.address))["model"],
        json!(snapshot)
    );
    let error = hub.refuses("https://example.com/acme/tower");
    assert!(error.contains("no address of the hub: expected https://huggingface.co/"), "{error}");
    hub.log();
    for folder in [cache(&hub), cache(&hub).join("snapshots"), snapshot.clone()] {
        assert_eq!(hub.info(folder.to_str().unwrap())["bytes"], hub.info(TOWER)["bytes"]);
    }
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

/// A vision part counts by the digest that was kept of it, whole or not.
#[test]
fn vision_parts_are_known_by_their_digests() {
    let hub = start("larger-digest");
    let served = hub.repository("acme/vlm");
    larger(&served, &hub.repository(TOWER), "internvl_chat", |key| format!("vision_model.{key}"));
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
    fs::remove_file(folder.join("model.safetensors.sha256")).unwrap();
    spoil(&whole, false);
    hub.info("acme/vlm");
    assert!(fs::read(&whole).unwrap() == expected);
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
