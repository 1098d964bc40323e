//! GIF and TIFF of every kind, PNG with much beside its pixels, transparency, and files of other kinds.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::common::*;
use crate::run::*;
use internvit::image::{Decoded, Options, decode, decode_with};
use sha2::{Digest, Sha256};

fn folder(name: &str) -> PathBuf {
    crate::common::root().join("tests/images").join(name)
}

/// That each file of a folder decodes to what `expected.json` says.
fn assert_expected(name: &str, least: usize) {
    let list = std::fs::read(folder(name).join("expected.json")).unwrap();
    let list: BTreeMap<String, (u32, u32, String)> = serde_json::from_slice(&list).unwrap();
    assert!(list.len() >= least);
    let wrong = list.into_iter().filter(|(file, (width, height, digest))| {
        let bytes = std::fs::read(folder(name).join(file)).unwrap();
        let picture = decode(file, &bytes).unwrap_or_else(|e| panic!("{e}"));
        let found = Sha256::digest(&picture.rgb);
        let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
        (picture.width, picture.height, &found) != (*width, *height, digest)
    });
    let wrong: Vec<String> = wrong.map(|(file, _)| file).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// What a first frame leaves of its canvas, as tests/images/gif/make.py asked Pillow.
#[test]
fn every_gif_is_what_pillow_makes() {
    assert_expected("gif", 20);
}

/// Palettes, 16 to 32 bits, masks, runs, rows from below and from above, as tests/images/bmp/make.py
/// asked Pillow.
#[test]
fn every_bmp_is_what_pillow_makes() {
    assert_expected("bmp", 25);
}

/// First frames wherever they lie and however they are blended, and headers that say otherwise of alpha
/// than the pixels, as tests/images/webp/make.py asked Pillow.
#[test]
fn every_webp_is_what_pillow_makes() {
    assert_expected("webp", 24);
}

/// Every kind, as tests/images/tiff/make.py asked Pillow, or as the samples are where Pillow reads none.
#[test]
fn every_tiff_is_what_pillow_makes() {
    assert_expected("tiff", 85);
}

/// A TIFF or GIF without its end is refused or whole, and any changed byte makes no panic.
#[test]
fn cut_and_changed_files_do_not_panic() {
    for name in ["bmp", "gif", "tiff", "webp"] {
        for entry in std::fs::read_dir(folder(name)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let bytes = std::fs::read(&path).unwrap();
            if name.ends_with("py") || name.ends_with("json") {
                continue;
            }
            for length in (0..bytes.len()).step_by(bytes.len() / 24 + 1) {
                let _ = decode(&name, &bytes[..length]);
                let mut changed = bytes.clone();
                changed[length] ^= 0x5a;
                let decoded = decode(&name, &changed).map_err(|e| e.to_string());
                let failed = decoded.err().is_some_and(|e| e.contains("decoder failed"));
                assert!(!failed, "{name} at {length}");
            }
        }
    }
}

/// A TIFF of a kind that is not read says so in words for people.
#[test]
fn other_tiffs_say_what_to_do() {
    let tag = |tag: u16, value: u32| {
        [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &value.to_le_bytes()].concat()
    };
    let tiff = |tags: &[(u16, u32)]| {
        let entries: Vec<u8> = tags.iter().flat_map(|(name, value)| tag(*name, *value)).collect();
        [b"II*\0\x08\0\0\0", &(tags.len() as u16).to_le_bytes()[..], &entries, &[0; 64]].concat()
    };
    for (photo, packing, expected) in [
        (2, 34_887, "compressed by LERC"),
        (2, 33_003, "compressed by JPEG 2000"),
        (2, 12_345, "compressed by code 12345"),
        (32_845, 1, "LogLuv"),
        (32_803, 1, "raw sensor values"),
    ] {
        let size = [(256, 2), (257, 2), (258, 8), (259, packing), (262, photo), (273, 8), (277, 3)];
        let error = decode("f.tif", &tiff(&size)).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("save it as 8-bit RGB"), "{error}");
    }
}

