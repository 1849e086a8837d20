//! The frames of docs/CHAT.md: read strictly, written once for all readers. Pure.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::emotes::Emote;
use super::message::Message;
use super::modes::Modes;
use super::polls::Poll;
use super::questions::Question;
use super::raids::Raid;
use super::refusal::Refusal;
use super::room::OnAir;

/// The version that we speak.
pub(crate) const VERSION: u32 = 1;
/// Longest frame of a client, in bytes.
pub(crate) const MOST_FRAME: usize = 4 * 1024;
/// Characters of a reference.
const MOST_REFERENCE: usize = 64;

/// What can be reacted with.
pub(crate) const REACTIONS: [&str; 8] = ["❤️", "👍", "😂", "🎉", "😮", "😢", "👏", "🔥"];

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ClientFrame {
    /// Comes in.
    Join(Join),
    /// Says something.
    Send {
        /// By which the answer is known.
        #[serde(rename = "ref")]
        reference: String,
        /// What.
        text: String,
        /// The id of the message that it answers.
        #[serde(default)]
        reply_to: Option<i64>,
        /// How far the stream is in its picture.
        #[serde(default)]
        seen_ms: Option<i64>,
    },
    /// Reacts.
    React {
        /// One of those that are known.
        emoji: String,
        /// How far the stream is in its picture.
        #[serde(default)]
        seen_ms: Option<i64>,
    },
    /// Asks whether we are there.
    Ping,
}

/// The first frame.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Join {
    /// The version that the client speaks.
    pub(crate) v: u32,
    /// Who comes, by data channel.
    #[serde(default)]
    pub(crate) token: Option<String>,
    /// By which a guest stays the same.
    #[serde(default)]
    pub(crate) guest: Option<String>,
    /// What a guest wants to be called.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The last message that the client has.
    #[serde(default)]
    pub(crate) after: Option<i64>,
}

#[derive(Deserialize)]
struct Tag {
    #[serde(rename = "type")]
    kind: String,
}

const KINDS: [&str; 4] = ["join", "send", "react", "ping"];

/// Reads a client's frame.
///
/// # Errors
/// With what is wrong with it.
pub(crate) fn read(text: &str) -> Result<ClientFrame, (&'static str, String)> {
    if text.len() > MOST_FRAME {
        let words = format!("a frame has at most {MOST_FRAME} bytes");
        return Err(("too_large", words));
    }
    let tag: Tag = serde_json::from_str(text)
        .map_err(|_| ("malformed", "send a JSON object with `type`".to_owned()))?;
    if !KINDS.contains(&tag.kind.as_str()) {
        let words = format!("there is no such type; there are {}", KINDS.join(", "));
        return Err(("unknown_type", words));
    }
    let frame: ClientFrame =
        serde_json::from_str(text).map_err(|error| ("malformed", error.to_string()))?;
    match &frame {
        ClientFrame::Send { reference, .. } => {
            let length = reference.chars().count();
            match (1..=MOST_REFERENCE).contains(&length) {
                true => Ok(frame),
                false => Err(("malformed", "`ref` has 1 to 64 characters".to_owned())),
            }
        }
        _ => Ok(frame),
    }
}

/// What the server sends.
#[derive(Debug, Serialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is made on the stack, written and gone"
)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    Hello {
        v: u32,
        now: Timestamp,
        channel: ChannelName<'a>,
        stream: Option<OnAir>,
        you: &'a You,
        room: RoomNow<'a>,
        reactions: [&'static str; 8],
        messages: Vec<&'a Message>,
        resumed: bool,
    },
    Message {
        message: &'a Message,
    },
    Accepted {
        #[serde(rename = "ref")]
        reference: &'a str,
        id: i64,
    },
    Held {
        #[serde(rename = "ref")]
        reference: &'a str,
        id: i64,
    },
    Refused {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<&'a str>,
        code: &'a str,
        detail: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        wait_ms: Option<u64>,
    },
    Deleted {
        ids: &'a [i64],
    },
    Cleared {
        before: i64,
    },
    Silenced {
        from: &'a str,
    },
    Modes {
        modes: &'a Modes,
    },
    Pinned {
        message: Option<&'a Message>,
    },
    Emotes {
        emotes: Vec<&'a Emote>,
    },
    Poll {
        poll: Option<&'a Poll>,
    },
    Question {
        question: &'a Question,
    },
    Reactions {
        stream_time_ms: Option<i64>,
        counts: &'a BTreeMap<&'static str, u32>,
    },
    Stream {
        stream: Option<OnAir>,
    },
    You {
        you: &'a You,
    },
    Hold {
        message: &'a Message,
    },
    HoldSettled {
        id: i64,
        approved: bool,
    },
    Warned {
        reason: &'a str,
    },
    Raid {
        raid: Option<&'a Raid>,
    },
    Pong,
    Reconnect,
    Closed {
        code: &'a str,
        detail: &'a str,
    },
}

