//! [`Hall`]: a room with its readers.
//!
//! An event is written once, however many read it. The first of a quiet room goes out at once; what follows
//! within 50 ms goes out together, so that a busy room costs each reader twenty frames a second at most.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::elsewhere::Stale;
use super::ledger::{Entry, Ledger};
use super::message::{Message, Person, Subject};
use super::outbox::{Closed, Outbox};
use super::protocol::{
    ChannelName, Event, Part, REACTIONS, RestraintKind, RoomNow, VERSION, You, YourRestraint,
    in_one_frame,
};
use super::reactions::Reactions;
use super::refusal::Refusal;
use super::room::{Draft, Given, IDS, MESSAGE_FRAME, Moment, OnAir, Room, Said};
use super::words::Word;
use crate::accounts::AccountId;
use crate::bus::{Bus, Memory};
use crate::channels::{Channel, ChannelId};
use crate::clock::Clock;

/// A room with its readers. It lives as long as somebody is in it, and some minutes longer.
#[derive(Debug)]
pub(crate) struct Hall {
    pub(crate) channel: ChannelId,
    clock: Clock,
    pub(super) ledger: Ledger,
    pub(super) bus: Bus,
    pub(super) stale: Stale,
    floor: Mutex<Floor>,
    /// Held by whoever changes the database and then the room, so that both tell the same.
    deed: tokio::sync::Mutex<()>,
}

/// What is behind the lock, which is never held across a wait.
#[derive(Debug)]
pub(crate) struct Floor {
    pub(crate) room: Room,
    handle: String,
    name: String,
    readers: HashMap<ReaderId, Reader>,
    next_reader: u64,
    /// Events that go out together.
    pending: Vec<Bytes>,
    sent_at: Option<Instant>,
    is_due: bool,
    pub(super) reactions: Reactions,
    /// What came out of the order of ids: with the newest id that there was then.
    afterthoughts: VecDeque<(i64, Bytes)>,
    /// Up to this id some are forgotten.
    forgotten: i64,
    /// Who comes back gets so much of what they may have once more: it may have come from another server
    /// after what they have, as ids go.
    overlap: i64,
    /// Votes came that were not told yet.
    pub(crate) has_votes: bool,
    /// When a raid was called off last.
    pub(super) raid_off_at: Option<Timestamp>,
    /// What other servers said, so that it counts once.
    pub(crate) memory: Memory,
    /// How many read at other servers, and when they said so.
    elsewhere: HashMap<Uuid, (usize, Instant)>,
    left_at: Instant,
}

/// Somebody who reads.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) person: Arc<Person>,
    pub(crate) outbox: Arc<Outbox>,
    /// So many of those events that go out next are part of what they were told at the door.
    has: usize,
}

/// Names a reader within a hall.
pub(crate) type ReaderId = u64;

/// A server that has not said for this long how many read there is not counted.
const READERS_COUNT_FOR: Duration = Duration::from_secs(15);
/// Events of a busy room go out this often.
const TOGETHER: Duration = Duration::from_millis(50);
/// Bytes of events that go out together at most.
const MOST_TOGETHER: usize = 12 * 1024;
/// What is remembered for who comes back.
const AFTERTHOUGHTS: usize = 200;
/// Bytes of what was said that a newcomer gets in all: two hundred messages of usual length.
const MOST_HISTORY: usize = 128 * 1024;
/// Two minutes, in ids.
const OVERLAP: i64 = 120_000 * IDS;
/// Questions that stand in `hello`; the others follow it.
const QUESTIONS_AT_ONCE: usize = 20;

