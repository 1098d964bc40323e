//! Decoding and resizing against Pillow's results.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;

use crate::common::*;
use internvit::image::{
    Filter, Fit, Normal, Picture, Resize, decode, pixel_values, resize, rgba, tile_grid, tiles,
};
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(crate::common::root().join("tests/images").join(name)).unwrap()
}

/// u8 tensors `[height, width, 3]` as pictures.
fn expected(bytes: &[u8]) -> HashMap<String, Picture> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    file.iter()
        .map(|(name, view)| {
            let &[height, width, 3] = view.shape() else { panic!("{name}") };
            let rgb = view.data().to_vec();
            (name.to_string(), Picture::of(width as u32, height as u32, rgb))
        })
        .collect()
}

fn assert_within(what: &str, found: &Picture, expected: &Picture, most: u8) {
    assert_eq!((found.width, found.height), (expected.width, expected.height), "{what}");
    let apart = found.rgb.iter().zip(&expected.rgb).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(apart <= most, "{what}: {apart} apart, at most {most}");
}

/// tests/images/make.py says what Pillow makes of each file.
#[test]
fn every_format_decodes_as_pillow_does() {
    let list = expected(&fixture("expected.safetensors"));
    assert!(list.len() > 30);
    for (name, picture) in &list {
        assert_within(name, &decode(name, &fixture(name)).unwrap(), picture, 0);
    }
}

/// palette.png and palette.tiff were saved from one picture.
#[test]
fn palettes_of_tiffs_are_expanded() {
    let [tiff, png] = ["palette.tiff", "palette.png"].map(|n| decode(n, &fixture(n)).unwrap());
    assert_eq!(tiff, png);
}

#[test]
fn what_cannot_be_read_is_refused_with_the_cause() {
    let cat = std::fs::read(sample("chelsea.png")).unwrap();
    let rocket = std::fs::read(sample("rocket.jpg")).unwrap();
    // A frame's third component with three fifths of the samples of its second.
    let mut uneven = fixture("rgb.jpg");
    let frame = uneven.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    uneven[frame + 14] = 0x31;
    uneven[frame + 17] = 0x21;
    // libwebp takes no chunk before the pixels but a header's.
    let mut webp = fixture("rgb.webp");
    webp.splice(12..12, *b"ICCP\x02\0\0\0ab");
    let cases: [(&str, Vec<u8>, &str); 11] = [
        ("chunk.webp", webp, "the WebP data is broken"),
        ("uneven.jpg", uneven, "a channel of 2 × 1 samples where another has 3 × 1"),
        ("empty.jpg", vec![], "the file is empty"),
        ("notes.txt", b"no picture at all".to_vec(), "not a picture this program can read"),
        ("cut.png", cat[..cat.len() / 2].to_vec(), "cut off"),
        ("cut.jpg", rocket[..rocket.len() / 2].to_vec(), "cut off"),
        ("head.jpg", rocket[..100].to_vec(), "cut off"),
        ("head.png", cat[..20].to_vec(), "cut off"),
        ("bomb.png", fixture("bomb.png"), "60000 × 60000 is too large"),
        ("cut.webp", fixture("rgb.webp")[..40].to_vec(), "WebP"),
        ("cut.gif", fixture("still.gif")[..60].to_vec(), "GIF"),
    ];
    for (name, bytes, reason) in cases {
        let error = decode(name, &bytes).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{name}: ")), "{error}");
        assert!(error.contains(reason), "expected {reason:?} in {error:?}");
    }
}

/// A file that lacks its end is an error, and neither half grey nor turned the wrong way.
#[test]
fn cut_files_are_refused() {
    for name in expected(&fixture("expected.safetensors")).keys() {
        // Of these the first frame is there long before the end.
        if ["animated.gif", "animated.png"].contains(&name.as_str()) {
            continue;
        }
        let whole = fixture(name);
        for percent in [50, 75, 90] {
            let error = decode(name, &whole[..whole.len() * percent / 100]).unwrap_err();
            assert!(error.to_string().contains("cut off"), "{percent} %: {error}");
        }
    }
}

/// Any cut of any file is an error or a picture, never a panic.
#[test]
fn cut_files_do_not_panic() {
    for entry in std::fs::read_dir(crate::common::root().join("tests/images")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir()
            || name.ends_with(".py")
            || name.ends_with(".txt")
            || name.ends_with(".safetensors")
        {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for length in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
            let _ = decode(&name, &bytes[..length]);
            let mut changed = bytes.clone();
            changed[length] ^= 0x5a;
            let _ = decode(&name, &changed);
        }
    }
}

#[test]
fn the_content_counts_and_not_the_ending() {
    assert_eq!(
        decode("wrong.png", &fixture("rgb.bmp")).unwrap(),
        decode("a", &fixture("rgb.png")).unwrap()
    );
}

