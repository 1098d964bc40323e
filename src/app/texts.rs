//! Texts that were read, and the photographs compared with them.

use super::{Album, Photo};
use crate::features::{Guess, Scale, means};
use crate::model::own_class_names;
use crate::session::Words;
use crate::view::Hidden;
use crate::{Encoder, Error, Features, Result, Tensor};

/// The last texts that were read, with their features, and what the model learned of both its towers.
#[derive(Default)]
pub struct ReadTexts {
    read: Vec<(String, Vec<f32>)>,
    scale: Option<Scale>,
}

/// Texts that are kept.
const MOST: usize = 512;

impl ReadTexts {
    /// The features of a text, of length 1.
    ///
    /// # Errors
    /// [`Error::Input`] where it was not read.
    pub fn features(&self, text: &str) -> Result<&[f32]> {
        let found = self.read.iter().find(|(known, _)| known == text);
        let none = || Error::input(format!("the text {text:?} has not been read"));
        found.map(|(_, features)| &features[..]).ok_or_else(none)
    }

    /// Whether a text was read.
    pub fn has(&self, text: &str) -> bool {
        self.features(text).is_ok()
    }

    /// Reads a text, which a tokenizer has made `words` of.
    ///
    /// # Errors
    /// As [`Encoder::read_texts`].
    pub async fn read(&mut self, encoder: &Encoder, text: &str, words: Words) -> Result<()> {
        let features = means(&encoder.text_features(&[words]).await?, 1);
        if self.scale.is_none() {
            self.scale = Some(encoder.scale().await?);
        }
        self.read.retain(|(known, _)| known != text);
        let over = (self.read.len() + 1).saturating_sub(MOST);
        self.read.drain(..over);
        self.read.push((text.into(), features.values));
        Ok(())
    }
}

impl Album {
    /// What a photograph shows, by the classes of the model's own classifier: all of them, the most probable
    /// first, by the names of the configuration, empty where it names none.
    ///
    /// # Errors
    /// [`Error::Input`] where the model has no classes of its own, or there is no such photograph; as
    /// [`Encoder::encode`].
    pub async fn classify(&mut self, encoder: &mut Encoder, id: u32) -> Result<Vec<Guess>> {
        let none = || Error::input("this model has no classes of its own");
        let count = encoder.spec().classes().ok_or_else(none)?;
        let names = own_class_names(&encoder.checkpoint().config, count);
        let features = self.photo_mut(id)?.whole(encoder).await?;
        Ok(features.classes(&names).ok_or_else(none)?.concat())
    }

    /// Which of these texts describes a photograph: all of them, the most probable first.
    ///
    /// # Errors
    /// [`Error::Input`] where a text was not read, the model compares no photographs with texts, or there is
    /// no such photograph; as [`Encoder::encode`].
    pub async fn compare(
        &mut self,
        encoder: &mut Encoder,
        id: u32,
        texts: &[String],
    ) -> Result<Vec<Guess>> {
        let mut values = Vec::new();
        for text in texts {
            values.extend_from_slice(self.texts.features(text)?);
        }
        let Some(scale) = self.texts.scale else { return Ok(Vec::new()) };
        let count = texts.len();
        let texts_read = Tensor { shape: vec![count, values.len() / count.max(1)], values };
        let channels = encoder.spec().image_features();
        let features = self.photo_mut(id)?.whole(encoder).await?;
        Ok(features.described(channels, texts, &texts_read, &scale)?.concat())
    }
}

impl Photo {
    /// What the encoder says of the photograph as a whole: a view may want it larger, or in another shape, which
    /// the model was not taught.
    async fn whole(&mut self, encoder: &mut Encoder) -> Result<&Features> {
        let features = match self.whole.take() {
            Some(known) => known,
            None => encoder.whole(&self.picture).await?,
        };
        Ok(self.whole.insert(features))
    }

    /// What texts are compared with, of every token of all pictures, `[pictures, tokens, width]`.
    pub(super) async fn dense(&self, encoder: &Encoder) -> Result<Tensor> {
        let layer = Hidden::Layer(encoder.dense_layer()?);
        let hidden = self.held.tensor(encoder.session(), &layer.name()).await?;
        let tokens = hidden.shape[1];
        let grid = self.held.grid.unwrap_or([tokens - self.held.prefix, 1]);
        let (mut values, mut width) = (Vec::new(), 0);
        for picture in hidden.values.chunks_exact(tokens * hidden.shape[2]) {
            let dense = encoder.dense(picture, grid).await?;
            width = dense.shape[1];
            values.extend(dense.values);
        }
        Ok(Tensor { shape: vec![hidden.shape[0], tokens, width], values })
    }
}
