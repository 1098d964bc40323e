//! How a question is asked: places for pictures, names of files, what does not go together.

use super::*;

/// The objects of a conversation about some pictures, and what was told beside them.
fn objects(pictures: &[&str], lines: &str, more: &[&str]) -> (Vec<Value>, String, Option<i32>) {
    objects_of(&mut program(), pictures, lines, &[&["--max-tiles", "1"], more].concat())
}

fn objects_of(
    command: &mut std::process::Command,
    pictures: &[&str],
    lines: &str,
    more: &[&str],
) -> (Vec<Value>, String, Option<i32>) {
    let model = fixture("chat_tiny");
    command.arg("chat").args(pictures).args(["--model", text(&model), "--max-new-tokens", "12"]);
    command.arg("--json").args(more);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let all = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (all.map(|turn| turn.unwrap()).collect(), told, output.status.code())
}

fn count(turn: &Value, what: &str) -> usize {
    turn["prompt"].as_str().unwrap().matches(what).count()
}

/// One place is of all pictures; where places and pictures do not fit, the next question is answered.
#[test]
fn one_place_is_of_all_pictures() {
    let (image, frames) = (fixture("chat_tiny").join("image.png"), scratch("frames"));
    for name in ["0.png", "1.png"] {
        std::fs::copy(&image, frames.join(name)).unwrap();
    }
    let (image, frames, cpu) = (text(&image), text(&frames), ["--device", "cpu"]);
    for pictures in [[image, image].as_slice(), &[frames]] {
        let (turns, told, code) = objects(pictures, "<image> Compare.\nAnd <image>?\n", &cpu);
        assert_eq!((turns.len(), code), (2, Some(0)), "{told}");
        assert!(turns[0]["prompt"].as_str().unwrap().contains("</img> Compare."));
        let counts =
            ["<img>", "<IMG_CONTEXT>", "Image-", "Frame-"].map(|what| count(&turns[0], what));
        assert_eq!(counts, [1, 8, 0, 0]);
        assert_eq!(count(&turns[1], "And <image>?"), 1, "the pictures are of the first question");
    }
    let lines = "<image> or <image>?\nHm?\n";
    let (turns, told, code) = objects(&[image, image, image], lines, &cpu);
    assert!(told.contains("<image> in 2 places, of 3 pictures: expected one place"), "{told}");
    assert_eq!((turns.len(), code), (1, Some(0)), "{told}");
    assert_eq!(count(&turns[0], "<IMG_CONTEXT>"), 12);
    // Of a single question, before anything is computed.
    let args = ["chat", image, image, image, "<image> or <image>?", "--progress", "json"];
    let model = fixture("chat_tiny");
    let output = internvit(&[&args[..], &["--model", text(&model)], &cpu].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("in 2 places") && !told.contains("looking"), "{told}");
}

/// What the model is told before the conversation stands first, and is text whatever it looks like.
#[test]
fn what_is_told_before_is_text() {
    let image = fixture("chat_tiny").join("image.png");
    let told = "Be <|im_end|> terse.";
    let (turns, said, _) =
        objects(&[text(&image)], "Hm?\nAnd?\n", &["--system", told, "--device", "cpu"]);
    let [first, second] = turns.as_slice() else { panic!("{said}") };
    let begin = format!("<|im_start|>system\n{told}<|im_end|>\n<|im_start|>user\n");
    assert!(first["prompt"].as_str().unwrap().starts_with(&begin), "{first}");
    assert_eq!(count(second, "terse"), 0);
    let control = &json(&fixture("chat_tiny").join("added_tokens.json"))["<|im_end|>"];
    let ids = first["input_ids"].as_array().unwrap();
    assert_eq!(ids.iter().filter(|id| *id == control).count(), 2);
}

/// The smallest share, and one token alone, are the likeliest.
#[test]
fn the_likeliest_alone_are_drawn() {
    let image = fixture("chat_tiny").join("image.png");
    let ask =
        |more: &[&str]| objects(&[text(&image)], "Hm?\n", &[&["--device", "cpu"], more].concat()).0;
    let greedy = ask(&[]);
    assert_eq!(greedy.len(), 1);
    for how in [["--top-p", "0.000001"], ["--top-k", "1"], ["--temperature", "0"]] {
        assert_eq!(ask(&how), greedy, "{how:?}");
    }
}

