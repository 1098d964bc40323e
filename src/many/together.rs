//! Photographs of one size encoded together, of which one that cannot be costs only itself.

use std::ops::ControlFlow;

use super::{PhotoFeatures, Ready};
use crate::image::Picture;
use crate::{Encoder, Error, Images, Result};

/// What is wanted of photographs that are encoded together.
#[derive(Clone, Copy)]
pub struct Together<'a> {
    /// Hidden states besides the last.
    pub taps: &'a [usize],
    /// The patches of the last hidden state are let go.
    pub bare: bool,
    /// Whether to go on.
    pub go_on: &'a dyn Fn() -> ControlFlow<()>,
    /// Called for each time that some are encoded.
    pub run: &'a dyn Fn(),
}

/// What is known of a photograph whose pictures are encoded.
struct About {
    name: String,
    size: [u32; 2],
    pictures: usize,
}

/// The features of each picture of a photograph.
type Rows = Vec<PhotoFeatures>;

impl Together<'_> {
    /// Features of photographs whose pictures have one size, in their order, of each its pictures'. Where all
    /// together fail each is encoded alone, and has its own error.
    ///
    /// # Errors
    /// [`Error::Lost`] and [`Error::Cancelled`]; of one photograph that is alone as [`Encoder::encode`],
    /// but for [`Error::NotFinite`], which is its own.
    pub async fn encode(
        &self,
        encoder: &mut Encoder,
        photos: Vec<Ready>,
    ) -> Result<Vec<Result<Rows>>> {
        let (mut all, mut pictures) = (Vec::new(), Vec::new());
        for mut photo in photos {
            all.push(About { name: photo.name, size: photo.size, pictures: photo.pictures.len() });
            pictures.append(&mut photo.pictures);
        }
        match self.rows(encoder, &all, &pictures).await {
            Ok(rows) => Ok(rows.into_iter().map(Ok).collect()),
            // The values of one overflow, or there is no memory for all: the others are not to suffer.
            Err(error) if all.len() > 1 && !matches!(error, Error::Lost(_) | Error::Cancelled) => {
                let (mut each, mut rest) = (Vec::new(), &pictures[..]);
                for one in &all {
                    let (own, others) = rest.split_at(one.pictures);
                    rest = others;
                    match self.rows(encoder, std::slice::from_ref(one), own).await {
                        Ok(rows) => each.extend(rows.into_iter().map(Ok)),
                        Err(stop @ (Error::Lost(_) | Error::Cancelled)) => return Err(stop),
                        Err(error) => each.push(Err(error)),
                    }
                }
                Ok(each)
            }
            Err(error @ Error::NotFinite(_)) => Ok(vec![Err(error)]),
            Err(other) => Err(other),
        }
    }

    /// Features of photographs, of each its pictures'.
    async fn rows(
        &self,
        encoder: &mut Encoder,
        photos: &[About],
        pictures: &[Picture],
    ) -> Result<Vec<Rows>> {
        (self.run)();
        let go_on = &mut async |_, _| (self.go_on)();
        let features = encoder.encode(Images::Pictures(pictures), self.taps, go_on).await?;
        let layers = encoder.spec().sizes.layers;
        let summaries = features.summaries(encoder.spec().image_features());
        let channels = features.tensors["last_hidden_state"].shape[2];
        // Of a tensor the part of one picture.
        let part = |name: &str, at: usize| {
            let values = features.tensors.get(name).map_or(&[][..], |tensor| &tensor.values);
            let one = values.len() / features.batch.max(1);
            &values[at * one..][..one]
        };
        let mut summaries = summaries.into_iter().enumerate();
        let mut row = |about: &About| {
            let (at, summary) = summaries.next()?;
            let last = part("last_hidden_state", at);
            let kept = if self.bare { features.prefix * channels } else { last.len() };
            let state =
                |layer: &usize| (*layer, part(&format!("hidden_states.{layer}"), at).to_vec());
            Some(PhotoFeatures {
                name: about.name.clone(),
                size: about.size,
                grid: features.grid.unwrap_or_default(),
                prefix: features.prefix,
                channels,
                layers,
                summary,
                last: last[..kept].to_vec(),
                hidden: self.taps.iter().map(state).collect(),
            })
        };
        Ok(photos
            .iter()
            .map(|about| (0..about.pictures).filter_map(|_| row(about)).collect())
            .collect())
    }
}