/// Pillow's results for the photographs; see the fixture's own metadata.
#[test]
fn resizing_equals_pillow() {
    let bytes = std::fs::read(golden("preprocess/expected_u8_112.safetensors")).unwrap();
    let list = expected(&bytes);
    assert_eq!(list.len(), 15);
    for (name, picture) in &list {
        let (photo, mode) = name.split_once('.').unwrap();
        let file = if photo == "rocket" { "rocket.jpg".into() } else { format!("{photo}.png") };
        let original = decode(&file, &std::fs::read(sample(&file)).unwrap()).unwrap();
        let found = match mode {
            "squash" => Resize::Squash.fit(&original, 112, 14).unwrap(),
            "crop" => Resize::Crop.fit(&original, 112, 14).unwrap(),
            _ => {
                // The box left 10, top 20, right 70, bottom 60.
                let rows = original.rgb.chunks_exact(original.width as usize * 3).skip(20).take(40);
                let rgb = rows.flat_map(|row| row[30..210].to_vec()).collect();
                resize(&Picture::of(60, 40, rgb), 84, 98).unwrap()
            }
        };
        // The resize is exact; from a JPEG the decoders' difference of up to 2 remains.
        assert_within(name, &found, picture, if photo == "rocket" { 2 } else { 0 });
    }
}

/// tests/images/resizes.py made the digests with Pillow 13.
#[test]
fn any_sizes_resize_as_pillow_13_does() {
    let list = String::from_utf8(fixture("resizes.txt")).unwrap();
    assert_eq!(list.lines().count(), 100);
    for line in list.lines() {
        let (sizes, digest) = line.rsplit_once(' ').unwrap();
        let [width, height, columns, rows] =
            sizes.split(' ').map(|side| side.parse().unwrap()).collect::<Vec<u32>>()[..]
        else {
            panic!("{line}")
        };
        let value = |i: u32| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8;
        let picture = Picture::of(width, height, (0..3 * width * height).map(value).collect());
        let found = Sha256::digest(resize(&picture, columns, rows).unwrap().rgb);
        let hex: String = found[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, digest, "{sizes}");
    }
}

/// tests/images/filters.py made the digests with Pillow 13.
#[test]
fn all_filters_resize_as_pillow_13_does() {
    let list = String::from_utf8(fixture("filters.txt")).unwrap();
    assert_eq!(list.lines().count(), 100);
    for line in list.lines() {
        let [name, width, height, size, digest] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let [width, height, size] = [width, height, size].map(|side| side.parse::<u32>().unwrap());
        let value = |i: u32| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8;
        let picture = Picture::of(width, height, (0..3 * width * height).map(value).collect());
        let filter = Filter::ALL.into_iter().find(|filter| filter.name() == name).unwrap();
        let fit = Fit { filter, ..Fit::new(Resize::Squash, size, 1) };
        let found = Sha256::digest(fit.apply(&picture).unwrap().rgb);
        let hex: String = found[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, digest, "{line}");
    }
}

/// The short side may be longer than the square, as CLIP's `size` and `crop_size` say.
#[test]
fn a_crop_leaves_a_margin() {
    let picture = gradient(100, 200);
    let fit = Fit { short: 80, ..Fit::new(Resize::Crop, 56, 14) };
    let whole = resize(&picture, 80, 160).unwrap();
    assert_eq!(fit.apply(&picture).unwrap(), whole.cut([12, 52, 56, 56]).unwrap());
}

/// A tall picture, where rows are first: what is left out of the crop plays no part.
#[test]
fn crops_of_tall_pictures_equal_resizing_and_cutting() {
    let picture = gradient(100, 1000);
    let found = Resize::Crop.fit(&picture, 56, 14).unwrap();
    assert_eq!(found, resize(&picture, 56, 560).unwrap().cut([0, 252, 56, 56]).unwrap());
}

/// Cutting and resizing at once gives the bits of resizing and cutting: 640 × 427 to a short side
/// of 112 is 167 × 112 (truncated), of which the middle leaves out 27 columns on the left.
#[test]
fn crop_equals_resizing_and_cutting() {
    let picture = gradient(640, 427);
    let found = Resize::Crop.fit(&picture, 112, 14).unwrap();
    assert_eq!(found, resize(&picture, 167, 112).unwrap().cut([27, 0, 112, 112]).unwrap());
}

#[test]
fn tiling_equals_internvl() {
    let text = std::fs::read_to_string(golden("preprocess/tiling.json")).unwrap();
    let rows: Vec<HashMap<String, u32>> = serde_json::from_str(&text).unwrap();
    assert_eq!(rows.len(), 136);
    for row in rows {
        let grid = tile_grid(row["width"], row["height"], row["max_num"], 448);
        assert_eq!((grid.cols, grid.rows), (row["cols"], row["rows"]), "{row:?}");
        let count = grid.cols * grid.rows;
        assert_eq!(count + u32::from(count > 1), row["tiles"], "{row:?}");
    }
}

