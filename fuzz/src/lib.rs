//! What is fuzzed: one function a target, over the library without `gpu`.
//!
//! A target takes any bytes. It must not panic, and what it checks beyond that holds for everything
//! that is accepted; what is refused must be refused with one short line of text.

#![allow(missing_docs, reason = "a target is called by its name only")]

#[allow(dead_code, reason = "as in the room")]
#[path = "../../src/hub/name.rs"]
mod name;
#[cfg(test)]
mod tests;

use std::io::Cursor;

use internvit::model::{Key, Naming, canonical_config, parse_config, parse_head};
use internvit::plan::tensors;
use internvit::weights::{
    LinearHead, Manifest, Source, Stored, read_header, read_metadata, shards, stored_tensors,
};
use internvit::{Precision, Result, budget, image, weights};
use name::Name;
use pollster::block_on;

/// The value, if there is one; an error must be a short line.
fn seen<T>(result: Result<T>) -> Option<T> {
    if let Err(error) = &result {
        let text = error.to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(text.len() < 10_000, "an error of {} bytes", text.len());
    }
    result.ok()
}

/// Every tensor lies in the file and is as long as its shape says.
fn check_tensors(source: &Source, list: &[Stored]) {
    for tensor in list {
        assert!(tensor.range.start <= tensor.range.end && tensor.range.end <= source.size());
        if let Some(dtype) = tensor.dtype {
            let values: usize = tensor.shape.iter().product();
            // An archive's checksums may tell another story.
            if let Some(bytes) = seen(block_on(source.read(tensor.range.clone()))) {
                assert_eq!(dtype.decode(&bytes).len(), values, "{}", tensor.key);
            }
        }
    }
}

/// A safetensors file; then its bytes as the text of a header, before as much data as it wants.
pub fn header(data: &[u8]) {
    let source = Source::memory("f", data.to_vec());
    if let Some(list) = seen(block_on(read_header(&source))) {
        check_tensors(&source, &list);
    }
    seen(block_on(read_metadata(&source, "segmentation")));
    let start = 8 + data.len() as u64;
    for extra in [0, 2, 4, 8, 24, 96] {
        let Some(list) = seen(stored_tensors("f", start + extra, data)) else { continue };
        let file = [&(data.len() as u64).to_le_bytes(), data, &vec![0; extra as usize]].concat();
        let source = Source::memory("f", file);
        check_tensors(&source, &list);
        assert_eq!(list.iter().map(|t| t.range.end).max().unwrap_or(start), start + extra);
        let spec = seen(parse_config("c", SMALL));
        if let Some(spec) = spec {
            seen(block_on(LinearHead::read(&source, &spec)));
        }
    }
}

/// A configuration of the smallest model.
const SMALL: &str = r#"{"model_type": "intern_vit_6b", "hidden_size": 8, "num_attention_heads": 1,
    "intermediate_size": 4, "num_hidden_layers": 1, "image_size": 2, "patch_size": 2,
    "norm_type": "layer_norm", "qkv_bias": true, "qk_normalization": false}"#;

/// A `config.json`: its sizes are within bounds, and its canonical form says the same.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(spec) = seen(parse_config("c", text)) else { return };
    for tensor in tensors(&spec) {
        let values = tensor.shape.iter().try_fold(4usize, |n, d| n.checked_mul(*d));
        assert!(values.is_some_and(|n| n > 0), "{tensor:?}");
    }
    let tokens = spec.prefix_tokens() + spec.native_grid() * spec.native_grid();
    assert!(spec.flop(tokens).total().is_finite());
    if let Some(Some(head)) = seen(parse_head("c", text, &spec)) {
        assert!(head.wanted(spec.sizes.hidden, 4096, true).len() > 1);
    }
    let again = seen(canonical_config("c", text, None, Some("float16"), false)).expect("what was read once");
    assert_eq!(parse_config("c", &again.to_string()).expect("canonical"), spec);
}

/// Keys of a checkpoint, one a line, behind a letter for the shape of each; then an index file.
pub fn names(data: &[u8]) {
    if let Some(list) = seen(block_on(shards(&Source::memory("i", data.to_vec())))) {
        for shard in list {
            assert!(!shard.contains(['/', '\\', ':']) && shard != "..", "{shard:?}");
        }
    }
    let (Ok(text), Some(spec)) = (std::str::from_utf8(data), seen(parse_config("c", SMALL))) else {
        return;
    };
    let wanted = tensors(&spec);
    let stored = |line: &str| {
        let mut letters = line.chars();
        let number = letters.next()? as usize;
        let (key, shape) =
            (letters.as_str().to_string(), wanted[number % wanted.len()].shape.clone());
        let dtype = Some(weights::StoredType::F32);
        Some(Stored { key, dtype, dtype_name: "F32".into(), shape, range: 0..0 })
    };
    let list: Vec<Stored> = text.lines().filter_map(stored).collect();
    if let Some(naming) = Naming::detect(list.iter().map(|stored| stored.key.as_str())) {
        for stored in &list {
            match naming.read(&stored.key) {
                Key::Whole(name) | Key::Turned(name) => assert!(name.len() < stored.key.len() + 64),
                Key::Cut(names) => assert!(names.len() > 1),
                Key::Part { name, index, of } => {
                    assert!(name.len() < stored.key.len() + 64 && index < of);
                }
                Key::Elsewhere | Key::Unknown => {}
            }
        }
    }
    let files = [("f".to_string(), list)];
    if let Some(manifest) = seen(Manifest::new(&spec, "folder", &files)) {
        assert!(wanted.iter().all(|want| manifest.tensors[&want.name].shape == want.shape));
    }
}

