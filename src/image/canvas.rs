//! The picture while it is decoded: rows go straight to its RGB bytes, so that a picture costs what its
//! pixels need once.

use image::metadata::Orientation;

use super::{Alpha, Decoded, Options, Picture};

/// Rows of RGB, and what of them is transparent.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
    options: Options,
    /// A value a pixel once one is not opaque, and only where alpha is asked for.
    alpha: Vec<u8>,
    transparent: u64,
}

impl Canvas {
    /// A black canvas. Sides were checked.
    pub(super) fn new(width: u32, height: u32, options: Options) -> Self {
        let (width, height) = (width as usize, height as usize);
        let rgb = vec![0; 3 * width * height];
        Self { width, height, rgb, options, alpha: Vec::new(), transparent: 0 }
    }

    /// A canvas of pixels that are there.
    pub(super) fn of_rgb(width: u32, height: u32, rgb: Vec<u8>, options: Options) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self { width, height, rgb, options, alpha: Vec::new(), transparent: 0 }
    }

    /// A canvas of RGBA whose alpha means nothing.
    pub(super) fn of_rgbx(width: u32, height: u32, mut pixels: Vec<u8>, options: Options) -> Self {
        pixels.iter_mut().skip(3).step_by(4).for_each(|alpha| *alpha = 255);
        Self::of_rgba(width, height, pixels, options)
    }

    /// A canvas of RGBA, which is narrowed where it lies.
    pub(super) fn of_rgba(width: u32, height: u32, pixels: Vec<u8>, options: Options) -> Self {
        let mut this = Self::of_rgb(width, height, pixels, options);
        let count = this.rgb.len() / 4;
        // Each pixel is read before anything is written there.
        for i in 0..count {
            let [r, g, b, a] = [0, 1, 2, 3].map(|channel| this.rgb[4 * i + channel]);
            let colour = this.seen(i, [r, g, b, a]);
            this.rgb[3 * i..3 * i + 3].copy_from_slice(&colour);
        }
        this.rgb.truncate(3 * count);
        this.rgb.shrink_to_fit();
        this
    }

    /// Colours all of the canvas. Black costs nothing: memory that was never touched is not allocated.
    pub(super) fn fill(&mut self, colour: [u8; 4]) {
        if colour == [0, 0, 0, 255] {
            return;
        }
        let row = vec![colour; self.width];
        for y in 0..self.height {
            self.put(0, y, &row);
        }
    }

    /// Pixels of a row for opaque colours.
    pub(super) fn row(&mut self, x: usize, y: usize, count: usize) -> &mut [[u8; 3]] {
        let start = 3 * (y * self.width + x);
        self.rgb[start..start + 3 * count].as_chunks_mut::<3>().0
    }

    /// Writes RGBA from `x` on.
    pub(super) fn put(&mut self, x: usize, y: usize, row: &[[u8; 4]]) {
        let start = y * self.width + x;
        for (i, pixel) in (start..).zip(row) {
            let colour = self.seen(i, *pixel);
            self.rgb[3 * i..3 * i + 3].copy_from_slice(&colour);
        }
    }

    /// The colour of pixel `i`, whose alpha is noted.
    fn seen(&mut self, i: usize, [r, g, b, a]: [u8; 4]) -> [u8; 3] {
        if a == 255 && self.alpha.is_empty() {
            return [r, g, b];
        }
        self.transparent += u64::from(a < 128);
        if self.options.alpha {
            if self.alpha.is_empty() {
                self.alpha = vec![255; self.width * self.height];
            }
            self.alpha[i] = a;
        }
        match self.options.background {
            Some(under) => over([r, g, b], a, under),
            None => [r, g, b],
        }
    }

    /// Forgets what a fill said of the pixels that are written next.
    pub(super) fn forget(&mut self, pixels: u64) {
        self.transparent = self.transparent.saturating_sub(pixels);
    }

    /// The picture, turned as its file says.
    pub(super) fn finish(self, orientation: Orientation) -> Decoded {
        let Self { width, height, rgb, alpha, transparent, .. } = self;
        let size = (width as u32, height as u32);
        let alpha = (!alpha.is_empty()).then(|| turn_alpha(size, alpha, orientation));
        Decoded { picture: turn(size, rgb, orientation), alpha: alpha.flatten(), transparent }
    }
}

/// A colour laid over another.
pub(super) fn over(colour: [u8; 3], alpha: u8, under: [u8; 3]) -> [u8; 3] {
    let alpha = u32::from(alpha);
    let mix = |value: u8, under: u8| {
        ((u32::from(value) * alpha + u32::from(under) * (255 - alpha) + 127) / 255) as u8
    };
    [0, 1, 2].map(|channel| mix(colour[channel], under[channel]))
}

fn turn((width, height): (u32, u32), rgb: Vec<u8>, orientation: Orientation) -> Picture {
    let (rgb, [width, height]) = turned::<3>(rgb, [width, height], orientation);
    Picture::of(width, height, rgb)
}

fn turn_alpha(
    (width, height): (u32, u32),
    values: Vec<u8>,
    orientation: Orientation,
) -> Option<Alpha> {
    let (values, [width, height]) = turned::<1>(values, [width, height], orientation);
    Some(Alpha { width, height, values })
}

/// Pixels of `N` bytes turned, and the sides of what comes of it. (The `image` crate's own turning is for
/// all its kinds of pixels, which is 25 kB of the page's module.)
fn turned<const N: usize>(
    pixels: Vec<u8>,
    [width, height]: [u32; 2],
    orientation: Orientation,
) -> (Vec<u8>, [u32; 2]) {
    use Orientation::{
        FlipHorizontal, FlipVertical, NoTransforms, Rotate90, Rotate90FlipH, Rotate180, Rotate270,
        Rotate270FlipH,
    };
    if orientation == NoTransforms {
        return (pixels, [width, height]);
    }
    let across = matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH);
    let (columns, rows) = if across { (height, width) } else { (width, height) };
    let source = pixels.as_chunks::<N>().0;
    let (right, bottom) = (width - 1, height - 1);
    let mut out = Vec::with_capacity(pixels.len());
    for y in 0..rows {
        for x in 0..columns {
            // The pixel of the file that is seen at x, y.
            let (from_x, from_y) = match orientation {
                NoTransforms => (x, y),
                FlipHorizontal => (right - x, y),
                Rotate180 => (right - x, bottom - y),
                FlipVertical => (x, bottom - y),
                Rotate90FlipH => (y, x),
                Rotate90 => (y, bottom - x),
                Rotate270FlipH => (right - y, bottom - x),
                Rotate270 => (right - y, x),
            };
            out.extend(source[from_y as usize * width as usize + from_x as usize]);
        }
    }
    (out, [columns, rows])
}
