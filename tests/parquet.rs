//! Features of many photographs: rows, failures, and runs that are stopped.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "common/cli.rs"]
mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use internvit::weights::{StoredType, init_checkpoint};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use run::*;
use serde_json::{Value, json};

/// A folder with a model of 4 × 4 patches and 32 channels, and `count` small photographs.
fn scene(name: &str, count: u32) -> (PathBuf, PathBuf, PathBuf) {
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

fn photo(path: &Path, seed: u32) {
    let (width, height) = (20 + seed % 7, 16 + seed % 5);
    let value = |i: u32| ((i + 131 * seed).wrapping_mul(0x9e37_79b9) >> 24) as u8;
    let rgb: Vec<u8> = (0..3 * width * height).map(value).collect();
    image::save_buffer(path, &rgb, width, height, image::ExtendedColorType::Rgb8).unwrap();
}

fn arguments<'a>(photos: &'a Path, model: &'a Path, out: &'a Path) -> Vec<&'a str> {
    vec!["encode", text(photos), "--model", text(model), "--device", "cpu", "--out", text(out)]
}

/// Runs `encode`: its report.
fn encode(photos: &Path, model: &Path, out: &Path, more: &[&str]) -> Value {
    let args = [&arguments(photos, model, out)[..], &["--json"], more].concat();
    serde_json::from_str(&ok(&args)).unwrap()
}

/// Numbers of photographs that were encoded, skipped, failed.
fn counts(report: &Value) -> [u64; 3] {
    ["encoded", "skipped", "failed"].map(|key| report[key].as_u64().unwrap())
}

/// What a file says of itself.
fn about(path: &Path) -> Value {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let text = pairs.iter().find(|pair| pair.key == "internvit").unwrap();
    serde_json::from_str(text.value.as_deref().unwrap()).unwrap()
}

/// The rows, columns by name.
fn rows(path: &Path) -> Vec<BTreeMap<String, Field>> {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().into_columns());
    rows.map(BTreeMap::from_iter).collect()
}

fn list(field: &Field) -> Vec<f32> {
    let Field::ListInternal(list) = field else { panic!("expected a list: {field:?}") };
    let value = |element: &Field| match element {
        Field::Float(value) => *value,
        Field::Float16(value) => value.to_f32(),
        other => panic!("expected a number: {other:?}"),
    };
    list.elements().iter().map(value).collect()
}

