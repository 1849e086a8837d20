//! What others change of what is on air, heard of at once: which stream it is they say by the bus, and what is
//! said of it now stands in the database. What is missed is found there as well, some seconds later.

use sfu::StreamId;
use uuid::Uuid;

use super::super::{LiveChannel, StreamEvent, Streams};
use super::{store, stream_uuid};
use crate::bus::{Ear, Heard, Lasting};
use crate::db::StoreError;
use crate::error::log_store_error;

const TOPIC: &str = "streams";

impl Streams {
    /// Tells other servers that something else is said of a stream.
    pub(super) fn tell_elsewhere(&self, stream: StreamId) {
        let words = stream_uuid(stream).to_string();
        self.bus.say(TOPIC, &words, Lasting::Sure);
    }

    /// What others say from now on.
    pub(super) async fn listen_to_changes(&self) -> Ear {
        let ear = self.bus.hear();
        self.bus.follow(TOPIC).await;
        ear
    }

    /// Takes over what others changed.
    pub(super) async fn hear(&self, heard: Heard) {
        let caught_up = match heard {
            Heard::Said(said) if said.topic == TOPIC => self.hear_of(&said.words).await,
            Heard::Said(_) => return,
            Heard::Back => self.catch_up().await,
        };
        if let Err(error) = caught_up {
            log_store_error(&error);
        }
    }

    async fn hear_of(&self, words: &str) -> Result<(), StoreError> {
        let Ok(id) = Uuid::parse_str(words) else {
            tracing::debug!("Another server says what this one does not understand");
            return Ok(());
        };
        let stream = StreamId::from(id.as_u128());
        let live = self.live().await;
        match live.iter().find(|live| live.stream == stream) {
            Some(live) => self.renew(live).await,
            None => Ok(()),
        }
    }

    /// Takes over what was changed of what is on air by others: at another server, or in the moment in which it
    /// went on air.
    pub(super) async fn catch_up(&self) -> Result<(), StoreError> {
        let revisions = store::revisions_on_air(&self.db).await?;
        if revisions.is_empty() {
            return Ok(());
        }
        for live in self.live().await {
            let id = stream_uuid(live.stream);
            if revisions.get(&id).copied().unwrap_or_default() > live.about.revision {
                self.renew(&live).await?;
            }
        }
        Ok(())
    }

    /// Reads anew what is said of a stream, if others have changed it.
    async fn renew(&self, live: &LiveChannel) -> Result<(), StoreError> {
        let found = store::by_id(&self.db, live.stream).await?;
        let Some(stream) = found.filter(|found| found.revision > live.about.revision) else {
            return Ok(());
        };
        let about = self.retell(stream).await;
        if live.is_here {
            self.tell(StreamEvent::Updated {
                stream: about.id,
                channel: about.channel,
                about,
            });
        } else {
            // Programs are told by the server that has it; who watches here is looked at here.
            self.look_at_watchers_of(live.channel.id).await;
        }
        Ok(())
    }
}
