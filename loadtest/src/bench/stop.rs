//! Ctrl-C: a run that is stopped ends its sessions before it goes.

use std::future::Future;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Knows whether somebody asked us to stop.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

/// We were asked to stop.
#[derive(Debug, thiserror::Error)]
#[error("stopped before the end; what was opened is closed")]
pub(super) struct Stopped;

impl Stop {
    /// Listens to SIGINT and SIGTERM from now on, for as long as the process lives. The second ends
    /// it at once.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let wait = |kind| signal(kind).context("cannot wait for signals");
        let (interrupt, terminate) = (
            wait(SignalKind::interrupt())?,
            wait(SignalKind::terminate())?,
        );
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(tell(interrupt, terminate, sender));
        Ok(Self(receiver))
    }

    /// Waits for that, unless we are asked to stop: then it is dropped.
    pub(super) async fn or<T>(&self, future: impl Future<Output = T>) -> Result<T, Stopped> {
        let mut asked = self.0.clone();
        tokio::select! {
            done = future => Ok(done),
            // The sender lives as long as the process, or is gone with its runtime.
            _ = asked.wait_for(|is_asked| *is_asked) => Err(Stopped),
        }
    }
}

async fn tell(mut interrupt: Signal, mut terminate: Signal, sender: watch::Sender<bool>) {
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if sender.send_replace(true) {
            super::progress("stopped at once");
            std::process::exit(EXIT_INTERRUPTED);
        }
    }
}

/// What shells call the end by SIGINT.
const EXIT_INTERRUPTED: i32 = 130;
