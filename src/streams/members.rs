//! Who watches as a member, and is one no more: their sessions end with the reason.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Streams;
use super::lifecycle::Command;
use crate::accounts::AccountId;
use crate::channels::ChannelId;
use crate::error::log_store_error;
use crate::payments::Payments;

/// Memberships end by themselves, too, and what is told may be lost.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Ends sessions of whom membership has left, until the token is cancelled.
pub(super) async fn watch(streams: Streams, payments: Payments, stop: CancellationToken) {
    let mut changes = payments.subscribe();
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => streams.look_at_all_members().await,
            changed = changes.recv() => match changed {
                Ok(changed) => {
                    let channel = ChannelId(changed.channel);
                    streams.look_at_member(channel, changed.account).await;
                }
                Err(RecvError::Lagged(_)) => streams.look_at_all_members().await,
                Err(RecvError::Closed) => return,
            },
        }
    }
}

impl Streams {
    async fn look_at_all_members(&self) {
        let watching = self.ask(Command::Members).await.unwrap_or_default();
        for (channel, account) in watching {
            self.look_at_member(channel, account).await;
        }
    }

    async fn look_at_member(&self, channel: ChannelId, account: AccountId) {
        // It may be open to all by now.
        if self.channels.gated_handle(channel).is_none() {
            return;
        }
        match self.channels.membership(channel, account).await {
            Ok(Some(_)) => {}
            // It may only be that nobody of that account watches.
            Ok(None) => {
                // Without the task nobody watches.
                let _ = self.commands.send(Command::Bar(channel, account)).await;
            }
            // It is looked at again soon.
            Err(error) => log_store_error(&error),
        }
    }
}
