//! What was named in a photograph: points, strokes, a picture of labels.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use internvit::image::{Alpha, Picture};
use internvit::{Error, Result};

use super::super::arguments::{Example, Stroke};

/// Pixels between the points of a stroke, and between those that are taken of a picture of labels.
const STEP: u32 = 4;

/// The points of a stroke from its corners.
pub(super) fn stroke(Stroke { photo, class, corners }: &Stroke) -> Vec<Example> {
    let point = |[x, y]: [u32; 2]| Example { photo: *photo, class: class.clone(), x, y };
    let mut points: Vec<Example> = corners.first().map(|first| point(*first)).into_iter().collect();
    for pair in corners.windows(2) {
        let [from, to] = [pair[0], pair[1]].map(|corner| corner.map(f64::from));
        let longer = (to[0] - from[0]).abs().max((to[1] - from[1]).abs());
        let steps = (longer / f64::from(STEP)).ceil().max(1.0) as u32;
        points.extend((1..=steps).map(|i| {
            let along = f64::from(i) / f64::from(steps);
            point([0, 1].map(|k: usize| (from[k] + (to[k] - from[k]) * along).round() as u32))
        }));
    }
    points
}

/// The points of pictures of labels, each of one of `photos`: 0 names nothing, 1 the first of `names`, and so on;
/// without names a label is its number.
pub(super) fn labelled(
    paths: &[PathBuf],
    names: &[String],
    photos: &[(Picture, Option<Alpha>)],
) -> Result<Vec<Example>> {
    let mut points = Vec::new();
    for (photo, (path, (picture, _))) in paths.iter().zip(photos).enumerate() {
        points.extend(labels(path, photo, [picture.width, picture.height], names)?);
    }
    // Classes stand in the order of their labels.
    points.sort_by_key(|(label, _)| *label);
    Ok(points.into_iter().map(|(_, point)| point).collect())
}

/// The points of a picture of labels, and their labels.
fn labels(
    path: &Path,
    photo: usize,
    size: [u32; 2],
    names: &[String],
) -> Result<Vec<(u8, Example)>> {
    let bad = |reason: String| Error::image(path.display(), reason);
    let file = File::open(path).map_err(|e| Error::io(path.display(), e))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    // Indices of a palette stay what they are.
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(|e| bad(e.to_string()))?;
    let info = reader.info();
    let (found, kind, depth) = ([info.width, info.height], info.color_type, info.bit_depth);
    let flat = matches!(kind, png::ColorType::Grayscale | png::ColorType::Indexed);
    if !flat || depth != png::BitDepth::Eight {
        return Err(bad("expected a PNG of labels: grey or with a palette, 8 bits".into()));
    }
    if found != size {
        let [[w, h], [width, height]] = [found, size];
        return Err(bad(format!("{w} × {h} pixels: expected the photograph's {width} × {height}")));
    }
    let mut labels = vec![0; size[0] as usize * size[1] as usize];
    reader.next_frame(&mut labels).map_err(|e| bad(e.to_string()))?;
    let mut points = Vec::new();
    let blocks = |side: u32| (0..side).step_by(STEP as usize);
    for [top, left] in blocks(size[1]).flat_map(|y| blocks(size[0]).map(move |x| [y, x])) {
        let mut known = Vec::new();
        for y in top..(top + STEP).min(size[1]) {
            for x in left..(left + STEP).min(size[0]) {
                let label = labels[(y * size[0] + x) as usize];
                if label > 0 && !known.contains(&label) {
                    known.push(label);
                    let class = name(path, label, names)?;
                    points.push((label, Example { photo, class, x, y }));
                }
            }
        }
    }
    Ok(points)
}

fn name(path: &Path, label: u8, names: &[String]) -> Result<String> {
    if names.is_empty() {
        return Ok(label.to_string());
    }
    let named = names.get(usize::from(label) - 1).cloned();
    named.ok_or_else(|| {
        let many = names.len();
        Error::image(path.display(), format!("label {label}: names are given for 1 to {many}"))
    })
}

#[cfg(test)]
mod tests {
    use super::{Stroke, stroke};

    #[test]
    fn a_stroke_has_points_all_along() {
        let stroke = |corners: &[[u32; 2]]| {
            stroke(&Stroke { photo: 0, class: "a".into(), corners: corners.to_vec() })
        };
        let points = stroke(&[[10, 10], [30, 10], [30, 15]]);
        let places: Vec<[u32; 2]> = points.iter().map(|point| [point.x, point.y]).collect();
        let expected =
            [[10, 10], [14, 10], [18, 10], [22, 10], [26, 10], [30, 10], [30, 13], [30, 15]];
        assert_eq!(places, expected);
        assert_eq!(stroke(&[[7, 7]]).len(), 1);
        assert_eq!(stroke(&[[7, 7], [7, 7]]).len(), 2);
    }
}
