//! [`Word`]: what happens in a room, as servers that share it tell one another.
//!
//! What is said and done is carried whole. Of how a room is set, only that it is different: each server
//! reads that from the database, which all of them share, so that no order of words can make it wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::message::Message;
use super::raids::Raid;
use super::room::OnAir;
use crate::accounts::AccountId;
use crate::bus::{Bus, Lasting};
use crate::channels::ChannelId;

/// Something that happens in a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Word {
    /// Somebody says something.
    Said {
        message: Arc<Message>,
        /// Where its writer is, by which guests are known.
        network: Option<Arc<str>>,
        /// By which its writer knows it: who comes to another server says it once still.
        #[serde(rename = "ref")]
        reference: Option<String>,
        is_held: bool,
    },
    /// Messages are gone.
    Deleted { ids: Vec<i64> },
    /// All messages up to one are gone.
    Cleared { before: i64 },
    /// Messages of somebody, from one up to another, are gone.
    Silenced {
        from: String,
        since: i64,
        up_to: i64,
    },
    /// A message waits no longer; if all may see it, it is with it.
    HoldSettled {
        id: i64,
        approved: bool,
        message: Option<Arc<Message>>,
    },
    /// Somebody is told that what they do is not wanted.
    Warned { subject: String, reason: String },
    /// The room goes over to another channel, or does not.
    Raid {
        raid: Option<Raid>,
        goes_at: Option<Timestamp>,
    },
    /// So many reacted so.
    Reacted {
        stream_time_ms: Option<i64>,
        counts: BTreeMap<String, u32>,
    },
    /// The channel is on air.
    OnAir { stream: OnAir },
    /// That stream of it is no longer.
    OffAir { stream: Uuid },
    /// What is on air has another gate, or had one and is over: the room is made anew, and all come in anew.
    Door,
    /// An account is no more, and what it said.
    Left { account: AccountId },
    /// Something is set otherwise.
    Reset { part: Part },
    /// So many read at the server that says so.
    Readers { readers: usize },
}

/// What can be different from what the database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    /// Modes and the pin.
    Settings,
    Restraints,
    Terms,
    Emotes,
    Poll,
    Questions,
    OnAir,
    /// What was said, and what waits.
    Messages,
}

impl Part {
    pub(crate) const ALL: [Self; 8] = [
        Self::Settings,
        Self::Restraints,
        Self::Terms,
        Self::Emotes,
        Self::Poll,
        Self::Questions,
        Self::OnAir,
        Self::Messages,
    ];
}

impl Word {
    /// Whether it takes something away, so that it goes before what is said.
    pub(crate) fn takes_away(&self) -> bool {
        matches!(
            self,
            Self::Deleted { .. }
                | Self::Cleared { .. }
                | Self::Silenced { .. }
                | Self::HoldSettled { .. }
        )
    }

    pub(crate) fn lasting(&self) -> Lasting {
        match self {
            Self::Reacted { .. } | Self::Readers { .. } => Lasting::Fleeting,
            // Whoever misses it reads all from the database anyway; or it is not worth telling later.
            Self::Reset { .. } | Self::OnAir { .. } | Self::OffAir { .. } | Self::Warned { .. } => {
                Lasting::Sure
            }
            _ => Lasting::Kept,
        }
    }
}

/// Tells other servers what happens in a room.
pub(crate) fn tell(bus: &Bus, channel: ChannelId, word: &Word) {
    if bus.is_shared()
        && let Ok(words) = serde_json::to_string(word)
    {
        bus.say(&topic(channel), &words, word.lasting());
    }
}

/// Begins the topics of rooms.
const TOPICS: &str = "chat:";

/// The topic of a channel's room.
pub(crate) fn topic(channel: ChannelId) -> String {
    format!("{TOPICS}{channel}")
}

/// Whose room a topic is.
pub(crate) fn channel_of(topic: &str) -> Option<ChannelId> {
    let id = topic.strip_prefix(TOPICS)?.parse().ok()?;
    Some(ChannelId(id))
}
