//! [`Watched`]: a byte stream of which one can tell whether anything moves on it.
//!
//! A time-out a connection, and no clock is read for its bytes: whoever is slow may be, but who takes
//! or sends nothing at all holds a place for nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;

use crate::telemetry::HTTP_BYTES;

/// A stream whose movement is noted.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    moving: Moving,
}

/// Whether bytes went either way of a [`Watched`] stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Moving(Arc<AtomicBool>);

impl<S> Watched<S> {
    pub(super) fn new(stream: S) -> (Self, Moving) {
        let moving = Moving::default();
        let watched = Self {
            stream,
            moving: moving.clone(),
        };
        (watched, moving)
    }
}

impl Moving {
    /// Waits until nothing has moved for so long, at the latest after twice that.
    pub(super) async fn stopped(&self, quiet: Duration) {
        loop {
            sleep(quiet).await;
            if !self.0.swap(false, Ordering::Relaxed) {
                return;
            }
        }
    }

    fn note(&self, bytes: usize) {
        // Many writes between two looks: reading first leaves the cache line to itself.
        if bytes > 0 && !self.0.load(Ordering::Relaxed) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn note_written(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.note(*bytes);
            HTTP_BYTES.add(u64::try_from(*bytes).unwrap_or_default());
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.moving.note(buffer.filled().len() - before);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.moving.note_written(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.moving.note_written(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
