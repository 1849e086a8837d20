//! [`Room`]: what a channel's chat is, and who may say what in it.
//!
//! Pure: time comes in as an argument, nothing is sent or stored here. Ids rise by one order for all;
//! whoever may not write now is told for how long.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
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
use super::terms::{TermKind, Terms, fold};
use super::text;

/// Now, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) at: Timestamp,
}

/// The stream on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
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
    /// All that was said behind this id is remembered.
    complete_from: i64,
    /// Hashes of what was said last, folded.
    said: VecDeque<u64>,
    writers: HashMap<Subject, Writer>,
    networks: HashMap<Arc<str>, Writer>,
    pruned: Option<Instant>,
}

/// What one who writes did lately.
#[derive(Debug, Default)]
struct Writer {
    network: Option<Arc<str>>,
    sent: VecDeque<Instant>,
    reacted: Option<Instant>,
    given: VecDeque<(String, Instant, Given)>,
}

/// Messages that a newcomer gets.
pub(crate) const HISTORY: usize = 200;
/// Messages of one writer within [`BURST`].
const MOST_SENT: usize = 5;
/// The same of a moderator.
const MOST_SENT_BY_MODERATORS: usize = 20;
/// The same of all guests of one network.
const MOST_SENT_BY_GUESTS: usize = 10;
const BURST: Duration = Duration::from_secs(5);
/// One reaction of each in this time.
const REACTION_PAUSE: Duration = Duration::from_millis(100);
/// A message sent again within this time is the same.
const SAME: Duration = Duration::from_secs(120);
/// References remembered of each writer.
const MOST_GIVEN: usize = 40;
/// How far behind a picture is believed to be.
const FARTHEST_BEHIND_MS: i64 = 60_000;
/// Messages that wait for a moderator.
const MOST_HELD: usize = 500;
/// Writers remembered; those who said nothing for long are forgotten then.
const MOST_WRITERS: usize = 20_000;
const WRITERS_KEPT: Duration = Duration::from_secs(3_600);
/// And not looked for more often than this.
const PRUNED_EVERY: Duration = Duration::from_secs(60);
/// Bytes of a message beside its text, about.
pub(crate) const MESSAGE_FRAME: usize = 400;
/// Ids in one millisecond.
const IDS: i64 = 4_096;

