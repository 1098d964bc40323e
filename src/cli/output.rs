//! Features to files: safetensors, npz, npy.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use internvit::image::Picture;
use internvit::weights::{Values, write_safetensors};
use internvit::{Error, Result, Tensor};
use npyz::WriterBuilder;

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

/// Writes the tensors; an npy file holds the first of them only.
pub(super) fn write(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    let failed = |e: std::io::Error| Error::io(path.display(), e);
    match Format::of(path)? {
        Format::Safetensors => {
            let views: Vec<_> = tensors
                .iter()
                .map(|(name, t)| (name.clone(), t.shape.clone(), Values::F32(&t.values)))
                .collect();
            write_safetensors(path, &views)
        }
        Format::Npz => whole(path, |part| {
            let mut archive = npyz::npz::NpzWriter::new(File::create(part)?);
            for (name, tensor) in tensors {
                let options = Default::default();
                let shape = dims(tensor);
                let mut writer =
                    archive.array(name, options)?.default_dtype().shape(&shape).begin_nd()?;
                writer.extend(tensor.values.iter().copied())?;
                writer.finish()?;
            }
            archive.zip_writer().flush()
        })
        .map_err(failed),
        Format::Npy => whole(path, |part| {
            let file = BufWriter::new(File::create(part)?);
            let (_, tensor) = &tensors[0];
            let shape = dims(tensor);
            let mut writer =
                npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd()?;
            writer.extend(tensor.values.iter().copied())?;
            writer.finish()
        })
        .map_err(failed),
    }
}

/// Writes a picture as PNG.
pub(super) fn write_png(path: &Path, picture: &Picture) -> Result<()> {
    let Picture { width, height, rgb } = picture;
    let failed = |e: image::ImageError| Error::image(path.display(), e);
    image::save_buffer_with_format(
        path,
        rgb,
        *width,
        *height,
        image::ExtendedColorType::Rgb8,
        image::ImageFormat::Png,
    )
    .map_err(failed)
}

/// Writes labels `[height, width]` as a palette PNG: a pixel's index is its label. More than 256
/// classes do not fit a palette.
pub(super) fn write_labels(
    path: &Path,
    labels: &[i32],
    [height, width]: [usize; 2],
    palette: &[[u8; 3]],
) -> Result<()> {
    if palette.len() > 256 {
        let reason = format!("{} classes: a palette holds 256; write --out", palette.len());
        return Err(Error::image(path.display(), reason));
    }
    let bytes: Vec<u8> = labels.iter().map(|label| *label as u8).collect();
    whole(path, |part| {
        let file = BufWriter::new(File::create(part)?);
        let mut encoder = png::Encoder::new(file, width as u32, height as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette.as_flattened());
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&bytes)?;
        writer.finish().map_err(Into::into)
    })
    .map_err(|e| Error::io(path.display(), e))
}

fn dims(tensor: &Tensor) -> Vec<u64> {
    tensor.shape.iter().map(|d| *d as u64).collect()
}

/// Lets `fill` write a file beside `path` and puts it in place when it is complete.
fn whole(path: &Path, fill: impl Fn(&Path) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let result = fill(&part).and_then(|()| std::fs::rename(&part, path));
    if result.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    result
}
