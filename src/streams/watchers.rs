//! Who watches what has a gate, and may no more: their sessions end with the reason.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sfu::SessionId;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::lifecycle::Command;
use super::{StreamEvent, Streams};
use crate::accounts::AccountId;
use crate::channels::{Barred, ChannelId};
use crate::error::log_store_error;
use crate::gates::{By, Place};

/// Previews end to the second.
const TICK: Duration = Duration::from_secs(1);
/// Memberships end by themselves, too, and what is told may be lost: all are looked at every so many ticks.
const ALL_EVERY: u32 = 30;

/// Something on air that has a gate, and who watches it.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) place: Place,
    pub(super) watchers: Vec<(SessionId, By)>,
}

/// Where it is told that a viewer may watch no more. Clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Barring {
    told: CancellationToken,
    why: Arc<OnceLock<(&'static str, String)>>,
}

impl Barring {
    pub(super) fn tell(&self, barred: &Barred) {
        let (code, words) = match barred {
            Barred::PreviewOver(_) => ("preview_over", barred.to_string()),
            _ => {
                let words = format!("you may not watch this any more: {barred}");
                ("access_ended", words)
            }
        };
        // The first reason counts.
        let _ = self.why.set((code, words));
        self.told.cancel();
    }

    /// The name of the reason, and the reason in words, once it is told.
    pub(super) async fn wait(&self) -> (&'static str, String) {
        self.told.cancelled().await;
        self.why.get().cloned().unwrap_or_default()
    }
}

/// Who is to be looked at.
#[derive(Debug, Clone, Copy)]
enum Whom {
    All,
    Previews,
    /// All of one channel.
    Of(ChannelId),
    /// One account on one channel.
    One(ChannelId, AccountId),
}

impl Whom {
    fn is(self, place: &Place, by: By) -> bool {
        match self {
            Self::All => true,
            Self::Previews => matches!(by, By::Preview(_)),
            Self::Of(channel) => place.channel == channel,
            Self::One(channel, account) => {
                let is_theirs = matches!(by, By::Account(who) | By::Team(who) if who == account);
                place.channel == channel && is_theirs
            }
        }
    }
}

/// Ends sessions of whom what let them in has left, until the token is cancelled.
pub(super) async fn watch(
    streams: Streams,
    mut events: broadcast::Receiver<StreamEvent>,
    stop: CancellationToken,
) {
    let mut changes = streams.gates.payments().subscribe();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut until_all = 0;
    let mut sweeping = JoinSet::new();
    loop {
        let whom = tokio::select! {
            () = stop.cancelled() => return,
            _ = sweeping.join_next(), if !sweeping.is_empty() => continue,
            changed = changes.recv() => match changed {
                Ok(changed) => Whom::One(ChannelId(changed.channel), changed.account),
                Err(RecvError::Lagged(_)) => Whom::All,
                Err(RecvError::Closed) => return,
            },
            event = events.recv() => match event {
                Ok(StreamEvent::Updated { channel, .. }) => Whom::Of(channel),
                Ok(_) => continue,
                Err(RecvError::Lagged(_)) => Whom::All,
                Err(RecvError::Closed) => return,
            },
            _ = ticks.tick() => match until_all {
                // Beside the others, for it may take long.
                0 if sweeping.is_empty() => {
                    until_all = ALL_EVERY;
                    let streams = streams.clone();
                    sweeping.spawn(async move { streams.look_at(Whom::All).await });
                    continue;
                }
                0 => Whom::Previews,
                _ => {
                    until_all -= 1;
                    Whom::Previews
                }
            },
        };
        streams.look_at(whom).await;
    }
}

impl Streams {
    /// Looks at all who watch a channel here: there may be another gate.
    pub(super) async fn look_at_watchers_of(&self, channel: ChannelId) {
        self.look_at(Whom::Of(channel)).await;
    }

    async fn look_at(&self, whom: Whom) {
        let guarded = self.ask(Command::Guarded).await.unwrap_or_default();
        for Guarded { place, watchers } in guarded {
            for (session, by) in watchers {
                if whom.is(&place, by) {
                    self.check(&place, session, by).await;
                }
            }
        }
    }

    async fn check(&self, place: &Place, session: SessionId, by: By) {
        match self.gates.still(place, by).await {
            Ok(()) => {}
            // It is looked at again soon.
            Err(Barred::Store(error)) => log_store_error(&error),
            Err(barred) => {
                // Without the task nobody watches.
                let _ = self.commands.send(Command::Bar(session, barred)).await;
            }
        }
    }
}
