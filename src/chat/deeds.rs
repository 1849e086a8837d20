//! What is done in a hall, here or at another server: the room changes, and all who read see it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::emotes::Emote;
use super::hall::Hall;
use super::message::{Message, Subject};
use super::modes::Modes;
use super::outbox::Closed;
use super::protocol::{Event, REACTIONS};
use super::questions::Question;
use super::raids::{RAID_IN, RAID_SHOWN, Raid};
use super::room::{Came, Heard, Restraint};
use super::words::{self, Word};
use crate::accounts::AccountId;

impl Hall {
    /// Does something, and tells other servers to do it.
    pub(super) fn perform(self: &Arc<Self>, word: &Word) {
        self.apply(word);
        self.tell(word);
    }

    /// Tells other servers of something that is done.
    pub(super) fn tell(&self, word: &Word) {
        words::tell(&self.bus, self.channel, word);
    }

    /// Does what somebody did, here or at another server.
    pub(super) fn apply(self: &Arc<Self>, word: &Word) {
        match word {
            Word::Said {
                message,
                network,
                reference,
                is_held,
            } => self.hear(Heard {
                message: Arc::clone(message),
                network: network.clone(),
                reference: reference.clone(),
                is_held: *is_held,
                is_told: true,
            }),
            Word::Deleted { ids } => self.take_away(ids),
            Word::Cleared { before } => self.clear(*before),
            Word::Silenced { from, since, up_to } => self.silence(from, *since, *up_to),
            Word::HoldSettled {
                id,
                approved,
                message,
            } => {
                self.settle_hold(*id, *approved, message.clone());
            }
            Word::Warned { subject, reason } => self.warn(subject, reason),
            Word::Raid { raid, goes_at } => self.set_raid(raid.clone(), *goes_at),
            Word::Reacted {
                stream_time_ms,
                counts,
            } => self.add_reactions(*stream_time_ms, counts),
            Word::OnAir { stream } => self.change(|floor| floor.go_on_air(Some(*stream))),
            Word::OffAir { stream } => self.change(|floor| {
                if floor.room.on_air.is_some_and(|on_air| on_air.id == *stream) {
                    floor.go_on_air(None);
                }
            }),
            Word::Left { account } => self.let_go(*account),
            // Whoever hears these knows more than a hall does.
            Word::Reset { .. } | Word::Readers { .. } | Word::Door => {}
        }
    }

    /// Somebody said something at another server.
    pub(super) fn hear(self: &Arc<Self>, heard: Heard) {
        let now = self.now();
        self.change(|floor| match floor.room.hear(now, heard) {
            Came::Known => {}
            Came::Next(message) => floor.queue(Event::Message { message: &message }.encode()),
            Came::Late(message) => {
                floor.queue_afterthought(Event::Message { message: &message }.encode());
            }
            Came::Held(message) => {
                floor.tell_moderators(&Event::Hold { message: &message }.encode());
            }
            Came::Settled(message) => {
                let (id, approved) = (message.id, true);
                floor.tell_moderators(&Event::HoldSettled { id, approved }.encode());
                floor.queue_afterthought(Event::Message { message: &message }.encode());
            }
        });
    }

    fn take_away(self: &Arc<Self>, ids: &[i64]) {
        self.change(|floor| {
            let was_pinned = (floor.room.pinned.as_ref()).is_some_and(|pin| ids.contains(&pin.id));
            floor.room.forget_these(ids);
            floor.queue_afterthought(Event::Deleted { ids }.encode());
            if was_pinned {
                floor.queue(Event::Pinned { message: None }.encode());
            }
        });
    }

    fn clear(self: &Arc<Self>, before: i64) {
        self.change(|floor| {
            let had_pin = (floor.room.pinned.as_ref()).is_some_and(|pin| pin.id <= before);
            floor.room.forget_up_to(before);
            floor.queue_afterthought(Event::Cleared { before }.encode());
            if had_pin {
                floor.queue(Event::Pinned { message: None }.encode());
            }
        });
    }

    fn silence(self: &Arc<Self>, from: &str, since: i64, up_to: i64) {
        self.change(|floor| {
            let is_theirs = |message: &Message| message.from.id == from;
            let is_gone =
                |message: &Message| is_theirs(message) && (since..=up_to).contains(&message.id);
            let had_pin = (floor.room.pinned.as_deref()).is_some_and(is_gone);
            let gone = floor.room.forget(is_gone);
            let event = match floor
                .room
                .since(Some(up_to))
                .any(|message| is_theirs(message))
            {
                // They have written since, as after a time-out that this server hears of late.
                true => Event::Deleted { ids: &gone },
                false => Event::Silenced { from },
            };
            floor.queue_afterthought(event.encode());
            if had_pin {
                floor.queue(Event::Pinned { message: None }.encode());
            }
        });
    }

    /// A message waits no longer. The answer is the message, if all may see it.
    pub(super) fn settle_hold(
        self: &Arc<Self>,
        id: i64,
        approved: bool,
        message: Option<Arc<Message>>,
    ) -> Option<Arc<Message>> {
        self.change(|floor| {
            floor.tell_moderators(&Event::HoldSettled { id, approved }.encode());
            let message = floor.room.settle(id).or(message)?;
            if !approved {
                if let Some(author) = Subject::parse(&message.from.id) {
                    let gone = Event::Deleted { ids: &[id] }.encode();
                    floor.tell_subject(&author, &gone);
                }
                return None;
            }
            if floor.room.admit(Arc::clone(&message)) {
                floor.queue_afterthought(Event::Message { message: &message }.encode());
            }
            Some(message)
        })
    }

