//! What a view is drawn with: pixels over the part of the photograph that the model saw.

use internvit::Result;
use internvit::view::{Fine, Map, Soft, heat};

use crate::talk::{Paint, Showing};

/// The paint of a map; `fine` is the map at the resolution of pixels, where it is wanted so.
pub(super) fn of_map(map: &Map, fine: Option<Fine>) -> Paint {
    let squares = fine.is_none();
    let Fine { mut rgba, labels, width, height } = fine.unwrap_or_else(|| Fine {
        rgba: map.rgba.clone(),
        labels: map.labels.clone(),
        width: map.width,
        height: map.height,
    });
    if map.outlined && !squares {
        outline(&mut rgba, &labels, width);
    }
    Paint { width, height, rgba, squares }
}

/// Black lines where labels change.
fn outline(rgba: &mut [u8], labels: &[u8], width: usize) {
    let pixels = rgba.as_chunks_mut::<4>().0;
    for (at, pixel) in pixels.iter_mut().enumerate() {
        let Some(own) = labels.get(at) else { return };
        let right = labels.get(at + 1).filter(|_| (at + 1) % width != 0);
        let ahead = [right, labels.get(at + width)];
        if ahead.into_iter().flatten().any(|other| other != own) {
            *pixel = [0, 0, 0, 255];
        }
    }
}

/// The paint of a lesson.
pub(super) fn of_lesson(soft: &Soft, palette: &[[u8; 3]], showing: Showing) -> Result<Paint> {
    let [height, width] = soft.size();
    let light = |values: &[f32]| -> Vec<u8> {
        values.iter().flat_map(|value| heat(*value)).collect::<Vec<u8>>()
    };
    let rgb = match showing {
        Showing::Classes => {
            let labels = soft.named()?.labels;
            let colour = |label: &i32| palette.get(*label as usize).copied().unwrap_or_default();
            labels.iter().flat_map(colour).collect()
        }
        Showing::Probability(class) => {
            light(&soft.plane(class.min(soft.classes().saturating_sub(1)))?)
        }
        Showing::Unsure => light(&soft.named()?.unsure),
    };
    let rgba = rgb.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect();
    Ok(Paint { width, height, rgba, squares: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_drawn_between_labels_alone() {
        let mut rgba = vec![200; 4 * 12];
        outline(&mut rgba, &[0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0], 4);
        let black: Vec<usize> = (0..12).filter(|at| rgba[4 * at] == 0).collect();
        assert_eq!(black, [1, 5, 6, 7]);
    }
}
