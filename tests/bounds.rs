//! Files that claim more than they hold take no memory for it.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "common/cli.rs"]
mod cli;
mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};

use cli::{ok, text};
use common::*;

use internvit::image::{Resize, decode};
use internvit::weights::{Source, read_header};

/// The peak of memory is the process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
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
    const PIXELS: u64 = 1 << 26;
    // A frame of one pixel on a canvas of 8,192 × 8,192, grey where it is empty.
    let gif =
        b"GIF89a\0\x20\0\x20\x80\0\0\x7f\x7f\x7f\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;";
    // One colour, without alpha.
    let webp =
        b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f\xff\xdf\xff\x07\x07\x10\x11\xfd\x0f\x44\x44\xff\x03";
    let grey = png(8192, &[], &zeros(65));
    let cases = [("GIF", &gif[..], 3), ("WebP", &webp[..], 4), ("PNG", &grey[..], 3)];
    for (what, bytes, channels) in cases {
        let before = peak();
        let picture = decode("f", bytes).unwrap();
        assert_eq!((picture.width, picture.height), (8192, 8192), "{what}");
        drop(picture);
        let grown = peak().saturating_sub(before);
        assert!(grown < channels * PIXELS + (32 << 20), "{what}: {} MB", grown >> 20);
    }
}

/// Too large only when it is brought to the encoder's size.
#[test]
fn slivers() {
    let _alone = alone();
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
