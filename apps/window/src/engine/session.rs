//! What the model's thread works on: the photographs that it encoded, what was learned, and how a wish is fulfilled.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use internvit::app::{Album, Keep, Photo, Shape};
use internvit::features::Guess;
use internvit::image::Resize;
use internvit::session::Residency;
use internvit::view::{Edges, Hidden, Map, Refine, Request, Setting, Settings, pinned};
use internvit::weights::{LinearHead, Source};
use internvit::words::Tokenizer;
use internvit::{Encoder, Result};

use super::learn::Asked;
use super::{Now, Teller, paint};
use crate::talk::{
    Detail, Held, Lessons, Photograph, Pinned, ShotId, Shown, Taught, Told, What, Wish,
};

/// Pixels of the longer side of a map's paint.
const SIDE: u32 = 1024;
/// Bytes of features that are kept beside those in use.
const KEPT: usize = 1 << 30;
/// Patches of a photograph at most, and of the finest detail.
const PATCHES: [u32; 2] = [4096, 12_288];
/// Most labels that are told of a model's own classes.
const LABELS: usize = 10;

/// What the model's thread works on.
pub(super) struct Session {
    pub(super) album: Album,
    /// Photographs that were encoded: their numbers in the album, and how; the last used at the end.
    encoded: Vec<(ShotId, Detail, u32)>,
    tokenizer: Option<Tokenizer>,
    /// What the head was learned from.
    pub(super) learned: Option<Taught>,
    pub(super) asked: Option<Asked>,
    /// What was shown last, for files about it.
    pub(super) last: Option<Last>,
    /// Whether the model computes on the device that draws the window.
    shared: bool,
    now: Arc<Now>,
    pub(super) teller: Teller,
}

/// What was shown last.
pub(super) struct Last {
    pub(super) photo: Photograph,
    pub(super) album: u32,
    pub(super) map: Option<Map>,
    pub(super) edges: Edges,
    /// How probabilities become masks, where a lesson is shown.
    pub(super) refine: Option<Refine>,
}

impl Session {
    pub(super) fn new(shared: bool, now: Arc<Now>, teller: Teller) -> Self {
        Self {
            album: Album::new(Some(SIDE)),
            encoded: Vec::new(),
            tokenizer: None,
            learned: None,
            asked: None,
            last: None,
            shared,
            now,
            teller,
        }
    }

    pub(super) fn show(&mut self, encoder: &mut Encoder, wish: Wish) -> Result<Shown> {
        let Wish { ticket, photo, detail, layer, what, edges } = wish;
        let album = self.encode(encoder, &photo, detail)?;
        let about = self.album.photo(album)?;
        let mut shown = Shown {
            ticket,
            shot: photo.id,
            region: about.region,
            grid: about.grid(),
            seconds: about.seconds,
            ..Shown::default()
        };
        let mut refined = None;
        match what {
            What::View { request: None, .. } => shown.held = self.held(encoder, album, layer),
            What::View { request: Some(request), at } => {
                let (map, sentence) = self.view(encoder, album, &photo, request, &at, detail)?;
                let fine = self.album.fine(album, &map, edges)?;
                shown.paint = Some(paint::of_map(&map, fine));
                (shown.map, shown.sentence) = (Some(map), sentence);
            }
            What::Labels(texts) => shown.labels = self.labels(encoder, album, &texts)?,
            What::Taught { lesson, refine, showing } => {
                let known = self.prepare(encoder, lesson, detail)?;
                if known {
                    let soft = pollster::block_on(self.album.soft(encoder, album, refine))?;
                    let palette =
                        self.album.head.as_ref().map_or(Vec::new(), |head| head.palette.clone());
                    shown.paint = Some(paint::of_lesson(&soft, &palette, showing)?);
                    refined = Some(refine);
                }
                shown.taught.clone_from(&self.learned);
                shown.sentence = self.learned.as_ref().map_or_else(String::new, said);
            }
        }
        self.last = Some(Last { photo, album, map: shown.map.clone(), edges, refine: refined });
        if shown.sentence.is_empty() {
            let [rows, cols] = shown.grid;
            shown.sentence = format!("{cols} × {rows} patches, encoded in {:.2} s.", shown.seconds);
        }
        Ok(shown)
    }

