//! Every view against a plain f64 twin that shares no code with it.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use crate::twins::*;
use internvit::features::{BlockAttention, Distances};
use internvit::view::*;

/// Patch tokens of a small trained-shape encoder, `[64, 128]`.
fn features() -> (Vec<f32>, usize, [usize; 2]) {
    let expected = tensors(&golden("encoder_rms_qknorm_f16").join("expected.safetensors"));
    let last = &expected["last_hidden_state"];
    let (n, c) = (last.shape[1], last.shape[2]);
    let side = (n - 1).isqrt();
    assert_eq!(side * side, n - 1);
    (last.values[c..n * c].to_vec(), c, [side, side])
}

#[test]
fn principal_components_are_the_covariances_eigenvectors() {
    let (real, c, _) = features();
    let cases = [
        ("features", real, c),
        ("falling fast", cloud(1, 200, 12, 0.5), 12),
        ("falling slowly", cloud(3, 300, 24, 0.97), 24),
        ("fewer tokens than channels", cloud(5, 10, 24, 0.9), 24),
        ("far from zero", cloud(7, 100, 8, 0.8).iter().map(|v| v + 100.0).collect(), 8),
    ];
    for (name, tokens, c) in cases {
        let (variances, twin) = pca(&tokens, c);
        let basis = PcaBasis::fit(&tokens, c).unwrap();
        let scores = basis.scores(&tokens).unwrap();
        let mut found = [0.0f64; 3];
        for k in 0..3 {
            let own: Vec<f32> = scores.iter().map(|s| s[k]).collect();
            let same: f64 = own.iter().zip(&twin[k]).map(|(a, b)| f64::from(*a) * b).sum();
            let twin: Vec<f32> = twin[k].iter().map(|v| (v * same.signum()) as f32).collect();
            assert_close(&format!("{name}, component {k}"), &own, &twin, 1e-4);
            found[k] = own.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / own.len() as f64;
            assert!((found[k] / variances[k] - 1.0).abs() < 1e-4, "{name}: {found:?}");
        }
        assert!(found[0] >= found[1] && found[1] >= found[2], "{name}: {found:?}");
        let total: f64 = variances.iter().sum();
        for (share, variance) in basis.shares(&tokens).unwrap().iter().zip(&variances) {
            assert!((share - variance / total).abs() < 1e-5, "{name}: {share}");
        }
        for direction in &basis.directions {
            let largest =
                direction.iter().fold(0.0f32, |m, v| if v.abs() > m.abs() { *v } else { m });
            assert!(largest > 0.0, "{name}: the sign of {largest}");
        }
    }
}

/// Tokens on a line, or all the same, have one component, or none: the others are zero, not noise.
#[test]
fn too_few_directions_are_zero() {
    let line: Vec<f32> = (0..40)
        .flat_map(|t| noise(9, 16).iter().map(|v| v * t as f32).collect::<Vec<_>>())
        .collect();
    let basis = PcaBasis::fit(&line, 16).unwrap();
    assert_close(
        "length",
        &[dot(&rows(&basis.directions[0], 16)[0], &rows(&basis.directions[0], 16)[0]) as f32],
        &[1.0],
        1e-5,
    );
    assert!(basis.directions[1..].iter().flatten().all(|v| *v == 0.0), "{:?}", basis.directions);
    let same = PcaBasis::fit(&[0.1; 7 * 16], 16).unwrap();
    assert!(same.directions.iter().flatten().all(|v| *v == 0.0), "{:?}", same.directions);
}

#[test]
fn a_fixed_basis_gives_the_same_colours_elsewhere() {
    let (tokens, c, _) = features();
    let basis = PcaBasis::fit(&tokens, c).unwrap();
    let mut other = cloud(11, 30, c, 0.9);
    other[10 * c..20 * c].copy_from_slice(&tokens[5 * c..15 * c]);
    let colours = basis.colours(&tokens).unwrap();
    assert_eq!(basis.colours(&other).unwrap()[10..20], colours[5..15]);
    assert_ne!(pca_rgb(&other, c).unwrap()[10..20], colours[5..15], "its own basis is another");
    assert_eq!(pca_rgb(&tokens, c).unwrap(), colours);
    // The middle 98 % span the whole range of each channel.
    for k in 0..3 {
        assert!(colours.iter().any(|rgb| rgb[k] == 0) && colours.iter().any(|rgb| rgb[k] == 255));
    }
}

