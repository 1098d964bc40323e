//! The house's rules, read from the files themselves (ARCHITECTURE.md says why).
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::UseTree;
use syn::visit::Visit;

/// The project's folder, above the tests' package.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let root = root();
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

/// Files of Rust: the library's and the programs'.
fn rust() -> Vec<(String, String)> {
    [files("apps", "rs"), files("src", "rs")].concat()
}

/// Files of Rust that hold `word` outside comments.
fn saying(word: &str) -> Vec<String> {
    rust()
        .into_iter()
        .filter(|(_, text)| {
            text.lines().any(|l| !l.trim_start().starts_with("//") && l.contains(word))
        })
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn only_the_gpu_room_says_wgpu() {
    // The library hands the crate on, for programs with a device of their own, as the window.
    let rooms = ["src/gpu/", "src/lib.rs", "apps/window/src/device/"];
    let room = |file: &String| rooms.iter().any(|room| file.starts_with(room));
    assert!(saying("wgpu").iter().all(room), "{:?}", saying("wgpu"));
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
    let root = root();
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

/// The paths that a file imports or says, as lists of segments, with the lengths of its functions.
#[derive(Default)]
struct Reading {
    paths: Vec<Vec<String>>,
    functions: Vec<(String, usize)>,
}

impl Reading {
    fn of(name: &str, text: &str) -> Self {
        let file = syn::parse_file(text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut reading = Self::default();
        reading.visit_file(&file);
        reading
    }

    fn tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &dyn ToString| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.paths.push(with(&name.ident)),
            UseTree::Rename(name) => self.paths.push(with(&name.ident)),
            UseTree::Glob(_) => self.paths.push(with(&"*")),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree)),
        }
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = block.brace_token.span.close().end().line;
        self.functions.push((signature.ident.to_string(), last + 1 - first));
    }
}

impl<'a> Visit<'a> for Reading {
    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        // Tests inside a file may use what they like.
        if module.ident != "tests" {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.function(&item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }
}

/// What every room may use: errors, progress, and a few functions that know no room.
const SHARED: [&str; 8] =
    ["error", "progress", "json", "math", "order", "parallel", "pointer", "threads"];

/// Imports point down: each room with the rooms that it may use beside those shared by all.
const ROOMS: [(&str, &str); 23] = [
    ("files", "budget"),
    ("budget", "image"),
    ("photos", "budget files image"),
    ("image", ""),
    ("model", "image"),
    ("features", ""),
    ("weights", "budget features files model plan"),
    ("hub", "budget files model plan weights"),
    ("plan", "image model"),
    ("images", "budget features image model plan"),
    ("reference", "image model plan weights"),
    ("cpu", "image model plan weights reference"),
    ("precision", "weights"),
    ("gpu", "precision image model plan weights"),
    ("view", "image features plan cpu"),
    ("session", BELOW_SESSION),
    ("encoder", "session image images model features weights plan reference cpu precision gpu"),
    ("language", "images model features plan session encoder"),
    ("words", "files model weights session"),
    ("measure", "gpu images encoder session"),
    ("app", "image images model features weights cpu view encoder session"),
    ("many", "app budget encoder features image images model photos"),
    (
        "api",
        "app budget cpu encoder features files gpu hub image images many model photos plan precision session view weights words",
    ),
];

const BELOW_SESSION: &str = "image images model features weights plan reference cpu precision gpu";

/// The rooms of the names that `src/lib.rs` hands on.
fn handed_on() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let paths = Reading::of("src/lib.rs", &text).paths;
    let room = |path: &Vec<String>| Some((path.last()?.clone(), path.first()?.clone()));
    paths.iter().filter(|path| path.len() > 1).filter_map(room).collect()
}

#[test]
fn imports_point_down() {
    let handed_on = handed_on();
    assert_eq!(handed_on["Encoder"], "encoder");
    for (name, text) in files("src", "rs").iter().filter(|(name, _)| name != "src/lib.rs") {
        let room = name["src/".len()..].split(['/', '.']).next().unwrap();
        let row = ROOMS.iter().find(|(each, _)| *each == room);
        let allowed = match row {
            Some((_, allowed)) => allowed,
            None if SHARED.contains(&room) => "",
            None => panic!("{name}: its room is not in the table"),
        };
        for path in Reading::of(name, text).paths {
            let [first, other, ..] = path.as_slice() else { continue };
            let other = handed_on.get(other).unwrap_or(other).as_str();
            let fine = other == room || other == "IN_BROWSER" || SHARED.contains(&other);
            let fine = fine || allowed.split(' ').any(|each| each == other);
            assert!(first != "crate" || fine, "{name} uses {path:?}");
        }
    }
}

/// The files of the GPU's room, the lowest first, as ARCHITECTURE.md has them.
fn gpu_order() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, behind) = text.split_once("import in one order, from the lowest:").unwrap();
    let (list, _) = behind.split_once('.').unwrap();
    list.split(',').map(|name| name.trim().to_owned()).collect()
}

