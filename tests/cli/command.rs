//! The command line on real photographs.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use crate::common::*;
use crate::run::*;
use internvit::Checkpoint;
use serde_json::Value;

const PHOTOS: [&str; 5] =
    ["astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg"];

#[test]
fn all_five_photographs_are_encoded() {
    if gpu().is_none() {
        return;
    }
    let folder = scratch("cli-five");
    let out = folder.join("features.safetensors");
    let photos: Vec<_> = PHOTOS.iter().map(|p| sample(p)).collect();
    let mut args = vec!["encode"];
    args.extend(photos.iter().map(|p| text(p)));
    args.extend(["--hidden-states", "0,6", "--json", "--out", text(&out)]);
    let report: Value = serde_json::from_str(&ok(&args)).unwrap();
    assert_eq!(report["last_hidden_state"], serde_json::json!([5, 257, 192]));
    assert_eq!(report["grid"], serde_json::json!([16, 16]));
    let features = tensors(&out);
    let mut names: Vec<_> = features.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["hidden_states.0", "hidden_states.6", "last_hidden_state", "pooler_output"]);
    assert!(features.values().all(|t| t.values.iter().all(|v| v.is_finite())));
    assert_eq!(features["pooler_output"].shape, [5, 192]);
    assert_eq!(
        features["pooler_output"].values[192..384],
        features["last_hidden_state"].values[257 * 192..258 * 192]
    );
}

/// Several at once give what one by one gives, in the same order.
#[test]
fn photographs_in_batches() {
    let folder = scratch("cli-batches");
    let photos: Vec<_> = PHOTOS.iter().map(|p| sample(p)).collect();
    // Photographs of several shapes do not make one tensor; the error names the first other one.
    let out = folder.join("mixed.npy");
    let mixed = ["encode", text(&photos[0]), text(&photos[1]), text(&photos[2])];
    let native = ["--resize", "native", "--image-size", "56", "--batch", "4"];
    let rest = ["--device", "cpu", "--out", text(&out)];
    fails(&[&mixed[..], &native, &rest].concat(), "chelsea.png: ");
    let mut args = vec!["encode", "--image-size", "56", "--tokens", "cls", "--json"];
    args.extend(photos.iter().map(|p| text(p)));
    let pooled = |device: &str, batch: &str| {
        let out = folder.join(format!("{device}-{batch}.safetensors"));
        let mut args = args.clone();
        args.extend(["--device", device, "--batch", batch, "--out", text(&out)]);
        let report: Value = serde_json::from_str(&ok(&args)).unwrap();
        assert_eq!(report["last_hidden_state"], serde_json::json!([5, 17, 192]));
        tensors(&out).remove("pooler_output").unwrap()
    };
    let expected = pooled("cpu", "1");
    assert_eq!(pooled("cpu", "2"), expected);
    if gpu().is_some() {
        assert_close("batches of 3", &pooled("gpu", "3").values, &expected.values, 1e-5);
    }
}

/// Compiled pipelines are kept where the system keeps caches; a damaged file is no obstacle.
#[test]
#[cfg(target_os = "linux")]
fn pipelines_are_kept_on_disk() {
    if gpu().is_none() {
        return;
    }
    let folder = scratch("cli-pipelines");
    let out = folder.join("f.npy");
    let run = || {
        let mut command = crate::run::program();
        command.args(["encode", text(&sample("chelsea.png")), "--image-size", "28"]);
        command.args(["--device", "gpu", "--out", text(&out)]).env("XDG_CACHE_HOME", &folder);
        assert!(command.status().unwrap().success());
        let mut files = std::fs::read_dir(folder.join("internvit")).unwrap();
        let file = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none(), "nothing half-written is left");
        file
    };
    let file = run();
    let kept = std::fs::read(&file).unwrap();
    std::fs::write(&file, &kept[..kept.len() / 2]).unwrap();
    assert_eq!(run(), file);
    assert_eq!(std::fs::read(&file).unwrap().len(), kept.len());
}