impl Hall {
    pub(crate) fn new(
        channel: &Channel,
        room: Room,
        clock: Clock,
        ledger: Ledger,
        bus: Bus,
    ) -> Arc<Self> {
        let forgotten = room.newest();
        let floor = Floor {
            room,
            handle: channel.handle.clone(),
            name: channel.name.clone(),
            readers: HashMap::new(),
            next_reader: 1,
            pending: Vec::new(),
            sent_at: None,
            is_due: false,
            reactions: Reactions::default(),
            afterthoughts: VecDeque::new(),
            // What was taken away before the room was opened is not known.
            forgotten,
            overlap: if bus.is_shared() { OVERLAP } else { 0 },
            has_votes: false,
            raid_off_at: None,
            memory: Memory::default(),
            elsewhere: HashMap::new(),
            left_at: clock.instant(),
        };
        Arc::new(Self {
            channel: channel.id,
            clock,
            ledger,
            bus,
            stale: Stale::default(),
            floor: Mutex::new(floor),
            deed: tokio::sync::Mutex::default(),
        })
    }

    /// Waits until no other changes the database and the room.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.deed.lock().await
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Floor> {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Moment {
        Moment {
            instant: self.clock.instant(),
            at: self.clock.now(),
        }
    }

    /// Lets somebody in, who gets how the room stands and what was said, or what was said behind `after`:
    /// in frames with `most_history` bytes of it at most.
    pub(crate) fn enter(
        &self,
        person: Person,
        after: Option<i64>,
        outbox: Arc<Outbox>,
        most_history: usize,
    ) -> ReaderId {
        let now = self.now();
        let mut floor = self.lock();
        for frame in floor.welcome(now.at, &person, after, most_history) {
            outbox.welcome(frame);
        }
        if person.may_moderate() {
            for held in floor.room.held() {
                outbox.welcome(Event::Hold { message: held }.encode());
            }
        }
        let id = floor.next_reader;
        floor.next_reader += 1;
        let reader = Reader {
            person: Arc::new(person),
            outbox,
            has: floor.pending.len(),
        };
        floor.readers.insert(id, reader);
        id
    }

    pub(crate) fn leave(&self, reader: ReaderId) {
        let now = self.clock.instant();
        let mut floor = self.lock();
        floor.readers.remove(&reader);
        floor.left_at = now;
    }

    /// As whom somebody is here.
    pub(crate) fn person(&self, reader: ReaderId) -> Option<Arc<Person>> {
        let floor = self.lock();
        floor
            .readers
            .get(&reader)
            .map(|reader| Arc::clone(&reader.person))
    }

    /// Whether nobody has been here for so long.
    pub(crate) fn is_deserted(&self, for_long: Duration) -> bool {
        let now = self.clock.instant();
        let floor = self.lock();
        floor.readers.is_empty() && now.saturating_duration_since(floor.left_at) > for_long
    }

    /// Says something: all read it, and it is written down. Without a message it was said before.
    ///
    /// # Errors
    /// With the reason why not.
    pub(crate) fn say(
        self: &Arc<Self>,
        who: &Person,
        draft: Draft,
    ) -> Result<(Given, Option<Arc<Message>>), Refusal> {
        let place = self.ledger.reserve()?;
        let now = self.now();
        let reference = match self.bus.is_shared() {
            true => draft.reference.clone(),
            false => None,
        };
        let mut floor = self.lock();
        let (message, given) = match floor.room.say(now, who, draft)? {
            Said::Again(given) => return Ok((given, None)),
            Said::Shown(message) => {
                let event = Event::Message { message: &message }.encode();
                floor.queue(event);
                self.send_soon(&mut floor, now.instant);
                let given = Given::Shown(message.id);
                (message, given)
            }
            Said::Held(message) => {
                let event = Event::Hold { message: &message }.encode();
                floor.tell_moderators(&event);
                let given = Given::Held(message.id);
                (message, given)
            }
        };
        let is_held = matches!(given, Given::Held(_));
        if self.bus.is_shared() {
            // While the floor is locked, so that others hear it in the order of ids.
            self.tell(&Word::Said {
                message: Arc::clone(&message),
                network: who.is_guest().then(|| Arc::clone(&who.network)),
                reference,
                is_held,
            });
        }
        place.write(Entry::Message {
            channel: self.channel,
            message: Arc::clone(&message),
            is_held,
        });
        metrics::counter!("tallylight_chat_messages_total").increment(1);
        Ok((given, Some(message)))
    }

    /// Changes the room and tells of it.
    pub(crate) fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Floor) -> T) -> T {
        let now = self.clock.instant();
        let mut floor = self.lock();
        let changed = change(&mut floor);
        self.send_soon(&mut floor, now);
        changed
    }

    /// Somebody may do other things than before, wherever they read.
    pub(crate) fn renew(&self, subject: &Subject, change: impl Fn(&mut Person)) {
        let is_meant = |person: &Person| person.subject.as_ref() == Some(subject);
        self.renew_those(is_meant, change);
    }

    /// Guests may write now, or not any more.
    pub(crate) fn renew_guests(&self) {
        self.renew_those(Person::is_guest, |_| {});
    }

    fn renew_those(&self, are_meant: impl Fn(&Person) -> bool, change: impl Fn(&mut Person)) {
        let now = self.clock.now();
        let mut floor = self.lock();
        let Floor { room, readers, .. } = &mut *floor;
        for reader in readers.values_mut() {
            if !are_meant(&reader.person) {
                continue;
            }
            let mut person = (*reader.person).clone();
            change(&mut person);
            let you = you(room, now, &person);
            reader.person = Arc::new(person);
            reader.outbox.push(Event::You { you: &you }.encode(), false);
        }
    }

    /// The channel whose hall it is.
    pub(crate) fn channel(&self) -> ChannelId {
        self.channel
    }

    /// The accounts of all who read.
    pub(crate) fn accounts(&self) -> HashSet<AccountId> {
        let floor = self.lock();
        let subjects = floor
            .readers
            .values()
            .filter_map(|reader| reader.person.subject.clone());
        subjects.filter_map(|subject| subject.account()).collect()
    }

    /// The accounts of all who read as members.
    pub(crate) fn members(&self) -> HashSet<AccountId> {
        let floor = self.lock();
        let people = floor.readers.values().map(|reader| &reader.person);
        let members = people.filter(|person| person.tier.is_some());
        members
            .filter_map(|person| person.subject.as_ref()?.account())
            .collect()
    }

    /// Whether somebody is known as a member of that tier, or as none, wherever they read.
    pub(crate) fn has_tier(&self, who: &Subject, tier: Option<u8>) -> bool {
        let floor = self.lock();
        let mut people = floor.readers.values().map(|reader| &reader.person);
        people.all(|person| person.subject.as_ref() != Some(who) || person.tier == tier)
    }

    /// Ends the connections of somebody who does not moderate.
    pub(crate) fn close_for(&self, who: &Subject, why: Closed) {
        for reader in self.lock().readers.values() {
            let person = &reader.person;
            if person.subject.as_ref() == Some(who) && !person.rights.may_moderate() {
                reader.outbox.close(why);
            }
        }
    }

    /// Ends all connections.
    pub(crate) fn close(&self, why: Closed) {
        for reader in self.lock().readers.values() {
            reader.outbox.close(why);
        }
    }

    /// Sends what waits, now or a moment later.
    fn send_soon(self: &Arc<Self>, floor: &mut Floor, now: Instant) {
        if floor.pending.is_empty() || floor.is_due {
            return;
        }
        let since = floor
            .sent_at
            .map(|sent| now.saturating_duration_since(sent));
        match since.filter(|since| *since < TOGETHER) {
            None => floor.send_pending(now),
            Some(since) => {
                floor.is_due = true;
                let hall = Arc::clone(self);
                tokio::spawn(async move {
                    tokio::time::sleep(TOGETHER.saturating_sub(since)).await;
                    let now = hall.clock.instant();
                    hall.lock().send_pending(now);
                });
            }
        }
    }
}

