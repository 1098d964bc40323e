//! The programs of docs/examples, as their users run them: `cargo test` builds them with the tests.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

use crate::common::*;

/// What an example prints.
fn run(name: &str, args: &[&str]) -> String {
    let deps = std::env::current_exe().unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program = deps.ancestors().nth(2).unwrap().join("examples").join(file);
    assert!(program.exists(), "{name} is not built: cargo build --examples");
    let output = Command::new(program).args(args).current_dir(root()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn folder() {
    let said = run("folder", &["www/samples"]);
    let photos: Vec<&str> = said.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(photos.len(), std::fs::read_dir(root().join("www/samples")).unwrap().count());
    assert!(photos.iter().all(|line| line.ends_with("[16, 16, 192]")), "{said}");
    assert_eq!(
        said.matches("\n  1.000 ").count(),
        photos.len(),
        "each is most like itself: {said}"
    );
}

#[test]
fn classify() {
    let folder = golden("siglip");
    let args = [folder.to_str().unwrap(), "www/samples/chelsea.png", "5,9,2", "7,8,2,1"];
    let said = run("classify", &args);
    let lines: Vec<(&str, f32)> = said
        .lines()
        .map(|line| line.split_once(' ').map(|(name, p)| (name, p.parse().unwrap())).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].1 >= lines[1].1 && lines[0].0 != lines[1].0, "{said}");
}

#[test]
fn look() {
    let out = scratch("look").join("clusters.png");
    let said = run("look", &["www/samples/chelsea.png", "clusters", out.to_str().unwrap()]);
    assert_eq!(said, "clusters [32, 32]\n");
    let view = internvit::image::Picture::open(&out).unwrap();
    let photo = internvit::image::Picture::open(sample("chelsea.png")).unwrap();
    assert_eq!((view.width, view.height), (photo.width, photo.height));
}

#[test]
fn teach() {
    // Build output may be elsewhere.
    std::fs::create_dir_all(root().join("target")).unwrap();
    let said = run("teach", &[]);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.lines().all(|line| line.contains("\"cat\"") && line.contains("\"wall\"")));
    assert!(root().join("target/taught.png").is_file());
}

#[test]
fn service() {
    let said = run("service", &[]);
    assert_eq!(said, "[16, 16]\n".repeat(8) + "internvit-tiny\n");
}

#[test]
fn source() {
    let said = run("source", &["www/models/internvit-tiny"]);
    assert!(said.starts_with("mine Sizes"), "{said}");
}

#[test]
fn device() {
    if gpu().is_none() {
        return;
    }
    let said = run("device", &[]);
    assert!(said.starts_with(&format!("{} bytes on ", 4 * 257 * 192)), "{said}");
}