#[test]
fn every_format_and_choice_of_tokens() {
    let folder = scratch("cli-formats");
    let cat = sample("chelsea.png");
    let file = |name: &str| folder.join(name);
    let common = ["encode", text(&cat), "--image-size", "56", "--device", "cpu", "--out"];
    let run = |out: &Path, more: &[&str]| {
        let mut args = common.to_vec();
        args.push(text(out));
        args.extend(more);
        ok(&args);
    };
    run(&file("all.safetensors"), &[]);
    run(&file("patches.safetensors"), &["--tokens", "patches"]);
    run(&file("cls.safetensors"), &["--tokens", "cls"]);
    run(&file("all.npy"), &[]);
    run(&file("all.npz"), &["--hidden-states", "12"]);
    let all = tensors(&file("all.safetensors")).remove("last_hidden_state").unwrap();
    assert_eq!(all.shape, [1, 17, 192]);
    let patches = tensors(&file("patches.safetensors")).remove("last_hidden_state").unwrap();
    assert_eq!((patches.shape, &patches.values[..]), (vec![1, 16, 192], &all.values[192..]));
    let cls = tensors(&file("cls.safetensors")).remove("last_hidden_state").unwrap();
    assert_eq!((cls.shape, &cls.values[..]), (vec![1, 1, 192], &all.values[..192]));

    let npy = std::fs::read(file("all.npy")).unwrap();
    let npy = npyz::NpyFile::new(&npy[..]).unwrap();
    assert_eq!(npy.shape(), [1, 17, 192]);
    assert_eq!(npy.into_vec::<f32>().unwrap(), all.values);
    let (names, (_, last)) = npz(&file("all.npz"), "hidden_states.12");
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(last, all.values);
}

#[test]
fn a_picture_has_the_photographs_size() {
    let folder = scratch("cli-picture");
    let (cat, out) = (sample("chelsea.png"), folder.join("pca.png"));
    for more in [&["--resize", "crop"][..], &["--resize", "native"], &["--tiles", "6"]] {
        let mut args = vec!["encode", text(&cat), "--image-size", "56", "--device", "cpu"];
        args.extend(["--picture", text(&out)]);
        args.extend(more);
        ok(&args);
        let picture = internvit::image::decode("pca.png", &std::fs::read(&out).unwrap()).unwrap();
        assert_eq!((picture.width, picture.height), (451, 300), "{more:?}");
        let first = &picture.rgb[..3];
        assert!(picture.rgb.chunks_exact(3).any(|p| p != first), "{more:?}: one colour");
    }
}

#[test]
fn preprocess_then_encode_is_encode() {
    if gpu().is_none() {
        return;
    }
    let folder = scratch("cli-preprocess");
    let photo = sample("rocket.jpg");
    let (pixels, a, b) = (
        folder.join("pixels.safetensors"),
        folder.join("a.safetensors"),
        folder.join("b.safetensors"),
    );
    let report = ok(&[
        "preprocess",
        text(&photo),
        "--size",
        "224",
        "--tiles",
        "4",
        "--json",
        "--out",
        text(&pixels),
    ]);
    let report: Value = serde_json::from_str(&report).unwrap();
    let (cols, rows) =
        (report["grid"]["cols"].as_u64().unwrap(), report["grid"]["rows"].as_u64().unwrap());
    assert_eq!(report["pixel_values"], serde_json::json!([cols * rows + 1, 3, 224, 224]));
    ok(&["encode", text(&photo), "--tiles", "4", "--out", text(&a)]);
    ok(&["encode", "--pixel-values", text(&pixels), "--out", text(&b)]);
    let (a, b) = (tensors(&a), tensors(&b));
    let name = "last_hidden_state";
    assert_close(name, &a[name].values, &b[name].values, 1e-5);
    assert_eq!(a["image_index"].shape, [(cols * rows + 1) as usize]);
}

