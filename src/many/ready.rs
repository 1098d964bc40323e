//! Photographs that are brought to the model's size before their turn.

use std::sync::Arc;

use crate::app::Shape;
use crate::budget::Budget;
use crate::image::{Grid, Picture};
use crate::photos::Ahead;
use crate::{Error, Result};

/// Threads that read and decode, at most: they are quicker than encoding on most devices.
pub const READERS: usize = 8;

/// A photograph at the model's size.
pub struct Ready {
    /// The file's path, or what it is called.
    pub name: String,
    /// Width and height as decoded.
    pub size: [u32; 2],
    /// The tiles, one where it is not cut.
    pub grid: Grid,
    /// Tiles row by row, then the thumbnail where there are several; or the one resized picture.
    pub pictures: Vec<Picture>,
}

impl Ready {
    /// Brings a photograph to the model's size.
    ///
    /// # Errors
    /// As [`Shape::cut`].
    pub fn new(name: String, photo: &Picture, shape: &Shape) -> Result<Self> {
        let cut = shape.cut(photo)?;
        Ok(Self { name, size: [photo.width, photo.height], grid: cut.grid, pictures: cut.pictures })
    }

    /// Whether the pictures of both have one size, so that they can be encoded together.
    pub fn same_size(&self, other: &Self) -> bool {
        let size = |photo: &Self| photo.pictures.first().map(|p| (p.width, p.height));
        size(self) == size(other)
    }
}

/// Photographs in their order, read, decoded and resized on threads of their own, a few ahead of who takes
/// them. One that fails keeps its place.
pub struct ReadAhead<I> {
    ahead: Ahead<Result<Ready>>,
    taken: usize,
    photos: Arc<[I]>,
    name: fn(&I) -> String,
}

impl<I: Send + Sync + 'static> ReadAhead<I> {
    /// Begins to `read` photographs for `shape`. What waits takes a quarter of the budget at most; what
    /// `read` draws from it is beside that. `name` says what one is called whose thread has ended.
    pub fn new(
        photos: Arc<[I]>,
        name: fn(&I) -> String,
        shape: &Shape,
        budget: &Budget,
        read: impl Fn(&I) -> Result<Ready> + Send + Sync + 'static,
    ) -> Self {
        let waiting = 2 * 3 * u64::from(shape.tiles + 1) * u64::from(shape.fit.size).pow(2);
        let held = (budget.limit() / 4 / waiting.max(1)).max(1) as usize;
        let ahead = Ahead::new(photos.clone(), READERS.min(held), read);
        Self { ahead, taken: 0, photos, name }
    }
}

impl<I> Iterator for ReadAhead<I> {
    type Item = Result<Ready>;

    fn next(&mut self) -> Option<Self::Item> {
        let photo = self.ahead.next()?;
        let which = &self.photos[self.taken];
        self.taken += 1;
        let stopped = || Err(Error::image((self.name)(which), "decoding stopped"));
        Some(photo.unwrap_or_else(stopped))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::image::{Fit, Resize};

    #[test]
    fn one_whose_thread_ends_keeps_its_place_and_its_name() {
        let shape = Shape::of(Fit::new(Resize::Squash, 2, 2), 1).unwrap();
        // A budget of nothing leaves one thread, which ends at the second photograph.
        let read = move |side: &u32| {
            let bytes = vec![0; (side * side * 3) as usize];
            if *side == 3 {
                panic!("a fault of this photograph")
            }
            Ready::new(side.to_string(), &Picture::of(*side, *side, bytes), &shape)
        };
        let names = |side: &u32| format!("{side}.png");
        let all: Vec<_> =
            ReadAhead::new([2, 3, 4].into(), names, &shape, &Budget::new(0), read).collect();
        assert_eq!(all[0].as_ref().unwrap().size, [2, 2]);
        for (at, name) in [(1, "3.png"), (2, "4.png")] {
            let error = all[at].as_ref().err().unwrap().to_string();
            assert!(error.contains(name) && error.contains("decoding stopped"), "{error}");
        }
    }
}
