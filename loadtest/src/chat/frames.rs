//! The frames of docs/CHAT.md, as far as a client that counts looks at them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

/// What a frame told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// We are in.
    Hello(Box<Hello>),
    /// Somebody said something.
    Message(Told),
    /// What we said is said.
    Accepted,
    /// What we said waits for a moderator.
    Held,
    /// What we did is not done.
    Refused {
        /// Why, for programs.
        code: String,
        /// Whether it is about a message.
        of_message: bool,
    },
    /// So many reactions within a tick.
    Reactions(u64),
    /// The last one.
    Closed {
        /// Why, for programs.
        code: String,
        /// Why, for people.
        detail: String,
    },
    /// Something that is not counted.
    Other,
}

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Rises within a room.
    pub id: u64,
    /// When it was sent, since 1970; none when it is not of this run.
    pub sent: Option<Duration>,
}

/// The answer to `join`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Hello {
    /// Who we are there.
    pub you: You,
    /// How the room stands.
    pub room: Room,
    /// What one can react with.
    #[serde(default)]
    pub reactions: Vec<String>,
}

/// What we may do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct You {
    /// None: we only read.
    pub id: Option<String>,
    /// Whether we may say something.
    pub may_write: bool,
    /// Whether we are a moderator, who may say more.
    pub may_moderate: bool,
}

/// How the room stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Room {
    /// How one may write.
    pub modes: Modes,
}

/// How one may write.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Modes {
    /// Whether guests may.
    pub guests: bool,
    /// One message in so many seconds.
    pub slow_seconds: u32,
}

/// What the messages of one run have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(pub u32);

/// Reads frames. Those that all readers get are read once: they are the same bytes.
#[derive(Debug)]
pub struct Reading {
    mark: Mark,
    known: Mutex<VecDeque<Known>>,
}

/// A frame and what it told.
#[derive(Debug)]
struct Known {
    frame: Box<[u8]>,
    events: Arc<[Event]>,
}

