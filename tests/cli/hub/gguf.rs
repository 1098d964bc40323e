//! Models in GGUF: one of many in a repository, in parts, with its projector.

use super::*;
use crate::chat::{QUESTION, fixture, json as case_of};
use crate::gguf::{As, File, add_tokenizer, language, projector};
use crate::run::text;
use crate::served::{fails, of};

const REPOSITORY: &str = "acme/tiny-GGUF";

fn model(how: As) -> File {
    let mut file = language(&fixture("chat_tiny"), "qwen2", how);
    add_tokenizer(&mut file, &fixture("chat_tiny"), 440);
    file
}

/// The model whole in parts, and in 8 bits; its projector twice.
fn serve(hub: &Hub) {
    let served = hub.repository(REPOSITORY);
    for (part, at) in model(As::F32).parts(3).into_iter().zip(1..) {
        part.write(&served.join(format!("tiny-F32-0000{at}-of-00003.gguf")));
    }
    model(As::Q8_0).write(&served.join("tiny-Q8_0.gguf"));
    for (how, name) in [(As::F32, "mmproj-tiny-F32.gguf"), (As::Q8_0, "mmproj-tiny-Q8_0.gguf")] {
        projector(&fixture("chat_tiny"), how).write(&served.join(name));
    }
    fs::write(served.join("README.md"), "a card").unwrap();
}

/// The command that asks a model of the hub for the fixture's answer.
fn asked(model: &str, more: &[&str]) -> Vec<String> {
    let image = fixture("chat_tiny").join("image.png");
    let args = ["chat", text(&image), QUESTION, "--max-tiles", "6", "--device", "cpu"];
    args.iter().chain(&["--model", model]).chain(more).map(|word| (*word).to_string()).collect()
}

fn ask(hub: &Hub, model: &str, more: &[&str]) -> std::process::Output {
    let words = asked(model, more);
    hub.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn answer(hub: &Hub, model: &str, more: &[&str]) -> String {
    let output = ask(hub, model, more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_string()
}

/// By its quantisation, by the name of a file, by its address: all parts, and the projector.
#[test]
fn one_of_several_is_named() {
    let hub = start("gguf");
    serve(&hub);
    let case = case_of(&fixture("chat_tiny").join("case.json"));
    let expected = case["answer"].as_str().unwrap();
    let error = fails(ask(&hub, REPOSITORY, &[]));
    let said = "several models in GGUF, tiny-F32-00001-of-00003.gguf, tiny-Q8_0.gguf: name one, as";
    assert!(error.contains(said) && error.contains("acme/tiny-GGUF:FILE.gguf"), "{error}");
    let error = fails(ask(&hub, &format!("{REPOSITORY}:Q4_K_M"), &[]));
    assert!(error.contains("no model in GGUF called \"Q4_K_M\", but tiny-F32-00001"), "{error}");
    assert_eq!(of(&hub.log(), "/resolve/").count(), 0);

    assert_eq!(answer(&hub, &format!("{REPOSITORY}:f32"), &[]), expected);
    let log = hub.log();
    let fetched = |name: &str| of(&log, name).count() > 0;
    let names = ["00001-of", "00002-of", "00003-of", "mmproj-tiny-F32", "Q8_0", "README"];
    assert_eq!(names.map(fetched), [true, true, true, true, false, false]);
    // It is here now: of the hub nothing but the commit is asked, offline nothing.
    let address = format!("{}/{REPOSITORY}/blob/main/tiny-F32-00001-of-00003.gguf", hub.address);
    for model in [&format!("{REPOSITORY}:tiny-F32-00002-of-00003.gguf"), &address] {
        assert_eq!(answer(&hub, model, &[]), expected, "{model}");
        assert_eq!(of(&hub.log(), "/resolve/").count(), 0, "{model}");
        assert_eq!(answer(&hub, model, &["--offline"]), expected, "{model}");
        assert!(hub.log().is_empty());
    }
    let pinned = format!("{REPOSITORY}@{}:F32", hub.commit(REPOSITORY));
    assert_eq!(answer(&hub, &pinned, &[]), expected);
    assert!(hub.log().is_empty());
    // What is not here is told; what the hub does not answer for is taken as it is.
    let error = fails(ask(&hub, &format!("{REPOSITORY}:Q8_0"), &["--offline"]));
    assert!(error.contains("only a part of it is on this machine"), "{error}");
    hub.behave(json!([{ "match": "/api/", "status": 500, "after": 0 }]));
    assert_eq!(answer(&hub, &format!("{REPOSITORY}:F32"), &[]), expected);
}

/// A repository of one model needs no choice; for photographs alone its projector is fetched.
#[test]
fn the_only_one_needs_no_name() {
    let hub = start("gguf-one");
    let served = hub.repository(REPOSITORY);
    model(As::F32).write(&served.join("tiny.gguf"));
    projector(&fixture("chat_tiny"), As::F32).write(&served.join("mmproj-tiny.gguf"));
    let case = case_of(&fixture("chat_tiny").join("case.json"));
    let (image, out) = (fixture("chat_tiny").join("image.png"), hub.home.with_file_name("f.npz"));
    let args = ["encode", text(&image), "--model", REPOSITORY, "--device", "cpu"];
    let output = hub.run(&[&args[..], &["--out", text(&out)]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = hub.log();
    assert_eq!(of(&log, "/tiny.gguf").count(), 0);
    assert!(of(&log, "mmproj-tiny.gguf").count() > 0);
    for more in [&[][..], &["--offline"]] {
        assert_eq!(answer(&hub, REPOSITORY, more), case["answer"].as_str().unwrap());
    }
}

/// A part that the repository lacks, and one that was damaged in the cache.
#[test]
fn parts_are_whole() {
    let hub = start("gguf-parts");
    serve(&hub);
    let named = format!("{REPOSITORY}:F32");
    let part = hub.repository(REPOSITORY).join("tiny-F32-00002-of-00003.gguf");
    let whole = fs::read(&part).unwrap();
    fs::remove_file(&part).unwrap();
    let error = fails(ask(&hub, &named, &[]));
    assert!(error.contains("no tiny-F32-00002-of-00003.gguf in the repository"), "{error}");
    fs::write(&part, whole).unwrap();
    let expected = answer(&hub, &named, &[]);
    let kept = hub.home.join("hub/models--acme--tiny-GGUF/snapshots").join(hub.commit(REPOSITORY));
    let blob = kept.join("tiny-F32-00002-of-00003.gguf").canonicalize().unwrap();
    let bytes = fs::read(&blob).unwrap();
    fs::write(&blob, &bytes[..bytes.len() / 2]).unwrap();
    let error = fails(ask(&hub, &named, &["--offline"]));
    assert!(error.contains("only a part of it is on this machine"), "{error}");
    assert_eq!(answer(&hub, &named, &[]), expected);
}
