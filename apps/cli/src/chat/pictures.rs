//! The photographs of a conversation, and what the model is given of them.

use std::path::{Path, PathBuf};

use internvit::image::Picture;
use internvit::language::{IMAGE, Talk, Template};
use internvit::photos::has_ending;
use internvit::{Encoder, Error, Images, Resize, Result, Tensor};

use super::{Args, goes_on};
use crate::{input, progress};

/// What the command line shows, and asks.
pub(super) struct Shown {
    /// Photographs, in their order, and which of them are a video's.
    photos: Vec<(PathBuf, bool)>,
    pub(super) question: Option<String>,
}

/// What the model is given of photographs.
pub(super) struct Seen {
    /// Their tiles, until it has looked at all.
    photos: Vec<(PathBuf, Vec<Picture>)>,
    /// How many tiles it has looked at.
    looked: usize,
    /// Visual tokens of each photograph.
    pub(super) tokens: Vec<usize>,
    /// All of them, `[tiles, tokens of a tile, C]`.
    pub(super) visual: Option<Tensor>,
    /// Which photographs are frames.
    frames: Vec<bool>,
}

impl Shown {
    /// Takes the last word for the question, unless it names a file.
    pub(super) fn split(words: &[String], frames: u32) -> Result<Self> {
        let last = words.last().filter(|word| !Path::new(word.as_str()).exists());
        if let Some(word) = last.filter(|word| names_photo(word)) {
            return Err(Error::input(format!(
                "{word}: no such photograph; if it is the question, say it with a blank"
            )));
        }
        let paths = &words[..words.len() - usize::from(last.is_some())];
        let mut photos = Vec::new();
        for path in paths.iter().map(PathBuf::from) {
            if path.is_dir() {
                let all = input::photographs(std::slice::from_ref(&path))?;
                let chosen = chosen(all.len(), frames as usize).into_iter();
                photos.extend(chosen.map(|at| (all[at].clone(), true)));
            } else if path.exists() {
                photos.push((path, false));
            } else {
                let path = path.display();
                return Err(Error::input(format!(
                    "{path}: no such photograph; the question is one word, last, in quotes"
                )));
            }
        }
        Ok(Self { photos, question: last.cloned() })
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.photos.iter().map(|(path, _)| path.as_path())
    }

    /// Decodes photographs and cuts them into tiles, which have room in a conversation. A frame is one tile.
    pub(super) fn cut(&self, encoder: &Encoder, args: &Args) -> Result<Seen> {
        let frames: Vec<bool> = self.photos.iter().map(|(_, frame)| *frame).collect();
        let (mut tokens, mut photos) = (Vec::new(), Vec::new());
        let apart = (frames.iter().filter(|frame| !**frame).count() as u32).max(1);
        let side = 2 * encoder.spec().sizes.patch as u32;
        let most = encoder.spec().preprocessing.most_tiles();
        for (path, frame) in &self.photos {
            let tiles = args.max_tiles.unwrap_or((most / apart).max(1));
            let tiles = if *frame { 1 } else { tiles };
            let shape = input::shape(encoder.spec(), None, Some(Resize::Squash), tiles)?;
            let pictures = input::prepare(path, &shape, &args.background)?.pictures;
            let count =
                |picture: &Picture| (picture.height / side * (picture.width / side)) as usize;
            tokens.push(pictures.iter().map(count).sum());
            Talk::default().fits(encoder, tokens.iter().sum())?;
            photos.push((path.clone(), pictures));
        }
        args.background.tell();
        Ok(Seen { photos, looked: 0, tokens, visual: None, frames })
    }
}

impl Seen {
    /// Computes the visual tokens of all tiles. Where it is stopped, or fails, what was looked at is kept.
    pub(super) async fn look(&mut self, encoder: &mut Encoder) -> Result<()> {
        let bar = progress::Share::new("looking", self.photos.len().max(1));
        let mut before = 0;
        for (path, tiles) in &self.photos {
            let known = self.looked.saturating_sub(before).min(tiles.len());
            before += tiles.len();
            for (tile, picture) in tiles.iter().enumerate().skip(known) {
                let on = &mut async |done, total| {
                    bar.set(tile * total + done, tiles.len() * total);
                    goes_on()
                };
                let images = Images::Pictures(std::slice::from_ref(picture));
                let found = encoder.visual_tokens(images, on).await;
                let found = found.map_err(|e| {
                    bar.finish();
                    input::of(&[path], e)
                })?;
                match &mut self.visual {
                    None => self.visual = Some(found),
                    Some(visual) => {
                        visual.shape[0] += found.shape[0];
                        visual.values.extend(found.values);
                    }
                }
                self.looked += 1;
            }
            bar.next();
        }
        bar.finish();
        self.photos.clear();
        Ok(())
    }

    /// The first question, with the places of all photographs.
    pub(super) fn question(&self, template: &Template, text: &str) -> String {
        if text.contains(IMAGE) || !self.frames.contains(&true) {
            return template.question(text, self.tokens.len());
        }
        let (mut number, mut lines) = ([0, 0], String::new());
        for frame in &self.frames {
            number[usize::from(*frame)] += 1;
            lines += &match frame {
                true => template.frame(number[1]),
                false => template.picture(number[0]),
            };
        }
        lines + text
    }
}

/// Whether a word looks like the name of a photograph, and not like a question.
fn names_photo(word: &str) -> bool {
    let path = word.contains(std::path::is_separator) || has_ending(Path::new(word));
    path && !word.contains(char::is_whitespace)
}

/// Which frames are taken: one from the middle of each of so many parts of the same length.
fn chosen(frames: usize, most: usize) -> Vec<usize> {
    if frames <= most {
        return (0..frames).collect();
    }
    let part = (frames - 1) as f64 / most as f64;
    (0..most).map(|i| (part / 2.0 + (part * i as f64).round_ties_even()) as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As each family of models learned them.
    #[test]
    fn frames_are_called_by_their_numbers() {
        let frames = vec![false, true, true];
        let (photos, tokens) = (Vec::new(), vec![4; 3]);
        let seen = Seen { photos, looked: 0, tokens, visual: None, frames };
        assert_eq!(
            seen.question(&Template::port(), "Hm?"),
            "<image>\nFrame1: <image>\nFrame2: <image>\nHm?"
        );
        let named = Template::named("internvl2_5").map(|template| seen.question(&template, "Hm?"));
        let expected = "Image-1: <image>\nFrame-1: <image>\nFrame-2: <image>\nHm?";
        assert_eq!(named.as_deref(), Some(expected));
    }
}
