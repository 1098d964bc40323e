//! Folders of photographs: what is taken, what is left out and told, and names that are given twice.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::*;
use crate::parquet::{arguments, counts, rows, scene, string};
use crate::run::*;
use serde_json::Value;

const SMALL: [&str; 4] = ["--device", "cpu", "--image-size", "56"];

fn images(name: &str) -> PathBuf {
    crate::common::root().join("tests/images").join(name)
}

/// How many photographs of a folder are taken, and the notes.
fn taken(folder: &Path) -> (u64, String) {
    let out = scratch("folders-out").join("x.npz");
    let args = [&["encode", text(folder), "--json", "--out", text(&out)][..], &SMALL].concat();
    let output = internvit(&args);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{notes}"));
    (said["last_hidden_state"][0].as_u64().unwrap(), notes)
}

/// One function says what a picture is: in a folder what `encode FILE` reads is read.
#[test]
fn a_folder_takes_what_is_read_by_name() {
    let folder = scratch("folders-content");
    for (number, file) in [
        "tiff/bigtiff-little.tif",
        "bmp/palette4.dib",
        "bmp/palette4-core.dib",
        "bmp/rgb24-os2.bmp",
        "gif/beyond.gif",
        "alpha.webp",
        "cmyk.jpg",
        "grey.png",
    ]
    .iter()
    .enumerate()
    {
        let from = images(file);
        let from = if from.is_file() { from } else { first_of(from.parent().unwrap()) };
        fs::copy(from, folder.join(format!("{number}"))).unwrap();
    }
    for (name, bytes) in [
        ("text", &b"BMI and other numbers of the body: a list, and more of it"[..]),
        ("letters", b"BM"),
        (
            "weights",
            b"\x28\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}",
        ),
        ("empty", b""),
    ] {
        fs::write(folder.join(name), bytes).unwrap();
    }
    let (count, notes) = taken(&folder);
    assert_eq!(count, 8, "{notes}");
    let expected =
        "left out 4 files that are no photographs this program reads (without an ending 4)";
    assert!(notes.contains(expected), "{notes}");
}

/// A file of a folder with the fixtures of one kind.
fn first_of(folder: &Path) -> PathBuf {
    let mut list: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    list.sort();
    let is_picture =
        |path: &PathBuf| !matches!(path.extension().unwrap().to_str(), Some("py" | "json"));
    list.into_iter().find(is_picture).unwrap()
}

/// Whatever is left out is counted by its kind.
#[cfg(unix)]
#[test]
fn all_that_is_left_out_is_told() {
    let folder = scratch("folders-kinds");
    let cat = |name: &str| {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::copy(sample("chelsea.png"), folder.join(name)).unwrap();
    };
    ["a.png", "below/b.png", ".hidden.png", ".git/c.png"].into_iter().for_each(cat);
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.join(name)).unwrap();
    link("nowhere.png", "gone.png");
    link("nowhere", "gone");
    link("loop", "loop");
    link("below", "linked");
    link("a.png", "same.png");
    for name in ["pipe.png", "pipe"] {
        let made = std::process::Command::new("mkfifo").arg(folder.join(name)).status().unwrap();
        assert!(made.success());
    }
    let _socket = std::os::unix::net::UnixListener::bind(folder.join("s")).unwrap();
    fs::write(folder.join("one.txt"), "x").unwrap();
    let (count, notes) = taken(&folder);
    assert_eq!(count, 3, "{notes}");
    let expected = "left out 1 file that is no photograph this program reads (.txt 1), \
                    3 dangling links, 1 hidden file, 1 hidden folder, 1 linked folder, 2 pipes, 1 socket";
    assert!(notes.contains(expected), "{notes}");
    // Every command that takes folders says so.
    let maps = scratch("folders-maps");
    let segment = ["segment", text(&folder), "--labels", text(&maps), "--window", "56"];
    let notes = internvit(&[&segment[..], &["--device", "cpu"]].concat());
    assert!(String::from_utf8_lossy(&notes.stderr).contains(expected));
}

/// As a user that may not read all: the superuser may.
#[cfg(target_os = "linux")]
#[test]
fn what_may_not_be_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;
    let is_root = || Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let folder = std::env::temp_dir().join(format!("internvit-folders-{}", std::process::id()));
    fs::create_dir_all(folder.join("lost+found")).unwrap();
    for name in ["a.png", "b.png", "c"] {
        fs::copy(sample("chelsea.png"), folder.join(name)).unwrap();
    }
    for (name, mode) in [("b.png", 0o000), ("c", 0o000), ("lost+found", 0o000), ("", 0o777)] {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let out = folder.join("t.parquet");
    // The program where anybody may run it.
    let program = folder.join("program");
    fs::copy(env!("CARGO_BIN_EXE_internvit"), &program).unwrap();
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command
    } else {
        Command::new(&program)
    };
    command.args(["encode", text(&folder), "--json", "--out", text(&out)]).args(SMALL);
    command.env("HOME", &folder);
    let output = command.output().unwrap();
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    fs::set_permissions(folder.join("lost+found"), fs::Permissions::from_mode(0o755)).unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{notes}"));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!((&said["encoded"], &said["failed"]), (&Value::from(1), &Value::from(2)), "{notes}");
    assert!(notes.contains("lost+found: Permission denied"), "{notes}");
    assert!(notes.contains("1 unreadable file"), "{notes}");
}