impl Room {
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
        if let Some(given) = self.given_before(&subject, &draft, now.instant) {
            return Ok(Said::Again(given));
        }
        let text = text::clean(&draft.text)?;
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
        self.check_pace(now.instant, who, &subject)?;
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
        });
        self.note_sent(now.instant, who, &subject);
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
            let writer = self.writers.entry(subject).or_default();
            writer.given.push_back((reference, now.instant, given));
            if writer.given.len() > MOST_GIVEN {
                writer.given.pop_front();
            }
        }
        Ok(said)
    }

    /// Lets somebody react; the answer is whether it counts.
    ///
    /// # Errors
    /// When they may not write.
    pub(crate) fn react(&mut self, now: Moment, who: &Person) -> Result<(), Refusal> {
        let subject = self.writing(now, who)?;
        self.prune(now.instant);
        let writer = self.writers.entry(subject).or_default();
        let since = writer
            .reacted
            .map(|at| now.instant.saturating_duration_since(at));
        if let Some(since) = since.filter(|since| *since < REACTION_PAUSE) {
            let wait = REACTION_PAUSE.saturating_sub(since);
            return Err(Refusal::new("too_fast", "one reaction in 100 ms").wait(wait));
        }
        writer.reacted = Some(now.instant);
        Ok(())
    }

    /// Whether somebody may ask: a question is public at once, so that the rules of messages hold, but for
    /// what would be held, which is refused.
    ///
    /// # Errors
    /// When they may not.
    pub(crate) fn may_ask(&mut self, now: Moment, who: &Person, text: &str) -> Result<(), Refusal> {
        let subject = self.writing(now, who)?;
        self.check_pace(now.instant, who, &subject)?;
        if !who.may_moderate() && self.check_modes(now, who, text)? {
            let words = "the channel does not allow a word in it";
            return Err(Refusal::new("term_blocked", words));
        }
        self.note_sent(now.instant, who, &subject);
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

    fn given_before(&mut self, subject: &Subject, draft: &Draft, now: Instant) -> Option<Given> {
        let reference = draft.reference.as_ref()?;
        let writer = self.writers.get_mut(subject)?;
        let is_old = |at: Instant| now.saturating_duration_since(at) > SAME;
        while writer.given.front().is_some_and(|(_, at, _)| is_old(*at)) {
            writer.given.pop_front();
        }
        let mut all = writer.given.iter();
        all.find(|(known, ..)| known == reference)
            .map(|(.., given)| *given)
    }

    fn check_pace(&mut self, now: Instant, who: &Person, subject: &Subject) -> Result<(), Refusal> {
        let most = match who.may_moderate() {
            true => MOST_SENT_BY_MODERATORS,
            false => MOST_SENT,
        };
        let own = self.writers.entry(subject.clone()).or_default();
        own.check_pace(now, most)?;
        if who.is_guest() {
            let network = self.networks.entry(Arc::clone(&who.network)).or_default();
            network.check_pace(now, MOST_SENT_BY_GUESTS)?;
        }
        let own = self.writers.get(subject);
        // A guest who makes up another secret is the same network still.
        let network = match who.is_guest() {
            true => self.networks.get(&who.network),
            false => None,
        };
        let all = own.into_iter().chain(network);
        let last = all.filter_map(|writer| writer.sent.back()).max();
        let slow = self.modes.slow();
        let since = last.map(|last| now.saturating_duration_since(*last));
        match since.filter(|since| *since < slow && !who.may_moderate()) {
            None => Ok(()),
            Some(since) => {
                let words = format!("slow mode: one message in {} s", slow.as_secs());
                Err(Refusal::new("slow_mode", words).wait(slow.saturating_sub(since)))
            }
        }
    }

    /// Whether the message is to be held.
    fn check_modes(&self, now: Moment, who: &Person, text: &str) -> Result<bool, Refusal> {
        let modes = &self.modes;
        if modes.members_only {
            let words = "only members may write now";
            return Err(Refusal::new("members_only", words));
        }
        if let Some(minutes) = modes.followers_minutes {
            check_following(now.at, who.follows_since, minutes)?;
        }
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

    fn note_sent(&mut self, now: Instant, who: &Person, subject: &Subject) {
        self.prune(now);
        let writer = self.writers.entry(subject.clone()).or_default();
        writer.note(now);
        writer.network = Some(Arc::clone(&who.network));
        if who.is_guest() {
            let network = self.networks.entry(Arc::clone(&who.network)).or_default();
            network.note(now);
        }
    }

    /// Forgets writers who did nothing for long, now and then; and all, when there are too many to tell
    /// apart, which errs on the side of letting people write.
    fn prune(&mut self, now: Instant) {
        let is_due = self
            .pruned
            .is_none_or(|at| now.saturating_duration_since(at) > PRUNED_EVERY);
        if self.writers.len() < MOST_WRITERS || !is_due {
            return;
        }
        self.pruned = Some(now);
        self.writers.retain(|_, writer| writer.is_recent(now));
        self.networks.retain(|_, writer| writer.is_recent(now));
        if self.writers.len() >= MOST_WRITERS {
            self.writers.clear();
            self.networks.clear();
        }
    }

    /// The network that somebody wrote from.
    pub(crate) fn wrote_from(&self, subject: &Subject) -> Option<Arc<str>> {
        self.writers.get(subject)?.network.clone()
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
        let by_clock = now.as_millisecond().saturating_mul(IDS);
        self.last_id = by_clock.max(self.last_id.saturating_add(1));
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

    /// A message that is still remembered.
    pub(crate) fn find(&self, id: i64) -> Option<&Arc<Message>> {
        self.recent.iter().find(|message| message.id == id)
    }

    /// What was said behind a message; all that is remembered without one.
    pub(crate) fn since(&self, after: Option<i64>) -> impl Iterator<Item = &Arc<Message>> {
        let after = after.unwrap_or(i64::MIN);
        self.recent.iter().filter(move |message| message.id > after)
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

    /// What waits for a moderator, oldest first.
    pub(crate) fn held(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.held.values()
    }

    /// Takes a message out of those that wait.
    pub(crate) fn settle(&mut self, id: i64) -> Option<Arc<Message>> {
        self.held.remove(&id)
    }

    /// Puts a message that waited among those that are shown. It stands where it was said.
    pub(crate) fn admit(&mut self, message: Arc<Message>) {
        let at = self.recent.partition_point(|known| known.id < message.id);
        self.recent.insert(at, message);
        self.drop_oldest();
    }

    /// Takes messages away.
    pub(crate) fn forget(&mut self, gone: impl Fn(&Message) -> bool) {
        self.recent.retain(|message| !gone(message));
        self.held.retain(|_, message| !gone(message));
        if self.pinned.as_ref().is_some_and(|pinned| gone(pinned)) {
            self.pinned = None;
        }
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

impl Writer {
    fn check_pace(&mut self, now: Instant, most: usize) -> Result<(), Refusal> {
        let in_burst = |at: &&Instant| now.saturating_duration_since(**at) < BURST;
        if self.sent.iter().filter(in_burst).count() < most {
            return Ok(());
        }
        let nth = self.sent.len().checked_sub(most);
        let first = nth.and_then(|nth| self.sent.get(nth));
        let since = first.map(|first| now.saturating_duration_since(*first));
        let wait = BURST.saturating_sub(since.unwrap_or_default());
        let words = format!("at most {most} messages in {} s", BURST.as_secs());
        Err(Refusal::new("too_fast", words).wait(wait))
    }

    fn note(&mut self, now: Instant) {
        self.sent.push_back(now);
        if self.sent.len() > MOST_SENT_BY_MODERATORS {
            self.sent.pop_front();
        }
    }

    fn is_recent(&self, now: Instant) -> bool {
        let last = self.sent.back().or(self.reacted.as_ref());
        last.is_some_and(|at| now.saturating_duration_since(*at) < WRITERS_KEPT)
    }
}

#[cfg(test)]
mod tests;