/// One event as it comes.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Wire {
    Hello(Box<Hello>),
    Message {
        message: Said,
    },
    Accepted {},
    Held {},
    Refused {
        #[serde(rename = "ref")]
        reference: Option<String>,
        code: String,
    },
    Reactions {
        counts: std::collections::HashMap<String, u64>,
    },
    Closed {
        code: String,
        detail: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Said {
    id: u64,
    text: String,
}

/// Bytes of a message.
pub const MESSAGE: usize = 200;
/// What messages are filled up with: words, as people write them.
const FILLER: &str = "the quick brown fox jumps over the lazy dog and ";
/// Frames that are remembered: readers are a few frames apart from each other.
const KNOWN: usize = 64;

impl Mark {
    /// A message of [`MESSAGE`] bytes: which one of the run it is, and when it was sent.
    #[must_use]
    pub fn text(self, number: u64, sent: Duration) -> String {
        let mut text = format!("bench {:08x} {number} {} ", self.0, sent.as_micros());
        text.extend(
            FILLER
                .chars()
                .cycle()
                .take(MESSAGE.saturating_sub(text.len() + 1)),
        );
        // A space at the end would be cut off.
        text.push('x');
        text
    }

    /// When a message was sent, if it is of this run.
    #[must_use]
    pub fn sent(self, text: &str) -> Option<Duration> {
        let mut words = text.strip_prefix("bench ")?.split(' ');
        if u32::from_str_radix(words.next()?, 16) != Ok(self.0) {
            return None;
        }
        let _number: u64 = words.next()?.parse().ok()?;
        Some(Duration::from_micros(words.next()?.parse().ok()?))
    }
}

impl Reading {
    /// Reads frames in which messages with that mark count.
    #[must_use]
    pub fn new(mark: Mark) -> Self {
        Self {
            mark,
            known: Mutex::default(),
        }
    }

    /// What a frame told; nothing when it is none.
    #[must_use]
    pub fn read(&self, frame: &[u8]) -> Arc<[Event]> {
        if !is_for_all(frame) {
            return events(frame, self.mark).into();
        }
        let find = |known: &VecDeque<Known>| {
            let mut newest_first = known.iter().rev();
            let found = newest_first.find(|known| *known.frame == *frame);
            found.map(|known| Arc::clone(&known.events))
        };
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(events) = find(&lock()) {
            return events;
        }
        let events: Arc<[Event]> = events(frame, self.mark).into();
        let mut known = lock();
        if known.len() >= KNOWN {
            known.pop_front();
        }
        known.push_back(Known {
            frame: frame.into(),
            events: Arc::clone(&events),
        });
        events
    }
}

/// Whether others get the very same frame.
fn is_for_all(frame: &[u8]) -> bool {
    let starts = [
        &b"["[..],
        br#"{"type":"message""#,
        br#"{"type":"reactions""#,
    ];
    starts.iter().any(|start| frame.starts_with(start))
}

fn events(frame: &[u8], mark: Mark) -> Vec<Event> {
    let wires: Vec<Wire> = match frame.first() {
        Some(b'[') => serde_json::from_slice(frame).unwrap_or_default(),
        _ => serde_json::from_slice(frame).into_iter().collect(),
    };
    wires.into_iter().map(|wire| event(wire, mark)).collect()
}

fn event(wire: Wire, mark: Mark) -> Event {
    match wire {
        Wire::Hello(hello) => Event::Hello(hello),
        Wire::Message { message } => Event::Message(Told {
            id: message.id,
            sent: mark.sent(&message.text),
        }),
        Wire::Accepted {} => Event::Accepted,
        Wire::Held {} => Event::Held,
        Wire::Refused { reference, code } => Event::Refused {
            code,
            of_message: reference.is_some(),
        },
        Wire::Reactions { counts } => Event::Reactions(counts.values().sum()),
        Wire::Closed { code, detail } => Event::Closed { code, detail },
        Wire::Other => Event::Other,
    }
}

/// The first frame of a client, with the secret of a guest.
#[must_use]
pub fn join(guest: Option<&str>) -> String {
    match guest {
        Some(guest) => json!({ "type": "join", "v": 1, "guest": guest }),
        None => json!({ "type": "join", "v": 1 }),
    }
    .to_string()
}

/// Says something.
#[must_use]
pub fn send(reference: &str, text: &str) -> String {
    json!({ "type": "send", "ref": reference, "text": text }).to_string()
}

/// Reacts.
#[must_use]
pub fn react(emoji: &str) -> String {
    json!({ "type": "react", "emoji": emoji }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark(0x5f);

    /// As the server writes it, `type` first.
    fn said(id: u64, text: &str) -> String {
        let from = r#"{"id":"0198","name":"vic","avatar":null,"badges":["moderator"]}"#;
        format!(
            r#"{{"type":"message","message":{{"id":{id},"at":"2026-11-26T20:00:00Z","kind":"text","from":{from},"text":"{text}"}}}}"#
        )
    }

    #[test]
    fn a_message_tells_when_it_was_sent() {
        let sent = Duration::from_micros(1_795_000_000_123_456);
        let text = MARK.text(17, sent);
        assert_eq!((text.len(), text.trim().len()), (MESSAGE, MESSAGE));
        assert_eq!(MARK.sent(&text), Some(sent));
        assert_eq!(Mark(0x60).sent(&text), None);
        for other in ["", "bench", "bench 0000005f", "bench 0000005f 1 x", "hello"] {
            assert_eq!(MARK.sent(other), None, "{other}");
        }
    }

    #[test]
    fn frames_are_one_event_or_several_in_order() {
        let sent = Duration::from_secs(9);
        let (ours, others) = (said(7, &MARK.text(0, sent)), said(8, "hello"));
        let told = |id, sent| Event::Message(Told { id, sent });
        let read = |frame: &str| Reading::new(MARK).read(frame.as_bytes()).to_vec();
        assert_eq!(read(&ours), [told(7, Some(sent))]);
        assert_eq!(
            read(&format!(
                "[{ours},{{\"type\":\"new_thing\",\"x\":1}},{others}]"
            )),
            [told(7, Some(sent)), Event::Other, told(8, None)]
        );
        for (frame, event) in [
            (r#"{"type":"accepted","ref":"1","id":2}"#, Event::Accepted),
            (r#"{"type":"held","ref":"1","id":2}"#, Event::Held),
            (
                r#"{"type":"reactions","stream_time_ms":null,"counts":{"a":12,"b":3}}"#,
                Event::Reactions(15),
            ),
            (
                r#"{"type":"refused","code":"too_fast","detail":"x","wait_ms":9}"#,
                Event::Refused {
                    code: "too_fast".to_owned(),
                    of_message: false,
                },
            ),
        ] {
            assert_eq!(read(frame), [event]);
        }
        for broken in ["", "[", "{}", "no", "[1]"] {
            assert_eq!(read(broken), [], "{broken}");
        }
    }

    #[test]
    fn hello_tells_who_we_are() {
        let hello = r#"{"type":"hello","v":1,"now":"x","you":{"id":"a","name":"b","role":"owner",
            "may_write":true,"may_moderate":true,"restraint":null},"room":{"modes":{"guests":false,
            "slow_seconds":3,"shield":false},"pinned":null},"reactions":["+"],"messages":[]}"#;
        let events = Reading::new(MARK).read(hello.as_bytes());
        let [Event::Hello(hello)] = &*events else {
            panic!("{events:?}");
        };
        assert!(hello.you.may_moderate && hello.you.id.as_deref() == Some("a"));
        assert_eq!(hello.room.modes.slow_seconds, 3);
        assert_eq!(hello.reactions, ["+"]);
    }

    #[test]
    fn what_all_get_is_read_once() {
        let reading = Reading::new(MARK);
        let frame = said(7, "hello");
        let (first, second) = (
            reading.read(frame.as_bytes()),
            reading.read(frame.as_bytes()),
        );
        assert!(Arc::ptr_eq(&first, &second));
        for id in 0..200 {
            let _ = reading.read(said(id, "hello").as_bytes());
        }
        assert_eq!(reading.known.lock().unwrap().len(), KNOWN);
    }
}
