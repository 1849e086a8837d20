//! Changes of access at other servers that share the database.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{AccessChanged, Payments, alerts};
use crate::bus::{Heard, Lasting, Memory};

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

    /// Hears what changes at other servers, until the token is cancelled.
    #[must_use]
    pub fn listen(&self, stop: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(listen(self.clone(), stop))
    }
}

async fn listen(payments: Payments, stop: CancellationToken) {
    let mut ear = payments.0.bus.hear();
    let mut memory = Memory::default();
    payments.0.bus.follow(TOPIC).await;
    payments.0.bus.follow(alerts::TOPIC).await;
    loop {
        let heard = tokio::select! {
            heard = ear.next() => heard,
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
