//! What lies under the transparent pixels of photographs, and a note where nothing does.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use internvit::image::{Decoded, Options};

use super::arguments;

/// The option, and which photographs have transparent pixels.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Background {
    /// Lay photographs over this colour where they are transparent: a name such as white, #rgb or
    /// #rrggbb; without it their hidden colours are used
    #[arg(long = "background", value_name = "COLOUR", value_parser = arguments::colour)]
    colour: Option<[u8; 3]>,
    /// Names, and percents of their pixels
    #[arg(skip)]
    seen: Arc<Mutex<Vec<(String, u64)>>>,
}

/// A share of transparent pixels above which the user is told, with the number of photographs.
const SHARE: u64 = 100;

impl Background {
    /// How photographs are decoded.
    pub(super) fn options(&self) -> Options {
        Options { background: self.colour, alpha: self.colour.is_some() }
    }

    /// The colour as `#rrggbb`.
    pub(super) fn name(&self) -> Option<String> {
        self.colour.map(|[r, g, b]| format!("#{r:02x}{g:02x}{b:02x}"))
    }

    /// Keeps in mind what is transparent of a photograph.
    pub(super) fn notice(&self, path: &Path, decoded: &Decoded) {
        let pixels = u64::from(decoded.picture.width) * u64::from(decoded.picture.height);
        if self.colour.is_some() || decoded.transparent * SHARE <= pixels {
            return;
        }
        let percent = decoded.transparent * 100 / pixels;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push((path.display().to_string(), percent));
    }

    /// Tells of photographs whose hidden colours are used, all in one note.
    pub(super) fn tell(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.sort();
        seen.dedup();
        let advice =
            "their hidden colours are used; --background white lays a picture over a colour";
        match &seen[..] {
            [] => {}
            [(name, percent)] => {
                note!("{name}: {percent} % of its pixels are transparent; {advice}");
            }
            [(name, percent), ..] => note!(
                "{} photographs have transparent pixels ({name}: {percent} %, …); {advice}",
                seen.len()
            ),
        }
        seen.clear();
    }
}
