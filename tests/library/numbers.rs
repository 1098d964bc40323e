//! A map's data at the pixels of a photograph.
#![allow(clippy::unwrap_used, reason = "tests")]

use internvit::cpu::{Guide, Upsampled};
use internvit::image::Picture;
use internvit::view::{Edges, Map, part};

/// A photograph of two colours, and the part of it that was seen.
const SIZE: [usize; 2] = [30, 44];
const REGION: [f64; 4] = [2.0, 3.0, 40.0, 24.0];
const GRID: [usize; 2] = [3, 5];

fn photo() -> Picture {
    let pixel = |at: usize| if at % SIZE[1] < 17 { [20, 90, 200] } else { [220, 180, 30] };
    Picture::of(SIZE[1] as u32, SIZE[0] as u32, (0..SIZE[0] * SIZE[1]).flat_map(pixel).collect())
}

fn values(count: usize) -> Vec<f32> {
    (0..count).map(|at| ((at * 7919) % 97) as f32 / 9.0 - 4.0).collect()
}

/// A map of values whose raster is not looked at.
fn map(shape: &[usize], several: bool) -> Map {
    let mut map = Map::default();
    map.shape = shape.to_vec();
    map.values = values(shape.iter().product());
    [map.height, map.width] = GRID;
    map.rgba = vec![0; 4 * GRID[0] * GRID[1]];
    map.plane = several.then_some(0);
    map
}

/// Whether a pixel lies in the region, and where in it.
fn inside(at: usize) -> Option<[usize; 2]> {
    let (y, x) = (at / SIZE[1], at % SIZE[1]);
    let (y, x) = (y.checked_sub(3)?, x.checked_sub(2)?);
    (y < 24 && x < 40).then_some([y, x])
}

/// Each channel of the data of both orders is that of the map upsampled, and NaN where nothing was seen.
#[test]
fn values_are_those_of_each_map_upsampled() {
    let seen = part(&photo(), REGION).unwrap();
    let guide = Guide::new(seen, GRID).unwrap();
    let area = GRID[0] * GRID[1];
    let cases: [(&[usize], bool, usize); 5] = [
        (&[3, 5], false, 1),
        (&[3, 5, 3], false, 3),
        (&[4, 3, 5], true, 4),
        // As many maps as there are rows.
        (&[3, 3, 5], true, 3),
        (&[1, 3, 5], true, 1),
    ];
    for (shape, several, channels) in cases {
        let map = map(shape, several);
        let together = !several;
        let plane = |channel: usize| -> Vec<f32> {
            let at = |patch: usize| match together {
                true => patch * channels + channel,
                false => channel * area + patch,
            };
            (0..area).map(|patch| map.values[at(patch)]).collect()
        };
        let planes: Vec<Vec<f32>> = (0..channels).map(plane).collect();
        for edges in Edges::ALL {
            let found = map.data_over(&photo(), REGION, edges).unwrap();
            let mut rows = vec![0.0; 24 * 40 * channels];
            let paint = |rows: &mut Vec<f32>, values: Upsampled<'_>| {
                values.paint(channels, rows, |_, row, out| out.copy_from_slice(row));
            };
            match edges {
                Edges::Photograph => paint(&mut rows, Upsampled::guided(&planes, &guide)),
                Edges::Smooth => paint(&mut rows, Upsampled::cubic(&planes, GRID, [24, 40])),
                _ => {}
            }
            let mut expected = shape.to_vec();
            let first = if together { 0 } else { shape.len() - 2 };
            expected[first..first + 2].copy_from_slice(&SIZE);
            assert_eq!(found.shape, expected, "{edges}");
            for (at, value) in found.values.iter().enumerate() {
                let (pixel, channel) = match together {
                    true => (at / channels, at % channels),
                    false => (at % (SIZE[0] * SIZE[1]), at / (SIZE[0] * SIZE[1])),
                };
                match inside(pixel) {
                    None => assert!(value.is_nan(), "{edges}: {at}"),
                    Some([y, x]) if edges == Edges::Patches => {
                        assert_eq!(*value, planes[channel][y / 8 * 5 + x / 8], "{edges}: {at}");
                    }
                    Some([y, x]) => {
                        assert_eq!(
                            *value,
                            rows[(y * channels + channel) * 40 + x],
                            "{edges}: {at}"
                        );
                    }
                }
            }
        }
    }
}

/// Numbers of groups are those of the pixels that are drawn, never between two.
#[test]
fn groups_are_not_interpolated() {
    let mut groups = map(&[3, 5], false);
    groups.labels = (0..15).map(|at| if at == 7 { 255 } else { at % 4 }).collect();
    let number = |label: &u8| if *label == 255 { -1.0 } else { f32::from(*label) };
    groups.values = groups.labels.iter().map(number).collect();
    for edges in Edges::ALL {
        let found = groups.data_over(&photo(), REGION, edges).unwrap();
        assert_eq!(found.shape, SIZE);
        let hidden = |at: usize| inside(at).is_some_and(|[y, x]| y / 8 * 5 + x / 8 == 7);
        for (at, value) in found.values.iter().enumerate() {
            assert_eq!(value.is_nan(), inside(at).is_none());
            assert_eq!(*value == -1.0, hidden(at), "{edges}: {at}");
            assert!(value.is_nan() || value.fract() == 0.0);
        }
        if edges == Edges::Photograph {
            let seen = part(&photo(), REGION).unwrap();
            let drawn = groups.along(&Guide::new(seen, GRID).unwrap()).unwrap();
            let all = found.values.iter().filter(|value| !value.is_nan());
            assert!(all.zip(&drawn.labels).all(|(value, label)| *value == number(label)));
        }
    }
}

#[test]
fn what_has_not_its_values_is_refused() {
    let mut short = map(&[3, 5], false);
    short.values.pop();
    let error = short.data_over(&photo(), REGION, Edges::Smooth).unwrap_err().to_string();
    assert!(error.contains("has not the values of its shape"), "{error}");
    let many = map(&[200, 3, 5], true);
    let large = Picture::of(1200, 700, vec![0; 1200 * 700 * 3]);
    let whole = [0.0, 0.0, 1200.0, 700.0];
    let error = many.data_over(&large, whole, Edges::Smooth).unwrap_err().to_string();
    assert!(error.contains("more than 2^27 values"), "{error}");
}
