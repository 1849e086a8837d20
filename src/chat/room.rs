//! [`Room`]: what a channel's chat is, and who may say what in it.
//!
//! Pure: time comes in as an argument, nothing is sent or stored here. Ids rise by one order for all;
//! whoever may not write now is told for how long.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::emotes::Emote;
use super::message::{Message, MessageKind, Person, Subject};
use super::modes::Modes;
use super::polls::Poll;
use super::questions::Question;
use super::raids::Raid;
use super::refusal::Refusal;
use super::screening;
use super::support::Support;
use super::terms::{TermKind, Terms, fold};
use super::text;
use super::writers::Writers;
use crate::nodes::SLOTS;

pub(crate) use elsewhere::{Came, Heard};
use elsewhere::{Gone, MOST_GONE};

/// Now, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) at: Timestamp,
}

/// The stream on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChatStream)]
pub(crate) struct OnAir {
    pub(crate) id: Uuid,
    pub(crate) started_at: Timestamp,
}

/// What somebody wants to say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    /// By which the writer knows the answer; the same is said once.
    pub(crate) reference: Option<String>,
    pub(crate) text: String,
    pub(crate) kind: MessageKind,
    pub(crate) reply_to: Option<i64>,
    /// How far the stream is in the picture that the writer sees.
    pub(crate) seen_ms: Option<i64>,
    /// What a line of thanks is for. No client can send it.
    pub(crate) support: Option<Support>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    /// All are to see it.
    Shown(Arc<Message>),
    /// A moderator is to look at it.
    Held(Arc<Message>),
    /// It was said before.
    Again(Given),
}

/// What a writer was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    Shown(i64),
    Held(i64),
}

/// Why somebody may not write, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restraint {
    pub(crate) name: String,
    /// None: for good.
    pub(crate) until: Option<Timestamp>,
    pub(crate) reason: String,
    pub(crate) network: Option<String>,
}

/// A channel's chat.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) modes: Modes,
    pub(crate) before_shield: Option<Modes>,
    pub(crate) terms: Terms,
    pub(crate) emotes: BTreeMap<String, Emote>,
    pub(crate) restraints: HashMap<Subject, Restraint>,
    pub(crate) on_air: Option<OnAir>,
    pub(crate) pinned: Option<Arc<Message>>,
    pub(crate) poll: Option<Poll>,
    pub(crate) questions: BTreeMap<Uuid, Question>,
    pub(crate) raid: Option<Raid>,
    /// What was said last, oldest first.
    recent: VecDeque<Arc<Message>>,
    /// What waits for a moderator.
    held: BTreeMap<i64, Arc<Message>>,
    last_id: i64,
    slot: u8,
    gone: Gone,
    /// What waited and does not any more.
    settled: VecDeque<i64>,
    /// Accounts that are no more.
    left: VecDeque<String>,
    /// All that was said behind this id is remembered.
    complete_from: i64,
    /// Hashes of what was said last, folded.
    said: VecDeque<u64>,
    writers: Writers,
}

/// Messages that a newcomer gets.
pub(crate) const HISTORY: usize = 200;
/// How far behind a picture is believed to be.
const FARTHEST_BEHIND_MS: i64 = 60_000;
/// Messages that wait for a moderator.
const MOST_HELD: usize = 500;
/// Bytes of a message beside its text, about.
pub(crate) const MESSAGE_FRAME: usize = 400;
/// Ids in one millisecond, of all servers together.
pub(crate) const IDS: i64 = 4_096;
/// Of them every so many are of one server.
const SERVERS: i64 = SLOTS as i64;

impl Room {
    /// At the server of that slot: no other gives the same ids.
    pub(crate) fn of(slot: u8) -> Self {
        Self {
            slot,
            ..Self::default()
        }
    }

