//! The panel of a lesson: brush and eraser, classes, the method, what is shown and kept of it.

use eframe::egui::{Button, ComboBox, DragValue, Slider, TextEdit, Ui};
use internvit::weights::Method;

use super::App;
use super::dialogs::Wanted;
use crate::state::Desk;
use crate::state::lesson::{Depth, Lesson, RADII};
use crate::talk::Showing;

pub(super) fn show(app: &mut App, ui: &mut Ui) {
    tools(&mut app.desk, ui);
    classes(&mut app.desk, ui);
    if let (Some(next), false) = (app.desk.teaching.now().next(), app.desk.loaded) {
        ui.strong(next);
    }
    showing(&mut app.desk, ui);
    ui.collapsing("Method", |ui| method(&mut app.desk, ui));
    let taught = app.desk.taught.is_some();
    let mut wanted = None;
    ui.horizontal(|ui| {
        if ui.add_enabled(taught, Button::new("Save what it learned")).clicked() {
            wanted = Some(Wanted::Lesson);
        }
        if ui.button("Load").clicked() {
            wanted = Some(Wanted::Head);
        }
    });
    if let Some(wanted) = wanted {
        app.ask(wanted);
    }
    ui.separator();
}

fn tools(desk: &mut Desk, ui: &mut Ui) {
    let [undo, redo] = desk.teaching.can();
    let mut step = None;
    ui.horizontal(|ui| {
        ui.radio_value(&mut desk.teaching.erases, false, "Brush").on_hover_text("Key B");
        ui.radio_value(&mut desk.teaching.erases, true, "Eraser").on_hover_text("Key E");
        if ui.add_enabled(undo, Button::new("Undo")).on_hover_text("Ctrl Z").clicked() {
            step = Some(false);
        }
        if ui.add_enabled(redo, Button::new("Redo")).on_hover_text("Ctrl Shift Z").clicked() {
            step = Some(true);
        }
    });
    let name = RADII[desk.teaching.size.min(RADII.len() - 1)].1;
    let slider = Slider::new(&mut desk.teaching.size, 0..=RADII.len() - 1).show_value(false);
    ui.add(slider.text(format!("Size: {name}"))).on_hover_text("Keys [ and ]");
    if let Some(again) = step {
        desk.undo(again);
    }
}

fn classes(desk: &mut Desk, ui: &mut Ui) {
    let (mut next, mut removed) = (desk.teaching.now().clone(), None);
    let many = next.classes.len() > 2;
    for at in 0..next.classes.len() {
        let amount = next.amount(at);
        let class = &mut next.classes[at];
        ui.horizontal(|ui| {
            let paint = format!("Paint {} (key {})", class.name, at + 1);
            ui.name_inputs(&paint, |ui| {
                ui.radio_value(&mut desk.teaching.class, at, "").on_hover_text(&paint);
            });
            ui.name_inputs(format!("Colour of class {}", at + 1), |ui| {
                ui.color_edit_button_srgb(&mut class.colour);
            });
            ui.name_inputs(format!("Name of class {}", at + 1), |ui| {
                let field = TextEdit::singleline(&mut class.name);
                ui.add(field.desired_width(90.0).char_limit(40));
            });
            ui.weak(amount);
            if ui.add_enabled(many, Button::new("×")).on_hover_text("Delete this class").clicked()
            {
                removed = Some(at);
            }
        });
    }
    if next != *desk.teaching.now() {
        desk.teaching.edit(|lesson| *lesson = next);
        desk.changed();
    }
    if let Some(class) = removed {
        desk.teaching.remove_class(class);
        desk.changed();
    }
    ui.horizontal(|ui| {
        if ui.button("Add a class").clicked() {
            desk.teaching.add_class();
        }
        if ui.button("Clear all").clicked() {
            desk.teaching.edit(|lesson| *lesson = Lesson::default());
            desk.changed();
        }
    });
}

/// What is shown of the lesson.
fn showing(desk: &mut Desk, ui: &mut Ui) {
    let names = desk.taught.as_ref().map_or(Vec::new(), |taught| taught.names.clone());
    let name = |showing: Showing| match showing {
        Showing::Classes => "classes".into(),
        Showing::Probability(class) => {
            format!("probability of {}", names.get(class).map_or("it", String::as_str))
        }
        Showing::Unsure => "where it is unsure".into(),
    };
    let mut all = vec![Showing::Classes];
    all.extend((0..names.len()).map(Showing::Probability));
    all.push(Showing::Unsure);
    let before = desk.look.showing;
    ComboBox::from_label("Show").selected_text(name(before)).show_ui(ui, |ui| {
        for showing in all {
            ui.selectable_value(&mut desk.look.showing, showing, name(showing));
        }
    });
    if desk.look.showing != before {
        desk.changed();
    }
}

fn method(desk: &mut Desk, ui: &mut Ui) {
    let mut next = desk.teaching.now().clone();
    let name = |method| match method {
        Method::Walk => "spreads along what is alike",
        Method::Linear => "each patch by itself, linear",
        Method::Mlp => "each patch by itself, two layers",
        _ => "in another way",
    };
    ComboBox::from_label("Method").selected_text(name(next.method)).show_ui(ui, |ui| {
        for method in [Method::Walk, Method::Linear, Method::Mlp] {
            ui.selectable_value(&mut next.method, method, name(method));
        }
    });
    let name = |depth| match depth {
        Depth::Two => "two: with two thirds of the way",
        Depth::Last => "the chosen one alone",
        Depth::Three => "three: with one and two thirds",
    };
    ComboBox::from_label("Layers").selected_text(name(next.depth)).show_ui(ui, |ui| {
        for depth in [Depth::Two, Depth::Last, Depth::Three] {
            ui.selectable_value(&mut next.depth, depth, name(depth));
        }
    });
    ui.add(Slider::new(&mut next.smooth, 0..=50).text("Smoothing"));
    ui.horizontal(|ui| {
        let label = ui.label("Smallest part, pixels");
        ui.add(DragValue::new(&mut next.least).range(0..=100_000)).labelled_by(label.id);
    });
    if next != *desk.teaching.now() {
        desk.teaching.edit(|lesson| *lesson = next);
        desk.changed();
    }
}

/// The place of the class in hand among those that were taught.
pub(super) fn taught_class(desk: &Desk) -> usize {
    let class = &desk.teaching.now().classes[desk.teaching.class];
    let names = desk.taught.as_ref().map(|taught| &taught.names);
    names.and_then(|names| names.iter().position(|name| *name == class.name)).unwrap_or(0)
}