/// Files of other kinds are named, with what to do.
#[test]
fn files_of_other_kinds_are_named() {
    let boxed = |brand: &str| [b"\0\0\0\x18ftyp", brand.as_bytes(), b"\0\0\0\0mif1heic"].concat();
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (
            boxed("heic"),
            "a HEIC photograph, which is not read here: convert it to JPEG or PNG first",
        ),
        (boxed("mif1"), "a HEIC photograph"),
        (b"\0\0\0\x14ftypmif1\0\0\0\0mif1".to_vec(), "a HEIF picture"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf".to_vec(), "an AVIF picture"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom".to_vec(), "a raw photograph (CR3)"),
        (b"\0\0\0\x18ftypisom\0\0\0\x01mp42isom".to_vec(), "a video"),
        (b"\xff\x0a\xfa\x1f".to_vec(), "a JPEG XL picture"),
        (b"\0\0\0\x0cJXL \r\n\x87\n".to_vec(), "a JPEG XL picture"),
        (b"\0\0\0\x0cjP  \r\n\x87\n".to_vec(), "a JPEG 2000 picture"),
        (b"8BPS\0\x01".to_vec(), "Photoshop"),
        (b"II*\0\x10\0\0\0CR\x02\0".to_vec(), "a raw photograph (CR2)"),
        (b"<svg xmlns=''/>".to_vec(), "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<svg/>".to_vec(), "an SVG drawing"),
        (b"<?xml version='1.0'?><Error/>".to_vec(), "XML"),
        (b"%PDF-1.7".to_vec(), "a PDF document"),
        (b"\0\0\x01\0\x01\0".to_vec(), "an icon"),
        (b"P6\n1 1\n255\n...".to_vec(), "Netpbm"),
        (b"qoif\0".to_vec(), "a QOI picture"),
        (b"DDS |".to_vec(), "a DDS texture"),
        (b"\x76\x2f\x31\x01".to_vec(), "OpenEXR"),
        (b"#?RADIANCE\n".to_vec(), "Radiance"),
        (b"\x1a\x45\xdf\xa3".to_vec(), "WebM"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html>".to_vec(), "a web page"),
        (b"{\"error\": 404}".to_vec(), "JSON"),
        (b"PK\x03\x04".to_vec(), "a ZIP archive"),
        (b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "git lfs pull"),
        (vec![0; 100], "nothing but zeros"),
        (vec![], "the file is empty"),
        (b"no picture at all".to_vec(), "not a picture this program can read"),
    ];
    for (bytes, expected) in cases {
        refused(expected, decode("f", &bytes), expected);
    }
}

/// A chunk of a PNG.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let step = |c: u32| (c >> 1) ^ if c & 1 == 1 { 0xedb8_8320 } else { 0 };
    let table: Vec<u32> = (0..256).map(|byte| (0..8).fold(byte, |c, _| step(c))).collect();
    let body = [kind, data].concat();
    let add = |crc: u32, byte: &u8| crc >> 8 ^ table[usize::from(crc as u8 ^ byte)];
    let crc = !body.iter().fold(u32::MAX, add);
    [&(data.len() as u32).to_be_bytes(), &body[..], &crc.to_be_bytes()].concat()
}

/// More than 16 MB of text, profile or EXIF, and the orientation that stands behind them.
#[test]
fn much_beside_the_pixels_of_a_png_is_skipped() {
    let plain = std::fs::read(folder("rgb.png")).unwrap();
    let turned = std::fs::read(folder("orientation-6.png")).unwrap();
    let expected = decode("a", &turned).unwrap();
    let text = [&b"k\0"[..], &vec![b'x'; 17 << 20]].concat();
    let exif = [&b"II*\0\x08\0\0\0\0\0\0\0\0\0"[..], &vec![0; 17 << 20]].concat();
    for kind in [b"tEXt", b"iTXt", b"prVt", b"iCCP"] {
        // Behind the header.
        let more = [&turned[..33], &chunk(kind, &text), &turned[33..]].concat();
        assert_eq!(decode("a", &more).unwrap(), expected);
    }
    let long = [&plain[..33], &chunk(b"eXIf", &exif), &plain[33..]].concat();
    assert_eq!(decode("a", &long).unwrap(), decode("a", &plain).unwrap());
}