impl Floor {
    /// Puts an event among those that go out next.
    pub(crate) fn queue(&mut self, event: Bytes) {
        self.pending.push(event);
        let bytes: usize = self.pending.iter().map(Bytes::len).sum();
        if bytes > MOST_TOGETHER {
            self.send_together();
        }
    }

    /// The same of what is not in the order of ids, such as that a message is gone: who comes back later
    /// must hear of it, too.
    pub(crate) fn queue_afterthought(&mut self, event: Bytes) {
        let newest = self.room.newest();
        self.afterthoughts.push_back((newest, event.clone()));
        if self.afterthoughts.len() > AFTERTHOUGHTS
            && let Some((at, _)) = self.afterthoughts.pop_front()
        {
            self.forgotten = at;
        }
        self.queue(event);
    }

    fn send_pending(&mut self, now: Instant) {
        self.is_due = false;
        if self.pending.is_empty() {
            return;
        }
        self.sent_at = Some(now);
        self.send_together();
    }

    fn send_together(&mut self) {
        let events = std::mem::take(&mut self.pending);
        let frame = in_one_frame(&events);
        for reader in self.readers.values_mut() {
            match std::mem::take(&mut reader.has) {
                0 => reader.outbox.push(frame.clone(), false),
                has => {
                    if let Some(rest) = events.get(has..).filter(|rest| !rest.is_empty()) {
                        reader.outbox.push(in_one_frame(rest), false);
                    }
                }
            }
        }
        let delivered = u64::try_from(self.readers.len()).unwrap_or_default();
        metrics::counter!("tallylight_chat_frames_total").increment(delivered);
    }