fn string(field: &Field) -> &str {
    let Field::Str(text) = field else { panic!("expected text: {field:?}") };
    text
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn rows_are_what_encode_says() {
    let (folder, model, photos) = scene("parquet-rows", 9);
    let (table, tensor) = (folder.join("f.parquet"), folder.join("f.safetensors"));
    let report = encode(&photos, &model, &table, &["--patch-tokens"]);
    assert_eq!(counts(&report), [9, 0, 0]);
    ok(&arguments(&photos, &model, &tensor));
    let last = tensors(&tensor).remove("last_hidden_state").unwrap();
    assert_eq!(last.shape, [9, 17, 32]);
    let rows = rows(&table);
    let paths: Vec<&str> = rows.iter().map(|row| string(&row["path"])).collect();
    let expected = [0, 2, 3, 5, 6, 8].map(|i| format!("{i:03}.png")).into_iter();
    let expected = expected.chain([1, 4, 7].map(|i| format!("more/{i:03}.png")));
    let expected: Vec<String> = expected.map(|name| format!("{}/{name}", text(&photos))).collect();
    assert_eq!(paths, expected);
    for (row, tokens) in rows.iter().zip(last.values.chunks_exact(17 * 32)) {
        let (cls, patches) = tokens.split_at(32);
        assert_eq!(bits(&list(&row["cls_embedding"])), bits(cls));
        let mean =
            |i: usize| patches.iter().skip(i).step_by(32).map(|v| f64::from(*v)).sum::<f64>();
        let mean: Vec<f32> = (0..32).map(|i| (mean(i) / 16.0) as f32).collect();
        assert_eq!(bits(&list(&row["pooled_embedding"])), bits(&mean));
        let halves: Vec<f32> = patches.iter().map(|v| half::f16::from_f32(*v).to_f32()).collect();
        assert_eq!(bits(&list(&row["patch_tokens"])), bits(&halves));
        assert_eq!((&row["grid_h"], &row["grid_w"]), (&Field::Int(4), &Field::Int(4)));
        assert_eq!(row["error"], Field::Null);
    }
    // 007.png: 20 + 7 % 7 by 16 + 7 % 5.
    assert_eq!((&rows[8]["width"], &rows[8]["height"]), (&Field::Int(20), &Field::Int(18)));
}

#[test]
fn a_tile_is_a_row() {
    let (folder, model, _) = scene("parquet-tiles", 0);
    let (table, tensor) = (folder.join("f.parquet"), folder.join("f.safetensors"));
    let cat = sample("chelsea.png");
    let report = encode(&cat, &model, &table, &["--tiles", "4"]);
    assert_eq!(counts(&report), [1, 0, 0]);
    ok(&[&arguments(&cat, &model, &tensor)[..], &["--tiles", "4"]].concat());
    let cls = tensors(&tensor).remove("pooler_output").unwrap();
    let rows = rows(&table);
    // 451 × 300 is nearest to 2 × 1 tiles; then the thumbnail.
    assert_eq!((rows.len(), &cls.shape[..]), (3, &[3, 32][..]));
    for (i, row) in rows.iter().enumerate() {
        let tile = ["tile", "tile_rows", "tile_cols"].map(|name| row[name].clone());
        assert_eq!(tile, [i as i32, 1, 2].map(Field::Int));
        assert_eq!(bits(&list(&row["cls_embedding"])), bits(&cls.values[32 * i..][..32]));
    }
}

/// Every kind of bad file is a row that says why, and the others are encoded.
#[test]
fn bad_photographs_are_recorded() {
    let (folder, model, photos) = scene("parquet-bad", 4);
    let whole = fs::read(sample("rocket.jpg")).unwrap();
    fs::write(photos.join("cut.jpg"), &whole[..whole.len() / 2]).unwrap();
    fs::write(photos.join("empty.png"), b"").unwrap();
    fs::write(photos.join("text.jpg"), b"no picture").unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images/bomb.png"), {
        photos.join("bomb.png")
    })
    .unwrap();
    fs::write(photos.join(".hidden.png"), b"").unwrap();
    fs::write(photos.join("notes.txt"), b"").unwrap();
    let out = folder.join("f.parquet");
    assert_eq!(counts(&encode(&photos, &model, &out, &[])), [4, 0, 4]);
    let found = rows(&out);
    let failed: Vec<_> = found.iter().filter(|row| row["error"] != Field::Null).collect();
    let expected = [
        ("bomb.png", "60000 × 60000 is too large"),
        ("cut.jpg", "cut off"),
        ("empty.png", "the file is empty"),
        ("text.jpg", "not a picture"),
    ];
    assert_eq!((found.len(), failed.len()), (8, expected.len()));
    for (row, (name, reason)) in failed.iter().zip(expected) {
        assert!(string(&row["path"]).ends_with(name), "{name}: {row:?}");
        assert!(string(&row["error"]).contains(reason), "{name}: {row:?}");
        let rest = row.iter().filter(|(column, _)| !["path", "error"].contains(&column.as_str()));
        assert!(rest.clone().count() == 6 && rest.into_iter().all(|(_, v)| *v == Field::Null));
    }
    // They are tried again only when asked.
    photo(&photos.join("empty.png"), 5);
    let before = fs::read(&out).unwrap();
    assert_eq!(counts(&encode(&photos, &model, &out, &[])), [0, 8, 0]);
    assert_eq!(fs::read(&out).unwrap(), before);
    assert_eq!(counts(&encode(&photos, &model, &out, &["--retry-errors"])), [1, 4, 3]);
    assert_eq!(rows(&out).iter().filter(|row| row["error"] == Field::Null).count(), 5);
    assert_eq!(rows(&out).len(), 8);
    // In a file of tensors there is no place for them.
    let tensor = folder.join("f.safetensors");
    fails(&arguments(&photos, &model, &tensor), "bomb.png: 60000 × 60000 is too large");
    assert!(!tensor.exists());
    // Nothing but failures ends with an error; the table is there all the same.
    let (text_only, out) = (photos.join("text.jpg"), folder.join("g.parquet"));
    fails(&arguments(&text_only, &model, &out), "no photograph could be encoded");
    assert_eq!(rows(&out).len(), 1);
}