/// A map that two photographs would have names both, and itself.
#[test]
fn a_photograph_named_twice_is_told() {
    let folder = scratch("folders-twice");
    let cat = folder.join("x.png");
    fs::copy(sample("chelsea.png"), &cat).unwrap();
    let spelled = folder.join("./x.png");
    let maps = folder.join("maps");
    let (cat, spelled, maps) = (text(&cat), text(&spelled), text(&maps));
    let map = Path::new(maps).join("x.png.png");
    let expected = format!(
        "{}: would be written twice, of {cat} and of {spelled}: name each photograph once",
        map.display()
    );
    fails(&["segment", cat, spelled, "--labels", maps], &expected);
    let both = format!("of {cat} and of {cat}");
    fails(&["segment", cat, cat, "--labels", maps], &both);
    // A table has one row for it.
    assert!(!Path::new(maps).exists());
}

/// Photographs that a list names: lines or zero bytes, from a file or standard input, folders among them; in a
/// table one that is not there costs its row.
#[test]
fn photographs_of_a_list() {
    let (folder, model, photos) = scene("listed", 4);
    let (list, out) = (folder.join("list.txt"), folder.join("f.parquet"));
    let named = |name: &str| format!("{}/{name}", text(&photos));
    fs::write(&list, format!("{}\r\n\n{}\n", named("000.png"), named("gone.png"))).unwrap();
    let encode = |from: &str, more: &[&str]| -> Vec<String> {
        let args = ["encode", "--files-from", from, "--model", text(&model), "--device", "cpu"];
        let args = [&args[..], &["--out", text(&out)], more].concat();
        args.into_iter().map(String::from).collect()
    };
    let run = |from: &str, input: &[u8]| -> Value {
        let args = encode(from, &["--json"]);
        let mut child = program();
        child.args(&args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(counts(&run(text(&list), b"")), [1, 0, 1]);
    let zeros = format!("{}\0{}\0", named("more"), named("002.png"));
    assert_eq!(counts(&run("-", zeros.as_bytes())), [2, 0, 0]);
    let rows = rows(&out);
    let paths: Vec<&str> = rows.iter().map(|row| string(&row["path"])).collect();
    let expected = ["000.png", "more/001.png", "002.png", "gone.png"].map(named);
    assert_eq!(paths, expected);
    fs::write(&list, "\n").unwrap();
    let args = encode(text(&list), &[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    fails(&args, "list.txt: it names no photographs");
    fails(&["encode", "--files-from", "no-list", "--out", text(&out)], "no-list: No such file");
    // A list is read, never overwritten.
    let npz = folder.join("list.npz");
    fs::write(&npz, named("000.png")).unwrap();
    fails(&["encode", "--files-from", text(&npz), "--out", text(&npz)], "list.npz");
    assert_eq!(fs::read_to_string(&npz).unwrap(), named("000.png"));
}

/// Lines of JSON on standard error, whose last of each stage says that all is done; without them nothing.
#[test]
fn progress_in_lines() {
    let (folder, model, photos) = scene("progress", 6);
    let out = folder.join("f.parquet");
    let run = |more: &[&str]| {
        let _ = fs::remove_file(&out);
        let output = internvit(&[&arguments(&photos, &model, &out)[..], more].concat());
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let lines = |said: &str| -> Vec<Value> {
        let lines = said.lines().filter(|line| line.starts_with('{'));
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let said = lines(&run(&["--progress", "json"]));
    for (stage, unit, total) in [("loading", "bytes", None), ("encoding", "images", Some(6))] {
        let of: Vec<&Value> = said.iter().filter(|line| line["stage"] == stage).collect();
        let (first, last) = (of.first().unwrap(), of.last().unwrap());
        assert_eq!((&first["done"], &last["done"]), (&0.into(), &last["total"]), "{stage}");
        assert!(of.iter().all(|line| line["unit"] == unit && line["seconds"].is_number()));
        assert!(total.is_none_or(|total| last["total"] == total), "{last}");
        assert!(of.is_sorted_by_key(|line| line["done"].as_u64()), "{of:?}");
    }
    assert!(lines(&run(&[])).is_empty() && lines(&run(&["--progress", "none"])).is_empty());
}