#[test]
fn foreground_is_otsus_and_off_the_border() {
    for seed in 0..20 {
        let grid = [7 + seed % 3, 9];
        // A blob in the middle, brighter or darker than its surroundings, under noise.
        let sign = if seed % 2 == 0 { 4.0 } else { -4.0 };
        let inside = |at: usize| (2..5).contains(&(at / 9)) && (3..7).contains(&(at % 9));
        let scores: Vec<f32> = noise(20 + seed as u32, grid[0] * grid[1])
            .iter()
            .enumerate()
            .map(|(at, v)| v + if inside(at) { sign } else { 0.0 })
            .collect();
        let front = foreground(&scores, grid).unwrap();
        assert_eq!(front, foreground_twin(&scores, grid), "seed {seed}");
        let right = front.iter().enumerate().filter(|(at, f)| inside(*at) == **f).count();
        assert!(right * 10 > front.len() * 9, "seed {seed}: {right} of {}", front.len());
        let cut = otsu(&scores);
        assert_eq!(scores.iter().map(|s| *s > cut).collect::<Vec<_>>(), otsu_twin(&scores));
    }
}

#[test]
fn the_foreground_has_a_basis_of_its_own() {
    let (tokens, c, grid) = features();
    let (front, basis) = pca_foreground(&tokens, c, grid).unwrap();
    let first = to_f32(&pca(&tokens, c).1[0]);
    assert_eq!(front, foreground_twin(&first, grid));
    let count = front.iter().filter(|f| **f).count();
    assert!(count > 3 && count < front.len(), "{count}");
    let inside = tokens.chunks_exact(c).zip(&front).filter(|(_, f)| **f);
    let inside: Vec<f32> = inside.flat_map(|(token, _)| token).copied().collect();
    let own: Vec<f32> = basis.scores(&inside).unwrap().iter().map(|s| s[0]).collect();
    let twin = &pca(&inside, c).1[0];
    let same: f64 = own.iter().zip(twin).map(|(a, b)| f64::from(*a) * b).sum();
    let twin: Vec<f64> = twin.iter().map(|v| v * same.signum()).collect();
    assert_close("foreground's scores", &own, &to_f32(&twin), 1e-4);
}

#[test]
fn cosines_and_norms() {
    let (mut tokens, c, _) = features();
    tokens[..c].fill(0.0);
    let query = tokens[9 * c..10 * c].to_vec();
    let list = rows(&tokens, c);
    let length = |v: &[f64]| dot(v, v).sqrt();
    let cosine = |t: &Vec<f64>| match length(t) {
        0.0 => 0.0,
        size => dot(t, &list[9]) / size / length(&list[9]),
    };
    let found = similarity(&query, &tokens).unwrap();
    assert_close("cosines", &found, &to_f32(&list.iter().map(cosine).collect::<Vec<_>>()), 1e-6);
    assert_eq!((found[0], found[9]), (0.0, 1.0));
    assert!(similarity(&vec![0.0; c], &tokens).unwrap().iter().all(|v| *v == 0.0));
    // Centred: the mean of the patches that are seen is taken from all, in float64.
    let seen: Vec<bool> = (0..list.len()).map(|at| at % 5 != 0).collect();
    let known: Rows =
        list.iter().zip(&seen).filter(|(_, seen)| **seen).map(|(t, _)| t.clone()).collect();
    let middle = mean(&known);
    let less = |t: &Vec<f64>| t.iter().zip(&middle).map(|(v, m)| v - m).collect::<Vec<f64>>();
    let from = less(&list[9]);
    let cosine = |t: &Vec<f64>| dot(&less(t), &from) / length(&less(t)) / length(&from);
    let found = centred_similarity(&query, &tokens, &seen).unwrap();
    assert_close("centred", &found, &to_f32(&list.iter().map(cosine).collect::<Vec<_>>()), 1e-6);
    assert!(centred_similarity(&query, &tokens, &seen[1..]).is_err());
    let lengths: Vec<f64> = list.iter().map(|t| length(t)).collect();
    assert_close("norms", &norms(&tokens, c).unwrap(), &to_f32(&lengths), 1e-6);
}

#[test]
fn clusters_are_a_fixed_point_of_lloyds() {
    let (real, c, _) = features();
    let cases = [(real, c, 6), (cloud(31, 1500, 8, 0.9), 8, 12), (cloud(33, 200, 16, 0.9), 16, 2)];
    for (tokens, c, k) in cases {
        let found = kmeans(&tokens, c, k).unwrap();
        assert_eq!(found, kmeans(&tokens, c, k).unwrap(), "the same on every run");
        let (unit, centres) = (directions(&tokens, c), rows(&found.centres, c));
        assert_eq!(centres.len(), k);
        let sizes: Vec<usize> =
            (0..k).map(|label| found.labels.iter().filter(|l| **l == label).count()).collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes[k - 1] > 0, "{sizes:?}");
        for (token, label) in unit.iter().zip(&found.labels) {
            let own = square(token, &centres[*label]);
            let nearest = centres.iter().map(|m| square(token, m)).fold(f64::INFINITY, f64::min);
            assert!(own <= nearest + 1e-6, "{own} to its own centre, {nearest} to the nearest");
        }
        for (label, centre) in centres.iter().enumerate() {
            let own = unit.iter().zip(&found.labels).filter(|(_, l)| **l == label);
            let own: Rows = own.map(|(token, _)| token.clone()).collect();
            assert_close("a centre", &to_f32(centre), &to_f32(&mean(&own)), 1e-5);
        }
    }
}

