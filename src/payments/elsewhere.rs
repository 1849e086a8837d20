//! Changes of access that others cause: channels, and other servers that share the database.

use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{AccessChanged, Payments, alerts};
use crate::bus::{Heard, Lasting, Memory};
use crate::channels::ChannelEvent;

const TOPIC: &str = "access";

impl Payments {
    pub(super) fn tell_elsewhere(&self, changed: AccessChanged) {
        if !self.0.bus.is_shared() {
            return;
        }
        if let Ok(words) = serde_json::to_string(&changed) {
            self.0.bus.say(TOPIC, &words, Lasting::Kept);
        }
    }

    /// Hears what others change, until the token is cancelled.
    #[must_use]
    pub fn listen(&self, stop: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(listen(self.clone(), stop))
    }
}

impl Payments {
    /// Who follows, or looks after a channel, may watch more than others; other servers hear of it themselves.
    fn hear_channel(&self, event: &ChannelEvent) {
        if let ChannelEvent::Followed { channel, account }
        | ChannelEvent::Unfollowed { channel, account }
        | ChannelEvent::ModeratorAdded { channel, account }
        | ChannelEvent::ModeratorRemoved { channel, account } = event
        {
            self.hear(AccessChanged {
                channel: channel.0,
                account: *account,
            });
        }
    }
}

async fn listen(payments: Payments, stop: CancellationToken) {
    let mut ear = payments.0.bus.hear();
    let mut of_channels = payments.0.channels.subscribe();
    let mut memory = Memory::default();
    payments.0.bus.follow(TOPIC).await;
    payments.0.bus.follow(alerts::TOPIC).await;
    loop {
        let heard = tokio::select! {
            heard = ear.next() => heard,
            event = of_channels.recv() => {
                match event {
                    Ok(event) => payments.hear_channel(&event),
                    Err(RecvError::Lagged(_)) => payments.0.cache.forget_all(),
                    Err(RecvError::Closed) => return,
                }
                continue;
            }
            () = stop.cancelled() => return,
        };
        match heard {
            Heard::Said(said) if said.topic == TOPIC && memory.is_new(&said) => {
                match serde_json::from_str(&said.words) {
                    Ok(changed) => payments.hear(changed),
                    Err(_) => payments.0.cache.forget_all(),
                }
            }
            Heard::Said(said) if said.topic == alerts::TOPIC => {
                if let Ok(shown) = serde_json::from_str(&said.words) {
                    payments.hear_alert(shown);
                }
            }
            Heard::Said(_) => {}
            // What is kept is half a minute old at most, and all who watch are asked for again as often.
            Heard::Back => payments.0.cache.forget_all(),
        }
    }
}
