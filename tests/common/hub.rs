//! A hub of models on this machine, and a user of it with a cache of their own.
#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

/// The server of `tests/common/hub.mjs`, gone with its guard.
pub struct Hub {
    server: Child,
    pub address: String,
    /// What it serves: owner/name/file.
    pub folder: PathBuf,
    /// `HF_HOME` of who asks it.
    pub home: PathBuf,
}

impl Hub {
    pub fn start(scratch: &Path) -> Self {
        let (folder, home) = (scratch.join("served"), scratch.join("home"));
        std::fs::create_dir_all(&folder).unwrap();
        let script = crate::common::root().join("tests/common/hub.mjs");
        let mut server = Command::new("node")
            .args([&script, &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node runs the hub");
        let mut address = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        Self { server, address: address.trim().into(), folder, home }
    }

    /// The folder of a repository.
    pub fn repository(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// What shall go wrong from now on.
    pub fn behave(&self, rules: Value) {
        self.post("/-/behave", &rules.to_string());
    }

    /// What was asked since the last time.
    pub fn log(&self) -> Vec<Value> {
        serde_json::from_str(&self.post("/-/log", "")).unwrap()
    }

    fn post(&self, path: &str, body: &str) -> String {
        let mut answer = ureq::post(format!("{}{path}", self.address)).send(body).unwrap();
        answer.body_mut().read_to_string().unwrap()
    }

    /// The commit that the repository is at.
    pub fn commit(&self, name: &str) -> String {
        let url = format!("{}/api/models/{name}/revision/main?blobs=true", self.address);
        let text = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        self.log();
        value["sha"].as_str().unwrap().into()
    }

    /// The command line with this hub, this cache, and nothing else of the environment's.
    pub fn command(&self) -> Command {
        let mut command = crate::run::program();
        for name in ["HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HF_HUB_OFFLINE"] {
            command.env_remove(name);
        }
        command.env("HF_ENDPOINT", &self.address).env("HF_HOME", &self.home);
        command.env("NO_PROXY", "127.0.0.1");
        // What is known of files that were read lies in the user's cache folder.
        command.env("XDG_CACHE_HOME", self.home.with_file_name("user"));
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// What `internvit info` says of a model, fetched for it.
    pub fn info(&self, model: &str) -> Value {
        succeeds(self.run(&["info", "--json", "--model", model]))
    }

    /// The one line that says why a model cannot be had.
    pub fn refuses(&self, model: &str) -> String {
        fails(self.run(&["info", "--model", model]))
    }
}

/// The JSON that a command printed.
pub fn succeeds(output: Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The one line that a command failed with, notes left out.
pub fn fails(output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    let lines: Vec<_> = error.lines().filter(|line| !line.starts_with("note: ")).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("internvit: "), "{error}");
    lines[0].into()
}

/// Bytes that answers to requests whose address holds `word` have brought.
pub fn bytes(log: &[Value], word: &str) -> u64 {
    of(log, word).map(|entry| entry["bytes"].as_u64().unwrap()).sum()
}

/// Requests whose address holds `word`.
pub fn of<'a>(log: &'a [Value], word: &str) -> impl Iterator<Item = &'a Value> {
    log.iter().filter(move |entry| entry["url"].as_str().unwrap().contains(word))
}

/// No fault from now on.
pub fn well() -> Value {
    json!([])
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
