//! What happens on channels at other servers that share the database, told here as if it had happened here.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Channel, ChannelEvent, ChannelId, Channels, StreamKeyId, store};
use crate::accounts::AccountId;
use crate::bus::{Bus, Heard, Lasting, Memory, Said};
use crate::db::StoreError;
use crate::error::log_store_error;

/// [`ChannelEvent`], as servers tell it one another. What a channel is, each reads for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Word {
    StreamKeyRevoked { key: Uuid },
    Deleted { channel: Uuid },
    Updated { channel: Uuid },
    DoorChanged { channel: Uuid },
    Followed { channel: Uuid, account: AccountId },
    Unfollowed { channel: Uuid, account: AccountId },
    ModeratorAdded { channel: Uuid, account: AccountId },
    ModeratorRemoved { channel: Uuid, account: AccountId },
}

const TOPIC: &str = "channels";
/// From reading the database to listening.
const STARTED_WITHIN: Duration = Duration::from_secs(10);

impl Channels {
    /// Tells other servers what happens, and hears of them what happens there, until the token is
    /// cancelled.
    #[must_use]
    pub fn with_bus(self, bus: Bus, stop: CancellationToken) -> (Self, JoinHandle<()>) {
        let channels = Self { bus, ..self };
        let listening = listen(channels.clone(), stop);
        (channels, tokio::spawn(listening))
    }

    pub(super) fn tell_elsewhere(&self, event: &ChannelEvent) {
        if !self.bus.is_shared() {
            return;
        }
        if let Ok(words) = serde_json::to_string(&Word::of(event)) {
            self.bus.say(TOPIC, &words, Lasting::Kept);
        }
    }

    async fn hear(&self, said: &Said) -> Result<(), StoreError> {
        let Ok(word) = serde_json::from_str::<Word>(&said.words) else {
            tracing::debug!("Another server says what this one does not understand");
            return Ok(());
        };
        match word {
            Word::StreamKeyRevoked { key } => {
                let key = StreamKeyId(key);
                self.tell_streams_here(ChannelEvent::StreamKeyRevoked { key })
                    .await;
            }
            Word::Deleted { channel } => {
                let channel = ChannelId(channel);
                self.gates.remove_of(channel);
                self.tell_streams_here(ChannelEvent::Deleted { channel })
                    .await;
            }
            Word::Updated { channel } => {
                if let Some(channel) = self.learn_gate(ChannelId(channel)).await? {
                    let channel = Arc::new(channel);
                    self.tell_streams_here(ChannelEvent::Updated { channel })
                        .await;
                }
            }
            Word::DoorChanged { channel } => {
                let channel = ChannelId(channel);
                self.learn_gate(channel).await?;
                self.tell_streams_here(ChannelEvent::DoorChanged { channel })
                    .await;
            }
            Word::Followed { channel, account } => {
                let channel = ChannelId(channel);
                self.tell_here(ChannelEvent::Followed { channel, account });
            }
            Word::Unfollowed { channel, account } => {
                let channel = ChannelId(channel);
                self.tell_here(ChannelEvent::Unfollowed { channel, account });
            }
            Word::ModeratorAdded { channel, account } => {
                let channel = ChannelId(channel);
                self.tell_here(ChannelEvent::ModeratorAdded { channel, account });
            }
            Word::ModeratorRemoved { channel, account } => {
                let channel = ChannelId(channel);
                self.tell_here(ChannelEvent::ModeratorRemoved { channel, account });
            }
        }
        Ok(())
    }

    /// Reads anew what stands before a channel.
    async fn learn_gate(&self, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        let _turn = self.gates.turn.lock().await;
        let mut tx = self.db.begin().await?;
        let found = store::channel_in(&mut tx, id).await?;
        tx.commit().await?;
        Ok(found.map(|(channel, password_hash)| {
            self.set_gate(channel.clone(), password_hash);
            channel
        }))
    }
}

impl Word {
    fn of(event: &ChannelEvent) -> Self {
        match event {
            ChannelEvent::StreamKeyRevoked { key } => Self::StreamKeyRevoked { key: key.0 },
            ChannelEvent::Deleted { channel } => Self::Deleted { channel: channel.0 },
            ChannelEvent::Updated { channel } => Self::Updated {
                channel: channel.id.0,
            },
            ChannelEvent::DoorChanged { channel } => Self::DoorChanged { channel: channel.0 },
            ChannelEvent::Followed { channel, account } => Self::Followed {
                channel: channel.0,
                account: *account,
            },
            ChannelEvent::Unfollowed { channel, account } => Self::Unfollowed {
                channel: channel.0,
                account: *account,
            },
            ChannelEvent::ModeratorAdded { channel, account } => Self::ModeratorAdded {
                channel: channel.0,
                account: *account,
            },
            ChannelEvent::ModeratorRemoved { channel, account } => Self::ModeratorRemoved {
                channel: channel.0,
                account: *account,
            },
        }
    }
}

async fn listen(channels: Channels, stop: CancellationToken) {
    let mut ear = channels.bus.hear();
    let mut memory = Memory::default();
    channels.bus.follow(TOPIC).await;
    // What was said before this server started, it has read from the database.
    let began = channels.clock.instant();
    loop {
        let heard = tokio::select! {
            heard = ear.next() => heard,
            () = stop.cancelled() => return,
        };
        let said = match heard {
            Heard::Said(said) if said.topic == TOPIC => vec![said.as_ref().clone()],
            Heard::Said(_) => Vec::new(),
            Heard::Back => {
                let now = channels.clock.instant();
                channels.missed(now.saturating_duration_since(began)).await
            }
        };
        for said in said {
            if memory.is_new(&said)
                && let Err(error) = channels.hear(&said).await
            {
                log_store_error(&error);
            }
        }
    }
}

impl Channels {
    /// What may have been missed. What stands before channels is read as a whole: of that nothing may be.
    async fn missed(&self, since: Duration) -> Vec<Said> {
        if let Err(error) = self.learn_gates().await {
            log_store_error(&error);
        }
        self.bus.recall(TOPIC, since + STARTED_WITHIN).await
    }
}