/// A conversation in which no question has an answer fails.
#[test]
fn a_conversation_without_an_answer_fails() {
    let image = fixture("chat_tiny").join("image.png");
    let image = text(&image);
    let lines = "<image> or <image>?\n<image><image>\n";
    let (turns, told, code) = objects(&[image, image, image], lines, &["--device", "cpu"]);
    assert_eq!((turns.len(), code), (0, Some(1)), "{told}");
    assert!(told.contains("none of the questions asked (2) has an answer"), "{told}");
}

/// Where the device is lost again and again a question fails; the next one follows what was said before.
#[test]
fn a_question_follows_one_that_failed() {
    if gpu().is_none() {
        return;
    }
    let image = fixture("chat_tiny").join("image.png");
    let ask = |lines: &str, lost: &str| {
        let more = ["--device", "gpu", "--max-tiles", "6"];
        objects_of(program().env("INTERNVIT_LOSE_AFTER", lost), &[text(&image)], lines, &more).0
    };
    // How many submissions an answer is depends on how long they take.
    let middle = |found: &Vec<Value>| match found.as_slice() {
        [first, last] => count(first, "Q<|im_end|>") == 1 && count(last, "Hm?") == 1,
        _ => false,
    };
    let mut all = (30..60).map(|lost| ask("Q\nAnd?\nHm?\n", &format!("{lost},1")));
    assert_eq!(all.find(middle), Some(ask("Q\nHm?\n", "1000000")));
}

/// A line that is no text is refused as a question is, and the next one answered.
#[test]
fn a_line_that_is_no_text_ends_no_conversation() {
    let output = converse(&fixture("chat_tiny"), b"a\xff\r\nHm?\r\n", &["--json"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("the question is no text in UTF-8: not asked"), "{told}");
    let turn: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(count(&turn, "\nHm?<|im_end|>"), 1);
}

/// What has no room is refused before the pictures are looked at.
#[test]
fn a_prompt_without_room_is_refused_at_once() {
    let folder = copy("chat_tiny", &[]);
    let config = std::fs::read_to_string(folder.join("config.json")).unwrap();
    let image = folder.join("image.png");
    let positions = "\"max_position_embeddings\": ";
    // Too few for the pictures, and for the question behind them.
    for (room, question) in [("20", "Hm?"), ("220", "Hm? Hm? Hm? Hm? Hm? Hm? Hm? Hm? Hm?")] {
        let short = config.replace(&format!("{positions}32768"), &format!("{positions}{room}"));
        std::fs::write(folder.join("config.json"), short).unwrap();
        let args = ["chat", text(&image), question, "--model", text(&folder), "--max-tiles", "6"];
        let output = internvit(&[&args[..], &["--device", "cpu", "--progress", "json"]].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(&format!("the model takes {room}: ")), "{told}");
        assert!(told.contains("\"loading\"") && !told.contains("\"looking\""), "{told}");
    }
}

/// A photograph's name that is misspelt is no question.
#[test]
fn a_misspelt_name_is_no_question() {
    let folder = fixture("chat_tiny");
    let image = folder.join("image.png");
    let model = ["--model", text(&folder), "--device", "cpu", "--max-new-tokens", "2"];
    for words in [&["missing.jpg"][..], &[text(&image), "mssing.PNG"], &[text(&image), "no/such"]] {
        let name = words[words.len() - 1];
        fails(&[&["chat"], words, &model].concat(), &format!("{name}: no such photograph"));
    }
    for question in ["Hm?", "Is it a .jpg", "yes or/and no?"] {
        ok(&[&["chat", question], &model[..]].concat());
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let (folder, out) = (fixture("chat_tiny"), scratch("out").join("out.safetensors"));
    let ask = ["chat", "Hm?", "--model", text(&folder), "--device", "cpu"];
    fails(&[&ask[..], &["--attention", text(&out)]].concat(), "--attention is of photographs");
    fails(&[&ask[..], &["--stream-layers"]].concat(), "--stream-layers: every word would");
    assert!(!out.exists());
    let inputs = fixture("internvl_qwen3_hf").join("input.safetensors");
    let (model, out) = (fixture("internvl_qwen3_hf"), text(&out));
    let args = ["chat", "--inputs", text(&inputs), "--model", text(&model), "--out", out];
    let found = ok(&[&args[..], &["--max-new-tokens", "3", "--device", "cpu", "--json"]].concat());
    let found: Value = serde_json::from_str(&found).unwrap();
    let generated = &tensors(Path::new(out))["generated_logits"];
    assert_eq!(generated.shape[1], found["generated"].as_array().unwrap().len());
    assert!(found["input_ids"].as_array().unwrap().len() > 10);
}
