//! Classes of photographs: the model's own, or texts.

#[cfg(feature = "tokenizers")]
use std::sync::PoisonError;

use futures_channel::oneshot;

use super::thread::Request;
use super::{Cancel, Model, stopped};
use crate::features::{Guess, Scale, unit};
use crate::image::Picture;
use crate::session::Words;
#[cfg(feature = "tokenizers")]
use crate::words::Tokenizer;
use crate::{Encoder, Error, Features, Images, Result, Tensor};

/// Texts that are read before a caller is asked whether to go on.
const TEXTS: usize = 8;

/// A text that a model is to read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TextInput {
    /// As it is: [`crate`]'s feature `tokenizers`.
    Plain(String),
    /// As numbers of tokens.
    Tokens(Words),
}

impl From<Words> for TextInput {
    fn from(tokens: Words) -> Self {
        Self::Tokens(tokens)
    }
}

impl From<&str> for TextInput {
    fn from(text: &str) -> Self {
        Self::Plain(text.into())
    }
}

impl From<String> for TextInput {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

/// Texts that a model has read.
#[derive(Clone, Debug)]
pub struct Texts {
    features: Tensor,
    scale: Scale,
}

impl Texts {
    /// Texts that were read.
    pub fn len(&self) -> usize {
        self.features.shape[0]
    }

    /// Whether none was read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their features `[texts, C]`, not yet of length 1.
    pub fn features(&self) -> &Tensor {
        &self.features
    }

    /// `text_embeds`: the same with length 1, which [`super::PhotoFeatures::embedding`] is compared with.
    pub fn embeddings(&self) -> Tensor {
        unit(&self.features)
    }
}

impl Model {
    /// What a photograph shows, by the classes of the model's own classifier: all of them, the most probable
    /// first.
    ///
    /// # Errors
    /// [`Error::Input`] where the model has no classes of its own; as [`crate::Encoder::encode`].
    pub fn classify(&self, photo: &Picture) -> Result<Vec<Guess>> {
        let name = self.name().to_string();
        let none = move || Error::input(format!("{name}: this model has no classes of its own"));
        self.encoded(photo, move |features, encoder| {
            let names = encoder.checkpoint().class_names();
            let classes = names.and_then(|names| features.classes(&names)).ok_or_else(none)?;
            Ok(classes.concat())
        })
    }

    /// Reads texts: as they are with the feature `tokenizers`, by the tokenizer beside the model, or as
    /// numbers of tokens of that ([`Words`]). The model must have been opened with [`super::Options::texts`].
    ///
    /// # Errors
    /// [`Error::Input`] where the model reads no texts, there are none, no tokenizer lies beside it, or a text
    /// is empty, too long, or has a token that is none of the model's.
    pub fn text<T: Clone + Into<TextInput>>(&self, texts: &[T]) -> Result<Texts> {
        self.texts(texts.iter().map(|text| text.clone().into()).collect())
    }

    fn texts(&self, texts: Vec<TextInput>) -> Result<Texts> {
        let tokens = |text| match text {
            TextInput::Tokens(tokens) => Ok(tokens),
            TextInput::Plain(text) => self.words(&text),
        };
        let texts = texts.into_iter().map(tokens).collect::<Result<Vec<_>>>()?;
        let cancel = self.cancel.clone();
        self.with(move |encoder| read(encoder, &texts, &cancel))
    }

    /// The same for an asynchronous program: any executor can await it. Texts of which no caller waits for the
    /// answer any more are not read.
    ///
    /// # Errors
    /// As [`Model::text`].
    pub fn spawn_text(
        &self,
        texts: impl Into<Vec<Words>>,
    ) -> impl Future<Output = Result<Texts>> + Send + 'static {
        let (texts, about, cancel) = (texts.into(), self.about.clone(), self.cancel.clone());
        let (answer, answered) = oneshot::channel();
        let work = move |encoder: &mut Encoder| {
            if !answer.is_canceled() {
                let _ =
                    answer.send(about.noting(encoder, |encoder| read(encoder, &texts, &cancel)));
            }
        };
        // Where the thread has ended the answer is dropped, which the caller sees.
        let _ = self.line.send(Request::Work(Box::new(work)));
        async { answered.await.unwrap_or_else(|_| Err(stopped())) }
    }

    /// Which of these texts describes a photograph: all of them, by their numbers from 0, the most probable
    /// first.
    ///
    /// # Errors
    /// [`Error::Input`] where the model compares no photographs with texts, or other ones than these;
    /// as [`crate::Encoder::encode`].
    pub fn classify_with(&self, texts: &Texts, photo: &Picture) -> Result<Vec<Guess>> {
        let texts = texts.clone();
        self.encoded(photo, move |features, encoder| {
            let names: Vec<String> = (0..texts.len()).map(|text| text.to_string()).collect();
            let channels = encoder.spec().image_features();
            Ok(features.described(channels, &names, &texts.features, &texts.scale)?.concat())
        })
    }

    /// The tokens of a text, by the tokenizer beside the model, which is read once.
    #[cfg(feature = "tokenizers")]
    pub(super) fn words(&self, text: &str) -> Result<Words> {
        let mut known = self.about.tokenizer.lock().unwrap_or_else(PoisonError::into_inner);
        let tokenizer = match known.take() {
            Some(tokenizer) => tokenizer,
            None => self.with(|encoder| Tokenizer::beside(encoder.checkpoint()))?,
        };
        known.insert(tokenizer).read(text)
    }

    /// Without tokenizers only tokens are read.
    #[cfg(not(feature = "tokenizers"))]
    pub(super) fn words(&self, text: &str) -> Result<Words> {
        Err(Error::input(format!(
            "the text {text:?}: texts want the crate's feature `tokenizers`, or numbers of tokens"
        )))
    }

    /// Encodes a photograph and makes something of its features.
    fn encoded<T: Send + 'static>(
        &self,
        photo: &Picture,
        work: impl FnOnce(&Features, &Encoder) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let spec = self.spec();
        let picture = spec.preprocessing.fit(&spec.sizes, None, None).apply(photo)?;
        let cancel = self.cancel.clone();
        self.with(move |encoder| {
            let images = Images::Pictures(std::slice::from_ref(&picture));
            let go_on = &mut async |_, _| cancel.flow();
            let features = pollster::block_on(encoder.encode(images, &[], go_on))?;
            work(&features, encoder)
        })
    }
}

/// Reads texts, some at a time; where the device is lost it is opened again, and those are read once more.
fn read(encoder: &mut Encoder, texts: &[Words], cancel: &Cancel) -> Result<Texts> {
    if texts.is_empty() {
        return Err(Error::input("no texts were given"));
    }
    pollster::block_on(async {
        let (mut shape, mut values) = (vec![0, 0], Vec::new());
        for some in texts.chunks(TEXTS) {
            if cancel.flow().is_break() {
                return Err(Error::Cancelled);
            }
            let more = match encoder.text_features(some).await {
                Err(lost @ Error::Lost(_)) => {
                    encoder.session_mut().mend(lost).await?;
                    encoder.text_features(some).await?
                }
                read => read?,
            };
            shape = vec![shape[0] + more.shape[0], more.shape[1]];
            values.extend(more.values);
        }
        let features = Tensor { shape, values };
        Ok(Texts { features, scale: encoder.scale().await? })
    })
}
