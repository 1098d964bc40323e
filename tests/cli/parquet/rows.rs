//! What the rows of a table are.

use serde_json::json;

use super::*;
use crate::common::*;
use crate::run::*;

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

/// However its path is written, a photograph is one row: in one run, in two, and in a table whose paths
/// were written as they were given.
#[test]
fn one_photograph_is_one_row() {
    let (folder, model, photos) = scene("parquet-paths", 2);
    let run = |out: &str, images: &[&str]| {
        let mut command = crate::run::program();
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
        "additions": 1, "failed": 0, "overflowed": false, "image_embeds": false, "logits": false,
        "hidden_states": [], "widths": {"cls_embedding": 32, "pooled_embedding": 32},
    });
    assert_eq!(about, expected);
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
    now(&model, &["--hidden-states", "1"], "written with hidden_states [], now [1]");
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
