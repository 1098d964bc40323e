//! Points and strokes on a photograph: painted, erased, and as cells that a lesson names.

use std::collections::BTreeMap;

use crate::talk::ShotId;

/// A point, or a stroke along a path, in the photograph's pixels: so it outlives another number of patches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trace {
    /// The photograph.
    pub(crate) shot: ShotId,
    /// Its places; one of a point.
    pub(crate) path: Vec<[f32; 2]>,
    /// In parts of the photograph's longer side; 0 for a pixel.
    pub(crate) radius: f32,
    /// The class's place among the lesson's.
    pub(crate) class: usize,
}

/// What a photograph is measured by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sheet {
    /// The part that the model saw: left, top, width, height in pixels.
    pub(crate) region: [f64; 4],
    /// Rows and columns of patches.
    pub(crate) grid: [usize; 2],
}

/// A cell that a trace covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Its patch.
    pub(crate) patch: usize,
    /// A pixel of it.
    pub(crate) at: [u32; 2],
    pub(crate) class: usize,
}

/// Patches up to which the engine's cells are half a patch wide.
const MOST_PATCHES: usize = 4096;
/// The finest distance between places of a stroke, in parts of the longer side.
const FINEST: f32 = 1.0 / 256.0;

impl Sheet {
    fn longer(&self) -> f32 {
        self.region[2].max(self.region[3]) as f32
    }

    /// The distance of two places, in parts of the longer side.
    fn distance(&self, a: [f32; 2], b: [f32; 2]) -> f32 {
        (a[0] - b[0]).hypot(a[1] - b[1]) / self.longer().max(1.0)
    }

    /// Half a cell of the engine's: what lies so near to what is painted gives way.
    fn half_cell(&self) -> f32 {
        0.25 / self.grid[0].max(self.grid[1]).max(1) as f32
    }

    /// The patch that shows a pixel; none where the model did not see it.
    pub(crate) fn patch(&self, at: [f32; 2]) -> Option<usize> {
        let [left, top, width, height] = self.region.map(|v| v as f32);
        let [rows, cols] = self.grid;
        let (x, y) = ((at[0] - left) / width, (at[1] - top) / height);
        let inside = (0.0..1.0).contains(&x) && (0.0..1.0).contains(&y);
        inside.then(|| (y * rows as f32) as usize * cols + (x * cols as f32) as usize)
    }

    /// The places from one to another, the first left out, near enough for a stroke of a radius.
    pub(crate) fn between(&self, from: [f32; 2], to: [f32; 2], radius: f32) -> Vec<[f32; 2]> {
        let steps = (self.distance(from, to) / FINEST.max(radius / 2.0)).ceil() as usize;
        let along = |at: usize| (at + 1) as f32 / steps as f32;
        (0..steps).map(|at| [0, 1].map(|i| from[i] + (to[i] - from[i]) * along(at))).collect()
    }
}

/// Traces without what lies within a radius of some places; strokes fall into parts.
pub(crate) fn erased(
    traces: &[Trace],
    shot: ShotId,
    places: &[[f32; 2]],
    radius: f32,
    sheet: &Sheet,
) -> Vec<Trace> {
    let mut left = Vec::new();
    for trace in traces {
        let near = radius.max(sheet.half_cell()) + trace.radius / 2.0;
        let hit = |at: &[f32; 2]| places.iter().any(|place| sheet.distance(*place, *at) <= near);
        if trace.shot != shot || !trace.path.iter().any(hit) {
            left.push(trace.clone());
            continue;
        }
        let runs = trace.path.split(|at| hit(at)).filter(|run| !run.is_empty());
        left.extend(runs.map(|run| Trace { path: run.to_vec(), ..trace.clone() }));
    }
    left
}

/// Traces with places of a class painted; other classes give way. With `grow` the last trace goes on.
pub(crate) fn painted(traces: &[Trace], next: Trace, grow: bool, sheet: &Sheet) -> Vec<Trace> {
    let (own, others): (Vec<Trace>, Vec<Trace>) =
        traces.iter().cloned().partition(|trace| trace.class == next.class);
    let mut list = erased(&others, next.shot, &next.path, next.radius, sheet);
    list.extend(own);
    match list.last_mut() {
        Some(last) if grow && last.class == next.class && last.shot == next.shot => {
            last.path.extend(next.path)
        }
        _ => list.push(next),
    }
    list
}

/// The place of the point of a class at a pixel.
pub(crate) fn point_at(
    traces: &[Trace],
    shot: ShotId,
    at: [f32; 2],
    class: usize,
    sheet: &Sheet,
) -> Option<usize> {
    traces.iter().position(|trace| {
        let own = trace.shot == shot && trace.class == class && trace.path.len() == 1;
        own && sheet.distance(trace.path[0], at) <= trace.radius.max(2.0 * sheet.half_cell())
    })
}

