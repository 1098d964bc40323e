//! Files beside a model that are damaged, or were never fetched: the one that is to blame is named.

use super::*;

fn refuses(model: &Path, expected: &str) {
    let image = fixture("chat_tiny").join("image.png");
    let args = ["chat", text(&image), "Hm?", "--model", text(model), "--device", "cpu"];
    fails(&args, expected);
}

/// What is said of an added token that is none.
const DECODER: &str =
    "added_tokens_decoder: expected a token's number and its \"content\", found {\"";

#[test]
fn a_damaged_file_of_the_tokenizer_is_named() {
    let pair = "expected two tokens of vocab.json a line, which are one together, found";
    for (name, found, reason) in [
        ("merges.txt", "#version: 0.2\nzz qqqq\n", &*format!("{pair} \"zz qqqq\"")),
        ("merges.txt", "one\n", &format!("{pair} \"one\"")),
        ("merges.txt", "a b c\n", &format!("{pair} \"a b c\"")),
        ("merges.txt", "<html>\n", &format!("{pair} \"<html>\"")),
        ("merges.txt", "#version: 0.2\n", &format!("{pair} none")),
        ("vocab.json", "[]", "expected an object"),
        ("vocab.json", "{}", "expected an object of tokens and their numbers"),
        ("vocab.json", r#"{"a": "b"}"#, "expected an object of tokens and their numbers"),
        ("vocab.json", r#"{"a": 1"#, "EOF"),
        ("added_tokens.json", "[1]", "expected an object"),
        ("added_tokens.json", r#"{"<img>": "x"}"#, "\"<img>\": expected a token's number"),
        ("added_tokens.json", r#"{"<img>": 70}"#, "\"<img>\" has the number 70, which is not its"),
        ("tokenizer_config.json", "7", "expected an object"),
        (
            "tokenizer_config.json",
            r#"{"added_tokens_decoder": {"70": {"content": "<img>"}}}"#,
            "\"<img>\" has the number 70, which is not its own",
        ),
        (
            "tokenizer_config.json",
            r#"{"added_tokens_decoder": [1]}"#,
            "added_tokens_decoder: expected an object, found [1]",
        ),
        ("tokenizer_config.json", r#"{"added_tokens_decoder": {"x": {"content": "a"}}}"#, DECODER),
        ("tokenizer_config.json", r#"{"added_tokens_decoder": {"-1": {"content": "a"}}}"#, DECODER),
        ("tokenizer_config.json", r#"{"added_tokens_decoder": {"300": "<img>"}}"#, DECODER),
        ("tokenizer_config.json", r#"{"added_tokens_decoder": {"300": {"content": 5}}}"#, DECODER),
        (
            "tokenizer_config.json",
            r#"{"added_tokens_decoder": {"300": {"content": "a", "special": 1}}}"#,
            DECODER,
        ),
        ("tokenizer.json", r#"{"model": 5}"#, ""),
    ] {
        let folder = copy("chat_tiny", &[]);
        std::fs::write(folder.join(name), found).unwrap();
        refuses(&folder, &format!("internvit: {}: {reason}", folder.join(name).display()));
    }
}

/// Wherever a file of a model is a pointer of Git LFS's, that is said of this file.
#[test]
fn what_was_not_fetched_is_named() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n";
    let said = |file: &Path| {
        let file = file.display();
        format!("internvit: {file}: a Git LFS pointer and not the file itself: run `git lfs pull`")
    };
    let own = ["config.json", "model.safetensors", "vocab.json", "merges.txt", "added_tokens.json"];
    let more = ["tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"];
    for name in own.into_iter().chain(more).chain(["processor_config.json"]) {
        let folder = copy("chat_tiny", &[]);
        std::fs::write(folder.join(name), pointer).unwrap();
        refuses(&folder, &said(&folder.join(name)));
    }
    // A shard, and the index.
    let (folder, shard) = (copy("chat_tiny", &[]), "model-00001-of-00001.safetensors");
    std::fs::remove_file(folder.join("model.safetensors")).unwrap();
    std::fs::write(folder.join(shard), pointer).unwrap();
    let index = folder.join("model.safetensors.index.json");
    std::fs::write(&index, format!(r#"{{"weight_map": {{"a": "{shard}"}}}}"#)).unwrap();
    refuses(&folder, &said(&folder.join(shard)));
    std::fs::write(&index, pointer).unwrap();
    refuses(&folder, &said(&index));
    // A model in GGUF, and its projector.
    for entry in std::fs::read_dir(fixture("gguf_tiny")).unwrap() {
        let folder = copy("gguf_tiny", &[]);
        let file = folder.join(entry.unwrap().file_name());
        std::fs::write(&file, pointer).unwrap();
        refuses(&folder, &said(&file));
        refuses(&file, &said(&file));
    }
    // Pairs of CLIP's, packed.
    let (clip, pairs) = (scratch("clip"), "bpe_simple_vocab_16e6.txt.gz");
    for entry in std::fs::read_dir(golden("clip_openclip")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, clip.join(path.file_name().unwrap())).unwrap();
    }
    std::fs::write(clip.join(pairs), pointer).unwrap();
    let image = fixture("chat_tiny").join("image.png");
    let args = ["classify", text(&image), "--labels", "a cat", "--model", text(&clip)];
    fails(&[&args[..], &["--device", "cpu"]].concat(), &said(&clip.join(pairs)));
}
