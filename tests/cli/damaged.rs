//! Files that are wrong: each gives one line that says why, and takes no memory for what it claims.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use crate::run::{fails, internvit, ok, text};
use internvit::Checkpoint;
use internvit::image::Resize;
use internvit::model::{
    canonical_config, parse_config, parse_head, parse_preprocessing, parse_pretrained,
};
use internvit::weights::{Source, StoredType, init_checkpoint, read_header, read_metadata, shards};

/// A safetensors file of this header and `body` bytes of data.
fn safetensors(header: &[u8], body: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, &vec![0; body]].concat()
}

fn entry(dtype: &str, shape: &str, start: u64, end: u64) -> String {
    format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#)
}

#[test]
fn headers_of_safetensors() {
    let f32 = |start, end| entry("F32", "[2]", start, end);
    let list = |entries: &[(&str, String)]| {
        let entries: Vec<_> = entries.iter().map(|(k, e)| format!("{k:?}:{e}")).collect();
        safetensors(format!("{{{}}}", entries.join(",")).as_bytes(), 16)
    };
    let deep = |open: &str, close: &str| {
        format!("{{\"a\":{}{}}}", open.repeat(200_000), close.repeat(200_000))
    };
    let claims = |length: u64| [&length.to_le_bytes()[..], &[b' '; 64]].concat();
    let name = "n".repeat(1 << 20);
    let max = u64::MAX;
    let cases: [(&str, Vec<u8>, &str); 28] = [
        ("nothing", vec![], "0 bytes, expected at least 8"),
        ("no header", vec![0; 8], "header cannot be read: EOF"),
        ("length beyond the file", claims(65), "the header claims 65 bytes in a file of 72"),
        ("absurd length", claims(max), "the header claims 18446744073709551615 bytes"),
        ("no object", safetensors(b"[]", 0), "expected an object of tensors by name"),
        ("no JSON", safetensors(b"{\"a\"", 0), "header cannot be read"),
        ("no UTF-8", safetensors(b"{\"\xff\xfe\":1}", 0), "invalid unicode"),
        ("more than one value", safetensors(b"{}{}", 0), "trailing characters"),
        ("deep lists", safetensors(deep("[", "]").as_bytes(), 0), "header cannot be read"),
        (
            "deep objects",
            safetensors(deep("{\"x\":", "}").as_bytes(), 0),
            "expected value at line 1",
        ),
        ("duplicate tensor", list(&[("a", f32(0, 8)), ("a", f32(8, 16))]), "a: present twice"),
        (
            "duplicate metadata",
            safetensors(br#"{"__metadata__":{},"__metadata__":{}}"#, 0),
            "__metadata__: present twice",
        ),
        (
            "duplicate in the metadata",
            safetensors(br#"{"__metadata__":{"segmentation":"{}","segmentation":"{}"}}"#, 0),
            "segmentation: present twice",
        ),
        (
            "duplicate field",
            safetensors(
                br#"{"a":{"dtype":"F32","dtype":"F16","shape":[],"data_offsets":[0,4]}}"#,
                4,
            ),
            "duplicate field `dtype`",
        ),
        (
            "metadata of numbers",
            safetensors(br#"{"__metadata__":{"a":1}}"#, 0),
            "expected a string",
        ),
        ("overlap", list(&[("a", f32(0, 8)), ("b", f32(4, 12))]), "b: expected to begin at 8"),
        ("same place", list(&[("a", f32(0, 8)), ("b", f32(0, 8))]), "b: expected to begin at 8"),
        ("hole", list(&[("a", f32(0, 8)), ("b", f32(12, 20))]), "b: expected to begin at 8"),
        ("hole at the start", list(&[("a", f32(8, 16))]), "a: expected to begin at 0"),
        ("backwards", list(&[("a", f32(8, 0))]), "a: expected to begin at 0, found 8 to 0"),
        ("beyond the end", list(&[("a", entry("F32", "[6]", 0, 24))]), "cut short or too long"),
        ("bytes at the end", list(&[("a", f32(0, 8))]), "cut short or too long"),
        ("no unsigned number", list(&[("a", entry("F32", "[-2]", 0, 8))]), "invalid value"),
        ("other size of type", list(&[("a", entry("F64", "[2]", 0, 8))]), "is not 8 bytes long"),
        ("unknown type", list(&[("a", entry("F12", "[2]", 0, 8))]), "unknown variant `F12`"),
        (
            "overflow of a shape",
            list(&[("a", entry("F32", "[4294967296,4294967296,2]", 0, 16))]),
            "is not 16 bytes long",
        ),
        (
            "overflow of shape and offsets",
            list(&[("a", entry("U8", "[4294967296,4294967296]", 0, max))]),
            "cut short or too long",
        ),
        ("a name as long as the file", list(&[(&name, f32(0, 4))]), "nnnn"),
    ];
    for (what, bytes, expected) in cases {
        let source = Source::memory("f", bytes);
        refused(what, wait(read_header(&source)), expected);
        refused(what, wait(read_metadata(&source, "segmentation")), expected);
    }
    // Nothing of nothing is a tensor.
    let bytes = list(&[("a", entry("F32", "[0,7]", 0, 0)), ("b", entry("F32", "[2,2]", 0, 16))]);
    let found = wait(read_header(&Source::memory("f", bytes))).unwrap();
    assert_eq!((found[0].shape.as_slice(), found[0].range.is_empty()), (&[0, 7][..], true));
}

/// A name may hold line ends and a terminal's commands; the message does not.
#[test]
fn names_cannot_write_to_the_terminal() {
    let header = r#"{"a\n\u001b[2J\u0007":{"dtype":"F32","shape":[3],"data_offsets":[0,4]}}"#;
    let source = Source::memory("f", safetensors(header.as_bytes(), 4));
    refused("terminal", wait(read_header(&source)), r"a\n\u{1b}[2J\u{7}: F32 [3] is not 4 bytes");
}

/// Spelled out, a character may take six.
#[test]
fn reasons_stay_short() {
    let error = "\u{19}".repeat(5000).parse::<Resize>().unwrap_err().to_string();
    assert!((2000..2010).contains(&error.len()) && error.ends_with('…'), "{} bytes", error.len());
}

#[test]
fn indices() {
    let map = |file: &str| format!(r#"{{"weight_map":{{"cls_token":{file}}}}}"#);
    let wrong = "cls_token: expected the name of a shard, found";
    let cases = [
        ("nothing", String::new(), "not an index: EOF"),
        ("a list", "[]".into(), "expected an object weight_map, found none"),
        ("no map", "{}".into(), "expected an object weight_map, found none"),
        ("a map of numbers", map("1"), wrong),
        ("the folder above", map(r#""../a.safetensors""#), wrong),
        ("the folder above, of Windows", map(r#""..\\a.safetensors""#), wrong),
        ("an absolute path", map(r#""/etc/a.safetensors""#), wrong),
        ("another drive", map(r#""c:a.safetensors""#), wrong),
        ("another file", map(r#""passwd""#), wrong),
        ("deep", "[".repeat(200_000), "recursion limit"),
        (
            "a tensor twice",
            r#"{"weight_map":{"cls_token":"a.bin","cls_token":"b.bin"}}"#.into(),
            "cls_token: present twice",
        ),
        (
            "a tensor twice, in other letters",
            r#"{"weight_map":{"a":"b.bin","\u0061":"b.bin"}}"#.into(),
            "a: present twice",
        ),
        ("two maps", r#"{"weight_map":{},"weight_map":{}}"#.into(), "duplicate field `weight_map`"),
    ];
    for (what, index, expected) in cases {
        let source = Source::memory("f", index.into_bytes());
        refused(what, wait(shards(&source)), expected);
    }
}

#[test]
fn configurations() {
    let with = |key: &str, value: &str| {
        let text = format!("{{\"model_type\": \"internvl_vision\", {key:?}: {value}}}");
        (format!("{key} {value:.20}"), text)
    };
    let whole = "expected a whole number from 1 to 1048576, found";
    let cases = [
        (with("num_attention_heads", "0"), whole),
        (with("patch_size", "0"), whole),
        (with("patch_size", "-14"), whole),
        (with("patch_size", "14.5"), whole),
        (with("patch_size", "[14, 0]"), "expected two equal numbers"),
        (with("patch_size", "[]"), "expected two equal numbers, found []"),
        (with("patch_size", "1000000"), "image_size: expected at least the patch size"),
        (with("image_size", "0"), whole),
        (with("image_size", "1000000"), "expected at most"),
        (with("image_size", "1e999"), "number out of range"),
        (with("image_size", "18446744073709551616"), whole),
        (with("hidden_size", "9223372036854775807"), whole),
        (with("hidden_size", "\"1024\""), whole),
        (with("hidden_size", "1048576"), "expected at most 32768 channels"),
        (with("num_hidden_layers", "1048576"), "1024 layers"),
        (with("intermediate_size", "1048576"), "131072 MLP channels"),
        (with("num_channels", "4"), "num_channels: expected 3, found 4"),
        (with("layer_norm_eps", "-1"), "layer_norm_eps: expected a number from 0 to 1"),
        (with("vision_config", "[]"), "vision_config: expected an object"),
        (with("image_size", &"[".repeat(200_000)), "recursion limit"),
        (with("patch_size", &format!("[{}1]", "1,".repeat(100_000))), "expected two equal"),
    ];
    for ((what, config), expected) in cases {
        refused(&what, parse_config("config.json", &config), expected);
    }
}

/// JSON allows a key twice, and readers differ in which they take: such texts are refused, at any
/// depth, whichever of their keys it is.
#[test]
fn keys_that_are_there_twice() {
    let spec = parse_config("c", &config(8, 1, 4, 1, "")).unwrap();
    for (pair, key) in [
        (r#""image_size": 56, "image_size": 56"#, "image_size"),
        (r#""x": 1, "x": 2"#, "x"),
        (r#""vision_config": {"patch_size": 14, "patch_size": 28}"#, "patch_size"),
        (r#""segmentation": {"classes": [], "classes": []}"#, "classes"),
        (r#""pretrained_cfg": {"mean": 1, "mean": 2}"#, "mean"),
        (r#""a": [[{"b": 0, "\u0062": 0}]]"#, "b"),
        (r#""vision_config": {}, "vision_config": {}"#, "vision_config"),
    ] {
        let (text, expected) = (format!("{{{pair}}}"), format!("{key}: present twice at line 1"));
        refused(pair, parse_config("c", &text), &expected);
        refused(pair, canonical_config("c", &text, None, None, false), &expected);
        refused(pair, parse_preprocessing("p", &text, &spec.sizes), &expected);
        refused(pair, parse_pretrained("c", &text, &spec.sizes), &expected);
        refused(pair, parse_head("c", &text, &spec), &expected);
        let folder = scratch("damaged-twice");
        let written = init_checkpoint("c", &text, 1, StoredType::F32, &folder, &|_, _| ());
        refused(pair, written, &expected);
        assert!(!folder.join("config.json").exists());
    }
}

/// A configuration within that of the encoder: what is written must not say another's sizes.
#[test]
fn nested_configurations() {
    let text =
        r#"{"vision_config": {"num_hidden_layers": 3, "vision_config": {"num_hidden_layers": 5}}}"#;
    let written = canonical_config("config.json", text, None, None, false).unwrap();
    assert_eq!(parse_config("c", &written.to_string()).unwrap(), parse_config("c", text).unwrap());
}

/// What stands on the disk: not text, too long for a configuration, a folder in place of a file.
#[test]
fn folders() {
    let folder = scratch("damaged-folder");
    let (config, model) = (folder.join("config.json"), folder.join("model.safetensors"));
    let open =
        |what: &str, expected: &str| refused(what, wait(Checkpoint::open_path(&folder)), expected);
    std::fs::write(&model, []).unwrap();
    std::fs::write(&config, b"\xff\xfe{}").unwrap();
    open("not UTF-8", "config.json: stream did not contain valid UTF-8");
    std::fs::write(&config, []).unwrap();
    open("empty", "config.json: EOF");
    std::fs::File::create(&config).unwrap().set_len(1 << 40).unwrap_or_else(|_| {
        std::fs::File::create(&config).unwrap().set_len(1 << 30).unwrap();
    });
    open("a configuration of gigabytes", "expected at most 4194304");
    std::fs::remove_file(&config).unwrap();
    std::fs::create_dir(&config).unwrap();
    open("a folder as config.json", "config.json: ");
    std::fs::remove_dir(&config).unwrap();
    std::fs::write(&config, crate::common::config(16, 2, 32, 1, "")).unwrap();
    open("an empty file of weights", "model.safetensors: not a safetensors file: 0 bytes");
    std::fs::remove_file(&model).unwrap();
    std::fs::create_dir(&model).unwrap();
    open("a folder as model.safetensors", "model.safetensors: missing");
}

/// Arguments that make no sense end with one line and code 1, before a device is opened.
#[test]
fn arguments() {
    let cat = sample("chelsea.png");
    let cat = text(&cat);
    let cases: [(&[&str], &str); 20] = [
        (&["encode", cat, "--out", "o.npy", "--tiles", "0"], "0 is not in 1..=256"),
        (&["encode", cat, "--out", "o.npy", "--tiles", "257"], "257 is not in 1..=256"),
        (&["encode", cat, "--out", "o.npy", "--batch", "0"], "0 is not in 1..=65535"),
        (&["encode", cat, "--out", "o.npy", "--image-size", "-1"], "unexpected argument '-1'"),
        (
            &["encode", cat, "--out", "o.npy", "--image-size", "99999999999"],
            "99999999999 is not in",
        ),
        (&["encode", cat, "--out", "o.npy", "--hidden-states", "1,,2"], "expected numbers, or all"),
        (
            &["encode", cat, "--out", "o.npy", "--dtype", "f64"],
            "expected f32, f16, int8, w8a8 or int4",
        ),
        (&["encode", cat, "--out", "o.npy", "--resize", ""], "squash, crop, native"),
        (&["encode", cat, "--out", "o.npy", "--model", "a/b/c"], "no such file or folder"),
        (&["encode", cat, "--out", "o.npy", "--model", "../up"], "no such file or folder"),
        (&["encode", cat, "--out", "o.npy", "--device", "cpu", "--image-size", "0"], "may be 0"),
        (
            &[
                "encode",
                cat,
                "--out",
                "o.npy",
                "--device",
                "cpu",
                "--image-size",
                "0",
                "--tiles",
                "4",
            ],
            "resizing 451 × 300 pixels to 0 × 0: expected sides of at least 1",
        ),
        (&["encode", "", "--out", "o.npy"], "a value is required"),
        (&["preprocess", cat, "--size", "0", "--out", "o.npz"], "0 is not in 1..=16384"),
        (
            &["preprocess", cat, "--size", "16384", "--tiles", "2", "--out", "o.npz"],
            "pass the limit",
        ),
        (&["look", cat, "--view", "similarity", "--at", "1;2"], "expected X,Y in pixels"),
        (&["look", cat, "--view", "clusters", "--clusters", "1"], "1 is not in 2..=32"),
        (&["teach", cat, "--point", ":1,2", "--out", "o.safetensors"], "expected CLASS:X,Y"),
        (&["convert", "m", "--out", "o", "--shard-size", "99999999999GB"], "expected a size such"),
        (&["convert", "m", "--out", "o", "--shard-size", "0"], "expected a size such as"),
    ];
    for (args, expected) in cases {
        fails(args, expected);
    }
}

/// A table that is to be gone on with, of which a byte changed somewhere: no panic, whatever the
/// library does.
#[test]
fn tables() {
    let folder = scratch("damaged-tables");
    let (photos, out) = (folder.join("photos"), folder.join("o.parquet"));
    std::fs::create_dir(&photos).unwrap();
    std::fs::write(photos.join("a.png"), "no picture").unwrap();
    std::fs::copy(sample("chelsea.png"), photos.join("b.png")).unwrap();
    let small = ["--device", "cpu", "--image-size", "14"];
    let encode = ["encode", text(&photos), "--out", text(&out)];
    ok(&[&encode[..], &small].concat());
    let whole = std::fs::read(&out).unwrap();
    let footer = u32::from_le_bytes(whole[whole.len() - 8..][..4].try_into().unwrap()) as usize;
    // With nothing left to encode a run only reads; a byte of the footer at a time.
    for trial in 0..60 {
        let mut bytes = whole.clone();
        let at = whole.len() - 8 - footer + trial * footer / 60;
        bytes[at] ^= [0xff, 0x80, 0x15][trial % 3];
        std::fs::write(&out, bytes).unwrap();
        let output = internvit(&[&encode[..], &small].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{trial}: {error}");
        assert!(
            !error.contains("panicked") && !error.contains("internal error"),
            "{trial}: {error}"
        );
    }
}

/// A pipe to which nobody writes, in place of any file that is read whole or by ranges, and one without
/// end: nothing waits for the one or takes memory for the other.
#[test]
#[cfg(unix)]
fn pipes_in_place_of_files() {
    let folder = scratch("damaged-pipes");
    let (pipe, model, photo) = (folder.join("pipe"), folder.join("model"), sample("coffee.png"));
    init_checkpoint("c", &config(8, 1, 4, 1, ""), 1, StoredType::F32, &model, &|_, _| ()).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let [table, arrays, labels] = ["t.parquet", "f.npz", "l.png"].map(|name| folder.join(name));
    std::os::unix::fs::symlink(&pipe, &table).unwrap();
    let run = ["--model", text(&model), "--device", "cpu"];
    for other in [text(&pipe), "/dev/zero", text(&folder)] {
        for args in [
            &["segment", text(&photo), "--head", other, "--labels", text(&labels)][..],
            &["encode", "--pixel-values", other, "--out", text(&arrays)],
            &["encode", "--pixel-embeds", other, "--out", text(&arrays)],
        ] {
            fails(&[args, &run[..]].concat(), "expected a file, found ");
        }
        fails(&["init", "--config", other, "--out", text(&arrays)], "expected a file, found ");
    }
    let args = ["encode", text(&photo), "--out", text(&table)];
    fails(&[&args[..], &run].concat(), "expected a file, found a pipe");
    assert!(!labels.exists() && !arrays.exists());
}
