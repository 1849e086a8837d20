//! How often media-workers are replaced, for the metrics.

use tokio::sync::watch;

/// Counts the children that come after the first, until there are no more. `work` is what they do.
pub(super) fn count(mut worker: watch::Receiver<Option<u32>>, work: &'static str) {
    tokio::spawn(async move {
        let mut first = true;
        let mut last = None;
        while worker.changed().await.is_ok() {
            let now = *worker.borrow_and_update();
            if now.is_none() || now == last {
                continue;
            }
            if !std::mem::take(&mut first) {
                let labels = [("work", work)];
                metrics::counter!("tallylight_media_worker_restarts_total", &labels).increment(1);
            }
            last = now;
        }
    });
}