    fn warn(&self, subject: &str, reason: &str) {
        if let Some(subject) = Subject::parse(subject) {
            let event = Event::Warned { reason }.encode();
            self.lock().tell_subject(&subject, &event);
        }
    }

    fn set_raid(self: &Arc<Self>, raid: Option<Raid>, goes_at: Option<Timestamp>) {
        let raid = raid.zip(goes_at);
        let raid = raid.map(|(raid, goes_at)| Raid { goes_at, ..raid });
        let now = self.now().at;
        let told = raid.as_ref().map(|raid| raid.left(now));
        if matches!(told, Some(None)) {
            // It has gone.
            return;
        }
        let is_called_off = {
            let mut floor = self.lock();
            match &raid {
                // Told of late, it may have been called off already.
                Some(raid) => floor
                    .raid_off_at
                    .is_some_and(|off| raid.goes_at < off + RAID_IN),
                None => {
                    floor.raid_off_at = Some(now);
                    false
                }
            }
        };
        if is_called_off {
            return;
        }
        self.change(|floor| {
            let told = told.flatten();
            let event = Event::Raid {
                raid: told.as_ref(),
            };
            let event = event.encode();
            floor.room.raid.clone_from(&raid);
            floor.queue(event);
        });
        let Some(raid) = raid else {
            return;
        };
        let left = raid.goes_at.duration_since(now);
        let left = Duration::try_from(left).unwrap_or_default();
        let hall = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(left + RAID_SHOWN).await;
            hall.change(|floor| {
                if floor.room.raid.as_ref() == Some(&raid) {
                    floor.room.raid = None;
                    floor.queue(Event::Raid { raid: None }.encode());
                }
            });
        });
    }

    fn add_reactions(
        self: &Arc<Self>,
        stream_time_ms: Option<i64>,
        counts: &BTreeMap<String, u32>,
    ) {
        let known = counts.iter().filter_map(|(emoji, count)| {
            let emoji = REACTIONS.into_iter().find(|known| known == emoji)?;
            Some((emoji, *count))
        });
        self.react_elsewhere(stream_time_ms, known);
    }

    /// What an account said is gone, and it is let go.
    fn let_go(self: &Arc<Self>, account: AccountId) {
        let subject = Subject::Account(account);
        let from = subject.to_string();
        self.drop_questions_of(&from);
        self.lock().room.note_left(&from);
        self.silence(&from, i64::MIN, i64::MAX);
        for (_, reader) in self.lock().people() {
            if reader.person.subject.as_ref() == Some(&subject) {
                reader.outbox.close(Closed::Door);
            }
        }
    }

    pub(super) fn set_modes(self: &Arc<Self>, modes: &Modes, before_shield: Option<Modes>) {
        let guests_changed = self.change(|floor| {
            let changed = floor.room.modes.guests != modes.guests;
            floor.room.before_shield = before_shield;
            if floor.room.modes != *modes {
                floor.room.modes = modes.clone();
                floor.queue(Event::Modes { modes }.encode());
            }
            changed
        });
        if guests_changed {
            self.renew_guests();
        }
    }

    pub(super) fn set_pinned(self: &Arc<Self>, pinned: Option<Arc<Message>>) {
        self.change(|floor| {
            let event = Event::Pinned {
                message: pinned.as_deref(),
            };
            let event = event.encode();
            floor.room.pinned = pinned;
            floor.queue(event);
        });
    }

    pub(super) fn set_emotes(self: &Arc<Self>, emotes: BTreeMap<String, Emote>) {
        self.change(|floor| {
            let event = Event::Emotes {
                emotes: emotes.values().collect(),
            };
            let event = event.encode();
            floor.room.emotes = emotes;
            floor.queue(event);
        });
    }

    /// Who may not write: those of whom that is different hear of it.
    pub(super) fn set_restraints(&self, restraints: HashMap<Subject, Restraint>) {
        let changed: Vec<Subject> = {
            let mut floor = self.lock();
            let before = std::mem::replace(&mut floor.room.restraints, restraints);
            let now = &floor.room.restraints;
            let all = before.keys().chain(now.keys());
            let differs = |who: &&Subject| before.get(*who) != now.get(*who);
            all.filter(differs).cloned().collect()
        };
        for who in &changed {
            self.renew(who, |_| {});
        }
        if !changed.is_empty() {
            self.renew_guests();
        }
    }

    /// The questions that are shown, of which some are different now.
    pub(super) fn set_questions(self: &Arc<Self>, questions: BTreeMap<Uuid, Question>) {
        let (fresh, gone) = {
            let floor = self.lock();
            let known = &floor.room.questions;
            let is_fresh = |question: &&Question| known.get(&question.id) != Some(*question);
            let fresh: Vec<Question> = questions.values().filter(is_fresh).cloned().collect();
            let is_gone = |question: &&Question| !questions.contains_key(&question.id);
            let gone: Vec<Question> = known.values().filter(is_gone).cloned().collect();
            (fresh, gone)
        };
        for question in gone {
            self.show_question(question.dismissed());
        }
        for question in fresh {
            self.show_question(question);
        }
    }
}