    /// The album's number of a photograph, which is encoded unless it was.
    pub(super) fn encode(
        &mut self,
        encoder: &mut Encoder,
        photo: &Photograph,
        detail: Detail,
    ) -> Result<u32> {
        if let Some(at) =
            self.encoded.iter().position(|(id, how, _)| (*id, *how) == (photo.id, detail))
        {
            // The one that was used last is let go last.
            let known = self.encoded.remove(at);
            self.encoded.push(known);
            return Ok(known.2);
        }
        self.forget(photo.id);
        let shape = shape(encoder, photo, detail)?;
        let taps: Vec<usize> = (0..=encoder.spec().sizes.layers).collect();
        let keep = Keep { taps: &taps, residency: Residency::Device };
        let (now, teller, id) = (self.now.clone(), self.teller.clone(), photo.id);
        let what = format!("Encoding {}.", short_name(&photo.name));
        let on_progress = &mut async |done: usize, total: usize| {
            teller.tell(Told::Working {
                what: what.clone(),
                done: done as u64,
                total: total as u64,
            });
            match now.shot.load(Ordering::Relaxed) {
                wanted if wanted == id => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        };
        let picture = photo.picture.as_ref().clone();
        let mut encoded =
            pollster::block_on(Photo::encode(encoder, picture, &shape, keep, on_progress))?;
        if let Some(alpha) = &photo.alpha {
            encoded.leave_out(alpha);
        }
        let number = self.album.add(encoded);
        self.encoded.push((photo.id, detail, number));
        self.make_room(encoder)?;
        Ok(number)
    }

    /// Lets features go that were not used for long, where there are many.
    fn make_room(&mut self, encoder: &Encoder) -> Result<()> {
        let layers = encoder.spec().sizes.layers + 2;
        let mut bytes = Vec::new();
        for (_, _, number) in &self.encoded {
            let photo = self.album.photo(*number)?;
            let (tokens, channels) = photo.held.shape();
            bytes.push(4 * layers * tokens * channels * photo.held.batch);
        }
        let mut sum: usize = bytes.iter().sum();
        let learned: Vec<u32> = self.album.examples.iter().map(|example| example.photo).collect();
        let last = self.encoded.len().saturating_sub(1);
        let mut gone = Vec::new();
        for (at, (shot, _, number)) in self.encoded.iter().enumerate() {
            if sum > KEPT && at != last && !learned.contains(number) {
                sum -= bytes[at];
                gone.push(*shot);
            }
        }
        gone.into_iter().for_each(|shot| self.forget(shot));
        Ok(())
    }

    pub(super) fn forget(&mut self, shot: ShotId) {
        for (_, _, number) in self.encoded.extract_if(.., |(id, ..)| *id == shot) {
            self.album.forget(number);
            // What was learned there is learned again.
            self.asked = None;
        }
        self.last.take_if(|last| last.photo.id == shot);
    }

    /// The features of a layer where they lie, if that is on the window's own device.
    fn held(&self, encoder: &Encoder, album: u32, layer: usize) -> Option<Held> {
        let photo = self.album.photo(album).ok()?;
        let (held, grid) = (&photo.held, photo.grid());
        let channels = encoder.spec().sizes.hidden;
        let buffer = held.buffer(&Hidden::Layer(layer).name()).ok()?.clone();
        let first = held.prefix;
        // On the device rows are padded to a whole number of quads.
        let plain = held.batch == 1 && channels.is_multiple_of(4) && held.grid == Some(grid);
        let there = buffer.size() >= 4 * ((first + grid[0] * grid[1]) * channels) as u64;
        (self.shared && plain && there).then_some(Held { buffer, first, channels, grid })
    }

    /// The map of a view, and its sentence.
    fn view(
        &mut self,
        encoder: &mut Encoder,
        album: u32,
        photo: &Photograph,
        request: Request,
        at: &[Pinned],
        detail: Detail,
    ) -> Result<(Map, String)> {
        if let Some(text) = request.needs().text {
            self.read_text(encoder, &text)?;
        }
        let mut asked = Vec::new();
        for place in at {
            let number = match place.photo.id == photo.id {
                true => album,
                false => self.encode_beside(encoder, &place.photo, detail)?,
            };
            let Some(patch) = self.album.photo(number)?.patch(place.at)? else { continue };
            asked.push((number, patch, place.against));
        }
        let teller = self.teller.clone();
        let draw = |album_of: &mut Album, request: &Request| {
            let tell = &mut |done, all| {
                teller.tell(Told::Working {
                    what: "Drawing.".into(),
                    done: done as u64,
                    total: all as u64,
                });
            };
            pollster::block_on(album_of.view(encoder, album, request, tell))
        };
        let Some((first, rest)) = asked.split_first() else {
            let map = draw(&mut self.album, &request)?;
            let sentence = request.sentence(&map);
            return Ok((map, sentence));
        };
        let request = about(request, first.0, first.1, first.0 == album)?;
        let mut map = draw(&mut self.album, &request)?;
        let sentence = request.sentence(&map);
        if !rest.is_empty() {
            let mut sides = [Vec::new(), Vec::new()];
            for (number, patch, against) in rest {
                let other = about(request.clone(), *number, *patch, false)?;
                sides[usize::from(*against)].push(draw(&mut self.album, &other)?.values);
            }
            map = pinned(map, &sides[0], &sides[1])?;
        }
        Ok((map, sentence))
    }

    /// Encodes a photograph that is not the one on the stage.
    pub(super) fn encode_beside(
        &mut self,
        encoder: &mut Encoder,
        photo: &Photograph,
        detail: Detail,
    ) -> Result<u32> {
        let shown = self.now.shot.swap(photo.id, Ordering::Relaxed);
        let number = self.encode(encoder, photo, detail);
        // A wish that came meanwhile stays.
        let _ =
            self.now.shot.compare_exchange(photo.id, shown, Ordering::Relaxed, Ordering::Relaxed);
        number
    }

    fn labels(
        &mut self,
        encoder: &mut Encoder,
        album: u32,
        texts: &[String],
    ) -> Result<Vec<Guess>> {
        if texts.is_empty() {
            if encoder.spec().classes().is_none() {
                return Ok(Vec::new());
            }
            let mut found = pollster::block_on(self.album.classify(encoder, album))?;
            found.truncate(LABELS);
            return Ok(found);
        }
        for text in texts {
            self.read_text(encoder, text)?;
        }
        pollster::block_on(self.album.compare(encoder, album, texts))
    }

    fn read_text(&mut self, encoder: &Encoder, text: &str) -> Result<()> {
        if self.album.texts.has(text) {
            return Ok(());
        }
        let tokenizer = match self.tokenizer.take() {
            Some(tokenizer) => tokenizer,
            None => Tokenizer::beside(encoder.checkpoint())?,
        };
        let words = tokenizer.read(text);
        self.tokenizer = Some(tokenizer);
        pollster::block_on(self.album.texts.read(encoder, text, words?))
    }

    /// Reads a head from its file.
    pub(super) fn load(&mut self, encoder: &Encoder, path: &Path) -> Result<Taught> {
        let head = pollster::block_on(async {
            LinearHead::read(&Source::file(path)?, encoder.spec()).await
        })?;
        let taught = taught(&head, 0);
        self.album.learn(head, &[]);
        (self.learned, self.asked) = (Some(taught.clone()), None);
        Ok(taught)
    }

    /// Learns a lesson where it has changed; whether something is taught then.
    fn prepare(
        &mut self,
        encoder: &mut Encoder,
        lesson: Option<Lessons>,
        detail: Detail,
    ) -> Result<bool> {
        match lesson {
            Some(lesson) => self.learn(encoder, &lesson, detail).map(|()| true),
            None => {
                // What was learned of a lesson that is no longer complete goes; what was loaded stays.
                if self.asked.take().is_some() {
                    (self.album.head, self.learned) = (None, None);
                    self.album.examples.clear();
                }
                Ok(self.album.head.is_some())
            }
        }
    }
}

/// How a photograph is brought to the model's size.
fn shape(encoder: &Encoder, photo: &Photograph, detail: Detail) -> Result<Shape> {
    let (spec, patch) = (encoder.spec(), encoder.spec().sizes.patch as u32);
    let own = spec.preprocessing.fit(&spec.sizes, Some(Resize::Native), None).size;
    let side = match detail {
        Detail::Quick => (own / 2).next_multiple_of(patch),
        Detail::Fine => own,
        Detail::Finest => 2 * own,
    };
    let most = PATCHES[usize::from(detail == Detail::Finest)];
    let shape = Shape::new(spec, Some(side), Some(Resize::Native), 1)?;
    Ok(shape.within(most, photo.picture.width, photo.picture.height))
}

/// The view of a patch, of the photograph that is shown (`own`) or of another.
fn about(request: Request, photo: u32, patch: usize, own: bool) -> Result<Request> {
    let mut settings = Settings::from(request);
    settings.set("token", Setting::Number(patch));
    let name = Request::try_from(settings.clone())?;
    if !own && name.settings().contains(&"of") {
        settings.set("of", Setting::Number(photo as usize));
    }
    settings.try_into()
}

/// What is known of a head.
pub(super) fn taught(head: &LinearHead, patches: usize) -> Taught {
    let (names, palette, layers) = (head.names.clone(), head.palette.clone(), head.layers.clone());
    Taught { names, palette, layers, patches }
}

fn said(taught: &Taught) -> String {
    let layers: Vec<String> = taught.layers.iter().map(usize::to_string).collect();
    let layers = format!("layer{} {}", if layers.len() == 1 { "" } else { "s" }, layers.join(", "));
    match taught.patches {
        0 => format!("{}, on {layers}.", taught.names.join(", ")),
        patches => format!("Learned from {patches} patches on {layers}."),
    }
}

/// The last part of a path.
fn short_name(name: &str) -> String {
    let last = Path::new(name).file_name().map_or(name.into(), |last| last.to_string_lossy());
    internvit::error::short(last, 80)
}
