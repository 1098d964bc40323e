//! The window: what egui shows of the state, and what of egui's input becomes a change of it.

mod canvas;
mod dialogs;
mod dropped;
mod keys;
mod legend;
mod models;
mod panel;
mod strip;
mod teach;
#[cfg(test)]
mod tests;
mod textures;

use std::path::{Path, PathBuf};

use eframe::egui::{
    self, Align, CentralPanel, Context, Layout, Panel, ProgressBar, RichText, Ui, ViewportCommand,
};
use internvit::photos;

use self::dialogs::{Answer, Dialogs, Wanted};
use self::dropped::Sorted;
use self::textures::Textures;
use crate::device::Shared;
use crate::engine::Engine;
use crate::reader::Reader;
use crate::state::{Desk, Model};
use crate::talk::{Opening, Save};

/// The window.
pub(crate) struct App {
    desk: Desk,
    engine: Engine,
    reader: Reader,
    dialogs: Dialogs,
    textures: Textures,
    /// The device that draws, where it is known.
    shared: Option<Shared>,
    models: models::Form,
    /// Whether the list of models is shown.
    listing: bool,
    title: String,
}

impl App {
    /// A window over these photographs.
    pub(crate) fn new(
        ctx: &Context,
        shared: Option<Shared>,
        opening: Opening,
        photographs: Vec<PathBuf>,
        recent_file: Option<PathBuf>,
    ) -> Self {
        let (heard, read, asked) = (ctx.clone(), ctx.clone(), ctx.clone());
        let mut app = Self {
            models: models::Form::new(&opening),
            desk: Desk::new(opening, recent_file),
            engine: Engine::start(shared.clone(), move || heard.request_repaint()),
            reader: Reader::start(move || read.request_repaint()),
            dialogs: Dialogs::new(move || asked.request_repaint()),
            textures: Textures::default(),
            shared,
            listing: false,
            title: String::new(),
        };
        app.add(photographs);
        app
    }

    /// Adds photographs, and those of folders.
    fn add(&mut self, paths: Vec<PathBuf>) {
        let mut all = Vec::new();
        for path in paths {
            if !path.is_dir() {
                all.push(path);
                continue;
            }
            match photos::folder(&path) {
                Ok(found) => all.extend(found.photos),
                Err(error) => self.desk.trouble(error.to_string()),
            }
        }
        self.desk.add(all);
    }

