//! Files about what is shown. Each appears whole, and none takes the place of a photograph that is open.

use std::io::Write;
use std::path::{Path, PathBuf};

use internvit::files::NewFile;
use internvit::image::Picture;
use internvit::view::{Soft, labels_png, paint_labels};
use internvit::{Encoder, Error, Result};
use npyz::WriterBuilder;

use super::session::{Last, Session};
use crate::talk::Save;

/// Writes a file; what is said of it.
pub(super) fn save(
    encoder: &Encoder,
    session: &mut Session,
    what: &Save,
    inputs: &[PathBuf],
) -> Result<String> {
    let to = what.to();
    let same = |input: &PathBuf| matches!((to.canonicalize(), input.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if inputs.iter().any(same) {
        return Err(Error::input(format!("{}: is open here; choose another name", to.display())));
    }
    let last = session.last.take().ok_or_else(|| Error::input("nothing is shown yet"))?;
    let said = write(encoder, session, &last, what);
    session.last = Some(last);
    said.map(|path| format!("Wrote {}.", path.display()))
}

fn write(encoder: &Encoder, session: &mut Session, last: &Last, what: &Save) -> Result<PathBuf> {
    let none = || Error::input("this view has no picture to save");
    match what {
        Save::Picture { to, opacity } => {
            let opacity = f32::from(*opacity) / 100.0;
            let picture = match (&last.map, last.refine) {
                (Some(map), _) => {
                    let region = session.album.photo(last.album)?.region;
                    map.over(&last.photo.picture, region, opacity, last.edges)?
                }
                (None, Some(_)) => over(encoder, session, last, opacity)?,
                (None, None) => return Err(none()),
            };
            put(to, &picture.png()?)
        }
        Save::Data { to } => {
            let map = last.map.as_ref().ok_or_else(none)?;
            let data = map.data();
            put(to, &npy(&data.shape, &data.values)?)
        }
        Save::Head { to } => {
            let none = || Error::input("nothing has been taught yet");
            let bytes = session.album.head.as_ref().ok_or_else(none)?.to_bytes()?;
            put(to, &bytes)
        }
        Save::Mask { to } => {
            let soft = soft(encoder, session, last)?;
            let palette =
                session.album.head.as_ref().map_or(Vec::new(), |head| head.palette.clone());
            put(to, &labels_png(&soft.named()?.labels, soft.size(), &palette)?)
        }
        Save::CutOut { to, class } => {
            let soft = soft(encoder, session, last)?;
            let [height, width] = soft.size();
            let bytes = encoded(width, height, png::ColorType::Rgba, &soft.cut_out(*class)?)?;
            put(to, &bytes)
        }
    }
}

/// What was taught, at the photograph's own size.
fn soft(encoder: &Encoder, session: &mut Session, last: &Last) -> Result<Soft> {
    let refine = last.refine.ok_or_else(|| Error::input("nothing has been taught yet"))?;
    pollster::block_on(session.album.soft_within(encoder, last.album, refine, None))
}

/// The classes over the part of the photograph that the model saw.
fn over(encoder: &Encoder, session: &mut Session, last: &Last, opacity: f32) -> Result<Picture> {
    let soft = soft(encoder, session, last)?;
    let photo = session.album.photo(last.album)?;
    let part = internvit::view::part(&photo.picture, photo.region)?;
    let palette = session.album.head.as_ref().map_or(&[][..], |head| &head.palette);
    paint_labels(&soft.named()?.labels, palette, &part, opacity)
}

/// Writes bytes to a file.
fn put(to: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let mut file = NewFile::create(to)?;
    file.write_all(bytes).map_err(|e| Error::io(to.display(), e))?;
    file.finish()?;
    Ok(to.to_path_buf())
}

fn encoded(width: usize, height: usize, kind: png::ColorType, pixels: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(kind);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(pixels));
    written.map_err(Error::input)?;
    Ok(bytes)
}

/// An array of f32 as numpy keeps it.
fn npy(shape: &[usize], values: &[f32]) -> Result<Vec<u8>> {
    let shape: Vec<u64> = shape.iter().map(|side| *side as u64).collect();
    let mut bytes = Vec::new();
    let written =
        npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd();
    let written = written.and_then(|mut writer| {
        writer.extend(values.iter().copied())?;
        writer.finish()
    });
    written.map_err(Error::input)?;
    Ok(bytes)
}
