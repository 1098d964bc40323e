//! The masks of all photographs in one file.

use std::io::Write;
use std::path::{Path, PathBuf};

use internvit::files::NewFile;
use internvit::view::{Coco, labels_png};
use internvit::{Error, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A zip of `masks/NAME.png`, whose pixels' indices are classes, and `annotations.json`.
pub(super) struct Archive {
    path: PathBuf,
    zip: ZipWriter<NewFile>,
    coco: Coco,
    palette: Vec<[u8; 3]>,
}

impl Archive {
    pub(super) fn new(path: &Path, names: &[String], palette: &[[u8; 3]]) -> Result<Self> {
        let zip = ZipWriter::new(NewFile::create(path)?);
        let (path, palette) = (path.to_path_buf(), palette.to_vec());
        Ok(Self { path, zip, coco: Coco::new(names), palette })
    }

    /// Adds the labels of a photograph; `name` is its place below the folder that all share.
    pub(super) fn add(
        &mut self,
        name: &Path,
        photo: &str,
        labels: &[i32],
        size: [usize; 2],
    ) -> Result<()> {
        let png = labels_png(labels, size, &self.palette)
            .map_err(|error| Error::image(self.path.display(), error))?;
        let name = name.to_string_lossy().replace('\\', "/");
        self.file(&format!("masks/{name}.png"), &png)?;
        self.coco.add(photo, labels, size);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<()> {
        let text = self.coco.to_json();
        self.file("annotations.json", text.as_bytes())?;
        let file = self.zip.finish().map_err(|e| Error::io(self.path.display(), e.into()))?;
        file.finish()
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        let started = self.zip.start_file(name, options).map_err(std::io::Error::from);
        let written = started.and_then(|()| self.zip.write_all(bytes));
        written.map_err(|e| Error::io(self.path.display(), e))
    }
}
