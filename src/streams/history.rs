//! Writes down when streams started and ended, as their events tell.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_util::sync::CancellationToken;

use super::{StreamEvent, catalogue};
use crate::db::Db;
use crate::error::log_store_error;
use crate::nodes::Node;

/// Runs until the token is cancelled and all events before it are written.
///
/// A database that is away does not hold up anybody: its row is lost and the log says so.
pub(super) async fn run(
    db: Db,
    node: Node,
    mut events: Receiver<StreamEvent>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => write(&db, node, event).await,
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
            Ok(event) => write(&db, node, event).await,
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}

async fn write(db: &Db, node: Node, event: StreamEvent) {
    let written = match event {
        StreamEvent::Started { about, .. } => catalogue::write_start(db, &about, node).await,
        StreamEvent::Ended { stream, at, .. } => catalogue::end_stream(db, stream, at).await,
        _ => Ok(()),
    };
    if let Err(error) = written {
        log_store_error(&error);
    }
}
