//! The tiny model in GGUF: the same answer, and one clear sentence for each fault.

use super::*;
use crate::gguf::{As, File, add_tokenizer, language, projector};

/// The language model of the tiny one, with its tokenizer.
fn model(how: As) -> File {
    let mut file = language(&fixture("chat_tiny"), "qwen2", how);
    add_tokenizer(&mut file, &fixture("chat_tiny"), 440);
    file
}

fn tower(how: As) -> File {
    projector(&fixture("chat_tiny"), how)
}

/// A folder of both.
fn both(name: &str) -> PathBuf {
    let to = scratch(name);
    model(As::F32).write(&to.join("tiny-F32.gguf"));
    tower(As::F32).write(&to.join("mmproj-tiny-F32.gguf"));
    to
}

fn image() -> PathBuf {
    fixture("chat_tiny").join("image.png")
}

fn asked(more: &[&str]) -> Vec<String> {
    let image = image();
    let args = ["chat", text(&image), QUESTION, "--max-tiles", "6", "--device", "cpu"];
    args.iter().chain(more).map(|word| (*word).to_string()).collect()
}

fn say(more: &[&str]) -> String {
    let words = asked(more);
    ok(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn refuses(more: &[&str], expected: &str) {
    let words = asked(more);
    fails(&words.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn a_picture_and_a_question_have_the_same_answer() {
    let case = json(&fixture("chat_tiny").join("case.json"));
    let folder = both("both");
    let (alone, beside) = (scratch("alone"), scratch("beside"));
    std::fs::copy(folder.join("tiny-F32.gguf"), alone.join("tiny.gguf")).unwrap();
    std::fs::copy(folder.join("mmproj-tiny-F32.gguf"), beside.join("tower.gguf")).unwrap();
    let (model, tower) = (alone.join("tiny.gguf"), beside.join("tower.gguf"));
    // By the package gguf, as llama.cpp's converter writes it.
    let theirs = fixture("gguf_tiny");
    for words in [
        &["--model", text(&theirs)][..],
        &["--model", text(&folder)],
        &["--model", text(&model), "--projector", text(&tower)],
    ] {
        for device in ["cpu", "gpu"] {
            if device == "gpu" && gpu().is_none() {
                continue;
            }
            let image = image();
            let asked =
                ["chat", text(&image), QUESTION, "--max-tiles", "6", "--json", "--device", device];
            let found: Value = serde_json::from_str(&ok(&[&asked[..], words].concat())).unwrap();
            for key in ["prompt", "input_ids", "generated", "answer"] {
                assert_eq!(found[key], case[key], "{device} {key}");
            }
        }
    }
}

#[test]
fn visual_tokens_come_of_a_projector() {
    let (folder, out) = (both("both"), scratch("out").join("f.safetensors"));
    let (image, tower) = (image(), folder.join("mmproj-tiny-F32.gguf"));
    for model in [&folder, &tower] {
        let args =
            ["encode", text(&image), "--model", text(model), "--tiles", "6", "--visual-tokens"];
        ok(&[&args[..], &["--device", "cpu", "--out", text(&out)]].concat());
        let expected =
            &tensors(&fixture("chat_tiny").join("expected.safetensors"))["visual_tokens"];
        let found = &tensors(&out)["visual_tokens"];
        assert_eq!(found.shape, expected.shape);
        assert_close("tiles", &found.values, &expected.values, 1e-4);
    }
    let shown = ok(&["info", "--model", text(&tower), "--tensors"]);
    assert!(shown.contains("embeddings.class_embedding [1, 1, 24] F32"), "{shown}");
    fails(&["chat", "Hm?", "--model", text(&tower), "--device", "cpu"], "no language model here");
}

/// Without a tower it answers, and says what it misses where it is shown something.
#[test]
fn a_language_model_alone_answers() {
    let to = scratch("alone");
    let file = to.join("tiny.gguf");
    model(As::Q8_0).write(&file);
    for model in [&to, &file] {
        let args = ["chat", "Hm?", "--model", text(model), "--json", "--max-new-tokens", "3"];
        let found: Value =
            serde_json::from_str(&ok(&[&args[..], &["--device", "cpu"]].concat())).unwrap();
        assert_eq!(found["prompt"], "<|im_start|>user\nHm?<|im_end|>\n<|im_start|>assistant\n");
        assert_eq!(found["generated"].as_array().unwrap().len(), 3);
        refuses(
            &["--model", text(model)],
            "sees no pictures: expected an InternVL, in GGUF the language model and its projector (mmproj-….gguf), \
             opened together or in one folder (--model MODEL.gguf --projector",
        );
        let image = image();
        fails(
            &["encode", text(&image), "--model", text(model), "--out", "f.npz"],
            "sees no pictures",
        );
        fails(&["info", "--model", text(model)], "sees no pictures");
    }
}

#[test]
fn one_of_each_is_taken() {
    let folder = both("both");
    tower(As::F16).write(&folder.join("mmproj-tiny-F16.gguf"));
    refuses(
        &["--model", text(&folder)],
        "expected one projector (mmproj), found several: mmproj-tiny-F16.gguf",
    );
    let (one, other) = (folder.join("mmproj-tiny-F16.gguf"), folder.join("mmproj-tiny-F32.gguf"));
    refuses(
        &["--model", text(&one), "--projector", text(&other)],
        "expected one projector, found two",
    );
    model(As::Q8_0).write(&folder.join("tiny-Q8_0.gguf"));
    refuses(
        &["--model", text(&folder)],
        "expected one language model, found several: tiny-F32.gguf",
    );
    // Of another model.
    let wider = folder.join("wide.gguf");
    projector(&fixture("internvl_qwen2_openvl"), As::F32).write(&wider);
    let model = folder.join("tiny-F32.gguf");
    refuses(
        &["--model", text(&model), "--projector", text(&wider)],
        "makes tokens of 64 channels, but those of",
    );
    let words = fixture("chat_tiny").join("model.safetensors");
    refuses(&["--model", text(&model), "--projector", text(&words)], "no GGUF, expected one");
}

/// A tokenizer that is not read is told, and one beside the model is taken.
#[test]
fn a_tokenizer_beside_the_file_serves() {
    let folder = both("both");
    let mut other = model(As::F32);
    other.change("tokenizer.ggml.pre", |file| file.string("tokenizer.ggml.pre", "tekken"));
    other.write(&folder.join("tiny-F32.gguf"));
    refuses(
        &["--model", text(&folder)],
        "tokenizer.ggml.pre: expected qwen2, llama-bpe, smollm, gpt-2, found \"tekken\"",
    );
    for name in ["vocab.json", "merges.txt", "added_tokens.json"] {
        std::fs::copy(fixture("chat_tiny").join(name), folder.join(name)).unwrap();
    }
    let case = json(&fixture("chat_tiny").join("case.json"));
    let answer = say(&["--model", text(&folder)]);
    assert_eq!(answer.trim_end_matches('\n'), case["answer"].as_str().unwrap());
}

/// A model in parts is one, whichever is named; one that is missing is told.
#[test]
fn parts_are_one_model() {
    let folder = scratch("parts");
    for (part, at) in model(As::F32).parts(3).into_iter().zip(1..) {
        part.write(&folder.join(format!("tiny-0000{at}-of-00003.gguf")));
    }
    let (named, projector) =
        (folder.join("tiny-00002-of-00003.gguf"), scratch("tower").join("t.gguf"));
    tower(As::F32).write(&projector);
    let case = json(&fixture("chat_tiny").join("case.json"));
    let answer = say(&["--model", text(&named), "--projector", text(&projector)]);
    assert_eq!(answer.trim_end_matches('\n'), case["answer"].as_str().unwrap());
    let args = ["chat", "Hm?", "--json", "--max-new-tokens", "3", "--device", "cpu", "--model"];
    let answers = [&named, &folder].map(|model| ok(&[&args[..], &[text(model)]].concat()));
    assert_eq!(answers[0], answers[1]);
    std::fs::remove_file(folder.join("tiny-00003-of-00003.gguf")).unwrap();
    for model in [&named, &folder] {
        let missing = "tiny-00003-of-00003.gguf: missing, one of 3 parts of a model";
        fails(&[&args[..], &[text(model)]].concat(), missing);
    }
}
