//! Where the edges of maps come from.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use crate::run::*;

/// Edges of a map lie where the photograph's are: the colours on both sides of them differ more.
#[test]
fn a_map_follows_the_edges_that_are_asked_for() {
    let folder = scratch("heads-edges");
    let photo = sample("coffee.png");
    let picture = internvit::image::decode("coffee", &std::fs::read(&photo).unwrap()).unwrap();
    let (width, height) = (picture.width as usize, picture.height as usize);
    let mut across = Vec::new();
    for edges in ["", "smooth", "photograph", "patches"] {
        let out = folder.join(format!("map{edges}.png"));
        let small = ["segment", text(&photo), "--device", "cpu", "--window", "126", "--whole"];
        let more: &[&str] = if edges.is_empty() { &[] } else { &["--edges", edges] };
        ok(&[&small[..], &["--picture", text(&out), "--opacity", "1"], more].concat());
        let map = internvit::image::decode("map", &std::fs::read(&out).unwrap()).unwrap();
        let colour = |picture: &internvit::image::Picture, x: usize, y: usize| {
            let at = 3 * (y * width + x);
            [0, 1, 2].map(|i: usize| f64::from(picture.rgb[at + i]))
        };
        let places = (0..height).flat_map(|y| (1..width).map(move |x| (x, y)));
        let edges: Vec<(usize, usize)> =
            places.filter(|(x, y)| colour(&map, *x, *y) != colour(&map, x - 1, *y)).collect();
        let step = |(x, y): &(usize, usize)| {
            let (a, b) = (colour(&picture, *x, *y), colour(&picture, x - 1, *y));
            a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>()
        };
        across.push(edges.iter().map(step).sum::<f64>() / edges.len() as f64);
    }
    let [plain, smooth, photograph, patches] = across[..] else { unreachable!() };
    assert!((plain - smooth).abs() < 0.3 * smooth, "{across:?}");
    assert!(photograph > 1.3 * smooth && photograph > 1.3 * patches, "{across:?}");
    fails(&["segment", text(&photo), "--json", "--edges", "sharp"], "must be patches, smooth or");
}

/// Numbers at the pixels have the photograph's size, say the same as those of the patches, and follow the edges.
#[test]
fn data_are_the_patches_unless_pixels_are_asked_for() {
    let folder = scratch("look-pixels");
    let (out, photo) = (folder.join("view.png"), sample("chelsea.png"));
    let numbers = |more: &[&str]| {
        let data = folder.join("data.npy");
        let small = ["look", text(&photo), "--image-size", "56", "--device", "cpu"];
        let files = ["--out", text(&out), "--data", text(&data)];
        ok(&[&small[..], &files, more].concat());
        let bytes = std::fs::read(&data).unwrap();
        let npy = npyz::NpyFile::new(&bytes[..]).unwrap();
        (npy.shape().to_vec(), npy.into_vec::<f32>().unwrap())
    };
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    for (view, more, raw, fine) in [
        ("attention", &["--head", "1"][..], &[1, 4, 4][..], &[1, 300, 451][..]),
        ("pca", &["--foreground"], &[4, 4, 3], &[300, 451, 3]),
    ] {
        let ask = [&["--view", view], more].concat();
        let (shape, patches) = numbers(&ask);
        assert_eq!(shape, raw, "{view}");
        let mut seen = Vec::new();
        for edges in ["patches", "smooth", "photograph"] {
            let (shape, values) =
                numbers(&[&ask[..], &["--data-at", "pixels", "--edges", edges]].concat());
            assert_eq!(shape, fine, "{view}, {edges}");
            assert!(values.iter().all(|value| value.is_finite()), "{view}, {edges}");
            let spread = patches.iter().map(|value| value.abs()).fold(0.0, f32::max);
            let apart = (mean(&values) - mean(&patches)).abs();
            assert!(apart < 0.1 * spread, "{view}, {edges}: {apart} of {spread}");
            seen.push(values);
        }
        assert!(seen[0] != seen[1] && seen[1] != seen[2], "{view}");
    }
    // Beyond what a crop shows nothing is known.
    let crop = ["--view", "norms", "--resize", "crop", "--data-at", "pixels"];
    let (_, values) = numbers(&crop);
    let unknown = values.iter().filter(|value| value.is_nan()).count();
    assert_eq!(unknown, 150 * 300, "a square of 301 columns of 451 is seen");
    fails(&["look", text(&photo), "--data-at", "pixels"], "--data");
}
