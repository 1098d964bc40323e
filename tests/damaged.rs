//! Files that are wrong: each gives one line that says why, and takes no memory for what it claims.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/cli.rs"]
mod cli;
mod common;

use cli::{fails, ok, text};
use common::*;
use internvit::image::{Resize, decode};
use internvit::model::{canonical_config, parse_config};
use internvit::weights::{Source, read_header, read_metadata, shards};
use internvit::{Checkpoint, Result};

fn refused<T>(what: &str, result: Result<T>, expected: &str) {
    let Err(error) = result else { panic!("{what}: accepted; expected: {expected}") };
    let error = error.to_string();
    assert!(error.contains(expected), "{what}: expected {expected:?} in {error:?}");
    assert!(!error.chars().any(char::is_control), "{what}: one line: {error:?}");
    assert!(error.len() < 10_000, "{what}: an error of {} bytes", error.len());
}

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
    let cases: [(&str, Vec<u8>, &str); 27] = [
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
        (with("hidden_size", "1048576"), "hidden_size / num_attention_heads: expected"),
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

/// A configuration within that of the encoder: what is written must not say another's sizes.
#[test]
fn nested_configurations() {
    let text =
        r#"{"vision_config": {"num_hidden_layers": 3, "vision_config": {"num_hidden_layers": 5}}}"#;
    let written = canonical_config("config.json", text, None).unwrap();
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
    open("a configuration of gigabytes", "expected at most 100000000");
    std::fs::remove_file(&config).unwrap();
    std::fs::create_dir(&config).unwrap();
    open("a folder as config.json", "config.json: ");
    std::fs::remove_dir(&config).unwrap();
    std::fs::write(&config, common::config(16, 2, 32, 1, "")).unwrap();
    open("an empty file of weights", "model.safetensors: not a safetensors file: 0 bytes");
    std::fs::remove_file(&model).unwrap();
    std::fs::create_dir(&model).unwrap();
    open("a folder as model.safetensors", "model.safetensors: missing");
}

/// Memory that this process has had at most, in bytes; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// A zlib stream of some 258 zeros for each 13 bits: `megabytes` and a bit, from a thousandth of it.
fn zeros(megabytes: usize) -> Vec<u8> {
    let (mut bits, mut out) = (0u64, vec![0x78, 0x9c]);
    let mut count = 0;
    let mut put = |value: u64, width: u32| {
        bits |= value << count;
        count += width;
        while count >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            count -= 8;
        }
    };
    // One last block of fixed codes: two zeros, then as often as wanted "258 bytes, 1 back".
    put(0b011, 3);
    put(0b0000_1100, 8);
    put(0b0000_1100, 8);
    for _ in 0..(megabytes << 20) / 258 {
        put(0b1010_0011, 8);
        put(0, 5);
    }
    put(0, 7);
    put(0, 7);
    // Its checksum: of n zeros, n and 1.
    let n = 2 + (megabytes << 20) / 258 * 258;
    out.extend((((n % 65521) as u32) << 16 | 1).to_be_bytes());
    out
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    let crc = body.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| {
            (c >> 1) ^ if c & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    [&(data.len() as u32).to_be_bytes(), &body[..], &(!crc).to_be_bytes()].concat()
}

/// A grey PNG with another chunk before its data.
fn png(side: u32, more: &[u8], data: &[u8]) -> Vec<u8> {
    let size = [side.to_be_bytes(), side.to_be_bytes()].concat();
    let start =
        [b"\x89PNG\r\n\x1a\n", &chunk(b"IHDR", &[&size[..], &[8, 0, 0, 0, 0]].concat())[..]];
    [&start.concat(), more, &chunk(b"IDAT", data), &chunk(b"IEND", b"")].concat()
}

/// A TIFF of one grey strip.
fn tiff(side: u32, bytes: u32) -> Vec<u8> {
    let tags: [(u16, u32); 9] = [
        (256, side),
        (257, side),
        (258, 8),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, side),
        (279, bytes),
    ];
    let entry = |(tag, value): (u16, u32)| {
        [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &value.to_le_bytes()].concat()
    };
    let entries: Vec<u8> = tags.into_iter().flat_map(entry).collect();
    [b"II*\0\x08\0\0\0\x09\0", &entries[..], &[0; 4]].concat()
}

fn bmp(side: u32) -> Vec<u8> {
    let numbers = [100, 0, 54, 40, side, side, 1 | 24 << 16, 0, 0, 0, 0, 0, 0];
    [&b"BM"[..], &numbers.map(u32::to_le_bytes).concat(), &[0; 40]].concat()
}

fn webp(side: u32) -> Vec<u8> {
    let side = &(side - 1).to_le_bytes()[..3];
    let canvas =
        [&b"WEBPVP8X\x0a\0\0\0\0\0\0\0"[..], side, side, b"VP8L\x06\0\0\0\x2f\0\0\0\0\0"].concat();
    [&b"RIFF"[..], &(canvas.len() as u32).to_le_bytes(), &canvas].concat()
}

