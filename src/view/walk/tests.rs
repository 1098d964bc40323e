use super::*;

/// Six by six patches: the left half and the right half differ in features and in colour.
fn halves() -> Cells {
    let side = |at: usize| at % 6 < 3;
    let tokens = (0..36).flat_map(|at| if side(at) { [1.0, 0.1] } else { [0.1, 1.0] });
    let rgb = (0..60 * 60).flat_map(|at| if at % 60 < 30 { [200, 40, 40] } else { [40, 40, 200] });
    let picture = Picture::of(60, 60, rgb.collect());
    let layers = [tokens.collect()];
    Cells::new(&layers, 2, [6, 6], &[true; 36], &picture, [0.0, 0.0, 60.0, 60.0]).unwrap()
}

#[test]
fn what_was_named_spreads_to_the_edge_and_no_farther() {
    let cells = halves();
    assert_eq!(cells.sides(), [12, 12]);
    let prior = vec![0.5; 2 * 144];
    let p = cells.spread(&prior, 2, &[(5 * 12 + 1, 0), (5 * 12 + 10, 1)]).unwrap();
    for cell in 0..144 {
        assert!((p[cell] + p[144 + cell] - 1.0).abs() < 1e-3, "cell {cell}");
        let named = if cell % 12 < 6 { p[cell] } else { p[144 + cell] };
        assert!(named > 0.8, "cell {cell}: {named}");
    }
    // Against the prior a cell that was named keeps its class.
    let prior = [vec![0.9; 144], vec![0.1; 144]].concat();
    let p = cells.spread(&prior, 2, &[(5 * 12 + 10, 1)]).unwrap();
    assert!(p[144 + 5 * 12 + 10] > 0.9 && p[5 * 12 + 1] > 0.5);
    // Where nothing was named, the prior says it all.
    let p = cells.spread(&prior, 2, &[]).unwrap();
    assert!(p[..144].iter().all(|p| (p - 0.9).abs() < 1e-3));
}

/// Where features and mean colours are alike, a chequered and a plain ground are parted by their texture.
#[test]
fn textures_part_cells() {
    for (far, parted) in [(127, true), (0, false)] {
        let value = |at: usize| match (at % 60 < 30, (at / 60 + at % 60).is_multiple_of(2)) {
            (true, even) => {
                if even {
                    128 + far
                } else {
                    128 - far
                }
            }
            _ => 128,
        };
        // The upper half and the lower half differ, so that there are features at all.
        let tokens = (0..36).flat_map(|at| if at < 18 { [1.0, 0.1] } else { [0.1, 1.0] });
        let rgb = (0..60 * 60).flat_map(|at| [value(at); 3]).collect();
        let (picture, layers) = (Picture::of(60, 60, rgb), [tokens.collect()]);
        let whole = [0.0, 0.0, 60.0, 60.0];
        let cells = Cells::new(&layers, 2, [6, 6], &[true; 36], &picture, whole).unwrap();
        let named = [(2 * 12 + 1, 0), (2 * 12 + 10, 1)];
        let p = cells.spread(&vec![0.5; 2 * 144], 2, &named).unwrap();
        let beside = [p[3 * 12 + 5], p[144 + 3 * 12 + 6]];
        assert_eq!(beside.map(|p| p > 0.7), [parted; 2], "{beside:?}");
    }
}

/// The solution is that of Gauss's elimination in f64.
#[test]
fn the_walk_is_the_solution_of_its_system() {
    let cells = halves();
    let prior: Vec<f32> = (0..144).map(|i| (i * 37 % 100) as f32 / 100.0).collect();
    let named = [(3, 0), (100, 0)];
    let found = cells.spread(&prior, 1, &named).unwrap();
    let n = 144;
    let mut a = vec![vec![0.0f64; n + 1]; n];
    for cell in 0..n {
        let is = named.iter().any(|(other, _)| *other == cell);
        let end = f64::from(if is { NAMED } else { PRIOR });
        a[cell][cell] += end;
        a[cell][n] = end * if is { 1.0 } else { f64::from(prior[cell]) };
    }
    for (plane, step) in cells.planes() {
        for (from, alike) in plane.iter().enumerate().filter(|(_, alike)| **alike > 0.0) {
            for (i, j) in [(from, from + step), (from + step, from)] {
                a[i][i] += f64::from(*alike);
                a[i][j] -= f64::from(*alike);
            }
        }
    }
    for i in 0..n {
        let pivot = a[i].clone();
        for row in a.iter_mut().skip(i + 1) {
            let factor = row[i] / pivot[i];
            row.iter_mut().zip(&pivot).for_each(|(r, p)| *r -= factor * p);
        }
    }
    let mut x = vec![0.0f64; n];
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| a[i][j] * x[j]).sum();
        x[i] = (a[i][n] - known) / a[i][i];
    }
    for (cell, (found, x)) in found.iter().zip(&x).enumerate() {
        assert!((f64::from(*found) - x).abs() < 2e-3, "cell {cell}: {found}, expected {x}");
    }
}

#[test]
fn patches_that_show_nothing_are_joined_to_none() {
    let rgb = vec![90; 3 * 16];
    let picture = Picture::of(4, 4, rgb);
    let seen = [true, false, true, true];
    let layers = [vec![1.0; 8]];
    let cells = Cells::new(&layers, 2, [2, 2], &seen, &picture, [0.0, 0.0, 4.0, 4.0]).unwrap();
    let p = cells.spread(&[0.5; 16], 1, &[(0, 0)]).unwrap();
    assert!((p[2] - 0.5).abs() < 1e-6 && p[0] > 0.9 && p[4] > 0.53, "{p:?}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let cells = halves();
    assert!(cells.spread(&[0.5; 7], 1, &[]).is_err());
    assert!(cells.spread(&[0.5; 144], 1, &[(144, 0)]).is_err());
    assert!(cells.spread(&[0.5; 144], 1, &[(0, 1)]).is_err());
    let picture = Picture::of(1, 1, vec![0; 3]);
    let new = |layers: &[Vec<f32>]| {
        Cells::new(layers, 2, [1, 1], &[true], &picture, [0.0, 0.0, 1.0, 1.0])
    };
    assert!(new(&[]).is_err() && new(&[vec![1.0; 4]]).is_err());
    let one = new(&[vec![0.0; 2]]).unwrap();
    assert_eq!(one.sides(), [2, 2]);
}
