//! `internvit look` on a real photograph.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use crate::common::*;
use crate::run::*;

/// `look` on the CPU with small pictures; the picture of `out` and what was said.
fn look(more: &[&str], out: &Path) -> (internvit::image::Picture, String) {
    let cat = sample("chelsea.png");
    let mut args = vec!["look", text(&cat), "--image-size", "56", "--device", "cpu", "--out"];
    args.push(text(out));
    args.extend(more);
    let said = ok(&args);
    assert!(said.starts_with(&format!("wrote {}", text(out))), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
    (internvit::image::decode("out", &std::fs::read(out).unwrap()).unwrap(), said)
}

/// The values that `look` writes.
fn values(more: &[&str], folder: &Path) -> Vec<f32> {
    let data = folder.join("values.npy");
    look(&[more, &["--data", text(&data)]].concat(), &folder.join("values.png"));
    let bytes = std::fs::read(&data).unwrap();
    npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap()
}

#[test]
fn further_points_count_for_and_against() {
    let folder = scratch("cli-look-pins");
    let alike =
        |more: &[&str]| values(&[&["--view", "similarity", "--centred"], more].concat(), &folder);
    let [one, two, less] = ["220,120", "60,250", "440,20"].map(|at| alike(&["--at", at]));
    let joined = alike(&["--at", "220,120", "--alike", "60,250", "--unlike", "440,20"]);
    for at in 0..one.len() {
        assert_eq!(joined[at], one[at].max(two[at]) - less[at].max(0.0), "patch {at}");
    }
    let cat = sample("chelsea.png");
    let small =
        ["look", text(&cat), "--image-size", "56", "--device", "cpu", "--view", "similarity"];
    fails(&[&small[..], &["--at", "1,1", "--unlike", "9999,1"]].concat(), "--unlike");
    let plain = values(&["--view", "similarity", "--at", "220,120"], &folder);
    assert_ne!(one, plain);
    let [front, back] = [&["--foreground"][..], &["--foreground", "--swap"]]
        .map(|more| values(&[&["--view", "pca"], more].concat(), &folder));
    assert_ne!(front, back);
}

#[test]
fn every_view_is_a_picture_of_the_photographs_size_and_values() {
    let folder = scratch("cli-look");
    let (out, data) = (folder.join("view.png"), folder.join("data.npy"));
    let cat = std::fs::read(sample("chelsea.png")).unwrap();
    let cat = internvit::image::decode("cat", &cat).unwrap();
    let cases: [(&str, &[&str], &[u64]); 11] = [
        ("pca", &[], &[4, 4, 3]),
        ("pca", &["--foreground", "--layer", "0"], &[4, 4, 3]),
        ("pca", &["--resize", "native"], &[4, 6, 3]),
        ("similarity", &["--at", "220,120", "--resize", "crop"], &[4, 4]),
        ("attention", &["--layer", "1"], &[4, 4, 4]),
        ("attention", &["--head", "2", "--at", "450,299", "--opacity", "1"], &[1, 4, 4]),
        ("rollout", &["--layer", "3"], &[4, 4]),
        ("rollout", &["--at", "0,0", "--resize", "native"], &[4, 6]),
        ("clusters", &[], &[4, 4]),
        ("clusters", &["--clusters", "2", "--layer", "5"], &[4, 4]),
        ("norms", &["--layer", "12"], &[4, 4]),
    ];
    for (view, more, shape) in cases {
        let args = [&["--view", view, "--data", text(&data)], more].concat();
        let (picture, said) = look(&args, &out);
        assert_eq!((picture.width, picture.height), (451, 300), "{args:?}");
        assert_ne!(picture.rgb, cat.rgb, "{args:?}");
        let bytes = std::fs::read(&data).unwrap();
        let npy = npyz::NpyFile::new(&bytes[..]).unwrap();
        assert_eq!(npy.shape(), shape, "{args:?}");
        let values = npy.into_vec::<f32>().unwrap();
        assert!(values.iter().all(|v| v.is_finite()), "{args:?}");
        let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        match view {
            "similarity" => assert_eq!(largest, 1.0, "{said}"),
            "clusters" => {
                assert!(said.contains(&format!("{} clusters hold", largest + 1.0)), "{said}")
            }
            "attention" => {
                let sum: f32 = values[values.len() - 16..].iter().sum();
                assert!(said.contains(&format!("{:.1} %", 100.0 * sum)), "{sum}: {said}");
            }
            _ => (),
        }
        std::fs::remove_file(&data).unwrap();
    }
    let (picture, _) = look(&["--view", "norms", "--opacity", "0"], &out);
    assert_eq!(picture.rgb, cat.rgb, "an opacity of 0 is the photograph");
    let [features, named] = [&[][..], &["--view", "pca"]].map(|more| look(more, &out).0);
    assert!(features == named, "the view that is drawn where none is named");
}

#[test]
fn a_saved_basis_gives_the_same_picture() {
    let folder = scratch("cli-basis");
    let file = |name: &str| folder.join(name);
    let (basis, saved) = (file("basis.safetensors"), file("a.safetensors"));
    let again = file("b.safetensors");
    let save = ["--view", "pca", "--save-basis", text(&basis), "--data", text(&saved)];
    let (first, _) = look(&save, &file("a.png"));
    let shapes = tensors(&basis);
    assert_eq!(shapes["mean"].shape, [192]);
    assert_eq!([&shapes["directions"].shape, &shapes["ranges"].shape], [&[3, 192], &[3, 2]]);
    let load = ["--view", "pca", "--basis", text(&basis), "--data", text(&again)];
    let (second, _) = look(&load, &file("b.png"));
    assert!(first == second && tensors(&saved) == tensors(&again));
    // Another layer's tokens in the same basis are other scores, and not those of their own basis.
    look(&[&load[..], &["--layer", "6"]].concat(), &file("c.png"));
    let fixed = tensors(&again);
    look(&["--view", "pca", "--data", text(&again), "--layer", "6"], &file("c.png"));
    assert!(fixed != tensors(&saved) && fixed != tensors(&again));
}

#[test]
fn a_match_shows_both_photographs() {
    let folder = scratch("cli-match");
    let (out, data) = (folder.join("both.png"), folder.join("data.npz"));
    let rocket = sample("rocket.jpg");
    let args = ["--view", "similarity", "--at", "220,120", "--other", text(&rocket)];
    let args = [&args[..], &["--data", text(&data), "--resize", "native"]].concat();
    let (picture, said) = look(&args, &out);
    // The rocket has 640 × 427 pixels, so 450 × 300 beside the cat.
    assert_eq!((picture.width, picture.height), (451 + 6 + 450, 300));
    assert_eq!(npz(&data, "similarity").1.0, [4, 6], "the rocket's grid");
    assert!(said.contains("the best at ") && said.contains("rocket.jpg"), "{said}");
    // A photograph matches itself where it was asked.
    let cat = sample("chelsea.png");
    let args = ["--view", "similarity", "--at", "220,120", "--other", text(&cat)];
    assert!(look(&args, &out).1.contains("to 1.000, the best at 169,112 of"));
}

#[test]
fn look_refuses_what_a_view_does_not_know() {
    let folder = scratch("cli-look-errors");
    let (cat, copy) = (sample("chelsea.png"), folder.join("cat.png"));
    std::fs::copy(&cat, &copy).unwrap();
    let (cat, copy) = (text(&cat), text(&copy));
    let out = folder.join("out.png");
    let cases: [(&str, &[&str], &str); 23] = [
        ("similarity", &[], "--view similarity needs --at X,Y"),
        ("pca", &["--at", "1,2"], "--at is for --view similarity, attention, rollout"),
        ("attention", &["--at", "1,2", "--other", cat], "--other is for --view similarity"),
        ("rollout", &["--head", "0"], "--head is for --view attention"),
        ("norms", &["--clusters", "4"], "--clusters is for --view clusters"),
        ("clusters", &["--foreground"], "--foreground is for --view pca"),
        ("clusters", &["--basis", "b.safetensors"], "--basis is for --view pca"),
        ("clusters", &["--save-basis", "b.safetensors"], "--save-basis is for --view pca"),
        ("clusters", &["--clusters", "1"], "2..=32"),
        ("similarity", &["--at", "1;2"], "expected X,Y"),
        ("similarity", &["--at", "451,0"], "outside the photograph of 451 × 300"),
        (
            "similarity",
            &["--at", "5,150", "--resize", "crop"],
            "--resize crop leaves this point out",
        ),
        ("pca", &["--opacity", "1.5"], "expected a number from 0 to 1"),
        ("pca", &["--layer", "13"], "layer 13: expected 0 to 12, or -13 to -1"),
        ("attention", &["--layer", "0"], "layer 0: expected 1 to 12, or -12 to -1"),
        ("pca", &["--layer", "-14"], "layer -14: expected 0 to 12"),
        ("attention", &["--layer", "-13"], "layer -13: expected 1 to 12"),
        ("attention", &["--head", "3"], "--head 3: expected 0 to 2"),
        ("pca", &["--data", "data.txt"], "ending in .safetensors, .npz or .npy"),
        ("pca", &["--save-basis", "basis.npz"], "ending in .safetensors"),
        ("pca", &["--basis", "nowhere.safetensors"], "nowhere.safetensors: No such file"),
        ("pca", &["--image-size", "57"], "expected a multiple of 14"),
        ("heat", &[], "possible values: pca, similarity"),
    ];
    for (view, more, expected) in cases {
        let mut args = vec!["look", cat, "--view", view, "--device", "cpu", "--out", text(&out)];
        args.extend(more);
        if !more.contains(&"--image-size") {
            args.extend(["--image-size", "28"]);
        }
        fails(&args, expected);
    }
    fails(&["look", copy, "--view", "pca", "--out", copy], "would be overwritten");
    fails(&["look", copy, "--view", "pca", "--out", "out.jpg"], "ending in .png");
    let wrong = golden("segment_mmseg_linear").join("model.safetensors");
    let basis = ["look", copy, "--view", "pca", "--out", text(&out), "--basis", text(&wrong)];
    fails(&basis, "expected a tensor mean, found");
    assert!(!out.exists(), "nothing is written");
    assert_eq!(std::fs::read(copy).unwrap(), std::fs::read(cat).unwrap());
}

/// The edges change the picture alone.
#[test]
fn edges_come_from_patches_or_the_photograph() {
    let folder = scratch("look-edges");
    let photo = sample("chelsea.png");
    let look = |view: &str, edges: Option<&str>| {
        let name = format!("{view}-{}", edges.unwrap_or("own"));
        let (out, data) = (folder.join(format!("{name}.png")), folder.join(format!("{name}.npy")));
        let args = ["look", text(&photo), "--view", view, "--image-size", "56", "--device", "cpu"];
        let files = ["--out", text(&out), "--data", text(&data)];
        let edges = edges.map(|edges| vec!["--edges", edges]).unwrap_or_default();
        ok(&[&args[..], &files, &edges].concat());
        let picture = internvit::image::decode("out", &std::fs::read(&out).unwrap()).unwrap();
        (picture, std::fs::read(&data).unwrap())
    };
    for (view, own) in [("pca", "photograph"), ("clusters", "photograph"), ("norms", "patches")] {
        let all = ["patches", "smooth", "photograph"].map(|edges| look(view, Some(edges)));
        let (default, data) = look(view, None);
        assert!(all.iter().all(|(_, other)| *other == data), "{view}: the data are the patches'");
        assert!(all.iter().all(|(picture, _)| (picture.width, picture.height) == (451, 300)));
        let [patches, smooth, photograph] = all.map(|(picture, _)| picture);
        assert!(patches != smooth && smooth != photograph && patches != photograph, "{view}");
        assert!(default == if own == "patches" { patches } else { photograph }, "{view}");
    }
    let wrong = ["look", text(&photo), "--view", "pca", "--edges", "round"];
    fails(&wrong, "edges must be patches, smooth or photograph, not \"round\"");
}

/// A text's cosines with every patch: the larger where the patch says more of it, and each in the files.
#[test]
fn words() {
    let (model, cat) = (crate::classify::with_words("clip_quick_gelu"), sample("chelsea.png"));
    let folder = scratch("words");
    let data = |words: &str, device: &str| {
        let (png, npy) = (folder.join("w.png"), folder.join(format!("{words}.npy")));
        let common =
            ["look", text(&cat), "--view", "words", "--text", words, "--model", text(&model)];
        let files = ["--out", text(&png), "--data", text(&npy), "--device", device];
        let said = ok(&[&common[..], &files[..]].concat());
        assert!(said.contains(&format!("Cosines with “{words}” run from")), "{said}");
        assert!(png.is_file());
        std::fs::read(npy).unwrap()
    };
    let (cat_map, car_map) = (data("a cat", "cpu"), data("red car", "cpu"));
    assert_eq!(cat_map.len(), car_map.len());
    assert_ne!(cat_map, car_map);
    let args = |more: &[&'static str]| [&["look", "x.png", "--view"], more].concat();
    fails(&args(&["words"]), "--view words needs --text WORDS");
    fails(&args(&["norms", "--text", "a"]), "--text is for --view words");
    fails(&args(&["words", "--text", "a", "--layer", "1"]), "--layer is for --view pca");
    let tiny = golden("vit_classification");
    let blind = ["look", text(&cat), "--view", "words", "--text", "a", "--model", text(&tiny)];
    fails(&blind, "this model reads no texts");
}