/// Which channel it is.
#[derive(Debug, Serialize)]
pub(crate) struct ChannelName<'a> {
    pub(crate) handle: &'a str,
    pub(crate) name: &'a str,
}

/// How a room stands.
#[derive(Debug, Serialize)]
pub(crate) struct RoomNow<'a> {
    pub(crate) modes: &'a Modes,
    pub(crate) pinned: Option<&'a Message>,
    pub(crate) poll: Option<&'a Poll>,
    pub(crate) questions: Vec<&'a Question>,
    pub(crate) emotes: Vec<&'a Emote>,
    pub(crate) raid: Option<&'a Raid>,
}

/// What one may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ChatYou)]
pub(crate) struct You {
    /// Null: one only reads.
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) role: Part,
    pub(crate) may_write: bool,
    pub(crate) may_moderate: bool,
    pub(crate) restraint: Option<YourRestraint>,
}

/// As what one is in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChatRole)]
pub(crate) enum Part {
    Reader,
    Guest,
    Viewer,
    Moderator,
    Owner,
    Admin,
}

/// Why one may not write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ChatYourRestraint)]
pub(crate) struct YourRestraint {
    pub(crate) kind: RestraintKind,
    /// Null: for good.
    pub(crate) until: Option<Timestamp>,
    pub(crate) reason: String,
}

/// For a while or for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChatRestraintKind)]
pub(crate) enum RestraintKind {
    Timeout,
    Ban,
}

impl Event<'_> {
    /// Written once, for however many readers.
    pub(crate) fn encode(&self) -> Bytes {
        // Nothing in it can fail to be written.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    pub(crate) fn refused<'a>(reference: Option<&'a str>, refusal: &'a Refusal) -> Event<'a> {
        Event::Refused {
            reference,
            code: refusal.code,
            detail: &refusal.detail,
            wait_ms: refusal.wait_ms(),
        }
    }
}

/// Several events as one frame.
pub(crate) fn in_one_frame(events: &[Bytes]) -> Bytes {
    match events {
        [one] => one.clone(),
        several => {
            let size: usize = several.iter().map(|event| event.len() + 1).sum();
            let mut frame = Vec::with_capacity(size + 1);
            for (at, event) in several.iter().enumerate() {
                frame.push(if at == 0 { b'[' } else { b',' });
                frame.extend_from_slice(event);
            }
            frame.push(b']');
            frame.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_and_wrong_ones_named() {
        let code = |text: &str| read(text).map_err(|(code, _)| code);
        assert_eq!(code(r#"{"type":"ping"}"#), Ok(ClientFrame::Ping));
        assert!(matches!(
            code(r#"{"type":"send","ref":"1","text":"hi"}"#),
            Ok(ClientFrame::Send { .. })
        ));
        for text in ["", "x", "[]", "1", "{}", r#"{"type":1}"#, "\"join\""] {
            assert_eq!(code(text), Err("malformed"), "{text}");
        }
        assert_eq!(code(r#"{"type":"shout"}"#), Err("unknown_type"));
        assert_eq!(code(r#"{"type":"send","text":"hi"}"#), Err("malformed"));
        assert_eq!(
            code(r#"{"type":"send","ref":"","text":"hi"}"#),
            Err("malformed")
        );
        assert_eq!(code(&" ".repeat(MOST_FRAME + 1)), Err("too_large"));
        let deep = "[".repeat(MOST_FRAME);
        assert_eq!(code(&deep), Err("malformed"));
    }

    #[test]
    fn several_events_make_a_list() {
        let event = Event::Pong.encode();
        // The player compares it whole.
        let reconnect = Event::Reconnect.encode();
        assert_eq!(&reconnect[..], br#"{"type":"reconnect"}"#);
        assert_eq!(
            &in_one_frame(std::slice::from_ref(&event))[..],
            br#"{"type":"pong"}"#
        );
        let frame = in_one_frame(&[event.clone(), event]);
        let read: Vec<serde_json::Value> = serde_json::from_slice(&frame).unwrap();
        assert_eq!(read.len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_can_be_read(text in ".{0,300}") {
            let _ = read(&text);
        }
    }
}
