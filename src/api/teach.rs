//! Segmentations: the model's own head, and heads that are taught by a few points.

use std::path::Path;

use super::{Cancel, Model};
use crate::app::{Album, Example, Keep, Lesson, Photo, Shape, Windows, class_names, class_palette};
use crate::error::list;
use crate::image::{Picture, Resize};
use crate::view::{Head, Refine, Soft, labels, paint_labels, probabilities, shares};
use crate::weights::{LinearHead, Method};
use crate::{Encoder, Error, Result, Tensor, model};

/// Classes, and where they are: `[x, y]` in pixels.
type Points = Vec<(String, [u32; 2])>;

/// Points on photographs, and the head that is fitted to them. Ends with [`fit`](Self::fit).
#[must_use]
pub struct Teach<'a> {
    model: &'a Model,
    photos: Vec<(Picture, Points)>,
    layers: Vec<i64>,
    size: Option<u32>,
    method: Method,
}

impl<'a> Teach<'a> {
    pub(super) fn new(model: &'a Model, photo: &Picture) -> Self {
        let photos = vec![(photo.clone(), Vec::new())];
        Self { model, photos, layers: Vec::new(), size: None, method: Method::Walk }
    }

    /// Another photograph, to which the points that follow belong.
    pub fn photo(mut self, photo: &Picture) -> Self {
        self.photos.push((photo.clone(), Vec::new()));
        self
    }

    /// A point `[x, y]` in the photograph's pixels, and its class.
    pub fn point(mut self, class: &str, at: [u32; 2]) -> Self {
        if let Some((_, points)) = self.photos.last_mut() {
            points.push((class.into(), at));
        }
        self
    }

    /// How classes are told apart; [`Method::Walk`] if not called.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// A block whose output is classified, from 1, -1 the last; several are put side by side. If not
    /// called the last, for [`Method::Walk`] with the one after two thirds.
    pub fn layer(mut self, layer: i64) -> Self {
        self.layers.push(layer);
        self
    }

    /// Short side to which photographs are resized, in pixels; the model's own if not called.
    pub fn size(mut self, pixels: u32) -> Self {
        self.size = Some(pixels);
        self
    }

    /// Fits a head: [`Model::segment_with`] applies it, [`LinearHead::to_bytes`] is its file.
    ///
    /// # Errors
    /// [`Error::Input`] where a point is outside its photograph, where there are points of one class
    /// only, and for layers that the model does not have; as [`Encoder::encode`].
    pub fn fit(self) -> Result<LinearHead> {
        self.run(false).map(|(head, _)| head)
    }

    /// Fits a head, and segments the photographs by it. By [`Method::Walk`] what was named there is
    /// certain.
    ///
    /// # Errors
    /// As [`Teach::fit`].
    pub fn segment(self) -> Result<(LinearHead, Vec<Segmentation>)> {
        self.run(true)
    }

    fn run(self, segment: bool) -> Result<(LinearHead, Vec<Segmentation>)> {
        let last = self.model.spec().sizes.layers;
        let mut lesson = Lesson { method: self.method, ..Lesson::default() };
        let block = |layer: &i64| model::layer(last, 1, *layer);
        lesson.layers = self.layers.iter().map(block).collect::<Result<_>>()?;
        if lesson.layers.is_empty() {
            lesson.layers = self.method.layers(last);
        }
        lesson.layers.sort_unstable();
        lesson.layers.dedup();
        let (photos, shape) = (self.photos, native(self.model, self.size)?);
        let cancel = self.model.cancel.clone();
        self.model.with(move |encoder| {
            pollster::block_on(learn(encoder, photos, shape, lesson, segment, &cancel))
        })
    }
}

async fn learn(
    encoder: &mut Encoder,
    photos: Vec<(Picture, Points)>,
    shape: Shape,
    mut lesson: Lesson,
    segment: bool,
    cancel: &Cancel,
) -> Result<(LinearHead, Vec<Segmentation>)> {
    let (mut album, mut ids) = (Album::default(), Vec::new());
    for (picture, points) in photos {
        let photo = encoded(encoder, picture, &shape, &lesson.layers, cancel).await?;
        let id = album.add(photo);
        ids.push(id);
        for (name, at @ [x, y]) in points {
            let unseen = || Error::input(format!("{x},{y}: the encoder did not see it"));
            let token = album.photo(id)?.patch(at)?.ok_or_else(unseen)?;
            let class = lesson.class(&name);
            lesson.examples.push(Example { photo: id, token, class, at: Some(at) });
        }
    }
    if lesson.names.len() < 2 {
        return Err(Error::input("points of at least two classes are needed"));
    }
    let head = lesson.fit(&lesson.gather(&mut album, encoder).await?)?;
    album.learn(head.clone(), &lesson.examples);
    let mut found = Vec::new();
    for id in ids.into_iter().filter(|_| segment) {
        found.push(taught(encoder, &mut album, id, &head).await?);
    }
    Ok((head, found))
}

/// A photograph of an album by the head that was taught.
async fn taught(
    encoder: &Encoder,
    album: &mut Album,
    id: u32,
    head: &LinearHead,
) -> Result<Segmentation> {
    let mut logits = album.logits(encoder, id, Head::Taught).await?;
    let photo = album.photo(id)?.picture.clone();
    let labels = match head.method {
        Method::Linear | Method::Mlp => {
            labels(&logits, [photo.height as usize, photo.width as usize])?
        }
        Method::Walk => {
            // Logits of probabilities are their logarithms.
            logits.values.iter_mut().for_each(|p| *p = p.max(1e-9).ln());
            soft(&logits, &photo)?.named()?.labels
        }
    };
    let (names, palette) = (head.names.clone(), head.palette.clone());
    Ok(Segmentation { logits, labels, names, palette, photo })
}