/// Each imports from those before it, from the file that holds a name and never through `mod.rs`. So
/// there is no circle.
#[test]
fn the_gpus_files_import_in_one_order() {
    let all = files("src/gpu", "rs");
    let order = gpu_order();
    assert_eq!(order.len(), order.iter().collect::<BTreeSet<_>>().len(), "{order:?}");
    for file in &order {
        let known = |(name, _): &(String, String)| *name == format!("src/gpu/{file}.rs");
        assert!(all.iter().any(known), "src/gpu has no {file}.rs");
    }
    for (name, text) in all.iter().filter(|(name, _)| name != "src/gpu/mod.rs") {
        let inside = name.strip_prefix("src/gpu/").unwrap();
        let own = inside.trim_end_matches(".rs").split('/').next().unwrap();
        let nested = inside.contains('/') || name == "src/gpu/kernels.rs";
        let rank = |file: &str| order.iter().position(|other| *other == file);
        assert!(rank(own).is_some(), "{name}: not in the order");
        for path in Reading::of(name, text).paths {
            let segments: Vec<&str> = path.iter().map(String::as_str).collect();
            let other = match segments.as_slice() {
                // Files below kernels.rs have a `super` of their own.
                ["super", other, ..] if !nested || name == "src/gpu/kernels.rs" => *other,
                ["crate", "gpu", other, ..] => *other,
                _ => continue,
            };
            let Some(other_rank) = rank(other) else {
                panic!("{name} imports {path:?} through mod.rs");
            };
            assert!(other == own || Some(other_rank) < rank(own), "{name} imports {other}");
        }
    }
}

/// Sizes are a sign, not a limit; beyond these a file, or a function, has more than one reason to change.
#[test]
fn files_and_functions_stay_readable() {
    for (name, text) in rust() {
        assert!(text.lines().count() <= 400, "{name}: {} lines", text.lines().count());
        for (function, lines) in Reading::of(&name, &text).functions {
            // An arm for each of pickle's commands.
            let table = name == "src/weights/torch/pickle.rs" && function == "step";
            assert!(lines <= 100 || table, "{name}: {function} has {lines} lines");
        }
    }
    for (name, text) in files("tests", "rs") {
        assert!(text.lines().count() <= 400, "{name}: {} lines", text.lines().count());
    }
    for (name, text) in files("shaders", "wgsl") {
        assert!(text.lines().count() <= 150, "{name}: {} lines", text.lines().count());
        assert!(text.starts_with("//") || name.contains("affine"), "{name}: no formula at the top");
        // A function ends at the brace that begins a line.
        for function in text.split("\nfn ").skip(1) {
            let lines = function.lines().take_while(|line| *line != "}").count() + 1;
            let called = function.split('(').next().unwrap();
            assert!(lines <= 120, "{name}: {called} has {lines} lines");
        }
    }
}

#[test]
fn nothing_is_left_open() {
    for (name, text) in rust().into_iter().chain(files("web", "ts")) {
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
            "(stdout()" | "(stderr()" => &["apps/cli/src/terminal.rs"],
            // It asks only whether there is a terminal.
            "io::stderr()" => &["apps/cli/src/progress.rs"],
            // Each module of the page has a console to tell.
            "set_hook" => &["apps/cli/src/fault.rs", "apps/web/src/chat.rs", "apps/web/src/lib.rs"],
            _ => &[],
        };
        assert_eq!(found, allowed, "{word}");
    }
    assert_eq!(saying("console::"), ["apps/web/src/chat.rs", "apps/web/src/lib.rs"]);
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
        let found: Vec<&str> = text.lines().filter(flag).collect();
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

/// `rust-version` is the newest compiler that a dependency asks for; the window has its own.
#[test]
fn rust_version_is_that_of_the_dependencies() {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--locked", "--format-version", "1"]);
    let out = cargo.current_dir(root()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let version = |package: &serde_json::Value| -> Option<Vec<u32>> {
        let text = package["rust_version"].as_str()?;
        text.split('.').take(2).map(|part| part.parse().ok()).collect()
    };
    let packages = metadata["packages"].as_array().unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let own = packages.iter().filter(|package| package["source"].is_null());
    let (window, others): (Vec<_>, Vec<_>) = own.partition(|p| p["name"] == "internvit-window");
    for ours in [window, others] {
        let mut needed: Vec<_> = ours.iter().map(|package| &package["id"]).collect();
        let mut at = 0; // What is needed needs more.
        while let Some(id) = needed.get(at).copied() {
            let node = nodes.iter().find(|node| node["id"] == *id).unwrap();
            let more = node["dependencies"].as_array().unwrap().iter();
            needed.extend(more.filter(|id| !needed.contains(id)).collect::<Vec<_>>());
            at += 1;
        }
        let needed = |p: &&serde_json::Value| needed.contains(&&p["id"]) && !p["source"].is_null();
        let asked =
            packages.iter().filter(needed).filter_map(|p| Some((version(p)?, p["name"].as_str()?)));
        let (asked, name) = asked.max().unwrap();
        assert_eq!(version(ours[0]).unwrap(), asked, "{}, and {name}", ours[0]["name"]);
    }
}