    /// With what was said before, oldest first, and what waits.
    pub(crate) fn recall(&mut self, recent: Vec<Arc<Message>>, held: Vec<Arc<Message>>) {
        let newest = recent.iter().chain(&held).map(|message| message.id).max();
        self.last_id = self.last_id.max(newest.unwrap_or_default());
        let is_all = recent.len() < HISTORY;
        let oldest = recent.first().filter(|_| !is_all);
        self.complete_from = oldest.map_or(i64::MIN, |oldest| oldest.id - 1);
        self.said = recent.iter().map(|message| trace(&message.text)).collect();
        self.recent = recent.into();
        self.held = held.into_iter().map(|held| (held.id, held)).collect();
    }

    /// Says something, if that is allowed.
    ///
    /// # Errors
    /// With the reason why not.
    pub(crate) fn say(&mut self, now: Moment, who: &Person, draft: Draft) -> Result<Said, Refusal> {
        let subject = self.writing(now, who)?;
        if let Some(given) = self.writers.given_before(&subject, &draft, now.instant) {
            return Ok(Said::Again(given));
        }
        if draft.support.is_some() {
            return self.thank(now, who, &subject, draft);
        }
        let text = text::clean(&draft.text)?;
        if draft.kind == MessageKind::Support {
            let words = "lines of thanks come with support alone";
            return Err(Refusal::new("not_allowed", words));
        }
        if draft.kind == MessageKind::Announcement && !who.may_moderate() {
            let words = "only the channel's owner and moderators announce";
            return Err(Refusal::new("not_allowed", words));
        }
        let reply_to =
            match draft.reply_to {
                Some(id) => Some(self.find(id).map(|message| message.quote()).ok_or_else(
                    || Refusal::new("reply_unknown", "what you answer is not there any more"),
                )?),
                None => None,
            };
        self.writers
            .check_pace(now.instant, who, &subject, self.modes.slow())?;
        let is_held = match who.may_moderate() {
            true => false,
            false => self.check_modes(now, who, &text)?,
        };
        let from = who.as_sender().ok_or_else(not_signed_in)?;
        let message = Arc::new(Message {
            id: self.next_id(now.at),
            at: now.at,
            kind: draft.kind,
            stream: self.on_air.map(|on_air| on_air.id),
            stream_time_ms: self.stream_time(now.at, draft.seen_ms),
            from,
            text,
            reply_to,
            support: None,
        });
        let network = Some(&who.network);
        self.writers.note(now.instant, &subject, network);
        let (said, given) = match is_held {
            true => {
                self.held.insert(message.id, Arc::clone(&message));
                (Said::Held(Arc::clone(&message)), Given::Held(message.id))
            }
            false => {
                self.remember(Arc::clone(&message));
                (Said::Shown(Arc::clone(&message)), Given::Shown(message.id))
            }
        };
        if let Some(reference) = draft.reference {
            self.writers.give(subject, reference, now.instant, given);
        }
        Ok(said)
    }

    /// A line of thanks: what is said with it is known to be allowed, and it waits for no turn.
    fn thank(
        &mut self,
        now: Moment,
        who: &Person,
        subject: &Subject,
        draft: Draft,
    ) -> Result<Said, Refusal> {
        let message = Arc::new(Message {
            id: self.next_id(now.at),
            at: now.at,
            kind: draft.kind,
            stream: self.on_air.map(|on_air| on_air.id),
            stream_time_ms: self.stream_time(now.at, None),
            from: who.as_sender().ok_or_else(not_signed_in)?,
            text: text::clean(&draft.text).unwrap_or_default(),
            reply_to: None,
            support: draft.support,
        });
        self.remember(Arc::clone(&message));
        if let Some(reference) = draft.reference {
            let given = Given::Shown(message.id);
            self.writers
                .give(subject.clone(), reference, now.instant, given);
        }
        Ok(Said::Shown(message))
    }

    /// Lets somebody react; the answer is whether it counts.
    ///
    /// # Errors
    /// When they may not write.
    pub(crate) fn react(&mut self, now: Moment, who: &Person) -> Result<(), Refusal> {
        let subject = self.writing(now, who)?;
        self.writers.react(now.instant, subject)
    }

