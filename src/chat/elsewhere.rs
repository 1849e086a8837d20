//! Rooms that other servers share: what is heard of them, and what a room is after they were not heard.
//!
//! Each server numbers what is said at it, by its clock and never below what it has heard, and delivers
//! that at once; the numbers, which no two servers give twice, are the order for all. While Redis is away
//! each server looks into the database again and again instead.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::emotes::Emote;
use super::hall::Hall;
use super::message::{Message, Subject};
use super::modes::Modes;
use super::questions::Question;
use super::room::{HISTORY, Heard, Restraint};
use super::words::{self, Part, Word};
use super::{Chat, MOST_HELD, MOST_QUESTIONS, read_modes, store};
use crate::bus::{self, Lasting, Said};
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
const WRITTEN_WITHIN: Duration = Duration::from_secs(30);
/// A database that is away is asked again after this time,
const PAUSE: Duration = Duration::from_secs(2);
/// and so often for what is not looked up again anyway.
const TRIES: u32 = 30;

/// What is to be read anew of a room, by one at a time.
#[derive(Debug, Default)]
pub(super) struct Stale(Mutex<Parts>);

#[derive(Debug, Default)]
struct Parts {
    stale: BTreeSet<Part>,
    /// Somebody reads.
    is_read: bool,
}

impl Stale {
    /// True: nobody reads yet, so that the caller has to.
    fn add(&self, parts: &[Part]) -> bool {
        let mut all = self.lock();
        all.stale.extend(parts);
        !std::mem::replace(&mut all.is_read, true)
    }

    /// What to read next. None: nothing, and whoever read is let go.
    fn take(&self) -> Option<BTreeSet<Part>> {
        let mut all = self.lock();
        let next = std::mem::take(&mut all.stale);
        all.is_read = !next.is_empty();
        all.is_read.then_some(next)
    }

    fn put_back(&self, parts: BTreeSet<Part>) {
        self.lock().stale.extend(parts);
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chat {
    /// Takes in what another server says.
    pub(super) fn hear(&self, heard: bus::Heard) {
        match heard {
            bus::Heard::Said(said) => {
                let channel = words::channel_of(&said.topic);
                if let Some(hall) = channel.and_then(|channel| self.open_hall(channel)) {
                    self.hear_all(&hall, std::slice::from_ref(&*said));
                }
            }
            bus::Heard::Back => self.catch_up_everywhere(),
        }
    }

    /// Takes in what other servers said of a room, what takes something away first.
    fn hear_all(&self, hall: &Arc<Hall>, said: &[Said]) {
        let mut words = Vec::new();
        for said in said {
            let Ok(word) = serde_json::from_str::<Word>(&said.words) else {
                tracing::debug!("Another server says of a room what this one does not understand");
                continue;
            };
            // What is fleeting comes once, and often.
            if word.lasting() == Lasting::Fleeting || hall.lock().memory.is_new(said) {
                words.push((said.by, word));
            }
        }
        words.sort_by_key(|(_, word)| !word.takes_away());
        for (by, word) in words {
            if let Word::Said { message, .. } = &word
                && hall.lock().room.silences(message)
            {
                // Unless they may write again, and this server has not heard of that.
                self.refresh(hall, &[Part::Restraints, Part::Messages]);
            }
            hall.apply(&word);
            match word {
                Word::Readers { readers } => {
                    let now = hall.now().instant;
                    hall.lock().note_readers(by, readers, now);
                }
                Word::Reset { part } => self.refresh(hall, &[part]),
                Word::Door => self.shut_room(hall.channel),
                Word::Deleted { .. } | Word::Cleared { .. } | Word::Silenced { .. } => {
                    let (chat, hall) = (self.clone(), Arc::clone(hall));
                    let repeated = async move { chat.repeat_until_it_works(&hall, word).await };
                    self.0.threads.others().spawn(repeated);
                }
                _ => {}
            }
        }
    }

    /// Does in the database once more what another server did there: what was said here a moment ago may
    /// not have been written then.
    async fn repeat_until_it_works(&self, hall: &Arc<Hall>, mut word: Word) {
        for _ in 0..TRIES {
            let repeated = async {
                let _turn = self.0.refreshing.acquire().await;
                if let Word::Silenced { from, up_to, .. } = &mut word {
                    *up_to = self.heard_of_silence(hall, from, *up_to).await?;
                    hall.apply(&word);
                }
                self.repeat(hall.channel, &word).await
            };
            match repeated.await {
                Ok(()) => return,
                Err(error) => log_store_error(&error),
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = self.0.stop.cancelled() => return,
            }
        }
    }

    /// Up to which number all is gone that somebody said: they may have gone on here until it was known
    /// that they may not.
    async fn heard_of_silence(
        &self,
        hall: &Arc<Hall>,
        from: &str,
        up_to: i64,
    ) -> Result<i64, StoreError> {
        self.reread(hall, Part::Restraints).await?;
        let now = hall.now().at;
        let mut floor = hall.lock();
        let restraint =
            Subject::parse(from).and_then(|who| floor.room.restraints.get(&who).cloned());
        match restraint.is_some_and(|restraint| restraint.holds(now)) {
            true => Ok(floor.room.next_id(now).max(up_to)),
            false => Ok(up_to),
        }
    }

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
            Word::Silenced { from, since, up_to } => {
                if let Some(subject) = Subject::parse(from) {
                    store::delete_all_of(&mut tx, channel, &subject, *since..=*up_to).await?;
                }
            }
            _ => {}
        }
        tx.commit().await
    }

