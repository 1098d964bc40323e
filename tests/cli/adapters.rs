//! Which adapter is taken: the option, else the environment, else the best.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use crate::run::*;
use serde_json::Value;

/// Runs a command with these two variables; whether it ended well, standard output, standard error.
fn with(name: &str, backend: &str, args: &[&str]) -> (bool, String, String) {
    let mut command = crate::run::program();
    command.env("WGPU_ADAPTER_NAME", name).env("WGPU_BACKEND", backend);
    let output = command.args(args).output().unwrap();
    let [out, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.success(), out, error)
}

#[test]
fn the_environment_chooses_the_adapter() {
    let (photo, folder) = (sample("coffee.png"), scratch("adapters"));
    let out = folder.join("out.npy");
    let encode = ["encode", text(&photo), "--image-size", "28", "--json", "--out", text(&out)];
    let on = |device: &'static str| [&encode[..], &["--device", device]].concat();
    // A name that is none lists what there is, and never falls back to the CPU.
    for device in ["auto", "gpu"] {
        let (good, _, error) = with("no such adapter", "", &on(device));
        assert!(!good, "{error}");
        let expected = "WGPU_ADAPTER_NAME: no adapter called \"no such adapter\"; found: ";
        assert!(error.contains(expected), "{error}");
        assert_eq!(error.lines().filter(|line| line.starts_with("internvit: ")).count(), 1);
    }
    // The options win.
    let (good, report, error) = with("no such adapter", "vulkan", &on("cpu"));
    assert!(good && report.contains("CPU"), "{error}");
    for backend in ["gl", "vulcan", "vulkan, x"] {
        let (good, _, error) = with("", backend, &on("gpu"));
        assert!(!good && error.contains("WGPU_BACKEND: expected vulkan, metal or dx12"), "{error}");
        assert!(!with("", backend, &["devices"]).0);
    }
    let devices = |backend| {
        let (good, list, error) = with("", backend, &["devices", "--json"]);
        assert!(good, "{error}");
        serde_json::from_str::<Vec<Value>>(&list).unwrap()
    };
    let all = devices("");
    for (word, kind) in [("vulkan", "Vulkan"), ("MTL", "Metal"), ("dx12", "Dx12")] {
        let count = all.iter().filter(|adapter| adapter["backend"] == kind).count();
        let list = devices(word);
        assert_eq!(list.len(), count, "{word}");
        if list.is_empty() {
            let (good, _, error) = with("", word, &on("gpu"));
            assert!(!good && error.contains("by the kinds that WGPU_BACKEND allows"), "{error}");
        }
    }
    let Some(last) = all.last() else { return };
    // Whatever it is, software too, where the best of all would be another or the CPU.
    let name = last["name"].as_str().unwrap();
    let (good, report, error) = with(&name.to_uppercase(), "", &on("auto"));
    assert!(good, "{error}");
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["device"], name);
    // Where the backend has none of the name that an option names, all are asked.
    let other = if last["backend"] == "Metal" { "dx12" } else { "metal" };
    let (good, _, error) = with("", other, &[&encode[..], &["--device", name]].concat());
    assert!(good, "{error}");
}
