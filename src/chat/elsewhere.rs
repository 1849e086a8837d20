//! Rooms that other servers share: what is heard of them, and what a room is after they were not heard.
//!
//! Each server numbers what is said at it, by its clock and never below what it has heard, and delivers
//! that at once; the numbers, which no two servers give twice, are the order for all. While Redis is away
//! each server looks into the database again and again instead.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::emotes::Emote;
use super::hall::Hall;
use super::message::{Message, Subject};
use super::modes::Modes;
use super::questions::Question;
use super::room::{HISTORY, Heard, OnAir, Restraint};
use super::words::{self, Part, Word};
use super::{Chat, MOST_HELD, MOST_QUESTIONS, read_modes, store};
use crate::bus::{self, Said};
use crate::channels::ChannelId;
use crate::clock::from_millis;
use crate::db::StoreError;
use crate::error::log_store_error;

/// What is known of a room's modes and pin.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) modes: Modes,
    pub(super) before_shield: Option<Modes>,
    pub(super) pinned: Option<Arc<Message>>,
}

/// What another server said is in the database after this time at most.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

impl Chat {
    /// Takes in what another server says.
    pub(super) fn hear(&self, heard: bus::Heard) {
        match heard {
            bus::Heard::Said(said) => {
                let channel = words::channel_of(&said.topic);
                if let Some(hall) = channel.and_then(|channel| self.open_hall(channel)) {
                    self.hear_in(&hall, &said);
                }
            }
            bus::Heard::Back => self.catch_up_everywhere(),
        }
    }

    fn hear_in(&self, hall: &Arc<Hall>, said: &Said) {
        if !hall.lock().memory.is_new(said) {
            return;
        }
        let Ok(word) = serde_json::from_str::<Word>(&said.words) else {
            tracing::debug!("Another server says of a room what this one does not understand");
            return;
        };
        hall.apply(&word);
        match word {
            Word::Readers { readers } => {
                let now = hall.now().instant;
                hall.lock().note_readers(said.by, readers, now);
            }
            Word::Reset { part } => {
                let (chat, hall) = (self.clone(), Arc::clone(hall));
                self.0.threads.others().spawn(async move {
                    if let Err(error) = chat.reread(&hall, part).await {
                        log_store_error(&error);
                    }
                });
            }
            Word::Deleted { .. } | Word::Cleared { .. } | Word::Silenced { .. } => {
                let (chat, channel) = (self.clone(), hall.channel);
                self.0.threads.others().spawn(async move {
                    if let Err(error) = chat.repeat(channel, &word).await {
                        log_store_error(&error);
                    }
                });
            }
            _ => {}
        }
    }

    /// Does in the database once more what another server did there: what was said here a moment ago may
    /// not have been written then.
    async fn repeat(&self, channel: ChannelId, word: &Word) -> Result<(), StoreError> {
        self.0.ledger.settle().await;
        let mut tx = self.0.db.begin().await?;
        match word {
            Word::Deleted { ids } => {
                for id in ids {
                    store::delete(&mut tx, channel, *id).await?;
                }
            }
            Word::Cleared { before } => store::clear(&mut tx, channel, *before).await?,
            Word::Silenced { from, since } => {
                if let Some(subject) = Subject::parse(from) {
                    store::delete_all_of(&mut tx, channel, &subject, *since).await?;
                }
            }
            _ => {}
        }
        tx.commit().await
    }

    /// Other servers were not heard for a while, or are not now: the database tells what they did.
    pub(super) fn catch_up_everywhere(&self) {
        if self.0.is_catching_up.swap(true, Ordering::AcqRel) {
            return;
        }
        let chat = self.clone();
        self.0.threads.others().spawn(async move {
            for hall in chat.open_halls() {
                if let Err(error) = chat.catch_up(&hall).await {
                    log_store_error(&error);
                    break;
                }
            }
            chat.0.is_catching_up.store(false, Ordering::Release);
        });
    }

    async fn catch_up(&self, hall: &Arc<Hall>) -> Result<(), StoreError> {
        for part in Part::ALL {
            self.reread(hall, part).await?;
        }
        self.reread_messages(hall).await?;
        let on_air = self.on_air(hall.channel).await;
        hall.change(|floor| floor.go_on_air(on_air));
        self.recall(hall).await;
        Ok(())
    }

    /// What other servers said lately and is kept: of that the database may not have all yet.
    pub(super) async fn recall(&self, hall: &Arc<Hall>) {
        for said in self.0.bus.recall(&words::topic(hall.channel)).await {
            self.hear_in(hall, &said);
        }
    }

