//! No output destroys an input or another output; files appear whole; streams and names do no harm.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::*;
use crate::run::*;
use serde_json::Value;

/// A small photograph in `folder`.
fn photo(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::copy(sample("chelsea.png"), &path).unwrap();
    path
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const SMALL: [&str; 4] = ["--device", "cpu", "--image-size", "56"];

#[test]
fn inputs_are_not_overwritten() {
    let folder = scratch("outputs-inputs");
    let cat = photo(&folder, "cat.png");
    let link = folder.join("link.png");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&cat, &link).unwrap();
    #[cfg(not(unix))]
    fs::hard_link(&cat, &link).unwrap();
    let same = folder.join("hard.png");
    fs::hard_link(&cat, &same).unwrap();
    let roundabout = folder.join("../outputs-inputs/./cat.png");
    let model = folder.join("m");
    ok(&["init", "--preset", "tiny", "--out", text(&model)]);
    let weights = model.join("model.safetensors");
    let pixels = folder.join("x.safetensors");
    ok(&["preprocess", text(&cat), "--size", "56", "--out", text(&pixels)]);
    let points = ["--point", "a:1,1", "--point", "b:99,99"];
    let head = folder.join("h.safetensors");
    ok(&[&["teach", text(&cat), "--out", text(&head), "--image-size", "56"][..], &points].concat());
    let cat = text(&cat);
    let before: Vec<_> = [cat, text(&weights), text(&pixels), text(&head)].map(fs::read).into();
    let before: Vec<_> = before.into_iter().map(Result::unwrap).collect();
    let expected = "would be overwritten, but is an input";
    for picture in [cat, text(&link), text(&same), text(&roundabout)] {
        fails(&["encode", cat, "--picture", picture], expected);
        fails(&["look", cat, "--view", "pca", "--out", picture], expected);
        fails(&["segment", cat, "--picture", picture], expected);
        fails(&["segment", cat, "--labels", picture], expected);
        let teach = ["teach", cat, "--out", "t.safetensors", "--picture", picture];
        fails(&[&teach[..], &points].concat(), expected);
    }
    fails(&["encode", "--pixel-values", text(&pixels), "--out", text(&pixels)], expected);
    let out = ["--out", text(&weights)];
    fails(&[&["encode", cat, "--model", text(&model)][..], &out].concat(), expected);
    fails(&[&["encode", cat, "--model", text(&weights)][..], &out].concat(), expected);
    fails(&["segment", cat, "--head", text(&head), "--out", text(&head)], expected);
    let init = ["init", "--preset", "tiny", "--seed", "9", "--out", text(&model)];
    fails(&init, "not empty (--overwrite replaces a model in it)");
    let config = model.join("config.json");
    let again = ["init", "--config", text(&config), "--overwrite", "--out", text(&model)];
    fails(&again, "the configuration is in this folder");
    let after =
        [cat, text(&weights), text(&pixels), text(&head)].map(|path| fs::read(path).unwrap());
    assert!(before == after, "an input changed");
    assert_eq!(names(&model), ["config.json", "model.safetensors"]);
}

#[test]
fn outputs_are_not_mixed_up() {
    let folder = scratch("outputs-twice");
    let cat = photo(&folder, "cat.png");
    let cat = text(&cat);
    let [a, b] = [folder.join("a.safetensors"), folder.join("./a.safetensors")];
    let look = ["look", cat, "--view", "pca", "--out", "p.png"];
    let outputs = ["--data", text(&a), "--save-basis", text(&b)];
    fails(&[&look[..], &outputs].concat(), "would be written twice");
    let points = ["--point", "a:1,1", "--point", "b:99,99"];
    for (args, expected) in [
        (&["encode", cat, "--picture", "x.jpg"][..], "x.jpg: expected a name ending in .png"),
        (&["segment", cat, "--labels", "l.jpg"], "l.jpg: expected a name ending in .png"),
        (&["segment", cat, "--out", "l.npz"], "l.npz: expected a name ending in .safetensors"),
        (
            &["preprocess", cat, "--out", "p.png"],
            "expected a name ending in .safetensors, .npz or .npy",
        ),
    ] {
        fails(args, expected);
    }
    let teach = [&["teach", cat, "--out", "h.npz"][..], &points].concat();
    fails(&teach, "h.npz: expected a name ending in .safetensors");
}

