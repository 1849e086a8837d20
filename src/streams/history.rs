//! Writes down when streams started and ended, as their events tell.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Stream, StreamEvent, catalogue, stream_uuid};
use crate::db::{Db, StoreError};
use crate::error::log_store_error;
use crate::nodes::Node;
use crate::payments::{Gate, Payments};

/// What waits for a database that is away: no stream begins then but those that were about to. Of more, the oldest are lost.
const MOST_WAITING: usize = 10_000;
/// A database that is away is asked again after this time, which doubles up to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// At the end, until it is given up.
const LAST_TRIES: Duration = Duration::from_secs(5);

/// Runs until the token is cancelled and all events before it are written.
///
/// A database that is away does not hold up anybody: what happened meanwhile is written, in its order, when it is back.
pub(super) async fn run(
    db: Db,
    node: Node,
    payments: Payments,
    (mut events, tell): (Receiver<StreamEvent>, Sender<StreamEvent>),
    stop: CancellationToken,
) {
    let mut books = Books {
        db,
        node,
        payments,
        tell,
        waiting: VecDeque::new(),
        pause: FIRST_PAUSE,
    };
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => books.take(event),
                Err(RecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "Lost {lost} stream events before they were written");
                }
                Err(RecvError::Closed) => break,
            },
            () = sleep(books.pause), if !books.waiting.is_empty() => {}
            () = stop.cancelled() => break,
        }
        books.write().await;
    }
    loop {
        match events.try_recv() {
            Ok(event) => books.take(event),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    books.close().await;
}

/// What is not written yet.
struct Books {
    db: Db,
    node: Node,
    payments: Payments,
    tell: Sender<StreamEvent>,
    waiting: VecDeque<StreamEvent>,
    pause: Duration,
}

impl Books {
    fn take(&mut self, event: StreamEvent) {
        if !matches!(
            event,
            StreamEvent::Started { .. } | StreamEvent::Ended { .. }
        ) {
            return;
        }
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.pop_front();
            tracing::error!(
                "Too much waits for the database: the start or end of a stream is lost"
            );
        }
        self.waiting.push_back(event);
    }

    /// Writes what waits, as far as the database takes it.
    async fn write(&mut self) {
        while let Some(event) = self.waiting.front() {
            match self.write_down(event).await {
                Err(error) if error.is_unavailable() => {
                    if self.pause == FIRST_PAUSE {
                        log_store_error(&error);
                    }
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                    return;
                }
                // One that cannot be written, as of a channel that was deleted, must not keep the others.
                Err(error) => log_store_error(&error),
                Ok(()) => self.pause = FIRST_PAUSE,
            }
            self.waiting.pop_front();
        }
    }

    async fn close(mut self) {
        let last = async {
            self.write().await;
            while !self.waiting.is_empty() {
                sleep(FIRST_PAUSE).await;
                self.write().await;
            }
        };
        if timeout(LAST_TRIES, last).await.is_err() {
            let lost = self.waiting.len();
            tracing::error!(
                lost,
                "The database was away at the end: {lost} starts and ends of streams are put in order by the next start"
            );
        }
    }

    async fn write_down(&self, event: &StreamEvent) -> Result<(), StoreError> {
        match event {
            StreamEvent::Started { about, .. } => {
                for over in catalogue::write_start(&self.db, about, self.node).await? {
                    // Nobody may be listening.
                    let _ = self.tell.send(StreamEvent::over(over));
                }
                self.continue_tickets(about).await
            }
            StreamEvent::Ended { stream, at, .. } => {
                catalogue::end_stream(&self.db, self.node, *stream, *at).await
            }
            _ => Ok(()),
        }
    }

    /// Who has a ticket to a stream that broke off has one to the stream that goes on with it. A planned one
    /// has tickets of its own, or is to get some.
    async fn continue_tickets(&self, about: &Stream) -> Result<(), StoreError> {
        match about.details.lock.gate {
            Gate::Ticket if about.schedule.is_none() => {
                let stream = stream_uuid(about.id);
                self.payments.continue_tickets(about.channel, stream).await
            }
            _ => Ok(()),
        }
    }
}