    /// Whether somebody may ask: a question is public at once, so that the rules of messages hold, but for
    /// what would be held, which is refused.
    ///
    /// # Errors
    /// When they may not.
    pub(crate) fn may_ask(&mut self, now: Moment, who: &Person, text: &str) -> Result<(), Refusal> {
        let subject = self.writing(now, who)?;
        self.writers
            .check_pace(now.instant, who, &subject, self.modes.slow())?;
        if !who.may_moderate() && self.check_modes(now, who, text)? {
            let words = "the channel does not allow a word in it";
            return Err(Refusal::new("term_blocked", words));
        }
        self.writers.note(now.instant, &subject, Some(&who.network));
        Ok(())
    }

    /// Who writes, if they may at all.
    fn writing(&self, now: Moment, who: &Person) -> Result<Subject, Refusal> {
        let subject = who.subject.clone().ok_or_else(not_signed_in)?;
        if !who.may_write {
            let words = "this token may only read; it lacks the scope chat:write";
            return Err(Refusal::new("not_allowed", words));
        }
        if who.is_guest() && !self.modes.guests {
            return Err(not_signed_in());
        }
        match self.restraint(now.at, who) {
            Some(restraint) => Err(restraint.refusal(now.at)),
            None => Ok(subject),
        }
    }

    /// What keeps somebody from writing.
    pub(crate) fn restraint(&self, now: Timestamp, who: &Person) -> Option<&Restraint> {
        if who.rights.may_moderate() {
            return None;
        }
        let own = who
            .subject
            .as_ref()
            .and_then(|who| self.restraints.get(who));
        let own = own.filter(|restraint| restraint.holds(now));
        if own.is_some() || !who.is_guest() {
            return own;
        }
        let mut all = self.restraints.values();
        all.find(|restraint| {
            restraint.network.as_deref() == Some(&*who.network) && restraint.holds(now)
        })
    }

    /// Whether terms and links of a text from outside the room are such that all may read it.
    pub(crate) fn lets_pass(&self, text: &str) -> bool {
        let has_link = self.modes.links_blocked && text::has_link(text);
        let is_held = || {
            let rest = self.terms.without_allowed(text);
            screening::is_held(&rest, self.modes.hold_level)
        };
        let is_listed = matches!(
            self.terms.judge(text),
            Some(TermKind::Blocked | TermKind::Held)
        );
        text::clean(text).is_ok() && !has_link && !is_listed && !is_held()
    }

    /// Whether the message is to be held.
    fn check_modes(&self, now: Moment, who: &Person, text: &str) -> Result<bool, Refusal> {
        let modes = &self.modes;
        if modes.members_only && who.tier.is_none() {
            let words = "only members may write now";
            return Err(Refusal::new("members_only", words));
        }
        if let Some(minutes) = modes.followers_minutes {
            check_following(now.at, who.follows_since, minutes)?;
        }
        self.check_emotes(who, text)?;
        let is_emote = |code: &str| self.emotes.contains_key(code);
        if modes.emote_only && !text::is_emotes_alone(text, is_emote) {
            let words = "only emotes and emoji now";
            return Err(Refusal::new("emote_only", words));
        }
        if modes.links_blocked && text::has_link(text) {
            return Err(Refusal::new("links_blocked", "links are not allowed here"));
        }
        if modes.unique_only && self.was_said(text) {
            let words = "that was said a moment ago; say something else";
            return Err(Refusal::new("unique_only", words));
        }
        match self.terms.judge(text) {
            Some(TermKind::Blocked) => {
                let words = "the channel does not allow a word in it";
                Err(Refusal::new("term_blocked", words))
            }
            Some(TermKind::Held) => self.may_hold().map(|()| true),
            Some(TermKind::Allowed) | None => {
                let rest = self.terms.without_allowed(text);
                match screening::is_held(&rest, modes.hold_level) {
                    true => self.may_hold().map(|()| true),
                    false => Ok(false),
                }
            }
        }
    }

    /// Some emotes are for members, from a tier on.
    fn check_emotes(&self, who: &Person, text: &str) -> Result<(), Refusal> {
        let used = text::emote_codes(text).filter_map(|code| self.emotes.get(&code));
        let tier = who.tier.unwrap_or_default();
        let locked = used
            .filter(|emote| emote.tier > tier)
            .max_by_key(|emote| emote.tier);
        match locked {
            None => Ok(()),
            Some(emote) => Err(Refusal::new("emote_locked", emote.for_whom())),
        }
    }

