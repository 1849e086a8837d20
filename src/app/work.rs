//! Who does which kind of job, and who is told of events: the one place where both are put together.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use super::news;
use crate::db::StoreError;
use crate::error::log_store_error;
use crate::events::Event;
use crate::jobs::Worker;
use crate::nodes::Node;
use crate::router::Services;

/// What is too old goes this often.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// The worker, which knows every kind of job.
pub(super) fn worker(services: &Services, node: Node) -> Worker {
    let worker = Worker::new(services.jobs.clone()).at(node.id);
    let worker = services.mail.deliver_by(worker);
    let worker = services.accounts.reset_by(worker);
    let worker = services.notifications.work_by(worker);
    let worker = services.payments.apply_by(worker);
    let worker = news::tell_by(worker, services);
    services.webhooks.deliver_by(worker)
}

/// Passes events on to all who make something of them, and deletes what is too old of that.
pub(super) async fn pass_on(services: Services, stop: CancellationToken) {
    let take = |event: Arc<Event>| {
        let services = services.clone();
        async move {
            services.webhooks.take(&event).await?;
            services.notifications.take(&event).await?;
            Ok(())
        }
    };
    let passing = services.events.clone().pass_on(take, stop.clone());
    tokio::join!(passing, sweep(&services, stop));
}

async fn sweep(services: &Services, stop: CancellationToken) {
    let mut pause = interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            _ = pause.tick() => {}
            () = stop.cancelled() => return,
        }
        let swept = [
            services.webhooks.sweep().await,
            services.payments.sweep().await,
            services.notifications.sweep().await,
            sweep_pictures(services).await,
        ];
        for error in swept.into_iter().filter_map(Result::err) {
            log_store_error(&error);
        }
    }
}

/// Deletes pictures that were replaced.
async fn sweep_pictures(services: &Services) -> Result<(), StoreError> {
    let mut named: HashSet<String> = services.accounts.pictures().await?.into_iter().collect();
    named.extend(services.channels.pictures().await?);
    named.extend(services.streams.pictures().await?);
    named.extend(services.chat.pictures().await?);
    let named = Arc::new(named);
    match services.images.sweep(&named).await {
        Ok(0) => {}
        Ok(deleted) => tracing::info!("Deleted {deleted} pictures that nobody shows any more"),
        Err(error) => tracing::warn!(%error, "Pictures cannot be swept: {error}"),
    }
    if let Err(error) = services.images.sweep_store(&named).await {
        tracing::warn!(%error, "Pictures at the store cannot be swept: {error}");
    }
    Ok(())
}