/// A photograph whose values overflow is one of them, and those beside it in a batch are encoded.
#[test]
fn photographs_that_overflow_are_recorded() {
    let (folder, model, _) = scene("parquet-overflow", 0);
    rewrite(&model.join("model.safetensors"), &|name, values| {
        if name == "embeddings.patch_embedding.weight" {
            values.iter_mut().for_each(|v| *v *= 1e20);
            values.iter_mut().for_each(|v| *v *= 1e19);
        }
    });
    // White passes what f32 holds, the mean colour is nearly 0.
    let (grey, white) = ([124, 116, 104], [255; 3]);
    let paint = |path: PathBuf, colour: [u8; 3]| {
        image::save_buffer(path, &colour.repeat(64), 8, 8, image::ExtendedColorType::Rgb8).unwrap();
    };
    let (mixed, alone) = (folder.join("mixed"), folder.join("alone"));
    fs::create_dir_all(&mixed).unwrap();
    fs::create_dir_all(&alone).unwrap();
    for (i, colour) in [white, grey, grey, white, grey].into_iter().enumerate() {
        paint(mixed.join(format!("{i}.png")), colour);
        if colour == grey {
            paint(alone.join(format!("{i}.png")), colour);
        }
    }
    let plain = folder.join("alone.parquet");
    assert_eq!(counts(&encode(&alone, &model, &plain, &[])), [3, 0, 0]);
    for batch in ["1", "2", "5"] {
        let out = folder.join(format!("{batch}.parquet"));
        assert_eq!(counts(&encode(&mixed, &model, &out, &["--batch", batch])), [3, 0, 2]);
        let found = rows(&out);
        assert_eq!(found.len(), 5);
        for (row, expected) in found.iter().zip(rows(&plain)) {
            let [name, other] = [row, &expected].map(|row| Path::new(string(&row["path"])));
            assert_eq!(name.file_name(), other.file_name());
            for column in ["cls_embedding", "pooled_embedding"] {
                assert_eq!(bits(&list(&row[column])), bits(&list(&expected[column])));
            }
        }
        for (row, file) in found[3..].iter().zip(["0.png", "3.png"]) {
            assert!(string(&row["path"]).ends_with(file), "{row:?}");
            let expected = "last_hidden_state of picture 0 holds NaN or infinity, from the \
                            embedding on (hidden_states.0)";
            assert!(string(&row["error"]).starts_with(expected), "{row:?}");
        }
    }
    // With patch tokens neither fits the file: they are written in f16.
    let out = folder.join("tokens.parquet");
    let args = [&arguments(&mixed, &model, &out)[..], &["--patch-tokens"]].concat();
    fails(&args, "no photograph could be encoded");
    let reason = |row: &BTreeMap<String, Field>| string(&row["error"]).contains("range of f16");
    let reasons: Vec<bool> = rows(&out).iter().map(reason).collect();
    assert_eq!(reasons, [false, true, true, false, true]);
    // A file of tensors is not written, and the message names the photographs.
    let tensor = folder.join("f.safetensors");
    let args = [&arguments(&mixed, &model, &tensor)[..], &["--batch", "1"]].concat();
    fails(&args, "mixed/0.png: last_hidden_state of picture 0 holds NaN or infinity");
    assert!(!tensor.exists());
}

/// The folder of parts as a run makes it.
fn parts_folder(parts: &Path) {
    fs::create_dir(parts).unwrap();
    fs::write(parts.join("internvit"), "parts of a table\n").unwrap();
}