/// What cannot be written is told before the model is loaded.
#[test]
fn outputs_are_checked_first() {
    let folder = scratch("outputs-first");
    let cat = photo(&folder, "cat.png");
    let cat = text(&cat);
    let missing = folder.join("missing/f.npz");
    let args = ["encode", cat, "--model", "no/such/model", "--out", text(&missing)];
    fails(&args, "does not exist; create it first");
    let taken = folder.join("d.npz");
    fs::create_dir(&taken).unwrap();
    let args = ["encode", cat, "--model", "no/such/model", "--out", text(&taken)];
    fails(&args, "d.npz: a folder, expected a file");
    assert_eq!(names(&folder), ["cat.png", "d.npz"]);
}

#[test]
fn maps_of_several_photographs_keep_apart() {
    let folder = scratch("outputs-maps");
    let photos =
        ["dog/000.png", "cat/000.png", "s1.png", "s1.jpg"].map(|name| photo(&folder, name));
    let maps = folder.join("maps");
    let labels = ["--labels", text(&maps), "--json", "--device", "cpu", "--window", "56"];
    let args: Vec<&str> = photos.iter().map(|path| text(path)).collect();
    let said = ok(&[&["segment"][..], &args, &labels].concat());
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["images"].as_array().unwrap().len(), 4);
    assert_eq!(names(&maps), ["cat", "dog", "s1.jpg.png", "s1.png.png"]);
    // A folder and a broken photograph: the others are there, and one JSON value tells all.
    fs::write(folder.join("cat/broken.png"), "no picture").unwrap();
    let maps = folder.join("more");
    let labels = ["--labels", text(&maps), "--json", "--device", "cpu", "--window", "56"];
    let cats = folder.join("cat");
    let said = ok(&[&["segment", text(&cats)][..], &labels].concat());
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["failed"], names(&maps)), (&Value::from(1), vec!["000.png".to_string()]));
    // A folder of photographs with the name that a map beside it gets, and one place spelled twice.
    let mixed = folder.join("mixed");
    for name in ["a.png/x.png", "a.jpg"] {
        photo(&folder, &format!("mixed/{name}"));
    }
    let maps = folder.join("mixed-maps");
    let segment = ["segment", text(&mixed), "--labels", text(&maps), "--window", "56"];
    fails(&segment, "would be its folder and a file");
    let spelled = folder.join("new/../mixed-maps/.");
    let cats = [text(&photos[0]), text(&photos[1])];
    let twice = ["--labels", text(&maps), "--picture", text(&spelled)];
    fails(&[&["segment"][..], &cats, &twice].concat(), "would be written twice");
    assert!(!maps.exists());
    // One photograph and a name without an ending: a folder too.
    let maps = folder.join("one");
    ok(&[
        "segment",
        text(&photos[0]),
        "--labels",
        text(&maps),
        "--window",
        "56",
        "--device",
        "cpu",
    ]);
    assert_eq!(names(&maps), ["000.png"]);
}

/// Long names, links and whole files.
#[test]
fn names_may_be_long() {
    let folder = scratch("outputs-long");
    let cat = photo(&folder, "cat.png");
    for ending in ["npz", "safetensors", "npy"] {
        let out = folder.join(format!("{}.{ending}", "x".repeat(254 - ending.len())));
        ok(&[&["encode", text(&cat), "--out", text(&out)][..], &SMALL].concat());
        assert!(out.is_file());
    }
    assert_eq!(names(&folder).len(), 4, "no pieces stay");
}