    pub(crate) fn tell_moderators(&self, event: &Bytes) {
        for reader in self.readers.values() {
            if reader.person.may_moderate() {
                reader.outbox.push(event.clone(), false);
            }
        }
    }

    pub(crate) fn tell_subject(&self, subject: &Subject, event: &Bytes) {
        for reader in self.readers.values() {
            if reader.person.subject.as_ref() == Some(subject) {
                reader.outbox.push(event.clone(), false);
            }
        }
    }

    /// The network that somebody reads or wrote from.
    pub(crate) fn network_of(&self, subject: &Subject) -> Option<Arc<str>> {
        let mut readers = self.readers.values();
        let reader = readers.find(|reader| reader.person.subject.as_ref() == Some(subject));
        match reader {
            Some(reader) => Some(Arc::clone(&reader.person.network)),
            None => self.room.wrote_from(subject),
        }
    }

    /// The name of somebody who is here.
    pub(crate) fn name_of(&self, subject: &Subject) -> Option<String> {
        let mut readers = self.readers.values();
        let reader = readers.find(|reader| reader.person.subject.as_ref() == Some(subject))?;
        Some(reader.person.name.clone())
    }

    pub(crate) fn readers(&self) -> usize {
        self.readers.len()
    }

    /// Another server says how many read there.
    pub(crate) fn note_readers(&mut self, server: Uuid, readers: usize, now: Instant) {
        self.elsewhere.insert(server, (readers, now));
        let is_recent = |at: Instant| now.saturating_duration_since(at) < READERS_COUNT_FOR;
        self.elsewhere.retain(|_, (_, at)| is_recent(*at));
    }

    /// How many read, here and at other servers.
    pub(crate) fn readers_everywhere(&self, now: Instant) -> usize {
        let is_recent = |at: Instant| now.saturating_duration_since(at) < READERS_COUNT_FOR;
        let elsewhere = self.elsewhere.values().filter(|(_, at)| is_recent(*at));
        let elsewhere: usize = elsewhere.map(|(readers, _)| *readers).sum();
        self.readers.len().saturating_add(elsewhere)
    }

    /// Who reads, each once a connection.
    pub(crate) fn people(&self) -> impl Iterator<Item = (&ReaderId, &Reader)> {
        self.readers.iter()
    }

    pub(crate) fn rename(&mut self, channel: &Channel) {
        self.handle.clone_from(&channel.handle);
        self.name.clone_from(&channel.name);
    }

    pub(crate) fn go_on_air(&mut self, on_air: Option<OnAir>) {
        if self.room.on_air != on_air {
            self.room.on_air = on_air;
            self.queue(Event::Stream { stream: on_air }.encode());
        }
    }

