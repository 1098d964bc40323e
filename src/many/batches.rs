//! Photographs in batches: runs of those that can be encoded together.

use std::iter::Peekable;

use super::Ready;
use crate::Result;

/// Photographs in their order, in batches whose pictures have one size and a largest number; a
/// photograph of more pictures than that is a batch of its own. One that cannot be read is in the
/// batch in whose place it stands.
pub struct Batches<I: Iterator<Item = Result<Ready>>> {
    photos: Peekable<I>,
    most: usize,
}

impl<I: Iterator<Item = Result<Ready>>> Batches<I> {
    /// Batches of at most `most` pictures.
    pub fn new(photos: I, most: usize) -> Self {
        Self { photos: photos.peekable(), most }
    }

    /// The next batch, which ends early where `stop`, asked after each photograph, says so.
    pub fn next_until(&mut self, stop: &mut dyn FnMut() -> bool) -> Option<Vec<I::Item>> {
        let (mut batch, mut count): (Vec<I::Item>, _) = (Vec::new(), 0);
        // Whether the next photograph goes with those of the batch.
        while let Some(photo) = self.photos.next_if(|photo| match photo {
            Ok(photo) => batch.iter().flatten().next_back().is_none_or(|last| {
                count + photo.pictures.len() <= self.most && last.same_size(photo)
            }),
            Err(_) => true,
        }) {
            count += photo.as_ref().map_or(0, |photo| photo.pictures.len());
            batch.push(photo);
            if stop() {
                break;
            }
        }
        Some(batch).filter(|batch| !batch.is_empty())
    }
}

impl<I: Iterator<Item = Result<Ready>>> Iterator for Batches<I> {
    type Item = Vec<I::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_until(&mut || false)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::Error;
    use crate::image::{Grid, Picture};

    /// A photograph of some pictures of a side; of none, one that cannot be read.
    fn photo((count, side): (usize, u32)) -> Result<Ready> {
        if count == 0 {
            return Err(Error::image("photo", "unreadable"));
        }
        let picture = Picture::of(side, side, vec![0; (side * side * 3) as usize]);
        let (size, grid) = ([side; 2], Grid { cols: 1, rows: 1 });
        Ok(Ready { name: String::new(), size, grid, pictures: vec![picture; count] })
    }

    fn lengths(photos: &[(usize, u32)], most: usize) -> Vec<usize> {
        Batches::new(photos.iter().copied().map(photo), most).map(|batch| batch.len()).collect()
    }

    #[test]
    fn batches_have_one_size_and_few_pictures() {
        assert_eq!(lengths(&[], 4), [0; 0]);
        assert_eq!(lengths(&[(1, 2); 9], 4), [4, 4, 1]);
        assert_eq!(lengths(&[(1, 2), (1, 2), (1, 3), (1, 2)], 4), [2, 1, 1], "in their order");
        assert_eq!(lengths(&[(2, 2), (3, 2), (1, 2)], 4), [1, 2], "tiles");
        assert_eq!(lengths(&[(7, 2), (1, 2), (1, 2)], 1), [1, 1, 1], "more than one batch holds");
        assert_eq!(lengths(&[(1, 2), (0, 0), (1, 2), (0, 0)], 2), [4], "what cannot be read");
        let mut batches = Batches::new([(1, 2); 5].into_iter().map(photo), 4);
        let mut left = 3;
        let mut stop = || {
            left -= 1;
            left == 0
        };
        assert_eq!(batches.next_until(&mut stop).unwrap().len(), 3);
        assert_eq!(batches.next().unwrap().len(), 2);
    }
}
