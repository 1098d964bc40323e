//! `chat` and `encode --visual-tokens`: the fixtures of InternVL through the command line.
#![allow(clippy::unwrap_used, reason = "tests")]

mod asked;
mod faults;
mod files;
mod gguf;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::*;
use crate::run::*;
use internvit::weights::{Values, write_safetensors};
use serde_json::Value;

pub(crate) fn fixture(name: &str) -> PathBuf {
    golden("internvl").join(name)
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A copy of a fixture's folder, without some files.
fn copy(name: &str, without: &[&str]) -> PathBuf {
    let to = scratch(name);
    for entry in std::fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        if !without.contains(&file) {
            std::fs::write(to.join(file), std::fs::read(&path).unwrap()).unwrap();
        }
    }
    to
}

pub(crate) const QUESTION: &str = "What is shown in the image?";

/// What is said of the fixture's picture.
fn ask(more: &[&str]) -> String {
    let folder = fixture("chat_tiny");
    let image = folder.join("image.png");
    let args = ["chat", text(&image), QUESTION, "--model", text(&folder), "--max-tiles", "6"];
    ok(&[&args[..], more].concat())
}

#[test]
fn a_picture_and_a_question_have_the_references_answer() {
    let case = json(&fixture("chat_tiny").join("case.json"));
    for device in ["cpu", "gpu"] {
        if device == "gpu" && gpu().is_none() {
            continue;
        }
        let answer = ask(&["--device", device]);
        assert_eq!(answer.trim_end_matches('\n'), case["answer"].as_str().unwrap());
        let found: Value = serde_json::from_str(&ask(&["--device", device, "--json"])).unwrap();
        for key in ["prompt", "input_ids", "generated", "answer"] {
            assert_eq!(found[key], case[key], "{device} {key}");
        }
    }
}

/// What each token looked at, of all visual tokens; on both devices nearly the same.
#[test]
fn an_answer_tells_what_it_looked_at() {
    let case = json(&fixture("chat_tiny").join("case.json"));
    let words = case["generated"].as_array().unwrap().len();
    let out = scratch("looked").join("looked.safetensors");
    let mut before: Option<Vec<f32>> = None;
    for device in ["cpu", "gpu"] {
        if device == "gpu" && gpu().is_none() {
            continue;
        }
        let answer = ask(&["--device", device, "--attention", text(&out)]);
        assert_eq!(answer.trim_end_matches('\n'), case["answer"].as_str().unwrap());
        let found = &tensors(&out)["attention"];
        // Two layers of three heads; seven tiles of four tokens.
        assert_eq!(found.shape, [words, 2, 3, 28]);
        for seen in found.values.chunks(28) {
            let share: f32 = seen.iter().sum();
            assert!(share > 0.0 && share < 1.0, "{share}");
        }
        if let Some(before) = before.replace(found.values.clone()) {
            assert_close("devices", &found.values, &before, 1e-4);
        }
    }
    let folder = fixture("chat_tiny");
    let args = ["chat", "--model", text(&folder), "--attention", text(&out)];
    fails(&args, "--attention is of one answer");
}

#[test]
fn an_answer_has_no_more_tokens_than_it_may() {
    let case = json(&fixture("chat_tiny").join("case.json"));
    let found: Value =
        serde_json::from_str(&ask(&["--device", "cpu", "--json", "--max-new-tokens", "3"]))
            .unwrap();
    assert_eq!(found["generated"].as_array().unwrap(), &case["generated"].as_array().unwrap()[..3]);
}

#[test]
fn the_same_seed_says_the_same() {
    let say = |seed: &str| {
        ask(&[
            "--device",
            "cpu",
            "--temperature",
            "1.5",
            "--top-k",
            "50",
            "--seed",
            seed,
            "--max-new-tokens",
            "20",
        ])
    };
    assert_eq!(say("3"), say("3"));
    assert_ne!(say("3"), say("4"));
}

/// Every tensor of every fixture: visual tokens, embeddings, logits, and what follows the prompt.
#[test]
fn inputs_give_the_references_outputs() {
    for name in [
        "internvl_qwen2_hf",
        "internvl_qwen2_openvl",
        "internvl_qwen3_hf",
        "internvl_qwen3_openvl",
        "internvl_internlm2_openvl",
    ] {
        let (folder, out) = (fixture(name), scratch(name).join("out.safetensors"));
        let inputs = folder.join("input.safetensors");
        let args =
            ["chat", "--inputs", text(&inputs), "--model", text(&folder), "--out", text(&out)];
        ok(&[&args[..], &["--max-new-tokens", "12", "--device", "cpu"]].concat());
        let expected = folder.join("expected.safetensors");
        let (found, all) = (tensors(&out), tensors(&expected));
        for tensor in ["visual_tokens", "inputs_embeds", "logits", "generated_logits"] {
            let (found, expected) = (&found[tensor], &all[tensor]);
            assert_eq!(found.shape, expected.shape, "{name} {tensor}");
            let pairs = found.values.iter().zip(&expected.values);
            let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off <= 1e-3, "{name} {tensor}: off by {off}");
        }
        let numbers = |path: &Path| {
            let source = internvit::Source::file(path).unwrap();
            let list = wait(internvit::weights::read_header(&source)).unwrap();
            let stored = list.into_iter().find(|stored| stored.key == "generated").unwrap();
            (
                stored.dtype_name.clone(),
                stored.shape.clone(),
                wait(source.read(stored.range)).unwrap(),
            )
        };
        assert_eq!(numbers(&out), numbers(&expected), "{name}");
    }
}