/// Pixels whose checksum is another's are broken, though the chunk around them is whole.
#[test]
fn the_checksum_of_a_pngs_pixels_counts() {
    let plain = std::fs::read(folder("rgb.png")).unwrap();
    let start = plain.windows(4).position(|part| part == b"IDAT").unwrap() - 4;
    let length = u32::from_be_bytes(*plain[start..].first_chunk().unwrap()) as usize;
    let (data, rest) = plain[start + 8..].split_at(length);
    let again = [&plain[..start], &chunk(b"IDAT", data), &rest[4..]].concat();
    assert_eq!(again, plain);
    let mut data = data.to_vec();
    *data.last_mut().unwrap() ^= 1;
    let wrong = [&plain[..start], &chunk(b"IDAT", &data), &rest[4..]].concat();
    refused("checksum", decode("a.png", &wrong), "a.png: the PNG data is broken");
}

/// Of PNG, WebP, GIF and TIFF alike: hidden colours are seen, or a colour, and what is clear is counted.
#[test]
fn transparent_pictures_are_laid_over_a_colour() {
    for name in [
        "alpha.png",
        "alpha.webp",
        "palette-transparent.png",
        "deep-alpha.png",
        "grey-alpha.png",
        "gif/part-transparent.gif",
        "tiff/rgb-alpha2-little.tif",
        "tiff/grey-alpha1-big.tif",
    ] {
        let bytes = std::fs::read(folder(name)).unwrap();
        let read = |background, alpha| decode_with(name, &bytes, Options { background, alpha });
        let bare = read(None, true).unwrap();
        let alpha = bare.alpha.as_ref().unwrap();
        let clear = alpha.values.iter().filter(|alpha| **alpha < 128).count();
        assert_eq!(bare.transparent, clear as u64, "{name}");
        assert_eq!(bare.picture, decode(name, &bytes).unwrap(), "{name}");
        for colour in [[255; 3], [255, 0, 128]] {
            let Decoded { picture, .. } = read(Some(colour), false).unwrap();
            let mut laid = bare.picture.clone();
            alpha.over(&mut laid, colour);
            assert_eq!(picture, laid, "{name}");
        }
    }
}

/// A note says so once, and an option lays photographs over a colour.
#[test]
fn the_command_line_tells_of_transparent_photographs() {
    let folder_out = scratch("formats-clear");
    let photo = folder("alpha.png");
    let out = folder_out.join("p.npy");
    let run = |more: &[&str]| {
        let base = ["preprocess", text(&photo), "--size", "28", "--out", text(&out)];
        internvit(&[&base, more].concat())
    };
    let bare = run(&[]);
    let told = String::from_utf8_lossy(&bare.stderr).into_owned();
    assert!(bare.status.success() && told.contains("of its pixels are transparent"), "{told}");
    assert_eq!(told.matches("--background white").count(), 1, "{told}");
    let values = std::fs::read(&out).unwrap();
    for colour in ["white", "#fff", "#FFFFFF", "Black", "grey", "#0a0b0c"] {
        let laid = run(&["--background", colour]);
        let told = String::from_utf8_lossy(&laid.stderr).into_owned();
        assert!(laid.status.success() && !told.contains("transparent"), "{colour}: {told}");
        assert_ne!(std::fs::read(&out).unwrap(), values, "{colour}");
    }
    for wrong in ["whitish", "#ff", "#gggggg", "fff"] {
        assert!(!run(&["--background", wrong]).status.success(), "{wrong}");
    }
    // Of many photographs one note.
    let many = folder_out.join("many");
    std::fs::create_dir(&many).unwrap();
    for name in ["a.png", "b.png", "c.png"] {
        std::fs::copy(&photo, many.join(name)).unwrap();
    }
    let out = folder_out.join("f.parquet");
    let done = internvit(&[
        "encode",
        text(&many),
        "--image-size",
        "28",
        "--device",
        "cpu",
        "--out",
        text(&out),
    ]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success() && told.contains("3 photographs have transparent"), "{told}");
    assert_eq!(told.matches("have transparent").count(), 1, "{told}");
}