/// Many at once into one file: each adds to it or says that another does.
#[test]
fn many_at_once() {
    let rounds = std::env::var("INTERNVIT_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let (folder, model, photos) = scene("parquet-many", 2);
    let out = folder.join("f.parquet");
    let (mut wrote, mut refused) = (0, 0);
    for round in 0..rounds {
        let children: Vec<_> = (0..6)
            .map(|_| {
                let mut command = Command::new(env!("CARGO_BIN_EXE_internvit"));
                command.args(arguments(&photos, &model, &out));
                command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            let ours = error.lines().find(|line| line.starts_with("internvit: "));
            match output.status.success() {
                true => wrote += 1,
                false => refused += 1,
            }
            assert!(
                ours.is_none_or(|line| line.ends_with("f.parquet: another run is writing it")),
                "round {round}: {error}"
            );
        }
        assert_eq!(rows(&out).len(), 2, "round {round}");
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        let ours = |name: &str| name.starts_with('.') || name.ends_with(".parts");
        assert!(!left.iter().any(|name| ours(&name.to_string_lossy())), "round {round}: {left:?}");
        fs::remove_file(&out).unwrap();
    }
    println!("{rounds} rounds: {wrote} wrote, {refused} were refused");
}

/// What a run did not make is neither taken up nor written through.
#[test]
#[cfg(unix)]
fn parts_of_somebody_else() {
    use std::os::unix::fs::symlink;
    let (folder, model, photos) = scene("parquet-foreign", 2);
    let (out, victim) = (folder.join("q.parquet"), folder.join("victim"));
    let parts = folder.join("q.parquet.parts");
    fs::write(&victim, "precious").unwrap();
    let refused = |expected: &str| {
        fails(&arguments(&photos, &model, &out), expected);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert!(!out.exists());
    };
    // Links in a folder without the mark.
    fs::create_dir(&parts).unwrap();
    for name in ["lock", "part", "whole", "internvit", "1-000000.parquet"] {
        symlink(&victim, parts.join(name)).unwrap();
    }
    refused("q.parquet.parts: expected the parts that a stopped run left");
    fs::remove_dir_all(&parts).unwrap();
    // A link in place of the folder, and of the lock.
    let elsewhere = folder.join("elsewhere");
    parts_folder(&elsewhere);
    symlink(&elsewhere, &parts).unwrap();
    refused("q.parquet.parts: expected the parts that a stopped run left");
    fs::remove_file(&parts).unwrap();
    symlink(&victim, folder.join(".q.parquet.lock")).unwrap();
    refused(".q.parquet.lock: a link, which is not followed here");
    fs::remove_file(folder.join(".q.parquet.lock")).unwrap();
    // Links beside a mark are no parts, and replaced where a part is written.
    parts_folder(&parts);
    for name in ["lock", "part", "whole", "1-000000.parquet"] {
        symlink(&victim, parts.join(name)).unwrap();
    }
    assert_eq!(counts(&encode(&photos, &model, &out, &[])), [2, 0, 0]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert!(fs::symlink_metadata(&out).unwrap().is_file());
}

/// A run that is killed at any moment and started again ends with the same bytes.
#[test]
fn killed_runs_go_on() {
    let (folder, model, photos) = scene("parquet-killed", 60);
    fs::write(photos.join("017.png"), b"broken").unwrap();
    fs::write(photos.join("more/030.jpg"), b"").unwrap();
    let (whole, out) = (folder.join("whole.parquet"), folder.join("f.parquet"));
    encode(&photos, &model, &whole, &["--patch-tokens"]);
    let whole = fs::read(whole).unwrap();
    let parts = folder.join("f.parquet.parts");
    let left = || fs::read_dir(&parts).map_or(0, Iterator::count);
    let (mut stopped, mut kept) = (0, 0);
    for milliseconds in [0, 3, 9, 1, 27] {
        let before = left();
        let mut child = Command::new(env!("CARGO_BIN_EXE_internvit"))
            .args([&arguments(&photos, &model, &out)[..], &["--patch-tokens"]].concat())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // So many milliseconds after another part is there, or the folder's mark alone.
        while child.try_wait().unwrap().is_none() && left() <= before {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(milliseconds));
        stopped += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        kept += usize::from(left() > 1);
    }
    assert!(stopped > 0 && kept > 0, "stopped {stopped} times, parts were left {kept} times");
    ok(&[&arguments(&photos, &model, &out)[..], &["--patch-tokens"]].concat());
    assert!(fs::read(&out).unwrap() == whole, "other bytes after {stopped} stops");
    assert!(!parts.exists());
    assert_eq!(rows(&out).len(), 61);

    // Stopped after the parts were joined and before they were removed.
    parts_folder(&parts);
    fs::copy(&out, parts.join("1-000000.parquet")).unwrap();
    let report = encode(&photos, &model, &out, &["--patch-tokens"]);
    assert_eq!(counts(&report), [0, 61, 0]);
    assert!(fs::read(&out).unwrap() == whole && !parts.exists());
}

#[test]
fn new_photographs_join_the_old() {
    let (folder, model, photos) = scene("parquet-more", 5);
    let out = folder.join("f.parquet");
    assert_eq!(counts(&encode(&photos, &model, &out, &[])), [5, 0, 0]);
    // A photograph that is named twice has one row.
    let twice = photos.join("000.png");
    assert_eq!(counts(&encode(&photos, &model, &out, &[text(&twice)])), [0, 5, 0]);
    let before = rows(&out);
    photo(&photos.join("0000.png"), 9);
    fs::remove_file(photos.join("002.png")).unwrap();
    assert_eq!(counts(&encode(&photos, &model, &out, &[])), [1, 4, 0]);
    let after = rows(&out);
    assert_eq!((&after[..5], after.len()), (&before[..], 6));
    assert!(string(&after[5]["path"]).ends_with("0000.png"));
}

#[test]
fn one_file_holds_one_kind_of_features() {
    let (folder, model, photos) = scene("parquet-settings", 2);
    let out = folder.join("f.parquet");
    encode(&photos, &model, &out, &[]);
    let before = fs::read(&out).unwrap();
    let other = folder.join("other");
    let config = config(32, 2, 64, 2, "");
    init_checkpoint("c", &config, 2, StoredType::F32, &other, &|_, _| ()).unwrap();
    let now = |model: &Path, more: &[&str], expected: &str| {
        fails(&[&arguments(&photos, model, &out)[..], more].concat(), expected);
    };
    now(&model, &["--resize", "crop"], "written with resize squash, now crop");
    now(&model, &["--image-size", "28"], "written with image_size 56, now 28");
    now(&model, &["--patch-tokens"], "written with patch_tokens false, now true");
    now(&model, &["--tiles", "2"], "written with tiles 1, now 2");
    now(&other, &[], "written with model_digest ");
    now(&model, &["--hidden-states", "1"], "--hidden-states: not together with");
    assert_eq!(fs::read(&out).unwrap(), before);
    // Parts that a stopped run left are held to the same.
    let parts = folder.join("g.parquet.parts");
    parts_folder(&parts);
    fs::copy(&out, parts.join("1-000000.parquet")).unwrap();
    let waiting = folder.join("g.parquet");
    let args = [&arguments(&photos, &model, &waiting)[..], &["--resize", "crop"]].concat();
    fails(&args, "written with resize squash, now crop");
    assert_eq!(counts(&encode(&photos, &model, &waiting, &[])), [0, 2, 0]);
    assert_eq!(fs::read(&waiting).unwrap(), before);
    // Files of others are left alone.
    let foreign = folder.join("foreign.parquet");
    fs::write(&foreign, b"something else").unwrap();
    fails(&arguments(&photos, &model, &foreign), "foreign.parquet: expected a Parquet file");
    assert_eq!(fs::read(&foreign).unwrap(), b"something else");
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".parts")), "{left:?}");
    // What is not there, and what only Parquet knows.
    fails(&arguments(&folder.join("none"), &model, &out), "none: No such file");
    fails(&arguments(&folder.join("model"), &model, &out), "no photographs in this folder");
    let tensor = folder.join("f.npz");
    let args = [&arguments(&photos, &model, &tensor)[..], &["--retry-errors"]].concat();
    fails(&args, "are for --out FILE.parquet");
}