#[test]
fn info_init_bisect_and_devices() {
    let folder = scratch("cli-init");
    let config = folder.join("given.json");
    std::fs::write(&config, crate::common::config(32, 2, 64, 2, "")).unwrap();
    let model = folder.join("model");
    ok(&[
        "init",
        "--config",
        text(&config),
        "--seed",
        "3",
        "--out",
        text(&model),
        "--dtype",
        "bf16",
    ]);
    let info: Value =
        serde_json::from_str(&ok(&["info", "--model", text(&model), "--json"])).unwrap();
    assert_eq!(info["spec"]["sizes"]["hidden"], 32);
    assert_eq!(info["tokens"], 17);
    assert_eq!(info["random_weights"], true);
    assert_eq!(info["bytes"].as_u64(), info["parameters"].as_u64().map(|p| 2 * p));
    assert!(ok(&["info"]).contains("12 layers, 192 channels"));
    let devices: Value = serde_json::from_str(&ok(&["devices", "--json"])).unwrap();
    if gpu().is_none() {
        return;
    }
    assert!(!devices[0]["name"].as_str().unwrap().is_empty());
    let cat = sample("chelsea.png");
    let said = ok(&["bisect", text(&cat), "--model", text(&model)]);
    assert!(said.contains("steps agree"), "{said}");
    // Nothing agrees to 0: the first slot beyond the tolerance is named.
    fails(
        &["bisect", text(&cat), "--model", text(&model), "--tolerance", "0"],
        "GPU and CPU differ by",
    );
}

#[test]
fn f16_is_near_f32() {
    if gpu().is_none() {
        return;
    }
    let (folder, cat) = (scratch("dtype"), sample("chelsea.png"));
    let encoded = ["f32", "f16", "int8", "w8a8", "int4"].map(|dtype| {
        let out = folder.join(format!("{dtype}.safetensors"));
        let common =
            ["encode", text(&cat), "--image-size", "56", "--device", "gpu", "--dtype", dtype];
        ok(&[&common[..], &["--out", text(&out)]].concat());
        tensors(&out).remove("last_hidden_state").unwrap().values
    });
    for (at, (dtype, tolerance)) in
        [("f16", 3e-3), ("int8", 3e-2), ("w8a8", 3e-2), ("int4", 0.3)].into_iter().enumerate()
    {
        assert_close(dtype, &encoded[at + 1], &encoded[0], tolerance);
        assert_ne!(encoded[0], encoded[at + 1], "{dtype}");
    }
    let common = ["encode", text(&cat), "--device", "cpu", "--dtype", "f16", "--out", "f.npy"];
    fails(&common, "the CPU computes in f32 only");
}

#[test]
fn errors_are_one_clear_line() {
    let folder = scratch("cli-errors");
    let cat = sample("chelsea.png");
    let cat = text(&cat);
    let junk = folder.join("junk.jpg");
    std::fs::write(&junk, b"no picture").unwrap();
    let out = folder.join("f.safetensors");
    let out = text(&out);
    fails(&["encode", "nowhere.jpg", "--out", out], "nowhere.jpg: No such file");
    fails(&["encode", text(&junk), "--out", out], "junk.jpg: not a picture");
    fails(
        &["encode", cat, "--out", "features.txt"],
        "ending in .safetensors, .npz, .npy or .parquet",
    );
    fails(&["encode", cat, "--model", "nowhere", "--out", out], "nowhere: no such file or folder");
    fails(&["encode", cat, "--out", out, "--device", "no such card"], "no adapter called");
    fails(
        &["encode", cat, "--out", out, "--hidden-states", "13"],
        "layer 13: expected 0 to 12, or -13 to -1 counted from the end",
    );
    fails(&["encode", cat, "--out", out, "--image-size", "225"], "expected a multiple of 14");
    fails(&["encode", cat, "--out", out, "--resize", "stretch"], "squash, crop, native");
    fails(&["encode", "--pixel-values", cat, "--out", out], "not a safetensors file");
    fails(
        &["encode", cat, "--out", "/no/such/folder/f.npy", "--device", "cpu", "--image-size", "28"],
        "/no/such/folder/f.npy: the folder /no/such/folder does not exist",
    );
    fails(&["encode", cat, cat, "--picture", out], "--picture takes one image");
    fails(&["encode"], "required");
    fails(&["no-such-command"], "unrecognized subcommand");
    let leftovers: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
    assert_eq!(leftovers.len(), 1, "nothing half-written: {leftovers:?}");
}

