//! What rayon is to a browser: a thread there has a module of its own, so iterators of the same names run
//! one after the other. Natively `crate::parallel` is rayon itself.

/// One thread.
pub(crate) fn current_num_threads() -> usize {
    1
}

/// Work on the threads that share it.
#[cfg(feature = "language")]
pub(crate) fn scope<T>(work: impl FnOnce(&()) -> T) -> T {
    work(&())
}

pub(crate) mod prelude {
    use std::slice::{Chunks, ChunksExact, ChunksExactMut, ChunksMut, Iter, IterMut};

    /// Parts of a slice.
    pub(crate) trait Slices<T> {
        fn par_iter(&self) -> Iter<'_, T>;
        fn par_iter_mut(&mut self) -> IterMut<'_, T>;
        fn par_chunks(&self, size: usize) -> Chunks<'_, T>;
        fn par_chunks_mut(&mut self, size: usize) -> ChunksMut<'_, T>;
        fn par_chunks_exact(&self, size: usize) -> ChunksExact<'_, T>;
        fn par_chunks_exact_mut(&mut self, size: usize) -> ChunksExactMut<'_, T>;
    }

    impl<T> Slices<T> for [T] {
        fn par_iter(&self) -> Iter<'_, T> {
            self.iter()
        }

        fn par_iter_mut(&mut self) -> IterMut<'_, T> {
            self.iter_mut()
        }

        fn par_chunks(&self, size: usize) -> Chunks<'_, T> {
            self.chunks(size)
        }

        fn par_chunks_mut(&mut self, size: usize) -> ChunksMut<'_, T> {
            self.chunks_mut(size)
        }

        fn par_chunks_exact(&self, size: usize) -> ChunksExact<'_, T> {
            self.chunks_exact(size)
        }

        fn par_chunks_exact_mut(&mut self, size: usize) -> ChunksExactMut<'_, T> {
            self.chunks_exact_mut(size)
        }
    }

    /// What can be walked through.
    pub(crate) trait Walk: IntoIterator + Sized {
        fn into_par_iter(self) -> Self::IntoIter {
            self.into_iter()
        }
    }

    impl<I: IntoIterator> Walk for I {}

    /// What rayon's iterators have beyond plain ones.
    pub(crate) trait Parts: Iterator + Sized {
        fn with_min_len(self, _: usize) -> Self {
            self
        }

        fn with_max_len(self, _: usize) -> Self {
            self
        }

        fn for_each_init<T>(self, init: impl Fn() -> T, work: impl Fn(&mut T, Self::Item)) {
            let mut own = init();
            self.for_each(|item| work(&mut own, item));
        }
    }

    impl<I: Iterator> Parts for I {}
}