    /// What was said that is not known here, and what is gone.
    async fn reread_messages(&self, hall: &Arc<Hall>) -> Result<(), StoreError> {
        let (db, channel) = (&self.0.db, hall.channel);
        self.0.ledger.settle().await;
        let most = i64::try_from(HISTORY).unwrap_or(i64::MAX);
        let recent = store::recent(db, channel, most).await?;
        let held = store::held(db, channel, MOST_HELD).await?;
        let gone: Vec<i64> = {
            let written = hall.now().at - WRITTEN_WITHIN;
            let is_all = recent.len() < HISTORY;
            let oldest = recent.first().filter(|_| !is_all);
            let oldest = oldest.map_or(i64::MIN, |oldest| oldest.id);
            let floor = hall.lock();
            let known = floor.room.since(Some(oldest));
            let is_gone = |message: &&Arc<Message>| {
                let id = message.id;
                message.at < written && !recent.iter().any(|written| written.id == id)
            };
            known.filter(is_gone).map(|message| message.id).collect()
        };
        if !gone.is_empty() {
            hall.apply(&Word::Deleted { ids: gone });
        }
        let heard = |message: Arc<Message>, is_held| Heard {
            message,
            network: None,
            reference: None,
            is_held,
        };
        for message in recent {
            hall.hear(heard(message, false));
        }
        for message in held {
            hall.hear(heard(message, true));
        }
        Ok(())
    }

    /// Reads anew how something is set.
    pub(super) async fn reread(&self, hall: &Arc<Hall>, part: Part) -> Result<(), StoreError> {
        let _turn = hall.turn().await;
        self.reread_in_turn(hall, part).await
    }

    /// The caller has the turn.
    pub(super) async fn reread_in_turn(
        &self,
        hall: &Arc<Hall>,
        part: Part,
    ) -> Result<(), StoreError> {
        let channel = hall.channel;
        match part {
            Part::Settings => {
                let settings = self.read_settings(channel).await?;
                hall.set_modes(&settings.modes, settings.before_shield);
                let pin = |pinned: &Option<Arc<Message>>| pinned.as_ref().map(|pin| pin.id);
                if pin(&hall.lock().room.pinned) != pin(&settings.pinned) {
                    hall.set_pinned(settings.pinned);
                }
            }
            Part::Restraints => hall.set_restraints(self.read_restraints(channel).await?),
            Part::Terms => {
                let terms = self.read_terms(channel).await?;
                hall.lock().room.terms = terms;
            }
            Part::Emotes => {
                let emotes = self.read_emotes(channel).await?;
                let differs = hall.lock().room.emotes != emotes;
                if differs {
                    hall.set_emotes(emotes);
                }
            }
            Part::Poll => {
                let poll = store::shown_poll(&self.0.db, channel).await?;
                let differs = hall.lock().room.poll != poll;
                if differs {
                    hall.set_poll(poll);
                }
            }
            Part::Questions => hall.set_questions(self.read_questions(channel).await?),
        }
        Ok(())
    }

    pub(super) async fn read_settings(&self, channel: ChannelId) -> Result<Settings, StoreError> {
        let db = &self.0.db;
        let Some((modes, before_shield, pinned)) = store::settings(db, channel).await? else {
            return Ok(Settings::default());
        };
        let pinned = match pinned {
            Some(pinned) => store::by_id(db, channel, pinned).await?,
            None => None,
        };
        Ok(Settings {
            modes: read_modes(&modes),
            before_shield: before_shield.as_deref().map(read_modes),
            pinned,
        })
    }

    pub(super) async fn read_restraints(
        &self,
        channel: ChannelId,
    ) -> Result<HashMap<Subject, Restraint>, StoreError> {
        let now = self.0.clock.now().as_millisecond();
        let rows = store::restraints(&self.0.db, channel, now).await?;
        let read = rows.into_iter().filter_map(|row| {
            let restraint = Restraint {
                name: row.name,
                until: row.until.map(from_millis),
                reason: row.reason,
                network: row.network,
            };
            Some((Subject::parse(&row.subject)?, restraint))
        });
        Ok(read.collect())
    }

    pub(super) async fn read_emotes(
        &self,
        channel: ChannelId,
    ) -> Result<BTreeMap<String, Emote>, StoreError> {
        let emotes = store::emotes(&self.0.db, channel).await?.into_iter();
        Ok(emotes.map(|emote| (emote.code.clone(), emote)).collect())
    }

    pub(super) async fn read_questions(
        &self,
        channel: ChannelId,
    ) -> Result<BTreeMap<uuid::Uuid, Question>, StoreError> {
        let questions = store::questions(&self.0.db, channel, MOST_QUESTIONS).await?;
        let by_id = questions.into_iter();
        Ok(by_id.map(|question| (question.id, question)).collect())
    }

    /// Tells other servers what is on air.
    pub(super) fn tell_on_air(&self, channel: ChannelId, stream: Option<OnAir>) {
        words::tell(&self.0.bus, channel, &Word::OnAir { stream });
    }

    /// Tells other servers how many read here.
    pub(super) fn tell_readers(&self) {
        if !self.0.bus.is_shared() {
            return;
        }
        for hall in self.open_halls() {
            let readers = hall.lock().readers();
            hall.tell(&Word::Readers { readers });
        }
    }
}
