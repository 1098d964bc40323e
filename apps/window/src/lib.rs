//! A window over photographs: what a vision transformer sees of them, and lessons by a brush. It is what
//! `internvit open` shows; docs/window.md tells of it.
//!
//! `state` knows no user interface, `engine` and `reader` are threads of their own, `ui` draws the state and turns
//! input into changes of it. They tell each other what is in `talk`.

mod device;
mod engine;
mod reader;
mod state;
mod talk;
mod ui;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use eframe::egui::{ViewportBuilder, ViewportCommand};
use internvit::gpu::Precision;
use internvit::{Device, Error, Result};

use crate::talk::{Opening, Place};

/// What a window begins with.
#[derive(Clone, Debug)]
pub struct Start {
    /// Photographs, and folders of some.
    pub photographs: Vec<PathBuf>,
    /// A model that comes with the program (`dinov2-small`, `internvit-tiny`), a folder or file, or a name on the hub.
    pub model: String,
    /// Whether of a model on the hub what reads texts is fetched too.
    pub words: bool,
    /// Whether the hub is asked nothing.
    pub offline: bool,
    /// Where the model computes.
    pub device: Device,
    /// How its values are kept.
    pub precision: Precision,
}

/// Opens a window, and returns when it is closed.
///
/// # Errors
/// [`Error::Device`] where there is no screen or nothing that draws on it, and where the graphics device was lost.
pub fn open(start: Start) -> Result<()> {
    let Start { photographs, model, words, offline, device, precision } = start;
    let viewport = ViewportBuilder::default()
        .with_title("InternViT")
        .with_app_id("internvit")
        .with_inner_size([1240.0, 820.0])
        .with_min_inner_size([760.0, 520.0])
        .with_drag_and_drop(true);
    let options = device::options(viewport, &device);
    let opening = Opening { model, words, offline, place: Place { device, precision } };
    let lost: Arc<OnceLock<String>> = Arc::default();
    let why = lost.clone();
    let run = eframe::run_native(
        "InternViT",
        options,
        Box::new(move |cc| {
            let ctx = cc.egui_ctx.clone();
            let on_lost = move |reason: String| {
                let _ = lost.set(reason);
                ctx.send_viewport_cmd(ViewportCommand::Close);
            };
            let shared = device::Shared::of(cc, on_lost);
            let app =
                ui::App::new(&cc.egui_ctx, shared, opening, photographs, state::recent::place());
            Ok(Box::new(app))
        }),
    );
    if let Some(why) = why.get() {
        return Err(Error::device(format!(
            "the graphics device was lost: {why}; open the window again"
        )));
    }
    run.map_err(|error| {
        let why = match error {
            // What it says besides is about its own files.
            eframe::Error::WinitEventLoop(_) | eframe::Error::Winit(_) => {
                "no screen was found".into()
            }
            other => other.to_string(),
        };
        Error::device(format!("no window: {why}; it needs a screen, and Vulkan, Metal or DX12"))
    })
}
