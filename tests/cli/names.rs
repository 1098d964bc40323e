//! Names that are not UTF-8, in every command that takes or prints some; both standard streams, closed
//! and full, in every command.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::*;
use crate::run::*;
use internvit::weights::{StoredType, init_checkpoint};
use serde_json::Value;

/// A name of bytes in a folder.
fn named(folder: &Path, name: &[u8]) -> PathBuf {
    folder.join(OsStr::from_bytes(name))
}

/// Runs a command on words of any bytes; its standard output.
fn run(folder: &Path, words: &[&OsStr]) -> Vec<u8> {
    let output = crate::run::program().args(words).current_dir(folder).output();
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !errors.contains("panicked"), "{words:?}: {errors}");
    output.stdout
}

#[test]
fn every_command_takes_names_of_any_bytes() {
    let folder = scratch("names-bytes");
    let (cat, other) = (named(&folder, b"caf\xe9.png"), named(&folder, b"caf\xe8.png"));
    for path in [&cat, &other] {
        fs::copy(sample("chelsea.png"), path).unwrap();
    }
    let model = named(&folder, b"m\xe9");
    let [npz, table, maps, pixels, head, more] = [
        &b"x\xe9.npz"[..],
        b"t\xe9.parquet",
        b"maps\xe9",
        b"p\xe9.npz",
        b"h\xe9.safetensors",
        b"c\xe9",
    ]
    .map(|name| named(&folder, name));
    let (cat, other) = (cat.as_os_str(), other.as_os_str());
    let words = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
    let small = words(&["--device", "cpu", "--image-size", "56"]);
    let json = |front: &str, names: &[&OsStr], back: &[&str], option: &str, file: &Path| {
        let front = words(&[front]);
        let back = words(back);
        let mut all: Vec<&OsStr> = front.iter().map(OsString::as_os_str).collect();
        all.extend(names);
        all.extend(back.iter().map(OsString::as_os_str));
        let option = OsString::from(option);
        if !option.is_empty() {
            all.extend([option.as_os_str(), file.as_os_str()]);
        }
        let said = run(&folder, &all);
        match back.iter().any(|word| word == "--json") {
            true => {
                serde_json::from_slice::<Value>(&said).unwrap_or_else(|e| panic!("{all:?}: {e}"))
            }
            false => Value::Null,
        }
    };
    let cpu = ["--json", "--device", "cpu", "--image-size", "56"];
    let given = named(&folder, b"given\xe9.json");
    let described = r#", "segmentation": {"head": "linear", "out_indices": [1], "num_classes": 3}"#;
    fs::write(&given, config(32, 2, 64, 2, described)).unwrap();
    json("init", &[], &["--out", "small"], "--config", &given);
    json("convert", &[OsStr::new("small")], &[], "--out", &model);
    json("convert", &[model.as_os_str()], &["--json"], "--out", &more);
    json("info", &[], &["--json"], "--model", &model);
    let said = json("encode", &[cat, other], &cpu, "--out", &npz);
    assert!(said["images"][0].as_str().unwrap().ends_with("caf\\xE9.png"), "{said}");
    json("preprocess", &[cat], &["--json", "--size", "56"], "--out", &pixels);
    json(
        "encode",
        &[],
        &["--json", "--device", "cpu", "--out", "y.npz"],
        "--pixel-values",
        &pixels,
    );
    json(
        "segment",
        &[cat, other],
        &["--json", "--device", "cpu", "--window", "56"],
        "--labels",
        &maps,
    );
    assert_eq!(fs::read_dir(&maps).unwrap().count(), 2);
    let points = ["--point", "a:1,1", "--point", "b:400,200"];
    json("teach", &[cat], &[&cpu[1..], &points].concat(), "--out", &head);
    json("segment", &[cat], &["--json", "--device", "cpu"], "--head", &head);
    json("bisect", &[cat], &["--json"], "--model", &model);
    // Photographs whose names differ in such bytes alone are two rows, and are known again.
    let said = json("encode", &[cat, other], &cpu, "--out", &table);
    assert_eq!((&said["encoded"], &said["failed"]), (&2.into(), &0.into()));
    let said = json("encode", &[cat, other], &cpu, "--out", &table);
    assert_eq!((&said["encoded"], &said["skipped"]), (&0.into(), &2.into()));
    // A picture that is named by the photograph has the photograph's name.
    let mut look: Vec<&OsStr> = ["look"].map(OsStr::new).into();
    look.extend([cat, OsStr::new("--view"), OsStr::new("norms")]);
    look.extend(small.iter().map(OsString::as_os_str));
    run(&folder, &look);
    assert!(named(&folder, b"caf\xe9-norms.png").is_file());
}

