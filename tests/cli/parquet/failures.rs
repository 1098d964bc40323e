//! Photographs and tables that are wrong.

use serde_json::json;

use super::*;
use crate::common::*;
use crate::run::*;

/// Every kind of bad file is a row that says why, and the others are encoded.
#[test]
fn bad_photographs_are_recorded() {
    let (folder, model, photos) = scene("parquet-bad", 4);
    let whole = fs::read(sample("rocket.jpg")).unwrap();
    fs::write(photos.join("cut.jpg"), &whole[..whole.len() / 2]).unwrap();
    fs::write(photos.join("empty.png"), b"").unwrap();
    fs::write(photos.join("text.jpg"), b"no picture").unwrap();
    let bomb = crate::common::root().join("tests/images/bomb.png");
    fs::copy(bomb, photos.join("bomb.png")).unwrap();
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
