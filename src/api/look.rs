//! Views of a photograph.

use std::path::Path;

use super::Model;
use crate::app::{Album, Keep, Photo, Shape};
use crate::image::{Picture, Resize};
use crate::view::{Edges, Head, Map, Request, Setting, Settings};
use crate::{Error, Result, Tensor, model};

/// A view of a photograph that is asked for. Ends with [`view`](Self::view).
#[must_use]
pub struct Look<'a> {
    model: &'a Model,
    photo: &'a Picture,
    size: Option<u32>,
    resize: Option<Resize>,
    tiles: u32,
    shifts: u32,
    edges: Option<Edges>,
    at: Option<[u32; 2]>,
    layer: Option<i64>,
}

impl<'a> Look<'a> {
    pub(super) fn new(model: &'a Model, photo: &'a Picture) -> Self {
        let (size, resize, edges, at, layer) = (None, None, None, None, None);
        Self { model, photo, size, resize, tiles: 1, shifts: 1, edges, at, layer }
    }

    /// Side of the square, or short side of [`Resize::Native`], in pixels; the model's own if not
    /// called.
    pub fn size(mut self, pixels: u32) -> Self {
        self.size = Some(pixels);
        self
    }

    /// How the aspect ratio is handled; as the model's preprocessing says if not called.
    pub fn resize(mut self, resize: Resize) -> Self {
        self.resize = Some(resize);
        self
    }

    /// Cuts the photograph into at most this many tiles of the model's size, which overlap and are
    /// blended.
    pub fn tiles(mut self, most: u32) -> Self {
        self.tiles = most.max(1);
        self
    }

    /// Encodes the photograph this many times along each axis, each time shifted by a part of a patch more,
    /// for a grid that is as many times as fine: 1 to 4.
    pub fn shifts(mut self, along: u32) -> Self {
        self.shifts = along;
        self
    }

    /// Where the edges of the drawn view come from; those with which the view shows best if not called,
    /// which for most are the photograph's. The view's data are the same in all cases.
    pub fn edges(mut self, edges: Edges) -> Self {
        self.edges = Some(edges);
        self
    }

    /// The photograph's pixel `[x, y]` whose patch the view is about: `similarity`, `attention`, `rollout`.
    pub fn at(mut self, pixel: [u32; 2]) -> Self {
        self.at = Some(pixel);
        self
    }

    /// The hidden state that is shown, -1 the last; of `attention` and `rollout` the block, from 1. The last if
    /// not called.
    pub fn layer(mut self, layer: i64) -> Self {
        self.layer = Some(layer);
        self
    }

    /// The view: its name ([`crate::view::VIEWS`]), or a [`Request`] with its settings.
    ///
    /// # Errors
    /// [`Error::Input`] for a view, a layer, a patch or a size that there is not; as
    /// [`crate::Encoder::encode`].
    pub fn view<R: TryInto<Request>>(self, request: R) -> Result<View>
    where
        Error: From<R::Error>,
    {
        self.shown(request.try_into()?)
    }
}

impl Look<'_> {
    fn shown(self, request: Request) -> Result<View> {
        let spec = self.model.spec();
        let shape = Shape::new(spec, self.size, self.resize, self.tiles)?.shifted(self.shifts)?;
        let (photo, edges, at) = (self.photo.clone(), self.edges, self.at);
        let request = self.settled(request)?;
        let text = request.needs().text;
        let words = text.as_deref().map(|text| self.model.words(text)).transpose()?;
        let cancel = self.model.cancel.clone();
        self.model.with(move |encoder| {
            pollster::block_on(async {
                let needs = request.needs();
                let layers = encoder.spec().sizes.layers;
                let mut taps = needs.taps(layers);
                if let (Some(Head::Own), Some(head)) = (needs.head, &encoder.checkpoint().head) {
                    taps.extend(head.spec.out_indices.iter().map(|index| index + 1));
                }
                taps.sort_unstable();
                taps.dedup();
                let keep = Keep { taps: &taps, residency: crate::session::Residency::Host };
                let go_on = &mut async |_, _| cancel.flow();
                let photo = Photo::encode(encoder, photo, &shape, keep, go_on).await?;
                let request = match at {
                    Some(pixel) => about(request, &photo, pixel)?,
                    None => request,
                };
                let (mut album, region) = (Album::default(), photo.region);
                if let Some((words, text)) = words.zip(text) {
                    album.texts.read(encoder, &text, words).await?;
                }
                let id = album.add(photo);
                let map = album.view(encoder, id, &request, &mut |_, _| ()).await?;
                let edges = edges.unwrap_or(map.edges);
                Ok(View { map, region, edges, photo: album.photo(id)?.picture.clone() })
            })
        })
    }

    /// The view with the layer that is wanted.
    fn settled(&self, request: Request) -> Result<Request> {
        let Some(given) = self.layer else { return Ok(request) };
        let first = usize::from(request.needs().attention.is_some());
        let layer = model::layer(self.model.spec().sizes.layers, first, given)?;
        let mut settings = Settings::from(request);
        settings.set("layer", Setting::Number(layer));
        settings.try_into()
    }
}

/// The view of the patch that shows a pixel.
fn about(request: Request, photo: &Photo, pixel @ [x, y]: [u32; 2]) -> Result<Request> {
    let unseen = || Error::input(format!("{x},{y}: the encoder did not see it"));
    let patch = photo.patch(pixel)?.ok_or_else(unseen)?;
    let mut settings = Settings::from(request);
    settings.set("token", Setting::Number(patch));
    settings.try_into()
}

/// A view of a photograph: its data, and how to paint it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct View {
    /// Values, raster, names and colours.
    pub map: Map,
    /// The part of the photograph that the encoder saw: left, top, width, height in pixels.
    pub region: [f64; 4],
    /// Where the edges of the drawn view come from.
    pub edges: Edges,
    photo: Picture,
}

impl View {
    /// The view over the photograph, at an opacity from 0 to 1.
    ///
    /// # Errors
    /// [`Error::Input`] where the opacity is beyond.
    pub fn over(&self, opacity: f32) -> Result<Picture> {
        self.map.over(&self.photo, self.region, opacity, self.edges)
    }

    /// The data at the pixels of the photograph, with the edges that are drawn, NaN where the encoder did not
    /// see it: `[height, width]` in place of the grid's rows and columns.
    ///
    /// # Errors
    /// As [`Map::data_over`].
    pub fn data_at_pixels(&self) -> Result<Tensor> {
        self.map.data_over(&self.photo, self.region, self.edges)
    }

    /// Writes the view over the photograph as PNG, at the opacity at which it shows best.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.over(self.map.opacity)?.save(path)
    }
}