#[test]
fn clusters_are_nearly_as_tight_as_the_best_of_many_tries() {
    for seed in 0..40 {
        let (n, c, k) = (80, 4, 3 + seed as usize % 4);
        let tokens = cloud(100 + 2 * seed, n, c, 0.9);
        let unit = directions(&tokens, c);
        let best = (0..20).map(|i| lloyd(&unit, k, 1000 + i)).fold(f64::INFINITY, f64::min);
        let found = assign(&unit, &rows(&kmeans(&tokens, c, k).unwrap().centres, c)).0;
        assert!(found <= 1.05 * best, "seed {seed}: {found}, the best of 20 is {best}");
    }
}

#[test]
fn teaching_finds_the_optimum() {
    let tokens = cloud(41, 60, 6, 0.8);
    let examples = [(3, 0), (9, 0), (14, 1), (22, 2), (30, 2), (31, 2), (47, 1), (50, 0)];
    // Two alike that stand out, as some tokens of large encoders do, of different classes.
    let mut outliers = tokens.clone();
    for at in [3, 14] {
        (0..6).for_each(|i| outliers[at * 6 + i] += 40.0);
    }
    for (name, tokens, rate) in [("a cloud", tokens, 0.8), ("outliers", outliers, 0.25)] {
        let found =
            fit(&tokens, &Spread::of(&tokens, 6), 3, &examples).unwrap().logits(&tokens).unwrap();
        let twin = descend(&rows(&tokens, 6), 3, &examples, rate);
        assert_close(name, &found, &to_f32(&twin.concat()), 1e-3);
    }
}

/// Every wrong length, grid or label is an error, never a panic and never a wrong picture.
#[test]
fn wrong_tokens_grids_and_labels_are_errors() {
    use internvit::{Tensor, features::side_by_side};
    let tokens = [1.0; 12];
    for c in [0, 5] {
        assert!(norms(&tokens, c).is_err() && PcaBasis::fit(&tokens, c).is_err(), "{c}");
        assert!(kmeans(&tokens, c, 2).is_err() && pca_rgb(&tokens, c).is_err(), "{c}");
        assert!(similarity(&vec![0.0; c], &tokens).is_err(), "{c}");
        assert!(fit(&tokens, &Spread::of(&tokens, c), 2, &[]).is_err(), "{c}");
        assert!(side_by_side(&[tokens.to_vec()], c).is_err(), "{c}");
    }
    assert!(kmeans(&tokens, 3, 0).is_err());
    assert!(side_by_side(&[vec![0.0; 6], vec![0.0; 3]], 3).is_err());
    assert!(
        fit(&tokens, &Spread::of(&tokens, 3), 2, &[(4, 0)]).is_err()
            && fit(&tokens, &Spread::of(&tokens, 3), 2, &[(0, 2)]).is_err()
    );
    let differing = [0.0, 1.0, 2.0, 3.0, 5.0, 8.0];
    let mut taught = fit(&differing, &Spread::of(&differing, 3), 2, &[(0, 0), (1, 1)]).unwrap();
    assert!(taught.logits(&tokens[..4]).is_err());
    taught.variance.pop();
    assert!(taught.logits(&tokens).is_err());
    let mut basis = PcaBasis::fit(&tokens, 3).unwrap();
    assert!(basis.scores(&tokens[..4]).is_err() && basis.shares(&[1.0]).is_err());
    basis.mean.clear();
    assert!(basis.colours(&tokens).is_err());
    for grid in [[0, 0], [2, 3], [usize::MAX, 2]] {
        assert!(foreground(&[1.0; 4], grid).is_err(), "{grid:?}");
        assert!(pca_foreground(&tokens, 3, grid).is_err(), "{grid:?}");
        assert!(heat_grid(&[1.0; 4], grid, [0.0, 1.0]).is_err(), "{grid:?}");
        assert!(Board::tiles(grid, [2, 2]).stitch(&[], 1, 1).is_err(), "{grid:?}");
    }
    assert!(shares(&[0, 2], 2).is_err() && shares(&[-1], 2).is_err());
    for (shape, count) in [(vec![1, 2, 2], 4), (vec![1, 2, 2, 2], 7), (vec![1, 0, 2, 2], 0)] {
        let logits = Tensor { shape, values: vec![0.0; count] };
        assert!(labels(&logits, [4, 4]).is_err(), "{:?}", logits.shape);
        let mut canvas = Canvas::new(2, [4, 4]).unwrap();
        assert!(canvas.add(&logits, [0, 0], [4, 4]).is_err(), "{:?}", logits.shape);
    }
    assert!(Canvas::new(0, [4, 4]).is_err() && Canvas::new(usize::MAX, [4, 4]).is_err());
    let window = Tensor { shape: vec![1, 2, 2, 2], values: vec![0.0; 8] };
    for (at, size) in
        [([1, 0], [4, 4]), ([0, 3], [2, 2]), ([0, 0], [0, 4]), ([usize::MAX; 2], [1; 2])]
    {
        assert!(Canvas::new(2, [4, 4]).unwrap().add(&window, at, size).is_err(), "{at:?} {size:?}");
    }
    assert_eq!(window_starts(10, 4, 0).len(), 7);
}

