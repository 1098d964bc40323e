//! Threads that compute on the CPU. Who asks them for parts of a product is one of them: a thread from elsewhere
//! would have to wake one for each part and be woken again, which takes longer than many a part.

use std::io;

/// Bytes of a thread's stack: as much as a program's first thread has on most systems.
const STACK: usize = 8 << 20;

/// Begins `work` on a new group of threads, as many as there are cores if `count` does not say. What it computes
/// stays on them, and they end with it.
///
/// # Errors
/// The system's reason where there can be no more threads.
pub fn start(
    name: &'static str,
    count: Option<usize>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let threads =
        rayon::ThreadPoolBuilder::new().stack_size(STACK).thread_name(move |_| name.into());
    // A fault ends this work alone, as it would on a thread of its own.
    let threads = threads.panic_handler(|_| ());
    // Of zero the library makes as many as there are cores.
    let threads = threads.num_threads(count.map_or(0, |count| count.max(1)));
    threads.build().map_err(io::Error::other)?.spawn(work);
    Ok(())
}

/// Does `work` on one of the program's own threads that compute.
pub fn within<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    // Where they are there already, they stay as they are.
    let _ = rayon::ThreadPoolBuilder::new().stack_size(STACK).build_global();
    rayon::scope(|_| work())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_fault_ends_its_own_work_alone() {
        let (send, inbox) = channel::<()>();
        start("fails", Some(2), move || {
            let _held = send;
            panic!("as it should");
        })
        .unwrap();
        assert!(inbox.recv().is_err());
        assert_eq!(within(|| rayon::join(|| 1, || 2)), (1, 2));
    }
}