    /// Draws the window, and passes on what was asked and answered.
    pub(crate) fn show(&mut self, ui: &mut Ui) {
        self.hear();
        self.take_dropped(ui.ctx());
        keys::read(self, ui.ctx());
        Panel::top("bar").show(ui, |ui| self.bar(ui));
        Panel::bottom("status").show(ui, |ui| self.status(ui));
        Panel::bottom("strip").exact_size(strip::HEIGHT).show(ui, |ui| strip::show(self, ui));
        Panel::right("view").exact_size(300.0).resizable(false).show(ui, |ui| {
            egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| panel::show(self, ui));
        });
        CentralPanel::default().show(ui, |ui| canvas::show(self, ui));
        models::show(self, ui.ctx());
        self.send();
        self.title(ui.ctx());
    }

    /// Names the photograph and the view in the window's title once they are shown.
    fn title(&mut self, ctx: &Context) {
        let shot = self.desk.shots.chosen.and_then(|id| self.desk.shots.get(id));
        let title = match shot.filter(|_| self.desk.settled()) {
            Some(shot) => format!("{}: {}", shot.name, self.desk.look.view.about().title),
            None => "InternViT".into(),
        };
        if title != self.title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    fn hear(&mut self) {
        for answer in self.reader.answers() {
            match answer {
                Ok(read) => self.desk.take(read),
                Err((shot, why)) => self.desk.unread(shot, why),
            }
        }
        for told in self.engine.told() {
            self.desk.hear(told);
        }
        if let Some(Err(error)) = self.shared.as_ref().map(Shared::check) {
            self.desk.trouble(error.to_string());
        }
        for answer in self.dialogs.answers() {
            self.answered(answer);
        }
    }

    fn send(&mut self) {
        for reading in self.desk.next_readings() {
            self.reader.read(reading);
        }
        for ask in self.desk.next_asks() {
            if !self.engine.ask(ask) {
                self.desk.trouble("The engine has ended. Close the window and open it again.");
            }
        }
    }

    /// Files that were dropped on the window.
    fn take_dropped(&mut self, ctx: &Context) {
        let dropped: Vec<PathBuf> = ctx.input(|input| {
            input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect()
        });
        if dropped.is_empty() {
            return;
        }
        let Sorted { photographs, model, head, why } = dropped::sort(dropped);
        self.add(photographs);
        if let Some(model) = model {
            self.open_model(&model.display().to_string());
        }
        head.into_iter().for_each(|head| self.desk.load(head));
        why.into_iter().for_each(|why| self.desk.trouble(why));
    }

    /// Opens a model by its name or path, as the others were opened.
    fn open_model(&mut self, name: &str) {
        let opening = self.models.opening(name, self.desk.opening());
        self.desk.open_model(opening);
    }

    fn ask(&mut self, wanted: Wanted) {
        self.dialogs.ask(wanted);
    }

    /// What was chosen in a dialog.
    fn answered(&mut self, answer: Answer) {
        let Answer { wanted, paths, shown } = answer;
        if !shown {
            let why = "This system shows no dialogs. Drop files on the window, or name them when you start it.";
            return self.desk.trouble(why);
        }
        let Some(path) = paths.first().cloned() else { return };
        let opacity = self.desk.look.opacity;
        match wanted {
            Wanted::Photographs | Wanted::Folder => self.add(paths),
            Wanted::Model => self.open_model(&path.display().to_string()),
            Wanted::Head => self.desk.load(path),
            Wanted::Picture => self.desk.save(Save::Picture { to: path, opacity }),
            Wanted::Data => self.desk.save(Save::Data { to: path }),
            Wanted::Lesson => self.desk.save(Save::Head { to: path }),
            Wanted::Mask => self.desk.save(Save::Mask { to: path }),
            Wanted::CutOut(class) => self.desk.save(Save::CutOut { to: path, class }),
        }
    }

    fn bar(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            if ui.button("Add pictures").on_hover_text("Ctrl O, or drop them here").clicked() {
                self.ask(Wanted::Photographs);
            }
            if ui.button("Add a folder").clicked() {
                self.ask(Wanted::Folder);
            }
            let recent = self.desk.recent.photographs.clone();
            ui.add_enabled_ui(!recent.is_empty(), |ui| {
                ui.menu_button("Recent", |ui| {
                    for path in &recent {
                        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                        let button = ui.button(internvit::error::short(name, 60));
                        if button.on_hover_text(path.display().to_string()).clicked() {
                            self.add(vec![path.clone()]);
                        }
                    }
                });
            });
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let text = match &self.desk.model {
                    Model::Open(_, known) => {
                        format!("{} on {}", last_part(&known.name), known.device)
                    }
                    Model::Opening(opening) => format!("Opening {}", last_part(&opening.model)),
                    Model::Failed(_) => "No model".into(),
                };
                let chip = ui.selectable_label(self.listing, text);
                if chip.on_hover_text("Models, devices and precisions (key M)").clicked() {
                    self.listing = !self.listing;
                }
            });
        });
    }

    fn status(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            let status = &self.desk.status;
            if let Some(share) = status.share {
                ui.add(ProgressBar::new(share).desired_width(160.0).show_percentage());
            }
            let opening = matches!(self.desk.model, Model::Opening(_));
            if opening && ui.button("Cancel").clicked() {
                self.engine.cancel_opening();
            }
            let text = RichText::new(if status.text.is_empty() { " " } else { &status.text });
            let text = if status.trouble { text.color(ui.visuals().error_fg_color) } else { text };
            ui.add(egui::Label::new(text).truncate()).on_hover_text(&status.text);
        });
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.show(ui);
    }
}

/// The last part of a path, or of a name.
fn last_part(name: &str) -> String {
    let last =
        Path::new(name).file_name().map_or_else(|| name.into(), |last| last.to_string_lossy());
    internvit::error::short(last, 40)
}