/// A pipe whose reader has gone.
fn closed() -> Stdio {
    let mut gone = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let pipe = gone.stdin.take().unwrap();
    gone.wait().unwrap();
    pipe.into()
}

fn full() -> Stdio {
    fs::File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn streams_that_fail_end_no_command() {
    let folder = scratch("names-streams");
    let (cat, model) = (sample("chelsea.png"), folder.join("m"));
    init_checkpoint("c", &config(32, 2, 64, 2, ""), 1, StoredType::F32, &model, &|_, _| ())
        .unwrap();
    fs::write(folder.join("broken.png"), "no picture").unwrap();
    let (cat, small) = (text(&cat), ["--device", "cpu", "--image-size", "56"]);
    let commands: [(&str, &[&str]); 18] = [
        ("info", &["info", "--json"]),
        ("info", &["info"]),
        ("models", &["models"]),
        ("models", &["models", "--json"]),
        ("devices", &["devices"]),
        ("devices", &["devices", "--json"]),
        ("shader", &["shader"]),
        ("help", &["--help"]),
        ("version", &["--version"]),
        (
            "bench",
            &["bench", "--device", "cpu", "--image-size", "56", "--model", "m", "--batch", "1"],
        ),
        ("bisect", &["bisect", cat, "--json", "--model", "m"]),
        ("preprocess", &["preprocess", cat, "--size", "56", "--json", "--out", "p.npz"]),
        ("convert", &["convert", "m", "--overwrite", "--json", "--out", "c"]),
        ("segment", &["segment", cat, "--json", "--device", "cpu", "--window", "28"]),
        ("encode", &[&["encode", cat, "--json", "--out", "x.npz"][..], &small].concat()),
        (
            "table",
            &[&["encode", cat, "broken.png", "--json", "--out", "t.parquet"][..], &small].concat(),
        ),
        ("look", &[&["look", cat, "--view", "norms", "--out", "l.png"][..], &small].concat()),
        ("init", &["init", "--preset", "tiny", "--overwrite", "--out", "i"]),
    ];
    for (name, words) in commands {
        let start = || {
            let mut command = crate::run::program();
            command.args(words).current_dir(&folder).stdin(Stdio::null());
            command
        };
        for (what, stdout, expected) in [("closed", closed(), 0), ("full", full(), 1)] {
            let output = start().stdout(stdout).stderr(Stdio::piped()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            // What prints nothing does not notice.
            let fine =
                output.status.code() == Some(expected) || name == "init" && output.status.success();
            assert!(fine && !said.contains("panicked"), "{name}, output {what}: {said}");
            let told = said.contains("internvit: standard output: No space left");
            assert!(told || expected == 0 || name == "init", "{name}: {said}");
        }
        for (what, stderr) in [("closed", closed()), ("full", full())] {
            let output = start().stderr(stderr).stdout(Stdio::piped()).output().unwrap();
            assert!(output.status.success(), "{name}, errors {what}: {:?}", output.status);
        }
        let both = start().stdout(closed()).stderr(closed()).status().unwrap();
        assert!(both.success(), "{name}, both closed: {both:?}");
        // Arguments that are wrong, and nobody who reads that.
        let wrong = start().arg("--no-such-option").stderr(closed()).status().unwrap();
        assert_eq!(wrong.code(), Some(i32::from(!matches!(name, "help" | "version"))), "{name}");
    }
}