/// Where a photograph overflows f16, it and all after it are computed in f32, those of a run that goes on too.
#[test]
fn a_table_that_left_f16_goes_on_in_f32() {
    if half_gpu().is_none() {
        return;
    }
    let (folder, model, _) = scene("parquet-half", 0);
    // Grey leaves the biases of the embedding, white a first channel above all others.
    rewrite(&model.join("model.safetensors"), &|name, values| match name {
        "embeddings.patch_embedding.weight" => values[..588].iter_mut().for_each(|v| *v *= 50.0),
        "embeddings.patch_embedding.bias" => (0..32).for_each(|i| values[i] = [1.0, -1.0][i % 2]),
        "encoder.layers.0.norm1.weight" => values[0] = 2e4,
        "encoder.layers.0.attn.qkv.weight" => {
            values.iter_mut().step_by(32).for_each(|v| *v *= 1e-4);
        }
        _ => (),
    });
    // The first part ends with the eighth.
    let photos: Vec<PathBuf> = (0..10).map(|i| folder.join(format!("photos/{i}.png"))).collect();
    for (i, path) in photos.iter().enumerate() {
        let grey = [124, 116, 100 + i as u8];
        let colour = if i == 2 { [255; 3] } else { grey };
        let pixels = colour.repeat(64);
        image::save_buffer(path, &pixels, 8, 8, image::ExtendedColorType::Rgb8).unwrap();
    }
    let encode = |photos: &[PathBuf], dtype: &str, out: &Path| {
        let paths = photos.iter().map(|path| text(path));
        let rest =
            ["--model", text(&model), "--device", "gpu", "--dtype", dtype, "--out", text(out)];
        let args: Vec<&str> =
            ["encode", "--patch-tokens"].into_iter().chain(paths).chain(rest).collect();
        ok(&args);
    };
    let [out, whole, stopped] =
        ["f16", "f32", "g"].map(|name| folder.join(format!("{name}.parquet")));
    encode(&photos, "f16", &out);
    encode(&photos, "f32", &whole);
    assert_eq!((&about(&out)["dtype"], &about(&out)["overflowed"]), (&json!("f16"), &json!(true)));
    assert_eq!(about(&whole)["overflowed"], json!(false));
    let same = |(a, b): (&BTreeMap<_, _>, &BTreeMap<_, _>)| a == b;
    let same: Vec<bool> = rows(&out).iter().zip(&rows(&whole)).map(same).collect();
    assert_eq!(same, [&[false; 2][..], &[true; 8]].concat());
    // What a run leaves that is stopped after its first part.
    let (part, parts) = (folder.join("part.parquet"), folder.join("g.parquet.parts"));
    encode(&photos[..8], "f16", &part);
    parts_folder(&parts);
    fs::rename(&part, parts.join("1-000000.parquet")).unwrap();
    encode(&photos, "f16", &stopped);
    assert!(fs::read(&stopped).unwrap() == fs::read(&out).unwrap());
    // Rows that are added to a whole file.
    encode(&photos[..8], "f16", &part);
    encode(&photos, "f16", &part);
    assert_eq!(rows(&part), rows(&out));
}

