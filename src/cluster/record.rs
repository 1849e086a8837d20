//! [`Record`]: what a server says of itself.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A server, as the others read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Which.
    pub id: Uuid,
    /// Its number in addresses of sessions.
    pub slot: u8,
    /// Where the others reach its HTTP, without a trailing slash.
    pub url: String,
    /// What it has.
    #[serde(flatten)]
    pub own: Own,
}

/// What a server has, and how much room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// It takes nobody new.
    pub is_draining: bool,
    /// Who watches by WebRTC.
    pub viewers: u32,
    /// As many may.
    pub most_viewers: u32,
    /// What publishers that came to it have on air, and what they had a moment ago.
    pub on_air: Vec<OnAir>,
    /// How many watch here what is on air elsewhere, by stream.
    pub watched: Vec<(Uuid, u32)>,
}

/// A stream at the server that its publisher came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnAir {
    /// Its channel.
    pub channel: Uuid,
    /// It.
    pub stream: Uuid,
    /// The number of the lease.
    pub fence: u64,
    /// How it stands.
    pub standing: Standing,
    /// How many watch it there.
    pub viewers: u32,
    /// Width and height of its largest layer.
    pub size: Option<(u32, u32)>,
}

/// How a stream stands at its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its publisher sends.
    Live,
    /// Its publisher is away.
    Reconnecting,
    /// It is over.
    Ended,
}

impl Own {
    /// Whether others would do the same on hearing either. How many watch is told with the next beat.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let key = |on_air: &OnAir| (on_air.stream, on_air.fence, on_air.standing);
        self.is_draining == other.is_draining
            && self.on_air.iter().map(key).eq(other.on_air.iter().map(key))
    }
}
