//! Connections: how many, how slow they may be, and their end.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep, timeout};

/// Connections at once; others wait until one ends. Systems give a process 1,024 files or more.
const MOST: usize = 512;

/// How long a connection may be silent before and between requests.
const IDLE: Duration = Duration::from_secs(30);

/// Answers until `stop`, and then what was asked before. How many connections were still there after `grace`.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limit: Duration,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> usize {
    let graceful = Arc::new(GracefulShutdown::new());
    let accepting = tokio::spawn(accept(listener, router, limit, graceful.clone()));
    stop.await;
    accepting.abort();
    // When it has ended the listener is closed and what it held is dropped.
    let _ = accepting.await;
    let Some(graceful) = Arc::into_inner(graceful) else { return 0 };
    let count = graceful.count();
    match timeout(grace, graceful.shutdown()).await {
        Ok(()) => 0,
        Err(_) => count,
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    limit: Duration,
    all: Arc<GracefulShutdown>,
) {
    let places = Arc::new(Semaphore::new(MOST));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // A client that has gone, or no file for one more: the next may do.
            Err(_) => {
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let stream = TokioIo::new(Patient { stream, limit, late: None });
        let connection = all.watch(http.serve_connection(stream, service));
        tokio::spawn(async move {
            // A client that breaks off, or is too slow, ends its own connection.
            let _ = connection.await;
            drop(place);
        });
    }
}

/// A connection that ends where nothing of an answer is taken for too long.
struct Patient {
    stream: TcpStream,
    limit: Duration,
    late: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    /// Waits for a write only so long.
    fn wait<T>(
        &mut self,
        found: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if found.is_ready() {
            self.late = None;
            return found;
        }
        let end = Instant::now() + self.limit;
        let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        ready!(late.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let found = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wait(found, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let found = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.wait(found, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let found = Pin::new(&mut self.stream).poll_flush(context);
        self.wait(found, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let found = Pin::new(&mut self.stream).poll_shutdown(context);
        self.wait(found, context)
    }
}
