//! Upsampling along a photograph's edges: the twins against float64 by the definition, the fast form
//! against the twins.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::{ControlFlow, Range};

use internvit::cpu::{Guide, Upsampled};
use internvit::image::{Picture, resize};
use internvit::plan::{Guided, Value, record_guided};
use internvit::reference;

use super::common::*;

/// Maps and photographs: of one patch, of one row, odd, and photographs smaller than the grid.
const SIZES: [([usize; 2], [usize; 2]); 6] = [
    ([1, 1], [9, 7]),
    ([1, 6], [30, 151]),
    ([5, 1], [43, 8]),
    ([5, 4], [67, 53]),
    ([8, 8], [3, 5]),
    ([6, 7], [1, 1]),
];

/// What `record_guided` is to give, by the definition, of one channel.
fn by_definition(shape: &Guided, map: &[f32], low: &[[f64; 3]], high: &[[f64; 3]]) -> Vec<f64> {
    let Guided { grid, small: [rows, cols], size, radius, eps } = *shape;
    let map: Vec<f64> = map.iter().map(|value| f64::from(*value)).collect();
    let map = bilinear(&map, grid, [rows, cols]);
    let around = |at: usize, length: usize| -> Range<usize> {
        at.saturating_sub(radius)..(at + radius + 1).min(length)
    };
    let window = |at: usize| -> Vec<usize> {
        let columns = || around(at % cols, cols);
        around(at / cols, rows).flat_map(|y| columns().map(move |x| y * cols + x)).collect()
    };
    let fit = |at: usize| -> [f64; 4] {
        let pixels = window(at);
        let mean = |f: &dyn Fn(usize) -> f64| {
            pixels.iter().map(|pixel| f(*pixel)).sum::<f64>() / pixels.len() as f64
        };
        let colours: [f64; 3] = std::array::from_fn(|i| mean(&|p| low[p][i]));
        let value = mean(&|p| map[p]);
        let matrix: [[f64; 3]; 3] = std::array::from_fn(|i| {
            std::array::from_fn(|k| {
                let covariance = mean(&|p| (low[p][i] - colours[i]) * (low[p][k] - colours[k]));
                covariance + if i == k { f64::from(eps) } else { 0.0 }
            })
        });
        let right: [f64; 3] =
            std::array::from_fn(|i| mean(&|p| (low[p][i] - colours[i]) * (map[p] - value)));
        let a = cramer(matrix, right);
        [a[0], a[1], a[2], value - (0..3).map(|i| a[i] * colours[i]).sum::<f64>()]
    };
    let fits: Vec<[f64; 4]> = (0..rows * cols).map(fit).collect();
    let planes: [Vec<f64>; 4] = std::array::from_fn(|i| {
        let mean = |at: usize| {
            let pixels = window(at);
            pixels.iter().map(|p| fits[*p][i]).sum::<f64>() / pixels.len() as f64
        };
        let means: Vec<f64> = (0..rows * cols).map(mean).collect();
        bilinear(&means, [rows, cols], size)
    });
    let [r, g, b, one] = &planes;
    let pixels = high.iter().enumerate();
    pixels.map(|(p, c)| r[p] * c[0] + g[p] * c[1] + b[p] * c[2] + one[p]).collect()
}

/// Three equations by Cramer's rule.
fn cramer(a: [[f64; 3]; 3], b: [f64; 3]) -> [f64; 3] {
    let det = |m: [[f64; 3]; 3]| {
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
            - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    };
    std::array::from_fn(|column| {
        let mut replaced = a;
        (0..3).for_each(|row| replaced[row][column] = b[row]);
        det(replaced) / det(a)
    })
}

