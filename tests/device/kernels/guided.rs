//! Upsampling along a photograph's edges, operation by operation and whole.

use internvit::plan::{Axis, BoxMean, Guided, LocalAffine, Map, Op, Outer, Ridge, record_guided};

use super::case::{Case, TOLERANCE};
use crate::common::*;

#[test]
fn operations_of_guided_upsampling() {
    let Some(gpu) = gpu() else { return };
    for (size @ [h, w], to @ [high, wide], c, batch) in [
        ([1, 1], [1, 1], 4, 1),
        ([1, 9], [3, 40], 8, 2),
        ([7, 5], [7, 5], 4, 3),
        ([12, 11], [5, 3], 12, 1),
    ] {
        for (radius, axis) in
            [(1, Axis::Down), (3, Axis::Across), (4, Axis::Down), (20, Axis::Across)]
        {
            let mut case = Case::new(batch);
            let x = Map { slot: case.input([1, h * w, c]), size };
            case.step([1, h * w, c], Op::BoxMean(BoxMean { x, radius, axis }));
            case.check(&gpu);
        }
        let mut case = Case::new(batch);
        let (x, guide) = (case.input([1, h * w, c]), case.input([1, h * w, 4]));
        case.step([1, h * w, 4 * c], Op::Outer(Outer { x, guide }));
        case.check(&gpu);

        let mut case = Case::new(batch);
        let x = Map { slot: case.input([1, h * w, 4 * c]), size };
        let guide = case.input([1, high * wide, 4]);
        case.step([1, high * wide, c], Op::LocalAffine(LocalAffine { x, guide, to }));
        case.check(&gpu);
    }
}

/// Moments of no covariance but what is added leave all to the kernel's own arithmetic.
#[test]
fn ridges_of_plain_moments() {
    let Some(gpu) = gpu() else { return };
    let (pixels, c) = (70, 8);
    let mut case = Case::new(1);
    let (moments, x) = (case.input([1, pixels, 16]), case.input([1, pixels, 4 * c]));
    case.step([1, pixels, 4 * c], Op::Ridge(Ridge { moments, x, eps: 0.25 }));
    // Positive definite: the products of three noises with a constant, each weighed by its place.
    let noises: Vec<Vec<f32>> = (0..8).map(|i| noise(60 + i, 3 * pixels)).collect();
    let moment = |pixel: usize, i: usize, k: usize| {
        let value = |sample: &Vec<f32>, i: usize| if i < 3 { sample[3 * pixel + i] } else { 1.0 };
        noises.iter().map(|sample| value(sample, i) * value(sample, k)).sum::<f32>() / 8.0
    };
    let moments_of = (0..16 * pixels).map(|at| moment(at / 16, at / 4 % 4, at % 4));
    let fed = [(moments, moments_of.collect()), (x, noise(5, 4 * c * pixels))];
    case.plan.output("y", 2);
    case.compare(&gpu, &fed, TOLERANCE);
}

/// A plan of all operations, at odd sizes, of grids of one patch and of photographs smaller than the
/// grid.
#[test]
fn guided_upsampling_whole() {
    let Some(gpu) = gpu() else { return };
    for (grid, small, size, radius, channels) in [
        ([1, 1], [4, 4], [9, 7], 4, 1),
        ([1, 6], [4, 24], [30, 151], 4, 3),
        ([5, 4], [20, 16], [67, 53], 4, 5),
        ([8, 8], [3, 5], [3, 5], 2, 3),
    ] {
        let guided = Guided { grid, small, size, radius, eps: 1e-3 };
        let mut case = Case::new(1);
        case.plan = record_guided(&guided, channels);
        let colours = |seed, [h, w]: [usize; 2]| -> Vec<f32> {
            let values = noise(seed, 3 * h * w);
            let pixels = values.as_chunks::<3>().0.iter();
            pixels.flat_map(|rgb| rgb.map(|v| (v + 1.0) / 2.0).into_iter().chain([1.0])).collect()
        };
        let map = noise(3, grid[0] * grid[1] * channels.next_multiple_of(4));
        let fed = ["map", "guide.small", "guide"].map(|name| case.plan.slot(name).unwrap());
        let fed: Vec<_> = fed.into_iter().zip([map, colours(1, small), colours(2, size)]).collect();
        // Sums of the regression cancel: what is lost is divided by the variance of the colours.
        case.compare(&gpu, &fed, 5.0 * TOLERANCE);
    }
}
