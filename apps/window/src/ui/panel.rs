//! The panel of the view: its tabs, its settings, the layer, detail, edges and opacity, and what is saved.

use eframe::egui::{Button, ComboBox, Response, Slider, TextEdit, Ui, Vec2};
use internvit::view::Edges;

use super::dialogs::Wanted;
use super::{App, legend, teach};
use crate::state::look::{Look, Pinning};
use crate::state::views::{VIEWS, View};
use crate::talk::{Detail, Known, Texts};

pub(super) fn show(app: &mut App, ui: &mut Ui) {
    tabs(app, ui);
    let about = app.desk.look.view.about();
    ui.heading(about.title);
    ui.label(about.about);
    ui.separator();
    let Some(known) = app.desk.known().cloned() else { return };
    if let Some(why) = about.view.lacking(&known) {
        ui.label(why);
        if ui.button("Choose a model that can").clicked() {
            app.listing = true;
        }
        return;
    }
    if about.view == View::Teach {
        teach::show(app, ui);
    }
    let before = app.desk.look.clone();
    settings(&mut app.desk.look, &known, ui);
    layer(&mut app.desk.look, &known, ui);
    if about.view != View::Labels {
        drawing(&mut app.desk.look, ui);
    }
    // The opacity alone changes nothing of what was computed.
    let drawn = Look { opacity: before.opacity, ..app.desk.look.clone() };
    if drawn != before {
        app.desk.changed();
    }
    if let Some(prompt) = app.desk.look.prompt(&known) {
        ui.strong(prompt);
    }
    ui.separator();
    legend::show(&app.desk, ui);
    ui.add_space(8.0);
    saving(app, ui);
}

fn tabs(app: &mut App, ui: &mut Ui) {
    let mut chosen = None;
    // Three in a row.
    for (row, views) in VIEWS.chunks(3).enumerate() {
        ui.horizontal(|ui| {
            for (at, about) in views.iter().enumerate() {
                let able = app.desk.known().is_none_or(|known| about.view.lacking(known).is_none());
                let text = eframe::egui::RichText::new(about.title);
                let text = if able { text } else { text.weak() };
                let button = Button::selectable(app.desk.look.view == about.view, text);
                let response = ui.add(button.min_size(Vec2::new(88.0, 28.0)));
                let key = 3 * row + at + 1;
                if response.on_hover_text(format!("Key {key}, or Ctrl {key}")).clicked() {
                    chosen = Some(about.view);
                }
            }
        });
    }
    if let Some(view) = chosen {
        app.desk.view(view);
    }
}

fn settings(look: &mut Look, known: &Known, ui: &mut Ui) {
    match look.view {
        View::Pca => {
            ui.horizontal(|ui| {
                ui.checkbox(&mut look.foreground, "Foreground only");
                ui.add_enabled_ui(look.foreground, |ui| ui.toggle_value(&mut look.swap, "Swap"));
            });
            ui.horizontal(|ui| {
                let keep =
                    ui.checkbox(&mut look.keep_colours, "Same colours for all layers, pictures");
                // The next colours are kept anew.
                if keep.changed() {
                    look.colours_kept = false;
                }
            });
        }
        View::Similarity => {
            ui.horizontal(|ui| {
                ui.radio_value(&mut look.pinning, Pinning::One, "pins");
                ui.radio_value(&mut look.pinning, Pinning::Alike, "+ alike");
                ui.radio_value(&mut look.pinning, Pinning::Unlike, "− unlike");
                if ui.add_enabled(!look.pins.is_empty(), Button::new("Let go")).clicked() {
                    look.release();
                }
            });
        }
        View::Clusters => {
            ui.add(Slider::new(&mut look.groups, 2..=16).text("Groups"));
        }
        View::Attention => attention(look, known, ui),
        View::Words => {
            let label = ui.label("Look for");
            let field = TextEdit::singleline(&mut look.text).hint_text("a red car").char_limit(300);
            ui.add(field).labelled_by(label.id);
        }
        View::Labels if known.labels == 0 && known.texts == Texts::Read => {
            let label = ui.label("Your words, one a line or with commas");
            ui.add(TextEdit::multiline(&mut look.labels).desired_rows(3).char_limit(4000))
                .labelled_by(label.id);
            let label = ui.label("Sentence they stand in");
            ui.add(TextEdit::singleline(&mut look.sentence).char_limit(300)).labelled_by(label.id);
            if !look.sentence.contains("{}") {
                ui.label("Write {} where the word goes.");
            }
        }
        View::Teach | View::Norms | View::Segmentation | View::Labels => {}
    }
}

fn attention(look: &mut Look, known: &Known, ui: &mut Ui) {
    ui.add_enabled_ui(!look.rollout, |ui| {
        let name =
            |head: Option<usize>| head.map_or("mean of all".into(), |head| (head + 1).to_string());
        ComboBox::from_label("Head").selected_text(name(look.head)).show_ui(ui, |ui| {
            for head in std::iter::once(None).chain((0..known.heads).map(Some)) {
                ui.selectable_value(&mut look.head, head, name(head));
            }
        });
    });
    ui.checkbox(&mut look.rollout, "Rollout: all layers combined");
    if ui.add_enabled(look.asking.is_some(), Button::new("Back to the whole picture")).clicked() {
        look.asking = None;
    }
}

fn layer(look: &mut Look, known: &Known, ui: &mut Ui) {
    let Some(first) = look.view.about().first_layer else { return };
    let mut layer = look.shown_layer(known.layers);
    if ui.add(Slider::new(&mut layer, first..=known.layers).text("Layer")).changed() {
        look.layer = (layer < known.layers).then_some(layer);
    }
}

fn drawing(look: &mut Look, ui: &mut Ui) {
    ui.horizontal(|ui| {
        ui.label("Detail");
        ui.radio_value(&mut look.detail, Detail::Quick, "quick");
        ui.radio_value(&mut look.detail, Detail::Fine, "fine");
        ui.radio_value(&mut look.detail, Detail::Finest, "finest");
    });
    ui.horizontal(|ui| {
        ui.label("Edges");
        for edges in Edges::ALL {
            ui.radio_value(&mut look.edges, edges, edges.name());
        }
    });
    ui.add(Slider::new(&mut look.opacity, 0..=100).suffix(" %").text("Overlay opacity"));
}

fn saving(app: &mut App, ui: &mut Ui) {
    let shown = app.desk.shown.as_ref();
    let (picture, data) = (
        shown.is_some_and(|shown| shown.paint.is_some()),
        shown.is_some_and(|shown| shown.map.is_some()),
    );
    let button = |ui: &mut Ui, able: bool, text: &str| -> Response {
        ui.add_enabled(able, Button::new(text))
    };
    let mut wanted = None;
    ui.horizontal_wrapped(|ui| {
        if button(ui, picture, "Save picture").on_hover_text("Ctrl S").clicked() {
            wanted = Some(Wanted::Picture);
        }
        if app.desk.look.view != View::Teach {
            if button(ui, data, "Save view’s data (.npy)").clicked() {
                wanted = Some(Wanted::Data);
            }
        } else {
            if button(ui, picture, "Save cut-out").clicked() {
                wanted = Some(Wanted::CutOut(teach::taught_class(&app.desk)));
            }
            if button(ui, picture, "Save mask").clicked() {
                wanted = Some(Wanted::Mask);
            }
        }
    });
    if let Some(wanted) = wanted {
        app.ask(wanted);
    }
}
