//! [`Pulse`]: whether the media threads live.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::watch;

/// Whether all media threads do their work; who waits hears when one does not any more.
#[derive(Debug, Clone)]
pub(crate) struct Pulse {
    is_beating: watch::Sender<bool>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        let (is_beating, _) = watch::channel(true);
        Self { is_beating }
    }

    pub(crate) fn is_beating(&self) -> bool {
        *self.is_beating.borrow()
    }

    /// Waits until a thread ends that nobody told to.
    pub(crate) async fn stopped(&self) {
        let mut beats = self.is_beating.subscribe();
        // We hold the sender ourselves: it is not gone.
        let _ = beats.wait_for(|is_beating| !is_beating).await;
    }

    /// Runs the work of a media thread. It returns whether it was told to stop.
    pub(crate) fn watch_over(&self, index: usize, work: impl FnOnce() -> bool) {
        let was_told = catch_unwind(AssertUnwindSafe(work)).unwrap_or(false);
        if !was_told {
            tracing::error!(
                shard = index,
                "Media thread {index} has stopped; its streams are lost, restart the server"
            );
            self.is_beating.send_replace(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn thread_that_dies_is_noticed_and_one_that_was_stopped_is_not() {
        let pulse = Pulse::new();
        pulse.watch_over(0, || true);
        assert!(pulse.is_beating());
        pulse.watch_over(1, || panic!("a test asked for this"));
        assert!(!pulse.is_beating());
        pulse.stopped().await;

        let pulse = Pulse::new();
        pulse.watch_over(0, || false);
        assert!(!pulse.is_beating());
    }
}
