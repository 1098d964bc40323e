//! Features of many photographs: rows, failures, and runs that are stopped.
#![allow(clippy::unwrap_used, reason = "tests")]

mod failures;
mod lists;
mod rows;
mod runs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{config, scratch};
use crate::run::{ok, text};
use internvit::weights::{StoredType, init_checkpoint};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

/// A folder with a model of 4 × 4 patches and 32 channels, and `count` small photographs.
pub(crate) fn scene(name: &str, count: u32) -> (PathBuf, PathBuf, PathBuf) {
    let folder = scratch(name);
    let (model, photos) = (folder.join("model"), folder.join("photos"));
    let config = config(32, 2, 64, 2, "");
    init_checkpoint("c", &config, 1, StoredType::F32, &model, &|_, _| ()).unwrap();
    fs::create_dir_all(photos.join("more")).unwrap();
    for i in 0..count {
        let inner = if i % 3 == 1 { "more/" } else { "" };
        photo(&photos.join(format!("{inner}{i:03}.png")), i);
    }
    (folder, model, photos)
}

pub(crate) fn photo(path: &Path, seed: u32) {
    let (width, height) = (20 + seed % 7, 16 + seed % 5);
    let value = |i: u32| ((i + 131 * seed).wrapping_mul(0x9e37_79b9) >> 24) as u8;
    let rgb: Vec<u8> = (0..3 * width * height).map(value).collect();
    image::save_buffer(path, &rgb, width, height, image::ExtendedColorType::Rgb8).unwrap();
}

pub(crate) fn arguments<'a>(photos: &'a Path, model: &'a Path, out: &'a Path) -> Vec<&'a str> {
    vec!["encode", text(photos), "--model", text(model), "--device", "cpu", "--out", text(out)]
}

/// Runs `encode`: its report.
pub(crate) fn encode(photos: &Path, model: &Path, out: &Path, more: &[&str]) -> Value {
    let args = [&arguments(photos, model, out)[..], &["--json"], more].concat();
    serde_json::from_str(&ok(&args)).unwrap()
}

/// Numbers of photographs that were encoded, skipped, failed.
pub(crate) fn counts(report: &Value) -> [u64; 3] {
    ["encoded", "skipped", "failed"].map(|key| report[key].as_u64().unwrap())
}

/// What a file says of itself.
pub(crate) fn about(path: &Path) -> Value {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let text = pairs.iter().find(|pair| pair.key == "internvit").unwrap();
    serde_json::from_str(text.value.as_deref().unwrap()).unwrap()
}

/// The rows, columns by name.
pub(crate) fn rows(path: &Path) -> Vec<BTreeMap<String, Field>> {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().into_columns());
    rows.map(BTreeMap::from_iter).collect()
}

pub(crate) fn list(field: &Field) -> Vec<f32> {
    let Field::ListInternal(list) = field else { panic!("expected a list: {field:?}") };
    let value = |element: &Field| match element {
        Field::Float(value) => *value,
        Field::Float16(value) => value.to_f32(),
        other => panic!("expected a number: {other:?}"),
    };
    list.elements().iter().map(value).collect()
}

pub(crate) fn string(field: &Field) -> &str {
    let Field::Str(text) = field else { panic!("expected text: {field:?}") };
    text
}

pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// The folder of parts as a run makes it.
pub(crate) fn parts_folder(parts: &Path) {
    fs::create_dir(parts).unwrap();
    fs::write(parts.join("internvit"), "parts of a table\n").unwrap();
}