/// Pictures that claim more than they hold are refused before memory is taken for it.
#[test]
fn bombs() {
    let gif = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x4c\x01\0;";
    let profile = chunk(b"iCCP", &[b"x\0\0", &zeros(200)[..]].concat());
    let cases: [(&str, Vec<u8>, &str); 10] = [
        ("PNG of 60,000 × 60,000", png(60_000, &[], &zeros(0)), "60000 × 60000 is too large"),
        ("PNG with 2³¹ pixels a side", png(1 << 31, &[], &zeros(0)), "PNG"),
        ("PNG of 16,384 × 16,384 without data", png(16_384, &[], &zeros(0)), "broken or cut off"),
        ("GIF of 65,535 × 65,535", gif.to_vec(), "65535 × 65535 is too large"),
        ("BMP of 60,000 × 60,000", bmp(60_000), "60000 × 60000 is too large"),
        ("BMP of 16,384 × 16,384 without data", bmp(16_384), "cut off"),
        ("TIFF of 60,000 × 60,000", tiff(60_000, 100), "60000 × 60000 is too large"),
        ("TIFF of 16,384 × 16,384 without data", tiff(16_384, 1 << 28), "cut off"),
        ("WebP of 60,000 × 60,000", webp(60_000), "60000 × 60000 is too large"),
        ("no picture", vec![0], "not a picture this program can read"),
    ];
    let before = peak();
    for (what, bytes, expected) in cases {
        refused(what, decode("f", &bytes), expected);
        let grown = peak().saturating_sub(before) >> 20;
        assert!(grown < 128, "{what}: {grown} MB");
    }
    // What inflates beside the pixels, or beyond them, is left out.
    let text = chunk(b"zTXt", &[b"x\0\0", &zeros(200)[..]].concat());
    for (what, more) in [("text", &text), ("a colour profile", &profile)] {
        let picture = decode("f", &png(1, more, &zeros(200))).unwrap();
        assert_eq!(picture.rgb, [0, 0, 0], "{what}");
        let grown = peak().saturating_sub(before) >> 20;
        assert!(grown < 128, "{what}: {grown} MB");
    }
}

/// Too large only when it is brought to the encoder's size.
#[test]
fn slivers() {
    let folder = scratch("damaged-slivers");
    let tall = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/tall.png");
    let picture = decode("tall.png", &std::fs::read(tall).unwrap()).unwrap();
    assert_eq!((picture.width, picture.height), (1, 20_000));
    refused("native", Resize::Native.fit(&picture, 448, 14), "would pass the limit");
    let out = folder.join("o.safetensors");
    ok(&["preprocess", tall, "--size", "28", "--out", text(&out)]);
    assert!(out.is_file());
}

/// PyTorch's files whose names would outgrow the file, were each copied where it is used.
#[test]
fn names_in_pickles() {
    let older = |pickle: &[u8]| {
        let start =
            b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e\x80\x02M\xe9\x03.";
        [start, &b"\x80\x02}X\x0d\0\0\0little_endian\x88s."[..], b"\x80\x02", pickle, b"\x80\x02]."]
            .concat()
    };
    let long =
        |length: u32| [&b"X"[..], &length.to_le_bytes(), &vec![b'n'; length as usize]].concat();
    let storage = |key: &[u8]| {
        let start = b"(X\x07\0\0\0storagectorch\nFloatStorage\n";
        [start, key, &b"X\x03\0\0\0cpuK\x02NtQ"[..]].concat()
    };
    let rebuild = |key: &[u8]| {
        let arguments = [b"(", &storage(key)[..], b"K\x00K\x02\x85K\x01\x85\x89Nt"].concat();
        [b"ctorch._utils\n_rebuild_tensor_v2\n", &arguments[..], b"R"].concat()
    };
    // The same key again and again: a megabyte by every two bytes of the file.
    let name = [&long(1 << 20)[..], b"q\x00"].concat();
    let again = [
        &b"}("[..],
        &name,
        &rebuild(b"X\x01\0\0\0k"),
        b"q\x01",
        &b"h\x00h\x01".repeat(100_000),
        b"u.",
    ];
    let (key, value) = (long(1), rebuild(b"X\x01\0\0\0k"));
    let twice = [&b"}("[..], &key, &value, &key, &value, b"u."];
    let list = [&b"}."[..], b"\x80\x02](", &name, &b"h\x00".repeat(1_000_000), b"e."].concat();
    let cases = [
        ("a tensor's long name", older(&again.concat()), "no name, or one that is too long"),
        ("a tensor twice", older(&twice.concat()), "n: present twice"),
        (
            "a storage's long name",
            older(&[b"}", &long(3)[..], &rebuild(&long(1025)), b"s."].concat()),
            "no storage",
        ),
        ("many long storages", older(&list), "expected a list of storages"),
    ];
    let before = peak();
    for (what, bytes, expected) in cases {
        refused(what, wait(read_header(&Source::memory("f", bytes))), expected);
    }
    let grown = peak().saturating_sub(before) >> 20;
    assert!(grown < 256, "{grown} MB");
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
        (&["encode", cat, "--out", "o.npy", "--hidden-states", "1,,2"], "cannot parse integer"),
        (
            &["encode", cat, "--out", "o.npy", "--dtype", "f64"],
            "expected f32, f16, int8, w8a8 or int4",
        ),
        (&["encode", cat, "--out", "o.npy", "--resize", ""], "squash, crop or native"),
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
            "expected multiples of 14",
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
