//! Files that claim more than they hold take no memory for it.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod memory;
#[path = "../common/cli.rs"]
mod run;
mod runs;

use std::io::{Cursor, Read};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::*;
use run::{fails, ok, text};

use internvit::Checkpoint;
use internvit::budget::picture_memory;
use internvit::image::{Filter, Fit, Resize, decode};
use internvit::weights::{
    Source, StoredType, Values, init_checkpoint, read_header, shards, write_safetensors,
};

/// The peak of memory is the process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    forget_peak();
    guard
}

/// What was taken before, by this test or others, does not count.
fn forget_peak() {
    #[cfg(target_os = "linux")]
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Memory that this process has had at most, in bytes; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// Memory that a command takes at most, with what it says and its exit code.
fn peak_of(args: &[&str]) -> (u64, String, Option<i32>) {
    let mut command = crate::run::program();
    let mut child =
        command.args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let found = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
        peak = found.map_or(peak, |found| found << 10);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (peak, said, child.wait().unwrap().code())
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
    let _alone = alone();
    let gif = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x4c\x01\0;";
    let profile = chunk(b"iCCP", &[b"x\0\0", &zeros(200)[..]].concat());
    let cases: [(&str, Vec<u8>, &str); 10] = [
        ("PNG of 60,000 × 60,000", png(60_000, &[], &zeros(0)), "60000 × 60000 is too large"),
        ("PNG with 2³¹ pixels a side", png(1 << 31, &[], &zeros(0)), "2147483648 is too large"),
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

/// A small file of many pixels takes what these need once: RGB, and where the decoder makes it, alpha.
#[test]
fn pixels_cost_their_bytes_once() {
    let _alone = alone();
    const PIXELS: u64 = 1 << 24;
    // A frame of one pixel on a canvas of 4,096 × 4,096, grey where it is empty.
    let gif =
        b"GIF89a\0\x10\0\x10\x80\0\0\x7f\x7f\x7f\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";
    // One colour, without alpha.
    let webp =
        b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f\xff\xcf\xff\x03\x07\x10\x11\xfd\x0f\x44\x44\xff\x03";
    let grey = png(4096, &[], &zeros(17));
    let cases = [("GIF", &gif[..], 3), ("WebP", &webp[..], 4), ("PNG", &grey[..], 3)];
    for (what, bytes, channels) in cases {
        let before = peak();
        let picture = decode("f", bytes).unwrap();
        assert_eq!((picture.width, picture.height), (4096, 4096), "{what}");
        // Nor does it stand in memory again where it is resized.
        if what == "GIF" {
            let fit = Fit { filter: Filter::Box, ..Fit::new(Resize::Squash, 56, 14) };
            fit.apply(&picture).unwrap();
        }
        drop(picture);
        let grown = peak().saturating_sub(before);
        assert!(grown < channels * PIXELS + (14 << 20), "{what}: {} MB", grown >> 20);
    }
    // Its decoder may take more than this one did: it is counted with 9 bytes a pixel.
    let file = scratch("bounds-webp").join("f.webp");
    std::fs::write(&file, webp).unwrap();
    let args = ["preprocess", text(&file), "--out", "x.npz", "--max-memory", "100MB"];
    fails(&args, "f.webp: needs 151.0 MB of memory, and 100.0 MB may be taken");
}

/// Sizes that stand elsewhere than usual: a frame that widens its canvas, numbers beyond a directory.
#[test]
fn sizes_are_found_wherever_they_stand() {
    let _alone = alone();
    let folder = scratch("bounds-sizes");
    let gif = |screen: [u16; 2], before: &[u8], frame: [u16; 4]| {
        let le = |numbers: &[u16]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>();
        let head = [&b"GIF89a"[..], &le(&screen), b"\x80\0\0\0\0\0\0\0\0", before, b","].concat();
        [&head[..], &le(&frame), b"\0\x02\x02\x44\x01\0;"].concat()
    };
    // Width and height 16,000 by these kinds and counts, after a directory of two entries.
    let tiff = |kind: u16, count: u32, value: &[u8]| {
        let entry = |tag: u16, at: u32| {
            let (tag, kind) = (tag.to_le_bytes(), kind.to_le_bytes());
            [&tag[..], &kind, &count.to_le_bytes(), &at.to_le_bytes()].concat()
        };
        let (width, height) = (entry(256, 38), entry(257, 38));
        [&b"II*\0\x08\0\0\0\x02\0"[..], &width, &height, &[0; 4], value].concat()
    };
    let side = 16_000;
    let rational = [u32::to_le_bytes(side), u32::to_le_bytes(1)].concat();
    let long = [u32::to_le_bytes(side), [0; 4]].concat();
    let comment = b"!\xfe\x03abc\x02de\0!\xf9\x04\0\0\0\0\0";
    let cases: [(&str, Vec<u8>); 7] = [
        ("beyond.gif", gif([1, 1], b"", [16_000, 16_000, 1, 1])),
        ("wide.gif", gif([1, 1], comment, [0, 0, 16_000, 16_000])),
        ("screen.gif", gif([16_000, 16_000], b"", [0, 0, 1, 1])),
        ("double.tif", tiff(12, 1, &f64::from(side).to_le_bytes())),
        ("rational.tif", tiff(5, 1, &rational)),
        ("long.tif", tiff(16, 1, &long)),
        ("two.tif", tiff(4, 2, &long)),
    ];
    for (name, bytes) in cases {
        let file = folder.join(name);
        std::fs::write(&file, bytes).unwrap();
        let args = ["preprocess", text(&file), "--out", "x.npz", "--max-memory", "500MB"];
        fails(&args, "GB of memory, and 500.0 MB may be taken");
    }
    // A small one is not taken for more.
    assert_eq!(picture_memory(Cursor::new(gif([9, 9], comment, [3, 3, 6, 6]))), 81 * 5);
    assert_eq!(picture_memory(Cursor::new(gif([9, 9], comment, [8, 9, 3, 6]))), 11 * 15 * 5);
}

/// Too large only when it is brought to the encoder's size.
#[test]
fn slivers() {
    let _alone = alone();
    let folder = scratch("damaged-slivers");
    let tall = root().join("tests/images/tall.png");
    let tall = text(&tall);
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
    let _alone = alone();
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

/// JSON that takes many times its length in memory: what is longer than any real one is refused
/// unread, from the disk and from anywhere else.
#[test]
fn texts_are_bounded() {
    let _alone = alone();
    let folder = scratch("bounds-texts");
    std::fs::write(folder.join("model.safetensors"), []).unwrap();
    let config = folder.join("config.json");
    let long = "[0,0],".repeat(10 << 20);
    std::fs::write(&config, &long).unwrap();
    let before = peak();
    refused("60 MB", wait(Checkpoint::open_path(&folder)), "expected at most 4194304 (4.2 MB)");
    let files = || vec![Source::memory("model.safetensors", Vec::new())];
    refused("given", wait(Checkpoint::open("m", &long, files())), "expected at most 4194304");
    let grown = peak().saturating_sub(before) >> 20;
    assert!(grown < 16, "{grown} MB");

    let just = format!("{{\"x\": [{}0]}}", "[],".repeat(1_390_000));
    refused("just short enough", wait(Checkpoint::open("m", &just, files())), "describes no");
    let grown = peak().saturating_sub(before) >> 20;
    assert!(grown < 200, "{grown} MB");

    let index = |map: String| {
        Source::memory(
            "model.safetensors.index.json",
            format!("{{\"weight_map\":{map}}}").into_bytes(),
        )
    };
    let many = |bytes: usize| format!("{{{}\"z\":0}}", "\"\":[],".repeat(bytes / 6));
    refused("an index", wait(shards(&index(many(33 << 20)))), "expected at most 33554432");
    let before = peak();
    refused(
        "an index just short enough",
        wait(shards(&index(many(32_000_000)))),
        "name of a shard",
    );
    let grown = peak().saturating_sub(before) >> 20;
    assert!(grown < 800, "{grown} MB");
}

/// Arrays of NumPy's that claim more than they hold, by their header or their shape.
#[test]
fn arrays_are_bounded() {
    let _alone = alone();
    let folder = scratch("bounds-arrays");
    let path = folder.join("p.npy");
    let array = |length: u32, kind: &str, shape: &str| {
        let said = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        let said = format!("{said:<117}\n");
        let length = if length == 0 { said.len() as u32 } else { length };
        [&b"\x93NUMPY\x02\0"[..], &length.to_le_bytes(), said.as_bytes(), &[0; 64]].concat()
    };
    for (bytes, expected) in [
        (array(u32::MAX, "<f4", "(1, 3, 2, 2)"), "a header of 4294967295 bytes"),
        (array(0, "<f4", "(1, 3, 99999999, 99999999)"), "of 4 bytes each in a file of"),
        (array(0, "<f4", "(4294967296, 4294967296, 3, 1)"), "pixel_values: "),
        (array(0, "<f4", "(18446744073709551615, 3, 2, 2)"), "pixel_values: "),
        (array(0, "<f8", "(1, 3, 14, 14)"), "of 8 bytes each in a file of"),
        (array(0, "<f4", "()"), "expected 4 dimensions"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let args = ["encode", "--pixel-values", text(&path), "--out", "o.npy", "--device", "cpu"];
        let (peak, said, code) = peak_of(&args);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected) && said.lines().count() == 1, "{expected}: {said}");
        assert!(peak < 300 << 20, "{} MB", peak >> 20);
    }
}
