//! What goes wrong in a conversation: the device, the files, the user's patience.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::*;

/// Wherever in looking or answering the device is lost, once or again and again: the same answer, and a note.
#[test]
fn a_lost_device_changes_no_answer() {
    if gpu().is_none() {
        return;
    }
    let (folder, case) = (fixture("chat_tiny"), json(&fixture("chat_tiny").join("case.json")));
    let image = folder.join("image.png");
    let mut told = 0;
    for lost in ["0", "9", "20", "33"] {
        let mut command = program();
        command.env("INTERNVIT_LOSE_AFTER", lost);
        command.args(["chat", text(&image), QUESTION, "--model", text(&folder)]);
        let output = command.args(["--max-tiles", "6", "--device", "gpu"]).output().unwrap();
        let (said, notes) = [&output.stdout, &output.stderr]
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .into();
        assert!(output.status.success(), "lost after {lost}: {notes}");
        assert_eq!(said.trim_end_matches('\n'), case["answer"].as_str().unwrap(), "{lost}");
        told += usize::from(notes.contains("opened again"));
    }
    assert!(told >= 3, "the device was lost in {told} of 4 runs");
}

/// A conversation that is going on, as somebody types it.
struct Typed {
    child: std::process::Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Typed {
    fn start(folder: &Path, more: &[&str]) -> Self {
        let mut command = program();
        command.args(["chat", "--model", text(folder), "--device", "cpu"]).args(more);
        Self::run(&mut command)
    }

    fn run(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn interrupt(&self) {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
    }
}

/// Ctrl-C ends the answer that is being written; the next question is answered, and knows what was said. Where
/// none is being written it ends the conversation.
#[test]
fn ctrl_c_ends_an_answer() {
    // A model whose answers never end by themselves: of equal logits the first token is taken.
    let folder = copy("chat_tiny", &[]);
    rewrite(&folder.join("model.safetensors"), &|name, values| {
        if name.ends_with("lm_head.weight") {
            values.fill(0.0);
        }
    });
    // Nor by their length: a busy machine may take its time to bring the signal.
    let (config, most) = (folder.join("config.json"), 200_000);
    let mut long = json(&config);
    long["llm_config"]["max_position_embeddings"] = 1_000_000.into();
    std::fs::write(&config, long.to_string()).unwrap();
    let mut typed = Typed::start(&folder, &["--max-new-tokens", &most.to_string()]);
    // The beginning of an answer, and its end by Ctrl-C.
    let answer = |typed: &mut Typed| {
        let mut begin = [0; 12];
        typed.output.read_exact(&mut begin).unwrap();
        typed.interrupt();
        let mut rest = Vec::new();
        typed.output.read_until(b'\n', &mut rest).unwrap();
        assert!(rest.len() < most / 2, "{} bytes", rest.len());
    };
    typed.say("Hm?");
    answer(&mut typed);
    typed.say("And?");
    answer(&mut typed);
    // An empty line ends it as it should.
    typed.say("");
    let status = typed.child.wait().unwrap();
    assert!(status.success(), "{status}");
    let mut typed = Typed::start(&folder, &["--max-new-tokens", "5"]);
    typed.say("Hm?");
    // The line ends when nothing is being written any more.
    typed.output.read_until(b'\n', &mut Vec::new()).unwrap();
    typed.interrupt();
    // To wait closes the input, whose end would end it as well.
    let input = typed.child.stdin.take();
    assert_eq!(typed.child.wait().unwrap().code(), Some(130));
    drop(input);
}

/// Ctrl-C is heard while a long question is read: it is as if it were not asked, and the next one is answered.
#[test]
fn ctrl_c_ends_the_reading_of_a_question() {
    let mut typed = Typed::start(&fixture("chat_tiny"), &["--progress", "json"]);
    let mut told = BufReader::new(typed.child.stderr.take().unwrap());
    typed.say(&"word ".repeat(6000));
    let mut line = String::new();
    while !line.contains("\"reading\"") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "it was not told");
    }
    let mut listen = |what: &str| {
        line.clear();
        while !line.contains(what) {
            line.clear();
            assert!(told.read_line(&mut line).unwrap() > 0, "expected {what}");
        }
    };
    // An impatient visitor's.
    typed.interrupt();
    typed.interrupt();
    listen("stopped before a word was said");
    let mut answers = [String::new(), String::new()];
    typed.output.read_line(&mut answers[0]).unwrap();
    typed.say("Hm?");
    typed.say("");
    typed.output.read_line(&mut answers[1]).unwrap();
    assert!(typed.child.wait().unwrap().success());
    let alone = ok(&["chat", "Hm?", "--model", text(&fixture("chat_tiny")), "--device", "cpu"]);
    assert_eq!(answers[0], "\n");
    assert_eq!(answers[1].trim(), alone.lines().next().unwrap().trim());
}

