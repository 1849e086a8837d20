//! What one reader of a chat saw: counted, and checked for what is missing, twice there or in disorder.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Latencies;

use super::frames::{Event, Hello, Reading, Told};

/// What one reader saw.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The answer to its `join`.
    pub hello: Option<Box<Hello>>,
    /// Frames with messages of this run.
    pub frames: u64,
    /// Messages of this run, each once.
    pub messages: u64,
    /// Messages that came again.
    pub duplicates: u64,
    /// Messages whose id is lower than one before.
    pub disordered: u64,
    /// From sending to receiving.
    pub latencies: Latencies,
    /// Frames about reactions.
    pub reaction_frames: u64,
    /// Reactions that they told of.
    pub reactions: u64,
    /// What we said and did ourselves.
    pub did: Did,
    /// Why there is nothing more to read, once that is so.
    pub closed: Option<String>,
    newest: u64,
    recent: VecDeque<u64>,
}

/// What a reader that also writes did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Did {
    /// Messages that were sent.
    pub said: u64,
    /// Of them, those that all got.
    pub accepted: u64,
    /// Those that wait for a moderator.
    pub held: u64,
    /// Reactions that were sent.
    pub reacted: u64,
    /// Messages that were refused, by code.
    pub refused: BTreeMap<String, u64>,
    /// Reactions that were refused.
    pub unreacted: u64,
}

/// Where a connection hands over what it hears. Clones share it.
#[derive(Debug, Clone)]
pub struct Ear {
    seen: Arc<Mutex<Seen>>,
    reading: Arc<Reading>,
}

/// Ids that are remembered, to tell what came again from what came late.
const RECENT: usize = 128;

impl Ear {
    /// One for a new connection.
    #[must_use]
    pub fn new(reading: &Arc<Reading>) -> Self {
        Self {
            seen: Arc::default(),
            reading: Arc::clone(reading),
        }
    }

    /// What was heard so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a frame that came at that time since 1970.
    pub fn hear(&self, frame: &[u8], at: Duration) {
        let events = self.reading.read(frame);
        self.seen().take(&events, at);
    }
}

impl Seen {
    /// Counts what a frame told.
    pub fn take(&mut self, events: &[Event], at: Duration) {
        let before = self.messages;
        for event in events {
            match event {
                Event::Hello(hello) => self.hello = Some(hello.clone()),
                Event::Message(told) => self.take_message(*told, at),
                Event::Accepted => self.did.accepted += 1,
                Event::Held => self.did.held += 1,
                Event::Refused { code, of_message } => self.did.refuse(code, *of_message),
                Event::Reactions(count) => {
                    self.reaction_frames += 1;
                    self.reactions += count;
                }
                Event::Closed { code, detail } => {
                    self.closed = Some(format!("{code}: {detail}"));
                }
                Event::Other => {}
            }
        }
        self.frames += u64::from(self.messages > before);
    }

    fn take_message(&mut self, told: Told, at: Duration) {
        let Some(sent) = told.sent else {
            return;
        };
        if told.id <= self.newest && self.recent.contains(&told.id) {
            self.duplicates += 1;
            return;
        }
        self.disordered += u64::from(told.id < self.newest);
        self.newest = self.newest.max(told.id);
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(told.id);
        self.messages += 1;
        self.latencies.note(at.saturating_sub(sent));
    }
}

impl Did {
    /// Messages that the server said something to.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.accepted + self.held + self.refused.values().sum::<u64>()
    }

    fn refuse(&mut self, code: &str, of_message: bool) {
        if !of_message {
            self.unreacted += 1;
            return;
        }
        match self.refused.get_mut(code) {
            Some(count) => *count += 1,
            None => drop(self.refused.insert(code.to_owned(), 1)),
        }
    }

    /// Adds what another did.
    pub fn add(&mut self, other: &Self) {
        self.said += other.said;
        self.accepted += other.accepted;
        self.held += other.held;
        self.reacted += other.reacted;
        self.unreacted += other.unreacted;
        for (code, count) in &other.refused {
            *self.refused.entry(code.clone()).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: u64) -> Event {
        let sent = Some(Duration::from_millis(id));
        Event::Message(Told { id, sent })
    }

    fn heard(frames: &[&[Event]]) -> Seen {
        let mut seen = Seen::default();
        for frame in frames {
            seen.take(frame, Duration::from_millis(100));
        }
        seen
    }

    #[test]
    fn frames_and_messages_are_counted() {
        let others = Event::Message(Told { id: 4, sent: None });
        let seen = heard(&[&[told(1), told(2)], &[told(3)], &[others], &[Event::Other]]);
        assert_eq!((seen.frames, seen.messages), (2, 3));
        assert_eq!((seen.duplicates, seen.disordered), (0, 0));
        let spread = seen.latencies.spread();
        assert_eq!(spread.count, 3);
        assert!((spread.max_ms - 99.0).abs() < 1e-9);
    }

    #[test]
    fn what_comes_again_is_no_message_and_what_comes_late_is_in_disorder() {
        let seen = heard(&[
            &[told(5), told(7)],
            &[told(6)],
            &[told(7), told(5)],
            &[told(8)],
        ]);
        assert_eq!((seen.messages, seen.duplicates, seen.disordered), (4, 2, 1));
    }

    #[test]
    fn answers_and_reactions_are_counted() {
        let refused = |of_message| Event::Refused {
            code: "too_fast".to_owned(),
            of_message,
        };
        let mut seen = heard(&[
            &[Event::Accepted, Event::Held],
            &[refused(true), refused(false), refused(true)],
            &[Event::Reactions(3)],
            &[Event::Reactions(4)],
        ]);
        assert_eq!((seen.reaction_frames, seen.reactions), (2, 7));
        let did = seen.did.clone();
        seen.did.add(&did);
        assert_eq!((seen.did.accepted, seen.did.held), (2, 2));
        assert_eq!(seen.did.refused.get("too_fast"), Some(&4));
        assert_eq!((seen.did.unreacted, seen.did.answered()), (2, 8));
    }
}