/// A picture, decoded and brought to an encoder's sizes.
pub fn image(data: &[u8]) {
    // Whatever is large takes its time; whatever is too large must be refused at once.
    let reader = ::image::ImageReader::new(Cursor::new(data)).with_guessed_format();
    if let Some((width, height)) = reader.ok().and_then(|r| r.into_dimensions().ok()) {
        let pixels = u64::from(width) * u64::from(height);
        if (1 << 18..=image::MAX_PIXELS).contains(&pixels) {
            return;
        }
    }
    let Some(picture) = seen(image::decode("f", data)) else { return };
    assert_eq!(picture.rgb.len() as u64, u64::from(picture.width) * u64::from(picture.height) * 3);
    for resize in ["squash", "crop", "native"] {
        let resize: image::Resize = resize.parse().expect("a name");
        let (width, height) = resize.output(picture.width, picture.height, 14, 14);
        if u64::from(width) * u64::from(height) > 1 << 18 {
            continue;
        }
        if let Some(fitted) = seen(resize.fit(&picture, 14, 14)) {
            assert_eq!((fitted.width, fitted.height), (width, height));
            assert!(
                image::pixel_values(&[fitted], &image::Normal::default())
                    .unwrap()
                    .iter()
                    .all(|value| value.is_finite())
            );
        }
    }
    let (grid, list) = image::tiles(&picture, 4, 6).unwrap();
    assert_eq!(list.len() as u32, grid.cols * grid.rows + u32::from(grid.cols * grid.rows > 1));
}

/// A file of torch's; then the same bytes as its pickle, in both formats around two storages.
pub fn pickle(data: &[u8]) {
    let older = [OLDER, data, b"\x80\x02]X\x01\0\0\x000X\x01\0\0\x001e.", &[0; 64]].concat();
    let newer = zip(&[("x/data.pkl", data), ("x/data/0", &[0; 32]), ("x/data/1", &[0; 32])]);
    for file in [data.to_vec(), older, newer] {
        let source = Source::memory("f", file);
        if let Some(list) = seen(block_on(read_header(&source))) {
            check_tensors(&source, &list);
        }
    }
}

/// The three pickles before that of a checkpoint in torch's older format.
const OLDER: &[u8] =
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e\x80\x02M\xe9\x03.\
    \x80\x02}X\x0d\0\0\0little_endian\x88s.";

/// A zip archive that stores these files.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut all, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let sizes = [(bytes.len() as u32).to_le_bytes(); 2].concat();
        let rest = [&sizes[..], &(name.len() as u16).to_le_bytes(), &[0; 2]].concat();
        let at = (all.len() as u32).to_le_bytes();
        directory
            .extend([b"PK\x01\x02", &[0; 16][..], &rest, &[0; 10], &at, name.as_bytes()].concat());
        all.extend([b"PK\x03\x04", &[0; 14][..], &rest, name.as_bytes(), bytes].concat());
    }
    let count = (files.len() as u16).to_le_bytes();
    let (length, at) = ((directory.len() as u32).to_le_bytes(), (all.len() as u32).to_le_bytes());
    all.extend(directory);
    all.extend([b"PK\x05\x06", &[0; 4][..], &count, &count, &length, &at, &[0; 2]].concat());
    all
}

/// Values of the command line's options.
pub fn arguments(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(bytes) = budget::parse_size(text) {
        assert!(bytes > 0);
    }
    if let Some(resize) = seen(text.parse::<image::Resize>()) {
        assert_eq!(resize.to_string(), text);
    }
    if let Some(precision) = seen(text.parse::<Precision>()) {
        assert_eq!(precision.name(), text);
    }
    if let Some(name) = Name::parse(text) {
        assert_eq!(Name::parse(&name.to_string()).as_ref(), Some(&name));
        // A name becomes folders of the cache and parts of an address.
        let parts = name.repository().split('/').chain(name.revision().split('/'));
        assert!(parts.clone().all(|part| !part.is_empty() && part != ".." && part != "."));
        assert!(name.to_string().chars().all(|c| c.is_ascii_graphic() && c != '\\' && c != '%'));
    }
}