#[test]
fn every_subcommand_helps_with_an_example() {
    for name in [
        "encode",
        "classify",
        "search",
        "look",
        "segment",
        "teach",
        "preprocess",
        "info",
        "devices",
        "init",
        "bisect",
        "bench",
        "shader",
    ] {
        let help = ok(&[name, "--help"]);
        assert!(help.contains(&format!("internvit {name}")), "{help}");
        assert!(help.contains("Example"), "{help}");
    }
    assert!(ok(&["--version"]).starts_with("internvit "));
}

/// Tiles in batches of any size are the same tiles, and stitched they are one grid without thumbnail.
#[test]
fn tiles_are_stitched_to_one_grid() {
    let folder = scratch("stitched");
    let photo = sample("coffee.png");
    let [one, all] = ["one.safetensors", "all.safetensors"].map(|name| folder.join(name));
    let tile = ["encode", text(&photo), "--device", "cpu", "--image-size", "56", "--tiles", "6"];
    ok(&[&tile[..], &["--batch", "1", "--stitch", "--hidden-states", "3", "--out", text(&one)]]
        .concat());
    ok(&[&tile[..], &["--batch", "16", "--stream-layers", "--stitch", "--out", text(&all)]]
        .concat());
    let (one, all) = (tensors(&one), tensors(&all));
    let tokens = &one["last_hidden_state"];
    assert_eq!(tokens.shape, [7, 17, 192]);
    assert_close("batches", &all["last_hidden_state"].values, &tokens.values, 1e-6);
    let grid = &one["stitched.last_hidden_state"];
    assert_eq!(grid.shape, [8, 12, 192]);
    assert_eq!(one["stitched.hidden_states.3"].shape, grid.shape);
    for (row, col) in [(0, 0), (3, 4), (4, 3), (7, 11)] {
        let (tile, token) = (row / 4 * 3 + col / 4, 1 + row % 4 * 4 + col % 4);
        let [found, expected] = [
            &grid.values[(row * 12 + col) * 192..][..192],
            &tokens.values[(tile * 17 + token) * 192..][..192],
        ];
        assert_eq!(found, expected, "patch {row}, {col}");
    }
    fails(&["encode", text(&photo), "--stitch", "--out", "f.parquet"], "--stitch takes one image");
}

/// Shards of a random checkpoint are the values of one file.
#[test]
fn a_random_checkpoint_in_shards_is_the_same() {
    let folder = scratch("random-shards");
    let [one, shards] = ["one", "shards"].map(|name| folder.join(name));
    ok(&["init", "--preset", "tiny", "--out", text(&one)]);
    ok(&["init", "--preset", "tiny", "--shard-size", "1MB", "--out", text(&shards)]);
    let open = |path: &Path| wait(Checkpoint::open_path(path)).unwrap();
    let (whole, parts) = (open(&one), open(&shards));
    assert!(parts.file_names().count() > 5);
    for file in parts.file_names() {
        assert!(std::fs::metadata(file).unwrap().len() < 1_100_000, "{file}");
    }
    for name in whole.manifest.tensors.keys() {
        assert!(wait(whole.tensor(name)).unwrap() == wait(parts.tensor(name)).unwrap(), "{name}");
    }
    // One file in the same place is not mixed with the shards before it.
    let again = ["init", "--preset", "tiny", "--seed", "2", "--out", text(&shards)];
    fails(&again, "not empty");
    ok(&[&again[..], &["--overwrite"]].concat());
    assert_eq!(open(&shards).file_names().count(), 1);
}

/// A program without its window knows the command, and says how one with it is built.
#[cfg(not(feature = "window"))]
#[test]
fn open_says_what_it_takes() {
    for args in [&["open"][..], &["open", "a.png", "b.png"], &["open", "photos", "--words"]] {
        fails(
            args,
            "built without its window: build it with `cargo install --path apps/cli --features window`",
        );
    }
    assert!(ok(&["--help"]).contains("open"));
}
