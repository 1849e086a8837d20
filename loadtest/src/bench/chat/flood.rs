//! Those who say as much as they can, to see that the rest does not suffer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::chat::frames::{Reading, send};
use crate::chat::seen::{Did, Ear};
use crate::chat::socket::{Room, Socket, Who};

/// What became of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Flood {
    pub(super) bots: u16,
    pub(super) sent: u64,
    pub(super) accepted: u64,
    pub(super) refused: u64,
    /// Times that the server ended the connection of one.
    pub(super) thrown_out: u64,
    /// Times that the server did not let one in.
    pub(super) kept_out: u64,
}

/// Bots at work; dropped, they stop.
#[derive(Debug)]
pub(super) struct Bots {
    count: u16,
    tasks: JoinSet<()>,
    book: Arc<Book>,
}

#[derive(Debug, Default)]
struct Book {
    did: Mutex<Did>,
    thrown_out: AtomicU64,
    kept_out: AtomicU64,
}

/// One that was thrown out comes again after this time.
const AGAIN: Duration = Duration::from_millis(250);

impl Bots {
    pub(super) fn start(count: u16, room: &Room, reading: &Arc<Reading>) -> Self {
        let book = Arc::new(Book::default());
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let (room, reading, book) = (room.clone(), Arc::clone(reading), Arc::clone(&book));
            tasks.spawn(async move {
                let who = Who::Guest(format!("flooding-guest-{number:05}"));
                loop {
                    flood(&room, &who, &reading, &book).await;
                    sleep(AGAIN).await;
                }
            });
        }
        Self { count, tasks, book }
    }

    /// Ends it.
    pub(super) async fn stop(mut self) -> Flood {
        self.tasks.shutdown().await;
        let did = self.book.did.lock().unwrap_or_else(PoisonError::into_inner);
        Flood {
            bots: self.count,
            sent: did.said,
            accepted: did.accepted + did.held,
            refused: did.refused.values().sum(),
            thrown_out: self.book.thrown_out.load(Ordering::Relaxed),
            kept_out: self.book.kept_out.load(Ordering::Relaxed),
        }
    }
}

/// One connection, until the server ends it.
async fn flood(room: &Room, who: &Who, reading: &Arc<Reading>, book: &Arc<Book>) {
    let ear = Ear::new(reading);
    let Ok(mut socket) = Socket::join(room, who, &ear).await else {
        book.kept_out.fetch_add(1, Ordering::Relaxed);
        return sleep(AGAIN).await;
    };
    // What was done counts also when this is cancelled.
    let _written = Written {
        ear: ear.clone(),
        book: Arc::clone(book),
    };
    let mut number = 0_u64;
    loop {
        let frame = send(&number.to_string(), "buy this, buy that, buy all of it");
        let sent = tokio::select! {
            sent = socket.send(frame) => sent.is_ok(),
            () = sleep(AGAIN) => true,
        };
        ear.seen().did.said += 1;
        number += 1;
        // What has come is read, or the server would wait for us.
        let is_open = loop {
            tokio::select! {
                biased;
                came = socket.next() => match came {
                    Ok(Some((frame, at))) => ear.hear(frame.as_bytes(), at),
                    Ok(None) | Err(_) => break false,
                },
                () = std::future::ready(()) => break true,
            }
        };
        if !sent || !is_open {
            book.thrown_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
}

struct Written {
    ear: Ear,
    book: Arc<Book>,
}

impl Drop for Written {
    fn drop(&mut self) {
        let seen = self.ear.seen();
        let mut did = self.book.did.lock().unwrap_or_else(PoisonError::into_inner);
        did.add(&seen.did);
    }
}
