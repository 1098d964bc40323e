//! What lies in the cache, and where.

use std::fs;
use std::path::Path;

use hf_hub::{Repo, RepoType};
use serde_json::json;

use super::*;
use crate::common::{sample, scratch};
use crate::served::{fails, succeeds, well};

#[test]
fn a_repository_is_encoded_as_its_folder_is() {
    let hub = Hub::start(&scratch("hub-encode"));
    let bundled = crate::common::root().join("www/models/internvit-tiny");
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

/// Another program fetched a model by its commit, without the settings of preprocessing.
#[test]
fn settings_that_another_program_left_out() {
    let hub = start("settings");
    hub.info(TOWER);
    let commit = hub.commit(TOWER);
    let (model, snapshot) =
        (format!("{TOWER}@{commit}"), cache(&hub).join("snapshots").join(&commit));
    let settings = snapshot.join("preprocessor_config.json");
    let away = || {
        let blob = fs::canonicalize(&settings).unwrap();
        for path in [&settings, &blob] {
            fs::remove_file(path).unwrap();
        }
    };
    let info = |more: &[&str]| {
        let output = hub.run(&[&["info", "--json", "--model", &model][..], more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(succeeds(output)["model"], json!(snapshot));
        said
    };
    away();
    assert_eq!(info(&[]), "");
    assert!(settings.is_file(), "fetched");
    away();
    let said = info(&["--offline"]);
    assert!(
        said.contains("its settings of preprocessing were not fetched, and a request"),
        "{said}"
    );
    for status in [403, 404, 500] {
        hub.behave(json!([{ "match": "/api/", "status": status }]));
        let said = info(&[]);
        assert!(said.contains("its settings of preprocessing were not fetched, and"), "{said}");
        assert!(!settings.exists());
        // By the branch too.
        let output = hub.run(&["info", "--json", "--model", TOWER]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("and no settings of preprocessing"), "{said}");
    }
    hub.behave(json!([{ "match": "preprocessor_config.json", "status": 404 }]));
    let said = info(&[]);
    assert!(said.contains("going on without preprocessor_config.json"), "{said}");
    // A repository that has none is asked once.
    hub.behave(well());
    fs::remove_file(hub.repository(TOWER).join("preprocessor_config.json")).unwrap();
    let commit = hub.commit(TOWER);
    let model = format!("{TOWER}@{commit}");
    hub.info(&model);
    let none = cache(&hub).join(".no_exist").join(&commit);
    assert!(none.join("preprocessor_config.json").is_file(), "as other programs note it");
    hub.log();
    for offline in [&[][..], &["--offline"]] {
        let output = hub.run(&[&["info", "--json", "--model", &model][..], offline].concat());
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(hub.log().is_empty());
    fs::remove_dir_all(none).unwrap();
    hub.info(&model);
    hub.log();
    hub.info(&model);
    assert!(hub.log().is_empty());
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