/// What logits `[1, classes, h, w]` say of a photograph's pixels.
fn soft(logits: &Tensor, photo: &Picture) -> Result<Soft> {
    let sides = [logits.shape[2], logits.shape[3]];
    let values = probabilities(&logits.values, sides, sides);
    let size = [photo.height as usize, photo.width as usize];
    Soft::new(values, sides, photo, size, Refine::default())
}

/// A photograph encoded with the outputs of some blocks.
async fn encoded(
    encoder: &mut Encoder,
    picture: Picture,
    shape: &Shape,
    layers: &[usize],
    cancel: &Cancel,
) -> Result<Photo> {
    let keep = Keep { taps: layers, residency: crate::session::Residency::Host };
    let go_on = &mut async |_, _| cancel.flow();
    Photo::encode(encoder, picture, shape, keep, go_on).await
}

/// Photographs keep their aspect ratio.
fn native(model: &Model, size: Option<u32>) -> Result<Shape> {
    let spec = model.spec();
    Shape::of(spec.preprocessing.fit(&spec.sizes, Some(Resize::Native), size), 1)
}

impl Model {
    /// Segments a photograph by the model's own head, window by window where it is long.
    ///
    /// # Errors
    /// [`Error::Input`] where the model has no head; as [`Encoder::segment`].
    pub fn segment(&self, photo: &Picture) -> Result<Segmentation> {
        let (photo, cancel) = (photo.clone(), self.cancel.clone());
        self.with(move |encoder| {
            pollster::block_on(async {
                let none = || Error::input("this model has no segmentation head");
                let head = encoder.checkpoint().head.as_ref().ok_or_else(none)?.spec.clone();
                let windows = Windows::new(encoder.spec(), &head, None, None, false)?;
                let go_on = &mut async |_, _| cancel.flow();
                let canvas = windows.cover(&photo)?.segment(encoder, &head, go_on).await?;
                let size = [photo.height as usize, photo.width as usize];
                let (labels, logits) = (canvas.labels(size)?, canvas.finish()?);
                let (names, palette) = (class_names(&head), class_palette(&head));
                Ok(Segmentation { logits, labels, names, palette, photo })
            })
        })
    }

    /// Segments a photograph by a head that was taught, or read from its file.
    ///
    /// # Errors
    /// [`Error::Input`] where the head is of another model; as [`Encoder::encode`].
    pub fn segment_with(&self, head: &LinearHead, photo: &Picture) -> Result<Segmentation> {
        let (head, picture, shape) = (head.clone(), photo.clone(), native(self, None)?);
        let cancel = self.cancel.clone();
        self.with(move |encoder| {
            pollster::block_on(async {
                let photo = encoded(encoder, picture, &shape, &head.layers, &cancel).await?;
                let mut album = Album::default();
                album.learn(head.clone(), &[]);
                let id = album.add(photo);
                taught(encoder, &mut album, id, &head).await
            })
        })
    }
}

/// A class for each pixel of a photograph.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Segmentation {
    /// `[1, classes, h, w]`, of patches or of the resized photograph's pixels.
    pub logits: Tensor,
    /// The class of each pixel of the photograph, row by row.
    pub labels: Vec<i32>,
    /// The classes' names.
    pub names: Vec<String>,
    /// The classes' colours.
    pub palette: Vec<[u8; 3]>,
    photo: Picture,
}

impl Segmentation {
    /// Percent of the photograph's pixels that each class has.
    pub fn shares(&self) -> Vec<(&str, f64)> {
        let shares = shares(&self.labels, self.names.len()).unwrap_or_default();
        self.names.iter().map(String::as_str).zip(shares).collect()
    }

    /// The probability of a class at each pixel of the photograph, its edges those of the photograph.
    ///
    /// # Errors
    /// [`Error::Input`] for a class that there is not.
    pub fn probability(&self, class: &str) -> Result<Vec<f32>> {
        soft(&self.logits, &self.photo)?.plane(self.place(class)?)
    }

    /// How unsure each pixel is: 0 where one class has all the probability, 1 where two have the same.
    ///
    /// # Errors
    /// [`Error::Input`] where the photograph's size is beyond what can be resized.
    pub fn unsure(&self) -> Result<Vec<f32>> {
        Ok(soft(&self.logits, &self.photo)?.named()?.unsure)
    }

    /// The photograph's pixels as RGBA, all but a class's transparent.
    ///
    /// # Errors
    /// [`Error::Input`] for a class that there is not.
    pub fn cut_out(&self, class: &str) -> Result<Vec<u8>> {
        soft(&self.logits, &self.photo)?.cut_out(self.place(class)?)
    }

    fn place(&self, class: &str) -> Result<usize> {
        let found = self.names.iter().position(|name| name == class);
        found.ok_or_else(|| Error::input(format!("class {class}: there are {}", list(&self.names))))
    }

    /// The classes' colours over the photograph, at an opacity from 0 to 1.
    ///
    /// # Errors
    /// [`Error::Input`] where the opacity is beyond.
    pub fn over(&self, opacity: f32) -> Result<Picture> {
        paint_labels(&self.labels, &self.palette, &self.photo, opacity)
    }

    /// Writes [`Segmentation::over`] as PNG.
    ///
    /// # Errors
    /// [`Error::Io`]; as [`Segmentation::over`].
    pub fn save_overlay(&self, path: impl AsRef<Path>, opacity: f32) -> Result<()> {
        self.over(opacity)?.save(path)
    }
}
