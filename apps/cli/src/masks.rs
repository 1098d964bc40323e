//! What is made of a taught head's probabilities: labels, pictures, how unsure they are, a cut-out.

use std::path::{Path, PathBuf};

use internvit::error::{list, short};
use internvit::files::folder_of;
use internvit::image::Picture;
use internvit::view::{Edges, Named, Refine, Soft, heat_grid, paint_labels};
use internvit::{Error, Result, Tensor};

use super::guard::Guard;
use super::{memory, output};

/// How probabilities become masks.
#[derive(Clone, Copy, clap::Args)]
pub(super) struct Masks {
    /// Where the edges of a map come from. patches: a square each; smooth: values are interpolated;
    /// photograph: they are interpolated such that they change where its colours do. photograph for a head
    /// that walks and for what is made of probabilities, else smooth if left out
    #[arg(long, value_name = "WHERE")]
    pub(super) edges: Option<Edges>,
    /// Smooth probabilities over this number of pixels, of a photograph 1000 pixels long
    #[arg(long, value_name = "PIXELS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1000))]
    smooth: u32,
    /// Give parts of a mask with fewer pixels to what lies around them
    #[arg(long, value_name = "PIXELS", default_value_t = 0)]
    least: usize,
}

impl Masks {
    pub(super) fn refine(self) -> Refine {
        let Self { edges, smooth, least } = self;
        Refine { edges: edges.unwrap_or_default(), smooth, least }
    }

    /// Whether a head that classifies patches by themselves is to be refined too.
    pub(super) fn any(self) -> bool {
        self.edges.is_some() || self.smooth > 0 || self.least > 0
    }
}

/// What is written of one photograph.
#[derive(Clone, Default, clap::Args)]
pub(super) struct Outputs {
    /// The map over the photograph
    #[arg(long, value_name = "FILE.png")]
    pub(super) picture: Option<PathBuf>,
    /// The map alone, as a palette PNG: a pixel's index is its class
    #[arg(long, value_name = "FILE.png")]
    pub(super) labels: Option<PathBuf>,
    /// Probabilities of classes at each pixel, [classes, H, W]
    #[arg(long, value_name = "FILE.npy")]
    pub(super) probabilities: Option<PathBuf>,
    /// Where the map is unsure: bright where two classes are as probable; .npy holds [H, W] from 0 to 1
    #[arg(long, value_name = "FILE.png|FILE.npy")]
    pub(super) unsure: Option<PathBuf>,
    /// A class cut out of the photograph, the rest transparent
    #[arg(long, value_name = "FILE.png")]
    pub(super) cut_out: Option<PathBuf>,
    /// The class that is cut out; the first if left out
    #[arg(long, value_name = "CLASS", requires = "cut_out")]
    pub(super) cut: Option<String>,
}

impl Outputs {
    pub(super) fn guard(&self, guard: Guard) -> Result<Guard> {
        guard
            .writes(self.picture.as_deref(), &["png"])?
            .writes(self.labels.as_deref(), &["png"])?
            .writes(self.probabilities.as_deref(), &["npy"])?
            .writes(self.unsure.as_deref(), &["png", "npy"])?
            .writes(self.cut_out.as_deref(), &["png"])
    }

    /// The place of the class that is cut out.
    pub(super) fn class(&self, names: &[String]) -> Result<usize> {
        let Some(cut) = &self.cut else { return Ok(0) };
        names.iter().position(|name| name == cut).ok_or_else(|| {
            let known = list(names.iter().map(|name| short(name, 80)));
            Error::input(format!("class {}: there are {known}", short(cut, 80)))
        })
    }

    /// Whether anything is made of probabilities at pixels.
    pub(super) fn of_pixels(&self) -> bool {
        self.probabilities.is_some() || self.unsure.is_some() || self.cut_out.is_some()
    }

    /// Makes the folders in which files will stand.
    pub(super) fn make_folders(&self) -> Result<()> {
        let files = [&self.probabilities, &self.unsure, &self.cut_out];
        for folder in files.into_iter().flatten().map(|path| folder_of(path)) {
            std::fs::create_dir_all(folder).map_err(|e| Error::io(folder.display(), e))?;
        }
        Ok(())
    }

    /// Writes what is made of probabilities at pixels.
    pub(super) fn write(&self, soft: &Soft, named: &Named, class: usize) -> Result<()> {
        let [height, width] = soft.size();
        if let Some(path) = &self.probabilities {
            let what = format!("{}: {} classes", path.display(), soft.classes());
            memory::budget().check(what, 4 * (soft.classes() * height * width) as u64)?;
            let mut values = Vec::new();
            for class in 0..soft.classes() {
                values.extend(soft.plane(class)?);
            }
            let tensor = Tensor { shape: vec![soft.classes(), height, width], values };
            output::write(path, &[("probabilities".into(), tensor)], &[])?;
        }
        if let Some(path) = &self.unsure {
            self.write_unsure(path, named, [height, width])?;
        }
        if let Some(path) = &self.cut_out {
            output::write_rgba(path, &soft.cut_out(class)?, [height, width])?;
        }
        Ok(())
    }

    fn write_unsure(&self, path: &Path, named: &Named, [height, width]: [usize; 2]) -> Result<()> {
        if path.extension().is_some_and(|ending| ending == "npy") {
            let tensor = Tensor { shape: vec![height, width], values: named.unsure.clone() };
            return output::write(path, &[("unsure".into(), tensor)], &[]);
        }
        output::write_png(path, &heat_grid(&named.unsure, [height, width], [0.0, 1.0])?)
    }

    /// Writes the map, over the photograph and alone.
    pub(super) fn write_map(
        &self,
        labels: &[i32],
        palette: &[[u8; 3]],
        photo: &Picture,
    ) -> Result<()> {
        if let Some(path) = &self.picture {
            output::write_png(path, &paint_labels(labels, palette, photo, 0.6)?)?;
        }
        if let Some(path) = &self.labels {
            let size = [photo.height as usize, photo.width as usize];
            output::write_labels(path, labels, size, palette)?;
        }
        Ok(())
    }
}
