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
