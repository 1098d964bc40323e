//! What lies under the pointer, in words.

use super::Desk;
use super::views::View;

/// What a view says of a pixel of the photograph on the stage.
pub(crate) fn describe(desk: &Desk, at: [f32; 2]) -> Option<String> {
    let sheet = desk.sheet()?;
    let patch = sheet.patch(at)?;
    let shown = desk.shown.as_ref()?;
    let map = shown.map.as_ref()?;
    let value = |at: usize| map.values.get(at).copied();
    let name = || {
        let [left, top, width, height] = shown.region.map(|v| v as f32);
        let col = ((at[0] - left) / width * map.width as f32) as usize;
        let row = ((at[1] - top) / height * map.height as f32) as usize;
        let label = map.labels.get(row * map.width + col)?;
        map.names.get(usize::from(*label)).cloned()
    };
    match desk.look.view {
        View::Pca => {
            let three = map.values.get(3 * patch..3 * patch + 3)?;
            let three: Vec<String> = three.iter().map(|value| format!("{value:.2}")).collect();
            Some(format!("components {}", three.join(", ")))
        }
        View::Similarity | View::Words => Some(format!("cosine {:.3}", value(patch)?)),
        View::Attention => {
            Some(format!("{:.2} % of the attention", 100.0 * map.shown().get(patch)?))
        }
        View::Norms => Some(format!("norm {:.2}", value(patch)?)),
        View::Clusters => name(),
        View::Segmentation => name().map(|name| format!("perhaps {name}")),
        View::Teach | View::Labels => None,
    }
}
