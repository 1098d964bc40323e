//! How a TIFF's pixels lie, from its tags.

use super::tags::Tags;
use super::unsupported;

/// What numbers the samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Unsigned,
    Signed,
    Float,
}

/// What the samples of a pixel mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    /// 0 is white.
    White,
    /// 0 is black.
    Black,
    Rgb,
    Palette,
    Inks,
    YCbCr,
    Lab,
}

/// What stands behind the colours of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opacity {
    None,
    /// Colours are as they are seen.
    Straight,
    /// Colours are multiplied by alpha.
    Associated,
}

/// How pixels lie.
pub(super) struct Layout<'a> {
    pub(super) tags: Tags<'a>,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) bits: usize,
    pub(super) format: Format,
    /// Samples of a pixel.
    pub(super) samples: usize,
    pub(super) colour: Colour,
    pub(super) opacity: Opacity,
    /// Each sample has strips or tiles of its own.
    pub(super) planar: bool,
    /// Width and height of a strip or tile.
    pub(super) chunk: (usize, usize),
    pub(super) offsets: Vec<u64>,
    pub(super) lengths: Vec<u64>,
    pub(super) compression: u64,
    pub(super) predictor: u64,
    /// The first pixel is in the lowest bits.
    pub(super) reversed: bool,
    /// Pixels a sample of colour stands for, across and down.
    pub(super) subsampling: (usize, usize),
}

/// Samples of a pixel at most.
const MAX_SAMPLES: u64 = 64;

impl<'a> Layout<'a> {
    pub(super) fn read(
        bytes: &'a [u8],
        check: impl FnOnce(u32, u32) -> Result<(), String>,
    ) -> Result<Self, String> {
        let broken = |what: &str| format!("the TIFF data is broken or cut off: {what}");
        let tags = Tags::first(bytes).ok_or_else(|| broken("no directory"))?;
        let side = |tag| tags.number(tag).and_then(|side| u32::try_from(side).ok());
        let (Some(width), Some(height)) = (side(256), side(257)) else {
            return Err(broken("no width or height"));
        };
        check(width, height)?;
        let compression = tags.number(259).unwrap_or(1);
        let old_jpeg = compression == 6;
        let colour = match if old_jpeg { Some(6) } else { tags.number(262) } {
            // The tag is needed, but not every writer knows.
            None | Some(0) => Colour::White,
            Some(1) => Colour::Black,
            Some(2) => Colour::Rgb,
            Some(3) => Colour::Palette,
            Some(5) => Colour::Inks,
            Some(6) => Colour::YCbCr,
            Some(8 | 9) => Colour::Lab,
            Some(other) => return Err(unsupported(&foreign(other))),
        };
        let base = colour.samples();
        let samples = tags.number(277).unwrap_or(if old_jpeg { 3 } else { 1 });
        if samples == 0 || samples > MAX_SAMPLES {
            return Err(unsupported(&format!("{samples} samples a pixel")));
        }
        let samples = samples as usize;
        // Brightness alone, as some cameras write it.
        let colour = if colour == Colour::YCbCr && samples == 1 { Colour::Black } else { colour };
        let base = if samples == 1 { 1 } else { base };
        if samples < base || (samples == 1 && colour.samples() > 1) {
            return Err(unsupported(&format!("{samples} samples a pixel of {}", colour.name())));
        }
        let all = tags.list(258).unwrap_or_else(|| vec![1]);
        let bits = all.first().copied().unwrap_or(1);
        if all.iter().take(samples).any(|other| *other != bits) || bits == 0 || bits > 64 {
            return Err(unsupported(&format!("{all:?} bits a sample")));
        }
        let format = match tags.number(339).unwrap_or(1) {
            1 | 4 => Format::Unsigned,
            // Pillow takes 8 bits for unsigned ones.
            2 if bits == 8 => Format::Unsigned,
            2 => Format::Signed,
            3 => Format::Float,
            _ => return Err(unsupported("complex numbers")),
        };
        let extra = tags.list(338).unwrap_or_default();
        let opacity = match (samples > base, extra.first()) {
            (true, Some(1)) => Opacity::Associated,
            (true, Some(2 | 999)) => Opacity::Straight,
            // Without a word on it the fourth of RGB is alpha.
            (true, None) if colour == Colour::Rgb => Opacity::Straight,
            _ => Opacity::None,
        };
        let (chunk, places, counts) = if tags.bytes(324).is_some() {
            (((tags.number(322)), (tags.number(323))), 324, 325)
        } else {
            let rows = tags.number(278).filter(|rows| *rows > 0).unwrap_or(height.into());
            ((Some(width.into()), Some(rows.min(height.into()))), 273, 279)
        };
        let (Some(across @ 1..=65_535), Some(down @ 1..=65_535)) = chunk else {
            return Err(broken("tiles of no size"));
        };
        // LZW, Deflate, LZMA and Zstandard. With others the tag says nothing, though writers leave it there.
        let predicts = matches!(compression, 5 | 8 | 32_946 | 34_925 | 50_000);
        let subsampling = tags.list(530).filter(|list| list.len() == 2);
        let subsampling = subsampling.map_or((2, 2), |list| (list[0] as usize, list[1] as usize));
        Ok(Self {
            width: width as usize,
            height: height as usize,
            bits: bits as usize,
            format,
            samples,
            colour,
            opacity,
            planar: tags.number(284) == Some(2) && samples > 1,
            chunk: (across as usize, down as usize),
            offsets: tags.list(places).unwrap_or_default(),
            lengths: tags.list(counts).unwrap_or_default(),
            compression,
            predictor: if predicts { tags.number(317).unwrap_or(1) } else { 1 },
            reversed: tags.number(266) == Some(2),
            subsampling,
            tags,
        })
    }

    /// Samples of a pixel that are seen: colours, and alpha behind them.
    pub(super) fn seen(&self) -> usize {
        let alpha = usize::from(self.opacity != Opacity::None);
        (self.colour.samples() + alpha).min(self.samples)
    }

    /// Samples of a pixel in one strip or tile.
    pub(super) fn stored(&self) -> usize {
        if self.planar { 1 } else { self.samples }
    }

    /// Strips or tiles across and down.
    pub(super) fn chunks(&self) -> (usize, usize) {
        (self.width.div_ceil(self.chunk.0), self.height.div_ceil(self.chunk.1))
    }

    /// Bytes of a row of a strip or tile.
    pub(super) fn row_bytes(&self) -> usize {
        (self.chunk.0 * self.stored() * self.bits).div_ceil(8)
    }
}

impl Colour {
    /// Samples of a pixel without what stands behind.
    pub(super) fn samples(self) -> usize {
        match self {
            Self::White | Self::Black | Self::Palette => 1,
            Self::Rgb | Self::YCbCr | Self::Lab => 3,
            Self::Inks => 4,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::White | Self::Black => "grey",
            Self::Palette => "a palette",
            Self::Rgb => "RGB",
            Self::YCbCr => "YCbCr",
            Self::Lab => "Lab",
            Self::Inks => "CMYK",
        }
    }
}

/// Colours that are no pictures' to be seen.
fn foreign(code: u64) -> String {
    match code {
        4 => "transparency mask".into(),
        10 => "ITU Lab colours".into(),
        32_803 | 34_892 => "raw sensor values".into(),
        32_844 | 32_845 => "LogLuv colours".into(),
        code => format!("colours of code {code}"),
    }
}