/// A pixel for each cell that traces cover, in the order of painting; the later trace has it.
pub(crate) fn cells(traces: &[Trace], sheet: &Sheet) -> Vec<Cell> {
    let [rows, cols] = sheet.grid;
    let factor = if rows * cols <= MOST_PATCHES { 2 } else { 1 };
    let [down, across] = [rows * factor, cols * factor];
    let [left, top, width, height] = sheet.region.map(|v| v as f32);
    let [tall, wide] = [height / down as f32, width / across as f32];
    let mut found: BTreeMap<[usize; 2], (usize, Cell)> = BTreeMap::new();
    let mut count = 0;
    let mut name = |at: [f32; 2], class: usize| {
        let Some(patch) = sheet.patch(at) else { return };
        let row = (((at[1] - top) / tall) as usize).min(down - 1);
        let col = (((at[0] - left) / wide) as usize).min(across - 1);
        count += 1;
        found.insert([row, col], (count, Cell { patch, at: at.map(|v| v.max(0.0) as u32), class }));
    };
    for trace in traces {
        let reach = trace.radius * sheet.longer();
        for at in &trace.path {
            let rows = ((at[1] - reach - top) / tall).floor() as isize
                ..=((at[1] + reach - top) / tall) as isize;
            let cols = ((at[0] - reach - left) / wide).floor() as isize
                ..=((at[0] + reach - left) / wide) as isize;
            // The middles of the cells that the brush covers there.
            for row in rows {
                for col in cols.clone() {
                    let middle =
                        [left + (col as f32 + 0.5) * wide, top + (row as f32 + 0.5) * tall];
                    if (middle[0] - at[0]).hypot(middle[1] - at[1]) <= reach {
                        name(middle, trace.class);
                    }
                }
            }
            name(*at, trace.class);
        }
    }
    let mut list: Vec<(usize, Cell)> = found.into_values().collect();
    list.sort_by_key(|(order, _)| *order);
    list.into_iter().map(|(_, cell)| cell).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const SHEET: Sheet = Sheet { region: [0.0, 0.0, 160.0, 80.0], grid: [4, 8] };

    fn point(at: [f32; 2], class: usize) -> Trace {
        Trace { shot: 1, path: vec![at], radius: 0.0, class }
    }

    #[test]
    fn a_point_names_the_cell_of_its_pixel() {
        let found = cells(&[point([30.0, 10.0], 1)], &SHEET);
        assert_eq!(found, [Cell { patch: 1, at: [30, 10], class: 1 }]);
        assert!(cells(&[point([160.5, 10.0], 1)], &SHEET).is_empty(), "beyond what the model saw");
    }

    #[test]
    fn a_wide_stroke_names_all_cells_below_it_once() {
        let mut path = vec![[20.0, 40.0]];
        path.extend(SHEET.between([20.0, 40.0], [120.0, 40.0], 0.0625));
        let stroke = Trace { shot: 1, path, radius: 0.0625, class: 0 };
        let found = cells(&[stroke], &SHEET);
        let mut places: Vec<[u32; 2]> =
            found.iter().map(|cell| [cell.at[0] / 10, cell.at[1] / 10]).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), found.len());
        assert!((20..=28).contains(&found.len()), "{}", found.len());
        assert!(found.iter().all(|cell| (30..50).contains(&cell.at[1])));
    }

    #[test]
    fn the_later_class_has_a_cell() {
        let found = cells(&[point([30.0, 10.0], 0), point([31.0, 11.0], 1)], &SHEET);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].class, 1);
    }

    #[test]
    fn other_classes_give_way_to_what_is_painted() {
        let list = painted(&[point([30.0, 10.0], 0)], point([31.0, 10.0], 1), false, &SHEET);
        assert_eq!(list, [point([31.0, 10.0], 1)]);
        let other = Trace { shot: 2, ..point([30.0, 10.0], 0) };
        assert_eq!(
            painted(std::slice::from_ref(&other), point([30.0, 10.0], 1), false, &SHEET)[0],
            other
        );
    }

    #[test]
    fn an_eraser_cuts_a_stroke_in_two() {
        let path = (0..16).map(|x| [10.0 * x as f32, 40.0]).collect();
        let stroke = Trace { shot: 1, path, radius: 0.0, class: 0 };
        let left = erased(std::slice::from_ref(&stroke), 1, &[[70.0, 40.0]], 0.01, &SHEET);
        assert_eq!(left.iter().map(|trace| trace.path.len()).collect::<Vec<_>>(), [7, 8]);
        assert_eq!(
            erased(std::slice::from_ref(&stroke), 2, &[[70.0, 40.0]], 0.01, &SHEET),
            [stroke]
        );
    }

    #[test]
    fn a_stroke_goes_on_in_its_own_trace() {
        let first = painted(&[], point([10.0, 10.0], 0), false, &SHEET);
        let more = painted(&first, point([20.0, 10.0], 0), true, &SHEET);
        assert_eq!((more.len(), more[0].path.len()), (1, 2));
    }
}
