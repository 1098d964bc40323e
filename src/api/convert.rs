//! Photographs from files and into files, and from and to other crates' types.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

#[cfg(feature = "ndarray")]
use crate::Tokens;
use crate::budget::Budget;
use crate::files::NewFile;
use crate::image::{Picture, decode};
use crate::photos::read;
use crate::view::Request;
use crate::{Error, Result};

impl Picture {
    /// An upright picture of `[height, width, 3]` bytes.
    ///
    /// # Errors
    /// [`Error::Input`] where there are not as many bytes.
    pub fn from_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self> {
        let picture = Self::of(width, height, rgb);
        picture.check().map(|()| picture)
    }

    /// Reads and decodes a photograph's file, upright.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Image`] where it is no picture, too large or damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::read(path.as_ref())
    }

    fn read(path: &Path) -> Result<Self> {
        let (bytes, _share) = read(path, &Arc::new(Budget::of_machine()))?;
        decode(&path.display().to_string(), &bytes)
    }

    /// Writes it as PNG: all of the file, or nothing.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder is missing or cannot be written, [`Error::Input`] where the bytes
    /// are not as many as the sides say.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write(path.as_ref())
    }

    fn write(&self, path: &Path) -> Result<()> {
        self.check()?;
        let mut file = NewFile::create(path)?;
        self.encode_png(&mut file).map_err(|e| Error::io(path.display(), e.into()))?;
        file.finish()
    }

    /// The picture as the bytes of a PNG.
    ///
    /// # Errors
    /// [`Error::Input`] where the bytes are not as many as the sides say.
    pub fn png(&self) -> Result<Vec<u8>> {
        self.check()?;
        let mut bytes = Vec::new();
        self.encode_png(&mut bytes).map_err(|e| Error::input(e.to_string()))?;
        Ok(bytes)
    }

    fn encode_png(&self, into: impl Write) -> std::result::Result<(), png::EncodingError> {
        let mut encoder = png::Encoder::new(into, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.rgb)?;
        writer.finish()
    }
}

impl TryFrom<&str> for Request {
    type Error = Error;

    /// The view of a name, with the settings that it has where nothing is said.
    fn try_from(name: &str) -> Result<Self> {
        let known = || crate::error::list(crate::view::VIEWS.iter().map(|(name, _)| name));
        let unknown = || Error::input(format!("view {name:?}: expected one of {}", known()));
        Self::named(name).ok_or_else(unknown)
    }
}

/// What cannot fail is no error.
impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// Alpha is dropped, as image processors do.
#[cfg(feature = "image")]
impl From<image::DynamicImage> for Picture {
    fn from(picture: image::DynamicImage) -> Self {
        picture.into_rgb8().into()
    }
}

#[cfg(feature = "image")]
impl From<image::RgbImage> for Picture {
    fn from(picture: image::RgbImage) -> Self {
        let (width, height) = picture.dimensions();
        Self::of(width, height, picture.into_raw())
    }
}

#[cfg(feature = "image")]
impl TryFrom<Picture> for image::RgbImage {
    type Error = Error;

    /// # Errors
    /// [`Error::Input`] where the bytes are not as many as the sides say.
    fn try_from(picture: Picture) -> Result<Self> {
        picture.check()?;
        let Picture { width, height, rgb, .. } = picture;
        Self::from_raw(width, height, rgb).ok_or_else(|| Error::input("a picture without pixels"))
    }
}

#[cfg(feature = "ndarray")]
impl<'a> Tokens<'a> {
    /// The same as an array `[rows, columns, C]`.
    pub fn to_ndarray(&self) -> ndarray::ArrayView3<'a, f32> {
        let shaped = ndarray::ArrayView3::from_shape(self.shape(), self.values());
        shaped.unwrap_or_else(|_| unreachable!("the values are as many as the shape says"))
    }
}
