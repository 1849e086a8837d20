//! Passes every event on, once at least and in order, also over a restart.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Event, Events, store};
use crate::db::StoreError;
use crate::error::{ApiError, log_store_error};

/// Read from the table at once.
const BATCH: i64 = 100;
/// A database that is away is asked again after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

impl Events {
    /// Runs until the token is cancelled. An event whose `take` fails is taken again.
    pub async fn pass_on<F>(self, take: impl Fn(Arc<Event>) -> F, stop: CancellationToken)
    where
        F: Future<Output = Result<(), ApiError>>,
    {
        let mut live = self.0.live.subscribe();
        loop {
            let passed = self.pass_on_all(&take).await;
            if let Err(error) = &passed {
                match error {
                    ApiError::Store(error) => log_store_error(error),
                    other => tracing::error!("An event cannot be passed on: {other}"),
                }
            }
            let again = async {
                match passed {
                    Err(_) => sleep(AGAIN_AFTER).await,
                    // What it was, and whether something was missed, the table tells.
                    Ok(()) => drop(live.recv().await),
                }
            };
            tokio::select! {
                () = again => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn pass_on_all<F>(&self, take: &impl Fn(Arc<Event>) -> F) -> Result<(), ApiError>
    where
        F: Future<Output = Result<(), ApiError>>,
    {
        loop {
            let events = self.not_passed_on().await?;
            if events.is_empty() {
                return Ok(());
            }
            for event in events {
                let seq = event.seq;
                take(Arc::new(event)).await?;
                store::set_passed_on(&self.0.db, seq).await?;
            }
        }
    }

    async fn not_passed_on(&self) -> Result<Vec<Event>, StoreError> {
        let passed_on = store::counter(&self.0.db).await?.passed_on;
        store::after(&self.0.db, passed_on, None, BATCH).await
    }
}