/// Ctrl-C is heard while the pictures' tiles are looked at: the question was not asked, and the next one has the answer that
/// it has alone. Of a single question it ends the program.
#[test]
fn ctrl_c_ends_the_looking_at_pictures() {
    if gpu().is_none() {
        return;
    }
    let (folder, image) = (fixture("chat_tiny"), fixture("chat_tiny").join("image.png"));
    let pictures = [text(&image); 12];
    let how = ["--max-tiles", "6", "--max-new-tokens", "5", "--device", "gpu"];
    let mut command = program();
    command.arg("chat").args(pictures).args(["--model", text(&folder)]).args(how);
    let mut typed = Typed::run(command.args(["--progress", "json"]));
    let mut told = BufReader::new(typed.child.stderr.take().unwrap());
    // How far the looking was when something was told.
    let mut listen = |until: &str| {
        let (mut line, mut done) = (String::new(), Value::Null);
        while !line.contains(until) {
            line.clear();
            assert!(told.read_line(&mut line).unwrap() > 0, "expected {until}");
            let step: Value = serde_json::from_str(&line).unwrap_or_default();
            if step["stage"] == "looking" {
                done = step["done"].clone();
            }
        }
        done
    };
    typed.say("Why?");
    listen("\"looking\"");
    typed.interrupt();
    let done = listen("stopped before a word was said");
    assert!(done.as_u64().is_some_and(|done| done < 12_000), "{done}");
    typed.say("Hm?");
    typed.say("");
    let mut said = String::new();
    typed.output.read_line(&mut said).unwrap();
    assert_eq!(listen("\"reading\"").as_u64(), Some(12_000));
    assert!(typed.child.wait().unwrap().success());
    let model = ["Hm?", "--model", text(&folder)];
    let alone = [&["chat"], &pictures[..], &model, &how].concat();
    assert_eq!(said.trim(), ok(&alone).trim());
    let mut single = Typed::run(program().args(&alone).args(["--progress", "json"]));
    let mut told = BufReader::new(single.child.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().contains("\"looking\"")));
    single.interrupt();
    assert_eq!(single.child.wait().unwrap().code(), Some(130));
}

