//! Progress callbacks of long work.

use std::ops::ControlFlow;
use std::pin::Pin;

/// What long work gives once it is awaited. Behind `dyn`, for what an `async fn` does is compiled by each
/// program that awaits it, and this once, with the library.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The caller that learns how far long work is, and may stop it: every `AsyncFnMut(N, N) ->
/// ControlFlow<()>`, with what is done and the whole.
pub trait Progress<N> {
    /// Tells how much is done of how much.
    fn report(&mut self, done: N, total: N) -> LocalBoxFuture<'_, ControlFlow<()>>;
}

impl<N: 'static, F: AsyncFnMut(N, N) -> ControlFlow<()>> Progress<N> for F {
    fn report(&mut self, done: N, total: N) -> LocalBoxFuture<'_, ControlFlow<()>> {
        Box::pin(self(done, total))
    }
}