    /// `hello`, and behind it what is too much for one frame.
    fn welcome(
        &self,
        now: Timestamp,
        person: &Person,
        after: Option<i64>,
        most_history: usize,
    ) -> Vec<Bytes> {
        let room = &self.room;
        let from_of = |after: i64| after.saturating_sub(self.overlap);
        let after =
            after.filter(|after| room.remembers(*after) && from_of(*after) > self.forgotten);
        let from = after.map(from_of);
        let (after, history) = match (after, room.history(from, MOST_HISTORY)) {
            // Too much was missed: the newest, then, as for anybody.
            (Some(_), (_, true)) => (None, room.history(None, MOST_HISTORY).0),
            (after, (history, _)) => (after, history),
        };
        let (mut bytes, mut messages, mut rest) = (0, Vec::new(), Vec::new());
        for message in history {
            bytes += message.text.len() + MESSAGE_FRAME;
            match bytes <= most_history {
                true => messages.push(message),
                false => rest.push(Event::Message { message }.encode()),
            }
        }
        let raid = room.raid.as_ref().and_then(|raid| raid.left(now));
        let mut room_now = RoomNow {
            raid: raid.as_ref(),
            ..room_now(room)
        };
        let more = QUESTIONS_AT_ONCE.min(room_now.questions.len());
        for question in room_now.questions.split_off(more) {
            rest.push(Event::Question { question }.encode());
        }
        let hello = Event::Hello {
            v: VERSION,
            now,
            channel: ChannelName {
                handle: &self.handle,
                name: &self.name,
            },
            stream: room.on_air,
            you: &you(room, now, person),
            room: room_now,
            reactions: REACTIONS,
            messages,
            resumed: after.is_some(),
        };
        if let Some(from) = from.filter(|_| after.is_some()) {
            let missed = self.afterthoughts.iter().filter(|(at, _)| *at >= from);
            rest.extend(missed.map(|(_, event)| event.clone()));
        }
        let mut frames = vec![hello.encode()];
        frames.extend(in_frames(rest, most_history));
        frames
    }
}

/// Events in as few frames of that size as there can be.
fn in_frames(events: Vec<Bytes>, most: usize) -> Vec<Bytes> {
    let (mut frames, mut together, mut bytes) = (Vec::new(), Vec::new(), 0);
    for event in events {
        if bytes + event.len() > most && !together.is_empty() {
            frames.push(in_one_frame(&std::mem::take(&mut together)));
            bytes = 0;
        }
        bytes += event.len();
        together.push(event);
    }
    if !together.is_empty() {
        frames.push(in_one_frame(&together));
    }
    frames
}

/// How a room stands.
pub(crate) fn room_now(room: &Room) -> RoomNow<'_> {
    RoomNow {
        modes: &room.modes,
        pinned: room.pinned.as_deref(),
        poll: room.poll.as_ref(),
        questions: room.questions.values().collect(),
        emotes: room.emotes.values().collect(),
        raid: None,
    }
}

/// What somebody may do in a room.
pub(crate) fn you(room: &Room, now: Timestamp, person: &Person) -> You {
    let rights = person.rights;
    let role = match &person.subject {
        None => Part::Reader,
        Some(Subject::Guest(_)) if room.modes.guests => Part::Guest,
        Some(Subject::Guest(_)) => Part::Reader,
        Some(_) if rights.owner => Part::Owner,
        Some(_) if rights.moderator => Part::Moderator,
        Some(_) if rights.admin => Part::Admin,
        Some(_) => Part::Viewer,
    };
    let restraint = room.restraint(now, person).map(|restraint| YourRestraint {
        kind: match restraint.until {
            None => RestraintKind::Ban,
            Some(_) => RestraintKind::Timeout,
        },
        until: restraint.until,
        reason: restraint.reason.clone(),
    });
    let is_known = role != Part::Reader;
    You {
        id: person.subject.as_ref().map(ToString::to_string),
        name: is_known.then(|| person.name.clone()),
        role,
        may_write: is_known && person.may_write && restraint.is_none(),
        may_moderate: person.may_moderate(),
        restraint,
    }
}