/// Of a disk or a limit that is full at any byte the old file stays and the exit code is 1.
#[cfg(target_os = "linux")]
#[test]
fn files_are_whole_at_every_limit() {
    let folder = scratch("outputs-limit");
    let cat = photo(&folder, "cat.png");
    let points = ["--point", "a:20,20", "--point", "b:400,250"];
    let head = folder.join("head.safetensors");
    let teach = [&["teach", text(&cat), "--out", text(&head)][..], &points, &SMALL].concat();
    ok(&teach);
    let segment = ["segment", text(&cat), "--head", text(&head), "--device", "cpu"];
    let encode = [&["encode", text(&cat), "--hidden-states", "0,1"][..], &SMALL].concat();
    let preprocess = vec!["preprocess", text(&cat), "--size", "14"];
    let look = [&["look", text(&cat), "--view", "norms"][..], &SMALL].concat();
    for (name, args, option) in [
        ("p.npz", &preprocess, "--out"),
        ("p.npy", &preprocess, "--out"),
        ("p.safetensors", &preprocess, "--out"),
        ("e.npz", &encode, "--out"),
        ("e.safetensors", &encode, "--out"),
        ("look.png", &look, "--out"),
        ("head.safetensors", &[&["teach", text(&cat)][..], &points, &SMALL].concat(), "--out"),
        ("maps.safetensors", &segment.to_vec(), "--out"),
        ("labels.png", &segment.to_vec(), "--labels"),
        ("map.png", &segment.to_vec(), "--picture"),
        ("t.parquet", &[&["encode", text(&cat)][..], &SMALL].concat(), "--out"),
    ] {
        let out = folder.join(name);
        let args = [args, &[option, text(&out)][..]].concat();
        ok(&args);
        let old = fs::read(&out).unwrap();
        // To a table rows are added; it is begun again.
        let table = name.ends_with(".parquet");
        let places = [1, old.len() / 2, 20, 60, old.len()];
        // The directory of an archive comes last.
        for missing in &places[..if name.ends_with(".npz") { 5 } else { 2 }] {
            if table {
                let _ = fs::remove_file(&out);
            }
            let limit = format!("--fsize={}", old.len().saturating_sub(*missing));
            let mut run = Command::new("prlimit");
            let run =
                run.arg(limit).arg(env!("CARGO_BIN_EXE_internvit")).args(&args).output().unwrap();
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            assert_eq!(run.status.code(), Some(1), "{name} less {missing}: {said}");
            let lines = said.lines().filter(|line| !line.starts_with("note: ")).count();
            assert!(
                lines == 1 && said.lines().any(|line| line.starts_with("internvit: ")),
                "{name} less {missing}: {said}"
            );
            assert_eq!(fs::read(&out).ok(), Some(old.clone()).filter(|_| !table));
            let left = names(&folder);
            assert!(!left.iter().any(|n| n.ends_with(".part") || n.ends_with(".lock")), "{left:?}");
        }
    }
}

