//! The strip of the photographs.

use eframe::egui::{Button, Image, ScrollArea, Ui, Vec2};

use super::App;

/// Points of the screen.
pub(super) const HEIGHT: f32 = 104.0;
const SIDE: f32 = 80.0;

pub(super) fn show(app: &mut App, ui: &mut Ui) {
    let (mut chosen, mut removed) = (None, None);
    ScrollArea::horizontal().auto_shrink(false).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            for shot in &app.desk.shots.list {
                let on_stage = app.desk.shots.chosen == Some(shot.id);
                let button = match &shot.small {
                    Some(pixels) => {
                        let texture = app.textures.small(ui.ctx(), shot.id, pixels);
                        let image = Image::from_texture(texture)
                            .max_size(Vec2::splat(SIDE))
                            .alt_text(&shot.name);
                        Button::image(image)
                    }
                    None => Button::new(internvit::error::short(&shot.name, 12))
                        .min_size(Vec2::splat(SIDE)),
                };
                let why = shot.failed.as_deref().unwrap_or(&shot.name);
                let response = ui.add(button.selected(on_stage)).on_hover_text(why);
                if response.clicked() {
                    chosen = Some(shot.id);
                }
                response.context_menu(|ui| {
                    if ui.button("Take away").clicked() {
                        removed = Some(shot.id);
                    }
                });
            }
        });
    });
    if let Some(id) = chosen {
        app.desk.choose(id);
    }
    if let Some(id) = removed {
        app.textures.forget(id);
        app.desk.remove(id);
    }
}
