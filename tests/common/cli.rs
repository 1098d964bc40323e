//! Running the command line.
#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

/// The program, in the project's folder. Its default model is the small one: most tests are about
/// something else, and the other takes thirty times as long.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_internvit"));
    command.current_dir(crate::common::root()).env("INTERNVIT_MODEL", "internvit-tiny");
    // Mesa's choice of devices looks for a Wayland display, and prints a line where this is not set.
    command.env("XDG_RUNTIME_DIR", env!("CARGO_TARGET_TMPDIR"));
    command
}

pub fn internvit(args: &[&str]) -> Output {
    program().args(args).output().unwrap()
}

pub fn ok(args: &[&str]) -> String {
    let output = internvit(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code 1 and one line on standard error that says what is wrong.
pub fn fails(args: &[&str], expected: &str) {
    let output = internvit(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {error}");
    assert!(error.contains(expected), "{args:?}: expected {expected:?} in {error:?}");
    assert!(!error.contains("panicked"), "{args:?}: {error}");
    let ours = error.lines().filter(|l| l.starts_with("internvit: ")).count();
    assert!(ours == 1 || error.starts_with("error:"), "{args:?}: {error}");
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The files in an archive of arrays, and the shape and values of one.
pub fn npz(path: &Path, name: &str) -> (Vec<String>, (Vec<u64>, Vec<f32>)) {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let names = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    let npy = npyz::NpyFile::new(archive.by_name(&format!("{name}.npy")).unwrap()).unwrap();
    (names, (npy.shape().to_vec(), npy.into_vec().unwrap()))
}
