//! Photographs read on a thread of their own: what the stage waits for first, small pictures when there is time.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use internvit::budget::Budget;
use internvit::image::{self, Decoded, Picture, decode_with, resize};
use internvit::photos;
use internvit::{Error, Result};

use crate::state::Reading;
use crate::state::shots::{Pixels, Read};
use crate::talk::{Photograph, ShotId};

/// Pixels of the longer side of a small picture, and at most of what the stage shows.
const SMALL: u32 = 160;
const STAGE: u32 = 2048;

/// What was read of a file, or why not.
pub(crate) type Answer = std::result::Result<Read, (ShotId, String)>;

/// The thread that reads.
pub(crate) struct Reader {
    queue: Arc<(Mutex<VecDeque<Reading>>, Condvar)>,
    answers: Receiver<Answer>,
}

impl Reader {
    /// A thread that reads, and calls `wake` when there is an answer. It ends with the program.
    pub(crate) fn start(wake: impl Fn() + Send + 'static) -> Self {
        let (send, answers) = channel();
        let queue: Arc<(Mutex<VecDeque<Reading>>, Condvar)> = Arc::default();
        let own = queue.clone();
        // Without the thread photographs are never read, which the stage says.
        let _ = thread::Builder::new()
            .name("photographs".into())
            .spawn(move || work(&own, &send, &wake));
        Self { queue, answers }
    }

    /// Reads a file: before all others where the whole photograph is wanted.
    pub(crate) fn read(&self, reading: Reading) {
        let mut queue = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        match reading.whole {
            true => queue.push_front(reading),
            false => queue.push_back(reading),
        }
        self.queue.1.notify_one();
    }

    /// What was read since the last time.
    pub(crate) fn answers(&self) -> impl Iterator<Item = Answer> + '_ {
        self.answers.try_iter()
    }
}

fn work(queue: &(Mutex<VecDeque<Reading>>, Condvar), send: &Sender<Answer>, wake: &dyn Fn()) {
    let budget = Arc::new(Budget::of_machine());
    loop {
        let mut list = queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        while list.is_empty() {
            list = queue.1.wait(list).unwrap_or_else(PoisonError::into_inner);
        }
        let Some(reading) = list.pop_front() else { continue };
        drop(list);
        // A decoder that panics costs its own photograph alone.
        let read = catch_unwind(AssertUnwindSafe(|| read(&reading, &budget)));
        let read = read.unwrap_or_else(|_| Err(Error::image(reading.path.display(), "damaged")));
        if send.send(read.map_err(|error| (reading.shot, error.to_string()))).is_err() {
            return;
        }
        wake();
    }
}

fn read(reading: &Reading, budget: &Arc<Budget>) -> Result<Read> {
    let (decoded, name) = (decode(&reading.path, budget)?, reading.path.display().to_string());
    let Decoded { picture, alpha, .. } = decoded;
    let small = pixels(&picture, SMALL)?;
    let whole = match reading.whole {
        false => None,
        true => {
            let stage = Arc::new(pixels(&picture, STAGE)?);
            let (picture, alpha) = (Arc::new(picture), alpha.map(Arc::new));
            Some((Photograph { id: reading.shot, name, picture, alpha }, stage))
        }
    };
    Ok(Read { shot: reading.shot, small, whole })
}

fn decode(path: &Path, budget: &Arc<Budget>) -> Result<Decoded> {
    let (bytes, _share) = photos::read(path, budget)?;
    let seen = image::Options { background: Some([255; 3]), alpha: true };
    decode_with(&path.display().to_string(), &bytes, seen)
}

/// A picture with at most `side` pixels on its longer side.
fn pixels(picture: &Picture, side: u32) -> Result<Pixels> {
    let longer = picture.width.max(picture.height);
    let scaled =
        |length: u32| (u64::from(length) * u64::from(side) / u64::from(longer)).max(1) as u32;
    let smaller = match longer > side {
        true => Some(resize(picture, scaled(picture.width), scaled(picture.height))?),
        false => None,
    };
    let shown = smaller.as_ref().unwrap_or(picture);
    Ok(Pixels {
        width: shown.width as usize,
        height: shown.height as usize,
        rgb: shown.rgb.clone(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::{Duration, Instant};

    use super::*;

    /// What a reader answers, one after the other.
    fn answers(reader: &Reader, count: usize) -> Vec<Answer> {
        let (mut list, start) = (Vec::new(), Instant::now());
        while list.len() < count && start.elapsed() < Duration::from_secs(60) {
            list.extend(reader.answers());
            thread::sleep(Duration::from_millis(5));
        }
        list
    }

    #[test]
    fn photographs_are_read_and_what_is_none_is_told() {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../www/samples");
        let reader = Reader::start(|| ());
        let read =
            |shot, path: &Path, whole| reader.read(Reading { shot, path: path.into(), whole });
        read(1, &samples.join("coffee.png"), true);
        read(2, Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml").as_path(), true);
        read(3, &samples.join("rocket.jpg"), false);
        let mut found = answers(&reader, 3);
        found.sort_by_key(|answer| match answer {
            Ok(read) => read.shot,
            Err((shot, _)) => *shot,
        });
        let first = found[0].as_ref().unwrap_or_else(|(_, why)| panic!("{why}"));
        let (photo, stage) = first.whole.as_ref().unwrap();
        assert_eq!([photo.picture.width, photo.picture.height], [600, 400]);
        assert_eq!([stage.width, stage.height, stage.rgb.len()], [600, 400, 600 * 400 * 3]);
        assert_eq!([first.small.width, first.small.height], [160, 106]);
        assert!(found[1].as_ref().is_err_and(|(_, why)| why.contains("Cargo.toml")));
        assert!(found[2].as_ref().is_ok_and(|read| read.whole.is_none()));
    }
}
