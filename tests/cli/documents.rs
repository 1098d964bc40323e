//! The documents' commands: they exist, and what needs no download does what it says.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

use crate::common::*;
use crate::run::*;

/// The commands of a document, as they stand there, without comments.
fn commands(document: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(document)).unwrap();
    let given = |l: &str| {
        let command = l.strip_prefix("internvit ").or(l.strip_prefix("cargo run --release -- "))?;
        // A line of Cargo.toml, and the window, which is a feature of its own.
        let other = command.starts_with('=') || command.starts_with("open ");
        (!other).then(|| command.split('#').next().unwrap().trim().to_owned())
    };
    text.lines().filter_map(given).collect()
}

#[test]
fn the_documents_commands_exist() {
    let commands = [commands("README.md"), commands("docs/formats.md")].concat();
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        let help = ok(&[command.split_whitespace().next().unwrap(), "--help"]);
        for option in command.split_whitespace().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{command}: no {option}");
        }
    }
}

/// README's commands on the models that come with the program, one after the other in one folder, as they stand there.
#[cfg(unix)]
#[test]
fn the_readmes_commands_work() {
    let folder = scratch("readme");
    std::os::unix::fs::symlink(root().join("www"), folder.join("www")).unwrap();
    let quick = ["encode", "look", "teach", "segment", "preprocess", "init", "models"];
    let here = |command: &String| {
        let mut words = command.split_whitespace();
        let subcommand = words.next().unwrap();
        let model = words.skip_while(|word| *word != "--model").nth(1);
        quick.contains(&subcommand) && model.is_none_or(|model| model == "internvit-tiny")
    };
    let commands: Vec<String> = commands("README.md").into_iter().filter(here).collect();
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        let computes =
            ["encode", "look", "teach", "segment"].iter().any(|c| command.starts_with(c));
        let device = if computes { "--device cpu" } else { "" };
        let run = format!("'{}' {command} {device}", env!("CARGO_BIN_EXE_internvit"));
        let mut shell = Command::new("sh");
        shell.args(["-c", &run]).current_dir(&folder).env("INTERNVIT_MODEL", "internvit-tiny");
        let out = shell.output().unwrap();
        assert!(out.status.success(), "{command}: {}", String::from_utf8_lossy(&out.stderr));
    }
}
