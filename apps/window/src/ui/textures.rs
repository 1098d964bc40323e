//! Textures: the photograph on the stage, what is laid over it, and the small pictures of the strip. Each is
//! uploaded once.

use std::collections::HashMap;
use std::sync::Arc;

use eframe::egui::{ColorImage, Context, TextureHandle, TextureOptions};

use crate::state::Desk;
use crate::state::shots::Pixels;
use crate::talk::ShotId;

/// The textures that are on the device.
#[derive(Default)]
pub(super) struct Textures {
    photo: Option<(ShotId, Arc<Pixels>, TextureHandle)>,
    paint: Option<(u64, TextureHandle)>,
    small: HashMap<ShotId, TextureHandle>,
}

impl Textures {
    /// The photograph on the stage.
    pub(super) fn photo(&mut self, ctx: &Context, desk: &Desk) -> Option<&TextureHandle> {
        let (photo, pixels) = desk.shots.on_stage()?;
        let known =
            self.photo.take().filter(|(id, own, _)| *id == photo.id && Arc::ptr_eq(own, pixels));
        let known = known.unwrap_or_else(|| {
            (photo.id, pixels.clone(), load(ctx, "photograph", pixels, TextureOptions::LINEAR))
        });
        Some(&self.photo.insert(known).2)
    }

    /// What is laid over the part that the model saw.
    pub(super) fn paint(&mut self, ctx: &Context, desk: &Desk) -> Option<&TextureHandle> {
        let shown = desk.shown.as_ref()?;
        let paint = shown.paint.as_ref()?;
        let known = self.paint.take().filter(|(ticket, _)| *ticket == shown.ticket);
        let known = known.unwrap_or_else(|| {
            let image =
                ColorImage::from_rgba_unmultiplied([paint.width, paint.height], &paint.rgba);
            let options =
                if paint.squares { TextureOptions::NEAREST } else { TextureOptions::LINEAR };
            (shown.ticket, ctx.load_texture("view", image, options))
        });
        Some(&self.paint.insert(known).1)
    }

    /// A small picture of the strip.
    pub(super) fn small(&mut self, ctx: &Context, id: ShotId, pixels: &Pixels) -> &TextureHandle {
        self.small.entry(id).or_insert_with(|| load(ctx, "small", pixels, TextureOptions::LINEAR))
    }

    /// Lets a photograph's go.
    pub(super) fn forget(&mut self, id: ShotId) {
        self.small.remove(&id);
    }
}

fn load(ctx: &Context, name: &str, pixels: &Pixels, options: TextureOptions) -> TextureHandle {
    ctx.load_texture(
        name,
        ColorImage::from_rgb([pixels.width, pixels.height], &pixels.rgb),
        options,
    )
}