/// What a signal ends leaves no pieces.
#[cfg(unix)]
#[test]
fn an_interrupted_run_leaves_nothing() {
    let folder = scratch("outputs-signal");
    let model = folder.join("m");
    let mut run = crate::run::program()
        .args(["init", "--preset", "300m", "--out", text(&model)])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert!(!model.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn streams_that_fail_are_told() {
    let info = || {
        let mut command = crate::run::program();
        command.args(["info", "--json"]);
        command
    };
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = info().stdout(full).stderr(Stdio::piped()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.starts_with("internvit: standard output: No space left"), "{error}");
    // A reader that has gone is no error.
    let status = info().stdout(closed()).status().unwrap();
    assert!(status.success());
    // Notes that nobody reads do not end a run.
    let folder = scratch("outputs-streams");
    let cat = photo(&folder, "cat.png");
    let out = folder.join("x.npz");
    for stderr in [closed(), fs::File::options().write(true).open("/dev/full").unwrap().into()] {
        let args = [&["encode", text(&cat), "--out", text(&out)][..], &SMALL].concat();
        let mut command = crate::run::program();
        assert!(command.args(args).stderr(stderr).status().unwrap().success());
        fs::remove_file(&out).unwrap();
    }
}

/// A pipe whose reader has gone.
#[cfg(unix)]
fn closed() -> Stdio {
    let mut gone = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let pipe = gone.stdin.take().unwrap();
    gone.wait().unwrap();
    pipe.into()
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = scratch("outputs-names");
    let cat = folder.join(OsStr::from_bytes(b"caf\xe9\x1b[31m.png"));
    fs::copy(sample("chelsea.png"), &cat).unwrap();
    for out in [&b"x.npz"[..], b"o\xe9.npz", b"o\xe9.parquet", b"o.safetensors"] {
        let out = folder.join(OsStr::from_bytes(out));
        let mut command = crate::run::program();
        command.arg("encode").arg(&cat).arg("--json").arg("--out").arg(&out).args(SMALL);
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!errors.contains("panicked") && !errors.contains('\x1b'), "{errors}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap();
    }
    let mut command = crate::run::program();
    let out = folder.join(OsStr::from_bytes(b"c\xe9"));
    let model = crate::common::root().join("www/models/internvit-tiny");
    let model = text(&model);
    let output = command.args(["convert", model, "--json", "--out"]).arg(out).output().unwrap();
    assert!(output.status.success());
}

/// Standard input, and a pipe that can be read once.
#[cfg(unix)]
#[test]
fn photographs_come_through_pipes() {
    let folder = scratch("outputs-pipe");
    let cat = photo(&folder, "cat.png");
    let (out, picture) = (folder.join("x.npz"), folder.join("p.png"));
    for name in ["-", "/dev/stdin"] {
        let args = ["encode", name, "--picture", text(&picture), "--out", text(&out)];
        let mut command = crate::run::program();
        command.args(args).args(SMALL).stdin(fs::File::open(&cat).unwrap());
        assert!(command.status().unwrap().success());
        let mut child = Command::new("cat").arg(&cat).stdout(Stdio::piped()).spawn().unwrap();
        let mut command = crate::run::program();
        command.args(args).args(SMALL).stdin(child.stdout.take().unwrap());
        assert!(command.status().unwrap().success());
        child.wait().unwrap();
    }
}

/// Folders go by content; what is left out is counted.
#[test]
fn folders_go_by_content() {
    let folder = scratch("outputs-folder");
    for name in ["a.jpe", "b.apng", "d", "ok.png"] {
        photo(&folder, name);
    }
    for name in ["IMG_1.heic", "notes.txt", "more.txt"] {
        fs::write(folder.join(name), "....ftypheic").unwrap();
    }
    let out = scratch("outputs-folder-out").join("k.npz");
    let args = [&["encode", text(&folder), "--json", "--out", text(&out)][..], &SMALL].concat();
    let output = internvit(&args);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["last_hidden_state"][0], 4);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(notes.contains("left out 3 files") && notes.contains(".heic 1, .txt 2"), "{notes}");
    // Names of the photographs are beside the features.
    let (names, _) = npz(&out, "last_hidden_state");
    assert!(names.contains(&"images.npy".to_string()), "{names:?}");
    let pattern = folder.join("*.jpe");
    let args = [&["encode", text(&pattern), "--out", text(&out)][..], &SMALL].concat();
    ok(&args);
}

/// What `preprocess` writes `encode` takes, in every format.
#[test]
fn pixel_values_come_in_every_format() {
    let folder = scratch("outputs-pixels");
    let cat = photo(&folder, "cat.png");
    let mut all = Vec::new();
    for ending in ["safetensors", "npz", "npy"] {
        let (pixels, out) = (folder.join(format!("p.{ending}")), folder.join("o.safetensors"));
        ok(&["preprocess", text(&cat), "--size", "56", "--out", text(&pixels)]);
        ok(&["encode", "--pixel-values", text(&pixels), "--device", "cpu", "--out", text(&out)]);
        all.push(tensors(&out).remove("last_hidden_state").unwrap().values);
    }
    assert!(all[0] == all[1] && all[0] == all[2]);
    let other = folder.join("other.npz");
    ok(&[&["encode", text(&cat), "--out", text(&other)][..], &SMALL].concat());
    fails(
        &["encode", "--pixel-values", text(&other), "--out", "o.npy"],
        "expected an array pixel_values, found last_hidden_state, pooler_output, images",
    );
}
