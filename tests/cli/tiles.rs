//! Photographs that become several pictures for one grid: tiles that overlap, and shifted pictures.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use internvit::app::Shape;
use internvit::image::{Picture, Resize, decode, resize};
use internvit::view::{Board, PcaBasis};
use internvit::{Checkpoint, Device, Encoder, Images};

use crate::common::*;
use crate::run::*;

/// Values of a view of a photograph, `[rows, cols]` and what each has.
fn data(photo: &Path, view: &str, more: &[&str]) -> (Vec<u64>, Vec<f32>) {
    let folder = scratch(&format!("tiles-{view}"));
    let (out, data) = (folder.join("v.png"), folder.join("v.npy"));
    let args = ["look", text(photo), "--view", view, "--device", "cpu", "--out", text(&out)];
    ok(&[&args[..], &["--data", text(&data)], more].concat());
    let bytes = std::fs::read(&data).unwrap();
    let npy = npyz::NpyFile::new(&bytes[..]).unwrap();
    (npy.shape().to_vec(), npy.into_vec().unwrap())
}

/// How much farther neighbours lie from each other between two columns than between others, in the mean
/// over some of these places.
fn step(values: &[f32], cols: usize, at: &[usize]) -> f64 {
    let c = 3;
    let between = |col: usize| {
        let rows = values.chunks_exact(cols * c);
        let apart = |row: &[f32]| {
            let token = |col: usize| &row[col * c..][..c];
            let square = |(a, b): (&f32, &f32)| f64::from((a - b).powi(2));
            token(col - 1).iter().zip(token(col)).map(square).sum::<f64>().sqrt()
        };
        rows.map(apart).sum::<f64>()
    };
    let mean =
        |list: &[usize]| list.iter().map(|col| between(*col)).sum::<f64>() / list.len() as f64;
    let others: Vec<usize> = (1..cols).filter(|col| !at.contains(col)).collect();
    mean(at) / mean(&others)
}

/// Tiles share a quarter with their neighbours and are blended: on a picture that is alike everywhere no
/// column of patches differs from the one before more than others do, where tiles side by side show seams.
#[test]
fn tiles_show_no_seam() {
    let folder = scratch("tiles-seam");
    let file = folder.join("noise.png");
    let rgb = noise(7, 56 * 84 * 3).into_iter().map(|v| (128.0 + 60.0 * v).clamp(0.0, 255.0) as u8);
    let small = Picture::of(84, 56, rgb.collect());
    let picture = resize(&small, 672, 448).unwrap();
    picture.save(&file).unwrap();
    let more = ["--tiles", "6", "--image-size", "224", "--model", "dinov2-small"];
    let (shape, blended) = data(&file, "pca", &more);
    // 3 × 2 tiles of 16 patches, of which neighbours share 4.
    assert_eq!(shape, [28, 40, 3]);
    let within: Vec<usize> = [11, 25].iter().flat_map(|first| *first..first + 6).collect();
    let found = step(&blended, 40, &within);

    let checkpoint = wait(Checkpoint::open_path(&root().join("www/models/dinov2-small"))).unwrap();
    let mut encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
    let cut = Shape::new(encoder.spec(), Some(224), None, 6).unwrap().cut(&picture).unwrap();
    let features = wait(encoder.encode(Images::Pictures(&cut.pictures), &[], &mut on)).unwrap();
    let tokens = &features.tensors["last_hidden_state"];
    let c = tokens.shape[2];
    let beside = Board::tiles([16, 16], [2, 3]).stitch(&tokens.values, c, 1).unwrap();
    let scores = PcaBasis::fit(&beside, c).unwrap().scores(&beside).unwrap();
    let seams = step(scores.as_flattened(), 48, &[16, 32]);
    assert!(seams > 1.5 && found < 1.15, "side by side {seams}, blended {found}");
}

/// A patch of the denser grid is one of a picture that was shifted by half a patch.
#[test]
fn shifted_pictures_make_a_denser_grid() {
    let more = ["--image-size", "56", "--resize", "native", "--shifts", "2"];
    let (shape, values) = data(&sample("coffee.png"), "norms", &more);
    let file = sample("coffee.png");
    let picture = decode("coffee", &std::fs::read(&file).unwrap()).unwrap();
    let checkpoint = wait(Checkpoint::bundled()).unwrap();
    let mut encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
    let shape_of = Shape::new(encoder.spec(), Some(56), Some(Resize::Native), 1).unwrap();
    let whole = shape_of.fit.apply(&picture).unwrap();
    let [rows, cols] = [whole.height as usize / 14, whole.width as usize / 14];
    assert_eq!(shape, [2 * rows as u64, 2 * cols as u64]);
    for (down, across) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let by = |number: usize| if number == 0 { -4 } else { 3 };
        let moved = whole.moved([by(across), by(down)]);
        let features = wait(encoder.encode(Images::Pictures(&[moved]), &[], &mut on)).unwrap();
        let tokens = &features.tensors["last_hidden_state"];
        let c = tokens.shape[2];
        for (at, token) in tokens.values[c..].chunks_exact(c).enumerate() {
            let norm = token.iter().map(|v| v * v).sum::<f32>().sqrt();
            let cell = (2 * (at / cols) + down) * 2 * cols + 2 * (at % cols) + across;
            assert!((values[cell] - norm).abs() < 1e-3 * norm, "{down}, {across}, patch {at}");
        }
    }
    // Attention is asked for by the same patch of each.
    let asked = ["--image-size", "56", "--shifts", "3", "--at", "300,200"];
    let (shape, values) = data(&sample("coffee.png"), "attention", &asked);
    assert_eq!(shape[1..], [12, 12]);
    assert!(values.iter().all(|v| *v > 0.0));
    let photo = sample("coffee.png");
    fails(&["look", text(&photo), "--view", "pca", "--shifts", "5"], "5 is not in 1..=4");
    let both = ["look", text(&photo), "--view", "pca", "--shifts", "2", "--tiles", "4"];
    fails(&both, "cannot be used with");
}
