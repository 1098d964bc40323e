//! `internvit shader`: every kernel's text can be read as a driver gets it.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::run::{fails, ok};

#[test]
fn rows_are_listed_and_each_has_a_text() {
    let list: Vec<serde_json::Value> = serde_json::from_str(&ok(&["shader", "--json"])).unwrap();
    let table = ok(&["shader"]);
    assert!(list.len() >= 22, "{}", list.len());
    for row in &list {
        let file = row["file"].as_str().unwrap();
        assert!(table.contains(file), "{file} in {table}");
        // f16, few rows and subgroups are what some rows need.
        let mut args = vec!["shader", file, "--subgroup", "32"];
        args.extend(match file {
            "linear_matrix" => ["--half", "--weight", "f16"].as_slice(),
            "attention_matrix" => &["--half"],
            "linear_packed" => &["--weight", "int8"],
            "linear_vector" => &["--rows", "2"],
            "linear_parts" => &["--inputs", "512"],
            "linear_one" | "linear_one_subgroup" => &["--rows", "1"],
            _ => &[],
        });
        let text = ok(&args);
        assert!(text.contains("fn main("), "{file}: {text}");
    }
}

#[test]
fn holes_and_knobs_are_those_that_were_asked_for() {
    let text = ok(&[
        "shader",
        "linear_tiled",
        "--weight",
        "int8",
        "--act",
        "gelu",
        "--bias",
        "--scale",
        "--inputs",
        "96",
        "--outputs",
        "128",
    ]);
    for part in ["const K = 96u;", "const COLS = 128u;", "fn erf(", "extractBits(", "scale[quad]"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    naga::front::wgsl::parse_str(&text).unwrap();
    let gated = ok(&["shader", "linear_direct", "--gated", "--act", "silu", "--outputs", "30"]);
    assert!(gated.contains("const COLS = 64u;") && gated.contains("to_pair("), "{gated}");
    let needs = "needs subgroups of one size, 16 × 16 matrices, f16, and a workgroup computes 128";
    fails(&["shader", "linear_matrix", "--subgroup", "32"], needs);
    fails(&["shader", "no_such"], "expected a kernel's main file");
    fails(&["shader", "norm", "--act", "sine"], "expected none, erf, tanh");
}
