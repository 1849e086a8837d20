//! [`Untaken`]: what a connection of HTTP/2 was given and has not sent, because its client does not
//! take it.
//!
//! There the client opens a window for each answer (RFC 9113 §5.2), and answers that nobody takes hold
//! memory while pings keep the connection moving (CVE-2019-9517). Bytes know here when they are gone.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::sleep;

/// Pieces of answers that were not sent yet, of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Untaken(Arc<Ledger>);

/// Counts by age: pieces of this look, of the one before, and of those that are old.
#[derive(Debug, Default)]
struct Ledger {
    looks: AtomicUsize,
    pieces: [AtomicUsize; AGES],
}

const AGES: usize = 3;

impl Untaken {
    /// The answer, its pieces counted from when they are given to the connection until they are sent.
    pub(super) fn count(&self, answer: Response) -> hyper::Response<Counted> {
        answer.map(|body| Counted {
            body,
            untaken: self.clone(),
        })
    }

    /// Waits until a piece has been there for so long, at the latest after twice that.
    pub(super) async fn stuck(&self, patience: Duration) {
        loop {
            sleep(patience).await;
            if self.look() {
                return;
            }
        }
    }

    /// Whether there are pieces from before the last look.
    fn look(&self) -> bool {
        let looks = self.0.looks.fetch_add(1, Ordering::Relaxed);
        // That of the look before; its place is free again, as nothing is left, before its next turn.
        let old = self.place(looks + AGES - 1);
        old.is_some_and(|pieces| pieces.load(Ordering::Relaxed) > 0)
    }

    fn place(&self, look: usize) -> Option<&AtomicUsize> {
        self.0.pieces.get(look % AGES)
    }

    fn hold(&self, bytes: Bytes) -> Bytes {
        let look = self.0.looks.load(Ordering::Relaxed);
        if let Some(place) = self.place(look) {
            place.fetch_add(1, Ordering::Relaxed);
        }
        Bytes::from_owner(Piece {
            bytes,
            look,
            untaken: self.clone(),
        })
    }
}

/// A body whose pieces are counted.
#[derive(Debug)]
pub(super) struct Counted {
    body: Body,
    untaken: Untaken,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map_ok(|frame| frame.map_data(|bytes| self.untaken.hold(bytes)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of an answer, gone when this is dropped.
struct Piece {
    bytes: Bytes,
    look: usize,
    untaken: Untaken,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(place) = self.untaken.place(self.look) {
            place.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_old_at_the_second_look_unless_it_is_gone() {
        let untaken = Untaken::default();
        for _ in 0..7 {
            let sent = untaken.hold(Bytes::from_static(b"sent"));
            assert_eq!(sent, "sent");
            assert!(!untaken.look(), "it is new");
            drop(sent);
            assert!(!untaken.look(), "it is gone");
        }
        let stays = untaken.hold(Bytes::from_static(b"stays"));
        let rest = stays.slice(2..);
        drop(stays);
        assert!(!untaken.look());
        assert!(untaken.look(), "a rest of it is still there");
        drop(rest);
        assert!(!untaken.look());
    }
}