/// The metadata that a later run compares, as the documents list it.
#[test]
fn a_file_says_how_it_was_made() {
    let (folder, model, photos) = scene("parquet-about", 1);
    let out = folder.join("f.parquet");
    encode(&photos, &model, &out, &[]);
    let mut about = about(&out);
    let digest = about.as_object_mut().unwrap().remove("model_digest").unwrap();
    assert_eq!(digest.as_str().unwrap().len(), 16);
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"), "model": "model", "dtype": "f32", "image_size": 56,
        "resize": "squash", "tiles": 1, "patch_tokens": false, "background": null,
        "additions": 1, "failed": 0, "overflowed": false,
    });
    assert_eq!(about, expected);
}

/// However its path is written, a photograph is one row: in one run, in two, and in a table whose paths
/// were written as they were given.
#[test]
fn one_photograph_is_one_row() {
    let (folder, model, photos) = scene("parquet-paths", 2);
    let run = |out: &str, images: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_internvit"));
        command.current_dir(&photos).arg("encode").args(images);
        command.args(["--model", text(&model), "--device", "cpu", "--json", "--out", out]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        counts(&serde_json::from_slice(&output.stdout).unwrap())
    };
    let ways = ["./000.png", "000.png", "more/../000.png", ".//000.png", "more/./001.png"];
    assert_eq!(run("../one.parquet", &ways), [2, 0, 0]);
    let path = |row: &BTreeMap<String, Field>| string(&row["path"]).to_string();
    let paths: Vec<String> = rows(&folder.join("one.parquet")).iter().map(path).collect();
    assert_eq!(paths, ["000.png", "more/001.png"]);
    for way in ways {
        assert_eq!(run("../one.parquet", &[way]), [0, 1, 0], "{way}");
    }
    let whole = photos.join("more/../000.png");
    assert_eq!(run("../one.parquet", &[text(&whole), "."]), [0, 2, 0]);
    // A photograph that fails is known in the same way.
    fs::write(photos.join("broken.png"), "none").unwrap();
    assert_eq!(run("../one.parquet", &["./broken.png", "000.png"]), [0, 1, 1]);
    assert_eq!(run("../one.parquet", &["more/../broken.png"]), [0, 1, 0]);
    #[cfg(unix)]
    {
        // A link is a photograph of its own, and what follows it is not taken for its folder.
        let other = folder.join("other/inner");
        fs::create_dir_all(&other).unwrap();
        photo(&folder.join("other/000.png"), 9);
        std::os::unix::fs::symlink(&other, photos.join("link")).unwrap();
        assert_eq!(run("../one.parquet", &["link/../000.png"]), [1, 0, 0]);
    }
}

/// A table that makes its reader panic is one error, and stays as it is.
#[test]
fn a_damaged_table_is_kept() {
    let (folder, model, photos) = scene("parquet-damaged", 1);
    let out = folder.join("t.parquet");
    encode(&photos, &model, &out, &[]);
    let good = fs::read(&out).unwrap();
    for trial in 0..12 {
        let mut bad = good.clone();
        let at = good.len() - 10 - 37 * trial;
        bad[at] ^= 0xff;
        bad[at - 3] = 0x15;
        fs::write(&out, &bad).unwrap();
        let output = internvit(&arguments(&photos, &model, &out));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!error.contains("panicked"), "{error}");
        if !output.status.success() {
            assert!(error.contains("t.parquet: "), "{error}");
            assert_eq!(fs::read(&out).unwrap(), bad);
        }
    }
}