    fn may_hold(&self) -> Result<(), Refusal> {
        match self.held.len() < MOST_HELD {
            true => Ok(()),
            false => Err(Refusal::new(
                "busy",
                "too many messages wait for a moderator; try again later",
            )),
        }
    }

    fn was_said(&self, text: &str) -> bool {
        self.said.contains(&trace(text))
    }

    /// The network that somebody wrote from.
    pub(crate) fn wrote_from(&self, subject: &Subject) -> Option<Arc<str>> {
        self.writers.network_of(subject)
    }

    /// Time-outs that are over, which go.
    pub(crate) fn take_over(&mut self, now: Timestamp) -> Vec<Subject> {
        let over =
            |(who, restraint): (&Subject, &Restraint)| (!restraint.holds(now)).then(|| who.clone());
        let over: Vec<Subject> = self.restraints.iter().filter_map(over).collect();
        for who in &over {
            self.restraints.remove(who);
        }
        over
    }

    /// A number that none had.
    pub(crate) fn next_id(&mut self, now: Timestamp) -> i64 {
        let slot = i64::from(self.slot);
        let by_clock = now.as_millisecond().saturating_mul(IDS) + slot;
        let after = self.last_id.saturating_add(1);
        let own = after.saturating_add((slot - after).rem_euclid(SERVERS));
        self.last_id = by_clock.max(own);
        self.last_id
    }

    /// How long the stream had been on air in the picture that somebody sees who tells so much.
    pub(crate) fn stream_time(&self, now: Timestamp, seen_ms: Option<i64>) -> Option<i64> {
        let started = self.on_air?.started_at.as_millisecond();
        let now_ms = now.as_millisecond().saturating_sub(started).max(0);
        let earliest = now_ms.saturating_sub(FARTHEST_BEHIND_MS).max(0);
        Some(seen_ms.map_or(now_ms, |seen| seen.clamp(earliest, now_ms)))
    }

    /// The newest number.
    pub(crate) fn newest(&self) -> i64 {
        self.last_id
    }

    /// How far a stream is that may have been on air before.
    pub(crate) fn time_in(&self, stream: Option<Uuid>, now: Timestamp) -> Option<i64> {
        let is_on_air = self.on_air.is_some_and(|on_air| Some(on_air.id) == stream);
        self.stream_time(now, None).filter(|_| is_on_air)
    }

    /// Refuses who may not write, in what is no writing.
    ///
    /// # Errors
    /// With the reason.
    pub(crate) fn check_restraint(&self, now: Timestamp, who: &Person) -> Result<(), Refusal> {
        match self.restraint(now, who) {
            Some(restraint) => Err(restraint.refusal(now)),
            None => Ok(()),
        }
    }

    fn remember(&mut self, message: Arc<Message>) {
        self.said.push_back(trace(&message.text));
        if self.said.len() > HISTORY {
            self.said.pop_front();
        }
        self.recent.push_back(message);
        self.drop_oldest();
    }

    fn drop_oldest(&mut self) {
        while self.recent.len() > HISTORY {
            if let Some(oldest) = self.recent.pop_front() {
                self.complete_from = self.complete_from.max(oldest.id);
            }
        }
    }

    /// Whose message it is, and by what name, while it is remembered.
    pub(crate) fn author_of(&self, id: i64) -> Option<(String, String)> {
        let found = self.find(id).or_else(|| self.held.get(&id))?;
        Some((found.from.id.clone(), found.from.name.clone()))
    }

    /// A message that is still remembered.
    pub(crate) fn find(&self, id: i64) -> Option<&Arc<Message>> {
        self.recent.iter().find(|message| message.id == id)
    }

    /// What was said behind a message; all that is remembered without one.
    pub(crate) fn since(&self, after: Option<i64>) -> impl Iterator<Item = &Arc<Message>> {
        let after = after.unwrap_or(i64::MIN);
        self.recent.iter().filter(move |message| message.id > after)
    }