#[test]
fn wrong_pictures_are_errors() {
    use internvit::image::Picture;
    let whole = [0.0, 0.0, 4.0, 4.0];
    let picture = |width, height, bytes| Picture::of(width, height, vec![9; bytes]);
    let good = picture(4, 4, 48);
    for bad in [picture(4, 4, 47), picture(0, 0, 0), picture(0, 4, 0), picture(u32::MAX, 2, 6)] {
        assert!(paint(&good, &bad, whole).is_err() && paint(&bad, &good, whole).is_err());
        assert!(paint_patches(&[None], [1, 1], &bad, whole).is_err(), "{bad:?}");
        assert!(outline(&[0], [1, 1], &mut bad.clone(), whole).is_err(), "{bad:?}");
        assert!(blend(&bad, &bad, 0.5).is_err() && beside(&bad, &good).is_err(), "{bad:?}");
        assert!(paint_labels(&[0; 16], &[[1; 3]], &bad, 0.5).is_err(), "{bad:?}");
        patch_under([1, 1], [2, 2], &bad, whole);
        mark(&mut bad.clone(), [1, 1]);
    }
    assert!(blend(&good, &picture(2, 8, 48), 0.5).is_err(), "another size");
    assert!(paint_patches(&[None; 3], [2, 2], &good, whole).is_err());
    assert!(outline(&[0; 3], [2, 2], &mut good.clone(), whole).is_err());
    assert!(patch_centre(4, [2, 2], &good, whole).is_err());
    assert!(patch_centre(0, [0, 0], &good, whole).is_err());
    assert!(paint_labels(&[0; 15], &[[1; 3]], &good, 0.5).is_err());
    assert!(paint_labels(&[0; 16], &[], &good, 0.5).is_err());
    assert!(paint_labels(&[-1; 16], &[[1; 3]], &good, 0.5).is_err());
}

#[test]
fn wrong_attention_is_an_error() {
    let good = BlockAttention {
        heads: 2,
        channels: 4,
        queries: vec![1.0; 12],
        keys: vec![1.0; 12],
        distances: None,
    };
    assert!(good.row(2, 0).is_err() && good.row(0, 3).is_err() && good.mean(3).is_err());
    assert!(good.through(&[1.0; 4]).is_err() && good.through(&[1.0; 3]).is_ok());
    let distances = |pairs: usize, table: usize| {
        Some(Distances { table: vec![0.0; table], index: vec![2; pairs] })
    };
    assert!(BlockAttention { distances: distances(9, 6), ..good.clone() }.row(1, 2).is_ok());
    let wrong = [
        BlockAttention { heads: 0, ..good.clone() },
        BlockAttention { heads: 3, ..good.clone() },
        BlockAttention { channels: 0, ..good.clone() },
        BlockAttention { queries: vec![1.0; 8], ..good.clone() },
        BlockAttention { keys: vec![1.0; 11], ..good.clone() },
        BlockAttention { distances: distances(9, 4), ..good.clone() },
        BlockAttention { distances: distances(8, 6), ..good.clone() },
    ];
    for attention in wrong {
        let (row, tokens) = (vec![1.0; attention.tokens()], attention.tokens());
        assert!(attention.row(0, 0).is_err() && attention.mean(0).is_err(), "{tokens}");
        assert!(attention.through(&row).is_err(), "{tokens}");
    }
}

#[test]
fn features_of_embeddings_have_no_picture() {
    use internvit::{Features, Tensor};
    let tensor = Tensor { shape: vec![1, 5, 2], values: vec![1.0; 10] };
    let tensors = [("last_hidden_state".to_string(), tensor)].into();
    let mut features = Features { batch: 1, grid: None, prefix: 1, tensors };
    let error = pca_grid(&features, [1, 1]).unwrap_err().to_string();
    assert!(error.contains("no grid of patches"), "{error}");
    features.grid = Some([2, 2]);
    assert!(pca_grid(&features, [1, 1]).is_ok() && pca_grid(&features, [1, 2]).is_err());
    features.tensors.clear();
    assert!(pca_grid(&features, [1, 1]).is_err());
}