/// Frames of a folder in the order of their names, some of many; photographs beside them, and one that is broken.
#[test]
fn frames_and_several_photographs() {
    let (folder, frames) = (fixture("chat_tiny"), scratch("frames"));
    let image = folder.join("image.png");
    for number in 0..10 {
        std::fs::copy(&image, frames.join(format!("{number:03}.png"))).unwrap();
    }
    std::fs::write(frames.join("notes.txt"), "no photograph").unwrap();
    let ask = |paths: &[&str], more: &[&str]| -> Value {
        let model =
            ["--model", text(&folder), "--device", "cpu", "--max-new-tokens", "2", "--json"];
        serde_json::from_str(&ok(&[&["chat"], paths, &["Hm?"], &model, more].concat())).unwrap()
    };
    let count = |prompt: &str, what: &str| prompt.matches(what).count();
    let said = ask(&[text(&frames)], &["--frames", "4"]);
    let prompt = said["prompt"].as_str().unwrap();
    assert!((1..=4).all(|at| prompt.contains(&format!("Frame-{at}: <img>"))), "{prompt}");
    assert!(!prompt.contains("Frame-5"), "{prompt}");
    // A frame is one tile.
    assert_eq!(count(prompt, "<IMG_CONTEXT>"), 4 * 4, "{prompt}");
    let said = ask(&[text(&image), text(&frames)], &["--frames", "3", "--max-tiles", "1"]);
    let prompt = said["prompt"].as_str().unwrap();
    assert_eq!(["Image-", "Frame-", "<IMG_CONTEXT>"].map(|what| count(prompt, what)), [1, 3, 16]);
    let said = ask(&[text(&image), text(&image)], &["--max-tiles", "1"]);
    let prompt = said["prompt"].as_str().unwrap();
    assert!(prompt.contains("Image-1: <img>") && prompt.contains("\nImage-2: <img>"), "{prompt}");
    // One that is cut off, and one that is none.
    let model = ["--model", text(&folder), "--device", "cpu"];
    let whole = std::fs::read(&image).unwrap();
    for (name, bytes, why) in
        [("006.png", &whole[..500], "cut off"), ("005.png", b"x".as_slice(), "not a picture")]
    {
        std::fs::write(frames.join(name), bytes).unwrap();
        let output = internvit(&[&["chat", text(&frames), "Hm?"][..], &model].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let told = said.lines().filter(|line| line.starts_with("internvit: ")).collect::<Vec<_>>();
        assert_eq!((output.status.code(), told.len()), (Some(1), 1), "{said}");
        assert!(told[0].contains(name) && told[0].contains(why), "{said}");
    }
    let empty = scratch("empty");
    fails(&[&["chat", text(&empty), "Hm?"][..], &model].concat(), "empty");
}

type Tensors = Vec<(String, internvit::Tensor)>;

fn shard(at: usize) -> String {
    format!("model-0000{at}-of-00002.safetensors")
}

fn write(folder: &Path, at: usize, part: &[(String, internvit::Tensor)]) {
    let values: Vec<_> = part
        .iter()
        .map(|(name, tensor)| (name.clone(), tensor.shape.clone(), Values::F32(&tensor.values)))
        .collect();
    write_safetensors(&folder.join(shard(at)), &values).unwrap();
}

/// Makes two shards of the weights in a folder: the first holds nothing of the encoder. The tensors of each.
fn cut(folder: &Path) -> [Tensors; 2] {
    let weights = folder.join("model.safetensors");
    let mut first: Tensors = tensors(&weights).into_iter().collect();
    first.sort_by(|a, b| a.0.cmp(&b.0));
    std::fs::remove_file(&weights).unwrap();
    let second = first.split_off(first.len() / 2);
    let parts = [first, second];
    let mut map = serde_json::Map::new();
    for (part, at) in parts.iter().zip(1..) {
        write(folder, at, part);
        map.extend(part.iter().map(|(name, _)| (name.clone(), shard(at).into())));
    }
    assert!(parts[0].iter().all(|(name, _)| name.starts_with("language_model.")));
    let index = serde_json::json!({ "weight_map": map }).to_string();
    std::fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    parts
}

/// Shards that are not those of the index: missing, cut off, without their tensors, of another model.
#[test]
fn wrong_shards_are_named() {
    let folder = copy("chat_tiny", &[]);
    let [_, second] = cut(&folder);
    let image = folder.join("image.png");
    let args = ["chat", text(&image), QUESTION, "--model", text(&folder), "--device", "cpu"];
    let answer = ok(&[&args[..], &["--max-tiles", "6"]].concat());
    let case = json(&folder.join("case.json"));
    assert_eq!(answer.trim_end_matches('\n'), case["answer"].as_str().unwrap());
    // Without one of its tensors.
    assert!(second[0].0.ends_with("v_proj.weight"));
    write(&folder, 2, &second[1..]);
    fails(&args, "language.encoder.layers.1.attn.v.weight: missing");
    // One that is of another model.
    let mut other = second.clone();
    let at = other.iter().position(|(_, tensor)| tensor.shape.len() == 2).unwrap();
    let tensor = &mut other[at].1;
    tensor.shape[0] /= 2;
    tensor.values.truncate(tensor.shape.iter().product());
    write(&folder, 2, &other);
    fails(&args, "v_proj.weight: expected shape [16, 48], found [8, 48]");
    // Cut off, and gone.
    write(&folder, 2, &second);
    let bytes = std::fs::read(folder.join(shard(2))).unwrap();
    std::fs::write(folder.join(shard(2)), &bytes[..bytes.len() - 100]).unwrap();
    fails(&args, &shard(2));
    std::fs::remove_file(folder.join(shard(2))).unwrap();
    fails(&args, &shard(2));
    write(&folder, 2, &second);
    std::fs::remove_file(folder.join(shard(1))).unwrap();
    fails(&args, "model-00001-of-00002.safetensors: missing shard");
}

/// A language model without a tower has shards of its own, of which each is missed by its name.
#[test]
fn shards_of_a_language_model_alone() {
    let folder = copy("chat_tiny", &[]);
    let own =
        |(name, tensor): (String, _)| Some((name.strip_prefix("language_model.")?.into(), tensor));
    let parts = cut(&folder);
    let mut all: Tensors = parts.into_iter().flatten().filter_map(own).collect();
    let rest = all.split_off(all.len() / 2);
    let mut map = serde_json::Map::new();
    for (at, part) in [(1, &all), (2, &rest)] {
        write(&folder, at, part);
        map.extend(part.iter().map(|(name, _)| (name.clone(), shard(at).into())));
    }
    let index = serde_json::json!({ "weight_map": map }).to_string();
    std::fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    let config = json(&folder.join("config.json"))["llm_config"].to_string();
    std::fs::write(folder.join("config.json"), config).unwrap();
    let args = ["chat", "Hm?", "--model", text(&folder), "--max-new-tokens", "3"];
    let args = [&args[..], &["--device", "cpu"]].concat();
    ok(&args);
    for (at, part) in [(1, &all), (2, &rest)] {
        std::fs::remove_file(folder.join(shard(at))).unwrap();
        fails(&args, &format!("{}: missing", shard(at)));
        write(&folder, at, part);
    }
}

/// Of the hub all shards are fetched, those without anything of the encoder too.
#[test]
fn shards_of_the_hub() {
    let hub = crate::served::Hub::start(&scratch("hub"));
    let (from, repository) = (copy("chat_tiny", &[]), hub.repository("acme/chat"));
    cut(&from);
    for entry in std::fs::read_dir(&from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, repository.join(path.file_name().unwrap())).unwrap();
    }
    let image = fixture("chat_tiny").join("image.png");
    let args = ["chat", text(&image), QUESTION, "--model", "acme/chat", "--device", "cpu"];
    let args = [&args[..], &["--max-tiles", "6"]].concat();
    let case = json(&fixture("chat_tiny").join("case.json"));
    // The encoder's shard alone was fetched before.
    hub.info("acme/chat");
    for more in [&[][..], &["--offline"]] {
        let output = hub.run(&[&args, more].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.trim_end_matches('\n'), case["answer"].as_str().unwrap());
    }
}