fn gradient(width: u32, height: u32) -> Picture {
    let pixel = |i: u32| [(i % width) as u8, (i / width) as u8, 7];
    Picture::of(width, height, (0..width * height).flat_map(pixel).collect())
}

/// Tiles are the squashed whole cut row by row, and a thumbnail comes last.
#[test]
fn tiles_are_cut_row_by_row() {
    let picture = gradient(84, 56);
    let (grid, list) = tiles(&picture, 6, 28).unwrap();
    assert_eq!((grid.cols, grid.rows, list.len()), (3, 2, 7));
    let whole = resize(&picture, 84, 56).unwrap();
    for (i, tile) in list[..6].iter().enumerate() {
        assert_eq!((tile.width, tile.height), (28, 28));
        let (col, row) = (i as u32 % 3 * 28, i as u32 / 3 * 28);
        let at = ((row * 84 + col) * 3) as usize;
        assert_eq!(tile.rgb[..3], whole.rgb[at..at + 3], "tile {i}");
    }
    assert_eq!(list[6], resize(&picture, 28, 28).unwrap());
    let (grid, list) = tiles(&gradient(28, 28), 1, 28).unwrap();
    assert_eq!((grid.cols, grid.rows, list.len()), (1, 1, 1));
}

#[test]
fn native_keeps_the_ratio_in_whole_patches() {
    let cases = [
        ((451, 300), (336, 224)),
        ((300, 451), (224, 336)),
        ((100, 100), (224, 224)),
        ((1000, 10), (22400, 224)),
    ];
    for ((width, height), expected) in cases {
        let found = Resize::Native.output(width, height, 224, 14);
        assert_eq!(found, expected, "{width} × {height}");
    }
}

#[test]
fn odd_shapes_are_resized_or_refused() {
    let dot = decode("dot.png", &fixture("dot.png")).unwrap();
    let tall = decode("tall.png", &fixture("tall.png")).unwrap();
    assert_eq!((tall.width, tall.height), (1, 20000));
    for mode in [Resize::Squash, Resize::Crop, Resize::Native] {
        let picture = mode.fit(&dot, 28, 14).unwrap();
        assert_eq!(picture.rgb, [10, 20, 30].repeat(28 * 28), "{mode}");
    }
    assert_eq!(Resize::Squash.fit(&tall, 28, 14).unwrap().width, 28);
    assert_eq!(Resize::Crop.fit(&tall, 28, 14).unwrap().height, 28);
    let error = Resize::Native.fit(&tall, 448, 14).unwrap_err().to_string();
    assert!(error.contains("would pass the limit"), "{error}");
    assert!(Resize::Squash.fit(&dot, 0, 14).is_err());
    let (_, list) = tiles(&tall, 12, 28).unwrap();
    assert_eq!(list.len(), 13);
}

#[test]
fn pixels_are_normalised_channel_by_channel() {
    let picture = Picture::of(2, 1, vec![0, 128, 255, 255, 0, 1]);
    let values = pixel_values(std::slice::from_ref(&picture), &Normal::default()).unwrap();
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let normal =
        |channel: usize, byte: u8| (f32::from(byte) / 255.0 - mean[channel]) / std[channel];
    let expected = [(0, 0), (0, 255), (1, 128), (1, 0), (2, 255), (2, 1)];
    for (value, (channel, byte)) in values.iter().zip(expected) {
        assert!((value - normal(channel, byte)).abs() < 1e-6);
    }
    assert_eq!(rgba(&[picture]).unwrap(), [0, 128, 255, 255, 255, 0, 1, 255]);
}

#[test]
fn resize_modes_are_named() {
    for name in ["squash", "crop", "native", "middle", "pad", "patches"] {
        assert_eq!(name.parse::<Resize>().unwrap().to_string(), name);
    }
    let error = "stretch".parse::<Resize>().unwrap_err().to_string();
    assert!(error.contains("squash, crop, native, middle, pad or patches"), "{error}");
}

/// Wrong pictures, sizes and rectangles are errors, never a panic.
#[test]
fn wrong_pictures_and_sizes_are_errors() {
    let good = gradient(28, 28);
    let bad = Picture::of(28, 28, vec![0; 7]);
    let empty = Picture::of(0, 0, Vec::new());
    for picture in [&bad, &empty] {
        assert!(resize(picture, 14, 14).is_err() && tiles(picture, 4, 14).is_err());
    }
    assert!(bad.cut([0, 0, 1, 1]).is_err());
    assert!(resize(&good, 0, 14).is_err() && resize(&good, u32::MAX, u32::MAX).is_err());
    assert!(tiles(&good, 4, 0).is_err() && tiles(&good, 4, u32::MAX).is_err());
    for part in [[1, 0, 28, 28], [0, 20, 28, 9], [u32::MAX, 0, 2, 2], [0, 0, 1, 29]] {
        assert!(good.cut(part).is_err(), "{part:?}");
    }
    assert!(Picture::noise(70_000).is_err() && Picture::noise(u32::MAX).is_err());
}
