//! The list of models, and where they compute.

use eframe::egui::{Button, ComboBox, Context, ScrollArea, TextEdit, Ui, Window};
use internvit::gpu::Precision;
use internvit::model::{Purpose, published};
use internvit::{Checkpoint, Device};

use super::App;
use super::dialogs::Wanted;
use crate::state::Model;
use crate::state::published::{told, told_built_in};
use crate::talk::{Opening, Place};

/// Precisions, and what is said of them.
const PRECISIONS: [(Precision, &str); 5] = [
    (Precision::F32, "f32: exact"),
    (Precision::F16, "f16: half the memory, on GPUs"),
    (Precision::Int8, "int8: a quarter"),
    (Precision::W8A8, "w8a8: int8, multiplied as integers"),
    (Precision::Int4, "int4: an eighth"),
];

/// What is chosen in the list.
pub(super) struct Form {
    name: String,
    words: bool,
    device: String,
    precision: Precision,
    purposes: Vec<Purpose>,
}

impl Form {
    pub(super) fn new(opening: &Opening) -> Self {
        let device = match &opening.place.device {
            Device::Auto => "auto".into(),
            Device::Gpu => "gpu".into(),
            Device::Cpu => "cpu".into(),
            Device::Named(name) => name.clone(),
            _ => "auto".into(),
        };
        let (words, precision) = (opening.words, opening.place.precision);
        Self { name: String::new(), words, device, precision, purposes: published() }
    }

    /// How a model is opened by what is chosen here.
    pub(super) fn opening(&self, name: &str, before: &Opening) -> Opening {
        let Ok(device) = self.device.trim().parse::<Device>();
        let place = Place { device, precision: self.precision };
        Opening { model: name.trim().into(), words: self.words, place, ..before.clone() }
    }
}

pub(super) fn show(app: &mut App, ctx: &Context) {
    let (mut open, mut chosen) = (app.listing, None);
    Window::new("Models").open(&mut open).default_width(460.0).show(ctx, |ui| {
        used(app, ui);
        ui.separator();
        place(app, ui, &mut chosen);
        ui.separator();
        by_name(app, ui, &mut chosen);
        ui.separator();
        ScrollArea::vertical().max_height(320.0).show(ui, |ui| list(app, ui, &mut chosen));
    });
    app.listing = open;
    if let Some(name) = chosen {
        app.open_model(&name);
    }
}

/// The model in use.
fn used(app: &App, ui: &mut Ui) {
    match &app.desk.model {
        Model::Open(_, known) => {
            ui.label(format!(
                "{}: {} layers, {} heads, on {}.",
                known.name, known.layers, known.heads, known.device
            ));
            if known.shared {
                ui.weak("It computes on the device that draws this window.");
            }
            known.notes.iter().for_each(|note| drop(ui.weak(note)));
        }
        Model::Opening(opening) => drop(ui.label(format!("Opening {}.", opening.model))),
        Model::Failed(opening) => drop(ui.label(format!("{} could not be opened.", opening.model))),
    }
}

fn place(app: &mut App, ui: &mut Ui, chosen: &mut Option<String>) {
    let form = &mut app.models;
    ui.horizontal(|ui| {
        let label = ui.label("Device");
        let field = TextEdit::singleline(&mut form.device).desired_width(120.0).char_limit(200);
        let hover = "auto, gpu, cpu, or part of an adapter’s name";
        ui.add(field).labelled_by(label.id).on_hover_text(hover);
        let name = |precision| {
            PRECISIONS.iter().find(|(one, _)| *one == precision).map_or("", |(_, name)| *name)
        };
        ComboBox::from_label("Precision").selected_text(name(form.precision)).show_ui(ui, |ui| {
            for (precision, name) in PRECISIONS {
                ui.selectable_value(&mut form.precision, precision, name);
            }
        });
    });
    if ui.button("Apply to this model").clicked() {
        *chosen = Some(app.desk.opening().model.clone());
    }
}

fn by_name(app: &mut App, ui: &mut Ui, chosen: &mut Option<String>) {
    let label = ui.label("Model from Hugging Face, or a path");
    ui.horizontal(|ui| {
        let field = TextEdit::singleline(&mut app.models.name)
            .hint_text("owner/name@revision")
            .char_limit(4000);
        ui.add(field).labelled_by(label.id);
        let named = !app.models.name.trim().is_empty();
        if ui.add_enabled(named, Button::new("Open")).clicked() {
            *chosen = Some(app.models.name.clone());
        }
    });
    ui.checkbox(&mut app.models.words, "With words")
        .on_hover_text("Of models that read texts, what reads them is fetched too: twice as much");
    if ui.button("Open a model’s folder").clicked() {
        app.ask(Wanted::Model);
    }
}

fn list(app: &App, ui: &mut Ui, chosen: &mut Option<String>) {
    let mut row = |ui: &mut Ui, name: &str, told: &str| {
        if ui.button(name).clicked() {
            *chosen = Some(name.to_string());
        }
        if !told.is_empty() {
            ui.weak(told);
        }
    };
    Checkpoint::BUILT_IN.iter().for_each(|name| row(ui, name, told_built_in(name)));
    let recent = app.desk.recent.models.iter();
    let recent: Vec<&String> =
        recent.filter(|name| !Checkpoint::BUILT_IN.contains(&name.as_str())).collect();
    if !recent.is_empty() {
        ui.strong("Opened before");
        recent.into_iter().for_each(|name| row(ui, name, ""));
    }
    for purpose in &app.models.purposes {
        ui.collapsing(&purpose.title, |ui| {
            purpose.models.iter().for_each(|model| row(ui, &model.name, &told(model)));
        });
    }
}
