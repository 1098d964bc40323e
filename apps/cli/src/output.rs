//! Features to files: safetensors, npz, npy.

use std::collections::HashMap;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use internvit::files::NewFile;
use internvit::image::Picture;
use internvit::view::labels_png;
use internvit::weights::{Values, write_safetensors_with};
use internvit::{Error, Result, Tensor};
use npyz::WriterBuilder;
use serde_json::json;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The formats, told by the file's ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Named tensors.
    Safetensors,
    /// NumPy's archive of named arrays.
    Npz,
    /// One NumPy array.
    Npy,
}

impl Format {
    /// The format of `path`; refused before any work is done.
    pub(super) fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("safetensors") => Ok(Self::Safetensors),
            Some("npz") => Ok(Self::Npz),
            Some("npy") => Ok(Self::Npy),
            _ => Err(Error::input(format!(
                "{}: expected a name ending in .safetensors, .npz or .npy",
                path.display()
            ))),
        }
    }
}

/// Names of the photographs that rows belong to, as they stand beside the tensors.
pub(super) const IMAGES: &str = "images";

/// Writes the tensors, and the photographs' names where there are any: an array of strings in .npz,
/// JSON in the metadata of .safetensors. An npy file holds the first tensor only.
pub(super) fn write(path: &Path, tensors: &[(String, Tensor)], images: &[String]) -> Result<()> {
    match Format::of(path)? {
        Format::Safetensors => {
            let views: Vec<_> = tensors
                .iter()
                .map(|(name, t)| (name.clone(), t.shape.clone(), Values::F32(&t.values)))
                .collect();
            let metadata = HashMap::from([(IMAGES.to_string(), json!(images).to_string())]);
            let metadata = Some(metadata).filter(|_| !images.is_empty());
            write_safetensors_with(path, &views, metadata)
        }
        Format::Npz => whole(path, |file| {
            let mut quiet = Quiet::new(file);
            let mut archive = ZipWriter::new(&mut quiet);
            // Numbers hardly compress, and stored ones can be mapped. Arrays may pass 4 GiB.
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .large_file(true);
            for (name, tensor) in tensors {
                archive.start_file(format!("{name}.npy"), options)?;
                write_npy(&mut archive, tensor)?;
            }
            if !images.is_empty() {
                archive.start_file(format!("{IMAGES}.npy"), options)?;
                write_strings(&mut archive, images)?;
            }
            archive.finish()?;
            Ok(())
        }),
        Format::Npy => whole(path, |file| write_npy(file, &tensors[0].1)),
    }
}

/// A file for the writer of archives, which ends an archive when it is dropped, after an error too, and
/// prints what then goes wrong: after the first error it is told that all is well.
struct Quiet<'a> {
    file: &'a mut NewFile,
    failed: bool,
    /// Where the next byte would stand, and how many there would be.
    at: u64,
    end: u64,
}

impl<'a> Quiet<'a> {
    fn new(file: &'a mut NewFile) -> Self {
        Self { file, failed: false, at: 0, end: 0 }
    }

    fn checked<T>(
        &mut self,
        work: impl FnOnce(&mut NewFile) -> io::Result<T>,
        well: T,
    ) -> io::Result<T> {
        if self.failed {
            return Ok(well);
        }
        let done = work(self.file);
        self.failed = done.is_err();
        done
    }
}

impl Write for Quiet<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.checked(|file| file.write(bytes), bytes.len())?;
        self.at += written as u64;
        self.end = self.end.max(self.at);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.checked(Write::flush, ())
    }
}

impl Seek for Quiet<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
        };
        let place = place.ok_or(io::ErrorKind::InvalidInput)?;
        self.at = self.checked(|file| file.seek(SeekFrom::Start(place)), place)?;
        Ok(self.at)
    }
}

fn write_npy(out: impl Write, tensor: &Tensor) -> io::Result<()> {
    let shape = dims(tensor);
    let mut writer =
        npyz::WriteOptions::new().default_dtype().shape(&shape).writer(out).begin_nd()?;
    writer.extend(tensor.values.iter().copied())?;
    writer.finish()
}

/// An array `[texts]` of strings of one length, NumPy's type U.
fn write_strings(out: impl Write, texts: &[String]) -> io::Result<()> {
    let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
    let dtype = format!("<U{longest}").parse().map_err(io::Error::other)?;
    let mut writer = npyz::WriteOptions::<str>::new()
        .dtype(npyz::DType::Plain(dtype))
        .shape(&[texts.len() as u64])
        .writer(out)
        .begin_nd()?;
    for text in texts {
        writer.push(text)?;
    }
    writer.finish()
}

/// Writes a picture as PNG.
pub(super) fn write_png(path: &Path, picture: &Picture) -> Result<()> {
    picture.save(path)
}

/// Writes RGBA `[height, width, 4]` as PNG.
pub(super) fn write_rgba(path: &Path, rgba: &[u8], [height, width]: [usize; 2]) -> Result<()> {
    whole(path, |file| {
        let mut encoder = png::Encoder::new(file, width as u32, height as u32);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(rgba)?;
        writer.finish().map_err(Into::into)
    })
}

/// Writes labels `[height, width]` as a palette PNG: a pixel's index is its label.
pub(super) fn write_labels(
    path: &Path,
    labels: &[i32],
    size: [usize; 2],
    palette: &[[u8; 3]],
) -> Result<()> {
    let bytes = labels_png(labels, size, palette).map_err(|error| match error {
        Error::Input(reason) => Error::image(path.display(), format!("{reason}; write --out")),
        other => other,
    });
    write_bytes(path, &bytes?)
}

fn dims(tensor: &Tensor) -> Vec<u64> {
    tensor.shape.iter().map(|d| *d as u64).collect()
}

/// Writes bytes to a file.
pub(super) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    whole(path, |file| file.write_all(bytes))
}

/// A file that `fill` writes: all of it, or nothing.
fn whole(path: &Path, fill: impl FnOnce(&mut NewFile) -> io::Result<()>) -> Result<()> {
    let mut file = NewFile::create(path)?;
    fill(&mut file).map_err(|e| Error::io(path.display(), e))?;
    file.finish()
}
