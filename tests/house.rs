//! The house's rules, read from the files themselves (ARCHITECTURE.md says why).
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(folder), &mut found);
    found.sort();
    found
        .into_iter()
        .filter(|p| p.extension().is_some_and(|e| e == ending))
        .map(|p| {
            let name = p.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            (name, std::fs::read_to_string(&p).unwrap())
        })
        .collect()
}

/// Files under src/ that hold `word` outside comments.
fn saying(word: &str) -> Vec<String> {
    files("src", "rs")
        .into_iter()
        .filter(|(_, text)| {
            text.lines().any(|l| !l.trim_start().starts_with("//") && l.contains(word))
        })
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn only_the_gpu_room_says_wgpu() {
    assert!(saying("wgpu").iter().all(|f| f.starts_with("src/gpu/")), "{:?}", saying("wgpu"));
}

#[test]
fn only_the_browsers_door_says_wasm_bindgen() {
    assert!(saying("wasm_bindgen").iter().all(|file| file.starts_with("src/web")));
}

/// What draws and remembers serves a command line, a page and a window alike.
#[test]
fn only_doors_know_a_user_interface() {
    for word in ["clap", "indicatif", "js_sys", "web_sys", "JsValue"] {
        let door = |file: &String| file.starts_with("src/cli/") || file.starts_with("src/web");
        assert!(saying(word).iter().all(door), "{word}: {:?}", saying(word));
    }
}

/// A view's name stands in the table of views, and in no other list.
#[test]
fn views_are_listed_once() {
    for name in ["\"pca\"", "\"similarity\"", "\"rollout\"", "\"norms\"", "\"taught\""] {
        assert_eq!(saying(name), ["src/view/request.rs"], "{name}");
    }
}

#[test]
fn few_files_know_the_target() {
    let list = saying("target_arch");
    assert!(list.len() <= 6, "{list:?}");
}

/// Two places, and docs/reliability.md says why.
#[test]
fn unsafe_is_explained() {
    let mut list = saying("unsafe");
    for folder in ["tests", "fuzz", "docs"] {
        let others = files(folder, "rs").into_iter().filter(|(_, text)| text.contains("unsafe {"));
        list.extend(others.map(|(name, _)| name).filter(|name| name != "tests/house.rs"));
    }
    assert_eq!(list, ["src/gpu/cache.rs", "src/gpu/device.rs"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let said = std::fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    for file in list {
        let text = std::fs::read_to_string(root.join(&file)).unwrap();
        assert_eq!(text.matches("unsafe {").count(), 1, "{file}");
        assert!(said.contains(&format!("`{file}`")), "{file} in docs/reliability.md");
    }
}

#[test]
fn image_and_model_do_no_io() {
    for word in ["std::fs", "std::io::Read", "std::net", "File::"] {
        for file in saying(word) {
            assert!(
                !file.starts_with("src/image/") && !file.starts_with("src/model/"),
                "{file}: {word}"
            );
        }
    }
}

#[test]
fn plans_name_no_device() {
    for word in ["Vulkan", "wgsl", "f16", "gpu::", "reference::"] {
        assert!(
            saying(word).iter().all(|f| !f.starts_with("src/plan/")),
            "{word}: {:?}",
            saying(word)
        );
    }
}

/// Imports point down: each room with the rooms that it may use.
#[test]
fn imports_point_down() {
    let below_encoder: &[&str] = &[
        "error",
        "progress",
        "image",
        "images",
        "model",
        "features",
        "weights",
        "plan",
        "reference",
        "cpu",
        "gpu",
    ];
    let rooms: [(&str, &[&str]); 17] = [
        ("files", &["error", "budget"]),
        ("budget", &["error", "image"]),
        ("error", &[]),
        ("progress", &[]),
        ("image", &["error"]),
        ("model", &["error", "image"]),
        ("features", &["error"]),
        ("weights", &["error", "budget", "features", "files", "progress", "model", "plan"]),
        ("hub", &["error", "budget", "files", "model", "plan", "weights"]),
        ("plan", &["error", "image", "model"]),
        ("images", &["error", "budget", "features", "image", "model", "plan"]),
        ("reference", &["error", "image", "model", "plan", "weights"]),
        ("cpu", &["error", "progress", "image", "model", "plan", "weights", "reference"]),
        ("gpu", &["error", "progress", "image", "model", "plan", "weights"]),
        ("view", &["error", "image", "features"]),
        ("encoder", below_encoder),
        ("app", &["error", "image", "model", "features", "weights", "view", "encoder"]),
    ];
    let names: Vec<&str> = rooms.iter().map(|(name, _)| *name).chain(["web"]).collect();
    for (room, allowed) in rooms {
        let inside = |name: &str| {
            name.starts_with(&format!("src/{room}/")) || name == format!("src/{room}.rs")
        };
        for (name, text) in files("src", "rs").iter().filter(|(name, _)| inside(name)) {
            for other in names.iter().filter(|o| **o != room && !allowed.contains(o)) {
                let used = text.contains(&format!("crate::{other}::"));
                assert!(!used, "{name} uses crate::{other}");
            }
        }
    }
}

/// Sizes are a sign, not a limit; beyond these a file has more than one reason to change.
#[test]
fn files_stay_readable() {
    for (name, text) in files("src", "rs") {
        assert!(text.lines().count() <= 400, "{name}: {} lines", text.lines().count());
    }
    for (name, text) in files("shaders", "wgsl") {
        assert!(text.lines().count() <= 150, "{name}: {} lines", text.lines().count());
        assert!(text.starts_with("//") || name.contains("affine"), "{name}: no formula at the top");
    }
}

#[test]
fn nothing_is_left_open() {
    for (name, text) in files("src", "rs").into_iter().chain(files("web", "ts")) {
        for word in ["todo!", "unimplemented!", "dbg!", "console.log"] {
            let found = text.lines().any(|l| !l.contains("\"todo!\"") && l.contains(word));
            assert!(!found || name.contains("node_modules"), "{name}: {word}");
        }
    }
}

/// Text reaches a terminal through one door, which spells it out and bounds it.
#[test]
fn one_file_writes_to_the_terminal() {
    for word in [
        "print!",
        "println!",
        "dbg!",
        "(stdout()",
        "(stderr()",
        "io::stdout()",
        "io::stderr()",
        "set_hook",
        "process::abort",
    ] {
        let found = saying(word);
        let allowed: &[&str] = match word {
            // A measurement, in its tests.
            "println!" => &["src/hub/proof.rs"],
            "(stdout()" | "(stderr()" => &["src/cli/terminal.rs"],
            // It asks only whether there is a terminal.
            "io::stderr()" => &["src/cli/progress.rs"],
            "set_hook" => &["src/cli/fault.rs", "src/web.rs"],
            _ => &[],
        };
        assert_eq!(found, allowed, "{word}");
    }
    assert_eq!(saying("console::"), ["src/web.rs"]);
}

#[test]
fn the_librarys_errors_name_no_flag() {
    let flag = |line: &&str| {
        let quoted = line.split('"').skip(1).step_by(2).any(|text| {
            text.split([' ', '(', '`', ';']).any(|word| {
                word.strip_prefix("--").is_some_and(|w| w.starts_with(|c: char| c.is_lowercase()))
            })
        });
        quoted && !line.trim_start().starts_with("//")
    };
    for (name, text) in files("src", "rs") {
        if name.starts_with("src/cli/") || name == "src/main.rs" {
            continue;
        }
        let found: Vec<&str> = text.lines().filter(flag).collect();
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

/// `rust-version` is the newest compiler that a dependency asks for.
#[test]
fn rust_version_is_that_of_the_dependencies() {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--locked", "--format-version", "1"]);
    let out = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let version = |package: &serde_json::Value| -> Option<Vec<u32>> {
        let text = package["rust_version"].as_str()?;
        text.split('.').take(2).map(|part| part.parse().ok()).collect()
    };
    let packages = metadata["packages"].as_array().unwrap();
    let (ours, others): (Vec<_>, Vec<_>) =
        packages.iter().partition(|package| package["name"] == "internvit");
    let newest = others.iter().filter_map(|p| Some((version(p)?, p["name"].as_str()?))).max();
    let (asked, name) = newest.unwrap();
    assert_eq!(version(ours[0]).unwrap(), asked, "rust-version of Cargo.toml, and of {name}");
}
