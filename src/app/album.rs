//! The photographs of a session, and what they share.

use std::collections::BTreeMap;

use super::{Example, Photo, ReadTexts, class_names, class_palette};
use crate::view::{Classes, Edges, Fine, Head, Inputs, Map, PcaBasis, Request, render};
use crate::weights::LinearHead;
use crate::{Encoder, Error, Result, Tensor};

/// The photographs of a session by their numbers, from 1, all encoded by one encoder.
#[derive(Default)]
pub struct Album {
    /// Colours that PCA pictures share.
    pub basis: Option<PcaBasis>,
    /// The head that was taught.
    pub head: Option<LinearHead>,
    /// Texts that were read.
    pub texts: ReadTexts,
    /// The examples of that head, which a walk starts from; none of a head that was read from a file.
    pub examples: Vec<Example>,
    photos: BTreeMap<u32, Photo>,
    /// The number of the last photograph.
    last: u32,
    /// Pixels of the longer side of a map of classes at most.
    side: Option<u32>,
}

impl Album {
    /// An empty album, whose maps of classes have at most `side` pixels on their longer side; as many
    /// as the photograph has without.
    pub fn new(side: Option<u32>) -> Self {
        Self { side, ..Self::default() }
    }

    /// Adds a photograph; its number.
    pub fn add(&mut self, photo: Photo) -> u32 {
        self.last += 1;
        self.photos.insert(self.last, photo);
        self.last
    }

    /// A photograph.
    ///
    /// # Errors
    /// [`Error::Input`] where it is not there.
    pub fn photo(&self, id: u32) -> Result<&Photo> {
        self.photos.get(&id).ok_or_else(|| gone(id))
    }

    pub(super) fn photo_mut(&mut self, id: u32) -> Result<&mut Photo> {
        self.photos.get_mut(&id).ok_or_else(|| gone(id))
    }

    pub(super) fn photos_mut(&mut self) -> impl Iterator<Item = (u32, &mut Photo)> {
        self.photos.iter_mut().map(|(id, photo)| (*id, photo))
    }

    /// Lets a photograph and its features go.
    pub fn forget(&mut self, id: u32) {
        self.photos.remove(&id);
    }

    /// Lets all go that another encoder cannot use; numbers go on.
    pub fn clear(&mut self) {
        self.photos.clear();
        (self.basis, self.head) = (None, None);
        self.examples.clear();
        self.texts = ReadTexts::default();
    }

    /// The map of a view of a photograph. `tell` is told how many parts of how many are done, where
    /// there are several.
    ///
    /// # Errors
    /// As [`render`]; [`Error::Input`] where there is no such photograph, patch, layer or head; as
    /// [`crate::session::DeviceFeatures::tensor`].
    pub async fn view(
        &mut self,
        encoder: &Encoder,
        id: u32,
        request: &Request,
        tell: &mut dyn FnMut(usize, usize),
    ) -> Result<Map> {
        let needs = request.needs();
        let query = match (needs.query, needs.tokens, &needs.text) {
            (Some(query), Some(state), _) => {
                let of = self.photo_mut(query.of.unwrap_or(id))?;
                of.token(encoder, state, query.patch).await?
            }
            (_, _, Some(text)) => self.texts.features(text)?.to_vec(),
            _ => Vec::new(),
        };
        let logits = match needs.head {
            Some(head) => Some(self.logits(encoder, id, head).await?),
            None => None,
        };
        let photo = self.photos.get_mut(&id).ok_or_else(|| gone(id))?;
        let attention = match needs.attention {
            Some(looks) => photo.look(encoder, looks, tell).await?,
            None => Vec::new(),
        };
        if let Some(state) = needs.tokens {
            photo.read(encoder, state).await?;
        }
        let (names, palette) = match needs.head {
            Some(head) => classes_of(head, encoder, self.head.as_ref()),
            None => Default::default(),
        };
        let size = photo.fine(self.side).map(|length| length as usize);
        let classes = logits.as_ref().map(|logits| {
            let (names, palette) = (&names[..], &palette[..]);
            Classes { logits, names, palette, size }
        });
        let map = render(
            request,
            &Inputs {
                grid: photo.grid(),
                seen: photo.seen(),
                channels: match needs.text {
                    Some(_) => query.len(),
                    None => encoder.spec().sizes.hidden,
                },
                tokens: photo.last_read(),
                query: &query,
                attention: &attention,
                basis: self.basis.as_ref(),
                classes,
            },
        )?;
        if needs.keeps_basis {
            self.basis.clone_from(&map.basis);
        }
        Ok(map)
    }

    /// The map of a photograph at the resolution of pixels.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such photograph; as [`Map::along`].
    pub fn fine(&mut self, id: u32, map: &Map, edges: Edges) -> Result<Option<Fine>> {
        let side = self.side;
        let photo = self.photo_mut(id)?;
        Ok(match edges {
            Edges::Patches => None,
            Edges::Smooth => Some(map.smooth(photo.fine(side).map(|length| length as usize))?),
            Edges::Photograph => Some(map.along(photo.guide(map.grid(), side)?)?),
        })
    }

    /// Pixels of the longer side of a map of classes at most.
    pub(super) fn side(&self) -> Option<u32> {
        self.side
    }

    /// The logits `[1, classes, h', w']` of a head, on a photograph's features; of a head that was
    /// taught to walk, the probabilities.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such photograph or head; as
    /// [`crate::session::DeviceFeatures::tensor`].
    pub async fn logits(&mut self, encoder: &Encoder, id: u32, head: Head) -> Result<Tensor> {
        let own = self.examples.iter().filter(|example| example.photo == id);
        let named: Vec<Example> = own.copied().collect();
        let photo = self.photos.get_mut(&id).ok_or_else(|| gone(id))?;
        photo.classify(encoder, head, self.head.as_ref(), &named).await
    }
}

/// Names and colours of a head's classes.
fn classes_of(
    head: Head,
    encoder: &Encoder,
    taught: Option<&LinearHead>,
) -> (Vec<String>, Vec<[u8; 3]>) {
    match (head, &encoder.checkpoint().head, taught) {
        (Head::Own, Some(head), _) => (class_names(&head.spec), class_palette(&head.spec)),
        (Head::Taught, _, Some(head)) => (head.names.clone(), head.palette.clone()),
        _ => Default::default(),
    }
}

fn gone(id: u32) -> Error {
    Error::input(format!("photograph {id} has been let go"))
}
