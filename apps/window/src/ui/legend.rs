//! What the colours of a view mean.

use eframe::egui::{Color32, CornerRadius, Pos2, ProgressBar, Rect, Sense, Ui, Vec2};
use internvit::view::{Map, heat};

use crate::state::Desk;
use crate::state::views::View;

/// Entries at most, and the part of a picture in percent from which on a guess is named.
const MOST: usize = 24;
const LEAST: f64 = 1.0;

pub(super) fn show(desk: &Desk, ui: &mut Ui) {
    let Some(shown) = &desk.shown else { return };
    for guess in &shown.labels {
        let share = guess.probability;
        ui.label(&guess.name);
        let percent = if share > 0.0 && share < 0.001 {
            "< 0.1 %".into()
        } else {
            format!("{:.1} %", 100.0 * share)
        };
        ui.add(ProgressBar::new(share).text(percent));
    }
    if let Some(map) = &shown.map {
        if map.names.is_empty() {
            scale(map, ui);
        } else {
            classes(map, desk.look.view == View::Segmentation, ui);
        }
    }
    if let (Some(taught), View::Teach) = (&desk.taught, desk.look.view) {
        for (name, colour) in taught.names.iter().zip(&taught.palette) {
            ui.horizontal(|ui| {
                swatch(*colour, ui);
                ui.label(name);
            });
        }
    }
}

fn classes(map: &Map, guessed: bool, ui: &mut Ui) {
    let mut list: Vec<(usize, f64)> = map.shares.iter().copied().enumerate().collect();
    list.retain(|(_, share)| *share > if guessed { LEAST } else { 0.0 });
    list.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    for (class, share) in list.into_iter().take(MOST) {
        let name = map.names.get(class).map_or("", String::as_str);
        ui.horizontal(|ui| {
            swatch(map.palette.get(class).copied().unwrap_or_default(), ui);
            // A word is asked, not claimed.
            ui.label(if guessed { format!("{name}?") } else { name.into() });
            ui.weak(if share < 0.1 { "< 0.1 %".into() } else { format!("{share:.1} %") });
        });
    }
}

/// The values of the darkest and the brightest colour.
fn scale(map: &Map, ui: &mut Ui) {
    let Some([low, high]) = map.range else { return };
    let number = |value: f32| {
        if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
    };
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 12.0), Sense::hover());
    const STEPS: usize = 64;
    let width = rect.width() / STEPS as f32;
    // A rectangle for each step of the scale.
    for step in 0..STEPS {
        let [r, g, b] = heat(step as f32 / (STEPS - 1) as f32);
        let left = rect.left() + step as f32 * width;
        let part = Rect::from_min_max(
            Pos2::new(left, rect.top()),
            Pos2::new(left + width + 0.5, rect.bottom()),
        );
        ui.painter().rect_filled(part, CornerRadius::ZERO, Color32::from_rgb(r, g, b));
    }
    ui.horizontal(|ui| ui.weak(format!("{} to {}", number(low), number(high))));
}

/// A square of a colour.
pub(super) fn swatch([r, g, b]: [u8; 3], ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(12.0), Sense::hover());
    ui.painter().rect_filled(rect, CornerRadius::same(2), Color32::from_rgb(r, g, b));
}
