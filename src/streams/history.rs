//! Writes down when streams started and ended, as their events tell.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_util::sync::CancellationToken;

use super::{Stream, StreamEvent, catalogue, stream_uuid};
use crate::db::{Db, StoreError};
use crate::error::log_store_error;
use crate::nodes::Node;
use crate::payments::{Gate, Payments};

/// Runs until the token is cancelled and all events before it are written.
///
/// A database that is away does not hold up anybody: its row is lost and the log says so.
pub(super) async fn run(
    db: Db,
    node: Node,
    payments: Payments,
    mut events: Receiver<StreamEvent>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => write(&db, node, &payments, event).await,
                Err(RecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "Lost {lost} stream events before they were written");
                }
                Err(RecvError::Closed) => return,
            },
            () = stop.cancelled() => break,
        }
    }
    loop {
        match events.try_recv() {
            Ok(event) => write(&db, node, &payments, event).await,
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}

/// Who has a ticket to a stream that broke off has one to the stream that goes on with it.
async fn continue_tickets(
    payments: &Payments,
    about: &Stream,
    written: Result<(), StoreError>,
) -> Result<(), StoreError> {
    written?;
    let stream = stream_uuid(about.id);
    payments.continue_tickets(about.channel, stream).await
}

async fn write(db: &Db, node: Node, payments: &Payments, event: StreamEvent) {
    let written = match event {
        StreamEvent::Started { about, .. } => {
            let written = catalogue::write_start(db, &about, node).await;
            // A planned one has tickets of its own, or is to get some.
            match about.details.lock.gate {
                Gate::Ticket if about.schedule.is_none() => {
                    continue_tickets(payments, &about, written).await
                }
                _ => written,
            }
        }
        StreamEvent::Ended { stream, at, .. } => catalogue::end_stream(db, node, stream, at).await,
        _ => Ok(()),
    };
    if let Err(error) = written {
        log_store_error(&error);
    }
}