/// Half-pixel centres, border clamped.
fn bilinear(values: &[f64], [rows, cols]: [usize; 2], [to_rows, to_cols]: [usize; 2]) -> Vec<f64> {
    let place = |i: usize, n: usize, m: usize| {
        let at = (i as f64 + 0.5) * n as f64 / m as f64 - 0.5;
        let clamp = |k: f64| k.clamp(0.0, (n - 1) as f64) as usize;
        (clamp(at.floor()), clamp(at.floor() + 1.0), at - at.floor())
    };
    let value = |at: usize| {
        let (top, bottom, down) = place(at / to_cols, rows, to_rows);
        let (left, right, across) = place(at % to_cols, cols, to_cols);
        let row =
            |y: usize| values[y * cols + left] * (1.0 - across) + values[y * cols + right] * across;
        row(top) * (1.0 - down) + row(bottom) * down
    };
    (0..to_rows * to_cols).map(value).collect()
}

fn colours(picture: &Picture) -> Vec<[f64; 3]> {
    let pixels = picture.rgb.as_chunks::<3>().0.iter();
    pixels.map(|rgb| rgb.map(|byte| f64::from(byte) / 255.0)).collect()
}

/// A photograph with an edge: noise, darker on the left.
fn photo([height, width]: [usize; 2]) -> Picture {
    let values = noise(7, 3 * height * width).into_iter().enumerate();
    let light = |at: usize| if at / 3 % width < width / 2 { 60.0 } else { 190.0 };
    let rgb = values.map(|(at, v)| (light(at) + 50.0 * v) as u8).collect();
    Picture::of(width as u32, height as u32, rgb)
}

fn small(picture: &Picture, guided: &Guided) -> Picture {
    resize(picture, guided.small[1] as u32, guided.small[0] as u32).unwrap()
}

#[test]
fn twins_agree_with_the_definition() {
    for (grid, size) in SIZES {
        let (picture, guided) = (photo(size), Guided::new(grid, size));
        let low = small(&picture, &guided);
        let plan = record_guided(&guided, 4);
        let map = noise(3, 4 * grid[0] * grid[1]);
        let quads = |picture: &Picture| -> Vec<f32> {
            colours(picture)
                .iter()
                .flat_map(|[r, g, b]| [*r, *g, *b, 1.0])
                .map(|v| v as f32)
                .collect()
        };
        let (low_quads, high_quads) = (quads(&low), quads(&picture));
        let fed = [("map", &map), ("guide.small", &low_quads), ("guide", &high_quads)];
        let fed = fed.map(|(name, values)| (plan.slot(name).unwrap(), Value::F32(values)));
        let weights = std::collections::HashMap::<String, Vec<f32>>::new();
        let go_on = &mut async |_: &_, _: &[f32]| ControlFlow::Continue(());
        let found = wait(reference::run(&plan, 1, &weights, &fed, go_on)).unwrap().pop().unwrap().1;
        let planes: Vec<Vec<f32>> = (0..4).map(|c| channel(&map, c)).collect();
        let guide = Guide::new(picture.clone(), grid).unwrap();
        let fast = spread(&Upsampled::guided(&planes, &guide), 4);
        for (c, plane) in planes.iter().enumerate() {
            let expected = by_definition(&guided, plane, &colours(&low), &colours(&picture));
            let expected: Vec<f32> = expected.into_iter().map(|value| value as f32).collect();
            let of = format!("{grid:?} {size:?} channel {c}");
            assert_close(&format!("twin {of}"), &channel(&found, c), &expected, 1e-5);
            // Variances are differences of f32 sums, to which at least EPS is added.
            assert_close(&format!("CPU {of}"), &channel(&fast, c), &expected, 3e-5);
        }
    }
}

/// One of four channels.
fn channel(values: &[f32], c: usize) -> Vec<f32> {
    values.iter().skip(c).step_by(4).copied().collect()
}

/// All values of a map, a pixel's together.
fn spread(map: &Upsampled<'_>, channels: usize) -> Vec<f32> {
    let [height, width] = map.size();
    let mut out = vec![f32::NAN; channels * height * width];
    map.paint(channels, &mut out, |_, values, out| {
        for (at, value) in out.iter_mut().enumerate() {
            *value = values[at % channels * width + at / channels];
        }
    });
    out
}