    /// Other servers were not heard for a while, or are not now: the database tells what they did.
    pub(super) fn catch_up_everywhere(&self) {
        for hall in self.open_halls() {
            self.refresh(&hall, &Part::ALL);
        }
    }

    /// A room was opened that others may have open, too: from now on they are heard, and what they did
    /// while it was looked up is looked up again.
    pub(super) fn meet_others(&self, hall: &Arc<Hall>) {
        if !self.0.bus.is_shared() {
            return;
        }
        let (chat, hall) = (self.clone(), Arc::clone(hall));
        self.0.threads.others().spawn(async move {
            chat.0.bus.follow(&words::topic(hall.channel)).await;
            chat.refresh(&hall, &Part::ALL);
        });
    }

    /// Reads parts of a room anew, one room after another and each until it works.
    pub(super) fn refresh(&self, hall: &Arc<Hall>, parts: &[Part]) {
        if !hall.stale.add(parts) {
            return;
        }
        let (chat, hall) = (self.clone(), Arc::clone(hall));
        self.0.threads.others().spawn(async move {
            while let Some(parts) = hall.stale.take() {
                let turn = chat.0.refreshing.acquire().await;
                let mut failed = BTreeSet::new();
                for part in parts {
                    if let Err(error) = chat.reread(&hall, part).await {
                        log_store_error(&error);
                        failed.insert(part);
                    }
                }
                drop(turn);
                if failed.is_empty() {
                    continue;
                }
                hall.stale.put_back(failed);
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = chat.0.stop.cancelled() => return,
                }
            }
        });
    }

    /// What was said that is not known here, and what is gone; the caller has the turn.
    async fn reread_messages(&self, hall: &Arc<Hall>) -> Result<(), StoreError> {
        let (db, channel) = (&self.0.db, hall.channel);
        self.0.ledger.settle().await;
        let most = i64::try_from(HISTORY).unwrap_or(i64::MAX);
        let on_air = self.stream_on_air(channel).await?;
        let recent = store::recent(db, channel, on_air, most).await?;
        let held = store::held(db, channel, MOST_HELD).await?;
        let oldest = hall.lock().room.oldest();
        let gone = store::taken_away(db, channel, oldest).await?;
        let (denied, gone): (Vec<i64>, Vec<i64>) = {
            let floor = hall.lock();
            let room = &floor.room;
            let denied = gone.iter().copied().filter(|id| room.is_held(*id));
            let gone_here = gone.iter().copied().filter(|id| room.find(*id).is_some());
            (denied.collect(), gone_here.collect())
        };
        for id in denied {
            hall.settle_hold(id, false, None);
        }
        if !gone.is_empty() {
            hall.apply(&Word::Deleted { ids: gone });
        }
        let heard = |message: Arc<Message>, is_held| Heard {
            message,
            network: None,
            reference: None,
            is_held,
            is_told: false,
        };
        for message in recent {
            hall.hear(heard(message, false));
        }
        for message in held {
            hall.hear(heard(message, true));
        }
        // Of what was said last the database may not have all yet.
        let said = self
            .0
            .bus
            .recall(&words::topic(channel), WRITTEN_WITHIN)
            .await;
        self.hear_all(hall, &said);
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
                let on_air = self.stream_on_air(channel).await?;
                let settings = self.read_settings(channel, on_air).await?;
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
                let on_air = self.stream_on_air(channel).await?;
                let poll = store::shown_poll(&self.0.db, channel, on_air).await?;
                let differs = hall.lock().room.poll != poll;
                if differs {
                    hall.set_poll(poll);
                }
            }
            Part::Questions => {
                let on_air = self.stream_on_air(channel).await?;
                hall.set_questions(self.read_questions(channel, on_air).await?);
            }
            Part::OnAir => {
                let on_air = self.on_air(channel).await?;
                hall.change(|floor| floor.go_on_air(on_air));
            }
            Part::Messages => self.reread_messages(hall).await?,
        }
        Ok(())
    }

    /// The stream that is on air on a channel, here or at another server.
    pub(super) async fn stream_on_air(
        &self,
        channel: ChannelId,
    ) -> Result<Option<uuid::Uuid>, StoreError> {
        Ok(self.on_air(channel).await?.map(|on_air| on_air.id))
    }

    pub(super) async fn read_settings(
        &self,
        channel: ChannelId,
        on_air: Option<uuid::Uuid>,
    ) -> Result<Settings, StoreError> {
        let db = &self.0.db;
        let Some((modes, before_shield, pinned)) = store::settings(db, channel).await? else {
            return Ok(Settings::default());
        };
        let pinned = match pinned {
            Some(pinned) => store::of_the_room(db, channel, on_air, pinned).await?,
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
        on_air: Option<uuid::Uuid>,
    ) -> Result<BTreeMap<uuid::Uuid, Question>, StoreError> {
        let questions = store::questions(&self.0.db, channel, on_air, MOST_QUESTIONS).await?;
        let by_id = questions.into_iter();
        Ok(by_id.map(|question| (question.id, question)).collect())
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