    /// The oldest number that is remembered, or waits.
    pub(crate) fn oldest(&self) -> i64 {
        let recent = self.recent.front().map(|oldest| oldest.id);
        let held = self.held.keys().next().copied();
        recent.into_iter().chain(held).min().unwrap_or(i64::MAX)
    }

    /// Whether all behind that message is remembered.
    pub(crate) fn remembers(&self, after: i64) -> bool {
        after >= self.complete_from
    }

    /// The newest of what was said behind a message, oldest first, within so many bytes; and whether there
    /// was more.
    pub(crate) fn history(&self, after: Option<i64>, most: usize) -> (Vec<&Message>, bool) {
        let all: Vec<&Arc<Message>> = self.since(after).collect();
        let (mut bytes, mut kept) = (0, Vec::new());
        for message in all.iter().rev() {
            bytes += message.text.len() + MESSAGE_FRAME;
            if bytes > most {
                break;
            }
            kept.push(&***message);
        }
        let is_cut = kept.len() < all.len();
        kept.reverse();
        (kept, is_cut)
    }

    pub(crate) fn is_held(&self, id: i64) -> bool {
        self.held.contains_key(&id)
    }

    /// What waits for a moderator, oldest first.
    pub(crate) fn held(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.held.values()
    }

    /// Takes a message out of those that wait, also one that comes only later.
    pub(crate) fn settle(&mut self, id: i64) -> Option<Arc<Message>> {
        self.settled.push_back(id);
        if self.settled.len() > MOST_GONE {
            self.settled.pop_front();
        }
        self.held.remove(&id)
    }

    /// Puts a message that waited among those that are shown. It stands where it was said. False: it is
    /// there already, or gone.
    pub(crate) fn admit(&mut self, message: Arc<Message>) -> bool {
        if self.gone.has(message.id) || self.find(message.id).is_some() {
            return false;
        }
        let at = self.recent.partition_point(|known| known.id < message.id);
        self.recent.insert(at, message);
        self.drop_oldest();
        true
    }

    /// Takes messages away; gives which.
    pub(crate) fn forget(&mut self, gone: impl Fn(&Message) -> bool) -> Vec<i64> {
        let all = self.recent.iter().chain(self.held.values());
        let ids = all
            .filter(|message| gone(message))
            .map(|message| message.id);
        let ids: Vec<i64> = ids.collect();
        self.gone.note(ids.iter().copied());
        self.recent.retain(|message| !gone(message));
        self.held.retain(|_, message| !gone(message));
        if self.pinned.as_ref().is_some_and(|pinned| gone(pinned)) {
            self.pinned = None;
        }
        ids
    }
}

/// By which the same is known, however it is dressed up.
fn trace(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    fold(text).hash(&mut hasher);
    hasher.finish()
}

fn check_following(now: Timestamp, since: Option<Timestamp>, minutes: u32) -> Result<(), Refusal> {
    let Some(since) = since else {
        let words = "only followers may write now; follow the channel first";
        return Err(Refusal::new("followers_only", words));
    };
    let needed = Duration::from_secs(u64::from(minutes) * 60);
    let followed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    match needed.saturating_sub(followed) {
        Duration::ZERO => Ok(()),
        wait => {
            let words = format!("only who has followed for {minutes} minutes may write now");
            Err(Refusal::new("followers_only", words).wait(wait))
        }
    }
}

fn not_signed_in() -> Refusal {
    Refusal::new("not_signed_in", "sign in to write")
}

impl Restraint {
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    fn refusal(&self, now: Timestamp) -> Refusal {
        let reason = match self.reason.is_empty() {
            true => String::new(),
            false => format!(": {}", self.reason),
        };
        match self.until {
            None => Refusal::new("banned", format!("you are banned from this chat{reason}")),
            Some(until) => {
                let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
                let words = format!("you are in a time-out{reason}");
                Refusal::new("timed_out", words).wait(wait)
            }
        }
    }
}

mod elsewhere;
#[cfg(test)]
mod tests;