/// What standard input asks, line by line.
fn converse(folder: &Path, lines: impl AsRef<[u8]>, more: &[&str]) -> std::process::Output {
    let image = folder.join("image.png");
    let args =
        ["chat", text(&image), "--model", text(folder), "--max-tiles", "6", "--device", "cpu"];
    let mut command = program();
    command
        .args(args)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_ref()).unwrap();
    child.wait_with_output().unwrap()
}

/// A conversation knows what was said before; a later turn's tokens begin with all that came before.
#[test]
fn a_conversation_goes_on() {
    let lines = format!("{QUESTION}\nAnd its colour?\n");
    let output = converse(&fixture("chat_tiny"), &lines, &["--json", "--max-new-tokens", "9"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let turns: Vec<Value> =
        serde_json::Deserializer::from_str(&text).into_iter().map(|turn| turn.unwrap()).collect();
    let [first, second] = turns.as_slice() else { panic!("{text}") };
    let ids = |turn: &Value, key: &str| turn[key].as_array().unwrap().clone();
    let case = json(&fixture("chat_tiny").join("case.json"));
    assert_eq!(first["answer"], case["answer"]);
    let before = [ids(first, "input_ids"), ids(first, "generated")].concat();
    assert_eq!(ids(second, "input_ids")[..before.len()], before);
    assert_eq!(
        second["prompt"],
        "\n<|im_start|>user\nAnd its colour?<|im_end|>\n<|im_start|>assistant\n"
    );
}

#[test]
fn faults_are_told_in_one_sentence() {
    let folder = fixture("chat_tiny");
    let image = folder.join("image.png");
    let without = copy("chat_tiny", &["vocab.json"]);
    let ask = |model: &Path, expected: &str| {
        fails(&["chat", text(&image), "Hm?", "--model", text(model), "--device", "cpu"], expected);
    };
    ask(&without, "no tokenizer beside the model");
    fails(&["chat", "Hm?", "--device", "cpu"], "makes no visual tokens");
    fails(&["chat", "none.png", "Hm?", "--model", text(&folder)], "none.png: no such photograph");
    // The context is told before it is passed.
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let short =
        config.replace("\"max_position_embeddings\": 32768", "\"max_position_embeddings\": 200");
    assert_ne!(short, config);
    std::fs::copy(folder.join("vocab.json"), without.join("vocab.json")).unwrap();
    std::fs::write(without.join("config.json"), short).unwrap();
    ask(&without, "the model takes 200: begin a new one, or cut pictures into fewer tiles");
    // A shard that is not there.
    std::fs::rename(
        without.join("model.safetensors"),
        without.join("model-00001-of-00002.safetensors"),
    )
    .unwrap();
    let index = r#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#;
    std::fs::write(without.join("model.safetensors.index.json"), index).unwrap();
    ask(&without, "model-00002-of-00002.safetensors");
}

#[test]
fn an_answer_is_cut_where_the_context_ends() {
    let folder = copy("chat_tiny", &[]);
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let short =
        config.replace("\"max_position_embeddings\": 32768", "\"max_position_embeddings\": 224");
    std::fs::write(folder.join("config.json"), short).unwrap();
    let image = folder.join("image.png");
    let args = [
        "chat",
        text(&image),
        QUESTION,
        "--model",
        text(&folder),
        "--max-tiles",
        "6",
        "--device",
        "cpu",
    ];
    let output = internvit(&[&args[..], &["--json"]].concat());
    assert!(output.status.success());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["generated"].as_array().unwrap().len(), 3, "of 224 tokens the prompt has 221");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("leaves room for an answer of 3 tokens"), "{said}");
}

#[test]
fn visual_tokens_stand_beside_features() {
    for name in ["visual_hf", "visual_openvl"] {
        let (folder, out) = (fixture(name), scratch(name).join("out.safetensors"));
        let pixels = folder.join("input.safetensors");
        let args = ["encode", "--pixel-values", text(&pixels), "--model", text(&folder)];
        ok(&[&args[..], &["--visual-tokens", "--device", "cpu", "--out", text(&out)]].concat());
        let found = tensors(&out);
        let expected = &tensors(&folder.join("expected.safetensors"))["visual_tokens"];
        assert_eq!(found["visual_tokens"].shape, expected.shape);
        assert_close(name, &found["visual_tokens"].values, &expected.values, 1e-5);
        assert_eq!(found["last_hidden_state"].shape, [2, 17, 40]);
    }
    // A photograph in tiles: a row each.
    let (folder, out) = (fixture("chat_tiny"), scratch("tiles").join("out.npz"));
    let image = folder.join("image.png");
    let args =
        ["encode", text(&image), "--model", text(&folder), "--tiles", "6", "--visual-tokens"];
    ok(&[&args[..], &["--device", "cpu", "--out", text(&out)]].concat());
    let (_, (shape, values)) = npz(&out, "visual_tokens");
    let expected = &tensors(&folder.join("expected.safetensors"))["visual_tokens"];
    assert_eq!(shape, [7, 4, 48]);
    assert_close("tiles", &values, &expected.values, 1e-4);
    fails(&["encode", text(&image), "--visual-tokens", "--out", "f.npz"], "makes no visual tokens");
}

/// A question for which there is no room is refused, and the conversation goes on without it.
#[test]
fn a_question_that_is_too_long_is_as_if_not_asked() {
    let folder = copy("chat_tiny", &[]);
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let short =
        config.replace("\"max_position_embeddings\": 32768", "\"max_position_embeddings\": 300");
    std::fs::write(folder.join("config.json"), short).unwrap();
    let lines = format!("{QUESTION}\n{}\nHm?\n", "word ".repeat(100));
    let output = converse(&folder, &lines, &["--json", "--max-new-tokens", "9"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("the model takes 300"), "{said}");
    let turns = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>().count();
    assert_eq!(turns, 2);
}