#[test]
fn constants_stay() {
    for (grid, size) in SIZES {
        let planes = [vec![0.75; grid[0] * grid[1]], vec![-3.0; grid[0] * grid[1]]];
        let guide = Guide::new(photo(size), grid).unwrap();
        for map in [Upsampled::guided(&planes, &guide), Upsampled::cubic(&planes, grid, size)] {
            let values = spread(&map, 2);
            assert!(
                values
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .all(|[a, b]| { (a - 0.75).abs() < 1e-5 && (b + 3.0).abs() < 1e-5 }),
                "{grid:?} {size:?}"
            );
        }
    }
}

/// A step of the map lies within a patch of the photograph's step; it comes to lie on it.
#[test]
fn a_step_moves_to_the_colours_step() {
    // The colours change at pixel 70, in the middle of a patch of 16; the map at a patch's border.
    let (width, height, step) = (160, 64, 71);
    let rgb = (0..width * height)
        .flat_map(|at| if at % width < step { [200, 40, 40] } else { [40, 200, 40] });
    let picture = Picture::of(width as u32, height as u32, rgb.collect());
    let plane: Vec<f32> = (0..40).map(|at| f32::from(u8::from(at % 10 >= 4))).collect();
    let guide = Guide::new(picture, [4, 10]).unwrap();
    let values = spread(&Upsampled::guided(std::slice::from_ref(&plane), &guide), 1);
    let smooth = spread(&Upsampled::cubic(&[plane], [4, 10], [height, width]), 1);
    let jump = |values: &[f32]| values[32 * width + step] - values[32 * width + step - 1];
    assert!(jump(&values) > 0.5, "{}", jump(&values));
    assert!(jump(&smooth) < 0.2, "{}", jump(&smooth));
    let above = |values: &[f32]| (0..width).filter(|x| values[32 * width + x] > 0.5).count();
    assert_eq!(above(&values), width - step);
}

#[test]
fn cubics_meet_their_points() {
    // Three pixels a patch: the middle one of each is the patch's own value.
    let plane = noise(5, 12);
    let values = spread(&Upsampled::cubic(std::slice::from_ref(&plane), [3, 4], [9, 12]), 1);
    for (at, expected) in plane.iter().enumerate() {
        let found = values[(3 * (at / 4) + 1) * 12 + 3 * (at % 4) + 1];
        assert!((found - expected).abs() < 1e-6, "{at}: {found} {expected}");
    }
}

#[test]
fn nothing_guides_nothing() {
    assert!(Guide::new(photo([4, 4]), [0, 3]).is_err());
    assert!(Guide::new(Picture::of(0, 0, Vec::new()), [1, 1]).is_err());
    assert!(Guide::new(Picture::of(2, 2, vec![0; 3]), [1, 1]).is_err());
}

/// What a map of three channels takes at 900 × 600, and the photograph before it once:
/// `cargo test --test library guided -- --ignored --nocapture`.
#[test]
#[ignore = "measures the machine"]
fn time_of_three_channels() {
    let (grid, size) = ([32, 48], [600, 900]);
    let planes: Vec<Vec<f32>> = (1..4).map(|seed| noise(seed, grid[0] * grid[1])).collect();
    let picture = photo(size);
    let mut times: Vec<[f64; 2]> = (0..21)
        .map(|_| {
            let picture = picture.clone();
            let start = std::time::Instant::now();
            let guide = Guide::new(picture, grid).unwrap();
            let guided = start.elapsed().as_secs_f64();
            // As rows of each channel: what a view makes of them is another matter.
            let mut values = vec![0.0; 3 * size[0] * size[1]];
            let map = Upsampled::guided(&planes, &guide);
            map.paint(3, &mut values, |_, row, out| out.copy_from_slice(row));
            assert!(values.iter().all(|value| value.is_finite()));
            [guided, start.elapsed().as_secs_f64() - guided]
        })
        .collect();
    for (at, what) in ["photograph", "map"].into_iter().enumerate() {
        times.sort_by(|a, b| a[at].total_cmp(&b[at]));
        println!("{what}: {:.1} ms", 1e3 * times[10][at]);
    }
}
